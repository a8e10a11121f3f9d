"""History of a cell: its sources, runs and verdicts, and the forest plot in characters, pictures and numbers."""

import csv
import json
from dataclasses import replace
from io import StringIO

import pytest

from reports.errors import ReportError
from reports.figures import history_output
from reports.figures.forest import WIDTH, forest_rows, forest_text
from reports.figures.history import cell_history
from reports.tables.sources import published_sources

GENERAL = {"rule": "general", "known_class": None}


def history(records=(), name="hard/elpv/mono/dra/10", **kwargs):
    return cell_history(
        name, records, measures=lambda record: [record.spec.method], versions={"dra": 1, "mlep": 1}, **kwargs
    )


def test_verdicts_against_each_source_and_against_all(record):
    built = history([record(0.80 + 0.002 * seed, seed=seed, **GENERAL) for seed in range(5)], "general/elpv/dra/10")
    assert [judged.source.paper for judged in built.sources] == ["dra", "ahl", "qsco"]
    assert [judged.verdict.name for judged in built.sources] == ["lower", "lower", "inconclusive"]
    assert built.measured.mean == pytest.approx(0.804)
    differences = [judged.verdict.comparison.difference for judged in built.sources]
    assert differences == pytest.approx([0.804 - 0.845, 0.804 - 0.843, 0.804 - 0.821])
    assert built.against_all.name == "lower"
    assert built.against_all.comparison.difference == pytest.approx(0.804 - built.pooled.mean)
    assert [(run.seeds.seed, run.value, run.in_tables, run.reasons) for run in built.runs] == [
        (seed, 0.80 + 0.002 * seed, True, ()) for seed in range(5)
    ]


def test_a_run_says_why_it_does_not_count(record):
    records = [
        record(0.7),
        record(0.6, recipe="quick"),
        record(failed="out of luck\nand more", seed=1),
        record(0.5, version=0, seed=2),
        record(0.9, dataset="carpet", known_class="color"),
    ]
    reasons = {(run.recipe, run.seeds.seed, run.value): run.reasons for run in history(records).runs}
    assert reasons == {
        ("official", 0, 0.7): (),
        ("official", 1, None): ("failed: out of luck",),
        ("official", 2, 0.5): ("measured by version 0 of dra, now 1",),
        ("quick", 0, 0.6): ("recipe quick",),
    }


def test_a_quote_gets_no_verdict(record):
    made = [record(0.97, method="mlep", dataset="sdd", seed=seed, **GENERAL) for seed in range(3)]
    built = history(made, "general/sdd/mlep/10")
    assert [judged.verdict is None for judged in built.sources] == [False, True]
    assert (built.pooled, built.against_all) == (None, None)
    page = history_output.render_history(built, "md")
    assert "it prints 0.983±0.013" in page
    assert "On the published values" in page
    assert "printed 0.783+-0.013" in " ".join(page.split())


def test_a_mean_lists_the_runs_of_its_subsets(record):
    built = history([record(0.7), record(0.8, known_class="poly")], "hard/elpv/mean/dra/10")
    assert [(run.subset, run.value) for run in built.runs] == [("Mono", 0.7), ("Poly", 0.8)]
    assert built.measured.mean == pytest.approx(0.75)
    labels = [row.label for row in forest_rows(built)]
    assert labels[-2:] == ["mean of 3 sources", "ours, official"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hard/elpv/mono/dra/1O", "did you mean 'hard/elpv/mono/dra/1'?"),
        ("nonsense", "an id is PROTOCOL/DATASET/"),
        ("dra:2/general/elpv/dra/10", "general/elpv/dra/10 is printed in ahl:7, dra:1, dra:3, dra:7, qsco:4"),
        ("one_class/cifar10/csi_gan/fid", "holds no AUC: print it with bench report --table csi_gan:ablation"),
    ],
)
def test_an_unknown_cell_is_told(name, said):
    with pytest.raises(ReportError, match=r"cell|AUC") as caught:
        history(name=name)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "name", ["hard/elpv/mono/dra/10", "dra:8/hard/elpv/mono/dra/10", " ahl:8/hard/elpv/mono/dra/10"]
)
def test_a_cell_is_known_with_and_without_its_table(name):
    assert history(name=name).id == "hard/elpv/mono/dra/10"


def test_every_history_fits_a_terminal():
    for name in published_sources().ids[::40]:
        built = history(name=name, published_only=True) if not name.endswith("/fid") else None
        if built:
            lines = history_output.render_history(built, "md").splitlines()
            assert max(map(len, lines)) <= WIDTH, name


def test_bars_stand_where_the_axis_says():
    built = history()
    lines = forest_text(forest_rows(built), 1.0).splitlines()
    axis, ticks = lines[-2], lines[-1]
    places = [at for at, character in enumerate(axis) if character == "+"]
    numbers = [float(text) for text in ticks.split()]
    assert len(places) == len(numbers)
    width = (numbers[-1] - numbers[0]) / (places[-1] - places[0])
    for row, line in zip(forest_rows(built), lines, strict=False):
        at = line.index("o", 27)
        assert abs(numbers[0] + (at - places[0]) * width - row.mean) <= width
        assert abs(numbers[0] + (line.index("|") - places[0]) * width - row.low) <= width


def test_the_numbers_of_all_formats_agree(record):
    built = history([record(0.75), record(0.77, seed=1)], "hard/elpv/mono/dra/10")
    content = json.loads(history_output.render_history(built, "json"))
    rows = list(csv.DictReader(StringIO(history_output.render_history(built, "csv"))))
    assert [row["kind"] for row in rows] == ["paper", "rerun", "measured", "run", "run"]
    assert [row["mean"] for row in rows[:2]] == ["0.731", "0.735"]
    assert [source["mean"] for source in content["sources"]] == [0.731, 0.735]
    assert [float(row["mean"]) for row in rows[3:]] == [run["value"] for run in content["runs"]] == [0.75, 0.77]
    assert content["measured"]["mean"] == pytest.approx(0.76)
    assert (content["independent_sources"], content["mean_over_sources"]) == (2, None)
    assert all(run["comparable"] for run in content["runs"])


def test_pictures(record):
    built = history([record(0.75), record(0.77, seed=1)])
    svg = history_output.render_history(built, "svg").decode()
    assert svg == history_output.render_history(built, "svg").decode()
    for text in ("DRA Table 2, paper", "AHL Table 8, rerun", "0.735±0.008 n=3", "ours, official"):
        assert text in svg
    page = history_output.render_history(built, "html")
    assert page.count("<svg") == 1
    assert "<?xml" not in page


def test_html_without_matplotlib_has_the_plot_in_characters(monkeypatch):
    monkeypatch.setattr(history_output, "has_plots", lambda: False)
    page = history_output.render_history(history(), "html")
    assert "<svg" not in page
    assert "<pre>DRA Table 2, paper" in page


def test_no_other_format():
    with pytest.raises(ReportError, match="no format 'latex'"):
        history_output.render_history(history(), "latex")


def test_no_label_ends_the_block_of_the_plot():
    rows = [replace(row, label="``` and more, \x1b[2J") for row in forest_rows(history())]
    text = forest_text(rows, 1.0)
    assert "`" not in text
    assert "\x1b" not in text
