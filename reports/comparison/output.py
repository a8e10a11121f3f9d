"""A comparison as text: Markdown for people, CSV with one line a run, JSON with everything. LF line ends."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from protocols.coordinates import COORDINATE_FIELDS
from protocols.text import near_miss, plural, printable_json
from reports.comparison.folders import ChangedRun, FolderComparison, Twin
from reports.comparison.methods import Family, MethodComparison, MethodPair, Setting, Tally
from reports.errors import ReportError
from reports.pages.page import PageNotes
from reports.pages.sentences import p_text
from reports.stats.paired import LEAST_DATASETS, PairedTest
from reports.stats.thresholds import PAIRED_ALPHA
from reports.tables.measured import CellValue, Measured
from reports.text import csv_text, escape_markdown, pipe_table
from results.record import Record

COMPARISON_FORMATS = ("md", "csv", "json")
TEST_COLUMNS = ("difference", "low", "high", "p", "p_holm", "no_test")
PAIR_COLUMNS = (
    "protocol", "dataset", *COORDINATE_FIELDS, "split_seed", "seed",
    "method_a", "method_b", "recipe_a", "recipe_b", "{0}_a", "{0}_b", *TEST_COLUMNS, "key_a", "key_b",
)  # fmt: skip
FOLDER_COLUMNS = ("run", "result", "{0}_a", "{0}_b", "largest", *TEST_COLUMNS, "notes", "key_a", "key_b")
"""Columns of a folder comparison, in which `{0}` stands for `auc`, or for the id of another metric."""
_NAMED_RUNS = 3
_DASH = "–"

T_TEST = (
    "t: paired t test over the seeds, so over trainings and draws of labelled anomalies. Seeds may share test images, "
    "none, some or all."
)
DELONG = "DeLong: two AUCs of one pair of runs, over the choice of test images; it knows nothing of other trainings."
DATASETS = (
    "Wilcoxon: signed-rank test over datasets, each the mean of its settings (Demsar 2006); where fewer than "
    f"{LEAST_DATASETS} datasets differ it cannot tell."
)
STATES = {
    "equal": "equal bit for bit",
    "differs": "not equal",
    "unscored": "of equal AUC with scores gone",
    "failed": "failed",
}


def render_comparison(comparison: MethodComparison | FolderComparison, form: str) -> str:
    """A comparison in one of `FORMATS`.

    Raises:
        ReportError: there is no such format.
    """
    if form not in COMPARISON_FORMATS:
        raise ReportError(f"no format {form!r}: {near_miss(form, COMPARISON_FORMATS)}")
    if form == "csv":
        return csv_text(
            _pair_lines(comparison) if isinstance(comparison, MethodComparison) else _folder_lines(comparison)
        )
    if form == "json":
        content = _json(comparison) if isinstance(comparison, MethodComparison) else _folder_json(comparison)
        return printable_json(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)) + "\n"
    parts = _page(comparison) if isinstance(comparison, MethodComparison) else _folder_page(comparison)
    return "\n\n".join(parts) + "\n"


def _page(comparison: MethodComparison) -> Iterator[str]:
    a, b = escape_markdown(comparison.a), escape_markdown(comparison.b)
    metric, notes = comparison.value.metric, PageNotes()
    pairs = sum(len(setting.pairs) for setting in comparison.settings)
    yield f"# {a} against {b}"
    lower = "Lower is better. " if metric.better == "lower" else ""
    yield (
        f"{metric.heading} of {a} minus {metric.title} of {b} on the same test images, {plural(pairs, 'pair')} of "
        f"runs. {lower}95 % intervals, two-sided p, Holm over the rows of each table."
    )
    yield (
        f"{a}: {_tally(comparison.tally)} over {plural(len(comparison.settings), 'setting')}; at {PAIRED_ALPHA} after "
        f"Holm {_held(comparison.held)}."
    )
    heading = [*_PLACE_HEADING, "Seeds", a, b, *_TEST_HEADING, "Notes"]
    yield _table(heading, [_setting_row(setting, notes) for setting in comparison.settings])
    yield "## Over datasets"
    heading = ["Protocol", *_LABELS, "Datasets", "Settings", a, b, "Difference", "Wins/draws/losses"]
    yield _table([*heading, "Wilcoxon p", "Holm p"], [_family_row(family) for family in comparison.families])
    used = {setting.test.test for setting in comparison.settings}
    if pairs > len(comparison.settings):
        used.add("DeLong")
        yield "## Runs"
        heading = [*_PLACE_HEADING, "Seed", a, b, *_TEST_HEADING]
        yield _table(
            heading, [_pair_row(comparison, setting, pair) for setting in comparison.settings for pair in setting.pairs]
        )
    yield "## How to read it"
    used -= set() if comparison.value.is_auroc else {"DeLong"}
    legend = [text for name, text in (("t", T_TEST), ("DeLong", DELONG)) if name in used]
    yield _bullets([*legend, DATASETS])
    if notes.texts:
        yield "## Notes"
        yield _bullets([f"[{number}] {escape_markdown(text)}" for number, text in enumerate(notes.texts, 1)])
    if comparison.unpaired:
        yield "## Runs without a partner"
        yield _bullets(
            [escape_markdown(f"{len(group.runs)} of {group.method}: {group.reason}") for group in comparison.unpaired]
        )


_TEST_HEADING = ("Difference", "95 % interval", "p", "Holm p", "Test")
_LABELS = tuple(name.capitalize() for name, field in COORDINATE_FIELDS.items() if field.role == "labels")
_PLACE_HEADING = ("Protocol", "Dataset", "Source", "Class", *_LABELS)


def _setting_row(setting: Setting, notes: PageNotes) -> list[str]:
    numbers = map(str, sorted(notes.number(text) for text in setting.notes))
    runs = [pair.run for pair in setting.pairs]
    seeds = ", ".join(map(str, runs)) if len(runs) <= _NAMED_RUNS else f"{len(runs)} seeds"
    return [
        *_place(setting),
        seeds,
        _mean(setting.a),
        _mean(setting.b),
        *_test(setting.test),
        f"[{','.join(numbers)}]",
    ]


def _pair_row(comparison: MethodComparison, setting: Setting, pair: MethodPair) -> list[str]:
    numbers = [_short(comparison.value.of(record)) for record in (pair.a, pair.b)]
    return [*_place(setting), str(pair.run), *numbers, *_test(pair.test)]


def _json_family(family: Family) -> dict[str, Any]:
    flat = asdict(family)
    return {"rule": flat.pop("rule"), **flat.pop("labels"), **flat, "tally": family.tally._asdict()}


def _family_row(family: Family) -> list[str]:
    test = family.test
    labels = (str(value or "") for value in family.labels.values())
    texts = (family.rule, *labels, str(len(family.datasets)), str(family.settings))
    means = (f"{family.mean_a:.4f}", f"{family.mean_b:.4f}", f"{test.difference:+z.4f}")
    return [*map(escape_markdown, texts), *means, "/".join(map(str, family.tally)), _p(test.p_value), _p(test.p_holm)]


def _place(setting: Setting) -> list[str]:
    split = setting.split
    part = next((value for name, value in split.subset.items() if value and name != "source_dataset"), None)
    values = (split.rule, split.dataset, split.source_dataset, part, *split.labels.values())
    return ["" if value is None else escape_markdown(str(value)) for value in values]


def _mean(measured: Measured) -> str:
    return f"{measured.mean:.4f}" if measured.std is None else f"{measured.mean:.4f}±{measured.std:.4f}"


def _short(value: float | None) -> str:
    return _DASH if value is None else f"{value:.4f}"


def _column(value: CellValue) -> str:
    """The name of a number in CSV and JSON."""
    return "auc" if value.is_auroc else value.metric.id


def _test(test: PairedTest | None) -> list[str]:
    """The columns of `_TEST_HEADING`."""
    if test is None:
        return [_DASH] * len(_TEST_HEADING)
    interval = _DASH if test.low is None or test.high is None else f"{test.low:+z.4f} to {test.high:+z.4f}"
    name = _DASH if test.p_value is None else test.test
    return [f"{test.difference:+z.4f}", interval, _p(test.p_value), _p(test.p_holm), name]


def _p(value: float | None) -> str:
    return _DASH if value is None else p_text(value)


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table without the columns in which nothing stands."""
    columns = [at for at in range(len(heading)) if any(row[at] for row in rows)]
    return pipe_table([heading[at] for at in columns], [[row[at] for at in columns] for row in rows])


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _tally(tally: Tally) -> str:
    return f"{plural(tally.wins, 'win')}, {plural(tally.draws, 'draw')} and {plural(tally.losses, 'loss', 'losses')}"


