"""Numbers behind the pictures of a page, by hand."""

import re
from math import sqrt

import numpy as np
import pytest
import records

from reports.layouts import layout
from reports.pages.html.curves import draw_histogram, draw_losses, image_kinds, roc_curve
from reports.pages.html.evidence import ScoredRun
from reports.pages.html.forests import forests
from reports.pages.html.runs import class_lines
from reports.pages.html.seen import slope_charts
from reports.pages.html.svg import AxisScale, round_axis, svg_line, svg_picture, svg_text
from reports.tables import table
from reports.tables.sources import table_sources
from results.record import Counts
from results.scores import Scores


def scores(**values):
    labels = [name for name, numbers in values.items() for _ in numbers]
    every = [number for numbers in values.values() for number in numbers]
    return Scores(tuple(map(str, range(len(labels)))), tuple(labels), np.array(every, dtype=np.float64))


def test_the_curve_and_the_interval_of_its_area_by_hand():
    """Placements of anomalies 2, 4, 4 among normals 1, 3: 1/2, 1, 1; of normals: 1, 2/3. Mean 5/6; variances 1/12 and
    1/18, so that the squared error is 1/36 + 1/36.
    """
    curve = roc_curve(scores(normal=[1, 3], dent=[2, 4, 4]))
    assert curve.points == (
        (0.0, 0.0),
        (0.0, pytest.approx(2 / 3)),
        (0.5, pytest.approx(2 / 3)),
        (0.5, 1.0),
        (1.0, 1.0),
    )
    assert curve.area == pytest.approx(5 / 6)
    assert curve.low == pytest.approx(5 / 6 - 1.959964 * sqrt(1 / 18), abs=1e-6)
    assert curve.high == 1.0


def test_the_band_holds_the_curve_and_shrinks_with_images():
    draw = np.random.default_rng(0)
    few, many = (
        roc_curve(scores(normal=draw.normal(0, 1, number), dent=draw.normal(1, 1, number))) for number in (50, 5000)
    )
    widths = []
    for curve in (few, many):
        alarms, found = zip(*curve.points, strict=True)
        for at, low, high in curve.band:
            assert low - 0.03 <= np.interp(at, alarms, found) <= high + 0.03
        widths.append(np.mean([high - low for _, low, high in curve.band]))
    assert widths[0] / widths[1] == pytest.approx(10, rel=0.35)


def test_the_band_covers_the_true_curve_in_95_of_100_cases():
    """At a false alarm rate of 0.2 two unit normals at distance 1 have a true rate of 0.5628."""
    draw, covered = np.random.default_rng(1), 0
    for _ in range(400):
        curve = roc_curve(scores(normal=draw.normal(0, 1, 80), dent=draw.normal(1, 1, 80)))
        _, low, high = curve.band[8]
        covered += low <= 0.5628 <= high
    assert 0.90 < covered / 400 < 0.99


def test_one_image_of_a_kind_has_no_interval():
    curve = roc_curve(scores(normal=[1, 3], dent=[2]))
    assert (curve.area, curve.low, curve.high) == (0.5, None, None)


def test_kinds_of_images_are_gray_and_black_swans():
    made = scores(normal=[1], mono=[2, 3], poly=[4])
    assert image_kinds(made, "mono") == {"normal": [1], "seen class": [2, 3], "unseen classes": [4]}
    assert image_kinds(made, None) == {"normal": [1], "anomalies": [2, 3, 4]}


def test_equal_scores_can_be_drawn():
    assert "<svg" in draw_histogram(image_kinds(scores(normal=[1, 1], dent=[1]), None))


def test_losses_of_one_epoch_or_none_are_no_line():
    assert draw_losses({"loss": [1.0], "other": [None, None]}) == ""
    assert "loss: 1 to 0.5" in draw_losses({"loss": [1.0, None, 0.5]})


def test_numbers_by_class_are_against_all_normal_images():
    """Of 4 and 2 against 1, 3: AUC of `big` 1, of `small` 1/2 with average precision 1/2."""
    lines = {line.label: line for line in class_lines(scores(normal=[1, 3], big=[4, 5], small=[2]), "big")}
    assert (lines["big"].auroc, lines["big"].average_precision, lines["big"].images, lines["big"].kind) == (
        "1.000",
        "1.000",
        2,
        "seen",
    )
    assert (lines["small"].auroc, lines["small"].average_precision, lines["small"].kind) == ("0.500", "0.500", "unseen")


