"""Real runs of AGAD and CSI-GAN: kill -9 and another start, the pictures they leave, habits and measures at planning."""

import io
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import strangers
from PIL import Image

from benchmark.cli import status
from benchmark.execution.worker import execute
from methods.measures import request
from results.store import Store

SUITE = """
id = "gans"
title = "Generative detectors on a made-up set of classes"
rule = "{rule}"
recipe = "quick"
methods = ["{method}"]
seeds = [0]
{more}
[datasets]
digits = ["1"]
"""
CSI_GAN = {
    "network.width": 2,
    "gan.width": 1,
    "gan.latent_discriminator": "leaky_512",
    "gan.every": 2,
    "batch.size": 5,
    "score.draws": 1,
}
AGAD = {"naive.width": 2, "discriminator.width": 2, "batch.size": 6, "batch.seen": 2, "budget.epochs": 1}
# Every step is followed by a checkpoint; each one that is taken up again leaves its step in a log.
OFTEN = """
import os
from benchmark.execution import checkpoints

checkpoints.CHECKPOINT_SECONDS = 0.0
load = checkpoints.CheckpointFile.load

def logged(self):
    state = load(self)
    with open(os.environ["CHECKPOINT_LOG"], "a") as log:
        log.write(f"{state and state['step']}\\n")
    return state

checkpoints.CheckpointFile.load = logged
"""


def words(method, settings):
    values = {name: str(value).lower() if isinstance(value, bool) else value for name, value in settings.items()}
    return [word for name, value in values.items() for word in ("--set", f"{method}.{name}={value}")]


@pytest.fixture
def gans(drifting, rows):
    """A house with a made-up set of three classes, and the texts of suites on it."""
    drifting.prepare("digits", rows["class_set"](train=20, test=8, step=40))

    def write(method, rule="one_class", more=""):
        return drifting.suite(SUITE.format(rule=rule, method=method, more=more))

    drifting.write = write
    return drifting


def only(store):
    (record,) = store.records()
    return record


def artefact(store, record, name):
    return Image.open(io.BytesIO((store.root / "artefacts" / record.fit_key / name).read_bytes()))


@pytest.mark.slow
def test_a_killed_fit_of_five_networks_ends_as_an_undisturbed_one(gans, monkeypatch, tmp_path):
    """Its checkpoint holds the networks and four optimisers."""
    suite, settings = gans.write("csi_gan"), CSI_GAN | {"budget.epochs": 4}
    run = ["run", "--suite", suite, "--threads", "1", *words("csi_gan", settings)]
    house, other = gans.house, Store(tmp_path / "undisturbed")
    (task,) = gans.plan(suite, recipe="quick", sets={"csi_gan": settings}).tasks({"missing"})
    assert execute(task, replace(gans.machine, store=other.root)).state == "done"

    log, site = tmp_path / "checkpoints.log", tmp_path / "often"
    site.mkdir()
    (site / "sitecustomize.py").write_text(OFTEN)
    monkeypatch.setenv("CHECKPOINT_LOG", str(log))
    monkeypatch.setenv("PYTHONPATH", strangers.path(site))
    killed = house.start(*run)
    until = time.monotonic() + 120
    while not list((house.results / "checkpoints").glob("*.pt")):
        assert killed.poll() is None, killed.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    assert list(gans.store.records()) == []
    again = house.bench(*run)
    assert again.returncode == 0, again.stderr

    first, taken_up = log.read_text().split()
    assert first == "None"
    assert 0 < int(taken_up) < 16, "the second start must go on, with some of the 16 steps left"
    made, expected = only(gans.store), only(other)
    assert (made.key, made.metrics, made.history) == (expected.key, expected.metrics, expected.history)
    scores = [store.scores(expected.key) for store in (gans.store, other)]
    assert scores[0].ids == scores[1].ids
    assert scores[0].values.tobytes() == scores[1].values.tobytes()
    for name in ("training.png", "scored.png"):
        assert np.array_equal(artefact(gans.store, made, name), artefact(other, expected, name))
    # Ten images of 32 pixels, twice as large, with gaps of two: inputs, reconstructions, synthetic images.
    assert artefact(gans.store, made, "training.png").size == (10 * 64 + 9 * 2, 3 * 64 + 2 * 2)
    assert artefact(gans.store, made, "scored.png").size == (10 * 64 + 9 * 2, 4 * 64 + 3 * 2)


