"""MINNS: poolings, the two forms, dropout and deep supervision by hand."""

import itertools
import math

import numpy as np
import pytest
import squares
import torch

from methods.checks import check_detector
from methods.detectors.minns import MINNS, POOLS, InstanceHead, MINNSParams
from methods.nn.params import read_params
from methods.nn.training.supervised import TrainParams, TrainSettings
from methods.registry import installed


@pytest.fixture
def minns(make_params, make_context, tiny):
    def build(seed=0, **changes):
        detector = MINNS(make_params("minns", **(tiny | changes)), make_context(seed=seed))
        detector.build()
        return detector

    return build


@pytest.fixture
def head(make_params):
    return lambda channels=512, **changes: InstanceHead(
        channels, read_params(MINNSParams, make_params("minns", **changes))
    )


@pytest.mark.usefixtures("small_trunk")
@pytest.mark.parametrize("changes", [{}, {"form": "MI", "pool": "lse", "deep_supervision": True}])
def test_the_battery_passes(changes):
    check_detector(installed.get("minns"), overrides=changes)


# Spec 9: instance values (0, 2): max 2, mean 1, ln((1 + 7.38906) / 2) = 1.43378.
@pytest.mark.parametrize(("pool", "expected"), [("max", 2.0), ("mean", 1.0), ("lse", 1.43378)])
def test_poolings_by_hand(pool, expected):
    instances = torch.tensor([[0.0, 2.0], [-1.0, -1.0]]).reshape(1, 2, 1, 2)
    pooled = POOLS[pool](instances)
    assert pooled.shape == (1, 2, 1, 1)
    assert pooled.flatten().tolist() == pytest.approx([expected, -1.0], abs=1e-5)


# Gradients of (0, 2): all to the largest; shared; by softmax, 1 / (1 + e^2) = 0.11920.
@pytest.mark.parametrize(("pool", "slopes"), [("max", [0, 1]), ("mean", [0.5, 0.5]), ("lse", [0.1192, 0.8808])])
def test_pooling_routes_the_gradient(pool, slopes):
    instances = torch.tensor([0.0, 2.0]).reshape(1, 1, 1, 2).requires_grad_()
    POOLS[pool](instances).sum().backward()
    assert instances.grad.flatten().tolist() == pytest.approx(slopes, abs=1e-5)


def test_large_logits_do_not_overflow():
    pooled = POOLS["lse"](torch.tensor([0.0, 200.0]).reshape(1, 1, 1, 2))
    assert pooled.item() == pytest.approx(200 - math.log(2))


def test_parameter_counts(head):
    # Spec 9: 512 * 256 + 256, 256 * 128 + 128, 128 * 64 + 64, 64 + 1. Deep supervision adds 256 + 1 and 128 + 1.
    def count(**changes):
        return sum(p.numel() for p in head(**changes).parameters())

    assert count() == count(form="MI") == 131_328 + 32_896 + 8_256 + 65 == 172_545
    assert count(deep_supervision=True) == 172_545 + 257 + 129


def by_hand(head):
    """Weights by which a position x >= 0 has the features x and relu(2 - x), and its logit is their sum plus 0.25."""
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        head.layers[0].weight[0, 0] = head.layers[1].weight[0, 0] = head.layers[2].weight[0, 0] = 1.0
        head.layers[2].weight[1, 0], head.layers[2].bias[1] = -1.0, 2.0
        for score in head.scores:
            score.weight[0, :2], score.bias[0] = 1.0, 0.25
    return head.eval()


@pytest.mark.parametrize(
    ("form", "pool", "expected"),
    [
        # Positions 0 and 2: features (0, 2) and (2, 0), logits 2.25 and 2.25.
        ("mi", "max", 2.25),
        ("mi", "mean", 2.25),
        # Largest features 2 and 2.
        ("MI", "max", 4.25),
        ("MI", "mean", 2.25),
        # Each feature: ln((1 + e^2) / 2) = 1.43378.
        ("MI", "lse", 2 * 1.43378 + 0.25),
    ],
)
def test_forms_by_hand(form, pool, expected, head):
    maps = torch.tensor([0.0, 2.0]).reshape(1, 1, 1, 2)
    assert by_hand(head(1, form=form, pool=pool))(maps).tolist() == [[pytest.approx(expected, abs=1e-5)]]


@pytest.mark.parametrize("form", ["mi", "MI"])
def test_deep_supervision_asks_every_layer(form, head):
    # Positions 0, 2, 5. After 256 and after 128 the only feature is x: its largest 5. After 64: features (0, 2), (2, 0),
    # (5, 0): largest sum 5, sum of the largest 7.
    maps = torch.tensor([0.0, 2.0, 5.0]).reshape(1, 1, 1, 3)
    logits = by_hand(head(1, form=form, deep_supervision=True))(maps)
    assert logits.tolist() == [[5.25, 5.25, 5.25 if form == "mi" else 7.25]]


