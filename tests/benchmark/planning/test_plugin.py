"""A researcher's own detector: a recipe, a class and an entry point put it beside the others, on the same splits."""

import pytest
import strangers

from results.store import Store

RECIPE = """
id = "mean_grey"
title = "Mean grey"
summary = "Distance of an image's mean grey value from that of the training normals."
citation = "nobody"
detector = "greyness.detector:MeanGrey"
version = 1
assumed = false

[capabilities]
rules = ["general", "hard"]
anomalies = false
independent_scores = true

[params."power"]
type = "float"
default = 2.0
above = 0
source = "made up"
"""

DETECTOR = """
import os
import signal

import numpy as np

class MeanGrey:
    def __init__(self, params, context):
        self.power = params["power"]
        self.history = {}

    def fit(self, data):
        assert len(data.anomaly) == 0
        self.mean = data.normal.take(np.arange(len(data.normal))).mean()

    def score(self, images):
        if self.power == 7:
            raise RuntimeError("a bug of a researcher")
        self.scored = getattr(self, "scored", 0) + 1
        if self.power == 6 and self.scored == 2:
            raise FileNotFoundError("a second bug")
        if self.power == 9:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.power == 8:
            return np.full(len(images), np.nan)
        means = images.take(np.arange(len(images))).mean(axis=(1, 2, 3))
        return np.abs(means - self.mean) ** self.power

    def state(self):
        return {}

    def load(self, state):
        pass
"""


@pytest.fixture
def plugged(house, monkeypatch):
    package, info = house.root / "site" / "greyness", house.root / "site" / "greyness-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text("")
    (package / "mean_grey.toml").write_text(RECIPE)
    (package / "detector.py").write_text(DETECTOR)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greyness\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[swanbench.methods]\nmean_grey = greyness:mean_grey.toml\n")
    monkeypatch.setenv("PYTHONPATH", strangers.path(house.root / "site"))
    return house


def test_a_plugged_in_detector_runs_and_stands_in_the_table(plugged):
    done = plugged.run("--method", "mean_grey", "--shots", "1,10")
    assert done.returncode == 0, done.stderr
    records = list(Store(plugged.results).records())
    assert {record.spec.split.known_class for record in records} == {"bar", "dot"}
    for record in records:
        assert record.spec.split.shots is None
        assert record.spec.evaluation is None
        assert record.counts.train_anomaly == 0
    assert len({record.fit_key for record in records}) == 1, "without anomalies both classes share one fit"
    assert records[0].metrics.auroc > 0.5
    assert "| Mean grey " in done.stdout


@pytest.mark.parametrize(
    ("power", "said"), [(7, "RuntimeError: a bug of a researcher"), (8, "18 of 18 scores are not finite")]
)
def test_a_detector_that_fails_leaves_a_record_that_says_so(plugged, power, said):
    done = plugged.run("--method", "mean_grey", "--known-class", "dot", "--set", f"mean_grey.power={power}")
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    (record,) = Store(plugged.results).records()
    assert record.status == "failed"
    assert said in record.error
    why = plugged.bench("results", "why", record.spec.name)
    assert "--retry-failed" in why.stdout
    assert Store(plugged.results).traceback_path(record.key).exists()


def test_a_fit_that_fails_on_one_test_list_keeps_the_record_of_another(plugged):
    done = plugged.run("--method", "mean_grey", "--set", "mean_grey.power=6")
    assert done.returncode == 1
    statuses = {record.spec.split.known_class: record.status for record in Store(plugged.results).records()}
    assert statuses == {"bar": "done", "dot": "failed"}


def test_a_worker_that_is_killed_takes_only_its_own_run_with_it(plugged):
    words = ("--method", "mean_grey,devnet", "--known-class", "dot", "--jobs", "2", "--threads", "1")
    done = plugged.run(*words, "--set", "mean_grey.power=9")
    assert done.returncode == 1
    assert "its process was killed" in done.stderr
    assert "Traceback" not in done.stderr
    assert [(record.spec.method, record.status) for record in Store(plugged.results).records()] == [("devnet", "done")]
