"""FLOS: DevNet's network by the vectors of DevNet's authors, and focal loss in its place."""

import numpy as np
import pytest
import squares
import torch

from methods.checks import check_detector
from methods.detectors.flos import FLOS
from methods.nn.params import read_params
from methods.nn.training.supervised import TrainParams, TrainSettings
from methods.registry import installed


@pytest.fixture
def flos(make_params, make_context, tiny):
    def build(**changes):
        detector = FLOS(make_params("flos", **(tiny | changes)), make_context())
        detector.build()
        return detector

    return build


@pytest.mark.usefixtures("small_trunk")
def test_the_battery_passes():
    check_detector(installed.get("flos"))


def test_the_network_is_devnets(make_params, make_context, vectors, fill_network, vector_images, close):
    own_names = {"score.weight": "head.score.weight", "score.bias": "head.score.bias"}
    network = FLOS(make_params("flos"), make_context()).new_network()
    # Spec 1.1, 3: 11,176,512 for the trunk, 512 + 1 for the head.
    assert sum(p.numel() for p in network.parameters()) == 11_176_512 + 513
    fill_network(network, vectors("devnet")["fill"]["tensors"], lambda name: own_names.get(name, name)).eval()
    stated = vectors("devnet")["eval_mode"]
    with torch.inference_mode():
        levels = network(vector_images([0, 1], 96))
    close("flos eval_mode float64, level scores", levels, [row[:2] for row in stated["per_level"]])
    close("flos eval_mode float64, scores", levels.mean(0), stated["score"][:2])


def test_budget_and_batch_are_devnets(make_params):
    for recipe in ("official", "paper"):
        params = make_params("flos", recipe)
        assert TrainSettings.from_params(read_params(TrainParams, params)) == TrainSettings(
            50, 20, 2e-4, 1e-5, "step10_end", 1.0
        )
        assert (params["batch.size"], params["batch.seen"]) == (48, 24)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # Every position scores -1. abs: logit 1. Normals: BCE ln(1 + e) = 1.313262, p = 0.268941, so
        # 0.731059^2 * 1.313262 = 0.701868; anomalies: BCE 0.313262, 0.268941^2 * 0.313262 = 0.022658.
        # Four normals and two anomalies: (4 * 0.701868 + 2 * 0.022658) / 6.
        ({}, 0.475465),
        # Signed: logit -1, so the two values change places: (4 * 0.022658 + 2 * 0.701868) / 6.
        ({"abs": False}, 0.249061),
        ({"alpha": 0.5}, 0.475465 / 2),
        # Plain cross-entropy: (4 * 1.313262 + 2 * 0.313262) / 6.
        ({"gamma": 0.0}, 0.979929),
    ],
)
def test_loss_by_hand(changes, expected, flos, toy_data):
    detector = flos(**changes)
    with torch.no_grad():
        detector.network.head.score.weight.zero_()
        detector.network.head.score.bias.fill_(-1.0)
    terms = detector.loss_terms(toy_data())(0)
    assert {name: value.item() for name, value in terms.items()} == pytest.approx({"focal": expected}, abs=1e-6)


def test_abs_turns_the_gradient_of_a_negative_position_round(flos, toy_data):
    """With abs a normal's negative logit is pulled up to 0; signed, it is pushed on down, its p(normal) up."""
    slopes = []
    for absolute in (True, False):
        detector = flos(abs=absolute, **{"batch.seen": 0})
        score = detector.network.head.score
        with torch.no_grad():
            score.weight.zero_()
            score.bias.fill_(-1.0)
        detector.loss_terms(toy_data())(0)["focal"].backward()
        slopes.append(score.bias.grad.item())
    assert slopes[0] < 0 < slopes[1]


SWITCHES = {
    "abs": False,
    "alpha": 0.2,
    "gamma": 0.5,
    "topk.rate": 0.0,
    "pyramid.n_scales": 1,
    "pyramid.resample": "bilinear",
    "batch.seen": 3,
    "augment.rotation": 0.0,
    "optim.weight_decay": 0.1,
    "optim.clip_norm": 1e-3,
}


@pytest.mark.parametrize("name", SWITCHES)
def test_every_switch_changes_the_scores(name, flos, toy_data):
    data, scores = toy_data(), []
    for changes in ({}, {name: SWITCHES[name]}):
        detector = flos(**({"optim.lr": 1e-2} | changes))
        detector.fit(data)
        scores.append(detector.score(data.anomaly))
    assert not np.allclose(*scores, rtol=1e-7, atol=0)


def test_other_seed_other_scores(make_params, make_context, tiny, toy_data):
    data, scores = toy_data(), []
    for seed in (0, 0, 1):
        detector = FLOS(make_params("flos", **tiny), make_context(seed=seed))
        detector.fit(data)
        scores.append(detector.score(data.normal))
    assert np.array_equal(scores[0], scores[1])
    assert not np.allclose(scores[0], scores[2])


@pytest.mark.parametrize("absolute", [True, False])
def test_bright_squares_are_found(absolute, flos):
    detector = flos(abs=absolute, **{"batch.size": 12, "batch.seen": 6, "budget.steps": 20, "optim.lr": 1e-2})
    assert 0.2 < squares.auc(detector) < 0.8
    detector.fit(squares.training_data())
    assert squares.auc(detector) > 0.85
