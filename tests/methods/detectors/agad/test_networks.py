"""AGAD's networks: layers and counts of the specification, wiring by hand, batch norm with two sets, initialisation."""

import numpy as np
import pytest
import torch
from torch import nn

from methods.detectors.agad.batch_norm import NORMALISERS, StreamNorm, initialise, passing, without_auxiliary
from methods.detectors.agad.discriminator import Discriminator, DiscriminatorPlan
from methods.detectors.agad.generators import Generator, GeneratorPlan
from methods.detectors.agad.params import AGADParams
from methods.detectors.agad.preprocessing import View
from methods.errors import MethodError
from methods.nn.params import read_params


def plan(kind="unet", **changes):
    values = {
        "kind": kind,
        "side": 32,
        "channels": 3,
        "width": {"naive": 64, "unet_pix2pix": 64}.get(kind, 32),
        "nz": 100,
        "bottleneck": "1x1",
        "slope": 0.2,
        "heads": 1,
        "output": "tanh",
        "init": "normal",
        "auxiliary": False,
    }
    return GeneratorPlan(**(values | changes))


def small(kind="unet", **changes):
    return Generator(plan(kind, **({"width": 2, "nz": 4} | changes)))


def judge(kind, **changes):
    values = {"side": 32, "channels": 3, "width": 64, "nz": 100, "slope": 0.2, "init": "normal", "auxiliary": False}
    return Discriminator(DiscriminatorPlan(kind=kind, **(values | changes)))


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def norms(network):
    return [module for module in network.modules() if isinstance(module, StreamNorm)]


# Layers and counts


@pytest.mark.parametrize(
    ("kind", "channels", "parameters", "norm_channels"),
    [
        ("naive", 3, 2_137_728, 832),  # the paper prints 2.04 M, which is this over 2^20
        ("naive", 1, 2_133_632, 832),
        ("unet", 3, 7_763_107, 2944),  # 7.76 M
        ("unet", 1, 7_762_465, 2944),
        ("unetpp", 3, 9_045_891, 3648),  # 9.04 M, cut and not rounded
        ("unet_pix2pix", 3, 16_659_075, 1856),  # 16.66 M
    ],
)
def test_parameters_and_norm_channels_are_the_specifications(kind, channels, parameters, norm_channels):
    with torch.device("meta"):
        network = Generator(plan(kind, channels=channels))
        doubled = Generator(plan(kind, channels=channels, auxiliary=True))
    assert count(network) == parameters
    assert sum(norm.main.num_features for norm in norms(network)) == norm_channels
    assert count(doubled) == parameters + 2 * norm_channels


def test_the_naive_bottleneck_has_as_many_parameters_either_way_and_another_size():
    for bottleneck, side in (("1x1", 1), ("2x2", 2)):
        network = small("naive", bottleneck=bottleneck)
        layers = network.body.layers
        maps = torch.zeros(2, 3, 32, 32)
        sizes = []
        for layer in layers:
            maps = layer(maps)
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                sizes.append(maps.shape[-1])
        assert sizes == [16, 8, 4, side, 4, 8, 16]
        assert count(network) == count(small("naive"))


