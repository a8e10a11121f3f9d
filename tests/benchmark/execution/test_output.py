"""`--output` of every verb replaces whole files or none."""

import os
import resource
from contextlib import contextmanager

import pytest

GOOD = b"the table of the last year\n"

VERBS = {
    "export": ("results", "export", "--format", "jsonl"),
    "report": ("report", "--table", "1", "--format", "html"),
    "compare": ("compare", "dra", "devnet", "--format", "json"),
    "splits": ("splits", "export", "--dataset", "tiny", "--rule", "hard", "--known-class", "dot", "--shots", "10"),
}


@pytest.fixture
def bench(finished, calls_in):
    return calls_in(finished.root, **finished.env)


@contextmanager
def files_up_to(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("verb", VERBS)
def test_a_file_without_room_leaves_the_old_one(bench, tmp_path, verb):
    target = tmp_path / "made" / "file"
    target.parent.mkdir()
    assert bench(*VERBS[verb], "--output", target)[0] == 0
    made = target.read_bytes()
    target.write_bytes(GOOD)
    with files_up_to(len(made) // 2):
        code, _, said = bench(*VERBS[verb], "--output", target)
    assert code == 2
    assert f"--output {target}: File too large" in said
    assert target.read_bytes() == GOOD
    assert list(target.parent.iterdir()) == [target]


def test_a_link_stays_a_link_and_a_pipe_is_written_to(bench, tmp_path):
    target, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to(target)
    assert bench(*VERBS["export"], "--output", link)[0] == 0
    assert link.is_symlink()
    assert target.read_bytes()
    ours, theirs = os.pipe()
    assert bench(*VERBS["splits"], "--output", f"/proc/self/fd/{theirs}")[0] == 0
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        assert pipe.read().startswith(b"id,file,position")
