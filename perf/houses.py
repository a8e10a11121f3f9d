"""Temporary folders of data, cache and results in which `bench` runs as a process, and a method that does nothing."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from perf.ratios import run_command
from protocols.catalogue import data_folder
from protocols.datasets.manifest import Dataset

SOURCE = Path(__file__).parents[1]
IMPORT_CLICK = (sys.executable, "-c", "import click")
IMPORT_TORCH = (sys.executable, "-c", "import torch")

RECIPE = """
id = "nothing"
title = "Nothing"
summary = "The mean of an image, without training."
citation = "nobody"
detector = "nothing_method.detector:Nothing"
version = 1

[capabilities]
rules = ["general", "hard"]
anomalies = false
independent_scores = true

[params."img_size"]
type = "size"
default = 16
source = "own choice"
"""

DETECTOR = """
class Nothing:
    def __init__(self, params, context):
        self.history = {}

    def fit(self, data): ...

    def score(self, images):
        return [float(images.one(number).mean()) for number in range(len(images))]

    def state(self):
        return {}

    def load(self, state): ...
"""

SUITE = """
id = "many"
title = "Runs that do nothing"
rule = "general"
recipe = "official"
methods = ["nothing"]
shots = [10]
seeds = [{seeds}]

[datasets]
noise = []
"""


@dataclass(frozen=True)
class House:
    """Folders of `bench` below `root`, of its own but for what `variables` changes."""

    root: Path

    @property
    def variables(self) -> dict[str, str]:
        names = {"BENCH_DATA": "data", "BENCH_CACHE": "cache", "BENCH_RESULTS": "runs"}
        paths = [str(self.root / "site"), str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {name: str(self.root / folder) for name, folder in names.items()} | {
            "PYTHONPATH": os.pathsep.join(paths)
        }

    def bench(self, *words: str, accepted: Sequence[int] = (0,), **variables: str) -> str:
        """What `bench` prints, in a process of its own with one thread."""
        command = [sys.executable, "-m", "swanbench", *words]
        return run_command(command, self.variables | variables, accepted=frozenset(accepted))

    def adopt_noise(self, count: int, side: int) -> Dataset:
        """A dataset `noise` of made photographs: adopted, not decoded."""
        save_photographs(self.root / "raw", count, side)
        return data_folder.adopt_dataset(self.root / "raw", "noise", self.root / "data")

    def install_nothing(self) -> None:
        """The method `nothing`, as if a package had brought it."""
        info, package = self.root / "site/nothing_method-1.0.dist-info", self.root / "site/nothing_method"
        texts = {
            info / "METADATA": "Metadata-Version: 2.1\nName: nothing_method\nVersion: 1.0\n",
            info / "entry_points.txt": "[swanbench.methods]\nnothing = nothing_method:nothing.toml\n",
            package / "__init__.py": "",
            package / "nothing.toml": RECIPE,
            package / "detector.py": DETECTOR,
        }
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def write_suite(self, runs: int) -> str:
        """Path of a suite of so many runs of `nothing`, each with a seed of its own."""
        path = self.root / f"many{runs}.toml"
        path.write_text(SUITE.format(seeds=", ".join(map(str, range(runs)))), encoding="utf-8")
        return str(path)


@contextlib.contextmanager
def new_house() -> Iterator[House]:
    with tempfile.TemporaryDirectory() as name:
        yield House(Path(name))


def save_photographs(folder: Path, count: int, side: int) -> None:
    """Photographs of noise as PNG, in equal parts normals for training and test and one class of anomalies."""
    rng = np.random.default_rng(0)
    for number in range(count):
        place = folder / ("train/good", "test/good", "test/cut")[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(place / f"{number:05d}.png")
