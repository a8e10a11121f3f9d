"""Jobs and threads where none are given."""

import os

import pytest

from benchmark.commands import run
from benchmark.execution.engines.local import Local
from benchmark.upkeep import memory
from results.reference import reference_records
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
        ((None, None), 99, 64 * GIB, 8.0, (8, 1)),
        ((None, None), 99, 64 * GIB, 2.5, (2, 1)),
        ((None, None), 99, 9 * GIB, 8.0, (2, 1)),
        ((None, None), 3, 64 * GIB, 8.0, (3, 1)),
        ((None, None), 0, 64 * GIB, 8.0, (1, 1)),
        ((None, None), 99, 0, 8.0, (1, 1)),
        ((None, 4), 99, 64 * GIB, 8.0, (2, 4)),
        ((None, 16), 99, 64 * GIB, 8.0, (1, 16)),
        ((3, None), 99, 0, 8.0, (3, 1)),
        ((3, 5), 1, 0, 8.0, (3, 5)),
    ],
)
def test_fits_of_one_thread_share_the_cores_and_the_memory(monkeypatch, given, fits, free, cores, expected):
    monkeypatch.setattr(memory, "machine_limits", lambda: memory.MachineLimits(64 * GIB, free, 8, cores))
    shares = memory.share_cores(*given, fits)
    assert (shares.jobs, shares.threads) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"device": "cuda"}, (1, 1)),
        ({"device": "cuda", "jobs": 3}, (3, 1)),
        ({"engine": "dask"}, (8, 1)),
        ({"engine": "dask", "address": "tcp://x:1", "threads": 4}, (1, 4)),
        ({"engine": "slurm", "threads": 4}, (99, 4)),
        ({"engine": "slurm", "threads": 4, "jobs": 2}, (2, 4)),
    ],
)
def test_a_device_and_far_workers_take_one_fit_unless_they_are_given_more(monkeypatch, options, expected):
    monkeypatch.setattr(memory, "machine_limits", lambda: memory.MachineLimits(64 * GIB, 64 * GIB, 8, 8.0))
    none = {"jobs": None, "threads": None, "engine": "local", "address": None, "device": "cpu"}
    shares = run._shares({**none, **options}, 99)
    assert (shares.jobs, shares.threads) == expected


def test_cores_that_stay_idle_are_said_with_the_option_that_uses_them(monkeypatch):
    monkeypatch.setattr(memory, "machine_limits", lambda: memory.MachineLimits(64 * GIB, 64 * GIB, 8, 8.0))
    assert memory.share_cores(None, None, 3).remark == (
        "3 fits of 1 thread at a time: 5 of 8 cores stay idle; --threads 2 uses them, in another numerics class"
    )
    assert memory.share_cores(None, None, 8).remark == memory.share_cores(None, 1, 3).remark == ""


def test_no_packaged_run_took_more_memory_than_a_fit_is_taken_to_need():
    peaks = [record.peak_memory_mib for record in reference_records() if record.peak_memory_mib]
    assert 0 < max(peaks) * 2**20 <= memory.FIT_BYTES


@pytest.mark.slow
def test_a_run_has_one_thread_unless_it_is_given_more(bench, house, monkeypatch):
    monkeypatch.setattr(memory, "machine_limits", lambda: memory.MachineLimits(64 * GIB, 64 * GIB, 4, 4.0))
    words = ("run", "--suite", house.suite, "--known-class", "dot", *house.small)
    code, _, said = bench(*words)
    assert code == 0
    assert "2 fits of 1 thread at a time: 2 of 4 cores stay idle; --threads 2 uses them" in said
    assert {record.provenance.threads for record in Store(house.results).records()} == {1}
