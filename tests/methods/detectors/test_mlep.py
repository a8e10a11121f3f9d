"""MLEP: triplets, the margin loss and the three modes by hand."""

import math

import numpy as np
import pytest
import squares
import torch

from methods.checks import check_detector
from methods.detectors.mlep import MLEP, Decoder, margin_loss, mean_error, negative_psnr, signed_images, triplets
from methods.errors import MethodError
from methods.nn.data.samplers import NORMAL, SEEN, BalancedSampler, BatchComposition
from methods.nn.data.transforms import normalise
from methods.nn.params import read_params
from methods.nn.training.supervised import TrainParams, TrainSettings
from methods.registry import installed

MODES = ("embed", "distance", "recon")


@pytest.fixture
def mlep(make_params, make_context, small_trunk):
    small = {"batch.triplets": 2, "budget.epochs": 2, "budget.steps": 1, "evaluation.batch": 4}

    def build(seed=0, **changes):
        detector = MLEP(make_params("mlep", **(small | changes)), make_context(seed=seed))
        detector.build()
        return detector

    return build


@pytest.fixture
def black(toy_data, array_images):
    """Toy data of black images: rotation leaves them black."""
    data = toy_data(channels=3)
    return type(data)(array_images(data.normal.pixels * 0), array_images(data.anomaly.pixels * 0), {})


@pytest.mark.usefixtures("small_trunk")
@pytest.mark.parametrize("mode", MODES)
def test_the_battery_passes(mode):
    check_detector(installed.get("mlep"), overrides={"batch.triplets": 2, "mode": mode})


