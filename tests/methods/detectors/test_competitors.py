"""FLOS, SAOE, MLEP and MINNS: recipe files against the specification's table of differences, and awkward data."""

import numpy as np
import pytest

from methods.detector import TrainData
from methods.errors import MethodError
from methods.registry.installed import get, load
from methods.registry.recipe import RECIPES, resolve

NAMES = ("flos", "minns", "mlep", "saoe")
DIFFERENCES = {
    "D47": ["flos.abs", "flos.alpha", "flos.gamma"],
    "D48": ["saoe.head", "saoe.score"],
    "D49": ["saoe.oe_weight", "saoe.oe_batch"],
    "D50": ["mlep.mode"],
    "D55": ["minns.form", "minns.pool"],
}
"""Differences of paper and code by their numbers in the specification of the competitors, with their parameters."""
ASSUMED_ROWS = {"D48", "D49", "D50", "D55"}


@pytest.mark.parametrize(("row", "parameter"), [(row, name) for row, names in DIFFERENCES.items() for name in names])
def test_every_difference_has_its_parameter_under_the_name_of_the_table(row, parameter):
    method, name = parameter.split(".")
    param = get(method).params[name]
    assert row in param.diff.split(", ")
    assert param.assumption == (row in ASSUMED_ROWS)


@pytest.mark.parametrize("name", NAMES)
def test_every_assumption_is_explained_and_every_difference_of_the_recipes(name):
    for key, param in get(name).params.items():
        differs = param.value("official") != param.value("paper")
        assert param.note or not (differs or param.assumption), key


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("dataset", ["elpv", "head_ct"])
def test_every_recipe_resolves(name, recipe, dataset):
    info = get(name)
    params = resolve(info, recipe, dataset, {}).params
    assert info.pools(params) == ({"elpv": ("mvtec_ad",), "head_ct": ("lag",)}[dataset] if name == "saoe" else ())
    assert info.backbones(params) == ("resnet18",)


@pytest.mark.parametrize("name", NAMES)
def test_methods_without_released_code_are_marked_as_assumed(name):
    assert get(name).assumed == (name != "flos")


@pytest.mark.parametrize("name", NAMES)
def test_the_quick_recipe_is_the_specifications(name):
    official, quick = (resolve(get(name), recipe, "elpv", {}).params for recipe in ("official", "quick"))
    changed = {key: quick[key] for key in official if official[key] != quick[key]}
    batches = {
        "flos": {"batch.size": 24, "batch.seen": 12},
        "minns": {"batch.size": 24, "batch.seen": 12},
        "mlep": {"batch.triplets": 8},
        "saoe": {"batch.size": 24, "batch.seen": 8, "oe_batch": 8},
    }[name]
    budget = {"img_size": 128, "budget.epochs": 5, "budget.steps": 10, "optim.schedule": "constant"}
    assert changed == budget | batches


@pytest.fixture
def awkward(make_params, make_context, array_images, tiny):
    """A fit of two steps on a grey set of two normals and one anomaly of 50 pixels, with a pool of one colour image."""

    def fitted(name, **changes):
        pixels = np.random.default_rng(5).integers(0, 256, (4, 50, 50, 3), dtype=np.uint8)
        grey, pool = array_images(pixels[:3, :, :, :1]), array_images(pixels[3:])
        info = get(name)
        small = {key: value for key, value in tiny.items() if key in info.params}
        detector = load(info)(make_params(name, **(small | changes)), make_context())
        pools = {"mvtec_ad": pool}
        detector.fit(TrainData(grey.select(np.array([0, 1])), grey.select(np.array([2])), pools))
        return detector, grey, pool

    return fitted


@pytest.mark.parametrize("name", NAMES)
def test_batches_beyond_the_data_odd_sizes_and_colour_beside_grey_are_handled(name, awkward):
    detector, grey, colour = awkward(name)
    assert np.isfinite(detector.score(grey)).all()
    assert detector.score(colour).shape == (1,)


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_that_is_not_finite_is_refused_in_one_line(name, awkward):
    with pytest.raises(MethodError, match=r"^the loss is not finite at training step \d \(loss\b"):
        awkward(name, **{"optim.lr": 1e38, "optim.clip_norm": None, "budget.steps": 3})
