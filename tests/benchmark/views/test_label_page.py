"""The page on labelled anomalies: each number is a record's, test sets are told apart, and what is missing is said."""

import csv
import hashlib
import io
import re
from xml.etree import ElementTree as ET

import msgspec
import numpy as np
import pytest
import recorded
from records import make_provenance, make_split

from benchmark.cli import status
from benchmark.planning.suite import load_suite
from benchmark.views.pages.labels import label_picture, packaged_label_report
from benchmark.views.tables.suites import suites_tested_apart
from protocols.datasets.registry import dataset_infos
from reports.comparison.label_page import label_csv, label_page
from results.metrics import computed_metrics
from results.record import Counts
from results.scores import Scores
from results.store import Store

LABELS = {"kdad": (None,), "devnet": (1, 10, 100), "dra": (1, 10, 100)}
VALUES = {None: 0.70, 1: 0.72, 10: 0.80, 100: 0.90}
DATASETS = {"elpv": ("mono", "poly"), "hyper_kvasir": ("esophagitis_a",), "aitex": ("nep",)}
WEIGHTS = {
    "resnet18": "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
}


def run(method, dataset, rule, shots, seed, auroc, *, known_class=None, options=None, params=None, scores=None):
    """A finished run with times of its fit (100 s and one a label) and of its scoring (5 s)."""
    release = dataset_infos()[dataset].releases[""][0]
    split = make_split(
        dataset=dataset,
        dataset_fingerprint=release.fingerprint or "d" * 64,
        rule=rule,
        known_class=known_class,
        shots=shots,
        options=options or {},
    )
    weights = {"resnet18": WEIGHTS["resnet18"]} if method != "kdad" else {}
    made = recorded.built(
        split,
        seed,
        auroc,
        method=method,
        params=params,
        size=128 if method == "kdad" else dataset_infos()[dataset].image_size,
        weights=weights,
        train_normal=hashlib.sha256(f"{dataset}/{rule}/{known_class}/{shots}".encode()).hexdigest(),
        provenance=make_provenance(
            weights=dict.fromkeys(weights, recorded.GENUINE), cpu="Made-up processor", threads=1
        ),
    )
    counts = Counts(train_normal=100, train_anomaly=shots or 0, test_normal=377, test_anomaly=61)
    deviations = [f"split option {name} = {value}" for name, value in split.options.items()]
    deviations += [f"{method}.{name} = {value} (recipe: 50)" for name, value in (params or {}).items()]
    changes = {"spec": msgspec.structs.replace(made.spec, deviations=deviations)}
    changes |= {"counts": counts, "timings": {"fit_s": 100.0 + (shots or 0), "score_s": 5.0}}
    return msgspec.structs.replace(made, **changes, **({"metrics": computed_metrics(scores)} if scores else {})), scores


