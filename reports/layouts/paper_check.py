"""Check of a paper's folder before anything of it is printed: its entries fit their files and each other."""

from collections import Counter
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from reports.errors import ReportError
from reports.layouts.paper import PAPER_FILE, FactEntry, MeanRule, MeasuredBy, Paper, TableEntry
from reports.layouts.published import read_errata, read_facts
from reports.layouts.subsets import SubsetFinder, entry_cells


def check_paper(paper: Paper, name: str) -> None:
    """Hold a paper of another package, offered under `name`, to its own files.

    Raises:
        ReportError: it has another id or short forms, or an entry names what the paper or a CSV file does not have.
    """
    if paper.paper != name:
        raise ReportError(f"{PAPER_FILE} says paper = \"{paper.paper}\": let it be the entry point's name, '{name}'")
    if paper.short_forms:
        raise ReportError(f"{PAPER_FILE} has short_forms, which only papers of swanbench have: leave them out")
    for id_, entry in paper.tables.items():
        _check_entry(paper, entry, f"[tables.{id_}]")
    for id_, entry in paper.figures.items():
        _check_entry(paper, entry, f"[figures.{id_}]")
        if len(entry.rows) != 1 or len(entry.columns) != 1:
            raise ReportError(f"[figures.{id_}] of {PAPER_FILE} needs one coordinate in rows and one in columns")
    for id_, facts in paper.facts.items():
        _check_facts(paper, facts, f"[facts.{id_}] of {PAPER_FILE}")
    read_errata(Path(paper.folder), paper.paper, "")


def _check_entry(paper: Paper, entry: TableEntry, title: str) -> None:
    printed_by = [*entry.rows, *entry.blocks, *entry.columns]
    _refuse_unknown(
        ["dataset", *printed_by, *entry.order, *(entry.groups or [])],
        entry.coordinates,
        f"{title} of {PAPER_FILE}",
        "its coordinates",
    )
    unruled = [
        source
        for source in entry.measured or [MeasuredBy()]
        if not source.rule and (source.method or (source.method is None and paper.methods))
    ]
    if unruled and not entry.rule and "protocol" not in entry.coordinates:
        raise ReportError(f"{title} of {PAPER_FILE} has no rule, and its file no protocol: say whose runs measure it")
    counted = [
        id_ for id_, facts in paper.facts.items() if {"dataset", "anomaly_classes"} <= {facts.key, *facts.columns}
    ]
    counts = [entry.class_counts] if entry.class_counts else []
    of_classes = "its facts with anomaly_classes by dataset"
    _refuse_unknown(counts, counted, f"class_counts of {title} of {PAPER_FILE}", of_classes)
    for quoted in entry.quoted:
        _refuse_unknown(quoted.when, entry.coordinates, f"quoted of {title} of {PAPER_FILE}", "its coordinates")
    for mean in entry.means:
        _check_mean(paper, entry, mean, f"a mean of {title} of {PAPER_FILE}")
    _refuse_circle(paper, entry, title)
    cells = entry_cells(paper, entry)
    printed = Counter(tuple(dict(cell.coordinates)[name] for name in printed_by) for cell in cells)
    twice = [values for values, number in printed.items() if number > 1]
    if twice:
        raise ReportError(f"{entry.file} has two lines for {', '.join(filter(None, twice[0]))} of {title}")
    finder = SubsetFinder(paper, entry, cells)
    for cell in cells:
        _check_subsets(finder, dict(cell.coordinates), title)


def _check_mean(paper: Paper, entry: TableEntry, mean: MeanRule, title: str) -> None:
    _refuse_unknown(filter(None, [mean.group]), paper.groups, title, "the groups")
    _refuse_unknown(filter(None, [mean.of]), paper.tables, title, "the tables")
    if mean.group and mean.over not in mean.when:
        raise ReportError(f"{title} over a group needs when, with the {mean.over} that stands for it")
    if not mean.group and mean.over != "normal_class":
        of = paper.tables[mean.of] if mean.of else entry
        _refuse_unknown([mean.over], of.coordinates, title, "the coordinates")


def _refuse_circle(paper: Paper, entry: TableEntry, title: str) -> None:
    """A value that is a mean over a group is none of the group itself, nor of groups in it."""
    parts = {mean.when[mean.over]: paper.groups[mean.group] for mean in entry.means if mean.group}
    try:
        TopologicalSorter(parts).prepare()
    except CycleError as error:
        raise ReportError(
            f"a mean of {title} of {PAPER_FILE} is a part of itself: {' in '.join(error.args[1])}"
        ) from error


def _check_subsets(finder: SubsetFinder, coordinates: Mapping[str, str], title: str) -> None:
    """Each mean has something to be a mean of."""
    try:
        subsets = finder.find(coordinates)
    except KeyError as error:
        raise ReportError(f"a mean of {title} of {PAPER_FILE} needs classes.{error.args[0]}") from error
    if not subsets:
        raise ReportError(
            f"a mean of {title} of {PAPER_FILE} has no parts: {', '.join(filter(None, coordinates.values()))}"
        )


def _check_facts(paper: Paper, facts: FactEntry, title: str) -> None:
    _refuse_unknown([facts.key], facts.coordinates, title, "its coordinates")
    _refuse_unknown(facts.measured, facts.columns, title, "its columns")
    _refuse_unknown(facts.rows, [*facts.coordinates, *facts.columns], title, "its coordinates or columns")
    _refuse_unknown(facts.sums.values(), paper.groups, title, "the groups")
    if (facts.measured_by == "network_parameters") != (facts.networks is not None):
        raise ReportError(f'{title} needs measured_by = "network_parameters" and networks, or neither')
    read_facts(Path(paper.folder, facts.file), facts.coordinates, facts.columns)


def _refuse_unknown(names: Iterable[str], choices: Iterable[str], title: str, group: str) -> None:
    unknown = [name for name in names if name not in choices]
    if unknown:
        raise ReportError(f"{title} names {unknown[0]}, which is none of {group}")