def _held(tally: Tally) -> str:
    if not tally.wins and not tally.losses:
        return "none of them is left"
    return f"{plural(tally.wins, 'win')} and {plural(tally.losses, 'loss', 'losses')} are left"


def _pair_lines(comparison: MethodComparison) -> Iterator[Sequence[str]]:
    yield [name.format(_column(comparison.value)) for name in PAIR_COLUMNS]
    for setting in comparison.settings:
        split = setting.split
        coordinates = [split.rule, split.dataset, *split.coordinate_texts.values()]
        for pair in setting.pairs:
            runs = (pair.a, pair.b)
            yield [
                *coordinates,
                *map(str, pair.run),
                comparison.a,
                comparison.b,
                *(run.spec.recipe for run in runs),
                *(_full(comparison.value.of(run)) for run in runs),
                *_test_fields(pair.test),
                *(run.key for run in runs),
            ]


def _full(value: float | None) -> str:
    return "" if value is None else repr(value)


def _test_fields(test: PairedTest | None) -> list[str]:
    """The columns of `TEST_COLUMNS`."""
    if test is None:
        return [""] * len(TEST_COLUMNS)
    numbers = (test.difference, test.low, test.high, test.p_value, test.p_holm)
    return [*map(_full, numbers), test.reason]


def _json(comparison: MethodComparison) -> dict[str, Any]:
    return {
        "a": comparison.a,
        "b": comparison.b,
        "alpha": PAIRED_ALPHA,
        "tally": comparison.tally._asdict(),
        "tally_after_holm": comparison.held._asdict(),
        "settings": [_json_setting(setting, comparison.value) for setting in comparison.settings],
        "families": [_json_family(family) for family in comparison.families],
        "unpaired": [asdict(runs) for runs in comparison.unpaired],
    }


