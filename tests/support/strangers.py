"""Packages of others, as if they were installed: modules, files and entry points in a folder that comes onto the path."""

import os
from pathlib import Path

RECIPE = """
id = "{id}"
title = "Brightest pixel"
detector = "{package}.detector:Brightest"
version = 1
[capabilities]
rules = ["general", "hard"]
anomalies = false
independent_scores = true
[params."img_size"]
type = "size"
default = 16
source = "made up"
"""

DETECTOR = """
import numpy as np

class Brightest:
    def __init__(self, params, context):
        self.history = {}
    def fit(self, data): ...
    def score(self, images):
        return np.array([images.one(i).max() + images.one(i).mean() / 1000 for i in range(len(images))])
    def state(self): return {}
    def load(self, state): ...
"""


def install(site: Path, package: str, points: dict[str, dict[str, str]], files: dict[str, str]) -> None:
    """A package in `site` with these files, and entry points by group and name."""
    info = site / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / package).mkdir()
    for name, text in {"__init__.py": "", **files}.items():
        (site / package / name).write_text(text)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in named.items()) for group, named in points.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))


def brightest(site: Path, package: str = "bright") -> None:
    """A method `bright` that trains nothing."""
    files = {f"{package}.toml": RECIPE.format(id=package, package=package), "detector.py": DETECTOR}
    install(site, package, {"swanbench.methods": {package: f"{package}:{package}.toml"}}, files)


def path(site: Path) -> str:
    """PYTHONPATH with `site` in front."""
    return os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
