"""The suites that come with the package cover the papers' tables."""

import csv
from importlib.resources import files

import pytest

from benchmark.errors import BenchError
from benchmark.suite import Selection, expand, load, names


def wanted(name, **selection):
    suite = load(name)
    return expand(suite, Selection(**selection), without_anomalies=suite.without_anomalies, known_classes={})


def published(table, skip=()):
    lines = files("reports").joinpath(f"data/dra_table{table}.csv").read_text(encoding="utf-8").splitlines()
    return {
        (row["dataset"], row["known_class"], row["method"], row["shots"])
        for row in csv.DictReader(lines)
        if row["known_class"] != "mean" and row["dataset"] not in skip
    }


@pytest.mark.parametrize(("name", "table", "skip"), [("general", 1, ("mvtec_ad",)), ("hard", 2, ())])
def test_a_suite_holds_every_cell_of_its_table_three_times(name, table, skip):
    runs = wanted(name)
    cells = [(run.dataset, run.known_class or "", run.method, str(run.shots or "")) for run in runs]
    assert set(cells) == published(table, skip)
    assert len(cells) == 3 * len(set(cells))
    assert {run.seed for run in runs} == {0, 1, 2}


def test_the_quick_suite_is_four_runs():
    assert [(run.method, run.known_class, run.shots, run.seed) for run in wanted("quick")] == [
        ("devnet", "mono", 10, 0),
        ("dra", "mono", 10, 0),
        ("devnet", "poly", 10, 0),
        ("dra", "poly", 10, 0),
    ]


def test_filters_leave_and_add():
    runs = wanted("hard", datasets=("elpv",), methods=("dra", "kdad"), known_classes=("poly",), shots=(5,), seeds=(7,))
    assert [(run.method, run.known_class, run.shots, run.seed) for run in runs] == [
        ("dra", "poly", 5, 7),
        ("kdad", "poly", None, 7),
    ]


def test_every_suite_of_the_package_loads():
    assert names() == ["general", "hard", "quick"]
    for name in names():
        assert load(name).id == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id = ", "not valid TOML"),
        ('id = "x"', "missing required field"),
        (
            'id = "x"\ntitle = "t"\ntable = "dra:2"\nrule = "hard"\nrecipe = "quick"\nmethods = ["a"]\nshots = ["1"]',
            "shots",
        ),
        ("idd = 1", "idd"),
    ],
)
def test_a_suite_file_that_is_wrong_says_where(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BenchError, match=said):
        load(str(path))
