"""CP-Scar and CP-Mix: worked cases pixel by pixel, and the distribution of their draws."""

import math

import numpy as np
import pytest
import torch

from methods.detectors.dra.detector import DRAParams
from methods.nn.data.loader import Feed
from methods.nn.data.samplers import PSEUDO, BatchComposition
from methods.nn.params import read_params
from methods.nn.pseudo_anomalies.cp_scar import CPScar, Scar, footprint, turned
from methods.nn.pseudo_anomalies.cutmix import CutMix, Jitter, Paste
from methods.nn.pseudo_anomalies.source import CPMix, Pseudo

AS_IT_IS = Jitter((0, 1, 2, 3), (1.0, 1.0, 1.0, 0.0))


@pytest.fixture
def ramp():
    """Grey 24 x 24, another value at every place up to 255 and none of them 0."""
    return (1 + np.arange(24 * 24) % 255).astype(np.uint8).reshape(24, 24, 1)


def test_an_upright_strip_is_moved_whole(ramp):
    scar = Scar(width=2, length=3, source=(5, 7), jitter=AS_IT_IS, angle=0.0, target=(20, 1))
    original = ramp.copy()
    pasted = scar(ramp)
    np.testing.assert_array_equal(ramp, original)
    expected = original.copy()
    expected[20:23, 1:3] = original[5:8, 7:9]
    np.testing.assert_array_equal(pasted, expected)


def test_a_quarter_turn_by_hand():
    patch = np.array([[1, 2], [3, 4], [5, 6]], np.uint8)[:, :, None]
    # Counter-clockwise: the right column becomes the top row.
    assert turned(patch, 90.0)[:, :, 0].tolist() == [[2, 4, 6], [1, 3, 5]]
    assert turned(patch, 0.0)[:, :, 0].tolist() == patch[:, :, 0].tolist()


@pytest.mark.parametrize("angle", [45.0, 30.0, -45.0, -10.0])
@pytest.mark.parametrize(("width", "length"), [(2, 10), (16, 25), (5, 11)])
def test_the_footprint_is_the_turned_strip(angle, width, length):
    """A pixel is covered where its centre, turned back, lies in the strip; only the very border may be rounded."""
    inside = footprint(width, length, angle)
    height, across = inside.shape
    radians = math.radians(angle)
    box = width * abs(math.cos(radians)) + length * abs(math.sin(radians))
    assert box <= across <= box + 2
    y, x = np.mgrid[:height, :across] + 0.5
    y, x = y - height / 2, x - across / 2
    # Counter-clockwise with rows downwards: the strip's own axes are (cos, -sin) and (sin, cos) in (x, y).
    along_width = x * math.cos(radians) - y * math.sin(radians)
    along_length = x * math.sin(radians) + y * math.cos(radians)
    depth = np.minimum(width / 2 - abs(along_width), length / 2 - abs(along_length))
    assert inside[depth > 1].all()
    assert not inside[depth < -1].any()
    assert inside.sum() == pytest.approx(width * length, rel=0.1)


def test_only_pixels_of_the_strip_land(ramp):
    scar = Scar(width=4, length=12, source=(6, 3), jitter=AS_IT_IS, angle=45.0, target=(9, 8))
    pasted, inside = scar(ramp), footprint(4, 12, 45.0)
    height, width = inside.shape
    assert not inside.all()
    assert (pasted > 0).all(), "the black beside the strip must not land"
    region = pasted[9 : 9 + height, 8 : 8 + width]
    np.testing.assert_array_equal(region[~inside], ramp[9 : 9 + height, 8 : 8 + width][~inside])
    np.testing.assert_array_equal(region[inside], turned(ramp[6:18, 3:7], 45.0)[inside])
    outside = np.ones((24, 24), bool)
    outside[9 : 9 + height, 8 : 8 + width] = False
    np.testing.assert_array_equal(pasted[outside], ramp[outside])


def test_the_strip_is_jittered_before_it_is_turned(ramp):
    jitter = Jitter((0, 1, 2, 3), (1.1, 0.9, 1.0, 0.0))
    strip = ramp[2:12, 4:7]
    pasted = Scar(3, 10, (2, 4), jitter, 0.0, (12, 15))(ramp)
    np.testing.assert_array_equal(pasted[12:22, 15:18], jitter(strip))
    assert not np.array_equal(jitter(strip), strip)


def test_what_leaves_the_image_is_cut_off(ramp):
    pasted = Scar(3, 10, (0, 0), AS_IT_IS, 0.0, (20, 22))(ramp)
    np.testing.assert_array_equal(pasted[20:, 22:], ramp[:4, :2])
    assert (pasted != ramp).any(2).sum() <= 8


def test_a_grey_image_gets_the_scar_of_its_rgb_conversion(ramp):
    scar = Scar(5, 11, (3, 2), Jitter((3, 1, 0, 2), (1.07, 0.92, 1.09, -0.08)), 33.0, (7, 6))
    np.testing.assert_array_equal(scar(np.repeat(ramp, 3, axis=2)), np.repeat(scar(ramp), 3, axis=2))


def drawn(maker, size, count=2000):
    generator = torch.Generator().manual_seed(size)
    return [maker.draw(size, generator) for _ in range(count)]


