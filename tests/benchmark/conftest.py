import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import running
import strangers
from pictures import save_picture
from plugins import forget_installed
from selecting import KEYWORDS, select

from benchmark.cli import status
from benchmark.paths import Folders
from benchmark.planning import plan as planning
from benchmark.planning.suite import load_suite
from benchmark.planning.types import RunRequest
from protocols.catalogue.data_folder import adopt_dataset
from protocols.datasets.manifest import Row, assemble_dataset, write_manifest
from results.store import Store

SUITE = """
id = "tiny"
title = "My own parts"
rule = "hard"
recipe = "quick"
methods = ["devnet", "dra"]
shots = [10]
seeds = [0]
[datasets]
tiny = ["bar", "dot"]
"""

BUDGETS = {
    method: [
        word
        for setting in ("img_size=32", "budget.epochs=1", "budget.steps=2", "batch.size=6", f"batch.seen={seen}")
        for word in ("--set", f"{method}.{setting}")
    ]
    for method, seen in (("dra", 2), ("devnet", 3))
}
SMALL = [word for words in BUDGETS.values() for word in words]


@dataclass
class House:
    """Folders of one test, and `bench` run in them as a process of its own."""

    root: Path
    suite: Path

    @property
    def results(self):
        return self.root / "runs"

    @property
    def env(self):
        return {
            **os.environ,
            "BENCH_DATA": str(self.root / "data"),
            "BENCH_CACHE": str(self.root / "cache"),
            "BENCH_RESULTS": str(self.results),
            "BENCH_WEIGHTS": "",
            "TORCH_HOME": str(self.root / "torch"),
            "COLUMNS": "200",
        }

    @property
    def small(self):
        return SMALL

    def start(self, *words, **kwargs):
        return subprocess.Popen(
            [sys.executable, "-m", "benchmark", *map(str, words)],
            env=self.env,
            cwd=self.root,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **kwargs,
        )

    def bench(self, *words):
        process = self.start(*words)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def run(self, *words):
        """The small suite with the small budget of its methods, or of those that are selected; one fit at a time."""
        methods = words[words.index("--method") + 1].split(",") if "--method" in words else BUDGETS
        small = [word for name in BUDGETS if name in methods for word in BUDGETS[name]]
        jobs = [] if "--engine" in words else ["--jobs", "1"]
        return self.bench("run", "--suite", self.suite, *small, *jobs, *words)

    def listed(self):
        return json.loads(self.bench("results", "list", "--json").stdout)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory, tiny_folder):
    """A data folder that holds the made-up set as `tiny`; images stay where they are."""
    data = tmp_path_factory.mktemp("data")
    adopt_dataset(tiny_folder, "tiny", data)
    return data


@pytest.fixture
def house(tmp_path, prepared):
    (tmp_path / "data").symlink_to(prepared)
    suite = tmp_path / "tiny.toml"
    suite.write_text(SUITE)
    return House(tmp_path, suite)


