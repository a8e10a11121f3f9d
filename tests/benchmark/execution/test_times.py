"""--max-time and --fit-timeout hold, whatever a fit does, a clock says, or another call has in hand."""

import signal
import time
from dataclasses import replace

import pytest
from guests import Guests

from benchmark.execution import scheduler, worker
from benchmark.execution.processes.handover import Outcome
from results.store import Store

STEPS = """
begun = (self.context.checkpoint.load() or {"step": 0})["step"]
for step in range(begun, 40):
    (ROOT / "step").write_text(f"{begun} {step}")
    time.sleep(0.1)
    if self.context.deadline is not None and time.monotonic() >= self.context.deadline:
        self.context.checkpoint.save({"step": step + 1})
        raise DeadlineReached("stopped")
"""


@pytest.fixture
def guests(house, monkeypatch):
    return Guests(house, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--max-time", "--fit-timeout"])
def test_a_fit_that_hangs_is_ended_and_named(guests, option):
    """It holds the interpreter's lock, so that nothing in its process but a watchdog in C can run."""
    guests.invite("hanger", "import ctypes; ctypes.PyDLL(None).sleep(600)")
    guests.invite("calm")
    done = guests.run("hanger,calm", option, "1s")
    assert done.returncode == 1, done.stderr
    said = [line for line in done.stderr.splitlines() if "general-tiny-hanger" in line]
    assert any(option in line and "did not stop" in line for line in said)
    assert len(guests.fits("hanger")) == 1
    if option == "--max-time":
        assert guests.states == {}
    else:
        assert guests.states["calm"] == ("done", None)
        assert guests.states["hanger"][0] == "failed"
        assert any("hanger/__init__.py" in path.read_text() for path in guests.house.results.glob("tracebacks/*"))


@pytest.mark.slow
def test_a_fit_over_its_own_time_fails_with_its_checkpoint_kept(guests):
    guests.invite("slow", STEPS)
    first = guests.run("slow", "--fit-timeout", "0.5s")
    assert first.returncode == 1, first.stderr
    state, reason = guests.states["slow"]
    assert state == "failed"
    assert "--fit-timeout 0.5s" in reason
    assert "--retry-failed" in reason
    assert guests.run("slow", "--retry-failed", "--fit-timeout", "10m").returncode == 0
    assert guests.states["slow"] == ("done", None)
    assert int((guests.house.root / "step").read_text().split()[0]) > 0, "it went on from the checkpoint"


@pytest.fixture
def claimed(house, guests, furnished):
    """A run that another call, this process, has in hand."""

    def work():
        guests.invite("wanted")
        assert guests.run("wanted").returncode == 0

    furnished(house, "wanted", work)
    store = Store(house.results)
    (record,) = store.records()
    store.record_path(record.key).unlink()
    with store.claim(record.fit_key) as mine:
        assert mine
        yield guests


def test_a_call_that_waits_for_another_keeps_to_its_time(claimed):
    done = claimed.run("wanted", "--max-time", "1s")
    assert done.returncode == 0, done.stderr
    assert "paused: general-tiny-wanted" in done.stderr
    assert "another call has it in hand" in done.stderr
    assert claimed.states == {}


def test_a_call_that_waits_for_another_says_so(claimed):
    call = claimed.start("wanted")
    line = next(line for line in call.stderr if "waiting" in line)
    assert line.startswith("waiting: general-tiny-wanted")
    call.send_signal(signal.SIGTERM)
    call.communicate(timeout=60)
    assert call.returncode == 128 + signal.SIGTERM


def test_a_clock_that_jumps_moves_no_deadline(drifting, rows, monkeypatch):
    drifting.prepare("tiles", rows["texture"](30))
    suite = drifting.suite(
        'id = "t"\ntitle = "T"\nrule = "general"\nrecipe = "official"\nmethods = ["drift"]\nshots = [1]\nseeds = [0]\n'
        "[datasets]\ntiles = []\n"
    )
    (task,) = drifting.plan(suite).tasks({"missing"})
    given = []

    class Executor:
        lost = ""

        def submit(self, call, task, where, **named):
            given.append(where.seconds)
            monkeypatch.setattr(time, "time", lambda: 4e9)
            raise OSError

        def ask_to_stop(self):
            return False

    class Workers:
        def __call__(self, jobs):
            return self

        def __enter__(self):
            return Executor()

        def __exit__(self, *_):
            return None

    class Listener:
        def given_up(self, tasks, reason):
            given.append(len(tasks))

    scheduler.Scheduler(drifting.machine, Workers(), 1, "never", Listener(), time.monotonic() + 1000).run([task])
    assert 900 < given[0] <= 1000
    assert given[1] == 1
    assert worker.execute(task, replace(drifting.machine, seconds=1000.0)) == Outcome("done")
