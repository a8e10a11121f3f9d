"""Pictures of AUC against the number of labelled anomalies, drawn by matplotlib (extra `plots`)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from protocols.text import printable
from reports.errors import ReportError
from reports.figures.plots import PLOT_COLOURS, PLOT_SHAPES, PLOT_STYLE, check_picture, drawn_picture, new_figure
from reports.tables.label_curves import LabelPanel, label_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_COLUMNS = 4
_PANEL = (2.9, 2.5)
"""Width and height of a panel in inches."""


def draw_label_curves(sections: Mapping[str, Sequence[LabelPanel]], form: str) -> bytes:
    """A panel for each set of test images, AUC over the number of labels, a line a method; bars are std over seeds.

    `sections` are panels by what is printed over each of them, such as `hard`.

    Raises:
        ReportError: no such format, matplotlib is not installed, or there is nothing to draw.
    """
    check_picture(form)
    panels = [(name, panel) for name, several in sections.items() for panel in several]
    if not panels:
        raise ReportError(
            "nothing of the suite labels is measured, so there is nothing to draw: bench run --suite labels makes it"
        )
    import matplotlib as mpl
    from matplotlib.lines import Line2D

    counts = label_counts(panel for _, panel in panels)
    methods = list(dict.fromkeys(curve.method for _, panel in panels for curve in panel.curves))
    columns = min(_MOST_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    with mpl.rc_context(PLOT_STYLE):
        figure = new_figure(max(6.0, _PANEL[0] * columns), _PANEL[1] * rows + 1.1)
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes, (name, panel) in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, panel, counts, methods)
            axes.set_title(printable(f"{name}: {panel.title}"), fontsize=9, loc="left")
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_visible(False)
        figure.supxlabel("labelled anomalies", fontsize=10)
        figure.supylabel("AUC, mean and std over seeds", fontsize=10)
        handles = [Line2D([], [], label=printable(method), **_look(method, methods)) for method in methods]
        many = min(len(methods), 4)
        figure.legend(handles=handles, loc="outside upper center", ncols=many, frameon=False, fontsize=9)
        return drawn_picture(figure, form)


def _draw_panel(axes: "Axes", panel: LabelPanel, counts: Sequence[int], methods: Sequence[str]) -> None:
    """The curves of a panel; a method without labels is a dotted line across, to be compared with all others."""
    for curve in panel.curves:
        look = _look(curve.method, methods)
        shift = (methods.index(curve.method) - (len(methods) - 1) / 2) * 0.4 / len(methods)
        axes.errorbar(
            [counts.index(point.labels) + shift for point in curve.points],
            [point.measured.mean for point in curve.points],
            yerr=[point.measured.std or 0.0 for point in curve.points],
            elinewidth=0.8,
            capsize=2,
            **look,
        )
        if curve.points[0].labels == 0:
            axes.axhline(curve.points[0].measured.mean, color=look["color"], linewidth=0.8, linestyle="dotted")
    axes.set_xticks(range(len(counts)), list(map(str, counts)))
    axes.set_xlim(-0.5, len(counts) - 0.5)
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)


def _look(method: str, methods: Sequence[str]) -> dict[str, Any]:
    """Colour, shape and line of a method; of two that share a colour, the second is dashed."""
    at = methods.index(method)
    return {
        "color": PLOT_COLOURS[at % len(PLOT_COLOURS)],
        "marker": PLOT_SHAPES[at % len(PLOT_SHAPES)],
        "linestyle": "solid" if at < len(PLOT_COLOURS) else "dashed",
        "markersize": 4,
        "linewidth": 1.2,
    }
