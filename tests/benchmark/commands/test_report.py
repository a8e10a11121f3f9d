"""`bench report`: every table and figure of the papers, from the command line."""

import csv
import json
import re
from io import StringIO

import numpy as np
import pytest
from records import make_fit, make_record, make_spec, make_split

from benchmark.cli import status
from benchmark.views.tables import fact_tables
from protocols.catalogue.data_folder import adopt_dataset
from results.record import Counts
from results.reference import reference_records
from results.scores import Scores
from results.store import Store

TABLES = [f"dra:{number}" for number in (1, 2, 3, 4, 5, 7, 8, 9)]
TABLES += [f"agad:{number}" for number in (1, 2, 3, 4, 5, 8, 9)]
TABLES += ["ahl:4", "ahl:7", "ahl:8", "csi_gan:1", "csi_gan:ablation", "qsco:4", "qsco:5"]


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    for name in ("data", "cache", "runs"):
        monkeypatch.setenv({"runs": "BENCH_RESULTS"}.get(name, f"BENCH_{name.upper()}"), str(tmp_path / name))


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_printed_from_nothing(table, capfd):
    assert status(["report", "--table", table, "--show", "published", "--format", "csv"]) == 0
    said = capfd.readouterr()
    assert len(said.out.splitlines()) > 3
    assert said.err == ""


@pytest.mark.parametrize("form", ["md", "latex", "html", "csv", "json"])
@pytest.mark.parametrize("table", ["dra:9", "csi_gan:1", "agad:8"])
def test_in_every_format(table, form, tmp_path):
    file = tmp_path / "table"
    assert status(["report", "--table", table, "--format", form, "--output", str(file)]) == 0
    text = file.read_text(encoding="utf-8")
    assert {"dra:9": "0.983", "csi_gan:1": "95.1", "agad:8": "16.73"}[table] in text
    assert form != "json" or json.loads(text)["table"] == table


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--table", "6"], "Table 6 of DRA holds no results"),
        (["--table", "dra:6"], "Table 6 of DRA holds no results"),
        (["--table", "agad:6"], "Table 6 of AGAD holds no results"),
        (["--table", "agad:7"], "Table 7 of AGAD holds no results"),
        (["--table", "csi_gan:ablaton"], "did you mean 'csi_gan:ablation'?"),
        (["--figure", "dra:6"], "no figure 'dra:6'"),
        ([], "give --table or --figure, as bench report --help has them"),
        (["--table", "2", "--figure", "dra:5"], "give --table or --figure, as bench report --help has them"),
        (["--table", "2", "--format", "png"], "--format png is for figures"),
        (["--figure", "agad:4", "--format", "md"], "--format md is not for a figure of scores"),
        (["--figure", "agad:4"], "run bench run --suite labelled_share --method agad_unet --gamma 0.05,0.20 first"),
        (["--table", "2", "--cell", "hard/elpv/mono/dra/10"], "give --table or --figure"),
        (["--cell", "hard/elpv/mono/dra/1O"], "no cell 'hard/elpv/mono/dra/1O': did you mean 'hard/elpv/mono/dra/1'?"),
        (["--cell", "hard/elpv/mono/dra/10", "--format", "latex"], "not for a cell: choose md, html, csv, json, svg"),
        (["--cell", "hard/elpv/mono/dra/10", "--show", "measured"], "leaves no history of a cell"),
        (["--cell", "hard/elpv/mono/dra/10", "--metric", "fpr_at_95_tpr"], "--metric says nothing of the history"),
        (["--cell", "hard/elpv/mono/dra/10", "--sources", "all"], "--sources is for tables"),
        (["--figure", "dra:5", "--sources", "all"], "--sources is for tables"),
        (["--table", "dra:5", "--sources", "all"], "--sources says nothing of a table of facts"),
        (["--table", "2", "--width", "column"], "--width and --no-notes are for a table in LaTeX: add --format latex"),
        (["--table", "2", "--format", "html", "--no-notes"], "--width and --no-notes are for a table in LaTeX"),
        (["--figure", "dra:5", "--format", "latex", "--width", "text"], "are for a table in LaTeX"),
        (["--table", "dra:5", "--format", "macros"], "Table 5 of DRA: Images of the datasets holds no AUCs"),
        (["--table", "2", "--show", "published", "--format", "macros"], "holds measured values: leave out --show"),
        (
            ["--table", "2", "--method", "dev_net"],
            "has no method 'dev_net': did you mean 'devnet'?; --add METHOD gives",
        ),
        (["--table", "2", "--dataset", "elvp"], "has no dataset 'elvp': did you mean 'elpv'?"),
        (["--table", "2", "--shots", "5"], "has no shots '5': choose one of 1, 10"),
        (["--table", "2", "--gamma", "0.05"], "has no gamma to choose: leave out --gamma"),
        (["--table", "2", "--method", "kdad", "--dataset", "elpv", "--measured-only"], "that is asked for is measured"),
        (["--table", "2", "--add", "devnt"], "unknown method 'devnt': did you mean 'devnet'?"),
        (["--table", "agad:5", "--add", "devnet"], "Table 5 of AGAD: "),
        (["--table", "2", "--add", "agad", "--show", "published"], "--add is for measured values"),
        (["--suite", "hard", "--measured-only"], "no run of suite hard that is asked for is measured"),
        (["--table", "dra:5", "--dataset", "elpv"], "--dataset is for tables of AUCs and suites"),
        (["--cell", "hard/elpv/mono/dra/10", "--add", "dra"], "--add is for tables of AUCs and suites"),
        (["--figure", "agad:4", "--method", "agad_unet,agad"], "a figure of scores shows one method, give one"),
        (["--figure", "agad:4", "--measured-only"], "--measured-only is for tables of AUCs and suites"),
        (["--table", "2", "--where", "optim.lt=1", "--results", "reference"], "'optim.lt': did you mean 'optim.lr'?"),
        (["--table", "2", "--where", "precison=bf16", "--results", "reference"], "did you mean 'precision'?"),
        (["--table", "2", "--baseline", "dra"], "--baseline is for --suite"),
        (["--suite", "hrad"], "did you mean 'hard'?"),
        (["--suite", "none.toml"], "cannot read the suite file none.toml"),
        (["--suite", "hard"], "no run of suite hard that is asked for is measured: bench run --suite hard makes them"),
        (["--suite", "hard", "--table", "2"], "give --table or --figure"),
        (["--suite", "hard", "--show", "published"], "--show published is for what papers print"),
        (["--suite", "hard", "--margin", "0.05"], "--margin is for verdicts on published values"),
        (["--suite", "hard", "--dataset", "elvp", "--results", "reference"], "did you mean 'elpv'?"),
        (
            ["--suite", "hard", "--baseline", "devnet", "--results", "reference"],
            "--baseline devnet: no measured column",
        ),
        (["--suite", "hard", "--gamma", "0.05", "--results", "reference"], "--gamma does not fit suite hard"),
    ],
)
def test_what_cannot_be_printed_is_one_line_and_exit_2(words, said, capfd):
    assert status(["report", *words]) == 2
    shown = capfd.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""