def class_scores(classes, shift):
    """Sixty normal images, and twenty of each class whose scores are higher by `shift` on average."""
    labels = ("normal",) * 60 + tuple(label for label in classes for _ in range(20))
    values = np.random.default_rng(0).normal(0, 1, len(labels))
    values[60:] += shift
    return Scores(tuple(f"images/{number}.png" for number in range(len(labels))), labels, values)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Every method on three datasets in both settings, and the ten-shot test set of one; DRA on ELPV with scores."""
    folder = tmp_path_factory.mktemp("labels") / "runs"
    store = Store(folder)
    for place, (dataset, classes) in enumerate(DATASETS.items()):
        for method, labels in LABELS.items():
            for shots in labels:
                gain = 0.01 * (method == "dra") - 0.02 * place
                for seed in range(2):
                    value = VALUES[shots] + gain + 0.002 * seed
                    scored = (method, dataset) == ("dra", "elpv")
                    scores = class_scores(["mono", "poly"], 2.0) if scored else None
                    store.put(*run(method, dataset, "general", shots, seed, value, options={"one_shot_test": 100},
                                   scores=scores))  # fmt: skip
                    for known in classes:
                        unseen = {"mono": "poly", "poly": "mono"}.get(known, "other")
                        scores = class_scores([unseen], 0.5) if scored else None
                        store.put(*run(method, dataset, "hard", shots, seed, value - 0.1, known_class=known,
                                       scores=scores))  # fmt: skip
                    if dataset == "aitex" and shots in {None, 10}:
                        store.put(*run(method, dataset, "general", shots, seed, value - 0.05))
    return folder


@pytest.fixture(scope="module")
def report(runs):
    return packaged_label_report(runs, print)


def sections(page):
    return dict(re.findall(r"^## (.*)\n((?:(?!^## ).*\n)*)", page, re.MULTILINE))


def cells(section, *wanted):
    """Texts of the one row of a table that has these cells."""
    rows = [[text.strip() for text in line.strip("| ").split("|")] for line in section.splitlines() if line[:1] == "|"]
    (row,) = [row for row in rows if set(wanted) <= set(row)]
    return row


def test_each_value_stands_under_its_number_of_labels_and_its_test_set(report):
    parts = sections(label_page(report))
    seen = parts["Seen classes: the test set that 100 labels leave"]
    assert cells(seen, "aitex", "DevNet")[3:7] == ["", "0.681±0.001 (2)", "0.761±0.001 (2)", "0.861±0.001 (2)"]
    assert cells(seen, "aitex", "KDAD")[3:7] == ["0.661±0.001 (2)", "", "", ""]
    assert cells(parts["Seen classes: the paper's test set"], "aitex", "DRA")[3:5] == ["", "0.721±0.001 (2)"]
    unseen = parts["Unseen classes"]
    assert cells(unseen, "hyper_kvasir", "DRA")[4:8] == ["", "0.611±0.001 (2)", "0.691±0.001 (2)", "0.791±0.001 (2)"]
    assert cells(unseen, "aitex", "nep", "DevNet")[4:8] == ["", "0.581±0.001 (2)", "0.661±0.001 (2)", ""]


def test_seconds_stand_beside_the_values(report):
    seen = sections(label_page(report))["Seen classes: the test set that 100 labels leave"]
    assert cells(seen, "aitex", "DevNet")[-2:] == ["137", "5.0"]  # (101 + 110 + 200) / 3
    assert "- Made-up processor" in label_page(report)


def test_settings_that_all_runs_of_a_method_share_stand_beside_the_recipe(tmp_path):
    store = Store(tmp_path)
    for shots in (1, 10):
        params = {"budget.epochs": 7}
        store.put(*run("devnet", "aitex", "general", shots, 0, 0.8, options={"one_shot_test": 100}, params=params))
    changed = packaged_label_report(tmp_path, print)
    seen = sections(label_page(changed))["Seen classes: the test set that 100 labels leave"]
    assert cells(seen, "aitex")[2:5] == ["DevNet", "0.800 (1)", "0.800 (1)"]
    assert cells(seen, "aitex")[5].startswith("official, budget.epochs = 7, resnet18 ")
    assert [line["settings"] for line in csv.DictReader(io.StringIO(label_csv(changed)))] == ["budget.epochs = 7"] * 2


def test_ranks_over_three_datasets_have_a_critical_difference_and_no_p_value(report):
    seen = sections(label_page(report))["Seen classes: the test set that 100 labels leave"]
    # q 2.343 for three methods: 2.343 sqrt(3 * 4 / (6 * 3)) = 1.91
    assert (
        "With 100 labels, over 3 datasets: DRA 1.00, DevNet 2.00, KDAD 3.00. Methods whose mean ranks differ by "
        in seen
    )
    assert (
        "less than 1.91 (Nemenyi's critical difference at 0.05) are not told apart: DRA, DevNet; DevNet, KDAD." in seen
    )
    assert "Fewer than 6 datasets are too few for a test" in seen
    assert "With no label nothing can be ranked" in seen


def test_one_dataset_is_not_ranked(report):
    text = sections(label_page(report))["Seen classes: the paper's test set"]
    assert "With no label, 10 labels nothing can be ranked" in text
    assert "Mean ranks" not in text


def test_classes_are_compared_seen_and_unseen_where_scores_are_stored(report):
    text = sections(label_page(report))["The same classes, seen and unseen"]
    general, hard = class_scores(["mono", "poly"], 2.0), class_scores(["poly"], 0.5)
    assert computed_metrics(general).auroc > computed_metrics(hard).auroc
    for labels in (1, 10, 100):
        (row,) = [line for line in text.splitlines() if re.match(rf"\| 100-label test set +\| DRA +\| {labels} ", line)]
        classes, seen, unseen, change = [part.strip() for part in row.strip("| ").split("|")][3:]
        assert classes == "2"
        assert float(change) == pytest.approx(float(unseen) - float(seen), abs=0.0011)
        assert float(seen) > 0.85 > float(unseen)
    assert "KDAD" not in text


def test_what_is_missing_is_counted(report):
    text = sections(label_page(report))["Seen classes: the test set that 100 labels leave"]
    cells_of_suite = 10 * (6 + 10 * 3)
    assert f"21 of {cells_of_suite} cells are measured. `bench run --suite labels --plan` says what is missing." in text


def test_nothing_measured_is_said_and_no_number_is_written(tmp_path, capfd):
    (tmp_path / "runs").mkdir()
    assert status(["report", "--labels", "--results", str(tmp_path / "runs")]) == 0
    page = capfd.readouterr().out
    assert page.count("Nothing of it is measured") == 3
    assert not re.search(r"\d\.\d", page)
    assert status(["report", "--labels", "--results", str(tmp_path / "runs"), "--format", "svg"]) == 2
    assert "there is nothing to draw" in capfd.readouterr().err


def test_the_numbers_as_csv(runs, capfd):
    assert status(["report", "--labels", "--results", str(runs), "--format", "csv", "--method", "dra"]) == 0
    lines = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
    (line,) = [
        line for line in lines if (line["test_set"], line["dataset"], line["labels"]) == ("hard", "hyper_kvasir", "100")
    ]
    assert (line["known_class"], line["n"], float(line["mean"])) == ("esophagitis_a", "2", pytest.approx(0.791))
    assert (line["fit_s"], line["score_s"], line["test_anomaly"]) == ("200.000", "5.000", "61")
    assert {line["method"] for line in lines} == {"DRA"}


def test_the_curves_name_every_panel_and_method(report):
    pytest.importorskip("matplotlib", reason="the extra plots is not installed")
    picture = label_picture(report, "svg")
    texts = ["".join(element.itertext()) for element in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert {"DRA", "DevNet", "KDAD", "0", "1", "10", "100"} <= set(texts)
    panels = {text for text in texts if ": " in text}
    assert panels == {
        *(f"100-label test set: {name}" for name in DATASETS),
        *(f"hard: {name}, {known} known" for name, classes in DATASETS.items() for known in classes),
        "ten-shot test set: aitex",
    }
    assert label_picture(report, "png").startswith(b"\x89PNG")
    assert label_picture(report, "svg") == picture


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--format", "html"], "--format html is not for the page on labels"),
        (["--metric", "auroc_unseen"], "--metric says nothing of the page on labels"),
        (["--table", "2"], "give --table or --figure"),
        (["--gamma", "0.05"], "--gamma is for tables of AUCs and suites"),
        (["--dataset", "elvp"], "did you mean 'elpv'?"),
    ],
)
def test_what_does_not_fit_the_page_is_refused(runs, capfd, words, says):
    assert status(["report", "--labels", "--results", str(runs), *words]) == 2
    assert says in capfd.readouterr().err


def test_the_table_of_the_suite_holds_the_test_set_of_100_labels_alone(runs, capfd):
    for suite, value in (("labels", 0.771), ("labels_ten_shot", 0.721)):
        words = ["--suite", suite, "--results", str(runs), "--dataset", "aitex", "--format", "csv", "--method", "dra"]
        assert status(["report", *words, "--shots", "10"]) == 0
        lines = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
        general = [
            line for line in lines if line.get("protocol", "general") == "general" and line["dataset"] == "aitex"
        ]
        assert [round(float(line["mean"]), 3) for line in general] == [value]


def test_the_suites_of_other_test_images_have_tables_of_their_own():
    assert [suite.id for suite in suites_tested_apart(load_suite("labels"))] == ["labels_ten_shot"]
    assert suites_tested_apart(load_suite("ablation")) == []


def test_the_page_of_the_suite_names_its_rows_without_what_they_lack(runs, tmp_path):
    words = ["--suite", "labels", "--results", str(runs), "--format", "html", "--dataset", "aitex"]
    assert status(["report", *words, "--output", str(tmp_path / "labels.html")]) == 0
    page = (tmp_path / "labels.html").read_text(encoding="utf-8")
    assert ">aitex, nep<" in re.sub(r"\s*\n\s*", "", page)
    assert "aitex, <" not in re.sub(r"\s*\n\s*", "", page)