@pytest.mark.parametrize(
    ("scale", "size", "factor"), [("pixels", 448, 1), ("relative_256", 512, 2), ("pixels", 224, 1)]
)
def test_distribution_of_the_draws(scale, size, factor):
    """Uniform sides, angles and places: means within four standard errors, standard deviations within 5 %."""
    draws = drawn(CPScar(scale=scale), size)
    canvases = [footprint(d.width, d.length, d.angle).shape for d in draws[:500]]
    # Mean and standard deviation of U(a, b): (a + b) / 2 and (b - a) / sqrt(12); rounding adds 1/12 to the variance.
    columns = {
        "width": ([d.width for d in draws], 2 * factor, 16 * factor),
        "length": ([d.length for d in draws], 10 * factor, 25 * factor),
        "angle": ([d.angle for d in draws], -45, 45),
        "source y": ([(d.source[0] + 0.5) / (size - d.length) for d in draws], 0, 1),
        "source x": ([(d.source[1] + 0.5) / (size - d.width) for d in draws], 0, 1),
        "target y": ([(d.target[0] + 0.5) / (size - h) for d, (h, _) in zip(draws, canvases, strict=False)], 0, 1),
        "target x": ([(d.target[1] + 0.5) / (size - w) for d, (_, w) in zip(draws, canvases, strict=False)], 0, 1),
    }
    for name, (values, low, high) in columns.items():
        std = (high - low) / math.sqrt(12)
        assert abs(np.mean(values) - (low + high) / 2) < 4 * std / math.sqrt(len(values)), name
        assert np.std(values) == pytest.approx(std, rel=0.06), name
        assert low <= min(values) <= max(values) <= high, name
    assert {min(d.width for d in draws), max(d.width for d in draws)} == {2 * factor, 16 * factor}
    names = [name for name in columns if not name.startswith("target")]
    correlations = np.corrcoef([columns[name][0] for name in names]) - np.eye(len(names))
    assert abs(correlations).max() < 0.1


def test_relative_sides_at_448():
    # Spec 2.9: at 448 width 3.5-28 and length 17.5-43.75, rounded half to even.
    draws = drawn(CPScar(scale="relative_256"), 448)
    assert (min(d.width for d in draws), max(d.width for d in draws)) == (4, 28)
    assert (min(d.length for d in draws), max(d.length for d in draws)) == (18, 44)


def test_a_scar_fits_any_image():
    pixels = np.random.default_rng(1).integers(1, 256, (8, 8, 3), dtype=np.uint8)
    for scar in drawn(CPScar(width_max=40.0, length_max=90.0), 8, 200):
        assert scar.width <= 8
        assert scar.length <= 8
        assert scar(pixels).shape == (8, 8, 3)


def test_jitter_and_draws_are_cutmixs():
    jitters = [d.jitter for d in drawn(CPScar(jitter=0.2), 64)]
    factors = np.array([jitter.factors for jitter in jitters])
    np.testing.assert_allclose(factors.min(0), [0.8, 0.8, 0.8, -0.2], atol=0.002)
    np.testing.assert_allclose(factors.max(0), [1.2, 1.2, 1.2, 0.2], atol=0.002)
    assert drawn(CPScar(), 64, 3) == drawn(CPScar(), 64, 3)


def mix(mode):
    return CPMix(mode, CutMix(), CPScar())


def test_a_fair_coin_picks_one_of_the_two():
    kinds = [type(change) for change in drawn(mix("coin"), 64)]
    assert set(kinds) == {Paste, Scar}
    # Binomial(2000, 1/2): standard deviation 22.4.
    assert abs(kinds.count(Paste) - 1000) < 4 * 22.4


def test_in_sequence_cutmix_comes_first(ramp):
    differing = 0
    for seed in range(10):
        generator, again = (torch.Generator().manual_seed(seed) for _ in range(2))
        first, second = CutMix().draw(24, generator), CPScar().draw(24, generator)
        pasted = mix("sequential").draw(24, again)(ramp)
        np.testing.assert_array_equal(pasted, second(first(ramp)))
        differing += not np.array_equal(pasted, first(second(ramp)))
    assert differing


def test_the_parameters_reach_the_maker(make_params, toy_data):
    sizes = {"width_min": 3.0, "width_max": 4.0, "length_min": 5.0, "length_max": 6.0, "angle": 7.0, "jitter": 0.3}
    own = {f"cp_scar.{name}": value for name, value in sizes.items()} | {"cutmix.area_max": 0.4}

    def maker(**changes):
        return read_params(DRAParams, make_params("dra", **(own | changes))).pseudo(toy_data()).maker

    scar = CPScar(**sizes)
    assert maker(**{"pseudo.source": "cp_scar"}) == scar
    assert maker(**{"pseudo.source": "cp_scar", "cp_scar.scale": "relative_256"}) == CPScar(
        **sizes, scale="relative_256"
    )
    for mode in ("coin", "sequential"):
        changes = {"pseudo.source": "cp_mix", "cp_mix.mode": mode}
        assert maker(**changes) == CPMix(mode, CutMix(area_max=0.4), scar)


@pytest.mark.parametrize("channels", [1, 3])
def test_scars_are_small_and_in_normal_images(channels, make_params, make_context, toy_data):
    data = toy_data(channels=channels)
    pseudo = Pseudo(data.normal, CPScar(jitter=0.4))
    images, labels = Feed(data, pseudo, BatchComposition(24, 0, 1.0), 0.0, make_context(), "batch").batch(0)
    assert set(labels) == {PSEUDO}
    for image in images.numpy():
        changed = (data.normal.pixels != image).any(3).sum((1, 2)).min()
        assert 0 < changed <= 1.1 * 16 * 25
