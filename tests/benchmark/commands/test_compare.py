"""`bench compare`: two methods or two results folders, from the command line."""

import csv
import json
import re
import shutil
import subprocess
import sys
from io import StringIO

import msgspec
import pytest

from results.reference import reference_records
from results.scores import Scores
from results.store import Store

HEAVY = {"torch", "sklearn", "pandas", "scipy.stats", "PIL", "rich", "joblib"}
LISTING = """
import sys
from benchmark.cli import status
code = status(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture
def bench(finished, calls_in):
    return calls_in(finished.root, **finished.env)


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished results folder, to be spoilt."""
    return Store(shutil.copytree(finished.results, tmp_path / "copied"))


def rows(text):
    return list(csv.DictReader(StringIO(text)))


def test_two_methods_are_tested_on_the_images_of_each_split_and_nothing_heavy_is_loaded(finished):
    words = [sys.executable, "-c", LISTING, "compare", "dra", "devnet"]
    done = subprocess.run(words, env=finished.env, cwd=finished.root, capture_output=True, text=True, check=True)
    assert "over 2 settings; at 0.05 after Holm" in done.stdout
    assert [line.split()[1:8:2] for line in done.stdout.splitlines() if line.startswith("| hard ")][:2] == [
        ["hard", "tiny", "bar", "10"],
        ["hard", "tiny", "dot", "10"],
    ]
    assert re.search(r"\| Notes +\|", done.stdout)
    assert HEAVY.isdisjoint(done.stderr.split())


def test_two_folders_are_compared_score_by_score(finished, copied):
    same = finished.bench("compare", "runs", copied.root)
    assert same.returncode == 0
    assert "- 4 runs of one key in both: 4 equal bit for bit\n" in same.stdout
    first, second, *_ = copied.records()
    found = copied.scores(first.key)
    copied.put(first, Scores(found.ids, found.classes, found.values + 0.25))
    copied.scores_path(second.key).unlink()
    changed = finished.bench("compare", "runs", copied.root, "--format", "json")
    results = {run["key_a"]: (run["result"], run["largest"]) for run in json.loads(changed.stdout)["same_key"]}
    assert results.pop(first.key) == ("differs", pytest.approx(0.25))
    assert results.pop(second.key) == ("unscored", None)
    assert set(results.values()) == {("equal", 0.0)}


def test_swapping_the_methods_flips_the_sign(bench):
    there, back = (
        rows(bench("compare", *pair, "--format", "csv")[1]) for pair in (("dra", "devnet"), ("devnet", "dra"))
    )
    assert len(there) == 2
    for one, two in zip(there, back, strict=True):
        assert float(one["difference"]) == -float(two["difference"])
        assert float(one["difference"]) == pytest.approx(float(one["auc_a"]) - float(one["auc_b"]))
        assert (one["p"], one["key_a"]) == (two["p"], two["key_b"])


def test_without_scores_the_aucs_stand_without_a_test(bench, copied, tmp_path):
    shutil.rmtree(copied.root / "scores")
    file = tmp_path / "compared.csv"
    code, out, _ = bench("compare", "dra", "devnet", "--results", copied.root, "--format", "csv", "--output", file)
    assert (code, out) == (0, "")
    assert {(row["p"], row["no_test"]) for row in rows(file.read_text())} == {("", "no scores of dra and devnet")}
    assert all(row["auc_a"] for row in rows(file.read_text()))


@pytest.mark.parametrize("damage", [b"", b"rubbish", b"PK\x03\x04 cut short"])
def test_damaged_scores_are_told(bench, copied, damage):
    for path in copied.root.glob("scores/*/*.npz"):
        path.write_bytes(damage)
    code, out, err = bench("compare", "dra", "devnet", "--results", copied.root)
    assert code == 0
    assert "DeLong: no scores of dra and devnet" in out
    assert err.count("no readable scores of run") == 4


