"""Ctrl-C pressed again and again by somebody in a hurry."""

import os
import signal
import time
from pathlib import Path

import pytest
import strangers
from running import wait_for

SLOW = strangers.DETECTOR.replace(
    "def fit(self, data): ...",
    "def fit(self, data):\n        open('started', 'w').close()\n        import time\n        time.sleep(600)",
)


@pytest.fixture
def slow(house, monkeypatch):
    site = house.root / "site"
    files = {"bright.toml": strangers.RECIPE.format(id="bright", package="bright"), "detector.py": SLOW}
    strangers.install(site, "bright", {"swanbench.methods": {"bright": "bright:bright.toml"}}, files)
    monkeypatch.setenv("PYTHONPATH", strangers.path(site))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a child of a background job would ignore it
    parent = house.start("run", "--suite", house.suite, "--method", "bright", "--threads", "1", start_new_session=True)
    signal.signal(signal.SIGINT, before)
    wait_for((house.root / "started").exists)
    yield parent
    if parent.poll() is None:
        os.killpg(parent.pid, signal.SIGKILL)
        parent.communicate()


@pytest.mark.parametrize(("times", "pause"), [(2, 0.02), (3, 0.0), (3, 0.3), (6, 0.02), (6, 0.3)])
def test_ctrl_c_again_gives_no_traceback_and_leaves_nothing_at_work(slow, house, pause, times):
    for _ in range(times):
        if slow.poll() is None:
            os.killpg(slow.pid, signal.SIGINT)
        time.sleep(pause)
    _, said = slow.communicate(timeout=60)
    assert slow.returncode == 130
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert "KeyboardInterrupt" not in said
    wait_for(lambda: not at_work(slow.pid), seconds=20)
    assert not list(house.results.glob("records/*/*.json"))


def at_work(session):
    """Processes of a session that live."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of = status.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(of) == session and state != "Z":
            found.append(status.parent.name)
    return found
