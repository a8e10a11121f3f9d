"""The three losses."""

import pytest
import torch

from methods.detectors.dra.detector import DRAParams
from methods.nn.params import read_params
from methods.nn.training.losses import Criterion, bce, deviation, focal, reference_moments


def test_bce_equals_the_released_code(vectors, close):
    stated = vectors("losses")["binary"]
    logits = torch.tensor(stated["logits"], dtype=torch.float64, requires_grad=True)
    targets = torch.tensor(stated["targets"], dtype=torch.float64)
    loss = bce(logits, targets)
    loss.backward()
    close("bce float64", loss, stated["bce"]["mean"])
    close("bce float64, gradients", logits.grad, stated["bce"]["gradient_of_mean"])


def test_focal_equals_the_released_code(vectors, close):
    stated = vectors("losses")["binary"]
    logits = torch.tensor(stated["logits"], dtype=torch.float64, requires_grad=True)
    targets = torch.tensor(stated["targets"], dtype=torch.float64)
    loss = focal(logits, targets, 1.0, 2.0)
    loss.backward()
    close("focal float64", loss, stated["focal"]["mean"])
    close("focal float64, gradients", logits.grad, stated["focal"]["gradient_of_mean"])
    for i, value in enumerate(stated["focal"]["per_sample"]):
        close("focal float64, per sample", focal(logits[i], targets[i], 1.0, 2.0), value)
    for gamma, value in stated["focal"]["other_gammas"].items():
        close("focal float64, other gammas", focal(logits, targets, 1.0, float(gamma)), value)
    close("focal float64, alpha", focal(logits, targets, 0.25, 2.0), stated["focal"]["alpha_0_25_gamma_2"])
    close("focal float32", focal(logits.float(), targets.float(), 1.0, 2.0), stated["focal"]["mean"], 1e-5)


def test_deviation_equals_the_released_code(vectors, vector_moments, close):
    stated = vectors("losses")["deviation"]
    for case in stated["cases"]:
        moments = vector_moments(case["h"])
        close("deviation float64, reference", list(moments), stated["mean_std"][str(case["h"])])
        scores = torch.tensor(stated["scores"], dtype=torch.float64, requires_grad=True)
        loss = deviation(scores, torch.full_like(scores, case["target"]), moments, 5.0)
        loss.backward()
        close("deviation float64", loss, case["loss"])
        close("deviation float64, gradients", scores.grad, case["gradient"])


def test_worked_deviation_example():
    # Spec 2.3: dev = (0.19192, 6.05051, 1), terms (0.19192, 0, 4), mean 1.39731.
    moments = torch.tensor(0.01), torch.tensor(0.99)
    loss = deviation(torch.tensor([0.2, 6.0, 1.0]), torch.tensor([0, 1, 1]), moments, 5.0)
    assert loss.item() == pytest.approx(1.39731, abs=1e-5)


def test_reference_is_5000_draws_with_divisor_4999():
    draws = torch.randn(5000, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    mean, std = reference_moments(torch.Generator().manual_seed(3))
    assert mean.item() == pytest.approx(draws.sum().item() / 5000, abs=1e-15)
    assert std.item() == pytest.approx((((draws - draws.mean()) ** 2).sum() / 4999).sqrt().item(), abs=1e-14)


def criterion_of(params, context):
    params = read_params(DRAParams, params)
    return Criterion(params.loss, params.focal, context)


def moments_of(make_params, make_context, policy, *calls):
    criterion = criterion_of(make_params("dra", **{"loss.reference": policy}), make_context())
    return [tuple(map(float, criterion.moments(*call))) for call in calls]


def test_redrawn_references_differ_by_head_and_step_and_come_again(make_params, make_context):
    calls = [(0, "n"), (0, "s"), (1, "n")]
    first = moments_of(make_params, make_context, "redraw", *calls)
    assert len(set(first)) == 3
    assert first == moments_of(make_params, make_context, "redraw", *calls)
    assert all(abs(mean) < 0.1 and abs(std - 1) < 0.1 for mean, std in first)


def test_a_reference_drawn_once_is_the_same_for_all(make_params, make_context):
    assert len(set(moments_of(make_params, make_context, "fixed_once", (0, "n"), (0, "s"), (7, "r")))) == 1


def test_the_exact_reference_is_the_standard_normal(make_params, make_context):
    assert moments_of(make_params, make_context, "exact", (0, "n")) == [(0.0, 1.0)]
    criterion = criterion_of(make_params("dra", **{"loss.reference": "exact"}), make_context())
    # Spec 2.3: (0.2 + 0 + 4) / 3 = 1.4.
    loss = criterion(torch.tensor([0.2, 6.0, 1.0]), torch.tensor([False, True, True]), 0, "s")
    assert loss.item() == pytest.approx(1.4)


def test_the_loss_of_no_scores_is_a_zero_with_a_gradient(make_params, make_context):
    scores = torch.rand(4, requires_grad=True)
    loss = criterion_of(make_params("dra"), make_context())(scores[:0], torch.zeros(0), 0, "s")
    loss.backward()
    assert loss.item() == 0.0
    assert scores.grad.tolist() == [0.0] * 4
