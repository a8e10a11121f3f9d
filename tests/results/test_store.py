"""The store: atomic, shared, and never at a loss."""

import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from results.errors import ResultsError
from results.record import SCHEMA, encode_record
from results.scores import Scores
from results.store import Store

SCORES = Scores(ids=("b", "a"), classes=("normal", "mono"), values=np.array([0.25, 1 / 3]))


def test_a_record_and_its_scores_come_back_as_they_were_put(tmp_path, record):
    store = Store(tmp_path)
    store.put(record(history={"loss": [1.5, 0.1]}), SCORES)
    again = Store(tmp_path)
    assert again.get(record().key) == record(history={"loss": [1.5, 0.1]})
    assert list(again.records()) == [again.get(record().key)]
    scores = again.scores(record().key)
    assert scores.ids == SCORES.ids
    assert scores.classes == SCORES.classes
    assert scores.labels.tolist() == [0, 1]
    assert scores.values.tobytes() == SCORES.values.tobytes()


def test_the_same_scores_give_the_same_bytes():
    assert SCORES.encode() == Scores(SCORES.ids, SCORES.classes, SCORES.values.copy()).encode()


def test_an_empty_folder_holds_nothing(tmp_path):
    store = Store(tmp_path / "not_there")
    assert store.get("0" * 64) is None
    assert list(store.records()) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(ResultsError, match=r"is a file: choose another with --results"):
        Store(tmp_path / "runs")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data.replace(b'"seed": 0', b'"seed": 1'),
        lambda data: b"\xff\xfe" + data,
    ],
    ids=["cut short", "empty", "edited", "not text"],
)
def test_a_damaged_record_is_set_aside_and_named_never_counted(tmp_path, record, damage):
    said = []
    store = Store(tmp_path, warn=said.append)
    store.put(record())
    path = store.record_path(record().key)
    data = damage(path.read_bytes())
    path.write_bytes(data)
    assert store.get(record().key) is None
    assert list(store.records()) == []
    assert (tmp_path / "set_aside" / path.name).read_bytes() == data
    assert len(said) == 1
    assert str(path) in said[0]


def test_a_record_of_a_newer_version_is_refused_and_left_alone(tmp_path, record):
    store = Store(tmp_path)
    store.put(record())
    path = store.record_path(record().key)
    path.write_bytes(path.read_bytes().replace(b'"schema": %d' % SCHEMA, b'"schema": 99'))
    with pytest.raises(ResultsError, match="upgrade swanbench"):
        store.get(record().key)
    assert path.exists()


def test_a_record_under_another_key_is_set_aside(tmp_path, record):
    store = Store(tmp_path)
    path = store.record_path("0" * 64)
    path.parent.mkdir(parents=True)
    path.write_bytes(encode_record(record()))
    assert store.get("0" * 64) is None


CLAIM_AND_WAIT = """
import sys, time
from pathlib import Path
from results.store import Store
with Store(Path(sys.argv[1])).claim("f" * 64) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def test_a_claim_is_exclusive_and_dies_with_its_holder(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", CLAIM_AND_WAIT, tmp_path], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "True\n"
    with Store(tmp_path).claim("f" * 64) as mine:
        assert mine is False
    holder.kill()
    holder.communicate()
    with Store(tmp_path).claim("f" * 64) as mine:
        assert mine is True


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from results.errors import ResultsError
from results.store import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
try:
    Store(Path(sys.argv[1])).check_writable()
except ResultsError as error:
    print(error)
"""


def test_a_full_disk_is_found_before_the_work_and_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, check=True, timeout=60
    )
    assert "cannot write" in done.stdout
    assert done.stdout.count("\n") == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_write_that_fails_keeps_the_old_record(tmp_path, record):
    store = Store(tmp_path)
    store.put(record())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        with pytest.raises(ResultsError, match="cannot write"):
            store.put(record(notes=["again"]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert store.get(record().key) == record()
    assert [path.name for path in tmp_path.rglob(".*")] == []


READ_ONLY = """
import os, sys
from pathlib import Path
from results.errors import ResultsError
from results.store import Store
os.setgid(65534); os.setuid(65534)
try:
    Store(Path(sys.argv[1])).check_writable()
except ResultsError as error:
    print(error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
def test_a_folder_of_somebody_else_is_refused_in_one_line(open_folder):
    (open_folder / "runs").mkdir(mode=0o755)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, open_folder / "runs"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "Permission denied" in done.stdout
