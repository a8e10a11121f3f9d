"""A worker that dies costs its own fit only, and is named by how it died."""

import pytest
from guests import Guests


@pytest.fixture
def guests(house, monkeypatch):
    return Guests(house, monkeypatch)


@pytest.mark.slow
def test_a_crash_is_named_by_its_signal_tried_twice_and_costs_no_other_fit(guests):
    guests.invite("crasher", "import ctypes; ctypes.string_at(0)")
    guests.invite("calm", "time.sleep(2)")
    guests.invite("leaver", "os._exit(3)")
    done = guests.run("crasher,calm,leaver", "--jobs", "2")
    assert done.returncode == 1, done.stderr
    state, reason = guests.states["crasher"]
    assert state == "failed"
    assert "SIGSEGV (segmentation fault), in both of two tries" in reason
    assert any("SIGSEGV" in line for line in done.stderr.splitlines() if "crasher" in line)
    assert guests.states["leaver"] == ("failed", "its process left by itself with exit status 3, in both of two tries")
    assert guests.states["calm"] == ("done", None)
    assert [len(guests.fits(name)) for name in ("crasher", "leaver", "calm")] == [2, 2, 1]
    assert "memory" not in done.stderr
    trace = next(path.read_text() for path in guests.house.results.glob("tracebacks/*") if "SEGV" in path.read_text())
    assert "crasher/__init__.py" in trace, "the traceback says where it was"
    again = guests.run("crasher,calm,leaver")
    assert "2 failed before and are skipped" in again.stderr
    assert len(guests.fits("crasher")) == 2


@pytest.mark.slow
def test_a_killed_worker_leaves_no_record_and_is_tried_again_by_the_next_call(guests):
    guests.invite("victim", "os.kill(os.getpid(), signal.SIGKILL) if not (ROOT / 'spare').exists() else None")
    done = guests.run("victim")
    assert done.returncode == 1
    assert "killed by SIGKILL (killed) (out of memory?): use fewer --jobs" in done.stderr
    assert guests.states == {}
    (guests.house.root / "spare").touch()
    assert guests.run("victim").returncode == 0
    assert guests.states == {"victim": ("done", None)}
