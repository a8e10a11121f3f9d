"""What a run says of its progress, on a terminal and where there is none."""

import io
import json
import os
import re
from itertools import pairwise
from types import SimpleNamespace

import pytest

from benchmark.execution.listeners import progress
from benchmark.execution.processes.fit_clock import FitClock
from results.store import Store


@pytest.fixture
def fit(tmp_path, monkeypatch, capsys):
    """A progress of one fit out of two; call it with (done, seconds since the start) for the line that it says."""
    store = Store(tmp_path)
    store.progress_path("a").parent.mkdir()
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock.now))
    shown = progress.RunProgress(store, [SimpleNamespace(key=key, name=key) for key in "ab"], None)

    def at(done, seconds, process=1):
        clock.now = float(seconds)
        store.progress_path("a").write_text(json.dumps({"done": done, "total": 100, "process": process}))
        shown.tick()
        return capsys.readouterr().err

    return at


def test_a_look_reads_no_more_than_the_fits_at_work_left(tmp_path, monkeypatch):
    store, read = Store(tmp_path), []
    tasks = [SimpleNamespace(key=str(number), name=str(number)) for number in range(1000)]
    shown = progress.RunProgress(store, tasks, None)
    store.progress_path("7").parent.mkdir()
    for key in ("7", "of another call"):
        store.progress_path(key).write_text(json.dumps({"done": 1, "total": 2}))
    monkeypatch.setattr(shown, "_state", read.append)
    shown.tick()
    assert read == ["7"]


def test_what_a_killed_call_left_is_no_fit_at_work(tmp_path):
    store = Store(tmp_path)
    with store.claim("b"):
        for key in "ab":
            store.progress_path(key).write_text(json.dumps({"done": 1, "total": 2}))
        progress.RunProgress(store, [SimpleNamespace(key=key, name=key) for key in "abc"], None)
        assert store.fits_at_work() == {"b"}


def test_a_line_says_share_times_phase_and_step(fit):
    assert fit(0, 0) == ""
    line = "10% of all fits done, 1 min 40 s elapsed, ~15 min left; a: fitting 20 of 100\n"
    assert fit(20, 100) == line


def test_the_time_left_does_not_count_what_a_checkpoint_held(fit):
    fit(80, 1)
    assert fit(90, 100).startswith("45% of all fits done, 1 min 40 s elapsed, ~18 min left")


def test_a_fit_that_starts_anew_for_want_of_a_checkpoint_counts_from_there(fit):
    fit(80, 1)
    fit(0, 2)
    assert fit(20, 100).startswith("10% of all fits done, 1 min 40 s elapsed, ~15 min left")


def test_a_slow_first_step_foretells_nothing(fit):
    fit(0, 0)
    assert fit(1, 300) == "0% of all fits done, 5 min 0 s elapsed; a: fitting 1 of 100\n"
    assert "~3 min left" in fit(31, 331)


def test_a_line_comes_within_half_a_minute_as_often_as_who_waits_looks(fit):
    seconds = [number * 0.3 for number in range(1000)]
    spoken = [at for at in seconds if fit(0, at)]
    gaps = [later - earlier for earlier, later in pairwise([0, *spoken])]
    assert max(gaps) <= 30
    assert min(gaps) > 25


def test_a_fit_that_another_process_takes_over_is_still_from_then_on(fit):
    fit(20, 0)
    assert "no progress for 10 min 0 s: a;" in fit(20, 600)
    assert "no progress" not in fit(20, 700, process=2)
    assert "no progress for 10 min 0 s: a;" in fit(20, 1300, process=2)


def test_the_process_of_a_fit_stands_in_its_progress(tmp_path):
    FitClock(tmp_path / "progress", None).report(0, 10)
    assert json.loads((tmp_path / "progress").read_text())["process"] == os.getpid()


def test_phase_and_last_loss_stand_in_the_line(fit, tmp_path):
    clock = FitClock(Store(tmp_path).progress_path("b"), None)
    clock.begin_fit(None)
    clock.report(10, 10, loss=3.21456)
    assert "; b: fitting 10 of 10, loss 3.21" in fit(0, 100)
    clock.begin_scores(1.0)
    assert "; b: scoring, loss 3.21" in fit(0, 200)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def bar(tmp_path, monkeypatch):
    """What is drawn on a terminal of eighty columns while a fit with a long name is at work."""

    def drawn(term):
        terminal = Terminal()
        monkeypatch.setattr("sys.stderr", terminal)
        monkeypatch.setenv("TERM", term)
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.delenv("NO_COLOR", raising=False)
        store = Store(tmp_path)
        store.progress_path("a").parent.mkdir(exist_ok=True)
        state = {"phase": "fitting", "done": 120, "total": 600, "loss": 3.21456}
        name = "hard-hyper_kvasir-barretts_short_segment-dra-10-s0-1a2b3c4d"
        with progress.show_progress(store, [SimpleNamespace(key="a", name=name, runs=())]) as shown:
            store.progress_path("a").write_text(json.dumps(state))
            shown.tick()
            shown.counting("decoding elpv at 224 px")(3, 2624)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())

    return drawn


def test_a_terminal_shows_phase_step_loss_and_elapsed_time_within_its_columns(bar):
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", bar("xterm"))]
    assert max(map(len, lines)) <= 80
    assert any(re.search(r"^hard-hyper_kvasir-.*━.* fitting 120 of 600, loss 3.21$", line) for line in lines)
    assert any(re.search(r"^all fits .*━.* 0 of 1, 0 s elapsed$", line) for line in lines)
    assert any(re.search(r"^decoding elpv at 224 px .*━.* 3 of 2624$", line) for line in lines)
    assert "-:--" not in "".join(lines)


def test_a_dumb_terminal_gets_lines(bar):
    assert bar("dumb") == "decoding elpv at 224 px: 3 of 2624\n"


def test_one_cause_that_blocks_many_runs_is_one_line(tmp_path, capsys):
    def task(name, *runs):
        scorings = [SimpleNamespace(spec=SimpleNamespace(name=run)) for run in runs]
        return SimpleNamespace(key=name, name=name, runs=scorings)

    tasks = [task("a", "a-s0", "a-s1"), task("b", "b-s0"), task("source"), task("c", "c-s0")]
    shown = progress.RunProgress(Store(tmp_path), tasks, None)
    shown.blocked(tasks[:3], "the disk is gone")
    shown.blocked(tasks[3:], "no such file")
    assert capsys.readouterr().err.splitlines() == [
        "blocked: 4 runs (a-s0, a-s1, b-s0 and 1 more): the disk is gone",
        "blocked: c-s0  no such file",
    ]
    assert (shown.done, shown.troubles) == (4, 4)
