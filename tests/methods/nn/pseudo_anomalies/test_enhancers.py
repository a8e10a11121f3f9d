"""Colour operations on batches against Pillow, colour by colour."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from methods.nn.pseudo_anomalies import enhancers

LEVELS = np.arange(256, dtype=np.uint8)
FACTORS = (0.0, 0.5, 0.91, 0.9999, 1.0, 1.07, 2.0, 7.5)


@pytest.fixture(params=range(0, 256, 17))
def colours(request):
    """All colours with one level of red, (256, 256, 3)."""
    return np.stack(np.broadcast_arrays(np.uint8(request.param), LEVELS[:, None], LEVELS[None]), -1)


def of_one(function, pixels, *arguments):
    return function(torch.from_numpy(pixels)[None], *arguments)[0].numpy()


def test_conversions_are_those_of_pillow(colours):
    image = Image.fromarray(colours)
    np.testing.assert_array_equal(of_one(enhancers.rgb_to_hsv, colours), np.asarray(image.convert("HSV")))
    np.testing.assert_array_equal(of_one(enhancers.to_luma, colours)[..., 0], np.asarray(image.convert("L")))
    as_hsv = Image.frombytes("HSV", image.size, colours.tobytes())
    np.testing.assert_array_equal(of_one(enhancers.hsv_to_rgb, colours), np.asarray(as_hsv.convert("RGB")))


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize(
    ("ours", "pillow"),
    [
        (enhancers.with_brightness, ImageEnhance.Brightness),
        (enhancers.with_contrast, ImageEnhance.Contrast),
        (enhancers.with_saturation, ImageEnhance.Color),
    ],
)
def test_enhancers_are_those_of_pillow(ours, pillow, factor, colours):
    inside = torch.ones(1, *colours.shape[:2], dtype=torch.bool)
    changed = of_one(ours, colours, inside, torch.tensor([factor], dtype=torch.float64))
    np.testing.assert_array_equal(changed, np.asarray(pillow(Image.fromarray(colours)).enhance(factor)))


def test_the_mean_of_contrast_is_that_of_the_pixels_inside():
    patch = np.random.default_rng(0).integers(0, 100, (5, 7, 1), dtype=np.uint8)
    around = np.full((1, 9, 9, 1), 255, np.uint8)
    around[0, :5, :7] = patch
    inside = torch.zeros(1, 9, 9, dtype=torch.bool)
    inside[0, :5, :7] = True
    changed = enhancers.with_contrast(torch.from_numpy(around), inside, torch.tensor([0.5], dtype=torch.float64))
    expected = ImageEnhance.Contrast(Image.fromarray(patch[..., 0])).enhance(0.5)
    np.testing.assert_array_equal(changed[0, :5, :7, 0].numpy(), np.asarray(expected))
