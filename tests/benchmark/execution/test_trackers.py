"""Trackers hear of fits, numbers and records; what goes wrong in one costs that tracker alone."""

import json
import sys
from types import SimpleNamespace

import pytest
import strangers
from records import make_record

from benchmark.errors import BenchError
from benchmark.execution.listeners import progress, trackers
from benchmark.execution.listeners.trackers import Trackers
from benchmark.execution.processes.handover import Outcome
from results.store import Store

FIT = SimpleNamespace(
    key="f" * 64, name="fit-tiny-dra", method="dra", dataset="tiny", spec=SimpleNamespace(seed=3, params={"heads": "s"})
)

CODE = """
import json
from pathlib import Path

class Diary:
    def __init__(self):
        self.file = Path("diary.jsonl")
    def _write(self, *words):
        with self.file.open("a") as file:
            print(json.dumps(words), file=file)
    def fit_started(self, fit):
        print("on stdout")
        self._write("started", fit.name, fit.method, fit.dataset, fit.seed, fit.params["budget.steps"], str(fit.results))
    def numbers(self, fit, done, total, values):
        self._write("numbers", fit.name, done, total, sorted(values))
    def record_finished(self, fit, record):
        self._write("record", fit.name, record.spec.name, record.metrics.auroc, len(record.history["loss"]))
    def fit_finished(self, fit, state):
        self._write("finished", fit.name, state)

class Broken(Diary):
    def fit_started(self, fit):
        raise ValueError("no network")

class Leaving(Diary):
    def record_finished(self, fit, record):
        raise SystemExit(3)
"""
POINTS = {
    "diary": "diaries.code:Diary",
    "broken": "diaries.code:Broken",
    "absent": "diaries.code:Absent",
    "leaving": "diaries.code:Leaving",
}


class Listening:
    """A tracker that notes what it hears, and raises where `fails` says so."""

    def __init__(self, fails=None):
        self.heard = []
        self.fails = fails

    def __getattr__(self, name):
        def hear(fit, *facts):
            if name == self.fails:
                raise RuntimeError(f"{name}\nfailed")
            self.heard.append((name, fit.name, *facts))

        return hear


def state(done, **numbers):
    return {"phase": "fitting", "done": done, "total": 10, "patience_s": 15.0, **numbers}


def test_numbers_are_told_when_one_of_them_is_new(tmp_path):
    tracker = Listening()
    group = Trackers({"one": tracker}, tmp_path, print)
    for progress_state in (state(0), state(1), state(2, loss=0.5), state(3, loss=0.5), state(4, loss=0.25, odd="text")):
        group.see(FIT, progress_state)
    record = make_record()
    group.finish(FIT, "done", [record])
    assert tracker.heard == [
        ("fit_started", "fit-tiny-dra"),
        ("numbers", "fit-tiny-dra", 2, 10, {"loss": 0.5}),
        ("numbers", "fit-tiny-dra", 4, 10, {"loss": 0.25}),
        ("record_finished", "fit-tiny-dra", record),
        ("fit_finished", "fit-tiny-dra", "done"),
    ]
    group.see(FIT, state(1, loss=0.25))
    assert [each[0] for each in tracker.heard[5:]] == ["fit_started", "numbers"]


@pytest.mark.parametrize(
    ("outcome", "heard"), [("done", 2), ("failed", 2), ("paused", 0), ("taken", 0), ("blocked", 0)]
)
def test_a_fit_that_was_never_seen_at_work_is_told_of_only_where_this_call_did_it(tmp_path, outcome, heard):
    tracker = Listening()
    Trackers({"one": tracker}, tmp_path, print).finish(FIT, outcome, [])
    assert len(tracker.heard) == heard


@pytest.mark.parametrize("fails", ["fit_started", "numbers", "record_finished", "fit_finished"])
def test_one_that_fails_is_left_out_with_one_line_and_the_others_go_on(tmp_path, fails):
    bad, good, said = Listening(fails), Listening(), []
    group = Trackers({"bad": bad, "good": good}, tmp_path, said.append)
    for _ in range(2):
        group.see(FIT, state(1, loss=0.5))
        group.finish(FIT, "done", [make_record()])
    assert said == [f"the tracker bad is left out from here on, the run goes on: RuntimeError: {fails} failed"]
    assert len(good.heard) == 8
    assert len(bad.heard) < 4


def test_progress_tells_trackers_of_what_it_reads(tmp_path, monkeypatch, capsys):
    store, tracker = Store(tmp_path), Listening()
    monkeypatch.setattr(progress, "load_trackers", lambda names, root, say: Trackers({"one": tracker}, root, say))
    task = SimpleNamespace(key=FIT.key, name="run", fit=FIT, runs=(SimpleNamespace(spec=make_record().spec),))
    shown = progress.RunProgress(store, [task], None, ["one"])
    store.progress_path(FIT.key).parent.mkdir()
    store.progress_path(FIT.key).write_text(json.dumps(state(5, loss=1.5)))
    shown.tick()
    store.put(make_record())
    shown.finished(task, Outcome("done"))
    assert [each[0] for each in tracker.heard] == ["fit_started", "numbers", "record_finished", "fit_finished"]
    assert tracker.heard[2][2] == make_record()
    assert "AUC" in capsys.readouterr().err


@pytest.fixture
def installed_trackers(tmp_path, monkeypatch):
    strangers.install(tmp_path / "site", "diaries", {trackers.TRACKER_GROUP: POINTS}, {"code.py": CODE})
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield tmp_path / "site"
    for module in ("diaries", "diaries.code"):
        sys.modules.pop(module, None)


def test_a_name_that_no_package_offers_is_refused_before_anything_runs(installed_trackers):
    trackers.check_trackers(["diary", "broken"])
    trackers.check_trackers([])
    with pytest.raises(BenchError, match="--tracker diry: there is no such tracker: did you mean 'diary'"):
        trackers.check_trackers(["diary", "diry"])


def test_one_that_cannot_be_made_is_left_out_with_a_line(installed_trackers, tmp_path):
    said = []
    group = trackers.load_trackers(["absent", "diary", "diary"], tmp_path, said.append)
    assert list(group._named) == ["diary"]
    assert len(said) == 1
    assert said[0].startswith("the tracker absent is left out, the run goes on: cannot load diaries.code:Absent")


@pytest.mark.slow
def test_a_run_tells_its_trackers_and_has_the_records_that_it_has_without(installed_trackers, house, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", strangers.path(installed_trackers))
    words = ("--threads", "1", "--known-class", "dot", "--method", "devnet")
    done = house.run(*words, "--tracker", "broken", "--tracker", "diary", "--tracker", "leaving")
    assert done.returncode == 0, done.stderr
    assert "the tracker broken is left out from here on, the run goes on: ValueError: no network" in done.stderr
    assert "the tracker leaving is left out from here on, the run goes on: SystemExit: 3" in done.stderr
    assert "on stdout" not in done.stdout
    lines = [json.loads(line) for line in (house.root / "diary.jsonl").read_text().splitlines()]
    kinds = [line[0] for line in lines]
    assert (kinds.count("started"), kinds.count("record"), kinds.count("finished")) == (2, 1, 1)
    (record,) = Store(house.results).records()
    assert ["record", lines[0][1], record.spec.name, record.metrics.auroc, 1] in lines
    assert lines[0][1:] == [lines[0][1], "devnet", "tiny", 0, 2, str(house.results)]
