"""Scoring: the detector is given the test images in the order of its recipe, and the record tells what it made of them."""

import hashlib

import pytest
from guests import RECIPE, Guests
from sklearn.metrics import average_precision_score, roc_auc_score

from results.store import Store

ORDER = """
[params."evaluation.order"]
type = "str"
default = "listing"
choices = ["listing", "ranked"]
source = "made up"
"""
SCORE = "    def score(self, images):\n"
BRIGHTNESS = "float(images.one(i).max()) + images.one(i).mean() / 1000"
CONTRAST = "float(images.one(i).std() // 2)"
SPYING = (
    SCORE
    + """        with (ROOT / "calls").open("a") as file:
            print(*images.ids, sep="\\t", file=file)
"""
)


@pytest.fixture
def spied(house, monkeypatch):
    """A plug-in whose scores depend on the batch, and which writes down the images that it is given."""
    guests = Guests(house, monkeypatch)
    guests.invite("toy")
    package = guests.site / "toy"
    code = (package / "__init__.py").read_text()
    (package / "__init__.py").write_text(code.replace(SCORE, SPYING).replace(BRIGHTNESS, CONTRAST))
    recipe = RECIPE.format(name="toy").replace("independent_scores = true", "independent_scores = false")
    (package / "toy.toml").write_text(recipe + ORDER)
    return guests


def by_listing(images):
    return sorted(images, key=lambda image: (image[0] != "normal", *image))


def by_rank(images):
    return sorted(images, key=lambda image: hashlib.sha256(image[1].encode()).hexdigest())


@pytest.mark.parametrize(("order", "ordered"), [("listing", by_listing), ("ranked", by_rank)])
def test_a_detector_is_given_the_test_images_in_the_order_of_its_recipe(house, spied, order, ordered):
    done = spied.run("toy", "--set", f"toy.evaluation.order={order}")
    assert done.returncode == 0, done.stderr
    (record,) = Store(house.results).records()
    scores = Store(house.results).scores(record.key)
    expected = ordered(zip(scores.classes, scores.ids, strict=True))
    assert len({name for name, _ in expected}) == 3
    calls = (house.root / "calls").read_text().splitlines()
    assert calls == ["\t".join(id_ for _, id_ in expected)]
    assert record.provenance.test_evaluations == len(calls)
    assert scores.ids == tuple(id_ for _, id_ in expected)
    assert record.spec.evaluation.order == order


def test_the_numbers_of_a_record_are_those_of_scikit_learn_on_its_scores(house, spied):
    assert spied.run("toy").returncode == 0
    (record,) = Store(house.results).records()
    scores = Store(house.results).scores(record.key)
    is_anomaly = [name != "normal" for name in scores.classes]
    assert record.metrics.auroc == roc_auc_score(is_anomaly, scores.values)
    assert record.metrics.auroc > 0.6, "the detector is better than chance, so labels and signs matter"
    assert record.metrics.average_precision == average_precision_score(is_anomaly, scores.values)
    assert (sum(is_anomaly), len(is_anomaly)) == (record.counts.test_anomaly, len(scores.ids))
