"""A judged table as text: Markdown, LaTeX and HTML by template, CSV with one line a cell, JSON. LF line ends."""

import json
from collections.abc import Iterator
from typing import Any

from protocols.text import near_miss, printable, printable_json
from reports.errors import ReportError
from reports.judgement.entries import CELL_FIELDS
from reports.judgement.judge import JudgedCell, JudgedGroup, TableJudgement
from reports.judgement.page import judgement_page
from reports.stats.verdict import VERDICT_VERSION
from reports.text import csv_text, page_formats, page_template

JUDGEMENT_FORMATS = page_formats("judgement")


def render_judgement(judgement: TableJudgement, form: str) -> str:
    """A judged table in one of `JUDGEMENT_FORMATS`, with a line end at the end.

    Raises:
        ReportError: there is no such format.
    """
    if form == "csv":
        return csv_text(_lines(judgement))
    if form == "json":
        text = json.dumps(judgement_json(judgement), ensure_ascii=False, indent=2, allow_nan=False)
        return printable_json(text) + "\n"
    if form in JUDGEMENT_FORMATS:
        return printable(page_template("judgement", form).render(page=judgement_page(judgement)))
    raise ReportError(f"no format {form!r}: {near_miss(form, JUDGEMENT_FORMATS)}")


def judgement_json(judgement: TableJudgement) -> dict[str, Any]:
    """Everything of a judgement by name, for JSON."""
    return {
        "verdict_version": VERDICT_VERSION,
        "margin": judgement.margin,
        "better": judgement.better,
        "alpha": judgement.alpha,
        "cells": [_json_cell(judgement, cell) for cell in judgement.cells],
        "groups": [_json_group(group) for group in judgement.groups],
    }


def _json_cell(judgement: TableJudgement, cell: JudgedCell) -> dict[str, Any]:
    numbers = (cell.entry.mean, cell.entry.std, cell.entry.n, *_measured(cell))
    values = (*numbers, cell.verdict, cell.test.p if cell.test else None, cell.test.sees if cell.test else None)
    coordinates = dict(zip(judgement.columns, cell.entry.coordinates, strict=True))
    return coordinates | dict(zip(CELL_FIELDS, (*values, list(cell.notes)), strict=True))


def _measured(cell: JudgedCell) -> tuple[float | None, ...]:
    """Mean, std, n, difference, low, high, told."""
    sample, comparison = cell.sample, cell.comparison
    if sample is None or comparison is None:
        return (None,) * 7
    interval = (comparison.low, comparison.high, comparison.told)
    return sample.mean, sample.std, sample.n, comparison.difference, *interval


def _json_group(group: JudgedGroup) -> dict[str, Any]:
    verdict, test = group.verdict, group.test
    pooled = verdict.pooled if verdict else None
    return dict(zip(group.by, group.coordinates, strict=True)) | {
        "by": list(group.by),
        "cells": pooled.cells if pooled else 0,
        "difference": pooled.difference if pooled else None,
        "standard_error": pooled.standard_error if pooled else None,
        "low": verdict.low if verdict else None,
        "high": verdict.high if verdict else None,
        "tau": verdict.tau if verdict else None,
        "tau_low": verdict.tau_low if verdict else None,
        "tau_high": verdict.tau_high if verdict else None,
        "verdict": verdict.verdict if verdict else None,
        "sees": test.sees if test else None,
        "p": test.p if test else None,
    }


def _lines(judgement: TableJudgement) -> Iterator[list[str]]:
    yield [*judgement.columns, *CELL_FIELDS]
    for cell in judgement.cells:
        test = (cell.test.p, cell.test.sees) if cell.test else (None, None)
        yield [
            *cell.entry.coordinates,
            cell.entry.mean_text,
            cell.entry.std_text,
            *map(_csv_number, (cell.entry.n, *_measured(cell))),
            cell.verdict,
            *map(_csv_number, test),
            "; ".join(cell.notes),
        ]


def _csv_number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
