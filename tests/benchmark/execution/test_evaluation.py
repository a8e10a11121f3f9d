"""How test images are put to a detector: the settings of the recipe reach the loop, each run is scored by its own."""

import msgspec
import numpy as np
import pytest
from guests import RECIPE, Guests

from benchmark.execution.worker import areas
from results.record import Metrics
from results.scores import Scores
from results.store import Store

BATCH = """
[params."evaluation.batch"]
type = "int"
default = 5
source = "made up"
"""
SCORE = "    def score(self, images):\n"
SPYING = """    def score(self, images, batch):
        with (ROOT / "batches").open("a") as file:
            file.write(f"{{batch}} ")
        {more}
"""


@pytest.mark.parametrize("anomalies", range(1, 60))
def test_a_detector_without_fault_has_a_record_whatever_the_number_of_anomalies(anomalies):
    classes = ("normal",) * 7 + ("bent",) * anomalies
    values = np.arange(len(classes), dtype=np.float64)
    metrics = areas(Scores(ids=tuple(map(str, values)), classes=classes, values=values))
    assert msgspec.json.decode(msgspec.json.encode(metrics), type=Metrics) == metrics
    assert (metrics.auroc, metrics.average_precision) == (1.0, pytest.approx(1.0, abs=1e-12))


@pytest.fixture
def spied(house, monkeypatch):
    """Makes a plug-in that writes down the batch it is given; `recipe` is added to its recipe."""
    guests = Guests(house, monkeypatch)

    def invite(name="toy", recipe=BATCH, more=""):
        guests.invite(name)
        package = guests.site / name
        code = (package / "__init__.py").read_text()
        (package / "__init__.py").write_text(
            code.replace(SCORE, SPYING.format(more=more).replace("{{", "{").replace("}}", "}"))
        )
        (package / f"{name}.toml").write_text(RECIPE.format(name=name) + recipe)
        return guests

    return invite


def batches(house):
    return [int(word) for word in (house.root / "batches").read_text().split()]


def test_the_batch_of_the_recipe_reaches_the_detector(house, spied):
    assert spied().run("toy").returncode == 0
    assert batches(house) == [5]


@pytest.mark.slow
def test_a_batch_that_changes_no_score_is_no_deviation_and_no_part_of_the_key(house, spied):
    guests = spied()
    assert guests.run("toy", "--set", "toy.evaluation.batch=3").returncode == 0
    assert batches(house) == [3]
    (record,) = Store(house.results).records()
    assert record.spec.evaluation is None
    assert not any("evaluation" in text for text in record.spec.deviations)
    assert "all cached" in guests.run("toy").stderr


@pytest.mark.slow
def test_where_memory_is_short_the_batch_is_halved(house, spied):
    guests = spied(more="if batch > 2: raise RuntimeError('DefaultCPUAllocator: can\\'t allocate memory')")
    assert guests.run("toy").returncode == 0
    assert batches(house) == [5, 2]


@pytest.mark.slow
def test_variants_that_share_a_fit_are_scored_each_by_its_own_settings(house):
    words = ["--shots", "10", "--known-class", "dot", "--threads", "1", "--precision", "fp32"]
    own = ["--set", "dra_cutmix.evaluation.batch=3"]
    sets = [
        text
        for word in house.small
        if word.startswith("dra.")
        for text in ("--set", word.replace("dra.", "dra_cutmix."))
    ]
    alone = house.run("--method", "dra_cutmix", *sets, *own, *words, "--results", house.root / "alone")
    assert alone.returncode == 0, alone.stderr
    both = house.run("--method", "dra,dra_cutmix", *sets, *own, *words, "--results", house.root / "both")
    assert both.returncode == 0, both.stderr
    first, second = Store(house.root / "alone"), Store(house.root / "both")
    (record,) = first.records()
    others = {other.key: other for other in second.records()}
    assert len(others) == 2
    assert len({other.fit_key for other in others.values()}) == 1
    assert first.scores(record.key).values.tolist() == second.scores(record.key).values.tolist()
    (key,) = set(others) - {record.key}
    assert second.scores(key).values.tolist() != second.scores(record.key).values.tolist()