@pytest.mark.parametrize(
    ("kind", "side", "parameters", "z"),
    [
        ("ganomaly", 32, 663_296, (256, 4, 4)),
        ("ganomaly", 128, 11_164_416, (1024, 4, 4)),
        ("literal", 32, 142_720, (128, 8, 8)),
        ("skip_ganomaly", 32, 1_069_700, (100, 1, 1)),
    ],
)
def test_the_discriminators_have_the_layers_of_the_specification(kind, side, parameters, z):
    with torch.device("meta"):
        network = judge(kind, side=side)
    assert count(network) == parameters
    thin = judge(kind, side=side, width=2, nz=5)
    judged = thin(torch.zeros(3, 3, side, side))
    assert judged.logits.shape == (3,)
    expected = (5, 1, 1) if kind == "skip_ganomaly" else (z[0] // 32, *z[1:])
    assert judged.z.shape == (3, *expected)
    assert all(layer.bias is None for layer in network.modules() if isinstance(layer, nn.Conv2d))


def test_the_released_discriminators_count_384_norm_channels():
    with torch.device("meta"):
        network = judge("ganomaly")
    assert sum(norm.main.num_features for norm in norms(network)) == 384


@pytest.mark.parametrize("kind", ["naive", "unet", "unetpp", "unet_pix2pix"])
@pytest.mark.parametrize("side", [16, 64])
def test_images_keep_their_shape(kind, side):
    side = max(side, 32) if kind == "unet_pix2pix" else side
    images = torch.randn(2, 1, side, side)
    made = small(kind, side=side, channels=1)(images)
    assert made.shape == images.shape
    assert float(made.detach().abs().max()) <= 1


def test_sides_that_cannot_be_halved_are_refused_with_the_next_step():
    with pytest.raises(MethodError, match=r"16, 32, 64 .* not 28: --set agad\.img_size=32"):
        small(side=28)
    with pytest.raises(MethodError, match=r"32, 64, 128 .* not 16: --set agad\.img_size=32"):
        small("unet_pix2pix", side=16)


def test_unetpp_nodes_see_all_before_them_and_the_one_below():
    network = small("unetpp")
    seen = []
    for number, column in enumerate(network.body.columns, start=1):
        for level, node in enumerate(column.nodes):
            node.register_forward_pre_hook(lambda _, given, at=(level, number): seen.append((at, given[0].shape)))
    network(torch.zeros(2, 3, 32, 32))
    assert [at for at, _ in seen] == [(level, j) for j in (1, 2, 3, 4) for level in range(5 - j)]
    for (level, number), shape in seen:
        # X(l, 0 .. j - 1) and the one below brought up, each of width 2^(l + 1)
        assert shape == (2, (number + 1) * 2 ** (level + 1), 32 >> level, 32 >> level)


def test_deep_supervision_is_the_mean_of_four_heads():
    network = small("unetpp", heads=4, output="none").eval()
    images = torch.randn(2, 3, 32, 32)
    maps = network.body(images)
    assert len(maps) == len(network.heads) == 4
    expected = sum(head(each) for head, each in zip(network.heads, maps, strict=True)) / 4
    assert torch.allclose(network(images), expected, atol=1e-6)
    assert len(small("unetpp").body(images)) == 1


@pytest.mark.parametrize(("output", "low", "high"), [("tanh", -1, 1), ("sigmoid", 0, 1), ("none", -1e9, 1e9)])
def test_the_output_is_bounded_by_its_activation(output, low, high):
    network = small(output=output)
    with torch.no_grad():
        network.heads[0].weight.mul_(1e4)
        made = network(torch.randn(2, 3, 32, 32))
    assert low <= float(made.min()) < float(made.max()) <= high
    assert (float(made.abs().max()) > 1) == (output == "none")


# Initialisation


def test_weights_start_as_the_ancestors_have_them():
    torch.manual_seed(0)
    network = small("unet", width=8).requires_grad_(False)
    weights = torch.cat(
        [m.weight.flatten() for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    )
    biases = torch.cat([m.bias for m in network.modules() if getattr(m, "bias", None) is not None])
    scales = torch.cat([norm.main.weight for norm in norms(network)])
    assert float(weights.std()) == pytest.approx(0.02, rel=0.01)
    assert abs(float(weights.mean())) < 1e-3
    assert float(scales.mean()) == pytest.approx(1, abs=0.01)
    assert float(scales.std()) == pytest.approx(0.02, rel=0.1)
    assert not biases.any()


def test_both_sets_start_alike_and_the_main_one_as_without_the_other():
    networks = []
    for auxiliary in (False, True):
        torch.manual_seed(0)
        networks.append(small(auxiliary=auxiliary))
    single, double = networks
    assert count(double) > count(single)
    main = without_auxiliary(double.state_dict())
    assert main.keys() == single.state_dict().keys()
    assert all(torch.equal(value, main[name]) for name, value in single.state_dict().items())
    for norm in norms(double):
        for name, value in norm.main.state_dict().items():
            assert torch.equal(value, norm.auxiliary.state_dict()[name])


@pytest.mark.parametrize("kind", ["normal", "default"])
def test_starting_again_draws_new_weights_and_keeps_running_statistics(kind):
    network = judge("ganomaly", width=2, init=kind)
    network(torch.randn(4, 3, 32, 32))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    initialise(network, kind)
    for name, value in network.state_dict().items():
        statistic = "running" in name or "tracked" in name
        constant = name.endswith("bias") or (kind == "default" and "main.weight" in name)
        assert torch.equal(value, before[name]) == (statistic or constant), name


# Batch norm with two sets


def maps(*values):
    """One channel, one pixel an image."""
    return torch.tensor(values)[:, None, None, None]


def test_the_auxiliary_set_is_moved_by_its_own_passes_alone():
    # AGAD spec 6: normals (1, 3), pseudo-anomalies (10, 14), momentum 0.1, running (0, 1)
    norm = StreamNorm(1, auxiliary=True)
    norm(maps(1.0, 3.0))
    with passing(norm, auxiliary=True):
        norm(maps(10.0, 14.0))
    found = [(float(each.running_mean), float(each.running_var)) for each in (norm.main, norm.auxiliary)]
    assert found == [pytest.approx((0.2, 0.9 * 1 + 0.1 * 2)), pytest.approx((1.2, 0.9 * 1 + 0.1 * 8))]


def test_without_an_auxiliary_set_all_passes_move_the_main_one():
    norm = StreamNorm(1, auxiliary=False)
    with passing(norm, auxiliary=True):
        norm(maps(1.0, 3.0, 10.0, 14.0))
    # mean 7, unbiased variance 110 / 3
    assert float(norm.main.running_mean) == pytest.approx(0.7)
    assert float(norm.main.running_var) == pytest.approx(0.9 + 0.1 * 110 / 3)


@pytest.mark.parametrize("kind", [kind for kind in NORMALISERS if kind != "learning"])
def test_frozen_passes_leave_every_statistic_as_it_is(kind):
    norm = StreamNorm(1, auxiliary=True)
    norm(maps(1.0, 3.0))
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    with torch.no_grad():
        norm.main.weight.fill_(2)
        norm.main.bias.fill_(1)
    values = maps(10.0, 14.0).requires_grad_()
    with passing(norm, kind=kind):
        normalised = norm(values)
    expected = {
        # running (0.2, 1.1), then times 2 plus 1
        "running": [1 + 2 * (value - 0.2) / (1.1 + 1e-5) ** 0.5 for value in (10, 14)],
        # batch mean 12, biased variance 4
        "batch": [1 - 2 * 2 / (4 + 1e-5) ** 0.5, 1 + 2 * 2 / (4 + 1e-5) ** 0.5],
        "bypass": [10, 14],
    }[kind.removesuffix("_affine_frozen")]
    assert normalised.flatten().tolist() == pytest.approx(expected, rel=1e-5)
    statistics = {name: value for name, value in norm.state_dict().items() if "running" in name or "tracked" in name}
    assert all(torch.equal(value, before[name]) for name, value in statistics.items())
    normalised.square().sum().backward()
    assert (norm.main.weight.grad is not None) == (kind in {"running", "batch"})
    assert norm.kind == "learning"


def test_a_block_within_a_block_changes_one_thing_and_gives_it_back():
    norm = StreamNorm(1, auxiliary=True)
    with passing(norm, kind="running"):
        with passing(norm, auxiliary=True):
            assert (norm.kind, norm.on_auxiliary) == ("running", True)
        assert (norm.kind, norm.on_auxiliary) == ("running", False)
    assert (norm.kind, norm.on_auxiliary) == ("learning", False)


def test_inference_is_the_same_with_or_without_auxiliary_sets():
    single, double = small(), small(auxiliary=True)
    double(torch.randn(4, 3, 32, 32))
    with passing(double, auxiliary=True):
        double(5 + torch.randn(4, 3, 32, 32))
    single.load_state_dict(without_auxiliary(double.state_dict()))
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(single.eval()(images), double.eval()(images))


# Images


@pytest.fixture
def view(make_params, array_images):
    def build(pixels, **changes):
        return View.of_training(read_params(AGADParams, make_params("agad", **changes)), array_images(pixels))

    return build


def grey(size, n=2):
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 1), dtype=np.uint8)