def stated_maps(intra, inter):
    """Two triplets of 2-channel 3 x 3 maps that differ everywhere by the roots of intra and inter."""
    anchors = torch.rand(2, 2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    positives = anchors + torch.tensor(intra).sqrt()[:, None, None, None]
    negatives = anchors - torch.tensor(inter).sqrt()[:, None, None, None]
    return torch.cat([torch.stack([anchors, positives], 1).flatten(0, 1), negatives])


@pytest.mark.parametrize(
    ("intra", "inter", "margin", "expected"),
    [
        # Spec 6: max(0, 1 + 0.2 - 0.7) = 0.5.
        ([0.2, 0.2], [0.7, 0.7], 1.0, 0.5),
        ([0.2, 0.2], [0.7, 0.7], 0.5, 0.0),
        # The mean comes before the hinge: 1 + 0 - (4 + 0) / 2 < 0, though the second triplet alone would give 1.
        ([0.0, 0.0], [4.0, 0.0], 1.0, 0.0),
        ([0.4, 0.2], [0.9, 0.1], 1.0, 0.8),
    ],
)
def test_margin_loss_by_hand(intra, inter, margin, expected):
    maps = stated_maps(intra, inter)
    assert margin_loss(maps, margin).item() == pytest.approx(expected, abs=1e-6)


def test_margin_pulls_positives_and_pushes_negatives_until_it_is_kept():
    maps = stated_maps([0.25, 0.25], [0.25, 0.25]).requires_grad_()
    margin_loss(maps, 1.0).backward()
    # 36 entries: d/dp (a - p)^2 / 36 = 2 * 0.5 / 36 for positives, d/dn -(a - n)^2 / 36 = 2 * 0.5 / 36 for negatives,
    # and minus both of them for the anchors.
    slope = torch.full((2, 2, 3, 3), 1 / 36, dtype=torch.float64)
    anchors, positives, negatives = triplets(maps.grad)
    torch.testing.assert_close(positives, slope)
    torch.testing.assert_close(negatives, slope)
    torch.testing.assert_close(anchors, -2 * slope)
    kept = stated_maps([0.2, 0.2], [4.0, 4.0]).requires_grad_()
    margin_loss(kept, 1.0).backward()
    assert not kept.grad.any()


def draws(context, n_normal, count=16, n_anomaly=10, steps=20):
    quotas = BatchComposition(3 * count, count, distinct=True)
    sampler = BalancedSampler(context, "batch", quotas, n_normal=n_normal, n_anomaly=n_anomaly, n_pseudo=0)
    return [sampler.draw(step) for step in range(steps)]


def test_a_batch_is_sixteen_triplets_of_distinct_normals(make_context, make_params):
    assert make_params("mlep")["batch.triplets"] == 16
    batches = draws(make_context(), n_normal=40)
    for batch in batches:
        assert batch.labels.tolist() == [NORMAL] * 32 + [SEEN] * 16
        assert len(set(batch.indices[:32].tolist())) == 32
        anchors, positives, negatives = triplets(batch.labels)
        assert (len(anchors), len(positives), len(negatives)) == (16, 16, 16)
    counts = np.bincount(np.concatenate([batch.indices[:32] for batch in batches]), minlength=40)
    # Each batch leaves out 8 of 40: 16 times of 20 on average, standard deviation sqrt(20 * 0.8 * 0.2) = 1.8.
    assert counts.min() > 16 - 5 * 1.8
    assert not np.array_equal(batches[0].indices[:32], batches[1].indices[:32])
    assert np.bincount(np.concatenate([batch.indices[32:] for batch in batches])).tolist() == [32] * 10


@pytest.mark.parametrize("n_normal", [10, 32])
def test_few_normals_come_equally_often_and_never_beside_themselves(n_normal, make_context):
    for batch in draws(make_context(), n_normal):
        counts = np.bincount(batch.indices[:32], minlength=n_normal)
        assert counts.max() - counts.min() <= 1
        anchors, positives, _ = triplets(batch.indices)
        assert (anchors != positives).all()


def test_one_normal_and_one_anomaly_are_enough(mlep, toy_data):
    data = toy_data()
    detector = mlep()
    detector.fit(type(data)(data.normal.select(np.array([0])), data.anomaly.select(np.array([0])), {}))
    assert np.isfinite(detector.score(data.normal)).all()


def test_without_a_labelled_anomaly_it_is_refused(mlep, toy_data):
    data = toy_data()
    with pytest.raises(MethodError, match="MLEP learns from triplets with a labelled anomaly, and there is none"):
        mlep().fit(type(data)(data.normal, data.anomaly.select(np.empty(0, int)), {}))


def test_the_embed_head_has_513_parameters(make_params, make_context):
    network = MLEP(make_params("mlep"), make_context()).new_network()
    assert sum(p.numel() for p in network.head.parameters()) == 513


def test_embed_loss_and_score_by_hand(mlep, toy_data):
    """Logit 1 everywhere: four normals at ln(1 + e) = 1.313262, two anomalies at 0.313262, mean 0.979929, doubled.

    The maps are all equal to each other, so that intra and inter are 0 and the margin loss 1, here times 3.
    """
    detector, data = mlep(**{"loss.head_weight": 2.0, "loss.margin_weight": 3.0}), toy_data()
    with torch.no_grad():
        detector.network.head.score.weight.zero_()
        detector.network.head.score.bias.fill_(1.0)
        detector.network.trunk.conv2.weight.zero_()
    terms = detector.loss_terms(data)(0)
    assert {name: value.item() for name, value in terms.items()} == pytest.approx({"margin": 3.0, "head": 1.959857})
    np.testing.assert_allclose(detector.score(data.anomaly), 1.0)
    with torch.no_grad():
        detector.network.head.score.bias.fill_(-1.0)
    np.testing.assert_allclose(detector.score(data.anomaly), -1.0)


def test_loss_is_taken_of_each_level_and_averaged(mlep, toy_data):
    """The mean of two hinges is not the hinge of the mean: 1 + 0 - 3 and 1 + 0 - 0 give (0 + 1) / 2."""
    detector = mlep(mode="distance")
    levels = [stated_maps([0.0, 0.0], [3.0, 3.0]), stated_maps([0.0, 0.0], [0.0, 0.0])]
    detector.network.maps = lambda images: levels
    terms = detector.loss_terms(toy_data())(0)
    assert {name: value.item() for name, value in terms.items()} == {"margin": pytest.approx(0.5)}


def test_distance_is_to_the_mean_map_of_the_normals(mlep, toy_data):
    detector, data = mlep(mode="distance"), toy_data()
    detector.fit(data)
    means = [detector.state()[f"normal.mean.{level}"] for level in range(2)]
    assert [tuple(mean.shape) for mean in means] == [(16, 2, 2), (16, 1, 1)]
    with torch.inference_mode():
        normal, anomalous = (
            detector.network.maps(normalise(torch.tensor(images.pixels))) for images in (data.normal, data.anomaly)
        )
    expected = 0
    for own, other, mean in zip(normal, anomalous, means, strict=True):
        torch.testing.assert_close(mean, own.mean(0))
        expected = expected + ((other - own.mean(0)) ** 2).mean((1, 2, 3)).double().numpy() / 2
    np.testing.assert_allclose(detector.score(data.anomaly), expected, rtol=1e-4)


def test_distance_of_identical_images_is_nothing(mlep, black):
    detector = mlep(mode="distance")
    detector.fit(black)
    np.testing.assert_allclose(detector.score(black.anomaly), 0.0, atol=1e-9)


def test_decoder_parameters_and_sizes():
    # 3 x 3 convolutions 512-256-128-64-32-3 with biases, batch norms of 256, 128, 64, 32.
    convolutions = 1_179_904 + 295_040 + 73_792 + 18_464 + 867
    decoder = Decoder(512)
    assert sum(p.numel() for p in decoder.parameters()) == convolutions + 2 * (256 + 128 + 64 + 32)
    for side, size in ((2, 64), (2, 48), (2, 33), (1, 16)):
        restored = Decoder(4)(torch.rand(2, 4, side, side) * 100, size)
        assert restored.shape == (2, 3, size, size)
        assert restored.abs().max() <= 1


def test_decoder_works_on_colours_from_minus_one_to_one():
    shades = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(3, 1, 1, 1).expand(3, 2, 2, 1)
    values = signed_images(normalise(shades))
    assert values.shape == (3, 3, 2, 2)
    torch.testing.assert_close(values[:, :, 0, 0], torch.tensor([[-1.0] * 3, [-0.6] * 3, [1.0] * 3]))


def test_restoration_errors_by_hand():
    # Differences 1 and 0.5 in halves of the image: mean 0.75; PSNR 10 log10(1 / (0.625 / 4)) = 8.0618.
    images = torch.zeros(1, 3, 2, 2)
    restored = torch.tensor([1.0, -0.5]).expand(1, 3, 2, 2)
    assert mean_error(restored, images).item() == 0.75
    assert negative_psnr(restored, images).item() == pytest.approx(-8.0618, abs=1e-4)
    assert math.isfinite(negative_psnr(images, images).item())
    assert negative_psnr(images, images) < negative_psnr(restored, images)


@pytest.mark.parametrize(("score", "expected"), [("error", 1.0), ("negative_psnr", -6.0206)])
def test_recon_loss_and_score_by_hand(score, expected, mlep, black):
    """Black images are -1; a decoder that says 0 errs by 1: anchors 1 + positives 1. 10 log10(1 / 4) = -6.0206."""
    detector = mlep(mode="recon", **{"recon.score": score})
    with torch.no_grad():
        detector.network.head.convs[-1].weight.zero_()
        detector.network.head.convs[-1].bias.zero_()
    sizes = []
    detector.network.head.register_forward_hook(lambda _m, inputs, _o: sizes.append((len(inputs[0]), inputs[1])))
    terms = detector.loss_terms(black)(0)
    # All maps are equal: the margin loss is 1. The decoder sees the four normals at each level, no anomaly.
    assert {name: value.item() for name, value in terms.items()} == pytest.approx(
        {"margin": 1.0, "reconstruction": 2.0}
    )
    assert sizes == [(4, 64), (4, 32)]
    np.testing.assert_allclose(detector.score(black.anomaly), expected, atol=1e-4)


def test_recon_restores_images_whose_size_32_does_not_divide(mlep, toy_data, array_images):
    data = toy_data()
    cut = type(data)(array_images(data.normal.pixels[:, :50, :50]), array_images(data.anomaly.pixels[:, :50, :50]), {})
    detector = mlep(mode="recon")
    detector.fit(cut)
    assert np.isfinite(detector.score(cut.anomaly)).all()


def test_optimiser_and_budget_are_dras(make_params):
    official, paper = (make_params("mlep", recipe) for recipe in ("official", "paper"))
    assert TrainSettings.from_params(read_params(TrainParams, official)) == TrainSettings(
        30, 20, 2e-4, 1e-5, "step10_start", 1.0
    )
    assert TrainSettings.from_params(read_params(TrainParams, paper)) == TrainSettings(
        30, 20, 1e-3, 1e-2, "step10_end", 1.0
    )
    names = ("mode", "loss.margin", "loss.margin_weight", "loss.head_weight")
    assert [official[name] for name in names] == ["embed", 1.0, 1.0, 1.0]
    assert installed.get("mlep").assumed


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        ({}, {"mode": "distance"}),
        ({}, {"mode": "recon"}),
        ({"mode": "recon"}, {"recon.score": "negative_psnr"}),
        ({}, {"head.abs": True}),
        ({}, {"topk.rate": 0.6}),
        ({}, {"pyramid.n_scales": 1}),
        ({}, {"loss.margin": 0.01}),
        ({}, {"loss.margin_weight": 0.1}),
        ({}, {"loss.head_weight": 0.1}),
        ({}, {"batch.triplets": 3}),
        ({}, {"augment.rotation": 0.0}),
    ],
)
def test_every_switch_changes_the_scores(base, changes, mlep, toy_data):
    data, scores = toy_data(), []
    for extra in ({}, changes):
        detector = mlep(**({"optim.lr": 1e-2} | base | extra))
        detector.fit(data)
        scores.append(detector.score(data.anomaly))
    assert np.isfinite(scores).all()
    assert not np.allclose(*scores, rtol=1e-7, atol=0)


