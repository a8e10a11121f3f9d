"""Measured values of a table as LaTeX macros, one a cell, for the text of a paper."""

import re
from dataclasses import dataclass

from reports.errors import ReportError
from reports.layouts.cell_ids import cell_arguments
from reports.pages.page import measured_texts
from reports.tables.table import Table
from reports.text import escape_latex

_UNSAFE = re.compile(r"[^\w.@=;\[\]-]")
"""Characters that a macro's argument cannot hold."""


@dataclass(frozen=True, slots=True)
class CellMacro:
    """The five arguments that name a cell, and its value in LaTeX."""

    arguments: tuple[str, ...]
    value: str


@dataclass(frozen=True, slots=True)
class MacroPage:
    title: str
    macros: tuple[CellMacro, ...]


def macro_page(table: Table) -> MacroPage:
    """The measured cells of a table; what two printed cells have in common stands once.

    Raises:
        ReportError: the table shows published values alone, or two cells would share a name.
    """
    if table.show == "published":
        raise ReportError("--format macros holds measured values: leave out --show published")
    macros: dict[tuple[str, ...], CellMacro] = {}
    named: dict[tuple[str, ...], tuple[str, ...]] = {}
    for cell in table.cells:
        if cell.measured and cell.source:
            mean, std = measured_texts(table, cell.measured)
            parts = cell_arguments(cell.source, cell.coordinates)
            arguments = tuple(_UNSAFE.sub("-", part) for part in parts)
            if named.setdefault(arguments, parts) != parts:
                cells = " and ".join("/".join(names) for names in (named[arguments], parts))
                raise ReportError(f"--format macros has one name for {cells}: leave one out by --dataset or --method")
            macros[arguments] = CellMacro(arguments, escape_latex(f"{mean}±{std}" if std else mean))
    return MacroPage(table.title, tuple(macros.values()))
