"""SIGTERM and SIGHUP: a checkpoint is written and the terminal given back, and the same command goes on from there."""

import os
import pty
import signal
import subprocess
import sys

import pytest
from guests import Guests
from running import wait_for

STEPS = """
begun = (self.context.checkpoint.load() or {"step": 0})["step"]
with (ROOT / "begun").open("a") as file:
    file.write(f"{begun}\\n")
for step in range(begun, 3000 if not (ROOT / "short").exists() else begun + 1):
    self.context.progress(step, 3000)
    time.sleep(0.1)
    (ROOT / "step").write_text(str(step))
    if self.context.deadline is not None and time.monotonic() >= self.context.deadline:
        self.context.checkpoint.save({"step": step + 1})
        raise DeadlineReached("stopped")
"""


@pytest.fixture
def guests(house, monkeypatch):
    made = Guests(house, monkeypatch)
    made.invite("slow", STEPS)
    return made


@pytest.fixture(autouse=True)
def hangup_ends():
    """A call inherits what its shell does with SIGHUP, and under nohup that is nothing."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_a_checkpoint_from_which_the_next_call_goes_on(guests, sent):
    call = guests.start("slow")
    wait_for((guests.house.root / "step").exists)
    call.send_signal(sent)
    _, said = call.communicate(timeout=60)
    assert call.returncode == 128 + sent, said
    assert f"{sent.name}: fits at work save checkpoints" in said
    assert "paused: general-tiny-slow" in said
    assert "saved a checkpoint" in said
    assert said.splitlines()[-1].startswith(f"bench: ended by {sent.name}")
    assert "Traceback" not in said
    assert guests.states == {}
    (guests.house.root / "short").touch()
    again = guests.run("slow")
    assert again.returncode == 0, again.stderr
    first, second = map(int, (guests.house.root / "begun").read_text().split())
    assert first == 0 < second


@pytest.mark.slow
def test_under_nohup_a_call_goes_on(guests):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    (guests.house.root / "short").touch()
    call = guests.start("slow")
    wait_for((guests.house.root / "begun").exists)
    call.send_signal(signal.SIGHUP)
    _, said = call.communicate(timeout=60)
    assert call.returncode == 0, said
    assert guests.states == {"slow": ("done", None)}


@pytest.mark.slow
def test_a_terminal_gets_its_cursor_back(guests):
    ours, theirs = pty.openpty()
    call = subprocess.Popen(
        [sys.executable, "-m", "benchmark", *guests.words("slow")],
        env=guests.house.env | {"TERM": "xterm"},
        cwd=guests.house.root,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    wait_for((guests.house.root / "step").exists)
    call.send_signal(signal.SIGTERM)
    seen = b""
    while chunk := read(ours):
        seen += chunk
    os.close(ours)
    assert call.wait() == 128 + signal.SIGTERM
    hidden, shown = seen.rfind(b"\x1b[?25l"), seen.rfind(b"\x1b[?25h")
    assert 0 <= hidden < shown


def test_a_terminal_that_is_gone_costs_no_checkpoint(guests):
    ours, theirs = pty.openpty()
    call = subprocess.Popen(
        [sys.executable, "-m", "benchmark", *guests.words("slow")],
        env=guests.house.env | {"TERM": "xterm"},
        cwd=guests.house.root,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    wait_for((guests.house.root / "step").exists)
    os.close(ours)
    call.send_signal(signal.SIGHUP)
    assert call.wait(60) == 128 + signal.SIGHUP
    assert len(list((guests.house.results / "checkpoints").iterdir())) == 1
    assert guests.states == {}


def read(descriptor):
    try:
        return os.read(descriptor, 4096)
    except OSError:  # nobody has the other end any more
        return b""
