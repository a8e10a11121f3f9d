"""`bench results curves` and `bench results worst`."""

import csv
import io
import json

import numpy as np
import pytest
from records import make_record

from reports.errors import ReportError
from reports.figures.curves import BARS, CURVE_WIDTH, render_curves, sparkline
from results.reference import reference_records
from results.scores import Scores
from results.store import Store

RECORD = next(record for record in reference_records() if record.history)


def curves(bench, *words):
    return bench("results", "curves", RECORD.spec.name, "--results", "reference", *words)


def test_curves_in_text_have_a_line_a_name_within_eighty_columns(bench):
    code, out, _ = curves(bench)
    assert code == 0
    head, *lines = out.splitlines()
    assert head == f"{RECORD.spec.name}, 30 epochs"
    assert [line.split()[0] for line in lines] == list(RECORD.history)
    assert max(map(len, out.splitlines())) <= 80
    loss = RECORD.history["loss"]
    assert f"{loss[0]:.4g} to {loss[-1]:.4g}, lowest in epoch {loss.index(min(loss)) + 1}" in lines[-1]


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([0.0, 1.0], "▁█"),
        ([3.0, 3.0, 3.0], "▁▁▁"),
        ([7.0, None, 0.0], "█ ▁"),
        ([None], " "),
        ([0.0, 0.0, 7.0, 7.0], "▁█"),
    ],
)
def test_a_curve_in_characters(values, drawn):
    assert sparkline(values, len(drawn)) == drawn


def test_a_long_curve_is_averaged_into_its_width():
    drawn = sparkline([float(number) for number in range(1000)])
    assert (len(drawn), drawn[0], drawn[-1]) == (CURVE_WIDTH, BARS[0], BARS[-1])
    assert list(drawn) == sorted(drawn)


def test_curves_as_numbers_are_those_of_the_record(bench):
    rows = list(csv.DictReader(io.StringIO(curves(bench, "--format", "csv")[1])))
    assert [row["epoch"] for row in rows] == [str(number) for number in range(1, 31)]
    assert [float(row["loss"]) for row in rows] == RECORD.history["loss"]
    content = json.loads(curves(bench, "--format", "json")[1])
    assert content == {"run": RECORD.spec.name, "key": RECORD.key, "history": RECORD.history}


def test_curves_as_a_picture_name_each_line(bench, tmp_path):
    pytest.importorskip("matplotlib")
    assert curves(bench, "--format", "svg", "--output", tmp_path / "curves.svg")[0] == 0
    picture = (tmp_path / "curves.svg").read_text()
    assert [name for name in (*RECORD.history, "epoch") if f">{name}</text>" not in picture] == []


def test_a_number_that_was_not_finite_is_counted_and_left_empty():
    record = make_record(history={"loss": [2.0, None, 1.0], "aux": [None, None, None]})
    text = render_curves(record, "text")
    assert "2 to 1, lowest in epoch 3, 1 not finite" in text
    assert "aux   no finite value" in text
    assert render_curves(record, "csv").splitlines()[2] == "2,,"


def test_a_run_without_history_says_so():
    with pytest.raises(ReportError, match="has no curves: its method keeps no history, or it failed; choose"):
        render_curves(make_record(), "text")


SCORES = Scores(
    ids=("n1", "n2", "n3", "a1", "a2", "b1"),
    classes=("normal", "normal", "normal", "bent", "bent", "rust"),
    values=np.array([0.1, 0.9, 0.5, 0.2, 0.9, 0.5]),
)


@pytest.fixture
def worst(bench, house):
    record = make_record()
    Store(house.results).put(record, SCORES)

    def ask(*words):
        return bench("results", "worst", record.key[:8], *words)

    return ask


def test_the_worst_images_are_normals_scored_high_and_anomalies_scored_low(worst):
    code, out, _ = worst("--count", "2", "--format", "json")
    assert code == 0
    content = json.loads(out)
    assert content["normal"] == [
        {"rank": 1, "score": 0.9, "image_class": "normal", "id": "n2"},
        {"rank": 3, "score": 0.5, "image_class": "normal", "id": "n3"},
    ]
    assert content["anomaly"] == [
        {"rank": 5, "score": 0.2, "image_class": "bent", "id": "a1"},
        {"rank": 3, "score": 0.5, "image_class": "rust", "id": "b1"},
    ]


def test_the_worst_images_in_text_and_csv_are_the_same(worst):
    text = worst()[1]
    assert "ranks of 6 test images" in text
    rows = list(csv.DictReader(io.StringIO(worst("--format", "csv")[1])))
    assert [row["id"] for row in rows] == ["n2", "n3", "n1", "a1", "b1", "a2"]
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("     ")] == [row["id"] for row in rows]


def test_a_run_without_scores_has_no_worst_images(bench):
    code, out, err = bench("results", "worst", RECORD.key, "--results", "reference")
    assert (code, out) == (2, "")
    assert f"run {RECORD.spec.name}: no scores of it are stored" in err


def test_a_count_of_none_is_refused(worst):
    code, _, err = worst("--count", "0")
    assert code == 2
    assert "0 is not in the range x>=1" in err