def test_agad_leaves_its_grids_and_its_scores_become_a_figure(gans, tmp_path):
    pytest.importorskip("matplotlib", reason="the extra plots is not installed")
    suite = gans.write("agad_naive", "labelled_share", 'gammas = ["0.05", "0.20"]')
    for task in gans.plan(suite, recipe="quick", sets={"agad_naive": AGAD}).tasks({"missing"}):
        assert execute(task, gans.machine).state == "done"
    records = list(gans.store.records())
    assert {record.spec.split.gamma for record in records} == {"0.05", "0.20"}
    for record in records:
        for name in ("training.png", "scored.png"):
            assert artefact(gans.store, record, name).size == (10 * 64 + 9 * 2, 4 * 64 + 3 * 2)
    figure = tmp_path / "figure.png"
    shown = ["--method", "agad_naive", "--results", str(gans.house.results), "--output", str(figure)]
    assert status(["report", "--figure", "agad:4", "--format", "png", *shown]) == 0
    pixels = np.asarray(Image.open(figure).convert("RGB")).reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) > 10


def test_the_epoch_with_the_best_test_auc_is_refused_before_anything_runs(gans):
    words_ = ["run", "--suite", gans.write("agad"), "--set", "agad.checkpoint=best_test_auc"]
    for more in ([], ["--plan"]):
        done = gans.house.bench(*words_, *more)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "chooses the epoch by test labels, which no fit is given: run agad.budget.epochs = 1, 2" in done.stderr
    assert list(gans.store.records()) == []


def test_a_measure_is_blocked_at_planning_without_its_package_or_weights(gans, monkeypatch):
    suite = gans.write("csi_gan")
    asked = {"measure.fid": True, "measure.fid_trunk": "resnet18"}
    (plain,) = gans.plan(suite, recipe="quick", weights=()).runs
    monkeypatch.setattr(request, "find_spec", lambda name: None)
    (run,) = gans.plan(suite, recipe="quick", weights=(), sets={"csi_gan": asked}).runs
    assert (run.state, run.reason) == ("blocked", "measure.fid needs torchmetrics: pip install 'swanbench[fid]'")
    monkeypatch.setattr(request, "find_spec", lambda name: name)
    (run,) = gans.plan(suite, recipe="quick", weights=(), sets={"csi_gan": asked}).runs
    assert run.state == "blocked", "recipe quick takes random weights for a backbone, but not for a measure"
    assert run.reason.startswith("no weights for resnet18: set BENCH_WEIGHTS")
    (run,) = gans.plan(suite, recipe="quick", weights=("random",), sets={"csi_gan": asked}).runs
    assert (run.state, run.spec) == ("missing", plain.spec)
    assert run.fit.measures.params == asked | {"measure.fid_images": None}
    assert plain.fit.measures.weights == {}


def test_a_measured_run_keeps_the_distance_and_is_comparable_as_before(gans):
    pytest.importorskip("torchmetrics", reason="the extra fid is not installed")
    suite, plain = gans.write("csi_gan"), CSI_GAN | {"budget.epochs": 1}
    (task,) = gans.plan(suite, recipe="quick", sets={"csi_gan": plain}).tasks({"missing"})
    assert execute(task, gans.machine).state == "done"
    before = only(gans.store)
    asked = plain | {"measure.fid": True, "measure.fid_trunk": "resnet18"}
    cached = gans.house.bench("run", "--suite", suite, "--weights", "random", *words("csi_gan", asked))
    assert "1 run: all cached, 0 to run" in cached.stderr
    assert "1 stored run lacks the measure that is asked for: --force runs again what lacks it" in cached.stderr
    (task,) = gans.plan(suite, recipe="quick", sets={"csi_gan": asked}).tasks({"cached"})
    assert execute(task, gans.machine, again="all").state == "done"
    after = only(gans.store)
    assert after.spec == before.spec
    assert after.metrics == before.metrics
    assert after.provenance.weights == {}
    assert after.history.keys() - before.history.keys() == {"frechet_resnet18_random"}
    assert (gans.store.root / "artefacts" / after.fit_key / "fid.json").is_file()