def test_a_run_without_a_partner_is_counted(bench, copied):
    gone = next(record for record in copied.records() if record.spec.method == "devnet")
    copied.record_path(gone.key).unlink()
    code, out, _ = bench("compare", "dra", "devnet", "--results", copied.root)
    assert code == 0
    assert "- 1 of dra: no finished run of devnet with the same class" in out


@pytest.mark.parametrize(
    ("condition", "pairs"),
    [("budget.steps=2", 2), ("reference.size=5", 2), ("reference.size=4", 0), ("batch.seen=2", 0)],
)
def test_a_condition_is_for_the_methods_that_have_the_hyper_parameter(bench, condition, pairs):
    """Only DRA has references, five of them; `batch.seen` is 2 for DRA and 3 for DevNet."""
    code, out, _ = bench("compare", "dra", "devnet", "--where", condition, "--recipe", "quick", "--format", "csv")
    assert (code, len(rows(out))) == ((0, pairs) if pairs else (2, 0))


def test_another_key_of_the_same_run_is_explained(bench, copied):
    old = next(record for record in copied.records() if record.spec.method == "dra")
    copied.record_path(old.key).unlink()
    fit = msgspec.structs.replace(old.spec.fit, version=99, params=old.spec.fit.params | {"budget.steps": 7})
    spec = msgspec.structs.replace(old.spec, fit=fit)
    new = msgspec.structs.replace(old, spec=spec, key=spec.key, fit_key=fit.fit_key, series=spec.series)
    copied.put(new, copied.scores(old.key))
    code, out, _ = bench("compare", "runs", copied.root)
    assert code == 0
    assert "- 1 run of one place under two keys" in out
    assert f"version = {old.spec.fit.version} (B: 99)" in out
    assert "budget.steps = 2 (B: 7)" in out


def test_a_word_that_is_both_is_the_method(bench, finished, tmp_path, monkeypatch):
    shutil.copytree(finished.results, tmp_path / "dra")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_RESULTS", str(finished.results))
    code, out, err = bench("compare", "dra", "devnet")
    assert (code, out.splitlines()[0]) == (0, "# dra against devnet")
    assert err == "'dra' is the method: write ./dra for the folder of that name\n"
    code, out, err = bench("compare", "./dra", finished.results)
    assert (code, err) == (0, "")
    assert "4 equal bit for bit" in out


WRONG = {
    "no method and no folder": (("dra", "devnte"), "did you mean 'devnet'?"),
    "no folder": (("./dra", "runs"), "there is no results folder ./dra"),
    "one of each": (("dra", "runs"), "'dra' is a method and 'runs' a folder"),
    "one method": (("dra", "dra"), "name two methods"),
    "one folder": (("runs", "./runs/"), "are one folder"),
    "folders and results": (("runs", "reference", "--results", "runs"), "leave it out"),
    "nothing in common": (
        ("runs", "reference"),
        f"have no run in common (4 and {len(list(reference_records()))} runs): bench results list",
    ),
    "not run": (("flos", "saoe"), "bench run --suite general --method flos,saoe first"),
    "one not run": (("dra", "flos"), "2 of dra: no finished run of flos on the dataset"),
    "its suite": (("dra", "flos"), "bench run --suite hard --method dra,flos first"),
    "its recipe": (("dra", "devnet", "--recipe", "paper"), "--method dra,devnet --recipe paper first"),
    "no protocol": (("dra", "csi_gan"), "have no protocol in common"),
    "unknown recipe": (("dra", "devnet", "--recipe", "quik"), "did you mean 'quick'?"),
    "unknown parameter": (("dra", "devnet", "--where", "optim.lrr=1"), "did you mean 'optim.lr'?"),
    "no condition": (("dra", "devnet", "--where", "optim.lr"), "NAME=VALUE"),
    "results not there": (("dra", "devnet", "--results", "none"), "there is no such folder"),
    "output in no folder": (("dra", "devnet", "--output", "none/x.md"), "the folder none is not there"),
    "one word": (("dra",), "Missing argument 'B'"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_compared_is_one_line_and_exit_2(bench, words, said):
    code, out, err = bench("compare", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("bench: ")
    assert said in err