def scored(made, *, rule, known_class, shots=10, anomalies=10):
    split = records.make_split(rule=rule, known_class=known_class, shots=shots)
    counts = Counts(train_normal=9, train_anomaly=anomalies, test_normal=2, test_anomaly=2)
    return ScoredRun({"dra"}, records.make_record(records.make_spec(split=split), counts=counts), made)


def charts(runs, name="2"):
    return slope_charts(table.build_table(layout.auc_layout(name), [], measures=lambda _: (), versions={}), runs)


def test_a_class_seen_in_the_general_setting_stands_beside_itself_unseen():
    runs = [
        scored(scores(normal=[1, 3], mono=[4], poly=[4]), rule="general", known_class=None),
        scored(scores(normal=[1, 3], poly=[2]), rule="hard", known_class="mono"),
    ]
    (chart,) = charts(runs)
    assert chart.lines == (("ELPV", "Poly", "1.000 (1 run)", "0.500 (1 run)", "-0.500"),)
    assert (
        "AUC 1.000 on seen classes and 0.500 on the same classes unseen, a change of -0.500 over 1 class"
        in chart.sentence
    )


def test_other_numbers_of_shots_and_fits_without_anomalies_are_not_mixed():
    seen = scores(normal=[1, 3], poly=[4])
    unseen = scored(seen, rule="hard", known_class="mono")
    assert charts([scored(seen, rule="general", known_class=None, shots=1), unseen]) == ()
    assert charts([scored(seen, rule="general", known_class=None, anomalies=0), unseen]) == ()
    assert charts([scored(seen, rule="one_class", known_class=None), unseen]) == ()


def test_a_forest_has_a_dot_a_seed_and_a_ring_a_source(record):
    made = [record(0.70 + 0.01 * seed, seed=seed) for seed in range(4)]
    built = table.build_table(layout.auc_layout("2"), made, measures=lambda run: {run.spec.method}, versions={})
    numbers = {number: "place" for number, cell in enumerate(built.cells) if cell.measured}
    (forest,) = forests(built, numbers, table_sources(built))
    (line,) = forest.lines
    dots = re.search(r'class="dot" d="([^"]*)"', line.plot)[1]
    assert dots.count("h0") == 4
    assert line.plot.count('class="ring"') == 1
    assert line.plot.count('class="ring other"') == 1
    assert line.plot.count('class="margin"') == 1
    assert (forest.title, line.published, line.measured) == ("ELPV", "0.731±0.021", "0.715±0.013")


def test_a_method_of_its_own_has_an_interval_but_no_ring(record):
    made = [record(0.80 + 0.01 * seed, seed=seed, method="mine") for seed in range(3)]
    built = table.build_table(
        layout.auc_layout("2"), made, measures=lambda run: {run.spec.method}, versions={}, added_methods=["mine"]
    )
    numbers = {number: "place" for number, cell in enumerate(built.cells) if cell.measured}
    (forest,) = forests(built, numbers, table_sources(built))
    (line,) = forest.lines
    assert line.plot.count('class="interval"') == 2
    assert "ring" not in line.plot
    assert (line.published, line.measured) == ("", "0.810±0.010")


def test_values_beyond_an_axis_stand_at_its_ends():
    scale = AxisScale(0.2, 0.4, 10, 110)
    assert [scale(value) for value in (0.1, 0.3, 0.9)] == [10, pytest.approx(60), 110]
    low, high, ticks = round_axis([0.51, 0.61], 1.0)
    assert (low, high) == (ticks[0], ticks[-1])
    assert ticks == pytest.approx([0.5, 0.52, 0.54, 0.56, 0.58, 0.6, 0.62])


def test_texts_and_labels_of_pictures_are_escaped():
    picture = svg_picture(10, 10, [svg_text(1, 2, "<b>&")], label='"><script>')
    assert "<script>" not in picture
    assert "<b>" not in picture
    assert svg_line([(0, 0), (3.4, 4.6), (3.2, 4.9)], "curve") == '<path class="curve" d="M0 0l3 5"/>'
