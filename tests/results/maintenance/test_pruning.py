"""Pruning a results folder: only what was found, nothing of a fit at work, records that count stay."""

import os
import subprocess
import sys
import time

import msgspec
import numpy as np
import pytest

from results.maintenance.pruning import PRUNABLE_KINDS, find_prunable
from results.maintenance.removal import remove_item
from results.scores import Scores
from results.store import Store

SCORES = Scores(ids=("b", "a"), classes=("normal", "mono"), values=np.array([0.25, 1 / 3]))
TODAY = {"dra": 2}


@pytest.fixture
def store(tmp_path, spec, record):
    """A folder with one of everything: seed 0 counts, 1 failed, 2 is stale, 3 damaged, 4 of a newer version."""
    store = Store(tmp_path)
    for seed in range(5):
        made = spec(fit__seed=seed, fit__version=1 if seed == 2 else 2)
        one = record(made)
        if seed == 1:
            one = msgspec.structs.replace(one, status="failed", metrics=None, error="RuntimeError: it broke")
        store.put(one, None if seed == 1 else SCORES)
    keys = [spec(fit__seed=seed, fit__version=1 if seed == 2 else 2) for seed in range(5)]
    write(store.traceback_path(keys[1].key))
    write(store.traceback_path(keys[0].key))
    damaged, newer = store.record_path(keys[3].key), store.record_path(keys[4].key)
    damaged.write_bytes(damaged.read_bytes()[:100])
    newer.write_bytes(newer.read_bytes().replace(b'"schema": 1', b'"schema": 99'))
    write(tmp_path / "set_aside" / f"{'a' * 64}.json")
    write(tmp_path / "scores" / "bb" / f"{'b' * 64}.npz")
    write(store.artefacts_path(keys[0].fit.fit_key) / "grid.png")
    return store


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 100)


def counts(found):
    return {kind: len(found.of([kind])) for kind in PRUNABLE_KINDS}


def removed(store, *kinds):
    return [remove_item(one) for one in find_prunable(store, TODAY, kinds).of(kinds)]


