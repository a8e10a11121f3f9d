"""Reading of resolved parameters into dataclasses."""

from dataclasses import dataclass, fields, is_dataclass
from typing import Literal, get_type_hints

import pytest

from methods.detectors.agad.params import AGADParams
from methods.detectors.csi.detector import CSIParams
from methods.detectors.csi_gan.params import CSIGANParams
from methods.detectors.deep_sad import DeepSADParams
from methods.detectors.devnet import DevNetParams
from methods.detectors.dra.detector import DRAParams
from methods.detectors.dra.non_disentangled import NonDisentangledParams
from methods.detectors.flos import FLOSParams
from methods.detectors.frozen import LogisticParams, NearestParams
from methods.detectors.frozen_patches import PatchesParams
from methods.detectors.kdad import KDADParams
from methods.detectors.minns import MINNSParams
from methods.detectors.mlep import MLEPParams
from methods.detectors.patchcore import PatchCoreParams
from methods.detectors.saoe import SAOEParams
from methods.nn.params import read_params
from methods.nn.pseudo_anomalies.cp_scar import CPScar
from methods.registry.installed import get, methods
from methods.registry.recipe import RECIPES

KINDS = {
    "agad": AGADParams,
    "csi": CSIParams,
    "csi_gan": CSIGANParams,
    "deep_sad": DeepSADParams,
    "devnet": DevNetParams,
    "dra": DRAParams,
    "dra_non_disentangled": NonDisentangledParams,
    "flos": FLOSParams,
    "frozen_logistic": LogisticParams,
    "frozen_nearest": NearestParams,
    "frozen_patches": PatchesParams,
    "kdad": KDADParams,
    "minns": MINNSParams,
    "mlep": MLEPParams,
    "patchcore": PatchCoreParams,
    "saoe": SAOEParams,
}


LEFT_AT_DEFAULT = {
    "kdad": {"budget_steps"},
    "saoe": {"pseudo_source", "cp_mix_mode", *(f"cp_scar_{field.name}" for field in fields(CPScar))},
}
"""Fields of shared parameters that a detector's recipe leaves at their default."""


@dataclass(frozen=True, slots=True)
class Rates:
    first: float
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Example:
    optim: Rates
    batch_size: int
    kind: Literal["a", "b"]
    lambda_: float
    layers: tuple[str, ...]
    taps: tuple[int, ...]
    on: bool = False


VALUES = {
    "optim.first": 1,
    "batch.size": 4,
    "kind": "a",
    "lambda": 0.5,
    "layers": "layer1,layer2",
    "taps": "2,3",
    "img_size": 32,
}


def test_names_groups_and_lists():
    example = read_params(Example, VALUES)
    assert example == Example(Rates(1.0), 4, "a", 0.5, ("layer1", "layer2"), (2, 3))
    assert type(example.optim.first) is float
    assert read_params(Example, VALUES | {"optim.limit": None, "on": True}).on


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("optim.first", True),
        ("optim.first", "1"),
        ("optim.first", None),
        ("optim.limit", 1.0),
        ("batch.size", True),
        ("batch.size", 4.0),
        ("kind", "c"),
        ("kind", 1),
        ("layers", 1),
        ("taps", "2,x"),
        ("on", 1),
    ],
)
def test_another_type_is_an_error_that_names_the_parameter(name, value):
    with pytest.raises(TypeError, match=rf"^parameter {name} cannot be {value!r}: "):
        read_params(Example, VALUES | {name: value})


def test_a_missing_parameter_is_named():
    with pytest.raises(TypeError, match=r"Example needs a parameter batch_size"):
        read_params(Example, {name: value for name, value in VALUES.items() if name != "batch.size"})


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_choice_of_every_recipe_can_be_read(recipe, make_params):
    detectors = {info.id: info for info in methods().values() if info.variant_of is None and info.id in KINDS}
    assert detectors.keys() == KINDS.keys()
    for name, info in detectors.items():
        kind = KINDS[name]
        params = make_params(name, recipe)
        for parameter, param in info.params.items():
            for choice in (*param.choices, *([True, False] if param.type == "bool" else [])):
                read_params(kind, params | {parameter: choice})


def field_names(kind, prefix=""):
    hints = get_type_hints(kind)
    for field in fields(kind):
        if is_dataclass(hints[field.name]):
            yield from field_names(hints[field.name], f"{prefix}{field.name}_")
        else:
            yield prefix + field.name.rstrip("_")


@pytest.mark.parametrize("name", KINDS)
def test_a_default_hides_no_misspelt_name(name):
    parameters = {parameter.replace(".", "_") for parameter in get(name).params}
    assert set(field_names(KINDS[name])) - parameters == LEFT_AT_DEFAULT.get(name, set())
