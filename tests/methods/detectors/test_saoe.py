"""SAOE: three classes, outlier exposure by its authors' numbers, the pool."""

import math

import numpy as np
import pytest
import squares
import torch
import torch.nn.functional as F
from fixed_heads import answering

from methods.checks import check_detector
from methods.detectors.saoe import SAOE
from methods.errors import MethodError
from methods.nn.class_detector import PooledClassHead, TopKClassHead, abnormal_probability, logit_margin
from methods.nn.data.samplers import NORMAL, PSEUDO, SEEN
from methods.nn.networks.heads import TopK
from methods.nn.params import read_params
from methods.nn.training.losses import uniform_cross_entropy
from methods.nn.training.supervised import TrainParams, TrainSettings
from methods.registry import installed

POOL = "mvtec_ad"


@pytest.fixture
def saoe(make_params, make_context, tiny):
    def build(seed=0, **changes):
        detector = SAOE(make_params("saoe", **(tiny | {"oe_batch": 3} | changes)), make_context(seed=seed))
        detector.build()
        return detector

    return build


@pytest.mark.usefixtures("small_trunk")
@pytest.mark.parametrize("head", ["topk_conv", "gap_linear"])
def test_the_battery_passes(head):
    check_detector(installed.get("saoe"), overrides={"oe_batch": 2, "head": head})


def test_the_outlier_term_equals_its_authors_code(vectors, close):
    stated = vectors("outlier_exposure")
    logits = torch.tensor(stated["logits"], dtype=torch.float64, requires_grad=True)
    inner, outer = logits[stated["labelled_rows"]], logits[stated["outlier_rows"]]
    for row, value in zip(outer, stated["outlier_term_per_row"], strict=True):
        close("outlier exposure float64, per row", uniform_cross_entropy(row[None]), value)
    cross_entropy = F.cross_entropy(inner, torch.tensor(stated["targets"]))
    close("outlier exposure float64, cross-entropy", cross_entropy, stated["cross_entropy"])
    close("outlier exposure float64, mean", uniform_cross_entropy(outer), stated["outlier_term_mean"])
    total = cross_entropy + stated["weight"] * uniform_cross_entropy(outer)
    close("outlier exposure float64, total", total, stated["total"])
    total.backward()
    close("outlier exposure float64, gradients", logits.grad, stated["gradient_of_total"])


def test_the_outlier_term_is_least_where_the_logits_are_equal():
    # Spec 5: z = (2, 0, -1): ln(7.38906 + 1 + 0.36788) - 1/3 = 1.83651; equal logits: ln 3.
    assert uniform_cross_entropy(torch.tensor([[2.0, 0.0, -1.0]])).item() == pytest.approx(1.83651, abs=1e-5)
    assert uniform_cross_entropy(torch.full((2, 3), 7.0)).item() == pytest.approx(math.log(3), abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "cross_entropy", "outlier"),
    [
        # z = (2, 0, -1) for all: logsumexp 2.16985, so normal costs 0.16985, seen 2.16985, pseudo 3.16985. Four normals
        # and two seen: (4 * 0.16985 + 2 * 2.16985) / 6; half of 1.83651 from the pool.
        ({"batch.pseudo_prob": 0.0}, 0.83651, 0.91826),
        # The four all pseudo: (4 * 3.16985 + 2 * 2.16985) / 6.
        ({"batch.pseudo_prob": 1.0}, 2.83651, 0.91826),
        ({"batch.pseudo_prob": 0.0, "oe_weight": 2.0, "oe_joint_forward": False}, 0.83651, 3.67302),
        ({"batch.pseudo_prob": 0.0, "head": "gap_linear"}, 0.83651, 0.91826),
        # abs before top-K: z = (2, 0, 1), logsumexp 2.40761, mean 1: (4 * 0.40761 + 2 * 2.40761) / 6; 1.40761 / 2.
        ({"batch.pseudo_prob": 0.0, "head.abs": True}, 1.07427, 0.70380),
    ],
)
def test_loss_by_hand(changes, cross_entropy, outlier, saoe, toy_data):
    detector = answering(saoe(**changes), (2.0, 0.0, -1.0))
    terms = detector.loss_terms(toy_data(pools=[POOL]))(0)
    expected = {"cross_entropy": cross_entropy, "outlier": outlier}
    assert {name: value.item() for name, value in terms.items()} == pytest.approx(expected, abs=1e-5)


