"""Tables as text: Markdown, LaTeX and HTML by template, CSV and JSON for programs. LF line ends, ready for stdout."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from protocols.text import near_miss, printable, printable_json
from reports.errors import ReportError
from reports.layouts.published import CellCoordinates, PublishedValue
from reports.pages.facts import FactTable, fact_page
from reports.pages.html.output import render_facts, render_page
from reports.pages.latex.floats import LatexPage, latex_page
from reports.pages.latex.macros import MacroPage, macro_page
from reports.pages.page import Page, measured_texts, table_page
from reports.stats.verdict import VERDICT_VERSION
from reports.tables.groups import TableGroup, table_groups, table_places
from reports.tables.judging import Baseline
from reports.tables.measured import measured_fields
from reports.tables.sources import PublishedSource, other_sources, source_fields, source_verdict, table_sources
from reports.tables.table import Cell, Table
from reports.text import csv_text, page_formats, page_template

TABLE_FORMATS = page_formats("table")
SOURCE_COLUMNS = ("mean", "std", "kind", "verdict")
BASELINE_COLUMNS = ("baseline", "test", "difference", "low", "high", "p_value", "p_holm")
VALUE_COLUMNS = ("published_mean", "published_std", "measured_mean", "measured_std", "n", "verdict")


def render_table(table: Table | FactTable, form: str, *, width: str = "text", notes: bool = True) -> str:
    """A table as text in one of `TABLE_FORMATS`, with a line end at the end; LaTeX of a width, perhaps without notes.

    Raises:
        ReportError: there is no such format, or it says nothing of such a table.
    """
    if form == "csv":
        return csv_text(_csv_lines(table))
    if form == "json":
        content = _json_facts(table) if isinstance(table, FactTable) else _json(table)
        return printable_json(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)) + "\n"
    if form == "html":
        return render_facts(fact_page(table)) if isinstance(table, FactTable) else render_page(table)
    if form in TABLE_FORMATS:
        return printable(page_template("table", form).render(page=_page(table, form, width, notes=notes)))
    raise ReportError(f"no format {form!r}: {near_miss(form, TABLE_FORMATS)}")


def _page(table: Table | FactTable, form: str, width: str, *, notes: bool) -> Page | LatexPage | MacroPage:
    if form == "macros":
        if isinstance(table, FactTable):
            raise ReportError(f"{table.layout.title} holds no AUCs, for which macros are: choose --format latex")
        return macro_page(table)
    page = fact_page(table) if isinstance(table, FactTable) else table_page(table)
    return latex_page(page, width, notes=notes) if form == "latex" else page


def _csv_lines(table: Table | FactTable) -> Iterator[list[str]]:
    if isinstance(table, FactTable):
        return _fact_lines(table)
    return _lines(table) if table.layout.is_published else _suite_lines(table)


def _suite_lines(table: Table) -> Iterator[list[str]]:
    value = "" if table.value.is_auroc else f"{table.value.metric.id}_"
    tests = BASELINE_COLUMNS if table.baseline else ()
    yield [*table.layout.entry.coordinates, f"{value}mean", f"{value}std", "n", "place", "state", *tests]
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
        ]


def _csv_test(baseline: Baseline | None, at: CellCoordinates) -> list[str]:
    test = baseline.tests.get(at) if baseline else None
    if baseline is None or test is None:
        return [""] * len(BASELINE_COLUMNS)
    numbers = (test.difference, test.low, test.high, test.p_value, test.p_holm)
    return [baseline.method, test.test, *("" if number is None else repr(number) for number in numbers)]


def _lines(table: Table) -> Iterator[list[str]]:
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
        names = [" ".join(cell.measured.run_names) if cell.measured else "" for _ in runs]
        yield [*cell.coordinates.values(), *published, *_csv_measured(table, cell), *source_texts, *names]


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


def _fact_lines(table: FactTable) -> Iterator[list[str]]:
    entry = table.layout.entry
    yield [*entry.coordinates, *entry.columns, *(f"measured_{column}" for column in entry.measured), "note"]
    for row in table.rows:
        published = ["" if table.show == "measured" else row.published[column] for column in entry.columns]
        measured = [row.measured.get(column, "") for column in entry.measured]
        yield [*row.coordinates.values(), *published, *measured, row.note]


def _csv_measured(table: Table, cell: Cell) -> tuple[str, str, str, str]:
    if table.show == "published":
        return "", "", "", ""
    verdict = _verdict_name(table, cell) or ""
    if cell.measured is None:
        return "", "", "", verdict
    mean, std = measured_texts(table, cell.measured)
    return mean, std, str(cell.measured.n), verdict


def _verdict_name(table: Table, cell: Cell) -> str | None:
    """The verdict of a cell, or that a method which the paper does not print has no value to be judged by."""
    if cell.published or (cell.measured and cell.verdict.name == "stale"):
        return cell.verdict.name
    return "no_published_value" if cell.measured and table.value.is_auroc else None


def _json(table: Table) -> dict[str, Any]:
    layout, sources = table.layout, table_sources(table)
    if not layout.is_published:
        return _json_suite(table)
    return {
        "table": layout.id,
        "title": table.title,
        "citation": layout.paper.citation,
        "metric": table.metric,
        "unit": table.unit,
        "margin": table.margin * layout.scale,
        "verdict_version": VERDICT_VERSION,
        "show": table.show,
        "groups": [_json_group(table, group) for group in _groups(table)],
        "cells": [_json_cell(table, cell, sources.get(number, ())) for number, cell in enumerate(table.cells)],
        "notes": [*layout.notes, *table.remarks],
        "errata": [asdict(erratum) for erratum in layout.errata] if table.show != "measured" else [],
    }


def _json_suite(table: Table) -> dict[str, Any]:
    places, baseline = table_places(table), table.baseline
    tests = baseline.tests if baseline else {}
    return {
        "suite": table.layout.table,
        "title": table.title,
        "metric": table.metric,
        "unit": table.unit,
        "baseline": baseline.method if baseline else None,
        "groups": [
            {
                "coordinates": dict(group.coordinates),
                "cells": group.cells,
                "measured": group.measured,
                "ranking": asdict(group.ranking) if group.ranking else None,
            }
            for group in _groups(table)
        ],
        "cells": [
            {
                "coordinates": dict(cell.coordinates),
                "title": table.label("method", cell.coordinates["method"]),
                "measured": measured_fields(cell.measured) if cell.measured else None,
                "place": places[tuple(cell.coordinates.items())] or None,
                "state": None if cell.measured and cell.verdict.name == "missing" else cell.verdict.name,
                "reasons": list(cell.verdict.reasons),
                "failures": list(cell.failures),
                "test": asdict(test) if (test := tests.get(tuple(cell.coordinates.items()))) else None,
            }
            for cell in table.cells
        ],
        "notes": list(table.remarks),
    }


def _json_facts(table: FactTable) -> dict[str, Any]:
    layout = table.layout
    rows = [
        {
            "coordinates": dict(row.coordinates),
            "published": dict(row.published) if table.show != "measured" else None,
            "measured": dict(row.measured) or None,
            "note": row.note or None,
        }
        for row in table.rows
    ]
    return {
        "table": layout.id,
        "title": layout.title,
        "citation": layout.paper.citation,
        "show": table.show,
        "rows": rows,
        "notes": layout.entry.notes,
        "errata": [asdict(erratum) for erratum in layout.errata] if table.show != "measured" else [],
    }


def _json_cell(table: Table, cell: Cell, sources: Sequence[PublishedSource]) -> dict[str, Any]:
    published = _json_published(cell.published) if cell.published and table.show != "measured" else None
    content: dict[str, Any] = {
        "coordinates": dict(cell.coordinates),
        "published": published,
        "sources": [source_fields(source) for source in sources],
    }
    if table.show == "published":
        return content | {"measured": None, "verdict": None}
    comparison = cell.verdict.comparison
    return content | {
        "measured": measured_fields(cell.measured) if cell.measured else None,
        "verdict": _verdict_name(table, cell),
        "would_be": cell.verdict.would_be,
        "reasons": list(cell.verdict.reasons),
        "failures": list(cell.failures),
        "advice": cell.verdict.advice or None,
        "one_draw": cell.verdict.one_draw,
        "comparison": asdict(comparison) if comparison else None,
    }


def _json_published(value: PublishedValue) -> dict[str, Any]:
    return {
        "mean": value.mean,
        "std": value.std,
        "printed_mean": value.mean_text,
        "printed_std": value.std_text or None,
        "transcription": value.transcription,
        "note": value.note or None,
    }


def _groups(table: Table) -> list[TableGroup]:
    return table_groups(table) if table.show != "published" and table.value.is_auroc else []


def _json_group(table: Table, group: TableGroup) -> dict[str, Any]:
    judged = group.judged
    content: dict[str, Any] = {
        "coordinates": dict(group.coordinates),
        "cells": group.cells,
        "measured": group.measured,
        "judged": judged.pooled.cells if judged else 0,
        "left_out": group.left_out,
        "borrowed": group.borrowed,
        "no_published_value": group.unpublished,
        "counts": dict(group.counts),
        "expected": dict(group.expected),
        "ranking": asdict(group.ranking) if group.ranking else None,
        "margin": table.margin * table.layout.scale,
    }
    if judged is None:
        return content | {"verdict": None}
    return content | {
        "verdict": judged.verdict,
        "difference": judged.pooled.difference,
        "standard_error": judged.pooled.standard_error,
        "low": judged.low,
        "high": judged.high,
        "tau": judged.tau,
        "tau_low": judged.tau_low,
        "tau_high": judged.tau_high,
    }
