"""Detectors that take any backbone: their heads have the channels of the table, and their scores are finite."""

import golden
import numpy as np
import pytest
from torch import nn

from methods.backbones.find import RANDOM, WeightsFile
from methods.backbones.table import BACKBONES, fitting_backbones
from methods.registry import installed
from methods.registry.recipe import resolve

FREE = sorted(
    name
    for name, info in installed.methods().items()
    if info.variant_of is None and "backbone" in info.params and info.params["backbone"].choices == fitting_backbones()
)


class WideTrunk(nn.Module):
    """24 channels at an eighth of an image's side."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 24, 8, stride=8)

    def forward(self, images):
        return self.conv(images).relu()


def fitted(method, arch, make_context, **changes):
    info = installed.get(method)
    params = resolve(info, "official", "toy", golden.small_params(info) | {"backbone": arch} | changes).params
    context = make_context(weights={arch: WeightsFile(arch, None, RANDOM, RANDOM)})
    detector = installed.load(info)(params, context)
    detector.fit(golden.train_data(info, params, context))
    return detector


READ_AT = {"frozen_patches": {"nodes_above": 0}}
"""Changes by which a detector takes the only node of a network."""


@pytest.mark.parametrize(
    ("method", "changes"), [*((name, READ_AT.get(name, {})) for name in FREE), ("mlep", {"mode": "recon"})]
)
def test_heads_have_the_channels_of_the_table(method, changes, make_context, replace_backbone):
    replace_backbone("resnet50", WideTrunk, {"relu": 24})
    detector = fitted(method, "resnet50", make_context, **changes)
    shapes = [tuple(values.shape) for name, values in detector.state().items() if "trunk" not in name]
    place = 0 if method == "frozen_logistic" else 1  # its weights are one vector
    assert any(len(shape) > place and shape[place] == 24 for shape in shapes)
    scores = detector.score(golden.images("t", golden.pictures(4, 60, True)))
    assert np.isfinite(scores).all()


def test_the_pooled_vector_of_deep_sad_is_as_long_as_the_trunk_has_channels(make_context, replace_backbone):
    replace_backbone("resnet50", WideTrunk, {"relu": 24})
    assert fitted("deep_sad", "resnet50", make_context, network="resnet18_512").network.centre.shape == (24,)


def test_a_transformer_is_a_backbone_too(make_context):
    if lacking := BACKBONES["dinov2_vits14"].lacking:
        pytest.skip(lacking)
    detector = fitted("devnet", "dinov2_vits14", make_context)
    assert np.isfinite(detector.score(golden.images("t", golden.pictures(2, 60, True)))).all()
    assert "trunk.network.blocks.11.attn.qkv.weight" in detector.state()
