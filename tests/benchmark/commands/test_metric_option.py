"""`--metric`: every verb that shows or compares numbers takes another one, from stored scores."""

import csv
import json
from io import StringIO
from xml.etree import ElementTree as ET

import msgspec
import numpy as np
import pytest
from recorded import record

from benchmark.cli import status
from results.metrics import METRICS, computed_metrics
from results.scores import Scores
from results.store import Store

NORMALS, ANOMALIES = np.arange(20) / 20, np.arange(1, 21) / 20
CLASSES = ("normal",) * 20 + ("poly",) * 20


def scores(seed):
    """A normal image more above the threshold a seed."""
    values = np.concatenate([NORMALS, ANOMALIES + 0.225 - 0.05 * seed])
    return Scores(tuple(f"{at:02}" for at in range(40)), CLASSES, values)


FPRS = {seed: METRICS["fpr_at_95_tpr"].of(scores(seed), "mono") for seed in (0, 1)}


def keep(store, seed, **changes):
    """A run of DRA on ELPV that says what its scores give, with these beside it."""
    made = msgspec.structs.replace(record("mono", seed, 0.5), metrics=computed_metrics(scores(seed)), **changes)
    store.put(made, scores(seed))
    return made


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_RESULTS", str(tmp_path / "runs"))
    made = Store(tmp_path / "runs")
    for seed in (0, 1):
        keep(made, seed)
    return made


@pytest.fixture
def bench(capfd):
    def call(*words):
        code = status([str(word) for word in words])
        return code, *capfd.readouterr()

    return call


def rows(text):
    return list(csv.DictReader(StringIO(text)))


def test_the_made_up_runs_have_different_numbers():
    assert len({*FPRS.values()}) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("report", "--table", "2"),
        ("check", "--against", "reference"),
        ("compare", "dra", "devnet"),
        ("results", "list"),
        ("results", "show", "x"),
        ("results", "export"),
    ],
)
def test_an_unknown_metric_is_one_line_with_a_near_one(words, store, bench):
    code, out, err = bench(*words, "--metric", "fpr_at_95_tp")
    assert (code, out) == (2, "")
    assert err == "bench: no metric 'fpr_at_95_tp': did you mean 'fpr_at_95_tpr'?\n"


def test_a_table_shows_it_from_the_scores(store, bench):
    code, out, err = bench("report", "--table", "2", "--metric", "fpr_at_95_tpr", "--format", "json")
    assert (code, err) == (0, "")
    (cell,) = [cell for cell in json.loads(out)["cells"] if cell["measured"]]
    assert [seed["value"] for seed in cell["measured"]["seeds"]] == [FPRS[0], FPRS[1]]
    assert (cell["published"], cell["verdict"]) == (None, None)


def test_a_record_without_scores_is_said_and_leaves_no_number(store, bench):
    first, second = sorted(store.records(), key=lambda run: run.spec.fit.seed)
    store.scores_path(second.key).unlink()
    code, out, err = bench("report", "--table", "2", "--metric", "fpr_at_95_tpr", "--format", "csv")
    (row,) = [row for row in rows(out) if row["n"]]
    assert (code, row["n"], row["fpr_at_95_tpr_mean"]) == (0, "1", f"{FPRS[0]:.3f}")
    assert err.count("\n") == 1
    assert err.startswith(
        f"{second.spec.name}: no FPR at 95 % TPR, no scores of it are stored: run it again with --force"
    )
    store.scores_path(first.key).unlink()
    code, out, err = bench("report", "--table", "2", "--metric", "fpr_at_95_tpr", "--format", "csv")
    assert (code, [row for row in rows(out) if row["n"]], err.count("\n")) == (0, [], 1)


def test_the_seen_class_that_is_never_tested_is_said_and_the_unseen_ones_are_all(store, bench):
    code, _, err = bench("report", "--table", "2", "--metric", "auroc_seen")
    assert (code, err.count("\n")) == (0, 1)
    assert "no AUC on the seen class, no test image is of the known class mono" in err
    listed = [json.loads(bench("results", "list", "--json", "--metric", name)[1]) for name in ("auroc_unseen", "auroc")]
    assert [row["auroc_unseen"] for row in listed[0]] == [row["auroc"] for row in listed[1]]


@pytest.mark.parametrize("metric", ["average_precision", "fpr_at_95_tpr", "auroc_unseen"])
def test_the_published_values_have_no_other_metric(metric, store, bench, tmp_path):
    junit, summary = tmp_path / "junit.xml", tmp_path / "summary.md"
    words = ["--metric", metric, "--junit", junit, "--summary", summary]
    code, out, _ = bench("check", "--against", "published", *words)
    said = (
        f"nothing to compare, no paper prints {METRICS[metric].title}: leave out --metric, or name runs with --against"
    )
    assert (code, out) == (4, said + "\n")
    assert ET.parse(junit).getroot().get("errors") == "1"
    assert said in summary.read_text()
    assert bench("check", "--against", "published", "--metric", "auroc") == bench("check", "--against", "published")


