"""Plug-ins whose fit is a few lines of a test."""

import textwrap

import strangers

RECIPE = """
id = "{name}"
title = "{name}"
summary = "The brightest pixel of an image."
citation = "nobody"
detector = "{name}:Detector"
version = 1

[capabilities]
rules = ["general"]
anomalies = false
independent_scores = true

[params."img_size"]
type = "size"
default = 16
source = "made up"
"""

DETECTOR = """
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from methods.detector import DeadlineReached

ROOT = Path(os.environ["GUESTS"])


class Detector:
    def __init__(self, params, context):
        self.context, self.history = context, {{}}

    def fit(self, data):
        with (ROOT / "{name}.fits").open("a") as file:
            file.write(f"{{os.getpid()}}\\n")
        self.work()

    def work(self):
{fit}

    def score(self, images):
        return [float(images.one(i).max()) + images.one(i).mean() / 1000 for i in range(len(images))]

    def state(self):
        return {{"nothing": torch.zeros(1)}}

    def load(self, state):
        pass
"""


class Guests:
    """Makes plug-ins in a house, and runs them there."""

    def __init__(self, house, monkeypatch):
        self.house = house
        self.site = house.root / "site"
        monkeypatch.setenv("PYTHONPATH", strangers.path(self.site))
        monkeypatch.setenv("GUESTS", str(house.root))

    def invite(self, name, fit="pass"):
        package, info = self.site / name, self.site / f"{name}-1.0.dist-info"
        package.mkdir(parents=True)
        info.mkdir()
        (package / "__init__.py").write_text(
            DETECTOR.format(name=name, fit=textwrap.indent(textwrap.dedent(fit), " " * 8))
        )
        (package / f"{name}.toml").write_text(RECIPE.format(name=name))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[swanbench.methods]\n{name} = {name}:{name}.toml\n")

    def words(self, methods, *more):
        suite = ["--suite", "general", "--recipe", "quick", "--precision", "fp32", "--threads", "1"]
        jobs = [] if "--engine" in more else ["--jobs", "1"]
        return ["run", *suite, *jobs, "--dataset", "tiny", "--seed", "0", "--method", methods, *more]

    def run(self, methods, *more):
        return self.house.bench(*self.words(methods, *more))

    def start(self, methods, *more, **kwargs):
        return self.house.start(*self.words(methods, *more), **kwargs)

    def fits(self, name):
        """The processes in which this plug-in was fitted, one each time."""
        path = self.house.root / f"{name}.fits"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    @property
    def states(self):
        """Method -> status and error of each record."""
        from results.store import Store

        return {record.spec.method: (record.status, record.error) for record in Store(self.house.results).records()}
