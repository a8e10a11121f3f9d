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

PAPER = """
paper = "mine"
name = "Mine"
citation = "nobody"
unit = "fraction"
decimals = 3
metric = "AUC"
std = "runs"
runs = 3
groups = { all = ["tiny"] }

[methods]
brightest = "bright"

[tables.1]
title = "AUC in the hard setting"
file = "values.csv"
rule = "hard"
coordinates = ["dataset", "known_class", "method"]
rows = ["dataset", "known_class"]
columns = ["method"]
means = [{ when = { known_class = "mean" }, over = "known_class" }]
"""

VALUES = """dataset,known_class,method,mean,std
tiny,bar,brightest,0.900,0.010
tiny,dot,brightest,0.800,0.020
tiny,mean,brightest,0.850,0.012
tiny,mean,theirs,0.700,
"""


def install(site: Path, package: str, points: dict[str, dict[str, str]], files: dict[str, str]) -> None:
    """A package in `site` with these files, and entry points by group and name."""
    info = site / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / package).mkdir()
    for name, text in {"__init__.py": "", **files}.items():
        path = site / package / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in named.items()) for group, named in points.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))


def brightest(site: Path, package: str = "bright") -> None:
    """A method `bright` that trains nothing."""
    files = {f"{package}.toml": RECIPE.format(id=package, package=package), "detector.py": DETECTOR}
    install(site, package, {"swanbench.methods": {package: f"{package}:{package}.toml"}}, files)


def paper(site: Path, package: str = "printed", **files: str) -> None:
    """A paper `mine` in the folder `paper` of a package; `files` come beside or in place of its own, `_` for `.`."""
    own = {"paper_toml": PAPER, "values_csv": VALUES} | files
    named = {f"paper/{name.replace('_', '.')}": text for name, text in own.items()}
    install(site, package, {"swanbench.papers": {"mine": f"{package}:paper"}}, named)


def path(site: Path) -> str:
    """PYTHONPATH with `site` in front: what is behind it stays, which may be the code under test."""
    return os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