def test_pool_images_pull_the_logits_together_and_labelled_ones_apart(saoe, toy_data):
    """The outlier term alone, z = (2, 0, -1): its gradient is softmax - 1/3 of each class, times the weight."""
    detector = answering(saoe(), (2.0, 0.0, -1.0))
    detector.loss_terms(toy_data(pools=[POOL]))(0)["outlier"].backward()
    # softmax: 0.84380, 0.11420, 0.04201; minus 0.33333, times 0.5.
    expected = [0.25523, -0.10957, -0.14566]
    assert detector.network.head.score.bias.grad.tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("logits", "probability", "margin"), [
    # z = (2, 0, -1): p(normal) = 7.38906 / 8.75694. Equal: 2/3, the score that outlier exposure aims at.
    ((2.0, 0.0, -1.0), 0.15621, -2.0),
    ((1.0, 1.0, 1.0), 2 / 3, 0.0),
    ((-3.0, 0.0, 4.0), 0.99911, 7.0),
    ((-3.0, 4.0, 0.0), 0.99911, 7.0),
])  # fmt: skip
def test_scores_by_hand(logits, probability, margin):
    given = torch.tensor([logits], dtype=torch.float64)
    assert abnormal_probability(given).tolist() == pytest.approx([probability], abs=1e-5)
    assert logit_margin(given).tolist() == [margin]


def test_very_normal_images_keep_their_order():
    # 1 - p(normal) in one subtraction would be 0 for both.
    scores = abnormal_probability(torch.tensor([[45.0, 0.0, 0.0], [50.0, 0.0, 0.0]], dtype=torch.float64))
    assert scores.tolist() == pytest.approx([2 * math.exp(-45), 2 * math.exp(-50)])


@pytest.mark.parametrize(("score", "expected"), [("one_minus_normal", 0.15621), ("logit_margin", -2.0)])
def test_score_is_taken_of_the_mean_logits(score, expected, saoe, toy_data):
    scores = answering(saoe(score=score), (2.0, 0.0, -1.0)).score(toy_data().normal)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_class_heads_by_hand():
    # Spec 5: 512 * 3 + 3 parameters each.
    heads = TopKClassHead(512, TopK(absolute=False)), PooledClassHead(512)
    assert [sum(p.numel() for p in head.parameters()) for head in heads] == [1539, 1539]
    # 20 positions, K = 2. Class c scores (1, -1, 0.5)[c] times the channel, plus c.
    values = torch.tensor([-5.0, 4.0, 3.0, *[0.0] * 17])
    topk, pooled = TopKClassHead(1, TopK(absolute=False)), PooledClassHead(1)
    for head in (topk, pooled):
        with torch.no_grad():
            head.score.weight.copy_(torch.tensor([1.0, -1.0, 0.5]).reshape(head.score.weight.shape))
            head.score.bias.copy_(torch.tensor([0.0, 1.0, 2.0]))
    maps = torch.stack([values, torch.ones(20)]).reshape(2, 1, 4, 5)
    # Largest two of class 0: 4, 3; of 1: 5 + 1, 0 + 1; of 2: 2 + 2, 1.5 + 2.
    assert topk(maps).tolist() == [[3.5, 3.5, 3.75], [1.0, 0.0, 2.5]]
    # Mean of the first image: 2 / 20.
    assert pooled(maps).flatten().tolist() == pytest.approx([0.1, 0.9, 2.05, 1.0, 0.0, 2.5])


def test_topk_gradient_reaches_only_the_largest_logits_of_each_class():
    head = TopKClassHead(1, TopK(absolute=False))
    with torch.no_grad():
        head.score.weight.copy_(torch.tensor([1.0, -1.0, 0.5]).reshape(3, 1, 1, 1))
    maps = torch.tensor([-5.0, 4.0, 3.0, *[0.0] * 7]).reshape(1, 1, 2, 5).requires_grad_()
    head(maps).sum().backward()
    # K = 1: class 0 takes position 1 (slope 1), class 1 position 0 (slope -1), class 2 position 1 (slope 0.5).
    assert maps.grad.flatten().tolist() == [-1.0, 1.5, *[0.0] * 8]


def test_labelled_images_are_dras_and_pool_images_no_class(saoe, toy_data):
    data, detector = toy_data(pools=[POOL]), saoe(**{"augment.rotation": 0.0, "batch.pseudo_prob": 0.5})
    pool = data.pools[POOL].pixels
    labelled, outliers = detector._labelled(data), detector._outliers(data)
    seen = set()
    for step in range(8):
        images, labels = labelled.batch(step)
        assert labels[4:].tolist() == [SEEN, SEEN]
        assert images.shape[3] == 1
        for image, label in zip(images.numpy(), labels, strict=True):
            changed = (data.normal.pixels != image).any(3).mean((1, 2)).min()
            assert (changed == 0) == (label == NORMAL)
            seen.add(int(label))
    assert seen == {NORMAL, SEEN, PSEUDO}
    drawn = np.concatenate([outliers.batch(step)[0].numpy() for step in range(7)])
    places = [int(np.flatnonzero((pool == image).all((1, 2, 3)))[0]) for image in drawn]
    assert sorted(places[:20]) == list(range(20))  # one pass over the pool before any image comes again


