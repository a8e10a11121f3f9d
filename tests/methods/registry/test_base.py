"""The base of a method: what its recipe may name, and how the base's parameters follow."""

import pytest

from methods.errors import MethodError
from methods.registry.base import resolve_base
from methods.registry.installed import methods
from methods.registry.recipe import parse, resolve

BASED = """
id = "mine"
title = "Mine"
detector = "my_package.mine:Mine"
version = 1

[capabilities]
rules = ["general"]
anomalies = true
independent_scores = true

[base]
method = "dra"
recipe = "base.recipe"
shared = ["img_size"]

[params."base.recipe"]
type = "str"
default = "paper"
choices = ["paper", "official", "best"]
source = "own choice"

[params."img_size"]
type = "size"
default = "per_dataset"
source = "own choice"
"""


def based(dataset="elpv", sets=None, overrides=None, text=BASED, **others):
    info = parse(text, "mine.toml")
    params = resolve(info, "official", dataset, sets or {}).params
    return resolve_base(info, params, {**methods(), **others}, dataset, overrides or {})


def test_a_base_has_its_recipes_parameters_and_the_shared_ones():
    base = based(sets={"img_size": 64})
    assert (base.info.id, base.recipe) == ("dra", "paper")
    assert base.resolved.params["optim.lr"] == 1e-3
    assert base.resolved.params["img_size"] == 64
    assert base.resolved.changed == {}


def test_a_base_takes_its_dataset_block_and_overrides_but_not_of_a_shared_parameter():
    base = based("brain_mri", overrides={"budget.epochs": 2, "img_size": 96}, sets={"img_size": 64})
    assert base.resolved.params["pseudo.source"] == "lag"
    assert base.resolved.params["img_size"] == 64
    assert base.resolved.changed == {"budget.epochs": (30, 2)}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('recipe = "base.recipe"', 'recipe = "base.recipes"', r"\[base\] 'base.recipes': did you mean 'base.recipe'"),
        ('["img_size"]', '["img_sizes"]', r"\[base\] 'img_sizes': did you mean 'img_size'"),
        ('shared = ["img_size"]', 'share = ["img_size"]', r"\[base\]: unknown key 'share'"),
        ('method = "dra"', 'method = "devnot"', "starts from a fit of 'devnot': did you mean 'devnet'"),
        ('method = "dra"', 'method = "ahl_dra"', "which has a base itself"),
        ('default = "paper"', 'default = "best"', "mine.base.recipe must be official, paper or quick. Got 'best'"),
    ],
)
def test_a_wrong_base_is_named(old, new, message):
    with pytest.raises(MethodError, match=message):
        based(text=BASED.replace(old, new))


def test_a_method_without_a_base_has_none():
    with pytest.raises(MethodError, match="dra starts from no other method's fit"):
        resolve_base(methods()["dra"], {}, methods(), "elpv", {})


def test_native_images_are_asked_for_by_the_value_of_a_parameter():
    info = methods()["ahl_dra"]
    assert info.takes_native_images({"cutmix_other.crop": "native"})
    assert not info.takes_native_images({"cutmix_other.crop": "resized"})
    assert not info.takes_native_images({})
    with pytest.raises(MethodError, match=r"\[capabilities\] native_images_where 'img_size'"):
        parse(BASED.replace("[base]", 'native_images_where = { img_size = ["own"] }\n[base]'), "mine.toml")
