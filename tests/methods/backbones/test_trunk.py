"""Trunks."""

import copy
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torchvision.models import alexnet, get_model, resnet18, vgg16

from methods.backbones import content, notes, table
from methods.backbones.find import RANDOM, WeightsFile, find
from methods.backbones.table import BACKBONES, fitting_backbones
from methods.backbones.trunk import build_trunk
from methods.errors import MethodError

POOLS = tuple(BACKBONES["vgg16"].taps)


def random_trunk(arch, nodes=()):
    torch.manual_seed(3)
    return build_trunk(arch, WeightsFile(arch, None, RANDOM, RANDOM), nodes)


def test_trunk_is_resnet18_up_to_the_last_relu_of_layer4(tmp_path):
    torch.manual_seed(0)
    whole = resnet18().eval()
    torch.save(whole.state_dict(), tmp_path / "mine.pth")
    options = [str(tmp_path / "mine.pth")]
    weights = find("resnet18", options=options, env=None, hub_dir=tmp_path, cache_dir=tmp_path, allow_auto=False)
    trunk = build_trunk("resnet18", weights).eval()
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
    state = {name: values.half() for name, values in random_trunk("vgg16").state_dict().items()}
    torch.save(state, tmp_path / "mine.pth")
    options = [str(tmp_path / "mine.pth")]
    weights = find("vgg16", options=options, env=None, hub_dir=tmp_path, cache_dir=tmp_path, allow_auto=False)
    trunk = build_trunk("vgg16", weights, POOLS).eval()
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
        maps = make_context(weights=weights).backbone("vgg16", POOLS)(images)
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
        build_trunk("resnet8", WeightsFile("resnet8", None, RANDOM, RANDOM))


def test_a_node_that_is_not_read_is_named_with_a_near_miss():
    with pytest.raises(MethodError, match=r"resnet18 is not read at 'layer5': did you mean 'layer"):
        random_trunk("resnet18", ["layer5"])


def test_measures_have_no_trunk():
    with pytest.raises(MethodError, match="no trunk named 'inception_v3'"):
        random_trunk("inception_v3")


def resnet_maps(network, images):
    stem = network.maxpool(network.relu(network.bn1(network.conv1(images))))
    return network.layer4(network.layer3(network.layer2(network.layer1(stem))))


@pytest.mark.parametrize("is_bf16", [False, True])
def test_a_resnet_trains_to_the_bits_of_torchvisions_own(is_bf16):
    """Forward, backward and running statistics, in training and evaluation mode, channels last."""
    torch.manual_seed(3)
    whole, trunk = resnet18(), random_trunk("resnet18")
    assert list(trunk.state_dict()) == [name for name in whole.state_dict() if not name.startswith("fc.")]
    images = torch.rand(2, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    results = []
    for network, maps_of in ((whole, lambda images: resnet_maps(whole, images)), (trunk, trunk)):
        network.to(memory_format=torch.channels_last).train()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_bf16):
            trained = maps_of(images)
        trained.float().square().mean().backward()
        network.eval()
        with torch.no_grad():
            scored = maps_of(images)
        results.append([trained, scored, network.conv1.weight.grad])
        results[-1].append(network.get_submodule("layer4.1.bn2").running_var)
    assert all(torch.equal(own, other) for own, other in zip(*results, strict=True))


def test_random_vgg16_is_drawn_as_if_it_had_no_classifier():
    """The convolutions' default draws, then their normal ones of fan out: nothing in between, as golden scores have it."""
    trunk = random_trunk("vgg16")
    torch.manual_seed(3)
    channels, convolutions = 3, []
    for width in (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512):
        convolutions.append(nn.Conv2d(channels, width, 3, padding=1))
        channels = width
    for convolution in convolutions:
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(convolution.bias)
    expected = [tensor for convolution in convolutions for tensor in convolution.parameters()]
    assert all(torch.equal(*pair) for pair in zip(trunk.parameters(), expected, strict=True))


