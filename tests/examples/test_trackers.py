"""The trackers in `examples/`, against stand-ins that have the part of each API which they use and nothing else.

Where the real package is installed, TensorBoard's is used too.
"""

import importlib
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from records import make_record
from repository import ROOT

from benchmark.execution.listeners.trackers import TRACKER_GROUP, TrackedFit

FOLDER = ROOT / "examples" / "trackers"
POINTS = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]["entry-points"][TRACKER_GROUP]


class Calls(list):
    """Calls that a stand-in was given, as tuples of names and arguments."""

    def noted(self, name, result=None):
        def call(*args, **named):
            self.append((name, *args, named) if named else (name, *args))
            return result

        return call

    def thing(self, *methods):
        """An object with these methods alone."""
        return SimpleNamespace(**{name: self.noted(name) for name in methods})


@pytest.fixture
def calls():
    return Calls()


@pytest.fixture
def standing_in(monkeypatch):
    """Makes modules importable for a test, and the trackers."""
    monkeypatch.syspath_prepend(FOLDER)

    def put(name, **content):
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)

    yield put
    for name in [name for name in sys.modules if name.startswith("swanbench_trackers")]:
        del sys.modules[name]


def told(name, results, state="done"):
    """Tell the tracker of a name of one fit with two epochs."""
    module, _, attribute = POINTS[name].partition(":")
    tracker = getattr(importlib.import_module(module), attribute)()
    fit = TrackedFit("f" * 64, "fit-tiny-dra-0", "dra", "tiny", 7, {"heads": "s", "topk.rate": 0.1}, results)
    tracker.fit_started(fit)
    tracker.numbers(fit, 4, 10, {"loss": 0.5})
    tracker.record_finished(fit, make_record(history={"loss": [0.5, None], "g_s": [0.25, 0.125]}))
    tracker.fit_finished(fit, state)


def test_every_file_is_an_entry_point_and_an_extra():
    files = {f"swanbench_trackers.{path.stem}" for path in (FOLDER / "swanbench_trackers").glob("for_*.py")}
    assert {value.partition(":")[0] for value in POINTS.values()} == files
    extras = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras.keys() == POINTS.keys()


def test_wandb_gets_a_run_a_fit(standing_in, calls, tmp_path):
    run = calls.thing("log", "finish")
    run.summary = {}
    standing_in("wandb", init=calls.noted("init", run))
    told("wandb", tmp_path)
    config = {"method": "dra", "dataset": "tiny", "seed": 7, "heads": "s", "topk.rate": 0.1}
    named = {
        "project": "swanbench",
        "name": "fit-tiny-dra-0",
        "config": config,
        "dir": tmp_path,
        "reinit": "create_new",
    }
    assert calls == [
        ("init", named),
        ("log", {"live/loss": 0.5, "step": 4}),
        ("log", {"loss": 0.5, "g_s": 0.25, "epoch": 1}),
        ("log", {"loss": None, "g_s": 0.125, "epoch": 2}),
        ("finish", {"exit_code": 0}),
    ]
    assert run.summary == {make_record().spec.name: make_record().metrics.auroc}


def test_trackio_gets_a_run_a_fit(standing_in, calls, tmp_path):
    standing_in("trackio", init=calls.noted("init", calls.thing("log", "finish")))
    told("trackio", tmp_path)
    assert [call[0] for call in calls] == ["init", "log", "log", "log", "log", "finish"]
    assert calls[1] == ("log", {"live/loss": 0.5}, {"step": 4})
    assert calls[2:4] == [
        ("log", {"loss": 0.5, "g_s": 0.25}, {"step": 1}),
        ("log", {"loss": None, "g_s": 0.125}, {"step": 2}),
    ]
    assert calls[4] == ("log", {f"auroc/{make_record().spec.name}": make_record().metrics.auroc})


@pytest.mark.parametrize(("state", "status"), [("done", "FINISHED"), ("failed", "FAILED")])
def test_mlflow_gets_a_run_a_fit_in_one_experiment(standing_in, calls, tmp_path, state, status):
    client = calls.thing("log_param", "log_metric", "set_tag", "set_terminated")
    client.get_experiment_by_name = calls.noted("get_experiment_by_name")
    client.create_experiment = calls.noted("create_experiment", "17")
    client.create_run = calls.noted("create_run", SimpleNamespace(info=SimpleNamespace(run_id="r1")))
    standing_in("mlflow", MlflowClient=lambda: client)
    told("mlflow", tmp_path, state)
    key = make_record().key[:8]
    assert calls[:3] == [
        ("get_experiment_by_name", "swanbench"),
        ("create_experiment", "swanbench"),
        ("create_run", "17", {"run_name": "fit-tiny-dra-0"}),
    ]
    assert ("log_param", "r1", "topk.rate", 0.1) in calls
    assert [call for call in calls if call[0] == "log_metric"] == [
        ("log_metric", "r1", "live.loss", 0.5, {"step": 4}),
        ("log_metric", "r1", "loss", 0.5, {"step": 1}),
        ("log_metric", "r1", "g_s", 0.25, {"step": 1}),
        ("log_metric", "r1", "g_s", 0.125, {"step": 2}),
        ("log_metric", "r1", f"auroc.{key}", make_record().metrics.auroc),
    ]
    assert calls[-2:] == [("set_tag", "r1", f"record.{key}", make_record().spec.name), ("set_terminated", "r1", status)]


def test_tensorboard_gets_a_folder_a_fit(standing_in, calls, tmp_path):
    writer = calls.thing("add_scalar", "add_text", "close")
    standing_in("torch.utils.tensorboard", SummaryWriter=calls.noted("SummaryWriter", writer))
    told("tensorboard", tmp_path)
    assert calls[:3] == [
        ("SummaryWriter", str(tmp_path / "tensorboard" / "fit-tiny-dra-0")),
        ("add_text", "params", "- heads = s\n- topk.rate = 0.1"),
        ("add_scalar", "live/loss", 0.5, 4),
    ]
    assert ("add_scalar", "epoch/g_s", 0.125, 2) in calls
    assert ("add_scalar", "auroc", make_record().metrics.auroc, 0) in calls
    assert calls[-1] == ("close",)


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="needs the package tensorboard")
def test_tensorboard_itself_writes_events(standing_in, tmp_path):
    told("tensorboard", tmp_path)
    (events,) = (tmp_path / "tensorboard" / "fit-tiny-dra-0").iterdir()
    assert b"epoch/g_s" in Path(events).read_bytes()
