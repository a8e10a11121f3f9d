"""What reproduces, what does not and what cannot be said, from records, as a page of the documentation has it."""

import tomllib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from benchmark.planning.suite import Selection, Suite, WantedRun, expand_suite, load_suite
from methods.devices import DEFAULT_PRECISION
from protocols.text import plural
from reports.comparison.deviations import DeviationEffect, deviation_effects
from reports.layouts import layout
from reports.layouts.cell_ids import cell_id
from reports.stats.paired import seeds_test
from reports.stats.sample import std_interval
from reports.stats.words import verdict_words
from reports.tables.lookup import MeasuredIds
from reports.tables.measured import Measured
from reports.tables.table import Cell, Table, build_table
from reports.text import escape_markdown, pipe_table
from results.record import Provenance, Record

OUTCOMES = {
    "Reproduces": {"reproduced", "close", "consistent"},
    "Does not": {"higher", "lower"},
    "Cannot be said": {"inconclusive"},
}
"""Headings of the page, and the verdicts that stand below each."""
PRECISION_BOUND = 0.01
"""AUC within which the means of two precisions have to be equal for one to stand for the other."""
_CELL_HEADING = ("cell", "published", "measured", "n", "difference (90 % interval)", "verdict")
_SPREAD_HEADING = (
    "cell",
    "precision",
    "splits",
    "runs",
    "std of draws",
    "std of trainings (90 % interval)",
    "std of means",
    "test set alone",
)
_EFFECT_HEADING = ("cell", "from", "to", "pairs", "mean difference (95 % interval)", "each")
_Place = tuple[tuple[object, ...], str]
"""Rule, method, dataset, coordinates and seeds of a run, and its recipe."""
_OPEN_HEADING = ("suite", "method", "runs made", "open", "hours a run", "hours in all")
_MADE_HEADING = ("run", "recipe", "precision", "AUC", "hours of the fit", "begun", "code")


@dataclass(frozen=True)
class RunQueue:
    """Suites whose runs are being made, the most informative first; estimated hours of a fit, by method."""

    suites: Sequence[Suite] = ()
    hours: Mapping[str, float] = field(default_factory=dict)


def load_queue(file: Path) -> RunQueue:
    """The queue of a TOML file, which names suites beside it."""
    queue = tomllib.loads(file.read_text(encoding="utf-8"))
    return RunQueue([load_suite(str(file.with_name(f"{name}.toml"))) for name in queue["suites"]], queue["hours"])


def reproduction_page(
    records: Sequence[Record], queue: RunQueue, *, measures: MeasuredIds, versions: Mapping[str, int]
) -> str:
    """Markdown of all sections; `queue` has the runs that are being made."""

    def cells(some: Iterable[Record]) -> list[tuple[Table, Cell]]:
        chosen = list(some)
        return list(
            _measured_cells(build_table(place, chosen, measures=measures, versions=versions) for place in _layouts())
        )

    by_precision = {
        precision: cells(record for record in records if record.spec.fit.precision == precision)
        for precision in sorted({record.spec.fit.precision for record in records})
    }
    sections = [
        *_outcomes(cells(records)),
        ("Draws and trainings", _spreads(by_precision)),
        ("One setting changed", _effects(deviation_effects(records))),
        ("Still open", _open_runs(queue, records)),
        ("Made", _made_runs(queue, records)),
    ]
    return "\n\n".join(f"## {heading}\n\n{text}" for heading, text in sections) + "\n"


def _layouts() -> Iterator[layout.Layout]:
    return map(layout.auc_layout, layout.auc_table_ids())


def _measured_cells(tables: Iterable[Table]) -> Iterator[tuple[Table, Cell]]:
    """Cells that paper and records both have, each series once: later tables repeat some."""
    seen: set[tuple[str, ...]] = set()
    for table in tables:
        for cell in table.cells:
            if cell.measured and cell.published and cell.measured.series not in seen:
                seen.add(cell.measured.series)
                yield table, cell


def _outcomes(cells: Sequence[tuple[Table, Cell]]) -> Iterator[tuple[str, str]]:
    for heading, names in OUTCOMES.items():
        rows = [
            _cell_row(table, cell) for table, cell in cells if (cell.verdict.would_be or cell.verdict.name) in names
        ]
        bracketed = sum(cell.verdict.name == "not_comparable" for _, cell in cells if _is_in(cell, names))
        text = f"{plural(len(rows), 'cell')}" if rows else "No cell."
        if rows:
            text += f", of which {bracketed} in brackets: not comparable with the paper." if bracketed else "."
            text += f"\n\n{pipe_table(_CELL_HEADING, rows)}"
        yield heading, text


def _is_in(cell: Cell, names: Collection[str]) -> bool:
    return (cell.verdict.would_be or cell.verdict.name) in names