def test_everything_is_found_once_and_finding_changes_nothing(store, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    found = find_prunable(store, TODAY)
    assert counts(found) == {"failed": 1, "stale": 1, "set_aside": 2, "orphans": 1, "tracebacks": 1}
    assert "it broke" in found.of(["failed"])[0].name
    assert "version 1, today's is 2" in found.of(["stale"])[0].name
    assert all(one.size > 50 for one in found.items)
    assert len(found.remarks) == 1
    assert "upgrade swanbench" in found.remarks[0]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("kind", PRUNABLE_KINDS)
def test_a_kind_goes_alone_and_all_that_belongs_to_it(store, kind):
    before = counts(find_prunable(store, TODAY))
    assert removed(store, kind) == [None] * before[kind]
    after = counts(find_prunable(store, TODAY))
    assert after[kind] == 0
    new_orphans = {"orphans": 2} if kind == "set_aside" else {}  # the scores of the damaged record
    assert after == before | {kind: 0} | new_orphans


def test_all_kinds_together_leave_what_counts(store, spec):
    removed(store, *PRUNABLE_KINDS)
    found = find_prunable(store, TODAY)
    assert found.items == ()
    kept = spec(fit__seed=0, fit__version=2)
    newer = spec(fit__seed=4, fit__version=2)
    left = {path for path in store.root.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert left == {
        store.record_path(kept.key),
        store.scores_path(kept.key),
        store.artefacts_path(kept.fit.fit_key) / "grid.png",
        store.record_path(newer.key),
        store.scores_path(newer.key),
    }


def test_artefacts_go_with_the_last_record_of_their_fit_unless_one_cannot_be_read(store, spec):
    failed = spec(fit__seed=1, fit__version=2)
    write(store.artefacts_path(failed.fit.fit_key) / "grid.png")
    kinds = ("failed", "orphans")
    unsure = find_prunable(store, TODAY, kinds)
    assert any("may be theirs" in remark for remark in unsure.remarks)
    store.record_path(spec(fit__seed=4, fit__version=2).key).unlink()
    store.record_path(spec(fit__seed=3, fit__version=2).key).unlink()
    assert not any(one.name.startswith("artefacts") for one in find_prunable(store, TODAY).items)
    assert any(one.name.startswith("artefacts") for one in find_prunable(store, TODAY, kinds).items)
    removed(store, *kinds)
    assert not store.artefacts_path(failed.fit.fit_key).exists()


def test_artefacts_of_a_fit_whose_state_is_kept_are_no_orphans(store, spec):
    for seed in (3, 4):
        store.record_path(spec(fit__seed=seed, fit__version=2).key).unlink()
    write(store.artefacts_path("c" * 64) / "grid.png")
    assert any("c" * 64 in one.name for one in find_prunable(store, TODAY).items)
    write(store.root / "fits" / f"{'c' * 64}.pt")
    assert not any("c" * 64 in one.name for one in find_prunable(store, TODAY).items)


def test_kept_models_go_with_the_last_record_of_their_fit(store, spec):
    for seed in (3, 4):
        store.record_path(spec(fit__seed=seed, fit__version=2).key).unlink()
    (key, *_) = {record.fit_key for record in store.records()}
    write(store.model_path(key))
    write(store.model_path("c" * 64))
    orphans = [item.name for item in find_prunable(store, TODAY).items if item.name.startswith("models")]
    assert orphans == [f"models/cc/{'c' * 64}.safetensors"]


def test_the_traceback_of_a_failed_source_stays_with_the_runs_behind_it(store, spec, record):
    source = spec(fit__seed=8).fit
    behind = record(spec(fit__seed=7, fit__source=source.fit_key, source=source))
    store.put(msgspec.structs.replace(behind, status="failed", metrics=None, error="the fit that it starts from"))
    write(store.traceback_path(source.fit_key))
    assert counts(find_prunable(store, TODAY))["tracebacks"] == 1
    assert counts(find_prunable(store, TODAY, ["failed"]))["tracebacks"] == 2


HOLD = """
import sys, time
from pathlib import Path
from results.store import Store
with Store(Path(sys.argv[1])).claim(sys.argv[2]) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def test_what_has_no_key_for_a_name_is_not_ours(store, tmp_path):
    names = ("artefacts/job1/w.bin", "scores/bb/mine.npz", "tracebacks/notes.txt", "models/te/teacher.safetensors")
    theirs = [tmp_path / name for name in names]
    for path in theirs:
        write(path)
    removed(store, *PRUNABLE_KINDS)
    assert all(path.is_file() for path in theirs)


def test_a_claimed_fit_is_never_touched_until_its_holder_is_killed(store, spec):
    failed = spec(fit__seed=1, fit__version=2)
    command = [sys.executable, "-c", HOLD, store.root, failed.fit.fit_key]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "True\n"
        write(store.artefacts_path(failed.fit.fit_key) / "grid.png")
        assert removed(store, "failed", "orphans", "tracebacks") == ["a living process is at work on it"]
        assert store.record_path(failed.key).exists()
        assert store.traceback_path(failed.key).exists()
        found = find_prunable(store, TODAY)
        assert any("2 new files without a record are left" in remark for remark in found.remarks)
        for path in (store.root / "scores" / "bb").iterdir():
            os.utime(path, (time.time() - 4000,) * 2)
        assert counts(find_prunable(store, TODAY))["orphans"] == 1
    finally:
        holder.kill()
        holder.communicate()
    assert removed(store, "failed") == [None]
    assert not store.record_path(failed.key).exists()


def test_what_was_written_anew_since_it_was_listed_stays(store, spec, record):
    failed = spec(fit__seed=1, fit__version=2)
    (one,) = find_prunable(store, TODAY).of(["failed"])
    store.put(record(failed), SCORES)
    assert remove_item(one) == "another process changed it meanwhile"
    assert store.get(failed.key).status == "done"
    one.files[0].unlink()
    assert remove_item(one) == "another process changed it meanwhile"


def test_a_record_of_a_detector_that_nobody_knows_is_not_stale(store):
    assert counts(find_prunable(store, {}))["stale"] == 0
