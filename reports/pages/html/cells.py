"""Panels of cells: numbers, seeds, why the cell counts beside the paper or not, and the command that makes it again."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from protocols.text import plural
from reports.layouts.cell_ids import cell_id
from reports.pages.html.evidence import PageEvidence, RunEvidence
from reports.pages.html.model import CellPanel, RunLine, ShownVerdict
from reports.pages.page import measured_texts
from reports.pages.sentences import NO_PUBLISHED_VALUE, OTHER_READING
from reports.stats.verdict import Verdict
from reports.stats.words import MARKS, verdict_words
from reports.tables.measured import RunSeeds, weight_labels
from reports.tables.sources import PublishedSource
from reports.tables.table import Cell, Table, lookup_keys
from results.record import Record

_NO_MARKS = {"failed": "×", "stale": "○"}
_UNSAFE = re.compile(r"[^\w./@-]")


class Anchors:
    """Names of places on the page: readable, without characters that an address would change, each once."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def anchor(self, text: str) -> str:
        name = wanted = _UNSAFE.sub("_", text)
        number = 2
        while name in self._used:
            name, number = f"{wanted}.{number}", number + 1
        self._used.add(name)
        return name


def shown_verdict(table: Table, cell: Cell, verdict: Verdict | None = None) -> ShownVerdict:
    """The verdict of a cell, or another one on it, as name, mark and words; empty where nothing is measured."""
    verdict = verdict or cell.verdict
    if table.show == "published" or (verdict.name == "missing" and cell.measured is None):
        return ShownVerdict()
    if verdict.name in _NO_MARKS:
        return ShownVerdict(verdict.name, _NO_MARKS[verdict.name], verdict.name)
    if verdict.comparison is None:
        words = "not comparable" if verdict.name == "not_comparable" else NO_PUBLISHED_VALUE
        return ShownVerdict(verdict.name if verdict.name == "not_comparable" else "unjudged", "·", words)
    words = verdict_words(verdict.comparison, table.layout.paper.decimals)
    mark = MARKS[verdict.comparison.verdict]
    if verdict.name == "not_comparable":
        return ShownVerdict("not_comparable", f"({mark})", f"not comparable (would be {words})")
    return ShownVerdict(verdict.comparison.verdict, mark, words)


def verdict_kinds(verdicts: Iterable[ShownVerdict]) -> Iterator[ShownVerdict]:
    """One verdict of each name among these, in words for all of them; those that judge nothing are left out."""
    by_name = {verdict.name: verdict for verdict in verdicts if verdict.name not in {"", "unjudged"}}
    for verdict in by_name.values():
        mark = "( )" if verdict.name == "not_comparable" else verdict.mark
        yield ShownVerdict(verdict.name, mark, verdict.name.replace("_", " "))


def place_name(table: Table, coordinates: Mapping[str, str]) -> str:
    """The printed names of a cell's coordinates."""
    return ", ".join(
        told_label(table.layout.heading(name), table.label(name, value)) for name, value in coordinates.items() if value
    )


def told_label(heading: str, label: str) -> str:
    """A label that says what it is of by itself: numbers and switches, such as `on`, stand behind their heading."""
    is_bare = label in {"on", "off"} or label.replace(".", "", 1).isdigit()
    return f"{heading} {label}" if is_bare else label


def has_panel(table: Table, cell: Cell) -> bool:
    return table.show != "published" and (
        cell.measured is not None or bool(cell.failures) or cell.verdict.name == "stale"
    )


def cell_runs(cell: Cell, evidence: PageEvidence) -> dict[RunSeeds, list[RunEvidence]]:
    """The runs behind a measured cell by their seeds: one, of a mean one a subset; the last made of each counts."""
    runs: dict[RunSeeds, list[RunEvidence]] = {}
    if cell.measured is None:
        return runs
    for series in dict.fromkeys(cell.measured.series):
        by_seeds = {_seeds(run.record): run for run in evidence.runs.get(series, ())}
        for seeds in cell.measured.per_seed:
            if seeds in by_seeds:
                runs.setdefault(seeds, []).append(by_seeds[seeds])
    return runs


def cell_panel(
    table: Table,
    cell: Cell,
    anchor: str,
    evidence: PageEvidence,
    sources: Sequence[PublishedSource],
    run_anchors: Mapping[str, str],
) -> CellPanel:
    """The panel of a cell; `sources` are its published values, `run_anchors` the panels of runs by their keys."""
    runs = cell_runs(cell, evidence)
    return CellPanel(
        anchor=anchor,
        id=cell_id(table.layout, cell.coordinates),
        title=place_name(table, cell.coordinates),
        verdict=shown_verdict(table, cell),
        numbers=tuple(_numbers(table, cell, sources)),
        sentences=tuple(_sentences(cell, evidence)),
        runs=(*_run_lines(table, cell, runs, run_anchors), *_other_lines(table, cell, evidence)),
        command=evidence.remake([run.record for parts in runs.values() for run in parts]) if runs else "",
    )


def _seeds(record: Record) -> RunSeeds:
    return RunSeeds(record.spec.split_seed, record.spec.fit.seed)


