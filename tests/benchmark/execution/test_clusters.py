"""A cluster that goes away ends the call by one sentence."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest
from guests import Guests
from running import wait_for

SECONDS = 60


@pytest.fixture
def guests(house, monkeypatch):
    return Guests(house, monkeypatch)


@pytest.mark.skipif(find_spec("distributed") is None, reason="the extra dask is not installed")
def test_a_dask_scheduler_that_is_lost_is_one_sentence(guests):
    guests.invite("slow", f"time.sleep({SECONDS})")
    file = guests.house.root / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": guests.house.env}
    words = {
        "scheduler": ["--port", "0", "--no-dashboard"],
        "worker": ["--nthreads", "1", "--no-nanny", "--no-dashboard"],
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{name}", *more, "--scheduler-file", file], **quiet
        )
        for name, more in words.items()
    ]
    try:
        wait_for(file.exists)
        address = json.loads(file.read_text())["address"]
        call = guests.start("slow", "--engine", "dask", "--address", address)
        wait_for(lambda: guests.fits("slow") or call.poll() is not None)
        started[0].kill()
        _, said = call.communicate(timeout=SECONDS)
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert call.returncode == 1, said
    assert f"stopped: the Dask scheduler at {address} is lost" in said
    assert "Traceback" not in said
    assert guests.states == {}
