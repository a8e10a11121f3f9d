"""LARS and CSI's learning rate, by hand and against the authors' schedule."""

import pytest
import torch

from methods.detectors.csi.lars import LARS, Schedule, scaled_gradient


def test_a_scaled_gradient_by_hand():
    # Spec 5: |w| = 5, |g| = 1: r = .005 / (1 + 5e-6 + 1e-8) = 0.004999975; (g + 1e-6 w) r.
    weight, gradient = (torch.tensor(v, dtype=torch.float64) for v in ([3.0, 4.0], [0.6, 0.8]))
    scaled = scaled_gradient(weight, gradient, 1e-6, 1e-3)
    assert scaled.tolist() == pytest.approx([0.00299999997, 0.00399999996], abs=1e-13)


@pytest.mark.parametrize(("weight", "gradient"), [([0.0, 0.0], [0.6, 0.8]), ([3.0, 4.0], [0.0, 0.0])])
def test_a_zero_weight_or_gradient_is_not_scaled(weight, gradient):
    weight, gradient = torch.tensor(weight), torch.tensor(gradient)
    torch.testing.assert_close(scaled_gradient(weight, gradient, 1e-6, 1e-3), gradient + 1e-6 * weight)


def test_two_steps_have_momentum_and_no_further_decay():
    # Without decay and with |w| r / |g| constant: v1 = s1, v2 = .9 v1 + s2, w falls by lr v.
    weight = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    optimiser = LARS([weight], lr=2.0, momentum=0.9, decay=0.0, trust=1e-3)
    velocity, expected = torch.zeros(2, dtype=torch.float64), weight.detach().clone()
    for gradient in ([0.6, 0.8], [0.0, 2.0]):
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        steep = weight.grad.norm()
        velocity = 0.9 * velocity + weight.grad * (1e-3 * expected.norm() / (steep + 1e-8))
        expected = expected - 2.0 * velocity
        optimiser.step()
        torch.testing.assert_close(weight.detach(), expected, rtol=1e-12, atol=0)


def test_tensors_are_scaled_one_by_one():
    weights = [torch.tensor([float(10**n)], requires_grad=True) for n in range(3)]
    optimiser = LARS(weights, lr=1.0, momentum=0.0, decay=0.0, trust=1e-3)
    for weight in weights:
        weight.grad = torch.tensor([7.0])
    optimiser.step()
    # Each moves by a thousandth of itself, whatever its gradient.
    assert [float(w.detach()) for w in weights] == pytest.approx([0.999, 9.99, 99.9], rel=1e-6)


@pytest.fixture
def stated(vectors):
    return vectors("csi")["learning_rate"]


@pytest.fixture
def schedule(stated):
    return Schedule("warmup_cosine", 0.1, epochs=1000, steps=stated["steps_per_epoch"], warmup=10, factor=10.0)


def test_learning_rates_equal_the_released_code(schedule, stated):
    for epoch, rate in stated["formula_value"].items():
        assert schedule.at(float(epoch)) == pytest.approx(rate, rel=1e-12)
    for epoch, rates in stated["trace"].items():
        step = round(float(epoch) * stated["steps_per_epoch"])
        # At the first step past the warm-up today's torch is off by 3e-6 (vectors' README).
        assert schedule.rate(step) == pytest.approx(rates["rate_used_in_this_step"], rel=4e-6)
        assert schedule.rate(step + 1) == pytest.approx(rates["rate_set_after_it"], rel=4e-6)


def test_the_specs_learning_rates(schedule):
    expected = {0: 0.1, 5: 0.55, 10: 1.0, 100: 0.98015, 505: 0.50786, 1000: 0.00024672}
    assert {e: schedule.at(e) for e in expected} == pytest.approx(expected, abs=1e-5)


def test_a_constant_rate_has_no_warmup():
    schedule = Schedule("constant", 2e-4, epochs=3, steps=2, warmup=10, factor=10.0)
    assert {schedule.rate(step) for step in range(6)} == {2e-4}
