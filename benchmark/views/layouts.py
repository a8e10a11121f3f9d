"""Tables and figures of papers that a run prints."""

from collections.abc import Iterable

from benchmark.planning.suite import Suite
from reports.layouts import layout
from reports.layouts.layout import Layout


def suite_layouts(suites: Iterable[Suite]) -> list[Layout]:
    """Tables and figures of the papers that the suites fill, each once; `bench report` alone prints scores."""
    tables: dict[str, None] = {}
    figures: dict[str, None] = {}
    for suite in suites:
        tables |= {suite.table: None} if suite.table else {}
        figures |= {suite.figure: None} if suite.figure else {}
    drawings = [layout.figure_layout(name) for name in figures]
    return [layout.auc_layout(name) for name in tables] + [each for each in drawings if isinstance(each, Layout)]