@pytest.mark.parametrize("mode", MODES)
def test_other_seed_other_scores(mode, mlep, toy_data):
    data, scores = toy_data(), []
    for seed in (0, 0, 1):
        detector = mlep(seed, mode=mode)
        detector.fit(data)
        scores.append(detector.score(data.normal))
    assert np.array_equal(scores[0], scores[1])
    assert not np.allclose(scores[0], scores[2])


def test_fine_tuning_makes_new_mean_maps(mlep, toy_data):
    source, tuned, data = mlep(mode="distance"), mlep(mode="distance", **{"optim.lr": 1e-12}), toy_data()
    source.fit(data)
    start = {name: value.clone() for name, value in source.state().items()}
    fewer = type(data)(data.normal.select(np.arange(3)), data.anomaly, {}, start)
    tuned.fit(fewer)
    torch.testing.assert_close(tuned.state()["trunk.conv1.weight"], start["trunk.conv1.weight"], atol=1e-9, rtol=0)
    assert not torch.allclose(tuned.state()["normal.mean.0"], start["normal.mean.0"])


@pytest.mark.parametrize(("mode", "steps"), [("embed", 40), ("recon", 10)])
def test_bright_squares_are_found(mode, steps, mlep):
    detector = mlep(mode=mode, **{"batch.triplets": 4, "budget.steps": steps, "optim.lr": 1e-2})
    assert 0.2 < squares.auc(detector) < 0.8
    detector.fit(squares.training_data())
    assert squares.auc(detector) > 0.85


def test_distance_learns_to_keep_the_margin(mlep):
    budget = {"batch.triplets": 4, "budget.epochs": 4, "budget.steps": 20, "optim.lr": 1e-2}
    detector = mlep(mode="distance", **budget)
    detector.fit(squares.training_data())
    assert detector.history["loss"][-1] < 0.5 * detector.history["loss"][0]
    assert squares.auc(detector) > 0.65
