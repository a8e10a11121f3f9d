"""DRAEM's pseudo anomalies: noise by hand, the share of the mask, blending, the operations on a texture."""

import math

import numpy as np
import pytest
import torch
from pictures import noise
from PIL import Image

from methods.nn.pseudo_anomalies.draem import CHANGES, Draem, changed_texture, drawn_mask, perlin_noise


def generator(seed):
    return torch.Generator().manual_seed(seed)


def test_noise_is_zero_at_the_nodes_of_its_lattice():
    angles = np.random.default_rng(0).uniform(0, 2 * math.pi, (5, 3))
    made = perlin_noise(32, angles)
    # 4 x 2 cells on 32 pixels: nodes at every eighth row and sixteenth column.
    assert np.allclose(made[::8, ::16], 0)
    assert np.abs(made).max() > 0.1


def test_noise_in_the_middle_of_a_cell_by_hand():
    """Gradients (down, right) at the nodes (0, 0) to (1, 1): (1, 0), (0, 1), (0, -1), (-1, 0), angles as their direction.

    In the middle the ramps are 0.5, -0.5, -0.5, 0.5 and every fade is 0.5: their mean is 0, times sqrt 2. With the
    last gradient turned round the last ramp is -0.5, the mean -0.25.
    """
    angles = np.array([[0.0, math.pi / 2], [-math.pi / 2, math.pi]])
    assert perlin_noise(2, angles)[1, 1] == pytest.approx(0.0, abs=1e-12)
    angles[1, 1] = 0.0
    assert perlin_noise(2, angles)[1, 1] == pytest.approx(-0.25 * math.sqrt(2), abs=1e-12)


def test_the_mask_covers_about_a_twentieth_and_is_empty_now_and_then():
    """Stated of 400 draws at 224 pixels: 5 % on average, empty in about 6 %; rotation moves both a little."""
    masks = [drawn_mask(64, generator(seed)) for seed in range(300)]
    assert 0.02 < np.mean([mask.mean() for mask in masks]) < 0.07
    assert 0.01 < np.mean([not mask.any() for mask in masks]) < 0.2


@pytest.mark.parametrize("channels", [1, 3])
def test_only_the_mask_is_changed_and_grey_becomes_three_channels(channels):
    image, texture = noise(1, 1, 48, 48, channels)[0], noise(2, 1, 30, 20, channels)[0]
    changed = 0
    for seed in range(12):
        made = Draem(redraw_empty=True)(image, texture, generator(seed))
        assert made.shape == (48, 48, 3)
        assert made.dtype == np.uint8
        share = (made != np.broadcast_to(image, (48, 48, 3))).any(2).mean()
        changed += 0 < share < 0.5
        assert np.array_equal(made, Draem(redraw_empty=True)(image, texture, generator(seed)))
    # In three of ten the whole image is turned first.
    assert changed >= 5


def test_an_empty_mask_is_kept_or_drawn_again():
    image, texture = np.zeros((16, 16, 1), np.uint8), np.full((16, 16, 1), 255, np.uint8)
    kept, redrawn = (
        [Draem(redraw_empty=redraw)(image, texture, generator(seed)).any() for seed in range(60)]
        for redraw in (False, True)
    )
    assert sum(redrawn) > sum(kept)


def test_each_operation_keeps_size_and_mode_and_three_of_them_change_a_texture():
    texture = Image.fromarray(noise(3, 1, 24, 24, 3)[0])
    for change in CHANGES:
        outcomes = [change(texture, units) for units in ([0.1, 0.2, 0.3], [0.9, 0.8, 0.7])]
        assert {(made.size, made.mode) for made in outcomes} == {((24, 24), "RGB")}
    assert len(CHANGES) == 10
    made = [np.asarray(changed_texture(texture, generator(seed))) for seed in range(10)]
    assert len({picture.tobytes() for picture in made}) == 10
