"""Pictures of figures and of cells, drawn by matplotlib (extra `plots`): published values hollow, measured filled."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from math import nan
from typing import TYPE_CHECKING, Any, Literal

from protocols.text import printable
from reports.errors import ReportError
from reports.figures.boxes import BoxGroup, BoxPlot
from reports.figures.forest import APART, ForestRow, RowKind
from reports.tables.table import Cell, Table
from reports.text import PICTURE_FORMATS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Filling = Literal["none", "full", "left"]
"""Of the marks of published values, of measured ones, and of those that are not comparable (half filled)."""
PLOT_COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
)  # Okabe and Ito: told apart by all eyes
PLOT_SHAPES = ("o", "s", "^", "D", "v", "P")
_ROWS: Mapping[RowKind, tuple[str, str, bool]] = {
    "published": (PLOT_COLOURS[0], "o", False),
    "quoted": ("#777777", "o", False),
    "pooled": (PLOT_COLOURS[2], "D", True),
    "measured": (PLOT_COLOURS[1], "s", True),
    "run": (PLOT_COLOURS[1], "x", True),
}
"""Colour, shape and filling of each kind of line in a forest plot."""
_DPI = 150
_ASIDE = 0.04  # published values stand to the left, measured ones to the right
PLOT_STYLE: dict[Any, Any] = {
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "swanbench",
    "svg.fonttype": "none",
    "text.parse_math": False,
}


def draw_dots(table: Table, form: str) -> bytes:
    """A figure of AUCs as a picture: a group of dots a row, a colour and a shape a column; bars are our std.

    Raises:
        ReportError: no such format, or matplotlib is not installed.
    """
    check_picture(form)
    import matplotlib as mpl

    layout = table.layout
    (row,), (column,) = layout.entry.rows, layout.entry.columns
    groups = list(dict.fromkeys(cell.coordinates[row] for cell in table.cells))
    kinds = list(dict.fromkeys(cell.coordinates[column] for cell in table.cells))
    with mpl.rc_context(PLOT_STYLE):
        figure = new_figure(max(6.0, 1.6 * len(groups) + 2.0), 4.0)
        axes = figure.add_subplot()
        for cell in table.cells:
            kind = kinds.index(cell.coordinates[column])
            shift = (kind - (len(kinds) - 1) / 2) * 0.7 / len(kinds)
            _dot(axes, table, cell, groups.index(cell.coordinates[row]) + shift, kind)
        axes.set_xticks(range(len(groups)), [table.label(row, value) for value in groups])
        axes.set_xlim(-0.6, len(groups) - 0.4)
        axes.set_ylabel(table.metric)
        axes.grid(axis="y", color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
        _key(figure, [table.label(column, value) for value in kinds], _sides(table))
        figure.suptitle(_wrapped(table.title), fontsize=11)
        return drawn_picture(figure, form)


def draw_boxes(plot: BoxPlot, form: str) -> bytes:
    """A box plot as a picture: a panel a dataset, a colour a gamma; boxes of normal images are hollow.

    Raises:
        ReportError: no such format, or matplotlib is not installed.
    """
    check_picture(form)
    import matplotlib as mpl

    most = max(len(groups) for groups in plot.panels.values())
    with mpl.rc_context(PLOT_STYLE):
        figure = new_figure(max(6.0, 0.2 * most + 2.0), 0.9 + 2.9 * len(plot.panels))
        panels = figure.subplots(len(plot.panels), squeeze=False)[:, 0]
        for axes, (title, groups) in zip(panels, plot.panels.items(), strict=True):
            _panel(axes, plot, groups)
            axes.set_title(printable(title), fontsize=10, loc="left")
        _box_key(figure, plot)
        figure.suptitle(_wrapped(printable(f"{plot.title}: {plot.method}")), fontsize=11)
        return drawn_picture(figure, form)


def draw_forest(rows: Sequence[ForestRow], title: str, metric: str, limit: float, form: str) -> bytes:
    """A forest plot as a picture: a line a row, from the top; bars are 90 % intervals of means within 0 and `limit`.

    Raises:
        ReportError: no such format, or matplotlib is not installed.
    """
    check_picture(form)
    import matplotlib as mpl

    with mpl.rc_context(PLOT_STYLE):
        figure = new_figure(8.0, 1.4 + 0.32 * len(rows))
        axes = figure.add_subplot()
        for line, row in enumerate(rows):
            colour, shape, filled = _ROWS[row.kind]
            if row.low is not None and row.high is not None:
                axes.hlines(line, max(0.0, row.low), min(limit, row.high), color=colour, linewidth=1.5)
            face = colour if filled and not row.is_apart else "white"
            axes.plot(row.mean, line, shape, color=colour, markersize=7, markerfacecolor=face)
            axes.annotate(
                printable(row.numbers),
                (1.02, line),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=9,
                annotation_clip=False,
            )
        labels = [f"{row.label} (not comparable)" if row.mark == APART else row.label for row in rows]
        axes.set_yticks(range(len(rows)), list(map(printable, labels)))
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(f"{metric}; bars: 90 % interval of the mean")
        axes.grid(axis="x", color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
        figure.suptitle(_wrapped(printable(title)), fontsize=11)
        return drawn_picture(figure, form)


def draw_curves(history: Mapping[str, Sequence[float | None]], title: str, form: str) -> bytes:
    """Numbers of each epoch as a picture, a line a name.

    Raises:
        ReportError: no such format, or matplotlib is not installed.
    """
    check_picture(form)
    import matplotlib as mpl

    with mpl.rc_context(PLOT_STYLE):
        figure = new_figure(8.0, 4.0)
        axes = figure.add_subplot()
        for at, (name, values) in enumerate(history.items()):
            numbers = [nan if value is None else value for value in values]
            style: dict[str, Any] = {
                "color": PLOT_COLOURS[at % len(PLOT_COLOURS)],
                "marker": PLOT_SHAPES[at % len(PLOT_SHAPES)],
                "markersize": 3,
            }
            axes.plot(range(1, len(numbers) + 1), numbers, label=printable(name), **style)
        axes.set_xlabel("epoch")
        axes.grid(color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
        figure.legend(loc="outside lower center", ncols=min(len(history), 5), frameon=False, fontsize=9)
        figure.suptitle(_wrapped(printable(title)), fontsize=11)
        return drawn_picture(figure, form)


def has_plots() -> bool:
    """True where pictures can be drawn."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def check_picture(form: str) -> None:
    """Raise ReportError where a picture cannot be drawn: no such format, or matplotlib is not installed."""
    if form not in PICTURE_FORMATS:
        raise ReportError(f"no picture format {form!r}: choose {' or '.join(PICTURE_FORMATS)}")
    try:
        import matplotlib as mpl
    except ImportError:
        raise ReportError(
            "pictures need matplotlib: pip install 'swanbench[plots]', or take --format csv for the numbers"
        ) from None
    del mpl


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure; width and height in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def drawn_picture(figure: "Figure", form: str) -> bytes:
    """The picture's bytes, the same for the same numbers and library."""
    buffer = BytesIO()
    metadata = {"Date": None} if form == "svg" else None
    figure.savefig(buffer, format=form, dpi=_DPI, metadata=metadata)
    return buffer.getvalue()