@pytest.mark.parametrize("arch", ["resnet50", "wide_resnet50_2", "alexnet", "vgg16"])
def test_every_trunk_of_torchvision_has_its_networks_values_and_the_channels_of_the_table(arch, tmp_path):
    torch.manual_seed(3)
    whole = get_model(arch)
    state = {name: values for name, values in whole.state_dict().items() if not name.startswith("classifier.")}
    torch.save(state, tmp_path / "mine.pth")
    options = [str(tmp_path / "mine.pth")]
    weights = find(arch, options=options, env=None, hub_dir=tmp_path, cache_dir=tmp_path, allow_auto=False)
    nodes = tuple(BACKBONES[arch].taps)
    whole.eval()
    images, outputs = torch.rand(1, 3, 64, 64), {}
    for node in nodes:
        whole.get_submodule(node).register_forward_hook(
            lambda _module, _inputs, output, node=node: outputs.update({node: output})
        )
    with torch.inference_mode():
        maps = build_trunk(arch, weights, nodes).eval()(images)
        deepest = build_trunk(arch, weights).eval()(images)
        whole(images)
    assert [tuple(each.shape)[:2] for each in maps] == [(1, channels) for channels in BACKBONES[arch].taps.values()]
    assert all(torch.equal(own, outputs[node]) for node, own in zip(nodes, maps, strict=True))
    assert torch.equal(deepest, maps[-1])


def test_a_trunk_that_is_copied_gives_the_same_map():
    trunk, images = random_trunk("resnet18").eval(), torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(copy.deepcopy(trunk).eval()(images), trunk(images))


def test_alexnet_is_read_where_dras_code_reads_it():
    """The output of `features`, 256 channels, an image's side over 32 rounded down in two steps (spec, deviations)."""
    torch.manual_seed(3)
    whole = alexnet().eval()
    trunk, images = random_trunk("alexnet").eval(), torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(trunk(images), whole.features(images))
        assert trunk(images).shape == (1, 256, 6, 6)


def test_images_that_a_network_cannot_take_are_refused_by_name():
    with pytest.raises(MethodError, match="alexnet takes images of 63 pixels or more, not of 62: raise img_size"):
        BACKBONES["alexnet"].precision_at(62, "fp32")
    for arch in ("alexnet", "vgg16"):
        side = BACKBONES[arch].smallest
        trunk = random_trunk(arch).eval()
        with torch.inference_mode():
            assert trunk(torch.rand(1, 3, side, side)).shape[2:] == (1, 1)
            with pytest.raises(RuntimeError, match="too small"):
                trunk(torch.rand(1, 3, side - 1, side - 1))


def test_what_a_recipe_may_name_is_what_can_be_read_at_its_nodes():
    anything, stages = fitting_backbones(), fitting_backbones(["layer2", "layer3"])
    assert {"resnet18", "vgg16", "resnet50", "wide_resnet50_2", "alexnet", "dinov2_vits14"} <= {*anything}
    assert not {"inception_v3", "fid_inception_v3"} & {*anything}
    assert {"resnet18", "resnet50", "wide_resnet50_2"} <= {*stages}
    assert not {"vgg16", "alexnet", "dinov2_vits14"} & {*stages}
    assert fitting_backbones(POOLS) == ("vgg16",)
    assert fitting_backbones(["layer9"]) == ()


def test_a_file_that_was_none_of_a_shorter_table_is_looked_at_again(tmp_path, monkeypatch):
    torch.save(alexnet().features.state_dict(prefix="features."), tmp_path / "mine.pth")
    options = [str(tmp_path / "mine.pth")]
    places = {"env": None, "hub_dir": tmp_path, "cache_dir": tmp_path, "allow_auto": False}
    with monkeypatch.context() as patch:
        for module in (content, notes):
            patch.setattr(module, "installed_backbones", lambda: ("resnet18",))
        with pytest.raises(MethodError, match=r"holds no network that is known \(resnet18\)"):
            find("resnet18", options=options, **places)
    assert find("alexnet", options=options, **places).arch == "alexnet"


