"""Trunks."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet18, vgg16

from methods.backbones.find import RANDOM, WeightsFile, find
from methods.backbones.trunk import build
from methods.backbones.vgg import VGG16Trunk
from methods.errors import MethodError


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


def test_vgg16_is_torchvisions_read_after_its_pools(tmp_path):
    """The classifier may be missing; float16 becomes float32."""
    torch.manual_seed(0)
    state = {name: values.half() for name, values in VGG16Trunk().state_dict().items()}
    torch.save(state, tmp_path / "mine.pth")
    options = [str(tmp_path / "mine.pth")]
    weights = find("vgg16", options=options, env=None, hub_dir=tmp_path, cache_dir=tmp_path, allow_auto=False)
    trunk = build("vgg16", weights).eval()
    with torch.device("meta"):
        whole = vgg16().features
    whole = whole.to_empty(device="cpu")
    whole.load_state_dict({name.removeprefix("features."): values.float() for name, values in state.items()})
    images = torch.rand(2, 3, 70, 70)
    pools = [number for number, layer in enumerate(whole) if isinstance(layer, nn.MaxPool2d)]
    assert pools == [4, 9, 16, 23, 30]
    with torch.inference_mode():
        maps = trunk(images)
        for end, own in zip(pools, maps, strict=True):
            assert torch.equal(whole[: end + 1](images), own)
    assert [tuple(own.shape[1:]) for own in maps] == [
        (64, 35, 35),
        (128, 17, 17),
        (256, 8, 8),
        (512, 4, 4),
        (512, 2, 2),
    ]
    assert sum(p.numel() for p in trunk.parameters()) == 14_714_688


def test_random_vgg16_passes_signals_on(make_context):
    """Drawn as torchvision draws it: the maps neither die out nor explode through 13 convolutions."""
    weights = {"vgg16": WeightsFile("vgg16", None, RANDOM, RANDOM)}
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        maps = make_context(weights=weights).backbone("vgg16")(images)
    assert all(0.05 < own.std() < 20 for own in maps)


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
