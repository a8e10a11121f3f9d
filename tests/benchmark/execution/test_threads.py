"""Default threads on a busy machine."""

import os

import pytest

from benchmark.execution.engines.local import Local
from benchmark.upkeep import memory


def test_threads_of_workers_that_wait_do_not_spin(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    with Local(threads=2)(1) as executor:
        assert executor.submit(os.getenv, "OMP_WAIT_POLICY").result() == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    with Local(threads=2)(1) as executor:
        assert executor.submit(os.getenv, "OMP_WAIT_POLICY").result() == "ACTIVE"


def test_what_else_is_at_work_is_counted_without_this_process(tmp_path):
    assert memory.others_at_work(tmp_path) == 0
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "loadavg").write_text("0.10 0.20 0.30 7/300 12345\n")
    assert memory.others_at_work(tmp_path) == 6


@pytest.mark.slow
def test_a_busy_machine_is_said_with_the_option_that_helps(bench, house, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(memory, "machine_limits", lambda: memory.MachineLimits(0, 0, 4, 4.0))
    monkeypatch.setattr(memory, "others_at_work", lambda: 3)
    words = ("run", "--suite", house.suite, "--known-class", "dot", *house.small)
    _, _, said = bench(*words, "--max-time", "0.01s")
    assert "3 others are at work on this machine's 4 cores: --threads 1 may be faster than 4" in said
    _, _, said = bench(*words, "--max-time", "0.01s", "--threads", "2")
    assert "others are at work" not in said
