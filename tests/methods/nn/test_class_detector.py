"""DRA's baseline that is not disentangled: three classes by hand, its loss options, its scores."""

import math

import numpy as np
import pytest
import squares
import torch
from fixed_heads import answering

from methods.checks import check_detector
from methods.detectors.dra.non_disentangled import NonDisentangled, class_loss
from methods.errors import MethodError
from methods.nn.class_detector import PooledClassHead, TopKClassHead, log_odds
from methods.nn.data.samplers import NORMAL, PSEUDO, SEEN
from methods.nn.params import read_params
from methods.nn.training.supervised import TrainParams, TrainSettings
from methods.registry import installed

METHOD = "dra_non_disentangled"


@pytest.fixture
def classifier(make_params, make_context, tiny):
    def build(seed=0, **changes):
        detector = NonDisentangled(make_params(METHOD, **(tiny | changes)), make_context(seed=seed))
        detector.build()
        return detector

    return build


@pytest.mark.usefixtures("small_trunk")
@pytest.mark.parametrize("head", ["topk_conv", "gap_linear"])
def test_the_battery_passes(head):
    check_detector(installed.get(METHOD), overrides={"head": head})


@pytest.mark.parametrize(("head", "kind"), [("topk_conv", TopKClassHead), ("gap_linear", PooledClassHead)])
def test_either_head_has_three_outputs_of_the_trunks_channels(head, kind, make_params, make_context):
    detector = NonDisentangled(make_params(METHOD, head=head), make_context())
    detector.build()
    assert isinstance(detector.network.head, kind)
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in detector.network.named_children()}
    # 512 * 3 + 3; the trunk of spec 1.1.
    assert counts == {"trunk": 11_176_512, "head": 1539}
    if head == "topk_conv":
        assert not detector.network.head.pool.absolute


@pytest.mark.parametrize(
    ("double_softmax", "expected"),
    [
        # z = (2, 0, -1): logsumexp 2.16985, so the classes cost 0.16985, 2.16985, 3.16985: their mean.
        (False, 1.83651),
        # Its softmax (0.84379, 0.11420, 0.04201) as logits: logsumexp 1.50164; the mean of the classes is 1.50164 - 1/3.
        (True, 1.16831),
    ],
)
def test_loss_by_hand(double_softmax, expected):
    logits = torch.tensor([[2.0, 0.0, -1.0]], dtype=torch.float64).expand(3, 3)
    loss = class_loss(logits, np.array([NORMAL, SEEN, PSEUDO]), double_softmax=double_softmax)
    assert loss.item() == pytest.approx(expected, abs=2e-5)


def test_the_double_softmax_never_costs_nothing():
    # The best that softmax can hand over is (1, 0, 0): ln(e + 2) - 1 = 0.55144 (spec D43).
    certain = torch.tensor([[50.0, 0.0, 0.0]])
    assert class_loss(certain, np.array([NORMAL]), double_softmax=False).item() == pytest.approx(0.0, abs=1e-6)
    assert class_loss(certain, np.array([NORMAL]), double_softmax=True).item() == pytest.approx(
        math.log(math.e + 2) - 1, abs=1e-6
    )


@pytest.mark.parametrize(
    ("logits", "expected"), [((2.0, 0.0, -1.0), -5.0), ((1.0, 1.0, 1.0), 0.0), ((-3.0, 0.0, 4.0), 10.0)]
)
def test_log_odds_by_hand(logits, expected):
    given = torch.tensor([logits], dtype=torch.float64)
    assert log_odds(given).tolist() == [expected]
    logs = given.log_softmax(1)[0]
    assert float(logs[SEEN] + logs[PSEUDO] - 2 * logs[NORMAL]) == pytest.approx(expected)


@pytest.mark.parametrize(("score", "expected"), [("one_minus_normal", 0.15621), ("log_odds", -5.0)])
def test_score_is_taken_of_the_mean_logits(score, expected, classifier, toy_data):
    scores = answering(classifier(score=score), (2.0, 0.0, -1.0)).score(toy_data().normal)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_levels_are_averaged_before_the_softmax(classifier, toy_data):
    detector = classifier(score="log_odds")
    levels = torch.tensor([[[4.0, 1.0, 2.0]], [[2.0, 3.0, 0.0]]])
    detector.network.forward = lambda images: levels.expand(2, len(images), 3)
    # Means (3, 2, 1): 2 + 1 - 6.
    assert detector.score(toy_data().normal)[0] == -3.0


def test_batches_are_dras_and_no_reference_passes_the_trunk(classifier, toy_data):
    sizes = []
    detector = answering(classifier(**{"batch.pseudo_prob": 1.0}), (2.0, 0.0, -1.0))
    detector.network.trunk.register_forward_hook(lambda _m, inputs, _o: sizes.append(len(inputs[0])))
    loss = detector.loss_terms(toy_data())(0)
    assert sizes == [6, 6]
    # Four pseudo and two seen: (4 * 3.16985 + 2 * 2.16985) / 6.
    assert {name: value.item() for name, value in loss.items()} == pytest.approx({"cross_entropy": 2.83651}, abs=1e-5)


def test_optimiser_batch_and_pools_are_dras(make_params):
    for recipe in ("official", "paper", "quick"):
        own, dra = make_params(METHOD, recipe), make_params("dra", recipe)
        first, second = (TrainSettings.from_params(read_params(TrainParams, each)) for each in (own, dra))
        assert first == second
        shared = own.keys() & dra.keys() - {"head.abs"}
        assert {name: own[name] for name in shared} == {name: dra[name] for name in shared}
    info, dra = installed.get(METHOD), installed.get("dra")
    assert (info.pool_values, info.datasets) == (dra.pool_values, dra.datasets)
    assert info.assumed


def test_a_missing_pool_is_refused_in_one_line(classifier, toy_data):
    with pytest.raises(MethodError, match=r"^no images of the pool 'lag': prepare that dataset, or set pseudo\.source"):
        classifier(**{"pseudo.source": "lag"}).fit(toy_data())


SWITCHES = {
    "head": "gap_linear",
    "score": "log_odds",
    "double_softmax": True,
    "head.abs": True,
    "topk.rate": 0.6,
    "pyramid.n_scales": 1,
    "batch.seen": 3,
    "batch.pseudo_prob": 0.9,
    "pseudo.source": "lag",
    "pseudo.resample_source": False,
    "cutmix.area_max": 0.5,
    "augment.rotation": 0.0,
}


@pytest.mark.parametrize("name", SWITCHES)
def test_every_switch_changes_the_scores(name, classifier, toy_data):
    data, scores = toy_data(pools=["lag"]), []
    for changes in ({}, {name: SWITCHES[name]}):
        detector = classifier(**({"optim.lr": 1e-2} | changes))
        detector.fit(data)
        scores.append(detector.score(data.anomaly))
    assert np.isfinite(scores).all()
    assert not np.allclose(*scores, rtol=1e-7, atol=0)


def test_bright_squares_are_found(classifier):
    detector = classifier(**{"batch.size": 12, "batch.seen": 4, "budget.steps": 30, "optim.lr": 1e-2})
    assert 0.2 < squares.auc(detector) < 0.8
    detector.fit(squares.training_data())
    assert squares.auc(detector) > 0.85
