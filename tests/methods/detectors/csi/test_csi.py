"""CSI: layer tables, score against the authors' code and by hand, fits, switches."""

import math

import colours
import numpy as np
import pytest
import torch

from methods.checks import check_detector
from methods.detector import TrainData
from methods.detectors.csi.base import CSILoss, feature_network
from methods.detectors.csi.detector import CSI
from methods.detectors.csi.memory_bank import MemoryBank, ShiftFeatures
from methods.detectors.csi.params import ContrastiveParams
from methods.detectors.csi.views import AugmentationDraw, Views
from methods.errors import MethodError
from methods.nn.params import read_params
from methods.registry.installed import get

TINY = {
    "network.width": 2,
    "batch.size": 4,
    "budget.epochs": 1,
    "score.draws": 2,
    "features.batch": 5,
    "evaluation.batch": 4,
    "optim.warmup_epochs": 0,
}


@pytest.fixture
def data(toy_data, array_images):
    """Nine normal images of 16 pixels; the three anomalous ones are for scoring."""
    parts = toy_data()
    return TrainData(*(array_images(part.pixels[:, ::4, ::4]) for part in (parts.normal, parts.anomaly)), {})


@pytest.fixture
def fitted(make_params, make_context, data):
    def build(given=None, seed=0, recipe="official", checkpoint=None, **changes):
        extra = {} if checkpoint is None else {"checkpoint": checkpoint}
        detector = CSI(make_params("csi", recipe, **(TINY | changes)), make_context(seed=seed, **extra))
        detector.fit(given or data)
        return detector

    return build


# Layer tables


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("stem", "trunk"), [("small", 11_168_832), ("imagenet", 11_176_512)])
def test_parameter_counts(stem, trunk, make_params, make_context):
    network = feature_network(
        read_params(ContrastiveParams, make_params("csi", **{"network.stem": stem})), make_context(), 3, 4
    )
    assert count(network.trunk) == trunk
    assert count(network.project) == 328_320
    assert count(network.shift) == 2052


@pytest.mark.parametrize(("stem", "maps"), [("small", (32, 16, 8, 4)), ("imagenet", (8, 4, 2, 1))])
def test_stages_halve_the_maps_and_the_input_is_centred(stem, maps, make_params, make_context):
    params = read_params(ContrastiveParams, make_params("csi", **{"network.stem": stem, "network.width": 2}))
    network = feature_network(params, make_context(), 3, 4)
    seen = []
    network.trunk.conv1.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    for stage in network.trunk.layers:
        stage.register_forward_hook(lambda _, given, made: seen.append(made.shape[-1]))
    outputs = network(torch.full((2, 3, 32, 32), 0.75))
    assert torch.equal(seen[0], torch.full((2, 3, 32, 32), 0.5))
    assert tuple(seen[1:]) == maps
    assert [tuple(each.shape) for each in outputs] == [(2, 16), (2, 128), (2, 4)]


def test_projections_are_not_normalised(make_params, make_context):
    network = feature_network(read_params(ContrastiveParams, make_params("csi", **TINY)), make_context(), 3, 4).eval()
    lengths = network(torch.rand(6, 3, 32, 32)).z.detach().norm(dim=1)
    assert float(lengths.std()) > 0


# Losses in a step


def test_an_untrained_network_starts_near_the_logarithms(make_params, make_context):
    """Spec 8: the contrast near log(8 B - 1), the classifier near log 4."""
    params = read_params(ContrastiveParams, make_params("csi", **(TINY | {"network.width": 8})))
    context = make_context()
    views = Views.from_params(params, context)
    network = feature_network(params, context, 3, 4)
    dice = AugmentationDraw(context, "test", (0,))
    images = torch.rand(8, 3, 32, 32, generator=context.generator("images"))
    terms = CSILoss.from_params(views, params)(network, views.base_of(images, 2, dice), dice)
    assert float(terms["contrast"].detach()) == pytest.approx(math.log(8 * 8 - 1), abs=0.15)
    assert float(terms["shift"].detach()) == pytest.approx(math.log(4), abs=0.3)


