"""Claims with and without locks of the file system, and those of a group that shares a folder."""

import errno
import fcntl
import os
import re
import socket
import subprocess
import sys

import pytest

from results.locks import is_locked
from results.store import Store

KEY = "f" * 64

HOLD = """
import errno, fcntl, os, sys, time
from pathlib import Path
from results.store import Store

def refuse(descriptor, operation):
    raise OSError(int(sys.argv[2]), "no locks here")

if sys.argv[2] != "0":
    fcntl.flock = refuse
with Store(Path(sys.argv[1])).claim("f" * 64) as mine:
    print(mine, flush=True)
    time.sleep(float(sys.argv[3]))
"""
NO_LOCKS = [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK]


def start(root, error, seconds=60.0):
    """Another process that takes the claim; `error` is what its file system says to a lock, 0 where it has locks."""
    words = [sys.executable, "-c", HOLD, root, error, seconds]
    process = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "True\n"
    return process


@pytest.fixture
def lockless(monkeypatch, request):
    """No lock of the file system works in this process."""

    def refuse(descriptor, operation):
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)
    return request.param


@pytest.fixture
def holders():
    """Ends the processes that a test left."""
    left = []
    yield left
    for process in left:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("lockless", NO_LOCKS, indirect=True, ids=errno.errorcode.get)
def test_without_locks_a_living_holder_keeps_others_out_and_is_named(tmp_path, lockless, holders):
    store = Store(tmp_path)
    holders.append(start(tmp_path, lockless))
    with store.claim(KEY) as mine:
        assert mine is False
    assert is_locked(store.lock_path(KEY))
    holder = store.holder(KEY)
    assert (holder.process, holder.host) == (str(holders[0].pid), socket.gethostname())
    assert holder.user
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00", holder.since)
    assert f"remove {tmp_path / 'locks' / KEY}.claim" in str(holder)


@pytest.mark.parametrize("lockless", NO_LOCKS, indirect=True, ids=errno.errorcode.get)
def test_without_locks_a_dead_holder_of_this_machine_holds_nothing(tmp_path, lockless, holders):
    store = Store(tmp_path)
    holders.append(start(tmp_path, lockless))
    holders[0].kill()
    holders[0].wait()
    with store.claim(KEY) as mine:
        assert mine is True
        assert is_locked(store.lock_path(KEY))
    assert not is_locked(store.lock_path(KEY))


@pytest.mark.parametrize("lockless", [errno.ENOSYS], indirect=True)
def test_without_locks_a_claim_from_another_machine_stays_until_its_file_is_removed(tmp_path, lockless, holders):
    store = Store(tmp_path)
    holders.append(start(tmp_path, lockless))
    holders[0].kill()
    holders[0].wait()
    (claim,) = tmp_path.rglob("*.claim")
    claim.write_text(claim.read_text().replace(socket.gethostname(), "node-7f9c"))
    with store.claim(KEY) as mine:
        assert mine is False
    assert store.holder(KEY).host == "node-7f9c"
    claim.unlink()
    with store.claim(KEY) as mine:
        assert mine is True


def test_with_locks_the_holder_is_named_and_a_killed_one_is_not_kept(tmp_path, holders):
    store = Store(tmp_path)
    holders.append(start(tmp_path, 0))
    holder = store.holder(KEY)
    assert (holder.process, holder.host, holder.file) == (str(holders[0].pid), socket.gethostname(), None)
    assert holder.user
    assert "remove" not in str(holder)
    holders[0].kill()
    holders[0].wait()
    with store.claim(KEY) as mine:
        assert mine is True
        assert store.holder(KEY).process == str(os.getpid())


def test_a_lock_file_that_is_removed_while_it_is_taken_is_taken_anew(tmp_path, monkeypatch):
    store, flock, removed = Store(tmp_path), fcntl.flock, []

    def slow(descriptor, operation):
        if not removed:
            removed.append(store.lock_path(KEY).unlink())
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", slow)
    with store.claim(KEY) as mine:
        assert mine is True
        assert is_locked(store.lock_path(KEY))


AS = """
import os, pwd, sys
from pathlib import Path
from results.store import Store
from results.files import write_atomic
os.umask(0o022)
os.setgroups([])
os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[3]))
store = Store(Path(sys.argv[1]))
store.check_writable()
with store.claim("f" * 64) as mine:
    assert mine, store.holder("f" * 64)
    write_atomic(store.progress_path("f" * 64), sys.argv[3].encode())
    write_atomic(store.record_path("f" * 64), sys.argv[3].encode())
    write_atomic(store.traceback_path("f" * 64), sys.argv[3].encode())
"""


def as_user(root, user, group):
    return subprocess.run(
        [sys.executable, "-c", AS, str(root), str(group), str(user)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def shared(open_folder):
    """A results folder that others can get at."""
    (open_folder / "runs").mkdir()
    return open_folder / "runs"


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
@pytest.mark.parametrize(("mode", "groups"), [(0o2775, (4321, 4321)), (0o775, (4321, 4321)), (0o777, (4322, 4323))])
def test_a_group_shares_a_results_folder_whatever_its_umask(shared, mode, groups):
    os.chown(shared, 0, 4321)
    shared.chmod(mode)
    for user, group in zip((65533, 65534, 65533), (*groups, groups[0]), strict=True):
        done = as_user(shared, user, group)
        assert done.returncode == 0, done.stderr
        assert Store(shared).record_path(KEY).read_text() == str(user)
    assert not (shared / "locks").stat().st_mode & 0o002 or mode == 0o777


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
def test_a_lock_that_another_user_left_can_be_held_by_who_may_only_read_it(shared):
    shared.chmod(0o777)
    assert as_user(shared, 65533, 4321).returncode == 0
    (lock,) = shared.rglob("*.lock")
    lock.chmod(0o644)
    done = as_user(shared, 65534, 4322)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
def test_a_folder_that_is_not_shared_stays_so_and_is_refused_in_one_sentence(shared):
    os.chown(shared, 65533, 4321)
    shared.chmod(0o755)
    assert as_user(shared, 65533, 4321).returncode == 0
    assert {path.stat().st_mode & 0o022 for path in (shared / "locks").rglob("*")} == {0}
    said = as_user(shared, 65534, 4321).stderr.splitlines()[-1]
    assert said.startswith("results.errors.ResultsError: cannot write ")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
def test_below_a_folder_like_tmp_nothing_is_opened_to_others(shared):
    shared.chmod(0o1777)
    assert as_user(shared / "own", 65533, 4321).returncode == 0
    assert {path.stat().st_mode & 0o022 for path in (shared / "own").rglob("*")} == {0}