def test_only_the_highest_position_learns(head):
    network = head(4).eval()
    maps = torch.rand(2, 4, 3, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    network(maps).sum().backward()
    reached = maps.grad.abs().sum(1).flatten(1)
    assert (reached > 0).sum(1).tolist() == [1, 1]


@pytest.mark.parametrize(("deep", "names"), [(False, ["bag1"]), (True, ["bag1", "bag2", "bag3"])])
def test_loss_and_score_by_hand(deep, names, minns, toy_data):
    """All logits are -1: four normals at ln(1 + 1/e) = 0.313262, two anomalies at 1.313262, the mean 0.646595."""
    detector, data = minns(deep_supervision=deep), toy_data()
    with torch.no_grad():
        for score in detector.network.head.scores:
            score.weight.zero_()
            score.bias.fill_(-1.0)
    terms = detector.loss_terms(data)(0)
    assert {name: value.item() for name, value in terms.items()} == pytest.approx(dict.fromkeys(names, 0.646595))
    np.testing.assert_allclose(detector.score(data.normal), -1.0)


def test_score_is_the_mean_over_levels_and_classifiers(minns, toy_data):
    detector, data = minns(deep_supervision=True), toy_data()
    with torch.no_grad():
        for score, bias in zip(detector.network.head.scores, (1.0, 2.0, 6.0), strict=True):
            score.weight.zero_()
            score.bias.fill_(bias)
    np.testing.assert_allclose(detector.score(data.normal), 3.0)


def test_dropout_belongs_to_the_step_and_stops_after_training(minns, toy_data):
    data = toy_data()
    detector = minns(**{"augment.rotation": 0.0})
    losses = [detector.loss_terms(data)(0)["bag1"].item() for _ in range(2)]
    assert losses[0] == losses[1]
    calm = minns(dropout=0.0, **{"augment.rotation": 0.0})
    assert calm.loss_terms(data)(0)["bag1"].item() != losses[0]
    assert np.array_equal(detector.score(data.normal), detector.score(data.normal))


def test_dropout_takes_half_of_the_features_and_doubles_the_rest(head):
    # 16,000 instances through one unit of value 1: score 0 or 2, half each; standard error 0.004.
    network = by_hand(head(1, pool="mean")).train()
    with torch.no_grad():
        network.scores[0].bias.zero_()
        network.layers[2].weight[1] = network.layers[2].bias[1] = 0.0
    torch.manual_seed(0)
    instances = [network(torch.ones(1, 1, 1, 1)).item() for _ in range(50)]
    assert set(instances) == {0.0, 2.0}
    share = network(torch.ones(1, 1, 100, 160)).item() / 2
    assert abs(share - 0.5) < 4 * 0.004


def test_budget_and_batch_are_devnets(make_params):
    for recipe in ("official", "paper"):
        params = make_params("minns", recipe)
        assert TrainSettings.from_params(read_params(TrainParams, params)) == TrainSettings(
            50, 20, 2e-4, 1e-5, "step10_end", 1.0
        )
        assert [params[name] for name in ("batch.size", "batch.seen", "form", "pool")] == [48, 24, "mi", "max"]
    assert installed.get("minns").assumed


def test_every_form_and_pool_scores_otherwise(minns, toy_data):
    """But for the mean, which a linear layer may come before or after."""
    data, scores = toy_data(), []
    others = [("MI", "max", False), ("MI", "lse", False), ("mi", "max", True)]
    for form, pool, deep in [*itertools.product(("mi",), POOLS, (False,)), *others]:
        detector = minns(form=form, pool=pool, deep_supervision=deep)
        detector.fit(data)
        scores.append(detector.score(data.anomaly))
    for one, other in itertools.combinations(scores, 2):
        assert not np.allclose(one, other, rtol=1e-7, atol=0)


def test_other_seed_other_scores(minns, toy_data):
    data, scores = toy_data(), []
    for seed in (0, 0, 1):
        detector = minns(seed)
        detector.fit(data)
        scores.append(detector.score(data.normal))
    assert np.array_equal(scores[0], scores[1])
    assert not np.allclose(scores[0], scores[2])


@pytest.mark.parametrize("changes", [{}, {"form": "MI", "pool": "lse", "deep_supervision": True}])
def test_bright_squares_are_found(changes, minns):
    budget = {"batch.size": 12, "batch.seen": 6, "budget.steps": 20, "optim.lr": 1e-2}
    detector = minns(**(budget | changes))
    assert 0.2 < squares.auc(detector) < 0.8
    detector.fit(squares.training_data())
    assert squares.auc(detector) > 0.85