@pytest.mark.parametrize("table", ["dra:5", "agad:8"])
def test_the_gate_refuses_tables_without_aucs(table, capfd):
    assert status(["check", "--against", "published", "--table", table]) == 2
    assert "holds no AUCs" in capfd.readouterr().err


@pytest.mark.parametrize("form", ["md", "html", "csv", "json", "svg"])
def test_a_cell_in_every_format(form, tmp_path):
    file = tmp_path / "cell"
    words = ["report", "--cell", "hard/elpv/mono/dra/10", "--results", "reference", "--format", form]
    assert status([*words, "--output", str(file)]) == 0
    text = file.read_text(encoding="utf-8")
    assert "0.735" in text
    assert form not in {"html", "svg"} or "<svg" in text
    if form == "json":
        packaged = [record.spec for record in reference_records() if record.spec.method == "dra"]
        runs = [spec for spec in packaged if (spec.split.rule, spec.split.known_class) == ("hard", "mono")]
        assert len(json.loads(text)["runs"]) == len(runs)


def test_latex_of_a_width_without_notes(capfd):
    words = ["report", "--table", "2", "--format", "latex", "--results", "reference"]
    assert status([*words, "--width", "landscape", "--no-notes"]) == 0
    page = capfd.readouterr().out
    assert page.count(r"\begin{sidewaystable*}") == page.count(r"\end{sidewaystable*}") > 1
    assert r"\item[" not in page
    assert status(words) == 0
    assert r"\begin{table*}" in capfd.readouterr().out


def test_macros_of_the_packaged_records(capfd):
    assert status(["report", "--table", "2", "--format", "macros", "--results", "reference"]) == 0
    assert re.search(
        r"^\\swanbenchdefine\{hard\}\{elpv\}\{mono\}\{dra\}\{10\}\{0\.\d{3}", capfd.readouterr().out, re.MULTILINE
    )


def test_other_papers_are_further_columns(capfd):
    assert status(["report", "--table", "2", "--sources", "all", "--format", "csv", "--results", "reference"]) == 0
    found = {(row["dataset"], row["known_class"], row["method"], row["shots"]): row for row in rows(capfd)}
    cell = found["elpv", "mono", "dra", "10"]
    assert (cell["ahl_mean"], cell["ahl_std"], cell["ahl_kind"]) == ("0.735", "0.008", "rerun")
    assert cell["ahl_verdict"] == cell["verdict"] == "not_comparable"
    assert found["elpv", "mean", "dra", "10"]["qsco_mean"] == "0.705"
    assert found["elpv", "mono", "flos", "10"]["ahl_kind"] == "quoted"


def rows(capfd):
    return list(csv.DictReader(StringIO(capfd.readouterr().out)))


