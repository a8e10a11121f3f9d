"""Tables as text: Markdown, LaTeX and HTML by template, CSV and JSON for programs. LF line ends, ready for stdout."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from protocols.text import near_miss, printable, printable_json
from reports.errors import ReportError
from reports.layouts.published import PublishedValue
from reports.pages.facts import FactTable, fact_page
from reports.pages.html.output import render_facts, render_page
from reports.pages.latex.floats import LatexPage, latex_page
from reports.pages.latex.macros import MacroPage, macro_page
from reports.pages.lines import table_lines, told_verdict
from reports.pages.page import Page, table_page
from reports.stats.verdict import VERDICT_VERSION
from reports.tables.groups import TableGroup, table_groups, table_places
from reports.tables.measured import measured_fields
from reports.tables.sources import PublishedSource, source_fields, table_sources
from reports.tables.table import Cell, Table
from reports.text import csv_text, page_formats, page_template

TABLE_FORMATS = page_formats("table")


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
    return table_lines(table)


def _fact_lines(table: FactTable) -> Iterator[list[str]]:
    entry = table.layout.entry
    yield [*entry.coordinates, *entry.columns, *(f"measured_{column}" for column in entry.measured), "note"]
    for row in table.rows:
        published = ["" if table.show == "measured" else row.published[column] for column in entry.columns]
        measured = [row.measured.get(column, "") for column in entry.measured]
        yield [*row.coordinates.values(), *published, *measured, row.note]


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
        "verdict": told_verdict(table, cell),
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