def _cell_row(table: Table, cell: Cell) -> list[str]:
    measured, comparison, published = cell.measured, cell.verdict.comparison, cell.published
    if measured is None or published is None:
        raise ValueError(f"a cell without both values: {cell.coordinates}")
    decimals = 3 if table.unit == "fraction" else 1
    spread = f"±{measured.std:.{decimals}f}" if measured.std is not None else ""
    printed = f"±{published.std:.{decimals}f}" if published.std is not None else ""
    word: str = cell.verdict.name
    difference = "–"
    if comparison:
        word = verdict_words(comparison, decimals)
        difference = f"{comparison.difference:+.{decimals}f}"
        if comparison.low is not None and comparison.high is not None:
            difference += f" ({comparison.low:+.{decimals}f} to {comparison.high:+.{decimals}f})"
    verdict = f"({word}): {'; '.join(cell.verdict.reasons)}" if cell.verdict.name == "not_comparable" else word
    return [
        f"`{cell_id(table.layout, cell.coordinates)}`",
        f"{published.mean:.{decimals}f}{printed}",
        f"{measured.mean:.{decimals}f}{spread}",
        f"{measured.n} {measured.counts}",
        difference,
        escape_markdown(verdict),
    ]


def _spreads(cells: Mapping[str, Sequence[tuple[Table, Cell]]]) -> str:
    """How much AUCs scatter over draws and over trainings on one draw, where runs of a precision tell both apart."""
    rows = sorted(
        [f"`{cell_id(table.layout, cell.coordinates)}`", precision, *_spread_texts(cell.measured)]
        for precision, of_precision in cells.items()
        for table, cell in of_precision
        if cell.measured and len(cell.measured.per_seed) > 1
    )
    if not rows:
        return "No cell has two runs."
    told = sum(row[_SPREAD_HEADING.index("std of draws")] != "–" for row in rows)
    text = (
        "Runs on one draw of labelled anomalies tell what training alone scatters; of "
        f"{plural(len(rows), 'row')} {told or 'none'} {'have' if told > 1 else 'has'} such runs, whose std of draws is "
        "0 where trainings alone explain how far the means are apart. Where each draw has one run, the std of means is "
        "that of draw and training together. The last column is the standard error that the finite test set alone "
        "gives one AUC."
    )
    return f"{text}\n\n{pipe_table(_SPREAD_HEADING, rows)}"


def _spread_texts(measured: Measured) -> list[str]:
    splits, runs = len({seeds.split_seed for seeds in measured.per_seed}), len(measured.per_seed)
    training = _std(measured.training_std)
    if measured.training_std is not None:
        low, high = std_interval(measured.training_std, runs - splits)
        training += f" ({low:.3f} to {high:.3f})"
    others = [_std(std) for std in (measured.draw_std, measured.seed_std, measured.test_std)]
    return [str(splits), str(runs), others[0], training, *others[1:]]


