"""Jobs and threads where none are given."""

import os

import pytest

from benchmark.execution.engines.local import Local
from benchmark.terminal.run_options import share_cores
from benchmark.upkeep import memory
from results.store import Store


def test_threads_of_workers_that_wait_do_not_spin(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    with Local(threads=2)(1) as executor:
        assert executor.submit(os.getenv, "OMP_WAIT_POLICY").result() == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    with Local(threads=2)(1) as executor:
        assert executor.submit(os.getenv, "OMP_WAIT_POLICY").result() == "ACTIVE"


GIB = 1 << 30


@pytest.mark.parametrize(
    ("given", "fits", "free", "cores", "expected"),
    [
        ({}, 99, 64 * GIB, 8.0, (8, 1)),
        ({}, 99, 64 * GIB, 2.5, (2, 1)),
        ({}, 99, 9 * GIB, 8.0, (2, 1)),
        ({}, 3, 64 * GIB, 8.0, (3, 1)),
        ({}, 0, 64 * GIB, 8.0, (1, 1)),
        ({}, 99, 0, 8.0, (1, 1)),
        ({"threads": 4}, 99, 64 * GIB, 8.0, (2, 4)),
        ({"threads": 16}, 99, 64 * GIB, 8.0, (1, 16)),
        ({"jobs": 3}, 99, 0, 8.0, (3, 1)),
        ({"jobs": 3, "threads": 5}, 1, 0, 8.0, (3, 5)),
        ({"device": "cuda"}, 99, 64 * GIB, 8.0, (1, 1)),
        ({"engine": "dask"}, 99, 64 * GIB, 8.0, (8, 1)),
        ({"engine": "dask", "address": "tcp://x:1", "threads": 4}, 99, 64 * GIB, 8.0, (1, 4)),
        ({"engine": "slurm", "threads": 4}, 99, 64 * GIB, 8.0, (99, 4)),
    ],
)
def test_fits_of_one_thread_share_the_cores_and_the_memory(monkeypatch, given, fits, free, cores, expected):
    monkeypatch.setattr(memory, "machine_limits", lambda: memory.MachineLimits(64 * GIB, free, 8, cores))
    options = {"jobs": None, "threads": None, "engine": "local", "address": None, "device": "cpu", **given}
    shares = share_cores(options, fits)
    assert (shares.jobs, shares.threads) == expected


def test_cores_that_stay_idle_are_said_with_the_option_that_uses_them(monkeypatch):
    monkeypatch.setattr(memory, "machine_limits", lambda: memory.MachineLimits(64 * GIB, 64 * GIB, 8, 8.0))
    options = {"jobs": None, "threads": None, "engine": "local", "address": None, "device": "cpu"}
    assert share_cores(options, 3).remark == (
        "3 fits of 1 thread at a time: 5 of 8 cores stay idle; --threads 2 uses them, in another numerics class"
    )
    assert share_cores(options, 8).remark == share_cores({**options, "threads": 1}, 3).remark == ""


@pytest.mark.slow
def test_a_run_has_one_thread_unless_it_is_given_more(bench, house, monkeypatch):
    monkeypatch.setattr(memory, "machine_limits", lambda: memory.MachineLimits(64 * GIB, 64 * GIB, 4, 4.0))
    words = ("run", "--suite", house.suite, "--known-class", "dot", *house.small)
    code, _, said = bench(*words)
    assert code == 0
    assert "2 fits of 1 thread at a time: 2 of 4 cores stay idle; --threads 2 uses them" in said
    assert {record.provenance.threads for record in Store(house.results).records()} == {1}