def test_both_terms_reach_their_heads_and_sums_are_means_times_anchors(make_params, make_context):
    params, context = read_params(ContrastiveParams, make_params("csi", **TINY)), make_context()
    views = Views.from_params(params, context)
    network = feature_network(params, context, 3, 4)
    dice = AugmentationDraw(context, "test", (0,))
    base = views.base_of(torch.rand(3, 3, 32, 32, generator=context.generator("images")), 2, dice)
    loss = CSILoss.from_params(views, params)
    loss(network, base, dice)["contrast"].backward()
    assert network.shift.weight.grad is None
    assert network.project[0].weight.grad.abs().sum() > 0
    means = loss(network, base, dice)
    sums = CSILoss(views, loss.temperature, "sum")(network, base, dice)
    for name, value in means.items():
        torch.testing.assert_close(sums[name], 24 * value)


# Score


@pytest.fixture
def stated(vectors):
    return vectors("csi")["detection_score"]


@pytest.fixture
def features(stated, close):
    """Features of the vectors by their formulas: per image and shift the mean over the draws."""

    def build(name, shifts=4):
        q, off, off2 = {
            "tr": (torch.arange(0, 5), 0.0, 0.0),
            "id": (torch.arange(20, 24), 0.1, 0.1),
            "ood": (torch.arange(40, 43), 1.5, 1.2),
        }[name]
        q, k, r, j = torch.meshgrid(q.double(), *(torch.arange(n).double() for n in (4, 2, 6)), indexing="ij")
        z = (1 + 0.2 * k) * torch.sin(0.8 * q + 0.5 * j + 1.3 * k + off) + 0.25 * torch.cos(0.9 * r + j * q)
        q, k, r, c = (each[..., :4] for each in (q, k, r, j))
        logits = 1.1 * torch.sin(0.6 * q + 0.9 * c + 0.4 * k + off2) + 0.2 * r + 2.2 * (c == k).double()
        sums = [[each.sum(), each.square().sum()] for each in (z, logits)]
        close("csi features z", sums[0], stated["checksums"][name]["z"], 1e-11)
        close("csi features logits", sums[1], stated["checksums"][name]["logits"], 1e-11)
        right = logits.mean(2).diagonal(dim1=1, dim2=2)
        return ShiftFeatures(z.mean(2)[:, :shifts], right[:, :shifts])

    return build


@pytest.mark.parametrize(("kind", "shifts"), [("csi", 4), ("simclr", 1)])
def test_scores_equal_the_released_code(kind, shifts, features, stated, close):
    bank, expected = MemoryBank(features("tr", shifts)), stated[kind]
    contrast, classifier = bank.balance("raw")
    close("csi float64, weights of the contrast", contrast, expected["weight_con"], 1e-12)
    close("csi float64, weights of the classifier", classifier, expected["weight_cls"], 1e-12)
    for name, key in (("id", "score_inliers"), ("ood", "score_outliers")):
        scores = -bank.csi_scores(features(name, shifts), "raw")
        close("csi float64, scores", scores, expected[key], 1e-8)


@pytest.fixture
def example():
    """Spec 6: training images A and B and a test image under two shifts."""

    def image(*rows):
        return torch.tensor([rows], dtype=torch.float64)

    train = torch.cat([image((1, 0), (1, 1)), image((0, 5), (2, 0))])
    bank = MemoryBank(ShiftFeatures(train, torch.tensor([[4.0, 3.0], [2.0, 1.0]], dtype=torch.float64)))
    return bank, ShiftFeatures(image((3, 4), (0, 2)), torch.tensor([[2.0, 1.5]], dtype=torch.float64))


def test_the_score_by_hand(example):
    # Maxima 4 and 1.4142136; weights 1/3 and 0.5857864, 1/3 and 1/2: con 2.1617605, cls 1.4166667, half the sum.
    bank, test = example
    assert bank.csi_scores(test, "raw").tolist() == pytest.approx([-1.7892136], abs=1e-7)


def test_a_weak_classifier_is_floored_or_dropped(example):
    bank, test = example
    weak = MemoryBank(bank.features._replace(logits=torch.tensor([[-4.0, 0.02], [2.0, 0.04]], dtype=torch.float64)))
    assert weak.balance("raw")[1].tolist() == pytest.approx([-1.0, 1 / 0.03])
    assert weak.balance("floor")[1].tolist() == pytest.approx([10.0, 10.0])
    # Without the classifier's term the contrast alone: 2.1617605 / 2.
    assert weak.csi_scores(test, "drop").tolist() == pytest.approx([-1.08088], abs=1e-5)


