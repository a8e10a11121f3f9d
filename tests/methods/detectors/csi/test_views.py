"""CSI's augmentation against the vectors of the authors' code, and by hand."""

import colorsys
import math

import numpy as np
import pytest
import torch
from PIL import Image

from methods.detectors.csi import colour, crops
from methods.detectors.csi.crops import Scale
from methods.detectors.csi.params import ContrastiveParams
from methods.detectors.csi.views import VIEW_DRAWS, AugmentationDraw, Views, blurred, permuted, rotated
from methods.nn.params import read_params

FULL = Scale(0.08, 1.0)


@pytest.fixture
def stated(vectors):
    return vectors("csi")["augmentation"]


@pytest.fixture
def picture():
    """The image formula of the augmentation vectors: (1, 3, size, size) float64."""

    def build(size):
        c, i, j = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (3, size, size)), indexing="ij")
        return (0.5 + 0.45 * torch.sin(0.9 * c + 0.7 * i + 0.4 * j + 0.21 * i * j))[None]

    return build


def pixels(rows):
    """RGB triples as the images (n, 3, 1, 1)."""
    return torch.tensor(rows, dtype=torch.float64)[:, :, None, None]


def draws(value, n=1):
    return torch.full((n, 1, 1), value, dtype=torch.float64)


# Colour


def test_hsv_and_its_way_back_equal_the_released_code(stated, close):
    hsv = colour.to_hsv(pixels(stated["pixels_rgb"]), "csi_code")
    turns = (hsv[:, 0, 0, 0] - torch.tensor(stated["hsv"], dtype=torch.float64)[:, 0]).remainder(1)
    close("csi float64, hue", torch.minimum(turns, 1 - turns), [0.0] * len(turns), 1e-12)
    close("csi float64, hsv", hsv[:, 1:, 0, 0], [row[1:] for row in stated["hsv"]], 1e-12)
    close("csi float64, back to rgb", colour.from_hsv(hsv)[:, :, 0, 0], stated["back_to_rgb"], 1e-12)


def test_jitter_in_hsv_equals_the_released_code(stated, close):
    images = pixels(stated["pixels_rgb"])
    for case in stated["hsv_jitter"]:
        factors = [draws(case[name]) for name in ("hue_draw", "saturation_factor", "value_factor")]
        jittered = colour.jitter_hsv(images, *factors, "csi_code")
        close("csi float64, jitter in hsv", jittered[:, :, 0, 0], case["rgb"], 1e-11)