def _numbers(table: Table, cell: Cell, sources: Sequence[PublishedSource]) -> Iterator[tuple[str, str]]:
    """Names and values of what the panel says in numbers."""
    decimals = table.layout.paper.decimals
    if table.show != "measured":
        for source in sources:
            by = f", {source.kind}" if source.kind != "paper" else ""
            yield f"Published, {source.name}{by}", _with_std(source.value.mean_text, source.value.std_text)
    measured, comparison = cell.measured, cell.verdict.comparison
    if measured is None:
        return
    yield "Ours", f"{_with_std(*measured_texts(table, measured))} ({plural(measured.n, _counted(measured.counts))})"
    if comparison:
        interval = ""
        if comparison.low is not None and comparison.high is not None:
            interval = f" (90 % interval {comparison.low:+z.{decimals}f} to {comparison.high:+z.{decimals}f})"
        yield "Difference", f"{comparison.difference:+z.{decimals}f}{interval}"
    if measured.test_std is not None:
        yield "Error by the finite test set", f"{measured.test_std:.{decimals}f} (Hanley-McNeil)"
    if measured.test_normal is not None:
        yield "Test images", f"{measured.test_normal} normal, {measured.test_anomaly} anomalous"
    yield "Recipe", measured.recipe
    yield from [("Weights", measured.weights)] if measured.weights else []
    yield "Precision", measured.precision


def _counted(counts: str) -> str:
    return "split" if counts == "splits" else "training"


def _sentences(cell: Cell, evidence: PageEvidence) -> Iterator[str]:
    """Whole sentences on the verdict, on what keeps the cell from counting beside the paper, and on its runs."""
    verdict = cell.verdict
    if verdict.name in {"failed", "stale", "missing"}:
        yield from (f"{reason[:1].upper()}{reason[1:]}." for reason in verdict.reasons)
    elif verdict.reasons:
        yield "This number does not count beside the paper's:"
        yield from map(evidence.explain, verdict.reasons)
    elif cell.published is None:
        yield "The paper has no value here."
    elif cell.measured:
        yield "Recipe, weights, data and image size are the paper's, so this number counts beside it."
    if cell.published and cell.published.transcription != "exact":
        yield f"The published value is {cell.published.transcription}: {cell.published.note}."
    if verdict.advice:
        yield f"To settle it: {verdict.advice}."
    if verdict.one_draw:
        yield f"It would be {verdict.one_draw} {OTHER_READING}."
    notes = cell.measured.notes if cell.measured else ()
    yield from (f"{text[:1].upper()}{text[1:]}." for text in dict.fromkeys([*notes, *cell.failures]))


def _run_lines(
    table: Table, cell: Cell, runs: Mapping[RunSeeds, Sequence[RunEvidence]], anchors: Mapping[str, str]
) -> Iterator[RunLine]:
    """A line a run; of a mean its value over all parts first, which has no name."""
    if cell.measured is None:
        return
    decimals = table.layout.paper.decimals + 1
    for seeds, value in cell.measured.per_seed.items():
        parts = runs.get(seeds, ())
        whole = RunLine(str(seeds), f"{value:.{decimals}f}", "", "", "")
        if len(parts) == 1 and len(cell.measured.series) == 1:
            yield _named(whole, parts[0].record, anchors)
            continue
        yield whole
        for run in parts:
            number = table.value.of(run.record)
            text = "" if number is None else f"{number * table.value.factor(table.layout.scale):.{decimals}f}"
            yield _named(replace(whole, value=text), run.record, anchors)


def _other_lines(table: Table, cell: Cell, evidence: PageEvidence) -> Iterator[RunLine]:
    """The runs at this cell's place of which the table says nothing."""
    measured = cell.measured
    decimals = table.layout.paper.decimals + 1
    for record in evidence.runs_at(list(lookup_keys(table.layout, cell))):
        seeds, fit = _seeds(record), record.spec.fit
        if measured and record.series in measured.series and seeds in measured.per_seed:
            continue
        number = table.value.of(record)
        value = "–" if number is None else f"{number * table.value.factor(table.layout.scale):.{decimals}f}"
        labels = ", ".join(weight_labels(record))
        setting = f"recipe {record.spec.recipe}, {fit.precision}{f', {labels}' if labels else ''}"
        remark = "failed" if record.status == "failed" else f"not counted here: {setting}"
        yield RunLine(str(seeds), value, record.spec.name, record.key, "", remark)


def _named(line: RunLine, record: Record, anchors: Mapping[str, str]) -> RunLine:
    return replace(line, name=record.spec.name, key=record.key, anchor=anchors.get(record.key, ""))


def _with_std(mean: str, std: str) -> str:
    return f"{mean}±{std}" if std else mean


def cells_with_anchors(table: Table, cells: Iterable[Cell], anchors: Anchors) -> dict[int, str]:
    """The anchor of each cell that gets a panel, by its number."""
    return {
        number: anchors.anchor(cell_id(table.layout, cell.coordinates))
        for number, cell in enumerate(cells)
        if has_panel(table, cell)
    }
