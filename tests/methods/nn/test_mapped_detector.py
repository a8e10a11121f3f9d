"""Heat maps: where the scores of positions come from, at the side of the images."""

import golden
import numpy as np
import pytest
import torch

from methods.checks import ArrayImages
from methods.detector import HeatMaps, SelfContained
from methods.detectors.dra.detector import REFERENCE_IMAGES
from methods.errors import MethodError
from methods.nn.mapped_detector import upsampled

IMAGES = golden.images("t", golden.pictures(2, 60, False), golden.pictures(2, 80, True))


def position_scores(detector):
    detector.network.eval()
    with torch.inference_mode():
        return detector.position_scores(torch.from_numpy(IMAGES.pixels.copy()))


@pytest.mark.parametrize("method", ["devnet", "flos", "mlep", "dra"])
def test_the_mean_of_the_highest_positions_is_the_score(method):
    """At one level, and for DRA with the head of seen anomalies alone: score = mean of the K highest position scores."""
    overrides = (
        {"pyramid.n_scales": 1}
        | ({"heads": "s"} if method == "dra" else {})
        | ({"mode": "embed"} if method == "mlep" else {})
    )
    detector, _ = golden.fitted(method, overrides=overrides)
    (level,) = position_scores(detector)
    pool = next(
        module.pool for module in detector.network.modules() if hasattr(module, "pool") and hasattr(module, "score")
    )
    values = level.flatten(1)
    highest = values.topk(pool.count(values.shape[1]), 1).values.double().mean(1)
    assert detector.score(IMAGES).tolist() == pytest.approx(highest.tolist(), rel=1e-5)


def test_a_map_is_the_mean_of_the_levels_at_the_side_of_the_images():
    detector, _ = golden.fitted("devnet", overrides={"pyramid.n_scales": 2})
    levels = position_scores(detector)
    assert len(levels) == 2
    expected = (upsampled(levels[0], 32) + upsampled(levels[1], 32)) / 2
    maps = detector.maps(IMAGES, 4)
    assert maps.dtype == np.float32
    assert np.allclose(maps, expected.numpy(), rtol=1e-5)
    assert np.allclose(detector.maps(IMAGES, 3), maps, rtol=1e-4)


def test_bilinear_interpolation_puts_a_position_where_it_lies():
    level = torch.zeros(1, 2, 2)
    level[0, 0, 1] = 1
    assert upsampled(level, 4)[0].tolist() == [
        [0, 0.25, 0.75, 1],
        [0, 0.1875, 0.5625, 0.75],
        [0, 0.0625, 0.1875, 0.25],
        [0] * 4,
    ]


@pytest.mark.parametrize("method", ["dra_non_disentangled", "minns", "saoe", "kdad"])
def test_other_methods_have_finite_maps_too(method):
    detector, _ = golden.fitted(method)
    assert isinstance(detector, HeatMaps)
    maps = detector.maps(IMAGES)
    assert maps.shape == (4, 32, 32)
    assert np.isfinite(maps).all()


def test_an_image_that_the_student_of_kdad_imitates_exactly_has_no_heat():
    detector, _ = golden.fitted("kdad")
    network = detector.network
    network.teacher_levels = lambda images: [
        maps * mean for maps, mean in zip(network.student_maps(images).values(), network.tap_means, strict=True)
    ]
    detector._normalise = lambda pixels: pixels.permute(0, 3, 1, 2).float() / 255
    assert all(level.abs().max() < 1e-5 for level in position_scores(detector))


@pytest.mark.parametrize(
    ("method", "overrides", "sentence"),
    [
        ("dra", {"heads": "n"}, "the head g_n sees the image as a whole"),
        ("saoe", {"head": "gap_linear"}, "a head after global average pooling has no heat map"),
    ],
)
def test_a_score_that_no_position_has_is_refused(method, overrides, sentence):
    detector, _ = golden.fitted(method, overrides=overrides)
    with pytest.raises(MethodError, match=sentence):
        detector.maps(IMAGES)


@pytest.mark.parametrize("method", ["dra", "ahl_dra:paper"])
def test_a_kept_state_scores_each_image_by_itself(method):
    overrides = {"reference.test_mode": "redraw_per_batch"} if method == "dra" else {"reference.mode": "redraw"}
    detector, params = golden.fitted(method, overrides=overrides)
    assert isinstance(detector, SelfContained)
    fresh = type(detector)(params, detector.context)
    fresh.load(detector.state())
    with pytest.raises(MethodError, match="draws reference images from the training set"):
        fresh.score(IMAGES)
    with pytest.raises(MethodError, match="draws reference images from the training set"):
        fresh.kept_state()
    fresh.load(detector.kept_state())
    together = fresh.score(IMAGES, 4)
    assert np.allclose(fresh.score(IMAGES.select(np.array([3, 1, 2])), 3), together[[3, 1, 2]], rtol=1e-5)
    assert set(fresh.kept_state()) == set(detector.kept_state())


def test_references_that_are_kept_anyway_are_those_of_the_kept_state():
    detector, _ = golden.fitted("dra", overrides={"reference.test_mode": "fixed_after_training"})
    redrawn, _ = golden.fitted("dra", overrides={"reference.test_mode": "redraw_per_batch"})
    assert torch.equal(detector.kept_state()[REFERENCE_IMAGES], redrawn.kept_state()[REFERENCE_IMAGES])
    assert REFERENCE_IMAGES not in redrawn.state()
    assert isinstance(IMAGES, ArrayImages)