def _json_setting(setting: Setting, value: CellValue) -> dict[str, Any]:
    import msgspec

    return {
        "split": msgspec.to_builtins(setting.split),
        "mean_a": setting.a.mean,
        "mean_b": setting.b.mean,
        "std_a": setting.a.std,
        "std_b": setting.b.std,
        "test": asdict(setting.test),
        "notes": list(setting.notes),
        "runs": [
            {
                **pair.run._asdict(),
                f"{_column(value)}_a": value.of(pair.a),
                f"{_column(value)}_b": value.of(pair.b),
                "key_a": pair.a.key,
                "key_b": pair.b.key,
                "test": asdict(pair.test),
            }
            for pair in setting.pairs
        ],
    }


def _folder_page(comparison: FolderComparison) -> Iterator[str]:
    a, b = escape_markdown(comparison.a), escape_markdown(comparison.b)
    yield f"# {a} against {b}"
    yield f"A is {a} ({plural(comparison.counts[0], 'run')}), B is {b} ({plural(comparison.counts[1], 'run')})."
    yield _bullets(list(_folder_counts(comparison)))
    unequal = [twin for twin in comparison.twins if twin.state != "equal"]
    if unequal:
        yield "## One key, not known to be equal"
        heading = ["Run", "A", "B", "Difference", "Largest difference of a score", "What is known"]
        yield _table(heading, [_twin_row(comparison, twin) for twin in unequal])
    if comparison.changed:
        notes = PageNotes()
        rows = [_changed_row(comparison, run, notes) for run in comparison.changed]
        metric = comparison.values[0].metric
        difference = f"{metric.heading} of A minus {metric.title} of B"
        yield "## One place, two keys"
        yield f"{difference}, DeLong's test of the same test images, Holm over the rows."
        yield _table(["Run in A", "Run in B", "A", "B", *_TEST_HEADING[:-1], "What differs"], rows)
        yield "What differs:"
        yield _bullets([f"[{number}] {escape_markdown(text)}" for number, text in enumerate(notes.texts, 1)])


