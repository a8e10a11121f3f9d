"""A fault of the machine leaves no failed record; a full disk ends the call."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from guests import Guests
from running import wait_for

from benchmark.execution import faults

OURS = [Path("/results")]


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.fixture
def guests(house, monkeypatch):
    return Guests(house, monkeypatch)


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(number, os.strerror(number)) for number in (errno.EIO, errno.ESTALE, errno.ENOSPC, errno.EDQUOT)),
        FileNotFoundError(errno.ENOENT, "No such file", "/results/artefacts/x"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:75] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("unable to write to file </torch_1>: No space left on device (28)"),
        RuntimeError(
            "DataLoader worker is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory."
        ),
        caused(ValueError("no picture"), OSError(errno.EIO, "Input/output error")),
    ],
    ids=str,
)
def test_the_machine_is_to_blame(error):
    assert (
        faults.RETRIED in str(faults.machine_fault(error, OURS))
        or faults.machine_fault(error, OURS).args[0] == faults.MEMORY
    )


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a wrong shape"),
        FileNotFoundError(errno.ENOENT, "No such file", "/elsewhere/x"),
        PermissionError(errno.EACCES, "Permission denied", "/elsewhere/x"),
        SystemExit(1),
    ],
    ids=str,
)
def test_the_detector_is_to_blame(error):
    assert faults.machine_fault(error, OURS) is None


@pytest.mark.slow
def test_runs_that_meet_a_fault_of_the_machine_are_tried_again(guests):
    fault = "if not (ROOT / 'well').exists(): raise {}"
    guests.invite("disk", fault.format("OSError(5, 'Input/output error')"))
    guests.invite("network", fault.format("RuntimeError('reading') from OSError(116, 'Stale file handle')"))
    guests.invite("full", fault.format("OSError(28, 'No space left on device')"))
    guests.invite("memory", fault.format("MemoryError"))
    guests.invite("calm")
    first = guests.run("disk,network,full,memory,calm")
    assert first.returncode == 1, first.stderr
    assert guests.states == {"calm": ("done", None)}
    for words in ("Input/output error", "Stale file handle", "No space left on device", "out of memory"):
        assert words in first.stderr
    assert "Traceback" not in first.stderr
    (guests.house.root / "well").touch()
    assert guests.run("disk,network,full,memory,calm").returncode == 0
    assert len(guests.states) == 5


@pytest.mark.slow
def test_a_results_folder_that_is_moved_costs_no_run(guests):
    guests.invite("slow", "time.sleep(1.5)\nfor step in range(5): self.context.progress(step, 5); time.sleep(0.6)")
    call = guests.start("slow")
    wait_for(lambda: guests.fits("slow"))
    guests.house.results.rename(guests.house.root / "moved")
    _, said = call.communicate(timeout=120)
    assert call.returncode == 0, said
    assert guests.states == {"slow": ("done", None)}


@pytest.mark.slow
def test_a_full_disk_ends_the_call_before_another_fit(guests):
    guests.invite("large", "self.context.artefact('grid', b'x' * 200_000)")
    guests.invite("small")
    assert guests.run("small", "--results", guests.house.root / "other").returncode == 0  # images are decoded

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    call = guests.start("large", "--seed", "0,1,2,3", preexec_fn=no_room)
    _, said = call.communicate(timeout=120)
    assert call.returncode == 1, said
    assert len(guests.fits("large")) == 1
    assert "File too large" in said
    assert "stopped: nothing more can be written; fits left undone: 3" in said
    assert guests.states == {}
    assert guests.run("large").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("options", ["ro,size=1m", "size=4k"])
def test_fits_need_no_shared_memory(guests, options):
    guests.invite("calm")
    words = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o {options} none /dev/shm && exec "$@"', "sh"]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount")
    bench = [sys.executable, "-m", "benchmark", *map(str, guests.words("calm", "--jobs", "2"))]
    place = {"env": guests.house.env, "cwd": guests.house.root}
    done = subprocess.run([*words, *bench], capture_output=True, text=True, check=False, **place)
    assert done.returncode == 0, done.stderr
    assert guests.states == {"calm": ("done", None)}
