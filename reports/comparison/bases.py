"""Methods whose fit starts from a base's: what they gain on it, on the very fits that they started from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

from protocols.text import plural
from reports.comparison.pairing import ScoresOf, paired_scores
from reports.stats.paired import PairedTest, seeds_test
from reports.tables.lookup import latest_records
from reports.tables.measured import CellValue, RunSeeds
from reports.tables.table import Table
from results.record import Record
from results.spec import canonical

Differences = Mapping[RunSeeds, tuple[Record, Record]]


@dataclass(frozen=True, slots=True)
class BaseGain:
    """Mean of a method's values minus those of its base fits, over `cells` settings at `seeds` seeds that all have.

    `labels` are the coordinates that say how many labelled anomalies both have. `test` has the difference; with one
    seed its interval is DeLong's for a single setting, and there is none for several. `unpaired` counts runs whose base
    fit was not scored on their test images.
    """

    method: str
    base: str
    labels: Mapping[str, str]
    test: PairedTest | None
    seeds: int
    cells: int
    unpaired: int


def base_gains(table: Table, records: Iterable[Record], scores: ScoresOf) -> list[BaseGain]:
    """The gains of the methods in a table that have a base, from the runs that it shows.

    A pair is a run and the run of the fit that it starts from, on one test list. The mean is over the settings at each
    seed, then over seeds; its interval is that of the paired t test over seeds.
    """
    latest = list(latest_records(records))
    partners = {(record.fit_key, record.spec.test): record for record in latest if _has_value(record, table.value)}
    groups: dict[tuple[object, ...], list[Record]] = {}
    for column, record in _shown_runs(table, latest):
        groups.setdefault((column, *record.spec.split.labels.items()), []).append(record)
    return [_gain(str(key[0]), group, partners, table.value, scores) for key, group in groups.items()]


def base_remarks(table: Table, records: Iterable[Record], scores: ScoresOf) -> list[str]:
    """One sentence for each gain: its mean, 95 % interval and n, or what is missing."""
    return [_sentence(table, gain) for gain in base_gains(table, records, scores)]


def _shown_runs(table: Table, records: Iterable[Record]) -> Iterator[tuple[str, Record]]:
    """The runs with a base behind the measured cells, each with the method of its column."""
    columns = {
        series: cell.coordinates.get("method", "")
        for cell in table.cells
        if cell.measured
        for series in cell.measured.series
    }
    for record in records:
        spec = record.spec
        if record.series in columns and spec.source and not spec.is_fine_tuned and _has_value(record, table.value):
            yield columns[record.series] or spec.method, record


def _has_value(record: Record, value: CellValue) -> bool:
    return record.status == "done" and value.of(record) is not None


def _gain(
    method: str,
    runs: list[Record],
    partners: Mapping[tuple[str, str], Record],
    value: CellValue,
    scores: ScoresOf,
) -> BaseGain:
    pairs: dict[bytes, dict[RunSeeds, tuple[Record, Record]]] = {}
    unpaired = 0
    for run in runs:
        partner = partners.get((run.spec.fit.source or "", run.spec.test))
        if partner is None:
            unpaired += 1
        else:
            seeds = RunSeeds(run.spec.split_seed, run.spec.fit.seed)
            pairs.setdefault(canonical([run.spec.split, run.series]), {})[seeds] = (run, partner)
    base = runs[0].spec.source.detector if runs[0].spec.source else ""
    shared = sorted(set.intersection(*map(set, pairs.values()))) if pairs else []
    labels = {name: str(number) for name, number in runs[0].spec.split.labels.items() if number is not None}
    test = _test([*pairs.values()], shared, value, scores, (method, base))
    return BaseGain(method, base, labels, test, len(shared), len(pairs), unpaired)


def _test(
    settings: list[Differences],
    seeds: list[RunSeeds],
    value: CellValue,
    scores: ScoresOf,
    names: tuple[str, str],
) -> PairedTest | None:
    differences = [
        fmean(value.number(a) - value.number(b) for a, b in (setting[run] for setting in settings)) for run in seeds
    ]
    if len(differences) > 1:
        return seeds_test(differences)
    if not differences:
        return None
    if len(settings) == 1:
        first, second = settings[0][seeds[0]]
        return paired_scores(first, second, (scores, scores), names, (value, value))
    return PairedTest("t", differences[0], reason="one seed")


def _sentence(table: Table, gain: BaseGain) -> str:
    budget = "".join(f", {table.label(name, number)}" for name, number in gain.labels.items())
    subject = f"{table.label('method', gain.method)} minus {table.label('method', gain.base)}, its base{budget}"
    lacking = f"{plural(gain.unpaired, 'run')} of it without a scored base fit" if gain.unpaired else ""
    if gain.test is None:
        reason = lacking or "no seed that all cells have"
        return f"{subject}: not known, {reason}; the command that made its runs with --method {gain.base} scores it"
    decimals = table.layout.paper.decimals + 1
    factor = table.value.factor(table.layout.scale)
    parts = [f"{subject}, on the same splits: {factor * gain.test.difference:+.{decimals}f}"]
    if gain.test.low is not None and gain.test.high is not None:
        low, high = (f"{factor * bound:+.{decimals}f}" for bound in (gain.test.low, gain.test.high))
        kind = "over seeds" if gain.test.test == "t" else "DeLong's, over images"
        parts.append(f"95 % interval {low} to {high} ({kind})")
    parts.append(f"n = {gain.seeds}")
    parts += [f"mean over {gain.cells} cells"] if gain.cells > 1 else []
    return ", ".join([*parts, *([lacking] if lacking else [])])
