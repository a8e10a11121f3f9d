"""Batched image operations."""

import numpy as np
import pytest
import torch
from pictures import noise
from PIL import Image

from methods.nn.data.transforms import join, normalise, rotate, rotation_angles

ANGLES = [0.0, 90.0, -90.0, 180.0, -180.0, 45.0, 1e-13, 0.01, -179.99, 89.999999]


def noisy(count, size, channels):
    return torch.from_numpy(noise([count, size, channels], count, size, size, channels, low=1))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [1, 24, 37, 128])
def test_rotation_equals_pillow_bit_for_bit(size, channels):
    random = rotation_angles(40, 180.0, torch.Generator().manual_seed(size)).tolist()
    angles = torch.tensor(ANGLES + random, dtype=torch.float64)
    images = noisy(len(angles), size, channels)
    rotated = rotate(images, angles)
    for image, angle, own in zip(images.numpy(), angles.tolist(), rotated.numpy(), strict=True):
        pillow = Image.fromarray(image[:, :, 0] if channels == 1 else image).rotate(angle)
        np.testing.assert_array_equal(own, np.asarray(pillow).reshape(image.shape), err_msg=str(angle))


def test_rotation_leaves_its_input_alone_and_turns_counter_clockwise():
    image = torch.zeros(1, 8, 8, 1, dtype=torch.uint8)
    image[0, 0, 7] = 9
    copy = image.clone()
    assert rotate(image, torch.tensor([90.0]))[0, 0, 0, 0] == 9
    assert torch.equal(image, copy)


def test_angles_are_uniform_within_the_limit():
    angles = rotation_angles(20_000, 180.0, torch.Generator().manual_seed(1))
    # The standard error of the mean is 180 / sqrt(3 * 20000) = 0.73, of the share below -90 sqrt(3 / 16 / 20000) = 0.003.
    assert angles.abs().max() <= 180
    assert abs(angles.mean()) < 3
    assert abs((angles < -90).double().mean() - 0.25) < 0.0123


def test_normalised_values():
    images = torch.zeros(1, 2, 2, 3, dtype=torch.uint8)
    images[0, 1, 1] = 255
    values = normalise(images)
    assert values.shape == (1, 3, 2, 2)
    assert values.is_contiguous(memory_format=torch.channels_last)
    assert values[0, :, 0, 0].tolist() == pytest.approx([-2.1179, -2.0357, -1.8044], abs=1e-4)
    assert values[0, :, 1, 1].tolist() == pytest.approx([2.2489, 2.4286, 2.64], abs=1e-4)


def test_a_grey_image_is_normalised_as_its_rgb_conversion():
    grey = noisy(2, 16, 1)
    assert torch.equal(normalise(grey), normalise(grey.expand(2, 16, 16, 3).contiguous()))
    assert normalise(grey).is_contiguous(memory_format=torch.channels_last)


def test_joining_grey_and_colour_replicates_grey():
    grey, colour = noisy(2, 4, 1), noisy(1, 4, 3)
    joined = join(grey, colour)
    assert joined.shape == (3, 4, 4, 3)
    assert torch.equal(joined[:2, :, :, 2], grey[:, :, :, 0])
    assert torch.equal(joined[2:], colour)
    assert join(grey, grey).shape == (4, 4, 4, 1)
