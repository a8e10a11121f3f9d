import sys
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from reports.errors import ReportError
from reports.figures import boxes, forest, history, plots
from reports.layouts import layout
from reports.tables import table
from results.scores import Scores

mpl = pytest.importorskip("matplotlib", reason="the extra plots is not installed")

PNG = b"\x89PNG\r\n\x1a\n"
FIGURES = ["dra:3left", "dra:3right", "dra:5"]


def figure(name, records=(), show="both", method="dra"):
    return table.build_table(layout.figure_layout(name), records, measures=lambda _: {method}, versions={}, show=show)


def hard(record, **options):
    return [record(0.7, dataset="elpv", known_class=known, **options) for known in ("mono", "poly")]


def texts(svg):
    return [" ".join(element.itertext()) for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_in_both_formats(name):
    assert plots.draw_dots(figure(name), "png").startswith(PNG)
    said = texts(plots.draw_dots(figure(name), "svg"))
    chosen = layout.figure_layout(name)
    wanted = {
        chosen.label(key, value)
        for place in chosen.published_cells
        for key, value in place.coordinates
        if key != "shots"
    }
    assert wanted - {"", "Mean"} <= set(said)
    assert "published" in said
    assert "measured, std over seeds" not in said


def drawn(monkeypatch):
    """The markers that are drawn: (y, face colour or `none`)."""
    from matplotlib.axes import Axes

    seen = []
    plot, errorbar = Axes.plot, Axes.errorbar
    monkeypatch.setattr(
        Axes,
        "plot",
        lambda self, x, y, *rest, **how: (seen.append((y, how.get("markerfacecolor"))), plot(self, x, y, *rest, **how))[
            1
        ],
    )
    monkeypatch.setattr(
        Axes,
        "errorbar",
        lambda self, x, y, **how: (seen.append((y, how["color"], how["yerr"])), errorbar(self, x, y, **how))[1],
    )
    return seen


def test_published_dots_are_hollow_and_measured_ones_filled(record, monkeypatch):
    seen = drawn(monkeypatch)
    records = [one for seed in range(2) for one in hard(record, seed=seed)]
    said = texts(plots.draw_dots(figure("dra:5", records), "svg"))
    assert [y for y, *how in seen if how == ["none"]] == [
        0.828, 0.756, 0.935, 0.688, 0.630, 0.733, 0.689, 0.699, 0.766, 0.872, 0.872, 0.844,
    ]  # fmt: skip
    assert [one for one in seen if len(one) == 3] == [(pytest.approx(0.7), plots.PLOT_COLOURS[2], 0.0)]
    assert "measured, std over seeds" in said


@pytest.mark.parametrize(
    ("weights", "filling", "words"),
    [
        ("genuine:resnet18-f37072fd.pth", "full", "measured, std over seeds"),
        ("random", "left", "measured, not comparable with the paper"),
    ],
)
def test_a_dot_that_is_not_comparable_is_half_filled(record, monkeypatch, weights, filling, words):
    from matplotlib.axes import Axes

    fillings, errorbar = [], Axes.errorbar
    monkeypatch.setattr(
        Axes, "errorbar", lambda self, x, y, **how: (fillings.append(how["fillstyle"]), errorbar(self, x, y, **how))[1]
    )
    records = [run for seed in range(2) for run in hard(record, seed=seed, weights=weights)]
    said = texts(plots.draw_dots(figure("dra:5", records), "svg"))
    assert fillings == [filling]
    assert [text for text in said if text.startswith("measured")] == [words]


@pytest.mark.parametrize(("weights", "is_apart"), [("genuine:resnet18-f37072fd.pth", False), ("random", True)])
def test_a_forest_plot_says_what_is_not_comparable(record, weights, is_apart):
    runs = [run for seed in range(3) for run in hard(record, seed=seed, weights=weights)]
    built = history.cell_history("hard/elpv/mono/dra/10", runs, measures=lambda _: {"dra"}, versions={})
    rows = forest.forest_rows(built)
    assert (f"{forest.APART} ours, not comparable with the paper" in forest.forest_legend(rows)) == is_apart
    assert ("x ours" in forest.forest_legend(rows)) != is_apart
    (line,) = [line for line in forest.forest_text(rows, 1.0).splitlines() if line.startswith("ours, official")]
    assert (forest.APART in line) == is_apart
    labels = texts(plots.draw_forest(rows, "title", "AUC", 1.0, "svg"))
    assert ("ours, official (not comparable)" in labels) == is_apart


def test_show_measured_draws_no_published_dot(record, monkeypatch):
    seen = drawn(monkeypatch)
    plots.draw_dots(figure("dra:5", hard(record), show="measured"), "png")
    assert not [one for one in seen if one[1] == "none"]
    assert len([one for one in seen if len(one) == 3]) == 1


def test_same_numbers_same_bytes():
    assert plots.draw_dots(figure("dra:5"), "svg") == plots.draw_dots(figure("dra:5"), "svg")


def test_box_plot(record):
    made = [
        record(method="agad_unet", dataset=dataset, rule="labelled_share", known_class=None, shots=None, normal_class=name, gamma=gamma)
        for dataset in ("cifar10", "cifar100")
        for name in ("0", "1")
        for gamma in ("0.05", "0.20")
    ]  # fmt: skip
    scores = Scores(tuple("abcd"), ("normal", "normal", "1", "1"), np.array([0.0, 1.0, 2.0, 3.0]))
    plot = boxes.collect_boxes(
        layout.figure_layout("agad:4"), made, scores=lambda _: scores, measures=lambda _: {"agad_unet"}, versions={}
    )
    assert plots.draw_boxes(plot, "png").startswith(PNG)
    said = texts(plots.draw_boxes(plot, "svg"))
    assert {"CIFAR-10", "CIFAR-100", "gamma 0.05, normal test images", "gamma 0.20, anomalous test images"} <= set(said)


def test_other_formats_are_refused():
    with pytest.raises(ReportError, match="no picture format 'pdf': choose svg or png"):
        plots.draw_dots(figure("dra:5"), "pdf")


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ReportError, match=r"pip install 'swanbench\[plots\]', or take --format csv"):
        plots.draw_dots(figure("dra:5"), "png")
