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
from reports.stats.paired import LEAST_DATASETS, PairedTest
from reports.stats.thresholds import PAIRED_ALPHA
from reports.tables.measured import CellValue, Measured
from reports.tables.page import PageNotes
from reports.text import csv_text, escape_markdown, pipe_table
from results.record import Record

COMPARISON_FORMATS = ("md", "csv", "json")
TEST_COLUMNS = ("difference", "low", "high", "p", "p_holm", "no_test")
PAIR_COLUMNS = (
    "protocol", "dataset", *COORDINATE_FIELDS, "split_seed", "seed",
    "method_a", "method_b", "recipe_a", "recipe_b", "{0}_a", "{0}_b", *TEST_COLUMNS, "key_a", "key_b",
)  # fmt: skip
FOLDER_COLUMNS = ("run", "result", "{0}_a", "{0}_b", "largest", *TEST_COLUMNS, "notes", "key_a", "key_b")
"""Where `{0}` stands for `auc`, or for the id of another metric."""
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


def render_comparison(found: MethodComparison | FolderComparison, form: str) -> str:
    """A comparison in one of `FORMATS`.

    Raises:
        ReportError: there is no such format.
    """
    if form not in COMPARISON_FORMATS:
        raise ReportError(f"no format {form!r}: {near_miss(form, COMPARISON_FORMATS)}")
    if form == "csv":
        return csv_text(_pair_lines(found) if isinstance(found, MethodComparison) else _folder_lines(found))
    if form == "json":
        content = _json(found) if isinstance(found, MethodComparison) else _folder_json(found)
        return printable_json(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)) + "\n"
    parts = _page(found) if isinstance(found, MethodComparison) else _folder_page(found)
    return "\n\n".join(parts) + "\n"


def _page(found: MethodComparison) -> Iterator[str]:
    a, b = escape_markdown(found.a), escape_markdown(found.b)
    metric, notes = found.value.metric, PageNotes()
    pairs = sum(len(setting.pairs) for setting in found.settings)
    yield f"# {a} against {b}"
    lower = "Lower is better. " if metric.better == "lower" else ""
    yield (
        f"{metric.heading} of {a} minus {metric.title} of {b} on the same test images, {plural(pairs, 'pair')} of "
        f"runs. {lower}95 % intervals, two-sided p, Holm over the rows of each table."
    )
    yield (
        f"{a}: {_tally(found.tally)} over {plural(len(found.settings), 'setting')}; at {PAIRED_ALPHA} after Holm "
        f"{_held(found.held)}."
    )
    heading = [*_PLACE_HEADING, "Seeds", a, b, *_TEST_HEADING, "PageNotes"]
    yield _table(heading, [_setting_row(setting, notes) for setting in found.settings])
    yield "## Over datasets"
    heading = ["Protocol", *_LABELS, "Datasets", "Settings", a, b, "Difference", "Wins/draws/losses"]
    yield _table([*heading, "Wilcoxon p", "Holm p"], [_family_row(family) for family in found.families])
    used = {setting.test.test for setting in found.settings}
    if pairs > len(found.settings):
        used.add("DeLong")
        yield "## Runs"
        heading = [*_PLACE_HEADING, "Seed", a, b, *_TEST_HEADING]
        yield _table(heading, [_pair_row(found, setting, pair) for setting in found.settings for pair in setting.pairs])
    yield "## How to read it"
    used -= set() if found.value.is_auroc else {"DeLong"}
    legend = [text for name, text in (("t", T_TEST), ("DeLong", DELONG)) if name in used]
    yield _bullets([*legend, DATASETS])
    if notes.texts:
        yield "## Notes"
        yield _bullets([f"[{number}] {escape_markdown(text)}" for number, text in enumerate(notes.texts, 1)])
    if found.unpaired:
        yield "## Runs without a partner"
        yield _bullets([escape_markdown(f"{len(one.runs)} of {one.method}: {one.reason}") for one in found.unpaired])


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


