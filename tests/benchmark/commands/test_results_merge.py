"""`bench results merge` and `prune`: what they print, what they leave, and with which exit status."""

import json
import os
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from protocols.splits.draw.ranking import list_fingerprint
from results.record import Metrics
from results.reference import reference_records
from results.scores import Scores
from results.store import Store

NORMAL = tuple(f"n{number:02}" for number in range(20))


def scores(auroc=0.75):
    """Twenty normal images and one anomaly that is above so many of them."""
    values = np.array([*range(20), 20 * auroc - 0.5], dtype=np.float64)
    return Scores(ids=(*NORMAL, "m"), classes=("normal",) * 20 + ("mono",), values=values)


def made(seed, auroc=0.75, **fit):
    """A record like the packaged ones, of another seed and these scores."""
    record = next(reference_records())
    spec = msgspec.structs.replace(
        record.spec,
        fit=msgspec.structs.replace(record.spec.fit, seed=seed, **fit),
        test=list_fingerprint([list_fingerprint(NORMAL), list_fingerprint(["m"])]),
    )
    return msgspec.structs.replace(
        record,
        spec=spec,
        key=spec.key,
        fit_key=spec.fit.fit_key,
        series=spec.series,
        metrics=Metrics(auroc=auroc, average_precision=1 / (21 - round(20 * auroc))),
        counts=msgspec.structs.replace(record.counts, test_normal=20, test_anomaly=1),
    )


@pytest.fixture
def root(tmp_path):
    """Folders `one` (seeds 0, 1) and `two` (seed 1 with another AUC, 2)."""
    for name, records in (("one", [made(0), made(1)]), ("two", [made(1, auroc=0.8), made(2)])):
        for record in records:
            Store(tmp_path / name).put(record, scores(record.metrics.auroc))
    return tmp_path


@pytest.fixture
def bench(root, calls_in):
    return calls_in(root, BENCH_RESULTS="runs")


def test_two_folders_become_one_and_what_differs_is_named(bench, root):
    assert bench("results", "merge", "one") == (0, "one: 2 records: 2 brought to runs\n", "")
    code, out, err = bench("results", "merge", "one", "two")
    assert code == 1
    assert out.splitlines() == [
        "one: 2 records: 2 there already",
        "two: 2 records: 1 brought to runs, 1 left, with other numbers here",
    ]
    assert err.count("\n") == 1
    assert err.startswith(made(1).spec.name)
    assert "AUC 0.8 in two/records/" in err
    runs = Store(root / "runs")
    assert {record.spec.fit.seed: record.metrics.auroc for record in runs.records()} == {0: 0.75, 1: 0.75, 2: 0.75}
    assert all(runs.scores(record.key).ids == scores().ids for record in runs.records())


def test_the_next_step_that_a_difference_names_takes_the_other_record(bench, root):
    bench("results", "merge", "one")
    _, _, err = bench("results", "merge", "two")
    path = next(word for word in err.split() if word.startswith("runs/records/"))
    (root / path).unlink()
    assert bench("results", "merge", "two")[0] == 0
    assert Store(root / "runs").get(made(1).key).metrics.auroc == 0.8


def test_a_dry_run_writes_nothing_and_says_what_would_come(bench, root):
    code, out, _ = bench("results", "merge", "one", "two", "--dry-run")
    assert code == 1
    assert "one: 2 records: 2 would be brought to runs" in out
    assert not (root / "runs").exists()


def test_an_export_goes_in_again(bench, root):
    bench("results", "export", "--format", "jsonl", "--output", "one.jsonl", "--results", "one")
    code, out, _ = bench("results", "merge", "one.jsonl", "--results", "third", "--json")
    assert code == 0
    assert [row["state"] for row in json.loads(out)] == ["new", "new"]
    assert list(Store(root / "third").records()) == list(Store(root / "one").records())


def test_nothing_is_pruned_without_a_flag(bench, root):
    assert bench("results", "prune", "--results", "one") == (0, "nothing to prune in one\n", "")
    Store(root / "one").put(made(5, version=0), scores())
    failed = msgspec.structs.replace(made(6), status="failed", metrics=None, error="RuntimeError: it broke")
    Store(root / "one").put(failed)
    code, out, err = bench("results", "prune", "--results", "one")
    assert (code, out) == (2, "")
    assert err == "bench: say what to prune of one, nothing goes without a flag: --failed (1), --stale (1)\n"
    assert len(list(Store(root / "one").records())) == 4


def test_pruning_lists_what_goes_and_the_space_won(bench, root):
    store = Store(root / "one")
    store.put(made(5, version=0), scores())
    failed = msgspec.structs.replace(made(6), status="failed", metrics=None, error="RuntimeError: it broke")
    store.put(failed)
    would = bench("results", "prune", "--failed", "--dry-run", "--results", "one")
    assert would[1].startswith(f"would remove failed: {failed.spec.name} (RuntimeError: it broke)\n")
    size = store.record_path(failed.key).stat().st_size
    code, out, _ = bench("results", "prune", "--failed", "--results", "one")
    assert code == 0
    assert out.splitlines()[-1] == f"{size / 1024:.1f} KiB won in one"
    assert store.get(failed.key) is None
    _, out, _ = bench("results", "prune", "--failed", "--results", "one")
    assert out == "nothing to prune in one but --stale (1)\n"
    _, out, _ = bench("results", "prune", "--stale", "--results", "one", "--json")
    assert [(row["kind"], row["removed"]) for row in json.loads(out)] == [("stale", True)]
    assert [record.spec.fit.seed for record in store.records()] == [
        seed for _, seed in sorted((made(seed).key, seed) for seed in (0, 1))
    ]


WRONG = {
    "no folder": (("merge",), "Missing argument 'FOLDER...'"),
    "no such folder": (("merge", "three"), "three: there is no such folder or file"),
    "no records": (("merge", "."), ". holds no records"),
    "the folder itself": (("merge", "one", "two", "--results", "two"), "two is the results folder itself"),
    "into a file": (("merge", "one", "--results", "note"), "is a file"),
    "a file of something else": (("merge", "note"), "note holds no records"),
    "prune of nothing": (("prune", "--failed", "--results", "three"), "there is no such folder"),
    "a flag that is none": (("prune", "--stle"), "--stale"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG.keys())
def test_wrong_input_is_one_line_with_a_next_step(bench, root, words, said):
    (root / "note").write_text("mine")
    code, out, err = bench("results", *words)
    assert (code, out) == (2, "")
    assert err.startswith("bench: ")
    assert err.count("\n") == 1
    assert said in err
    assert not (root / "runs").exists()


def test_merging_and_pruning_load_no_torch(root):
    listing = (
        "import sys; from benchmark.cli import status;"
        "codes = [status(['results', 'merge', 'one']), status(['results', 'prune', '--stale'])];"
        "print(codes, {'torch', 'sklearn', 'pandas', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", listing], cwd=root, env=os.environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[0, 0] set()"
