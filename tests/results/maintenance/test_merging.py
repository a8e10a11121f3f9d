"""Merging results folders: nothing that is there is overwritten, and a kill leaves whole records."""

import os
import shutil
import signal
from pathlib import Path

import msgspec
import numpy as np
import pytest

from results.errors import ResultsError
from results.maintenance.export import json_lines
from results.maintenance.merging import Merger, check_mergeable
from results.record import Metrics
from results.scores import Scores
from results.store import Store

SCORES = Scores(ids=("b", "a"), classes=("normal", "mono"), values=np.array([0.25, 1 / 3]))
STEPS = ("mkdir", "replace", "rename", "fsync", "unlink")


@pytest.fixture
def filled(tmp_path, spec, record):
    """A maker of results folders: a record a seed, with scores, and an artefact of its fit."""

    def make(name, seeds, auroc=0.75):
        store = Store(tmp_path / name)
        for seed in seeds:
            store.put(record(spec(fit__seed=seed), auroc=auroc), SCORES)
            artefact = store.artefacts_path(spec(fit__seed=seed).fit.fit_key) / "grid.png"
            artefact.parent.mkdir(parents=True)
            artefact.write_bytes(b"picture %d" % seed)
        return store

    return make


def failed(record):
    return msgspec.structs.replace(record, status="failed", metrics=None, error="RuntimeError: it broke")


def taken(store, *places, **options):
    merger = Merger(store, lambda record, scores: (), lambda model: None, **options)
    return [step for place in places for step in merger.merge_source(place)]


def states(*args, **options):
    return [step.state for step in taken(*args, **options)]