def _pair_row(found: MethodComparison, setting: Setting, pair: MethodPair) -> list[str]:
    numbers = [_short(found.value.of(record)) for record in (pair.a, pair.b)]
    return [*_place(setting), str(pair.run), *numbers, *_test(pair.test)]


def _json_family(family: Family) -> dict[str, Any]:
    flat = asdict(family)
    return {"rule": flat.pop("rule"), **flat.pop("labels"), **flat, "tally": family.tally._asdict()}


def _family_row(family: Family) -> list[str]:
    test = family.test
    labels = (str(value or "") for value in family.labels.values())
    own = (family.rule, *labels, str(len(family.datasets)), str(family.settings))
    means = (f"{family.mean_a:.4f}", f"{family.mean_b:.4f}", f"{test.difference:+z.4f}")
    return [*map(escape_markdown, own), *means, "/".join(map(str, family.tally)), _p(test.p_value), _p(test.p_holm)]


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
    if value is None:
        return _DASH
    return f"{value:.4f}" if value >= 0.00005 else "<0.0001"


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table without the columns in which nothing stands."""
    kept = [at for at in range(len(heading)) if any(row[at] for row in rows)]
    return pipe_table([heading[at] for at in kept], [[row[at] for at in kept] for row in rows])


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _tally(found: Tally) -> str:
    return f"{plural(found.wins, 'win')}, {plural(found.draws, 'draw')} and {plural(found.losses, 'loss', 'losses')}"


def _held(found: Tally) -> str:
    if not found.wins and not found.losses:
        return "none of them is left"
    return f"{plural(found.wins, 'win')} and {plural(found.losses, 'loss', 'losses')} are left"


def _pair_lines(found: MethodComparison) -> Iterator[Sequence[str]]:
    yield [name.format(_column(found.value)) for name in PAIR_COLUMNS]
    for setting in found.settings:
        split = setting.split
        place = [split.rule, split.dataset, *split.coordinate_texts.values()]
        for pair in setting.pairs:
            runs = (pair.a, pair.b)
            yield [
                *place,
                *map(str, pair.run),
                found.a,
                found.b,
                *(run.spec.recipe for run in runs),
                *(_full(found.value.of(run)) for run in runs),
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


def _json(found: MethodComparison) -> dict[str, Any]:
    return {
        "a": found.a,
        "b": found.b,
        "alpha": PAIRED_ALPHA,
        "tally": found.tally._asdict(),
        "tally_after_holm": found.held._asdict(),
        "settings": [_json_setting(setting, found.value) for setting in found.settings],
        "families": [_json_family(family) for family in found.families],
        "unpaired": [asdict(one) for one in found.unpaired],
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


def _folder_page(found: FolderComparison) -> Iterator[str]:
    a, b = escape_markdown(found.a), escape_markdown(found.b)
    yield f"# {a} against {b}"
    yield f"A is {a} ({plural(found.counts[0], 'run')}), B is {b} ({plural(found.counts[1], 'run')})."
    yield _bullets(list(_folder_counts(found)))
    unequal = [twin for twin in found.twins if twin.state != "equal"]
    if unequal:
        yield "## One key, not known to be equal"
        heading = ["Run", "A", "B", "Difference", "Largest difference of a score", "What is known"]
        yield _table(heading, [_twin_row(found, twin) for twin in unequal])
    if found.changed:
        notes = PageNotes()
        rows = [_changed_row(found, one, notes) for one in found.changed]
        metric = found.values[0].metric
        difference = f"{metric.heading} of A minus {metric.title} of B"
        yield "## One place, two keys"
        yield f"{difference}, DeLong's test of the same test images, Holm over the rows."
        yield _table(["Run in A", "Run in B", "A", "B", *_TEST_HEADING[:-1], "What differs"], rows)
        yield "What differs:"
        yield _bullets([f"[{number}] {escape_markdown(text)}" for number, text in enumerate(notes.texts, 1)])


def _folder_counts(found: FolderComparison) -> Iterator[str]:
    states = [f"{found.count(state)} {text}" for state, text in STATES.items() if found.count(state)]  # type: ignore[arg-type]
    yield f"{plural(len(found.twins), 'run')} of one key in both" + (f": {', '.join(states)}" if states else "")
    yield f"{plural(len(found.changed), 'run')} of one place under two keys"
    for name, runs in (("A", found.only_a), ("B", found.only_b)):
        names = [escape_markdown(run.spec.name) for run in runs]
        more = f" and {len(names) - _NAMED_RUNS} more" if len(names) > _NAMED_RUNS else ""
        yield f"{plural(len(runs), 'run')} only in {name}" + (
            f": {', '.join(names[:_NAMED_RUNS])}{more}" if names else ""
        )


def _twin_row(found: FolderComparison, twin: Twin) -> list[str]:
    first, second = _both(found, twin.a, twin.b)
    difference = _DASH if first is None or second is None else f"{first - second:+z.4f}"
    largest = _DASH if twin.largest is None else f"{twin.largest:.2g}"
    known = escape_markdown("; ".join(twin.notes))
    return [escape_markdown(twin.a.spec.name), _short(first), _short(second), difference, largest, known]


def _both(found: FolderComparison, a: Record | None, b: Record | None) -> list[float | None]:
    """The number of a run of each folder."""
    return [value.of(record) if record else None for value, record in zip(found.values, (a, b), strict=True)]


def _changed_row(found: FolderComparison, one: ChangedRun, notes: PageNotes) -> list[str]:
    untested = [f"DeLong: {one.test.reason}"] if one.test and one.test.reason else []
    numbers = map(str, sorted(notes.number(text) for text in [*one.why, *untested]))
    names = [escape_markdown(record.spec.name) for record in (one.a, one.b)]
    return [*names, *map(_short, _both(found, one.a, one.b)), *_test(one.test)[:-1], f"[{','.join(numbers)}]"]


def _folder_lines(found: FolderComparison) -> Iterator[Sequence[str]]:
    yield [name.format(_column(found.values[0])) for name in FOLDER_COLUMNS]
    for twin in found.twins:
        yield _folder_line(found, (twin.a, twin.b), twin.state, _full(twin.largest), None, twin.notes)
    for one in found.changed:
        yield _folder_line(found, (one.a, one.b), "other_key", "", one.test, one.why)
    for record in found.only_a:
        yield _folder_line(found, (record, None), "only_a", "", None, ())
    for record in found.only_b:
        yield _folder_line(found, (None, record), "only_b", "", None, ())


def _folder_line(
    found: FolderComparison,
    sides: tuple[Record | None, Record | None],
    result: str,
    largest: str,
    test: PairedTest | None,
    notes: Sequence[str],
) -> list[str]:
    name = next(record.spec.name for record in sides if record)
    numbers = map(_full, _both(found, *sides))
    keys = [record.key if record else "" for record in sides]
    return [name, result, *numbers, largest, *_test_fields(test), "; ".join(notes), *keys]


def _folder_json(found: FolderComparison) -> dict[str, Any]:
    def sides(a: Record, b: Record) -> dict[str, Any]:
        column, numbers = _column(found.values[0]), _both(found, a, b)
        return {
            "run_a": a.spec.name,
            "run_b": b.spec.name,
            "key_a": a.key,
            "key_b": b.key,
            f"{column}_a": numbers[0],
            f"{column}_b": numbers[1],
        }

    return {
        "a": found.a,
        "b": found.b,
        "runs_a": found.counts[0],
        "runs_b": found.counts[1],
        "same_key": [
            {**sides(one.a, one.b), "result": one.state, "largest": one.largest, "notes": list(one.notes)}
            for one in found.twins
        ],
        "other_key": [
            {**sides(one.a, one.b), "differs": list(one.why), "test": asdict(one.test) if one.test else None}
            for one in found.changed
        ],
        "only_a": [record.spec.name for record in found.only_a],
        "only_b": [record.spec.name for record in found.only_b],
    }
