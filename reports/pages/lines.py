"""Lines of a table as CSV has them, the names of its columns first: for files, and for the script of a page."""

from collections.abc import Iterator

from reports.layouts.published import CellCoordinates
from reports.pages.page import measured_texts
from reports.tables.groups import table_places
from reports.tables.judging import Baseline
from reports.tables.sources import PublishedSource, other_sources, source_verdict
from reports.tables.table import Cell, Table

SOURCE_COLUMNS = ("mean", "std", "kind", "verdict")
BASELINE_COLUMNS = ("baseline", "test", "difference", "low", "high", "p_value", "p_holm")
PAPER_COLUMNS = ("published_mean", "published_std", "mean", "std", "n", "verdict")
SUITE_COLUMNS = ("mean", "std", "n", "place", "verdict")
"""Values behind the coordinates of a line, whatever their columns are called: of a paper's table, and of a suite's."""
VALUE_COLUMNS = ("published_mean", "published_std", "measured_mean", "measured_std", "n", "verdict")


def table_lines(table: Table) -> Iterator[list[str]]:
    """The names of the columns, then a line a cell, in the order of the table."""
    return _paper_lines(table) if table.layout.is_published else _suite_lines(table)


def _suite_lines(table: Table) -> Iterator[list[str]]:
    value = "" if table.value.is_auroc else f"{table.value.metric.id}_"
    tests = BASELINE_COLUMNS if table.baseline else ()
    runs = ["runs"] if table.names_runs else []
    yield [*table.layout.entry.coordinates, f"{value}mean", f"{value}std", "n", "place", "state", *tests, *runs]
    places = table_places(table)
    for cell in table.cells:
        at = tuple(cell.coordinates.items())
        mean, std = measured_texts(table, cell.measured) if cell.measured else ("", "")
        state = "" if cell.measured and cell.verdict.name == "missing" else cell.verdict.name
        row_place = str(places[at] or "")
        n = str(cell.measured.n) if cell.measured else ""
        yield [
            *cell.coordinates.values(),
            mean,
            std,
            n,
            row_place,
            state,
            *(_csv_test(table.baseline, at) if tests else ()),
            *(_run_names(cell) for _ in runs),
        ]


def _csv_test(baseline: Baseline | None, at: CellCoordinates) -> list[str]:
    test = baseline.tests.get(at) if baseline else None
    if baseline is None or test is None:
        return [""] * len(BASELINE_COLUMNS)
    numbers = (test.difference, test.low, test.high, test.p_value, test.p_holm)
    return [baseline.method, test.test, *("" if number is None else repr(number) for number in numbers)]


def _paper_lines(table: Table) -> Iterator[list[str]]:
    others = other_sources(table)
    papers = list(dict.fromkeys(paper for sources in others.values() for paper in sources))
    further = [f"{paper}_{column}" for paper in papers for column in SOURCE_COLUMNS]
    runs = ["runs"] if table.names_runs else []
    yield [*table.layout.entry.coordinates, *_value_columns(table), *further, *runs]
    for number, cell in enumerate(table.cells):
        published = ("", "")
        if cell.published and table.show != "measured":
            published = (cell.published.mean_text, cell.published.std_text)
        sources = [others.get(number, {}).get(paper) for paper in papers]
        source_texts = [text for source in sources for text in _csv_source(table, cell, source)]
        names = [_run_names(cell) for _ in runs]
        yield [*cell.coordinates.values(), *published, *_csv_measured(table, cell), *source_texts, *names]


def _run_names(cell: Cell) -> str:
    return " ".join(cell.measured.run_names) if cell.measured else ""


def _csv_source(table: Table, cell: Cell, source: PublishedSource | None) -> tuple[str, str, str, str]:
    if source is None:
        return "", "", "", ""
    verdict = source_verdict(source, table, cell)
    return source.value.mean_text, source.value.std_text, source.kind, verdict.name if verdict else ""


def _value_columns(table: Table) -> list[str]:
    """Columns of measured values say the metric where it is not that of the published ones."""
    if table.value.is_auroc:
        return [*VALUE_COLUMNS]
    return [name.replace("measured", table.value.metric.id) for name in VALUE_COLUMNS]


def _csv_measured(table: Table, cell: Cell) -> tuple[str, str, str, str]:
    if table.show == "published":
        return "", "", "", ""
    verdict = told_verdict(table, cell) or ""
    if cell.measured is None:
        return "", "", "", verdict
    mean, std = measured_texts(table, cell.measured)
    return mean, std, str(cell.measured.n), verdict


def told_verdict(table: Table, cell: Cell) -> str | None:
    """The verdict of a cell, or that a method which the paper does not print has no value to be judged by."""
    if cell.published or (cell.measured and cell.verdict.name == "stale"):
        return cell.verdict.name
    return "no_published_value" if cell.measured and table.value.is_auroc else None
