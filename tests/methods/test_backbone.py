"""Trunks."""

import pytest
import torch
from torchvision.models import resnet18

from methods.errors import MethodError
from methods.nn.backbone import build
from methods.weights import RANDOM, WeightsFile, find


def test_trunk_is_resnet18_up_to_the_last_relu_of_layer4(tmp_path):
    torch.manual_seed(0)
    whole = resnet18().eval()
    torch.save(whole.state_dict(), tmp_path / "mine.pth")
    options = [str(tmp_path / "mine.pth")]
    weights = find("resnet18", options=options, env=None, hub_dir=tmp_path, cache_dir=tmp_path, allow_auto=False)
    trunk = build("resnet18", weights).eval()
    images = torch.rand(2, 3, 96, 96)
    taken = []
    whole.layer4.register_forward_hook(lambda _module, _inputs, output: taken.append(output))
    with torch.inference_mode():
        whole(images)
        maps = trunk(images)
    assert torch.equal(maps, taken[0])
    assert maps.shape == (2, 512, 3, 3)
    assert maps.min() == 0
    assert sum(p.numel() for p in trunk.parameters()) == 11_176_512


def test_random_weights_follow_the_seed_of_the_run(make_context):
    first, second, other = (make_context(seed=seed).backbone("resnet18").conv1.weight for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_building_leaves_the_global_generator_alone(make_context):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    make_context().backbone("resnet18")
    assert torch.equal(torch.rand(3), expected)


def test_an_unknown_trunk_is_named_with_a_near_miss():
    with pytest.raises(MethodError, match=r"no trunk named 'resnet8': did you mean 'resnet18'\?"):
        build("resnet8", WeightsFile("resnet8", None, RANDOM, RANDOM))
