import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from protocols.prepare import adopt

SUITE = """
id = "tiny"
title = "Two detectors on a made-up set"
rule = "hard"
recipe = "quick"
methods = ["devnet", "dra"]
shots = [10]
seeds = [0]
[datasets]
tiny = ["bar", "dot"]
"""

SMALL = [
    word
    for method, seen in (("dra", 2), ("devnet", 3))
    for setting in ("img_size=32", "budget.epochs=1", "budget.steps=2", "batch.size=6", f"batch.seen={seen}")
    for word in ("--set", f"{method}.{setting}")
]


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
        """The small suite with its small budget."""
        return self.bench("run", "--suite", self.suite, *SMALL, *words)

    def listed(self):
        return json.loads(self.bench("results", "list", "--json").stdout)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory, tiny_folder):
    """A data folder that holds the made-up set as `tiny`; images stay where they are."""
    data = tmp_path_factory.mktemp("data")
    adopt(tiny_folder, "tiny", data)
    return data


@pytest.fixture
def house(tmp_path, prepared):
    (tmp_path / "data").symlink_to(prepared)
    suite = tmp_path / "tiny.toml"
    suite.write_text(SUITE)
    return House(tmp_path, suite)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, prepared):
    """A house in which the small suite has run once; for reading only."""
    root = tmp_path_factory.mktemp("finished")
    (root / "data").symlink_to(prepared)
    (root / "tiny.toml").write_text(SUITE)
    house = House(root, root / "tiny.toml")
    house.first = house.run("--threads", "1")
    assert house.first.returncode == 0, house.first.stderr
    return house
