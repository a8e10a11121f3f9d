"""The same fit gives the same bits, whatever the memory held before: no kernel reads what nobody wrote (design 6)."""

import ctypes
import platform

import golden
import numpy as np
import pytest
from checkpoints import stopped

from methods.backbones.table import BACKBONES
from methods.registry import installed

M_MMAP_MAX, M_PERTURB = -4, -6
DIRT = (0x00, 0x01, 0x55, 0xAA, 0xFF)
"""What glibc fills freed blocks with, and new ones with its complement (0x00: nothing); 0xFF makes NaN."""


@pytest.fixture
def dirty_heap():
    """A function that sets the byte; blocks of every size come from the heap meanwhile."""
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("only glibc fills blocks")
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, 0)
    yield lambda byte: libc.mallopt(M_PERTURB, byte)
    libc.mallopt(M_PERTURB, 0)
    libc.mallopt(M_MMAP_MAX, 65536)


NARROW = {"agad": {"unet.width": 8}}
"""What makes a fit in bf16 shorter, which processors without it emulate; its fits in fp32 have the recipe's width."""
WITHOUT_STEPS = {"frozen_logistic", "frozen_nearest", "frozen_patches"}
"""Detectors that solve a problem at once: a fit that was stopped starts over."""


def narrow(method, precision, checkpoint=None):
    return golden.scores(method, precision=precision, checkpoint=checkpoint, overrides=NARROW.get(method))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("method", golden.DETECTORS)
def test_the_smallest_images_give_the_same_bits_five_times_on_a_dirty_heap(method, precision, dirty_heap):
    if precision == "bf16" and not installed.get(method).takes_precision:
        pytest.skip("it computes in fp32 whatever the run asks for")
    seen = set()
    for byte in DIRT:
        dirty_heap(byte)
        made = narrow(method, precision) if precision == "bf16" else golden.scores(method)
        seen.add(made.tobytes())
    assert len(seen) == 1


@pytest.mark.parametrize("method", sorted({*golden.DETECTORS} - WITHOUT_STEPS))
def test_a_fit_in_bf16_that_was_killed_goes_on_to_the_same_bits(method):
    if not installed.get(method).takes_precision:
        pytest.skip("it computes in fp32 whatever the run asks for")
    whole = narrow(method, "bf16")
    assert not np.array_equal(whole, narrow(method, "fp32"))
    checkpoint = stopped(lambda checkpoint: narrow(method, "bf16", checkpoint), 1)
    assert np.array_equal(narrow(method, "bf16", checkpoint), whole)


def test_a_strided_convolution_on_one_pixel_runs_in_float32():
    resnet18 = BACKBONES["resnet18"]
    assert [resnet18.precision_at(side, "bf16") for side in (32, 17, 16)] == ["bf16", "bf16", "fp32"]
    assert [resnet18.precision_at(side, "fp32") for side in (32, 16)] == ["fp32", "fp32"]
    assert BACKBONES["vgg16"].precision_at(32, "bf16") == "bf16"


@pytest.mark.parametrize("arch", ["resnet18", "resnet50", "wide_resnet50_2"])
def test_the_side_is_that_from_which_on_no_strided_convolution_sees_one_pixel(arch):
    """Counted on the network itself: the smallest map that a 3x3 convolution with stride 2 of the trunk is given."""
    import torch
    from torch import nn

    from methods.backbones.find import RANDOM, WeightsFile
    from methods.backbones.trunk import build_trunk

    trunk = build_trunk(arch, WeightsFile(arch, None, RANDOM, RANDOM)).eval()
    sides = []
    for layer in trunk.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3) and layer.stride == (2, 2):
            layer.register_forward_pre_hook(lambda _, given: sides.append(given[0].shape[-1]))
    for side in (8, 15, 16, 17, 31, 32, 33):
        sides.clear()
        with torch.no_grad():
            trunk(torch.zeros(1, 3, side, side))
        assert (min(sides) == 1) == (BACKBONES[arch].precision_at(side, "bf16") == "fp32"), side


@pytest.mark.parametrize("arch", ["vgg16", "alexnet", "dinov2_vits14"])
def test_a_network_that_runs_small_images_in_bf16_has_no_such_convolution(arch):
    import torch
    from torch import nn

    from methods.backbones.networks import new_network

    if lacking := BACKBONES[arch].lacking:
        pytest.skip(lacking)
    with torch.device("meta"):
        layers = [layer for layer in new_network(BACKBONES[arch]).modules() if isinstance(layer, nn.Conv2d)]
    assert layers
    assert not any(
        layer.kernel_size[0] % 2 and layer.kernel_size > (1, 1) and layer.stride == (2, 2) for layer in layers
    )