# timm


@pytest.fixture
def no_timm(monkeypatch):
    monkeypatch.setattr(table, "find_spec", lambda name: None if name == "timm" else SimpleNamespace())


def test_a_missing_package_is_one_sentence_with_the_extra(no_timm):
    with pytest.raises(MethodError, match=r"^dinov2_vits14 needs timm: pip install 'swanbench\[timm\]'$"):
        random_trunk("dinov2_vits14")


def test_files_are_told_without_the_package_too(no_timm):
    content._shapes.cache_clear()
    state = alexnet().features.state_dict(prefix="features.")
    assert content.recognise(state) == "alexnet"
    with pytest.raises(ValueError, match=r"holds no network that is known \(.*alexnet\)$"):
        content.recognise({"blocks.0.norm1.weight": torch.zeros(384)})


class MadeUpTransformer(nn.Module):
    """As much of timm's vision transformers as a trunk asks for: three blocks on patches of 14 pixels."""

    def __init__(self):
        super().__init__()
        self.feature_info = [{"module": f"blocks.{block}"} for block in range(3)]
        self.embed = nn.Conv2d(3, 4, 14, stride=14)
        self.blocks = nn.ModuleList(nn.Conv2d(4, 4, 1) for _ in range(3))

    def prune_intermediate_layers(self, indices, *, prune_norm, prune_head):
        assert not prune_norm
        self.blocks = self.blocks[: max(indices) + 1]

    def forward_intermediates(self, images, *, indices, norm, output_fmt, intermediates_only):
        assert (norm, output_fmt, intermediates_only) == (True, "NCHW", True)
        maps, outputs = self.embed(images), []
        for number, block in enumerate(self.blocks):
            maps = block(maps)
            outputs += [maps] if number in indices else []
        return outputs


def test_a_network_of_timm_is_asked_for_its_maps_and_cut_behind_them(monkeypatch):
    asked = []

    def create_model(name, **options):
        asked.append((name, options))
        return MadeUpTransformer()

    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=create_model))
    monkeypatch.setattr(table, "find_spec", lambda name: SimpleNamespace())
    trunk = random_trunk("dinov2_vits14", ["blocks.1", "blocks.0"])
    later, earlier = trunk(torch.rand(2, 3, 28, 28))
    assert torch.equal(trunk.network.blocks[1](earlier), later)
    assert len(trunk.network.blocks) == 2
    options = {"pretrained": False, "num_classes": 0, "dynamic_img_size": True, "dynamic_img_pad": True}
    assert asked == [("vit_small_patch14_dinov2", options)]


def test_dinov2_is_read_from_a_file_and_takes_any_side(tmp_path):
    timm = pytest.importorskip("timm", reason="the extra timm is not installed")
    torch.manual_seed(3)
    whole = timm.create_model("vit_small_patch14_dinov2", pretrained=False, num_classes=0).eval()
    torch.save(whole.state_dict() | {"mask_token": torch.zeros(1, 384)}, tmp_path / "mine.pth")
    options = [str(tmp_path / "mine.pth")]
    arch = "dinov2_vits14"
    weights = find(arch, options=options, env=None, hub_dir=tmp_path, cache_dir=tmp_path, allow_auto=False)
    trunk = build_trunk(arch, weights).eval()
    images = torch.rand(1, 3, 518, 518)
    with torch.inference_mode():
        tokens = whole.forward_features(images)[:, 1:]
        assert torch.equal(trunk(images), tokens.reshape(1, 37, 37, 384).permute(0, 3, 1, 2))
        assert trunk(images[..., :64, :64]).shape == (1, 384, 5, 5)
    assert tuple(node["module"] for node in whole.feature_info) == tuple(BACKBONES[arch].taps)