def test_pool_and_labelled_images_share_one_pass_unless_told_otherwise(saoe, toy_data):
    for joint, expected in ((True, [9, 9]), (False, [6, 6, 3, 3])):
        sizes = []
        detector = saoe(oe_joint_forward=joint)
        detector.network.trunk.register_forward_hook(lambda _m, inputs, _o, sizes=sizes: sizes.append(len(inputs[0])))
        detector.loss_terms(toy_data(pools=[POOL]))(0)
        assert sizes == expected


def test_pool_images_are_rotated(saoe, toy_data):
    images, _ = saoe()._outliers(toy_data(pools=[POOL])).batch(0)
    assert (images[:, 0, 0] == 0).all(1).double().mean() > 0.5


@pytest.mark.parametrize("pools", [(), ("lag",)])
def test_no_pool_is_refused_in_one_line(pools, saoe, toy_data):
    with pytest.raises(MethodError, match=r"^SAOE needs images of the pool 'mvtec_ad': prepare that dataset, or"):
        saoe().fit(toy_data(pools=pools))


def test_medical_targets_take_the_medical_pool_and_still_cutmix():
    saoe = installed.get("saoe")
    assert set(saoe.datasets) == {"brain_mri", "head_ct", "hyper_kvasir"}
    assert all(block == {"oe_pool": "lag"} for block in saoe.datasets.values())
    assert saoe.pools({"oe_pool": "lag"}) == ("lag",)
    assert saoe.assumed


def test_optimiser_and_batch_are_dras(make_params):
    official, paper = (make_params("saoe", recipe) for recipe in ("official", "paper"))
    assert TrainSettings.from_params(read_params(TrainParams, official)) == TrainSettings(
        30, 20, 2e-4, 1e-5, "step10_start", 1.0
    )
    assert TrainSettings.from_params(read_params(TrainParams, paper)) == TrainSettings(
        30, 20, 1e-3, 1e-2, "step10_end", 1.0
    )
    names = ("batch.size", "batch.seen", "batch.pseudo_prob", "oe_batch", "oe_weight")
    assert [official[name] for name in names] == [48, 16, 0.5, 16, 0.5]


SWITCHES = {
    "head": "gap_linear",
    "score": "logit_margin",
    "head.abs": True,
    "topk.rate": 0.6,
    "pyramid.n_scales": 1,
    "oe_pool": "lag",
    "oe_weight": 0.1,
    "oe_batch": 5,
    "oe_joint_forward": False,
    "batch.seen": 3,
    "batch.pseudo_prob": 0.9,
    "pseudo.resample_source": False,
    "cutmix.area_max": 0.5,
    "cutmix.jitter": 0.3,
    "augment.rotation": 0.0,
}


@pytest.mark.parametrize("name", SWITCHES)
def test_every_switch_changes_the_scores(name, saoe, toy_data, array_images):
    data, scores = toy_data(pools=[POOL, "lag"]), []
    data.pools["lag"] = array_images(255 - data.pools["lag"].pixels)
    for changes in ({}, {name: SWITCHES[name]}):
        detector = saoe(**({"optim.lr": 1e-2} | changes))
        detector.fit(data)
        scores.append(detector.score(data.anomaly))
    assert np.isfinite(scores).all()
    assert not np.allclose(*scores, rtol=1e-7, atol=0)


def test_other_seed_other_scores(saoe, toy_data):
    data, scores = toy_data(pools=[POOL]), []
    for seed in (0, 0, 1):
        detector = saoe(seed)
        detector.fit(data)
        scores.append(detector.score(data.normal))
    assert np.array_equal(scores[0], scores[1])
    assert not np.allclose(scores[0], scores[2])


def test_bright_squares_are_found(saoe):
    budget = {"batch.size": 12, "batch.seen": 4, "oe_batch": 4, "budget.steps": 30, "optim.lr": 1e-2}
    detector = saoe(**budget)
    assert 0.2 < squares.auc(detector) < 0.8
    detector.fit(squares.training_data([POOL]))
    assert squares.auc(detector) > 0.85