def tree(root):
    """What lies in a results folder but locks, by its path."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_records_come_with_scores_and_artefacts_and_a_second_merge_changes_nothing(tmp_path, filled):
    one, two = filled("one", [0, 1]), filled("two", [2])
    (one.root / "checkpoints").mkdir()
    (one.root / "checkpoints" / "f.pt").write_bytes(b"unfinished")
    (one.root / "fits").mkdir()
    (one.root / "fits" / "f.pt").write_bytes(b"state")
    (one.root / "locks").mkdir()
    (one.root / "locks" / "f.json").write_bytes(b"{}")
    target = Store(tmp_path / "target")
    assert states(target, one.root, two.root) == ["new"] * 3
    wanted = {name: data for name, data in (tree(one.root) | tree(two.root)).items() if "/f." not in f"/{name}"}
    assert len(wanted) == 9
    assert tree(target.root) == wanted
    before = {path: path.stat().st_mtime_ns for path in target.root.rglob("*.json")}
    assert states(target, one.root, two.root) == ["there"] * 3
    assert {path: path.stat().st_mtime_ns for path in target.root.rglob("*.json")} == before


def test_a_kept_model_comes_with_its_record_and_no_link_is_followed(tmp_path, filled, spec):
    one, two, target = filled("one", [0]), filled("two", [1]), Store(tmp_path / "target")
    paths = [each.model_path(spec(fit__seed=seed).fit.fit_key) for seed, each in enumerate((one, two))]
    assert states(target, one.root) == ["new"]
    for path in paths:
        path.parent.mkdir(parents=True)
    paths[0].write_bytes(b"model")
    assert states(target, one.root) == ["completed"]
    assert states(target, one.root) == ["there"]
    assert [path.read_bytes() for path in target.kept_models().values()] == [b"model"]
    paths[1].symlink_to(paths[0])
    (step,) = taken(target, two.root)
    assert (step.state, "is a link, which is not followed" in step.reason) == ("unreadable", True)


def test_a_dry_run_says_the_same_and_writes_nothing(tmp_path, filled):
    one, two = filled("one", [0, 1]), filled("two", [1, 2])
    target = Store(tmp_path / "target")
    assert states(target, one.root, two.root, dry_run=True) == ["new", "new", "there", "new"]
    assert not target.root.exists()
    assert states(target, one.root, two.root) == ["new", "new", "there", "new"]


def test_a_dry_run_leaves_a_record_here_that_cannot_be_read(filled, record, spec):
    one, target = filled("one", [0]), filled("target", [0])
    path = target.record_path(spec(fit__seed=0).key)
    path.write_bytes(b"{")
    assert states(target, one.root, dry_run=True) == ["new"]
    assert path.read_bytes() == b"{"
    assert states(target, one.root) == ["new"]
    assert target.get(path.stem) == one.get(path.stem)
    assert (target.root / "set_aside" / path.name).read_bytes() == b"{"


def test_other_numbers_of_a_key_are_named_and_not_taken(filled, spec):
    one, target = filled("one", [0, 1], auroc=0.8), filled("target", [0], auroc=0.75)
    before = tree(target.root)
    steps = taken(target, one.root)
    assert sorted(step.state for step in steps) == ["differs", "new"]
    (step,) = (step for step in steps if step.state == "differs")
    assert step.troubled
    for part in ("AUC 0.8 in", "0.75 here", str(target.record_path(spec(fit__seed=0).key)), "merge again"):
        assert part in step.reason
    assert before.items() <= tree(target.root).items()


def test_the_same_numbers_made_elsewhere_are_there_already(filled, spec, record):
    target, other = filled("target", [0]), filled("other", [])
    other.put(record(spec(fit__seed=0), notes=["another machine"], timings={"fit_s": 9.0}), SCORES)
    assert states(target, other.root) == ["there"]
    assert target.get(spec(fit__seed=0).key).notes == []


def test_a_run_that_failed_here_gives_way_to_one_that_is_done_and_never_the_reverse(filled, spec, record):
    one, target = filled("one", [0]), filled("target", [])
    key = spec(fit__seed=0).key
    target.put(failed(record(spec(fit__seed=0))))
    target.traceback_path(key).parent.mkdir()
    target.traceback_path(key).write_text("Traceback")
    assert states(one, target.root) == ["there"]
    assert states(target, one.root) == ["replaced"]
    assert target.get(key) == one.get(key)
    assert target.scores(key).ids == SCORES.ids
    assert not target.traceback_path(key).exists()


def test_a_failed_record_comes_with_its_traceback(filled, spec, record):
    one, target = filled("one", []), filled("target", [])
    key = spec().key
    one.put(failed(record()))
    one.traceback_path(key).parent.mkdir()
    one.traceback_path(key).write_text("Traceback")
    assert states(target, one.root) == ["new"]
    assert target.traceback_path(key).read_text() == "Traceback"
    assert states(target, one.root) == ["there"]


def test_a_file_of_records_brings_them_without_scores_and_a_folder_completes_them(tmp_path, filled, spec):
    one, target = filled("one", [0, 1]), filled("target", [])
    exported = tmp_path / "records.jsonl"
    exported.write_text(json_lines(one.records()))
    stray = target.scores_path(spec(fit__seed=0).key)
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"of a record that was removed")
    assert states(target, exported) == ["new", "new"]
    assert list(target.records()) == list(one.records())
    assert not stray.exists()
    assert states(target, exported) == ["there", "there"]
    assert states(target, one.root) == ["completed", "completed"]
    assert list(target.records()) == list(one.records())
    assert tree(target.root).keys() == tree(one.root).keys()
    assert states(target, one.root) == ["there", "there"]


def test_what_cannot_be_read_is_named_left_and_costs_no_other(tmp_path, filled, spec):
    one, target = filled("one", [0, 1, 2]), filled("target", [])
    cut, newer, whole = (one.record_path(spec(fit__seed=seed).key) for seed in (0, 1, 2))
    cut.write_bytes(cut.read_bytes()[:200])
    newer.write_bytes(newer.read_bytes().replace(b'"schema": 1', b'"schema": 99'))
    before = tree(one.root)
    steps = {step.name: step for step in taken(target, one.root)}
    assert {name: step.state for name, step in steps.items()} == {
        str(cut): "unreadable",
        str(newer): "unreadable",
        spec(fit__seed=2).name: "new",
    }
    assert "upgrade swanbench" in steps[str(newer)].reason
    assert tree(one.root) == before
    assert [record.key for record in target.records()] == [whole.stem]
    file = tmp_path / "cut.jsonl"
    file.write_text(json_lines(target.records()) + json_lines(target.records())[:100])
    assert [(step.state, step.name) for step in taken(Store(tmp_path / "third"), file)] == [
        ("new", spec(fit__seed=2).name),
        ("unreadable", f"{file}:2"),
    ]


@pytest.mark.parametrize("damage", [lambda data: data[:60], lambda data: b"", lambda data: b"no zip at all"])
def test_damaged_scores_keep_their_record_out(filled, spec, damage):
    one, target = filled("one", [0]), filled("target", [])
    path = one.scores_path(spec(fit__seed=0).key)
    path.write_bytes(damage(path.read_bytes()))
    (step,) = taken(target, one.root)
    assert step.state == "unreadable"
    assert str(path) in step.reason
    assert tree(target.root) == {}
    with pytest.raises(ResultsError, match="no readable scores"):
        one.scores(path.stem)


def test_a_fit_at_work_here_is_left_for_later(filled, spec):
    one, target = filled("one", [0, 1]), filled("target", [])
    with target.claim(spec(fit__seed=0).fit.fit_key) as mine:
        assert mine
        assert sorted(states(target, one.root)) == ["busy", "new"]
    assert sorted(states(target, one.root)) == ["new", "there"]


def test_what_is_no_source_is_refused_before_anything_is_copied(tmp_path, filled):
    one, target = filled("one", [0]), tmp_path / "target"
    (tmp_path / "empty").mkdir()
    (tmp_path / "table.csv").write_text("name,auroc\nx,0.5\n")
    for place, said in (
        (tmp_path / "none", "no such folder or file"),
        (tmp_path / "empty", "holds no records"),
        (tmp_path / "table.csv", "holds no records"),
    ):
        with pytest.raises(ResultsError, match=said):
            check_mergeable([one.root, place], target)
    with pytest.raises(ResultsError, match="the results folder itself"):
        check_mergeable([one.root], tmp_path / "one" / ".." / "one")
    check_mergeable([one.root], target)
    (tmp_path / "empty" / "locks").mkdir()
    check_mergeable([one.root, tmp_path / "empty"], target)
    assert states(Store(target), tmp_path / "empty") == []


def killed_at(step, target, source):
    """Merge in a child that kills itself at its step `step` (0: never); how many steps it took, -1 if it was killed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        count = [0]

        def counting(function):
            def call(*args, **kwargs):
                count[0] += 1
                if count[0] == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)

            return call

        for name in STEPS:
            setattr(os, name, counting(getattr(os, name)))
        status = 1
        try:
            taken(Store(target), source)
            os.write(write, str(count[0]).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read) as result:
        text = result.read()
    assert text or os.WIFSIGNALED(os.waitpid(child, 0)[1])
    return int(text) if text else -1


def test_a_merge_killed_at_any_step_leaves_whole_records_and_goes_on(tmp_path, filled, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a killed process loses nothing that it wrote
    source = filled("one", [0, 1])
    wanted = tree(source.root)
    total = killed_at(0, tmp_path / "whole", source.root)
    assert tree(tmp_path / "whole") == wanted
    partly = set()
    for step in range(1, total + 1):
        target = Store(tmp_path / "target")
        assert killed_at(step, target.root, source.root) == -1
        there = list(target.records())
        partly.add(len(there))
        for record in there:
            assert record == source.get(record.key)
            assert target.scores(record.key).ids == SCORES.ids
        assert all(step.state in {"new", "there"} for step in taken(target, source.root))
        left = {name for name in tree(target.root) if not Path(name).name.startswith(".")}
        assert left == wanted.keys()
        shutil.rmtree(target.root)
    assert partly == {0, 1, 2}


def test_average_precision_counts_as_a_number_too(filled, spec, record):
    target, other = filled("target", [0]), filled("other", [])
    same = record(spec(fit__seed=0))
    other.put(msgspec.structs.replace(same, metrics=Metrics(auroc=same.metrics.auroc, average_precision=0.4)))
    assert states(target, other.root) == ["differs"]