def _std(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _effects(effects: Sequence[DeviationEffect]) -> str:
    if not effects:
        return "No two runs differ in one setting alone."
    text = (
        "Runs on one split with one seed that differ in one setting alone, in pairs. An interval that holds 0 cannot "
        "tell the setting from chance."
    )
    rows = [_effect_row(effect) for effect in effects]
    verdicts = [_precision_sentence(effect) for effect in effects if effect.kind == "precision"]
    return "\n\n".join([text, pipe_table(_EFFECT_HEADING, rows), *verdicts, *_pooled_precisions(effects)])


def _effect_row(effect: DeviationEffect) -> list[str]:
    values = list(effect.differences.values())
    mean = f"{fmean(values):+.3f}"
    if effect.test and effect.test.low is not None and effect.test.high is not None:
        mean += f" ({effect.test.low:+.3f} to {effect.test.high:+.3f})"
    each = ", ".join(f"seed {seeds}: {value:+.3f}" for seeds, value in effect.differences.items())
    texts = [escape_markdown(text) for text in (effect.first, effect.second)]
    return [f"`{effect.cell}`", *texts, str(len(values)), mean, escape_markdown(each)]


def _precision_sentence(effect: DeviationEffect) -> str:
    """Whether a precision may stand for another in a cell."""
    test, head = effect.test, f"{effect.second} against {effect.first} in `{effect.cell}`"
    pairs = plural(len(effect.differences), "pair")
    if test is None or test.low is None or test.high is None:
        return f"{head}: {pairs} cannot tell."
    if max(abs(test.low), abs(test.high)) <= PRECISION_BOUND:
        return f"{head}: equal within {PRECISION_BOUND} in AUC, by {pairs}."
    if test.low > PRECISION_BOUND or test.high < -PRECISION_BOUND:
        return f"{head}: apart by more than {PRECISION_BOUND} in AUC, by {pairs}."
    return f"{head}: {pairs} cannot tell whether they are equal within {PRECISION_BOUND} in AUC."


def precision_differences(effects: Iterable[DeviationEffect]) -> dict[tuple[str, str], list[float]]:
    """AUC in a second precision minus that in a first, by the two, in all cells."""
    pooled: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for effect in effects:
        if effect.kind == "precision":
            pooled[effect.first, effect.second] += effect.differences.values()
    return dict(pooled)


def _pooled_precisions(effects: Iterable[DeviationEffect]) -> Iterator[str]:
    """Whether the means of two precisions are equal over all cells, where there are two pairs or more."""
    for (first, second), differences in precision_differences(effects).items():
        if len(differences) > 1:
            test = seeds_test(differences)
            interval = "" if test.low is None or test.high is None else f" ({test.low:+.3f} to {test.high:+.3f})"
            word = "within" if abs(test.difference) <= PRECISION_BOUND else "not within"
            yield (
                f"{second} against {first}, all {len(differences)} pairs of all cells: mean difference "
                f"{test.difference:+.3f}{interval}, {word} {PRECISION_BOUND}. Runs that name no precision compute in "
                f"{DEFAULT_PRECISION}."
            )


def _open_runs(queue: RunQueue, records: Sequence[Record]) -> str:
    """The runs of suites that no record has, each where it is first asked for.

    Hours are the mean time of finished fits of the same method and recipe, else those that are estimated.
    """
    listed: set[object] = set()
    done = {_place(record) for record in records if record.metrics}
    seconds = defaultdict(list)
    for record in records:
        if record.metrics and "fit_s" in record.timings:
            seconds[record.spec.method, record.spec.recipe].append(record.timings["fit_s"])
    rows = []
    for suite in queue.suites:
        runs = expand_suite(suite, Selection(), without_anomalies=(), classes={})
        for method in suite.methods:
            places = {_wanted_place(run, suite) for run in runs if run.method == method} - listed
            listed |= places
            if places:
                times = seconds[method, suite.recipe]
                hours = fmean(times) / 3600 if times else queue.hours.get(method)
                said = "not measured" if hours is None else _hours(hours)
                missing = len(places - done)
                rows.append(
                    [
                        escape_markdown(suite.title),
                        method,
                        str(len(places) - missing),
                        str(missing),
                        said if times or hours is None else f"{said} (estimated)",
                        "–" if hours is None else _hours(missing * hours),
                    ]
                )
    if not rows:
        return "No suite is being run."
    text = (
        "Runs at full budget of the project's own suites, the most informative first; a run that several suites have "
        "stands in the first. Hours are the mean of what finished fits of the method took, on the machines that made "
        "them, other work beside them included; estimated ones are from a few steps on one machine."
    )
    return f"{text}\n\n{pipe_table(_OPEN_HEADING, rows)}"


def _made_runs(queue: RunQueue, records: Sequence[Record]) -> str:
    """The runs of the suites that there are, by processor and numerics class."""
    wanted = {
        _wanted_place(run, suite)
        for suite in queue.suites
        for run in expand_suite(suite, Selection(), without_anomalies=(), classes={})
    }
    by_machine = defaultdict(list)
    for record in records:
        made_by = record.provenance
        if record.metrics and made_by and _place(record) in wanted:
            machine = escape_markdown(made_by.cpu), f"`{made_by.numerics_class}`"
            by_machine[machine].append(_made_row(record, record.metrics.auroc, made_by))
    blocks = []
    for (cpu, numerics_class), rows in sorted(by_machine.items()):
        head = f"{cpu}, numerics class {numerics_class}, {plural(len(rows), 'run')}:"
        blocks.append(f"{head}\n\n{pipe_table(_MADE_HEADING, sorted(rows))}")
    return "\n\n".join(blocks) or "No run."


def _made_row(record: Record, auc: float, made_by: Provenance) -> list[str]:
    spec = record.spec
    hours = f"{record.timings['fit_s'] / 3600:.2f}" if "fit_s" in record.timings else "–"
    code = f"commit {made_by.git_commit[:7]}" if made_by.git_commit else f"digest {made_by.code_digest[:8]}"
    return [f"`{spec.name}`", spec.recipe, spec.fit.precision, f"{auc:.3f}", hours, made_by.started[:10], code]


def _hours(number: float) -> str:
    """Two digits of what is less than ten hours."""
    return f"{number:.0f}" if number >= 10 or not number else f"{number:.1f}" if number >= 0.1 else f"{number:.2f}"


def _wanted_place(run: WantedRun, suite: Suite) -> _Place:
    at = (suite.rule, run.method, run.dataset, *run.coordinate_texts.values(), run.split_seed, run.seed)
    return at, suite.recipe


def _place(record: Record) -> _Place:
    spec = record.spec
    texts = spec.split.coordinate_texts.values()
    at = (spec.split.rule, spec.method, spec.split.dataset, *texts, spec.split_seed, spec.fit.seed)
    return at, spec.recipe
