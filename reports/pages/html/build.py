"""The page of a table, from the table and the evidence behind it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from protocols.text import plural, printable_json
from reports.pages.html.cells import (
    Anchors,
    cell_panel,
    cell_runs,
    cells_with_anchors,
    place_name,
    shown_verdict,
    told_label,
    verdict_kinds,
)
from reports.pages.html.evidence import NO_EVIDENCE, PageEvidence, RunEvidence
from reports.pages.html.forests import FOREST_LEGEND, RUNS_LEGEND, forests
from reports.pages.html.model import (
    BoardBlock,
    BoardCell,
    BoardGroup,
    BoardRow,
    FilterChoice,
    MachineLine,
    MissingCells,
    ResultPage,
    ShownVerdict,
    VerdictCounts,
)
from reports.pages.html.rankings import rank_charts
from reports.pages.html.runs import run_panel, shared_lines
from reports.pages.html.seen import NO_SEEN, SEEN_REMARK, slope_charts
from reports.pages.lines import PAPER_COLUMNS, SUITE_COLUMNS, table_lines
from reports.pages.page import GridCell, Page, TableBlock, table_page
from reports.stats.verdict import VerdictName
from reports.stats.words import MARKS
from reports.tables.groups import TableGroup, group_of, leaf_cells, table_groups
from reports.tables.lookup import LookupKey
from reports.tables.measured import weight_labels
from reports.tables.sources import table_sources
from reports.tables.table import Cell, Table, lookup_keys
from reports.text import escape_latex

_MOST_CHOICES = 24


def result_page(table: Table, evidence: PageEvidence = NO_EVIDENCE) -> ResultPage:
    """Everything that the page of a table says; without evidence what the table alone knows."""
    printed, anchors = table_page(table), Anchors()
    sources = table_sources(table)
    cell_anchors = cells_with_anchors(table, table.cells, anchors)
    runs = _runs(table, evidence)
    run_anchors = {key: anchors.anchor(f"run/{key[:8]}") for key, run in runs.items()}
    shared = shared_lines(list(runs.values()), anchors)
    numbers = {tuple(cell.coordinates.items()): number for number, cell in enumerate(table.cells)}
    slopes = slope_charts(table, evidence.scored)
    groups = table_groups(table) if table.show != "published" and table.value.is_auroc else []
    words = _count_words(groups)
    blocks = tuple(_board_block(table, block, numbers, cell_anchors) for block in printed.blocks)
    return ResultPage(
        title=printed.title,
        caption=printed.caption,
        citation=printed.citation,
        verdicts=printed.verdicts,
        count_words=words,
        counts=tuple(_counts(table, groups, words)) if table.layout.is_published else (),
        missing=tuple(_missing(table, evidence)),
        machines=tuple(_machines(list(runs.values()))),
        forests=forests(table, cell_anchors, sources) if table.show != "published" else (),
        forest_legend=FOREST_LEGEND if table.layout.is_published else RUNS_LEGEND,
        filters=tuple(_filters(table)),
        shown_verdicts=tuple(verdict_kinds(shown_verdict(table, cell) for cell in table.cells)),
        blocks=blocks,
        is_published=table.layout.is_published,
        has_measured=table.has_measured and table.show != "published",
        legend=printed.legend,
        notes=tuple((number, printed.notes[number - 1]) for number in sorted(_noted(blocks))),
        remarks=printed.remarks,
        errata=printed.errata,
        tests=printed.details if table.baseline else (),
        test_headings=printed.detail_headings,
        cells=tuple(
            cell_panel(table, table.cells[number], anchor, evidence, sources.get(number, ()), run_anchors)
            for number, anchor in cell_anchors.items()
        ),
        runs=tuple(run_panel(run, run_anchors[key], shared) for key, run in runs.items()),
        settings=shared.panels,
        slopes=slopes,
        slopes_remark=SEEN_REMARK if slopes else NO_SEEN,
        rankings=rank_charts(table),
        data=json_element(_data(table, printed)),
    )


def json_element(content: Any) -> Markup:
    """JSON for an element of a script: no text in it can end the element or open a comment."""
    text = printable_json(json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704 - escaped


def _runs(table: Table, evidence: PageEvidence) -> dict[str, RunEvidence]:
    """The runs behind the measured cells by their keys, each once."""
    if table.show == "published":
        return {}
    return {
        run.record.key: run for cell in table.cells for parts in cell_runs(cell, evidence).values() for run in parts
    }


def _count_words(groups: Sequence[TableGroup]) -> tuple[VerdictName, ...]:
    """The verdicts that some cell has, or would be expected to have."""
    return tuple(
        word
        for word in MARKS
        if any(group.counts.get(word, 0) or round(group.expected.get(word, 0.0), 1) for group in groups)
    )


def _counts(table: Table, groups: Sequence[TableGroup], words: Sequence[VerdictName]) -> Iterator[VerdictCounts]:
    for group in groups:
        counts = tuple((str(group.counts.get(word, 0)), f"{group.expected.get(word, 0.0):.1f}") for word in words)
        yield VerdictCounts(_group_name(table, group), group.cells, group.measured, sum(group.counts.values()), counts)


def _group_name(table: Table, group: TableGroup) -> str:
    return place_name(table, group.coordinates) or table.layout.title


def _missing(table: Table, evidence: PageEvidence) -> Iterator[MissingCells]:
    """Groups with leaf cells that something measures and nobody has run, with the command that runs them."""
    if table.show == "published":
        return
    groups: dict[tuple[tuple[str, str], ...], list[Cell]] = {}
    for cell in leaf_cells(table):
        if cell.source:
            groups.setdefault(group_of(table, cell), []).append(cell)
    for names, cells in groups.items():
        lacking = [cell for cell in cells if cell.measured is None]
        if lacking:
            keys: list[LookupKey] = [key for cell in lacking for key in lookup_keys(table.layout, cell)]
            name = place_name(table, dict(names)) or table.layout.title
            yield MissingCells(name, len(lacking), len(cells), evidence.fill(table.layout, keys))


def _machines(runs: Sequence[RunEvidence]) -> Iterator[MachineLine]:
    """Code and machines behind runs, those of most runs first."""
    counts: dict[tuple[str, str, str], int] = {}
    for run in runs:
        origin = run.record.provenance
        if origin:
            commit = f", commit {origin.git_commit[:10]}" if origin.git_commit else ""
            labels = "; ".join(weight_labels(run.record))
            facts = (
                f"swanbench {origin.package_version}{commit}",
                f"{origin.device}, {origin.cpu}, {plural(origin.threads, 'thread')}; {origin.numerics_class}",
                ", ".join(
                    [*(f"{name} {version}" for name, version in origin.libraries.items()), *filter(None, [labels])]
                ),
            )
            counts[facts] = counts.get(facts, 0) + 1
    for facts, number in sorted(counts.items(), key=lambda pair: -pair[1]):
        yield MachineLine(number, *facts)


def _filters(table: Table) -> Iterator[FilterChoice]:
    for name in table.layout.entry.coordinates:
        values = {cell.coordinates[name]: table.label(name, cell.coordinates[name]) for cell in table.cells}
        values.pop("", None)
        if 1 < len(values) <= _MOST_CHOICES:
            yield FilterChoice(name, table.layout.heading(name), values)


def _board_block(
    table: Table,
    block: TableBlock,
    numbers: Mapping[tuple[tuple[str, str], ...], int],
    anchors: Mapping[int, str],
) -> BoardBlock:
    def cell(texts: GridCell) -> BoardCell:
        number = numbers.get(tuple(texts.coordinates.items()))
        if number is None:
            return BoardCell(texts, ShownVerdict(), None, "")
        return BoardCell(texts, shown_verdict(table, table.cells[number]), number, anchors.get(number, ""))

    groups: dict[str, list[BoardRow]] = {}
    for row in block.rows:
        group, *rest = row.labels if len(row.labels) > 1 else ("", *row.labels)
        told = [told_label(*pair) for pair in zip(block.row_headings[-len(rest) :], rest, strict=True)]
        name = ", ".join(filter(None, told if len(rest) > 1 else rest))
        groups.setdefault(group, []).append(BoardRow(name, tuple(map(cell, row.cells))))
    return BoardBlock(
        title=block.title,
        heading=", ".join(block.row_headings),
        columns=block.columns,
        groups=tuple(BoardGroup(name, tuple(rows)) for name, rows in groups.items()),
    )


def _noted(blocks: Sequence[BoardBlock]) -> set[int]:
    """The numbers of the notes that the table refers to; a cell with a panel says there what its notes say."""
    rows = [row for block in blocks for group in block.groups for row in group.rows]
    return {number for row in rows for cell in row.cells if not cell.anchor for number in cell.texts.notes}


def _data(table: Table, printed: Page) -> dict[str, Any]:
    """The cells as the script filters and saves them, and as their CSV has them.

    columns: places of the values that the script reads; latex: texts that LaTeX needs in another form.
    """
    texts = [table.title, *(text for block in printed.blocks for text in (block.title, *block.columns))]
    texts += [text for block in printed.blocks for text in block.row_headings]
    texts += [label for block in printed.blocks for row in block.rows for label in row.labels]
    fields, *cells = table_lines(table)
    first = len(table.layout.entry.coordinates)
    columns = PAPER_COLUMNS if table.layout.is_published else SUITE_COLUMNS
    return {
        "table": table.layout.id,
        "title": table.title,
        "metric": table.metric,
        "coordinates": list(table.layout.entry.coordinates),
        "latex": {text: escaped for text in dict.fromkeys(texts) if (escaped := escape_latex(text)) != text},
        "fields": fields,
        "columns": {name: first + index for index, name in enumerate(columns)},
        "cells": cells,
    }