def test_the_released_hue_moves_a_pixel_under_neutral_jitter_and_the_consistent_one_does_not():
    images = torch.rand(1, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    moved, kept = (
        (colour.jitter_hsv(images, draws(0.0), draws(1.0), draws(1.0), hue) - images).abs().max() for hue in colour.HUES
    )
    assert 0.015 < float(moved) < 0.02
    assert float(kept) < 1e-12


def test_the_consistent_hue_is_the_usual_one(stated):
    rows = stated["pixels_rgb"]
    hsv = colour.to_hsv(pixels(rows), "consistent")[:, :, 0, 0]
    torch.testing.assert_close(hsv, torch.tensor([colorsys.rgb_to_hsv(*row) for row in rows], dtype=torch.float64))


def test_the_gradient_passes_the_hsv_step_unchanged(stated):
    images = pixels(stated["pixels_rgb"]).requires_grad_()
    weights = torch.arange(images.numel(), dtype=torch.float64).reshape(images.shape)
    (colour.jitter_hsv(images, draws(0.1), draws(0.6), draws(1.4), "csi_code") * weights).sum().backward()
    assert torch.equal(images.grad, weights)


def test_contrast_and_grey_equal_the_released_code(stated, picture, close):
    size = stated["contrast"]["size"]
    for case in stated["contrast"]["cases"]:
        factor = torch.full((1, 1, 1, 1), case["factor"], dtype=torch.float64)
        close("csi float64, contrast", colour.contrast(picture(size), factor)[0], case["values"], 1e-12)
    grey = colour.to_grey(picture(stated["grey"]["size"]))[0]
    assert torch.equal(grey[0], grey[1])
    assert torch.equal(grey[0], grey[2])
    close("csi float64, grey", grey[0], stated["grey"]["values"], 1e-12)


def test_a_grey_channel_has_contrast_and_value_alone():
    one = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    three = one.expand(-1, 3, -1, -1)
    factors = draws(0.7, 2).float(), draws(1.3, 2).float(), draws(0.8, 2).float()
    torch.testing.assert_close(
        colour.jitter_hsv(one, *factors, "csi_code"), colour.jitter_hsv(three, *factors, "csi_code")[:, :1]
    )
    assert colour.to_grey(one) is one


# Shifts


def test_shifts_equal_the_released_code(stated):
    for apply, name, side in ((rotated, "rotation_of_0_to_8", 3), (permuted, "cutperm_of_0_to_15", 4)):
        image = torch.arange(float(side * side)).reshape(1, 1, side, side)
        for shift, values in stated[name].items():
            assert apply(image, int(shift))[0, 0].tolist() == values, (name, shift)


# Crops


def test_a_cut_equals_the_released_code(stated, picture, close):
    for case in stated["crop_8x8"]:
        where = torch.tensor([[case[name] for name in ("w", "h", "bias_x", "bias_y")]], dtype=torch.float64)
        close("csi float64, crop", crops.cut(picture(8), where)[0, 0], case["channel_0"], 1e-12)


@pytest.mark.parametrize(("name", "scale"), [("scale_0.08_1", FULL), ("fixed_0.54", Scale(0.54, 0.54))])
def test_boxes_are_distributed_as_in_the_released_code(name, scale, stated):
    """Means within four standard errors of both samples, spreads within five percent, percentiles within a pixel."""
    expected = stated["crop_distribution_32"][name]
    n = expected["draws"]
    uniform = torch.rand(n, crops.BOX_DRAWS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    w, h, x, y = crops.boxes(uniform, 32, scale).unbind(1)
    found = {
        "width_px": w * 32,
        "height_px": h * 32,
        "area_share": w * h,
        "ln_aspect": (w / h).log(),
        "bias_x": x,
    }
    for quantity, values in found.items():
        theirs = expected[quantity]
        assert float(values.mean()) == pytest.approx(theirs["mean"], abs=4 * theirs["std"] * math.sqrt(2 / n)), quantity
        assert float(values.std()) == pytest.approx(theirs["std"], rel=0.05), quantity
    for share, pixel in expected["width_px"]["percentiles"].items():
        assert float((w * 32).quantile(int(share) / 100)) == pytest.approx(pixel, abs=1.0)
    free, edge = 32 - w * 32, (x * 32).round()
    assert torch.equal(edge, x * 32)
    assert bool((edge.abs() <= free).all())
    even = float(((edge - free) % 2 == 0).double().mean())
    assert even == pytest.approx(expected["bias_x_times_32_minus_free_is_even_share"], abs=0.02)
    whole = expected["whole_width_share"]
    assert float((free == 0).double().mean()) == pytest.approx(whole, abs=0.008)
    assert float(y.abs().max()) <= 1


def test_an_attempt_that_does_not_fit_is_followed_by_the_next():
    # Area .9 of 10 x 10 with aspect 4/3 is 11 wide: too wide; the second attempt, aspect 1, is 9 (9.49) by 9.
    uniform = torch.full((1, crops.BOX_DRAWS), 0.5, dtype=torch.float64)
    uniform[0, crops.ATTEMPTS] = 0.999999
    assert crops.box_sizes(uniform, 10, 10, Scale(0.9, 0.9)).tolist() == [[9.0, 9.0]]
    uniform[0, crops.ATTEMPTS :] = 0.999999
    assert crops.box_sizes(uniform, 10, 10, Scale(0.9, 0.9)).tolist() == [[10.0, 10.0]]


def test_a_whole_image_is_cut_unchanged_and_the_gradient_passes(picture):
    image = picture(8).requires_grad_()
    same = crops.cut(image, torch.tensor([[1.0, 1.0, 0.0, 0.0]], dtype=torch.float64))
    torch.testing.assert_close(same, image)
    same.sum().backward()
    torch.testing.assert_close(image.grad, torch.ones_like(image))


def test_crops_of_files_stay_within_the_image_and_have_one_size():
    stripes = np.zeros((60, 90, 3), np.uint8)
    stripes[:, 45:] = 200
    opened = crops.opened(stripes, 40)
    assert opened.size == (60, 40)
    generator = torch.Generator().manual_seed(0)
    parts = [
        crops.random_cut(opened, torch.rand(crops.BOX_DRAWS, generator=generator, dtype=torch.float64), 32, FULL)
        for _ in range(40)
    ]
    assert {part.shape for part in parts} == {(32, 32, 3)}
    assert {int(part.max()) for part in parts} >= {0, 200}
    assert crops.centre(opened, 32)[:, :10].max() == 0
    assert crops.centre(opened, 32)[:, -10:].min() == 200
    assert crops.centre(Image.new("L", (40, 60), 7), 32).shape == (32, 32, 1)


# Blur


def test_blur_keeps_the_mean_and_takes_half_of_the_images():
    image = torch.zeros(2, 3, 32, 32)
    image[:, :, 16, 16] = 1.0
    # Sigma 0.1 + 0.5 * 1.9 = 1.05: the side weight is e^(-1 / 2.205) = 0.6354, the centre 1 / (1 + 2 * 0.6354) = 0.4404.
    soft = blurred(image, torch.tensor([[0.49, 0.5], [0.51, 0.5]], dtype=torch.float64))
    assert torch.equal(soft[1], image[1])
    assert float(soft[0, 0, 16, 16]) == pytest.approx(0.4404**2, abs=1e-4)
    assert float(soft[0, 0].sum()) == pytest.approx(1.0, abs=1e-5)
    assert int((soft[0, 0] > 0).sum()) == 9
    large = blurred(torch.eye(224).expand(1, 1, -1, -1), torch.tensor([[0.0, 1.0]], dtype=torch.float64))
    assert int((large[0, 0, 112] > 0).sum()) == 23 + 2 * 11


# Views


@pytest.fixture
def views(make_params, make_context):
    def build(method="csi", recipe="official", **changes):
        return Views.from_params(read_params(ContrastiveParams, make_params(method, recipe, **changes)), make_context())

    return build


STILL = {
    "augment.jitter_prob": 0.0,
    "augment.grey_prob": 0.0,
    "augment.crop_min": 1.0,
}


def dice(views, step=0):
    return AugmentationDraw(views.context, "test", (step,))


def test_without_augmentation_views_are_the_shifts_in_the_order_view_shift_image(views):
    own = views(**STILL)
    base = torch.rand(4, 3, 6, 6)  # two views of two images
    rows = [(v, k, i) for v in range(2) for k in range(4) for i in range(2)]
    expected = torch.stack([torch.rot90(base[2 * v + i], k, (1, 2)) for v, k, i in rows])
    torch.testing.assert_close(own.shifted(base, 2, dice(own)), expected)
    assert torch.equal(own.plain(base[:2]), expected[:8])
    assert views(**{"shift.kind": "none"}).shifted(base, 2, dice(own)).shape == base.shape


def test_both_views_of_an_image_and_all_its_shifts_have_draws_of_their_own(views):
    own = views()
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    shifted = own.shifted(own.base_of(image, 2, dice(own)), 2, dice(own))
    upright = torch.cat([torch.rot90(each[None], -(row % 4), (2, 3)) for row, each in enumerate(shifted)])
    differences = (upright[:, None] - upright[None]).abs().amax((2, 3, 4)) + torch.eye(8)
    assert float(differences.min()) > 1e-3


def test_a_flip_holds_for_all_shifts_of_a_view(views):
    own = views(**STILL)
    images = torch.rand(200, 1, 4, 4)
    base = own.base_of(images, 2, dice(own))
    flipped = (base == images.repeat(2, 1, 1, 1).flip(3)).flatten(1).all(1)
    assert bool((flipped | (base == images.repeat(2, 1, 1, 1)).flatten(1).all(1)).all())
    assert 160 < int(flipped.sum()) < 240
    assert 60 < int((flipped[:200] != flipped[200:]).sum()) < 140


def test_flips_that_are_drawn_anew_differ_between_the_shifts_of_an_image(views):
    own = views(**STILL)
    images = torch.rand(200, 1, 4, 4)
    shifts = own.shifted(images, 1, dice(own), flips_anew=True).reshape(4, 200, 1, 4, 4)
    upright = torch.stack([torch.rot90(each, -k, (2, 3)) for k, each in enumerate(shifts)])
    flipped = (upright == images.flip(3)).flatten(2).all(2)
    assert bool((flipped | (upright == images).flatten(2).all(2)).all())
    assert all(60 < int(row.sum()) < 140 for row in flipped)
    assert 150 < int((flipped != flipped[0]).any(0).sum()) < 198


def test_the_share_of_images_that_jitter_and_grey_touch(views):
    own = views(**(STILL | {"augment.jitter_prob": 0.8, "shift.kind": "none"}))
    images = torch.rand(500, 3, 4, 4)
    touched = (own.shifted(images, 1, dice(own)) != images).flatten(1).any(1)
    assert 360 <= int(touched.sum()) <= 440
    own = views(**(STILL | {"augment.grey_prob": 0.2, "shift.kind": "none"}))
    made = own.shifted(images, 1, dice(own))
    assert 60 <= int((made[:, 0] == made[:, 1]).flatten(1).all(1).sum()) <= 140


def test_the_order_of_both_jitters_is_one_coin_a_batch(views):
    """With contrast and value at their bounds the order shows: (x - m) f clamps before or after the value is scaled."""
    own = views(**(STILL | {"augment.jitter_prob": 1.0, "shift.kind": "none"}))
    images = torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    table = torch.full((3, VIEW_DRAWS), 0.9, dtype=torch.float64)
    first, second = (own._jittered(images, table, contrast_first) for contrast_first in (True, False))
    assert not torch.allclose(first, second)
    coins = [bool(dice(own, step).table("order", 1, 1) < 0.5) for step in range(200)]
    assert 70 < sum(coins) < 130


def test_draws_of_a_place_do_not_depend_on_how_many_images_follow(views):
    own = views(**{"augment.blur": True})
    images = torch.rand(5, 3, 32, 32)
    same = AugmentationDraw(own.context, "score", (1,))
    of_five = own.shifted(own.base_of(images, 1, same), 1, same).reshape(4, 5, 3, 32, 32)
    of_two = own.shifted(own.base_of(images[:2], 1, same), 1, same).reshape(4, 2, 3, 32, 32)
    assert torch.equal(of_five[:, :2], of_two)


def test_views_are_differentiable_in_every_pixel_that_a_whole_crop_shows(views):
    own = views(**{"augment.crop_min": 1.0, "augment.blur": True})
    images = torch.rand(2, 3, 32, 32, requires_grad=True)
    own.shifted(own.base_of(images, 2, dice(own)), 2, dice(own)).sum().backward()
    assert float((images.grad != 0).double().mean()) > 0.99


def test_grey_sets_have_three_equal_channels_or_one(views, array_images):
    images = array_images(np.arange(2 * 16, dtype=np.uint8).reshape(2, 4, 4, 1))
    three, one = views(), views(**{"input.grey": "one_channel"})
    assert (three.channels(images), one.channels(images)) == (3, 1)
    whole = three.whole(images, np.array([1, 0]))
    assert whole.shape == (2, 3, 4, 4)
    assert torch.equal(whole[:, :1], one.whole(images, np.array([1, 0])))
    assert float(whole[0, 2, 3, 3]) == pytest.approx(31 / 255)
    assert one.shifted(one.base(images, np.array([0]), 2, dice(one)), 2, dice(one)).shape == (8, 1, 4, 4)
    colours = array_images(np.zeros((1, 4, 4, 3), np.uint8))
    assert one.channels(colours) == 3
    assert one.whole(colours, np.array([0])).shape[1] == 3


def test_files_are_cropped_first_and_alike_in_the_score(views, array_images):
    own = views(**(STILL | {"views.source": "files", "views.size": 32, "augment.crop_min": 0.3}))
    images = array_images(np.random.default_rng(0).integers(0, 256, (1, 60, 60, 3), np.uint8).repeat(3, 0))
    assert own.whole(images, np.arange(3)).shape == (3, 3, 32, 32)
    free = own.base(images, np.arange(3), 2, dice(own))
    assert len(torch.unique(free, dim=0)) == 6
    alike = own.base(images, np.arange(3), 1, AugmentationDraw(own.context, "test", (0,), alike=True))
    assert len(torch.unique(alike, dim=0)) == 1
    assert torch.equal(own.shifted(alike, 1, dice(own), shifts=1), alike)
    made = own.base_of(own.whole(images, np.arange(3)), 1, dice(own))
    assert len(torch.unique(made, dim=0)) == 3


def test_the_recipes_differ_in_hue_and_blur(views):
    official, paper = views(), views(recipe="paper")
    assert (official.hue, official.blur, paper.hue, paper.blur) == ("csi_code", False, "consistent", True)