def test_pixels_become_minus_one_to_one(view):
    pixels = np.zeros((1, 32, 32, 1), np.uint8)
    pixels[0, 0, :3, 0] = [0, 51, 255]
    seen = view(pixels)(torch.from_numpy(pixels))
    assert seen[0, 0, 0, :3].tolist() == pytest.approx([-1, -0.6, 1])
    assert view(pixels, **{"images.scaling": "unit"})(torch.from_numpy(pixels))[0, 0, 0, 1] == pytest.approx(0.2)


def test_per_channel_scaling_takes_mean_and_std_of_the_training_normals(view):
    pixels = np.random.default_rng(1).integers(0, 256, (600, 16, 16, 3), dtype=np.uint8)
    pixels[..., 1] //= 2
    own = view(pixels, **{"images.scaling": "per_channel"})
    seen = own(torch.from_numpy(pixels))
    assert seen.mean((0, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-4)
    assert seen.std((0, 2, 3), correction=0).tolist() == pytest.approx([1, 1, 1], rel=1e-4)
    assert torch.allclose(own.to_unit(seen), torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255, atol=1e-6)
    with pytest.raises(MethodError, match=r"all alike .* --set agad\.images\.scaling=half"):
        view(np.full((2, 16, 16, 1), 7, np.uint8), **{"images.scaling": "per_channel"})


def test_grey_images_have_one_channel_or_three_equal_ones(view):
    pixels = grey(32)
    assert view(pixels).channels == 1
    three = view(pixels, **{"images.grey": "three_channels"})
    seen = three(torch.from_numpy(pixels))
    assert seen.shape == (2, 3, 32, 32)
    assert torch.equal(seen[:, 0], seen[:, 2])


def test_28_pixels_become_32_by_padding_or_interpolation(view):
    pixels = grey(28)
    padded = view(pixels, **{"images.resize": "zero_pad", "images.scaling": "unit"})(torch.from_numpy(pixels))
    assert padded.shape == (2, 1, 32, 32)
    assert torch.equal((padded[:, 0, 2:30, 2:30] * 255).round().to(torch.uint8), torch.from_numpy(pixels[..., 0]))
    assert float(padded.sum()) == pytest.approx(float(padded[:, :, 2:30, 2:30].sum()))
    flat = np.full((1, 28, 28, 1), 51, np.uint8)
    smooth = view(flat, **{"images.resize": "bilinear", "images.scaling": "unit"})(torch.from_numpy(flat))
    assert smooth.shape == (1, 1, 32, 32)
    assert torch.allclose(smooth, torch.tensor(0.2))


def test_a_resize_that_would_do_nothing_is_refused(view):
    with pytest.raises(MethodError, match=r"zero_pad finds images of 32 pixels already: .*img_resize=none"):
        view(grey(32), **{"images.resize": "zero_pad"})
    with pytest.raises(MethodError, match="36 x 36 pixels cannot be padded to 32"):
        view(grey(36), **{"images.resize": "zero_pad"})(torch.from_numpy(grey(36)))