def _folder_counts(comparison: FolderComparison) -> Iterator[str]:
    states = [f"{comparison.count(state)} {text}" for state, text in STATES.items() if comparison.count(state)]  # type: ignore[arg-type]
    yield f"{plural(len(comparison.twins), 'run')} of one key in both" + (f": {', '.join(states)}" if states else "")
    yield f"{plural(len(comparison.changed), 'run')} of one place under two keys"
    for name, runs in (("A", comparison.only_a), ("B", comparison.only_b)):
        names = [escape_markdown(run.spec.name) for run in runs]
        more = f" and {len(names) - _NAMED_RUNS} more" if len(names) > _NAMED_RUNS else ""
        yield f"{plural(len(runs), 'run')} only in {name}" + (
            f": {', '.join(names[:_NAMED_RUNS])}{more}" if names else ""
        )


def _twin_row(comparison: FolderComparison, twin: Twin) -> list[str]:
    first, second = _both(comparison, twin.a, twin.b)
    difference = _DASH if first is None or second is None else f"{first - second:+z.4f}"
    largest = _DASH if twin.largest is None else f"{twin.largest:.2g}"
    notes = escape_markdown("; ".join(twin.notes))
    return [escape_markdown(twin.a.spec.name), _short(first), _short(second), difference, largest, notes]


def _both(comparison: FolderComparison, a: Record | None, b: Record | None) -> list[float | None]:
    """The number of a run of each folder."""
    return [value.of(record) if record else None for value, record in zip(comparison.values, (a, b), strict=True)]


def _changed_row(comparison: FolderComparison, run: ChangedRun, notes: PageNotes) -> list[str]:
    untested = [f"DeLong: {run.test.reason}"] if run.test and run.test.reason else []
    numbers = map(str, sorted(notes.number(text) for text in [*run.why, *untested]))
    names = [escape_markdown(record.spec.name) for record in (run.a, run.b)]
    return [*names, *map(_short, _both(comparison, run.a, run.b)), *_test(run.test)[:-1], f"[{','.join(numbers)}]"]


def _folder_lines(comparison: FolderComparison) -> Iterator[Sequence[str]]:
    yield [name.format(_column(comparison.values[0])) for name in FOLDER_COLUMNS]
    for twin in comparison.twins:
        yield _folder_line(comparison, (twin.a, twin.b), twin.state, _full(twin.largest), None, twin.notes)
    for run in comparison.changed:
        yield _folder_line(comparison, (run.a, run.b), "other_key", "", run.test, run.why)
    for record in comparison.only_a:
        yield _folder_line(comparison, (record, None), "only_a", "", None, ())
    for record in comparison.only_b:
        yield _folder_line(comparison, (None, record), "only_b", "", None, ())


def _folder_line(
    comparison: FolderComparison,
    sides: tuple[Record | None, Record | None],
    result: str,
    largest: str,
    test: PairedTest | None,
    notes: Sequence[str],
) -> list[str]:
    name = next(record.spec.name for record in sides if record)
    numbers = map(_full, _both(comparison, *sides))
    keys = [record.key if record else "" for record in sides]
    return [name, result, *numbers, largest, *_test_fields(test), "; ".join(notes), *keys]


def _folder_json(comparison: FolderComparison) -> dict[str, Any]:
    def sides(a: Record, b: Record) -> dict[str, Any]:
        column, numbers = _column(comparison.values[0]), _both(comparison, a, b)
        return {
            "run_a": a.spec.name,
            "run_b": b.spec.name,
            "key_a": a.key,
            "key_b": b.key,
            f"{column}_a": numbers[0],
            f"{column}_b": numbers[1],
        }

    return {
        "a": comparison.a,
        "b": comparison.b,
        "runs_a": comparison.counts[0],
        "runs_b": comparison.counts[1],
        "same_key": [
            {**sides(twin.a, twin.b), "result": twin.state, "largest": twin.largest, "notes": list(twin.notes)}
            for twin in comparison.twins
        ],
        "other_key": [
            {**sides(run.a, run.b), "differs": list(run.why), "test": asdict(run.test) if run.test else None}
            for run in comparison.changed
        ],
        "only_a": [record.spec.name for record in comparison.only_a],
        "only_b": [record.spec.name for record in comparison.only_b],
    }
