"""CSI-GAN's generative networks: layer tables, ranges, switches."""

import math

import pytest
import torch
from torch import nn

from methods.detectors.csi_gan.networks import GANNetworks
from methods.detectors.csi_gan.params import CSIGANParams
from methods.nn.params import read_params

TINY = {"network.width": 2, "gan.width": 1}


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def built(make_params, make_context, **changes):
    return GANNetworks(read_params(CSIGANParams, make_params("csi_gan", **changes)), make_context(), 3, 4)


def test_parameter_counts(make_params, make_context):
    networks = built(make_params, make_context)
    assert count(networks.f) == 11_168_832 + 328_320 + 2052
    assert count(networks.g) == 3_813_379
    assert count(networks.d) == 2_935_873
    assert count(networks.e) == 3_805_824
    assert count(networks.ld) == 1_131_001


def test_parameter_counts_of_the_residual_networks(make_params, make_context):
    networks = built(make_params, make_context, **{"gan.kind": "resnet", "network.width": 2})
    assert count(networks.g) == 4_276_739
    # First block 3584 + 147,584 + 512, down-block 295,168 + 16,512, two plain ones 590,336, linear 128 without bias.
    assert count(networks.d) == 1_053_824
    # First convolution 7168; three blocks of 512 + 512 + 1,180,160 + 65,792; batch norm 512; linear 524,416.
    assert count(networks.e) == 7168 + 3 * 1_246_976 + 512 + 524_416


@pytest.mark.parametrize("kind", ["cnn", "resnet"])
@pytest.mark.parametrize("size", [32, 64, 128, 224])
def test_networks_of_every_size_fit_together(kind, size, make_params, make_context):
    networks = built(make_params, make_context, **TINY, **{"gan.kind": kind, "gan.size": size})
    images = networks.g(torch.randn(2, 128))
    assert images.shape == (2, 3, size, size)
    assert float(images.detach().abs().max()) <= 1
    assert networks.e(images).shape == (2, 128)
    assert networks.d(images).shape == (2,)


def test_the_generator_of_64_pixels_has_one_more_stage(make_params, make_context):
    networks = built(make_params, make_context, **{"network.width": 2, "gan.size": 64})
    assert networks.plan.widths == [64, 128, 256, 512, 1024]
    assert networks.g.first.out_features == 1024 * 16


def test_images_have_the_range_that_each_network_expects(make_params, make_context):
    for activation, low in (("tanh", -1.0), ("sigmoid", 0.0)):
        networks = built(make_params, make_context, **TINY, **{"gan.activation": activation})
        unit = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 3, 1, 1).expand(1, 3, 32, 32)
        seen = networks.to_generator(unit)
        assert seen[0, :, 0, 0].tolist() == [low, (low + 1) / 2, 1.0]
        assert torch.equal(networks.from_generator(seen, 32), unit)
        assert networks.from_generator(seen, 48).shape[-1] == 48
        assert networks.to_generator(unit.repeat(1, 1, 2, 2)).shape[-1] == 32


def test_generative_weights_start_as_stated(make_params, make_context):
    normal = built(make_params, make_context, **{"network.width": 2})
    assert float(normal.g.rest[2].weight.detach().std()) == pytest.approx(0.02, rel=0.02)
    assert float(normal.d.layers[2].parametrizations.weight.original.detach().std()) == pytest.approx(0.02, rel=0.02)
    assert not normal.e.layers[0].bias.detach().any()
    assert torch.equal(normal.g.rest[0].weight.detach(), torch.ones(512))
    xavier = built(make_params, make_context, **{"network.width": 2, "gan.init": "xavier"})
    bound = math.sqrt(6 / (128 + 8192))
    assert float(xavier.g.first.weight.detach().abs().max()) == pytest.approx(bound, rel=1e-3)
    assert bool(built(make_params, make_context, **{"network.width": 2, "gan.init": "default"}).e.layers[0].bias.any())


def test_every_layer_of_the_discriminator_has_a_largest_singular_value_of_one(make_params, make_context):
    networks = built(make_params, make_context, **TINY)
    with torch.no_grad():
        for _ in range(100):
            networks.d(torch.rand(1, 3, 32, 32))
    layers = [layer for layer in networks.d.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(layers) == 8
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)
        assert float(largest) == pytest.approx(1.0, abs=0.05)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in networks.d.modules())


def test_switches_of_the_encoder_and_the_latent_discriminator(make_params, make_context):
    switched = {"gan.encoder": "gaussian", "gan.latent_discriminator": "leaky_512"}
    networks = built(make_params, make_context, **TINY, **switched)
    real, noise = torch.rand(3, 3, 32, 32), torch.randn(3, 128)
    codes = networks.e.train(False)(real)
    mean, log_variance = codes[:, :128], codes[:, 128:]
    sampled = networks.codes(real, noise)
    torch.testing.assert_close(sampled, mean + (log_variance / 2).exp() * noise)
    torch.testing.assert_close(networks.codes(real, None), mean)
    assert [layer.out_features for layer in networks.ld.layers[::2]] == [512, 256, 1]
    switched = {"gan.encoder": "spectral", "gan.latent_discriminator": "spectral"}
    spectral = built(make_params, make_context, **TINY, **switched)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in spectral.e.modules())
    assert hasattr(spectral.ld.layers[0], "parametrizations")