def test_the_score_equals_a_loop_over_shifts_and_training_images():
    generator = torch.Generator().manual_seed(0)
    bank = MemoryBank(
        ShiftFeatures(*(torch.randn(s, generator=generator, dtype=torch.float64) for s in ((7, 4, 5), (7, 4))))
    )
    test = ShiftFeatures(*(torch.randn(s, generator=generator, dtype=torch.float64) for s in ((3, 4, 5), (3, 4))))
    expected = []
    for z, logits in zip(test.vectors, test.logits, strict=True):
        total = 0.0
        for k in range(4):
            train = bank.features.vectors[:, k]
            nearest = max(float(z[k] @ row / row.norm()) for row in train)
            total += nearest / float(train.norm(dim=1).mean())
            total += float(logits[k] / bank.features.logits[:, k].mean())
        expected.append(-total / 4)
    assert bank.csi_scores(test, "raw").tolist() == pytest.approx(expected, rel=1e-7)


def test_pooled_auroc_is_the_mean_over_equally_large_classes():
    """CSI's "one_class_mean" (spec 1): AUROC is linear in the distribution of the outliers."""
    generator = np.random.default_rng(0)
    inliers, outliers = generator.normal(size=20), generator.normal(1, 1, (9, 20))

    def auc(values):
        return np.mean(values[:, None] > inliers)

    assert auc(outliers.ravel()) == pytest.approx(np.mean([auc(each) for each in outliers]))


# Fits


def test_steps_are_full_passes_with_the_rest(fitted):
    """Nine images in batches of four: three steps an epoch, the last of one image."""
    network = fitted(**{"budget.epochs": 3}).network
    assert int(network.trunk.bn1.num_batches_tracked) == 9


def test_history_has_both_terms_and_the_logits_that_the_score_divides_by(fitted):
    history = fitted(**{"budget.epochs": 2}).history
    assert {len(history[name]) for name in ("loss", "contrast", "shift")} == {2}
    sums = [a + b for a, b in zip(history["contrast"], history["shift"], strict=True)]
    assert history["loss"] == pytest.approx(sums)
    assert {len(history[f"right_logit_{k}"]) for k in range(4)} == {1}


def test_training_images_are_scored_with_the_draws_of_the_bank(fitted, data):
    """Same place in the batch, same draws: an image of the training set is its own nearest neighbour."""
    detector = fitted(**{"evaluation.batch": 5, "score.classifier": "drop"})
    features = detector.bank.features
    np.testing.assert_array_equal(detector.score(data.normal), detector.score_of(detector.bank, features))
    nearest = detector.bank.products(features).argmax(2)
    assert torch.equal(nearest, torch.arange(9).expand(4, 9))


def test_a_score_depends_on_the_place_in_the_batch_alone(fitted, data, make_params):
    """Not on the other images (CSI spec 6): this is why scores are not independent."""
    detector = fitted()
    four = detector.score(data.normal.select(np.arange(4)))
    np.testing.assert_allclose(detector.score(data.normal.select(np.array([0, 1, 8, 7])))[:2], four[:2], rtol=1e-5)
    assert not np.allclose(detector.score(data.normal.select(np.array([1, 0])))[::-1], four[:2], rtol=1e-4)
    plain = fitted(**{"score.ensemble": "plain"})
    order = np.array([3, 1, 0, 2])
    np.testing.assert_allclose(
        plain.score(data.normal.select(order)), plain.score(data.normal.select(np.arange(4)))[order], rtol=1e-5
    )
    info, params = get("csi"), make_params("csi")
    assert not info.scores_independently(params)
    assert info.scores_independently(params | {"score.ensemble": "plain"})