def test_against_a_folder_it_is_compared_run_by_run(store, bench, tmp_path):
    there = Store(tmp_path / "there")
    for seed in (0, 1):
        keep(there, seed)
    code, out, _ = bench("check", "--against", there.root, "--metric", "fpr_at_95_tpr")
    assert (code, out.splitlines()[-1]) == (0, "2 runs compared with a reference: none differs")
    assert "compared: FPR at 95 % TPR of each run" in out
    assert "average precision" not in out
    run = next(run for run in there.records() if run.spec.fit.seed == 1)
    there.put(msgspec.structs.replace(run, metrics=computed_metrics(scores(0))), scores(0))
    code, out, _ = bench("check", "--against", there.root, "--metric", "fpr_at_95_tpr")
    assert code == 3
    assert f"DIFFERS: {run.spec.name}: FPR at 95 % TPR measured {FPRS[1]!r}, reference {FPRS[0]!r}" in out
    store.scores_path(run.key).unlink()
    code, out, err = bench("check", "--against", there.root, "--metric", "fpr_at_95_tpr", "--partial")
    assert code == 3
    assert f"ABSENT: {run.spec.name}: its run has no FPR at 95 % TPR, its reference has" in out
    assert f"{run.spec.name}: no FPR at 95 % TPR, no scores of it are stored" in err


def test_references_without_scores_are_nothing_to_compare(store, bench, tmp_path):
    file = tmp_path / "runs.jsonl"
    assert bench("results", "export", "--format", "jsonl", "--output", file)[0] == 0
    assert bench("check", "--against", file)[0] == 0
    code, out, _ = bench("check", "--against", file, "--metric", "fpr_at_95_tpr")
    assert code == 4
    assert "nothing to compare: no reference run has FPR at 95 % TPR" in out
    assert "2 reference without FPR at 95 % TPR" in out


def test_two_folders_show_it_run_by_run(store, bench, tmp_path):
    there = Store(tmp_path / "there")
    keep(there, 0)
    run = keep(there, 1)
    there.scores_path(run.key).unlink()
    code, out, err = bench("compare", store.root, there.root, "--metric", "fpr_at_95_tpr", "--format", "csv")
    numbers = {(row["fpr_at_95_tpr_a"], row["fpr_at_95_tpr_b"]) for row in rows(out)}
    assert (code, numbers) == (0, {(repr(FPRS[0]), repr(FPRS[0])), (repr(FPRS[1]), "")})
    assert f"{run.spec.name}: no FPR at 95 % TPR, no scores of it are stored" in err


def test_a_list_and_an_export_have_a_column_of_it(store, bench):
    code, out, _ = bench("results", "list", "--metric", "fpr_at_95_tpr")
    assert (code, [line.split()[-1] for line in out.splitlines()]) == (0, [f"{FPRS[0]:.4f}", f"{FPRS[1]:.4f}"])
    listed = json.loads(bench("results", "list", "--metric", "fpr_at_95_tpr", "--json")[1])
    assert [(row["fpr_at_95_tpr"], row["auroc"] > 0.5) for row in listed] == [(FPRS[0], True), (FPRS[1], True)]
    plain, wide = (rows(bench("results", "export", *words)[1]) for words in ((), ("--metric", "fpr_at_95_tpr")))
    assert [float(row.pop("fpr_at_95_tpr")) for row in wide] == [FPRS[0], FPRS[1]]
    assert wide == plain
    code, _, err = bench("results", "export", "--format", "jsonl", "--metric", "fpr_at_95_tpr")
    assert code == 2
    assert "records hold no FPR at 95 % TPR: take --format csv" in err


def test_a_list_says_where_a_run_is_worse_than_chance(store, bench):
    made = keep(store, 0)
    reverse = Scores(scores(0).ids, CLASSES, -scores(0).values)
    store.put(msgspec.structs.replace(made, metrics=computed_metrics(reverse)), reverse)
    ends = [bench("results", "list", "--metric", name)[1].splitlines()[0] for name in ("auroc", "fpr_at_95_tpr")]
    assert [end.split()[-2:] for end in ends] == [["below", "0.5"], ["above", "0.95"]]
    line = bench("results", "list", "--metric", "average_precision")[1].splitlines()[0]
    assert float(line.split()[-1]) < 0.5


def test_a_record_is_shown_with_it(store, bench):
    run = next(run for run in store.records() if run.spec.fit.seed == 1)
    plain, wide = (
        json.loads(bench("results", "show", run.key[:12], *words)[1]) for words in ((), ("--metric", "fpr_at_95_tpr"))
    )
    assert wide["metrics"].pop("fpr_at_95_tpr") == FPRS[1]
    assert wide == plain
    store.scores_path(run.key).unlink()
    code, out, err = bench("results", "show", run.key[:12], "--metric", "fpr_at_95_tpr")
    assert (code, json.loads(out)["metrics"]["fpr_at_95_tpr"]) == (0, None)
    assert "no scores of it are stored" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--table", "dra:5"), "--metric says nothing of a table of facts"),
        (("--figure", "agad:4"), "--metric says nothing of a figure of scores"),
        (("--table", "2", "--show", "published"), "has no FPR at 95 % TPR: leave out --metric, or --show published"),
    ],
)
def test_what_has_no_metric_refuses_one(words, said, store, bench):
    code, out, err = bench("report", *words, "--metric", "fpr_at_95_tpr")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