@pytest.fixture
def calls_in(monkeypatch, capfd):
    """Gives for a folder and variables a function that calls `bench` there: exit status, stdout, stderr."""

    def enter(root, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(root)

        def call(*words):
            code = status([str(word) for word in words])
            return code, *capfd.readouterr()

        return call

    return enter


@pytest.fixture
def bench(house, calls_in):
    return calls_in(house.root, **house.env)


@pytest.fixture(scope="session")
def new_house(tmp_path_factory, prepared):
    """Makes a house that several tests share; for reading only once it is furnished."""

    def make(name):
        root = tmp_path_factory.mktemp(name)
        (root / "data").symlink_to(prepared)
        (root / "tiny.toml").write_text(SUITE)
        return House(root, root / "tiny.toml")

    return make


@pytest.fixture(scope="session")
def furnished(tmp_path_factory):
    """Furnishes a house as `work` does: the first of a name by that work, the next with a copy of what it left."""
    made = {}

    def furnish(house, name, work):
        if name in made:
            shutil.copytree(made[name], house.root, dirs_exist_ok=True)
        else:
            work()
            without_link = shutil.ignore_patterns("data")
            made[name] = shutil.copytree(house.root, tmp_path_factory.mktemp(name) / "house", ignore=without_link)

    return furnish


@pytest.fixture(scope="session")
def finished(new_house):
    """A house in which the small suite has run once; for reading only."""
    house = new_house("finished")
    house.first = house.run("--threads", "1")
    assert house.first.returncode == 0, house.first.stderr
    return house


DRIFT_RECIPE = """
id = "drift"
title = "Drift"
summary = "A made-up detector whose whole state is one number, and which writes down what each fit was given."
citation = "nobody"
detector = "plugged.drift:Drift"
version = 1
assumed = false

[capabilities]
rules = ["general", "hard", "one_class", "labelled_share", "cross_domain"]
anomalies = true
independent_scores = true

[pools]
"pool" = ["mvtec_ad", "lag"]

[params."pool"]
type = "str"
default = "none"
choices = ["none", "mvtec_ad", "lag"]
source = "made up"

[params."pool.exclude"]
type = "str"
default = "same_name"
choices = ["same_name", "related"]
source = "made up"

[params."lag.classes"]
type = "str"
default = "both"
choices = ["both", "non_glaucoma", "suspicious"]
source = "made up"

[params."img_size"]
type = "size"
default = "per_dataset"
source = "made up"

[params."img_resize"]
type = "str"
default = "squash"
choices = ["squash", "shorter_side", "none"]
source = "made up"

[params."epochs"]
type = "int"
default = 30
min = 1
source = "made up"

[params."finetune.epochs"]
type = "int"
default = 10
min = 1
source = "made up"
"""

NORMAL_RECIPE = (
    DRIFT_RECIPE.replace('"drift"', '"drift_normal"', 1)
    .replace("anomalies = true", "anomalies = false")
    .replace('"one_class", "labelled_share", "cross_domain"', '"one_class"')
)

DRIFT = """
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import torch

LOG = Path(os.environ.get("DRIFT_LOG", "drift.log"))

class Drift:
    def __init__(self, params, context):
        self.params, self.context, self.history = params, context, {}
        self.level = torch.zeros(1, dtype=torch.float64)

    def fit(self, data):
        stored = self.context.checkpoint.load()
        if (LOG.parent / "kill").exists() and data.init is not None:
            (LOG.parent / "kill").unlink()
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        if (LOG.parent / "fail").exists():
            raise RuntimeError("a fit that fails")
        start = 0.0 if data.init is None else float(data.init["level"])
        pixels = data.normal.take(np.arange(len(data.normal)))
        self.level = torch.tensor([start + pixels.mean() + self.context.seed], dtype=torch.float64)
        self.history = {"loss": [float(self.level)]}
        line = {
            "normal": data.normal.ids, "anomaly": data.anomaly.ids, "start": start, "end": float(self.level),
            "epochs": self.params["epochs"], "pools": {name: pool.ids for name, pool in data.pools.items()},
            "pool_shape": [pool.take(np.arange(len(pool))).shape for pool in data.pools.values()],
            "shape": pixels.shape, "params": sorted(self.params),
        }
        with LOG.open("a") as file:
            file.write(json.dumps(line) + chr(10))

    def score(self, images):
        pixels = images.take(np.arange(len(images)))
        return np.abs(pixels.reshape(len(images), -1).mean(axis=1) - float(self.level)) + pixels.max(axis=(1, 2, 3))

    def state(self):
        return {"level": self.level}

    def load(self, state):
        self.level = state["level"]
"""


@dataclass
class Drifting:
    """A house in which the made-up detectors `drift` and `drift_normal` (without anomalies) are plugged in."""

    house: House

    @property
    def data(self):
        return self.house.root / "data"

    @property
    def store(self):
        return Store(self.house.results)

    @property
    def fits(self):
        """What each fit so far was given."""
        log = self.house.root / "drift.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    @property
    def machine(self):
        return running.machine(self.data, self.house.root / "cache", self.house.results)

    def suite(self, text):
        path = self.house.root / "made.toml"
        path.write_text(text)
        return path

    def plan(self, suite, recipe="official", notify=None, weights=("random",), **request):
        """Plan a suite, with keywords of `select` and `RunRequest`."""
        asked = {name: request.pop(name) for name in list(request) if name in KEYWORDS}
        folders = Folders(
            data=self.data,
            cache=self.house.root / "cache",
            results=self.house.results,
            weights=None,
            hub=self.house.root / "torch",
        )
        return planning.plan(
            load_suite(str(suite)),
            select(**asked),
            RunRequest(recipe=recipe, weights=weights, **request),
            folders=folders,
            store=self.store,
            notify=notify,
        )

    def prepare(self, name, rows):
        """A prepared dataset of 8 x 8 images; a row is id, label, split and grey value, or a colour of three."""
        folder = self.data / name
        folder.mkdir(parents=True)
        made = []
        for id_, label, split, value in rows:
            pixels = np.full((8, 8) if isinstance(value, int) else (8, 8, 3), value, np.uint8)
            path = save_picture(folder / f"{id_}.png", pixels)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            channels = 1 if isinstance(value, int) else 3
            made.append(Row(id_, f"{id_}.png", label, split, digest, 8, 8, channels))
        write_manifest(assemble_dataset(name, folder, made), folder)


def texture(shade, anomalies=14):
    """Rows of a small dataset in the form of an MVTec AD category: brighter where anomalous."""
    rows = [(f"train/good/{i:03}", "normal", "train", shade + i) for i in range(6)]
    rows += [(f"test/good/{i:03}", "normal", "test", shade + 8 + i) for i in range(4)]
    return rows + [(f"test/cut/{i:03}", "cut", "test", shade + 40 + i) for i in range(anomalies)]


def class_set(classes=3, train=5, test=4, step=60):
    """Rows of a small set of classes: the shade tells the class."""
    return [
        (f"{half}/{label}{i:02}", str(label), half, step * label + 2 * i + (half == "test"))
        for half, count in (("train", train), ("test", test))
        for label in range(classes)
        for i in range(count)
    ]


@pytest.fixture
def drifting(tmp_path, monkeypatch):
    package, info = tmp_path / "site" / "plugged", tmp_path / "site" / "plugged-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text("")
    (package / "drift.py").write_text(DRIFT)
    (package / "drift.toml").write_text(DRIFT_RECIPE)
    (package / "drift_normal.toml").write_text(NORMAL_RECIPE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    points = ("drift", "drift_normal")
    lines = "".join(f"{name} = plugged:{name}.toml\n" for name in points)
    (info / "entry_points.txt").write_text(f"[swanbench.methods]\n{lines}")
    monkeypatch.setenv("DRIFT_LOG", str(tmp_path / "drift.log"))
    monkeypatch.setenv("PYTHONPATH", strangers.path(tmp_path / "site"))
    monkeypatch.syspath_prepend(tmp_path / "site")
    forget_installed()
    yield Drifting(House(tmp_path, tmp_path / "made.toml"))
    forget_installed()
    for name in [name for name in sys.modules if name.partition(".")[0] == "plugged"]:
        del sys.modules[name]


@pytest.fixture
def rows():
    """Makers of rows for `Drifting.prepare`."""
    return {"texture": texture, "class_set": class_set}