def _dot(axes: "Axes", table: Table, cell: Cell, x: float, index: int) -> None:
    colour, shape = PLOT_COLOURS[index % len(PLOT_COLOURS)], PLOT_SHAPES[index % len(PLOT_SHAPES)]
    if cell.published and table.show != "measured":
        axes.plot(x - _ASIDE, cell.published.mean, shape, markersize=9, markerfacecolor="none", markeredgecolor=colour)
    if cell.measured:
        look: dict[str, Any] = {"markersize": 6, "capsize": 3, "color": colour, "markerfacecoloralt": "white"}
        look["fillstyle"] = _filling(cell)
        axes.errorbar(x + _ASIDE, cell.measured.mean, yerr=cell.measured.std, fmt=shape, **look)


def _filling(cell: Cell) -> Filling:
    """`left` for a mark that is half filled: measured, but not comparable with the paper."""
    return "left" if cell.verdict.name == "not_comparable" else "full"


def _sides(table: Table) -> list[tuple[str, Filling]]:
    """Meanings of hollow, filled and half filled marks, of those that are drawn, with matplotlib's names."""
    sides: list[tuple[str, Filling]] = [("published", "none")] if table.show != "measured" else []
    fillings = {_filling(cell) for cell in table.cells if cell.measured}
    words: dict[Filling, str] = {"full": "measured, std over seeds", "left": "measured, not comparable with the paper"}
    return sides + [(text, filling) for filling, text in words.items() if filling in fillings]


def _key(figure: "Figure", kinds: list[str], sides: list[tuple[str, Filling]]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=PLOT_SHAPES[at % len(PLOT_SHAPES)],
            color=PLOT_COLOURS[at % len(PLOT_COLOURS)],
            label=text,
        )
        for at, text in enumerate(kinds)
    ]
    handles += [
        Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            color="#555555",
            fillstyle=filling,
            markerfacecoloralt="white",
            label=text,
        )
        for text, filling in sides
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 3), frameon=False, fontsize=9)


def _panel(axes: "Axes", plot: BoxPlot, groups: tuple[BoxGroup, ...]) -> None:
    classes = list(dict.fromkeys(group.record.spec.split.normal_class or "" for group in groups))
    slots = [(gamma, images) for gamma in plot.gammas for images in ("normal", "anomalous")]
    width = 0.8 / len(slots)
    for group in groups:
        split = group.record.spec.split
        slot = slots.index((split.gamma or "", group.images))
        x = classes.index(split.normal_class or "") + (slot - (len(slots) - 1) / 2) * width
        colour = PLOT_COLOURS[plot.gammas.index(split.gamma or "") % len(PLOT_COLOURS)]
        _box(axes, group, x, 0.8 * width, colour)
    axes.set_xticks(range(len(classes)), list(map(printable, classes)))
    axes.set_xlim(-0.6, len(classes) - 0.4)
    axes.set_xlabel("normal class")
    axes.set_ylabel("anomaly score")
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)


def _box(axes: "Axes", group: BoxGroup, x: float, width: float, colour: str) -> None:
    box = group.box
    quantiles = {"whislo": box.low, "q1": box.q1, "med": box.median, "q3": box.q3, "whishi": box.high}
    filled = group.images == "anomalous"
    axes.bxp(
        [quantiles],
        positions=[x],
        widths=width,
        showfliers=False,
        showcaps=False,
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": colour if filled else "white", "edgecolor": colour},
        whiskerprops={"color": colour},
        medianprops={"color": "white" if filled else colour},
    )


def _box_key(figure: "Figure", plot: BoxPlot) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(
            facecolor=PLOT_COLOURS[at % len(PLOT_COLOURS)] if images == "anomalous" else "white",
            edgecolor=PLOT_COLOURS[at % len(PLOT_COLOURS)],
            label=printable(f"gamma {gamma}, {images} test images"),
        )
        for at, gamma in enumerate(plot.gammas)
        for images in ("normal", "anomalous")
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)


def _wrapped(title: str) -> str:
    from textwrap import fill

    return fill(title, 72, break_on_hyphens=False)