def test_table_5_counts_what_is_prepared(tiny_folder, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)  # no elpv-dataset
    adopted = adopt_dataset(tiny_folder, "carpet", tmp_path / "data")
    assert status(["report", "--table", "dra:5", "--format", "csv"]) == 0
    captured = capfd.readouterr()
    found = {row["dataset"]: row for row in csv.DictReader(StringIO(captured.out))}
    anomalies = sum(row.label != "normal" for row in adopted.rows)
    assert found["carpet"]["test_anomaly"] == "89"
    assert found["carpet"]["measured_test_anomaly"] == str(anomalies)
    assert found["carpet"]["measured_anomaly_classes"] == str(len(adopted.labels))
    normals = int(found["carpet"]["measured_train_normal"]) + int(found["carpet"]["measured_test_normal"])
    assert normals == len(adopted.rows) - anomalies
    assert found["mvtec_ad"]["note"] == "1 of 15 are there"
    assert found["elpv"]["measured_train_normal"] == ""
    assert "elpv is not counted: elpv needs the package elpv-dataset" in captured.err


def test_table_8_shows_the_parameters_of_the_networks_as_they_are(capfd):
    (table,) = fact_tables.sized_tables()
    packaged = json.loads(fact_tables.NETWORKS.read_text(encoding="utf-8"))
    assert packaged == {"agad:8": fact_tables.count_networks(table, pytest.fail)}
    assert status(["report", "--table", "agad:8", "--format", "csv"]) == 0
    found = {row["method"]: (row["params_millions"], row["measured_params_millions"]) for row in rows(capfd)}
    assert found == {"agad_naive": ("2.04", "2.14"), "agad_unet": ("7.76", "7.76"), "agad_unetpp": ("9.04", "9.05")}
    assert status(["methods", "sizes"]) == 0
    assert capfd.readouterr().out == fact_tables.NETWORKS.read_text(encoding="utf-8")
    assert status(["report", "--table", "agad:8", "--show", "published"]) == 0
    assert "2.14" not in capfd.readouterr().out


def test_a_damaged_dataset_is_named_and_left_empty(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)  # no elpv-dataset
    (tmp_path / "data" / "grid").mkdir(parents=True)
    (tmp_path / "data" / "grid" / "manifest.csv").write_text("rubbish\n")
    assert status(["report", "--table", "dra:5", "--format", "csv", "--show", "measured"]) == 0
    captured = capfd.readouterr()
    assert "grid is not counted: " in captured.err
    assert "grid,,,,,,,,,,\n" in captured.out


@pytest.mark.parametrize("figure", ["dra:3left", "dra:3right", "dra:5"])
def test_a_figure_is_numbers_first(figure, capfd):
    assert status(["report", "--figure", figure]) == 0
    found = rows(capfd)
    assert list(found[0])[-6:] == ["published_mean", "published_std", "measured_mean", "measured_std", "n", "verdict"]
    assert {row["verdict"] for row in found} == {"missing"}


def test_a_figure_is_drawn_into_a_file(tmp_path):
    pytest.importorskip("matplotlib", reason="the extra plots is not installed")
    for form, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        file = tmp_path / f"figure.{form}"
        assert status(["report", "--figure", "dra:5", "--format", form, "--output", str(file)]) == 0
        assert file.read_bytes().startswith(start)


def store_run(folder, normal_class):
    """A run of AGAD with five images; `folder` keeps the record, and the scores beside it."""
    fit = make_fit(detector="agad", params={}, train_normal=normal_class, size=32, weights={})
    split = make_split(
        dataset="fashion_mnist",
        rule="labelled_share",
        known_class=None,
        shots=None,
        normal_class=normal_class,
        gamma="0.05",
    )
    spec = make_spec(fit, split, test=normal_class, evaluation=None, method="agad_unet", recipe="quick")
    counts = Counts(train_normal=1, train_anomaly=1, test_normal=2, test_anomaly=3)
    record = make_record(spec, 0.9, average_precision=0.9, counts=counts)
    scores = Scores(tuple("abcde"), ("normal", "normal", "1", "1", "2"), np.array([0.0, 1.0, 2.0, 3.0, 4.0]))
    Store(folder).put(record, scores)
    return record


def test_scores_of_runs_become_boxes(tmp_path, capfd):
    for normal_class in ("0", "1"):
        store_run(tmp_path / "runs", normal_class)
    assert status(["report", "--figure", "agad:4"]) == 0
    found = rows(capfd)
    assert [(row["normal_class"], row["images"], row["median"]) for row in found] == [
        ("0", "normal", "0.5"), ("0", "anomalous", "3.0"), ("1", "normal", "0.5"), ("1", "anomalous", "3.0"),
    ]  # fmt: skip
    assert status(["report", "--figure", "agad:4", "--gamma", "0.20"]) == 2
    assert "with gamma 0.20" in capfd.readouterr().err


def test_scores_that_are_gone_are_told(tmp_path, capfd):
    record = store_run(tmp_path / "runs", "0")
    Store(tmp_path / "runs").scores_path(record.key).unlink()
    assert status(["report", "--figure", "agad:4"]) == 2
    assert f"no scores of run {record.spec.name}" in capfd.readouterr().err
