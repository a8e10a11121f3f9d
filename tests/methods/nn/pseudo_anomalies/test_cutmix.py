"""CutMix: fixed cases pixel by pixel, and the distribution of its draws."""

import math

import numpy as np
import pytest
import torch

from methods.nn.pseudo_anomalies.cutmix import CutMix, Jitter, Paste, rectangle


@pytest.fixture
def stated_image():
    i, j = np.arange(24)[:, None], np.arange(24)[None, :]
    channels = (7 * i + 11 * j + 37, 13 * i + 5 * j + 80, 3 * i * j + 20)
    return (np.stack(channels, axis=2) % 256).astype(np.uint8)


@pytest.mark.parametrize("number", range(4))
def test_fixed_cases_equal_the_released_code(number, vectors, stated_image):
    case = vectors("dra_cutmix")["cases"][number]
    draws, derived = case["draws"], case["derived"]
    width, height = rectangle(24, draws["area_share"], draws["ln_aspect"])
    assert (width, height) == (derived["width"], derived["height"])
    factors = [draws[name] for name in ("brightness", "contrast", "saturation", "hue")]
    source = int(draws["source_y"]), int(draws["source_x"])
    target = int(draws["target_y"]), int(draws["target_x"])
    original = stated_image.copy()
    pasted = Paste(width, height, source, target, Jitter(draws["jitter_order"], factors))(stated_image)
    np.testing.assert_array_equal(stated_image, original)
    rows, columns = slice(target[0], target[0] + height), slice(target[1], target[1] + width)
    np.testing.assert_array_equal(
        pasted[rows, columns], np.array(case["target_patch_rgb_rows"]).reshape(height, width, 3)
    )
    outside = np.ones((24, 24), bool)
    outside[rows, columns] = False
    np.testing.assert_array_equal(pasted[outside], original[outside])
    assert pasted.reshape(-1, 3).sum(0).tolist() == case["sum_per_channel"]


def test_rectangle_of_the_worked_example():
    # Spec 2.9: S = 448, area 0.10, aspect 2 -> 200 x 100.
    assert rectangle(448, 0.10, math.log(2)) == (200, 100)


def test_rectangle_stays_within_the_image():
    assert rectangle(10, 0.9, math.log(3)) == (10, 5)  # sqrt(270) = 16.4 is cut to 10; sqrt(30) = 5.48
    assert rectangle(4, 0.01, 0.0) == (1, 1)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2), (2, 0, 3, 1)])
def test_a_grey_patch_is_jittered_as_its_rgb_conversion(order):
    grey = np.random.default_rng(2).integers(0, 256, (13, 9, 1), dtype=np.uint8)
    jitter = Jitter(order, (1.07, 0.92, 1.09, -0.08))
    colour = jitter(np.repeat(grey, 3, axis=2))
    np.testing.assert_array_equal(jitter(grey), colour[:, :, :1])
    assert (colour == colour[:, :, :1]).all()


@pytest.mark.parametrize("size", [224, 448])
def test_distribution_of_the_draws_is_the_released_codes(size, vectors):
    """Means within four standard errors of both samples, extremes within the stated bounds."""
    stated, count = vectors("dra_cutmix")["distribution"][str(size)], 4000
    generator = torch.Generator().manual_seed(size)
    draws = [CutMix().draw(size, generator) for _ in range(count)]
    columns = {
        "width": [d.width for d in draws],
        "height": [d.height for d in draws],
        "area_share": [d.width * d.height / size**2 for d in draws],
        "ln_aspect": [math.log(d.width / d.height) for d in draws],
        "source_y": [d.source[0] for d in draws],
        "source_x": [d.source[1] for d in draws],
        "target_y": [d.target[0] for d in draws],
        "target_x": [d.target[1] for d in draws],
        "source_x_over_free_range": [d.source[1] / (size - d.width) for d in draws],
        "target_y_over_free_range": [d.target[0] / (size - d.height) for d in draws],
    }
    for name, values in columns.items():
        error = math.hypot(stated[name]["standard_error_of_mean"], np.std(values, ddof=1) / math.sqrt(count))
        assert abs(np.mean(values) - stated[name]["mean"]) < 4 * error, name
        assert np.std(values, ddof=1) == pytest.approx(stated[name]["std"], rel=0.05), name
    assert all(d.source[1] < size - d.width and d.target[0] < size - d.height for d in draws)
    correlation = np.corrcoef(columns["width"], columns["height"])[0, 1]
    assert correlation == pytest.approx(stated["correlations"]["width_height"], abs=0.06)


def test_jitter_factors_and_order_are_drawn_within_their_limits():
    generator = torch.Generator().manual_seed(0)
    jitters = [CutMix(jitter=0.1).draw(64, generator).jitter for _ in range(2000)]
    factors = np.array([jitter.factors for jitter in jitters])
    low, high = factors.min(0), factors.max(0)
    np.testing.assert_allclose(low, [0.9, 0.9, 0.9, -0.1], atol=0.001)
    np.testing.assert_allclose(high, [1.1, 1.1, 1.1, 0.1], atol=0.001)
    assert len({tuple(jitter.order) for jitter in jitters}) == 24


def test_same_generator_same_draw():
    first, second = (CutMix().draw(64, torch.Generator().manual_seed(4)) for _ in range(2))
    assert first == second