SWITCHES = {
    "network.width": 3,
    "network.stem": "imagenet",
    "input.grey": "one_channel",
    "shift.kind": "cutperm",
    "augment.hue_formula": "consistent",
    "augment.blur": True,
    "augment.jitter_prob": 0.1,
    "augment.brightness": 0.1,
    "augment.contrast": 0.1,
    "augment.saturation": 0.1,
    "augment.hue": 0.5,
    "augment.grey_prob": 0.9,
    "augment.crop_min": 0.9,
    "views.source": "files",
    "loss.temperature": 0.1,
    "loss.reduction": "sum",
    "batch.size": 5,
    "budget.epochs": 2,
    "optim.kind": "adam",
    "optim.lr": 0.5,
    "optim.schedule": "constant",
    "optim.warmup_epochs": 1,
    "optim.warmup_factor": 2.0,
    "optim.momentum": 0.0,
    "optim.weight_decay": 0.5,
    "lars.trust": 0.1,
    "score.ensemble": "plain",
    "score.draws": 1,
    "score.crop": 0.9,
    "score.flips": "per_image",
    "score.classifier": "drop",
    "features.batch": 3,
}
ON_COLOUR = {"augment.hue_formula", "augment.saturation", "augment.hue", "augment.grey_prob"}
"""What a grey image does not show."""
PLAIN = {}


@pytest.mark.parametrize("name", [*SWITCHES, "nothing"])
def test_every_switch_changes_the_scores(name, fitted, data, array_images):
    channels = 3 if name in ON_COLOUR else 1
    given = data
    if channels == 3:
        colours = np.random.default_rng(5).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
        given = TrainData(array_images(colours[:9]), array_images(colours[9:]), {})
    if channels not in PLAIN:
        PLAIN[channels] = fitted(given).score(given.anomaly)
    extra = {"views.size": 16} if name == "views.source" else {}
    switched = fitted(given, **({name: SWITCHES[name]} if name in SWITCHES else {}), **extra).score(given.anomaly)
    assert np.isfinite(switched).all()
    assert np.allclose(PLAIN[channels], switched, rtol=1e-6, atol=0) == (name == "nothing")


def test_without_shifts_it_is_simclr(fitted, data):
    detector = fitted(**{"shift.kind": "none"})
    assert set(detector.history) == {"loss", "contrast", "right_logit_0"}
    nearest = detector.bank.products(detector.bank.features).amax(2)[0]
    np.testing.assert_array_equal(detector.score(data.normal, detector.params.features_batch), -nearest.numpy())


def test_other_seeds_give_other_scores(fitted, data):
    first, again, other = (fitted(seed=seed).score(data.anomaly) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_a_fit_that_was_stopped_goes_on_to_the_same_bits(fitted, memory_checkpoint, data):
    changes = {"budget.epochs": 2}
    saved = memory_checkpoint(due_at=frozenset({4}))
    whole = fitted(checkpoint=saved, **changes)
    assert saved.steps == [4]
    resumed = fitted(checkpoint=memory_checkpoint(saved=saved.saved), **changes)
    assert resumed.history == whole.history
    np.testing.assert_array_equal(resumed.score(data.anomaly), whole.score(data.anomaly))


def test_no_normal_image_and_no_fit_are_refused_in_one_line(fitted, data, array_images, make_params, make_context):
    with pytest.raises(MethodError, match="there are no training images"):
        fitted(TrainData(array_images(np.empty((0, 16, 16, 1), np.uint8)), data.anomaly, {}))
    with pytest.raises(MethodError, match="CSI has nothing to score with yet: call fit or load first"):
        CSI(make_params("csi"), make_context()).score(data.normal)


@pytest.mark.parametrize("ensemble", ["augmented", "plain"])
def test_the_battery_passes(ensemble):
    small = {"network.width": 2, "score.draws": 1, "features.batch": 5, "score.ensemble": ensemble}
    check_detector(get("csi"), overrides=small, size=16)


def test_it_learns_what_is_where(make_params, make_context):
    """Spec 8: a set of two colours, normal ones red over blue, anomalous ones green over red."""
    small = {"network.width": 4, "budget.epochs": 10, "batch.size": 24, "optim.lr": 5e-3}
    detector = CSI(make_params("csi", "quick", **small), make_context())
    detector.fit(colours.training_data())
    assert detector.history["loss"][-1] < detector.history["loss"][0] - 0.5
    assert colours.auc(detector) > 0.9
