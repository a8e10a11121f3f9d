"""What a plug-in does to its process costs its own run: leaving, printing, odd histories, processes left behind."""

import os
import signal
from pathlib import Path

import pytest
from guests import Guests
from running import wait_for

from results.store import Store


@pytest.fixture
def guests(house, monkeypatch):
    return Guests(house, monkeypatch)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_leaving_is_a_failed_run_and_prints_go_to_stderr(guests):
    guests.invite("leaver", "sys.exit(0)")
    guests.invite("stopper", "raise KeyboardInterrupt")
    guests.invite("odd", "raise type('Own', (BaseException,), {})('bad ' + chr(0xDCFF))")
    guests.invite("mute", "raise type('Mute', (Exception,), {'__str__': lambda error: 1 / 0})()")
    guests.invite("chatty", "raise ValueError('a' * 10000)")
    guests.invite(
        "loud", "print('noise'); sys.__stdout__.write('noise'); os.system('echo noise'); os.write(1, b'noise')"
    )
    done = guests.run("leaver,stopper,odd,mute,chatty,loud")
    assert done.returncode == 1, done.stderr
    assert guests.states == {
        "leaver": ("failed", "SystemExit: 0"),
        "stopper": ("failed", "KeyboardInterrupt: no message"),
        "odd": ("failed", "Own: bad \\udcff"),
        "mute": ("failed", "Mute: no message"),
        "chatty": ("failed", "ValueError: " + 1000 * "a"),
        "loud": ("done", None),
    }
    assert "noise" not in done.stdout
    assert done.stderr.count("noise") == 4
    assert "general-tiny-loud" in done.stderr
    assert "loud: 1 of 1 cell measured" in done.stdout


WILD = """
assert torch.get_default_dtype() == torch.float32
assert torch.is_grad_enabled()
assert torch.backends.mkldnn.enabled
torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
torch.backends.mkldnn.enabled = False
"""


@pytest.mark.slow
def test_what_a_fit_sets_for_the_whole_process_does_not_reach_the_next_one(guests):
    guests.invite("wild", WILD)
    guests.invite("wilder", WILD)
    done = guests.run("wild,wilder")
    assert done.returncode == 0, done.stderr
    assert guests.fits("wild") == guests.fits("wilder")


@pytest.mark.slow
def test_a_history_that_no_record_can_hold_neither_hides_nor_repeats_the_run(guests):
    guests.invite("undefined", "self.history = {'loss': [1.0, float('nan')], 'gain': [float('-inf')], 'step': [1, 2]}")
    guests.invite("wordy", "self.history = {'loss': ['none']}")
    first = guests.run("undefined,wordy")
    assert first.returncode == 1
    assert guests.states["undefined"] == ("done", None)
    assert guests.states["wordy"][0] == "failed"
    assert "the history of wordy is not one list of numbers" in guests.states["wordy"][1]
    (made,) = [record for record in Store(guests.house.results).records() if record.status == "done"]
    assert made.history == {"step": [1.0, 2.0]}
    assert "history of loss left out: 1 of 2 numbers are not finite" in made.notes
    again = guests.run("undefined,wordy")
    assert "1 cached, 0 to run" in again.stderr
    assert not (guests.house.results / "set_aside").exists()


LEAVES = """
double = "import subprocess; print(subprocess.Popen(['sleep', '600'], stdout=-3, stderr=-3).pid, flush=True)"
first = subprocess.Popen(["sleep", "600"], start_new_session=True)
second = subprocess.run([sys.executable, "-c", double], capture_output=True, text=True, check=True)
(ROOT / "children.part").write_text(f"{first.pid} {second.stdout}")
(ROOT / "children.part").rename(ROOT / "children")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("then", "status"),
    [("", 0), ("import ctypes; ctypes.string_at(0)", 1), ("time.sleep(600)", -signal.SIGKILL)],
    ids=["done", "crashed", "killed"],
)
def test_processes_that_a_fit_starts_end_with_it(guests, then, status):
    guests.invite("parent", LEAVES + then)
    call = guests.start("parent")
    children = guests.house.root / "children"
    if status < 0:
        wait_for(children.exists)
        os.kill(call.pid, -status)
    out, err = call.communicate(timeout=120)
    assert call.returncode == status, (out, err)
    started = [int(word) for word in children.read_text().split()]
    assert len(started) == 2
    wait_for(lambda: not any(map(is_alive, started)), seconds=10)
