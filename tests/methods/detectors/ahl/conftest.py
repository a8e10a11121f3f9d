"""A small base under AHL: its state, made-up maps, and fits that take no time."""

import numpy as np
import pytest
import torch

from methods.detectors.ahl.detector import AHLDRA, AHLDevNet
from methods.detectors.ahl.features import MapTable
from methods.detectors.ahl.params import AHLParams
from methods.detectors.ahl.tasks import MetaTask, TaskSet
from methods.detectors.ahl.training import CollaborativeTraining
from methods.detectors.devnet import DevNet
from methods.detectors.dra.detector import DRA
from methods.nn.params import read_params

BASES = {"ahl_dra": ("dra", DRA, AHLDRA), "ahl_devnet": ("devnet", DevNet, AHLDevNet)}
SMALL = {
    "clusters.count": 2,
    "batch.size": 6,
    "budget.epochs": 3,
    "budget.steps": 2,
    "inner.passes": 2,
    "importance.length": 1,
    "importance.start": 1,
}
CHANNELS = 4


@pytest.fixture
def ahl_params(make_params):
    """The typed parameters of a method, with changes that nothing checks."""
    return lambda method="ahl_dra", recipe="official", **changes: read_params(
        AHLParams, make_params(method, recipe, **changes)
    )


@pytest.fixture
def base_state(make_params, make_context, tiny, toy_data):
    """The state of a base fit on the toy images."""

    def build(method, **changes):
        base, detector_class, _ = BASES[method]
        detector = detector_class(make_params(base, **tiny), make_context(**changes))
        detector.fit(toy_data())
        return detector.state()

    return build


@pytest.fixture
def fitted(make_params, make_context, base_state, toy_data, small_trunk):
    """A fit of AHL on the toy images, with `context` for fields of the context and `changes` of parameters."""

    def fit(method="ahl_dra", recipe="official", context=None, **changes):
        params = make_params(method, recipe, **(SMALL | {"cutmix_other.crop": "resized"} | changes))
        detector = BASES[method][2](params, make_context(**(context or {})))
        detector.fit(toy_data(init=base_state(method)))
        return detector

    return fit


@pytest.fixture
def small_table():
    """Twelve normals, four seen and four pseudo anomalies as random positive maps of 4 channels, 7x7 and 4x4."""
    generator = torch.Generator().manual_seed(5)
    levels = [torch.rand(20, side, side, CHANNELS, generator=generator, dtype=torch.float64) for side in (7, 4)]
    for level in levels:
        level[12:] += 1
    return MapTable(levels, 12, 4, {("cutpaste", index): 16 + index for index in range(4)})


@pytest.fixture
def small_training(small_table, ahl_params, make_context):
    """A training in float64 on the small table, two tasks, with the class that makes its heads."""

    def build(heads_class, method="ahl_dra", recipe="official", **changes):
        params = ahl_params(method, recipe, **(SMALL | {"importance.kind": "none"} | changes))
        with make_context().seeded("test.heads"):
            heads = heads_class(CHANNELS, params, *(["fp32"] if method == "ahl_dra" else [])).double()
        first = TaskSet(np.arange(4, 8), np.arange(2), np.arange(2), "cutpaste")
        second = TaskSet(np.arange(8, 12), np.arange(2, 4), np.arange(2, 4), "cutpaste")
        tasks = [MetaTask(first, second), MetaTask(second, first)]
        return CollaborativeTraining(heads, small_table, tasks, params, make_context())

    return build
