"""What a loss of power may cost: scores are on the disk before their record is there, each with its name."""

import os
import stat
from pathlib import Path

import numpy as np

from results.scores import Scores
from results.store import Store

SCORES = Scores(ids=("b", "a"), classes=("normal", "mono"), values=np.array([0.25, 0.75]))


def steps_of_a_put(store, record, monkeypatch):
    """What `put` does to the disk, in order: (what, folder, bytes), of a folder that is flushed without a size."""
    seen, flush, rename = [], os.fsync, os.replace

    def flushed(descriptor):
        path, state = Path(f"/proc/self/fd/{descriptor}").readlink(), os.fstat(descriptor)
        is_folder = stat.S_ISDIR(state.st_mode)
        seen.append(("flushed", path, None) if is_folder else ("flushed", path.parent, state.st_size))
        flush(descriptor)

    def renamed(source, target):
        seen.append(("renamed", Path(target).parent, Path(source).stat().st_size))
        rename(source, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    store.put(record, SCORES)
    return seen


def test_scores_and_their_name_are_on_the_disk_before_the_record_and_its_name(tmp_path, record, monkeypatch):
    store, made = Store(tmp_path), record()
    steps = steps_of_a_put(store, made, monkeypatch)
    expected = []
    for path in (store.scores_path(made.key), store.record_path(made.key)):
        size = path.stat().st_size
        expected += [("flushed", path.parent, size), ("renamed", path.parent, size), ("flushed", path.parent, None)]
    assert steps == expected
