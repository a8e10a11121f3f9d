"""AGAD's losses by hand: the specification's example, every term's sign, and the switches of the assumptions."""

import math

import pytest
import torch

from methods.detectors.agad.discriminator import DiscriminatorOutput
from methods.detectors.agad.losses import FAKE, REAL, AGADLosses, GroupOutputs, absolute, adversarial, squared, total
from methods.detectors.agad.params import AGADParams
from methods.nn.params import read_params


def logit(probability):
    return math.log(probability / (1 - probability))


def batch(*rows):
    return torch.tensor(rows, dtype=torch.float64)


@pytest.fixture
def losses(make_params):
    return lambda **changes: AGADLosses.from_params(read_params(AGADParams, make_params("agad", **changes)))


@pytest.fixture
def example():
    """The one image of four "pixels" of AGAD spec 4.4."""
    return GroupOutputs(
        x=batch([0.5, -0.5, 0, 1]),
        xh=batch([0.4, -0.3, 0.2, 0.6]),
        xhh=batch([0, 0.1, -0.2, 0.2]),
        real=DiscriminatorOutput(batch(logit(0.8)), batch([1, 2])),
        fake=DiscriminatorOutput(batch(logit(0.3)), batch([1.5, 1])),
    )


@pytest.fixture
def pair():
    """Two images of one "pixel": distances |x - xh| of 1 and 3, |xh - xhh| of 2 and 4, features 2 and 4 apart."""
    return GroupOutputs(
        x=batch([0], [0]),
        xh=batch([1], [3]),
        xhh=batch([3], [7]),
        real=DiscriminatorOutput(batch(0, 0), batch([0], [0])),
        fake=DiscriminatorOutput(batch(0, math.log(3)), batch([2], [4])),
    )


# The numeric example


def test_the_parts_of_the_example_are_the_specifications(example, close):
    close("agad parts", absolute(example.x, example.xh), [0.225])
    close("agad parts", absolute(example.xh, example.xhh), [0.4])
    close("agad parts", squared(example.real.z, example.fake.z), [0.625])
    close("agad parts", adversarial(example.fake.logits, REAL), [1.203973], 1e-6)
    close("agad parts", adversarial(example.fake.logits, FAKE), [0.356675], 1e-6)
    close("agad parts", adversarial(example.real.logits, REAL), [0.223144], 1e-6)


def test_the_losses_on_normals_are_equation_9(example, losses, close):
    terms = losses().generator("normal", example)
    # 1 * 1.203973, 50 * 0.225, -15 * 0.4, 5 * 0.625
    assert list(terms) == ["adversarial", "contextual", "contextual_adversarial", "latent"]
    close("agad eq. 9", list(terms.values()), [1.203973, 11.25, -6.0, 3.125], 1e-6)
    close("agad eq. 9", total(terms.values()), 9.578973, 1e-6)
    close("agad eq. 9", losses().discriminator("normal", example), 0.356675 + 0.223144, 1e-6)


def test_the_losses_on_anomalies_are_the_reciprocals_of_equation_10(example, losses, close):
    terms = losses().generator("anomaly", example)
    assert list(terms) == ["anomaly_adversarial", "anomaly_contextual_adversarial", "anomaly_latent"]
    # 1 / 0.356675, 15 / 0.225, 5 / 0.625; the guard of 1e-6 moves the second by 15 / 0.225^2 * 1e-6 = 3e-4
    close("agad eq. 10", list(terms.values()), [2.803672, 66.666667, 8.0], 5e-4)
    close("agad eq. 10", total(terms.values()), 77.470340, 1e-3)
    close("agad eq. 10", losses().discriminator("anomaly", example), 1.609438, 1e-6)


def test_the_literal_pair_of_anomalies_is_that_of_the_second_pass(example, losses, close):
    terms = losses(**{"loss.anomaly_pair": "paper_literal"}).generator("anomaly", example)
    close("agad eq. 10, literal", total(terms.values()), 48.303673, 1e-3)


# Who gains by what


def gradient(of, what):
    return torch.autograd.grad(of, what)[0]


def test_on_normals_g_lowers_the_reconstruction_error_and_raises_the_distance_of_the_second_pass(losses):
    x, xh, xhh = batch([0.0]), batch([0.5]).requires_grad_(), batch([0.8]).requires_grad_()
    logits, z = batch(0.0).requires_grad_(), batch([1.0]).requires_grad_()
    terms = losses().generator(
        "normal",
        GroupOutputs(x, xh, xhh, DiscriminatorOutput(batch(0.0), batch([0.0])), DiscriminatorOutput(logits, z)),
    )
    assert gradient(terms["contextual"], xh) == 50
    assert gradient(terms["contextual_adversarial"], xhh) == -15
    assert gradient(terms["adversarial"], logits) == -0.5
    assert gradient(terms["latent"], z) == 10


def test_on_anomalies_g_raises_error_and_feature_distance_and_still_wants_to_fool_d(losses):
    x, xh = batch([0.0]), batch([0.5]).requires_grad_()
    logits, z = batch(0.0).requires_grad_(), batch([1.0]).requires_grad_()
    outputs = GroupOutputs(x, xh, None, DiscriminatorOutput(batch(0.0), batch([0.0])), DiscriminatorOutput(logits, z))
    terms = losses().generator("anomaly", outputs)
    assert gradient(terms["anomaly_contextual_adversarial"], xh) == pytest.approx(-15 / 0.5**2, rel=1e-4)
    assert gradient(terms["anomaly_latent"], z) == pytest.approx(-5 * 2, rel=1e-4)
    assert gradient(terms["anomaly_adversarial"], logits) == pytest.approx(-0.5 / math.log(2) ** 2, rel=1e-4)


def test_d_calls_normals_real_and_copies_and_anomalies_not(losses):
    real, fake = batch(0.0).requires_grad_(), batch(0.0).requires_grad_()
    outputs = GroupOutputs(
        batch([0]), batch([0]), None, DiscriminatorOutput(real, batch([0])), DiscriminatorOutput(fake, batch([0]))
    )
    loss = losses().discriminator("normal", outputs)
    assert [float(one) for one in torch.autograd.grad(loss, [real, fake])] == [-0.5, 0.5]
    loss = losses().discriminator("anomaly", outputs)
    on_real, on_fake = torch.autograd.grad(loss, [real, fake], allow_unused=True)
    assert on_real == 0.5
    assert on_fake is None


# The switches


def test_the_reciprocal_is_of_the_mean_or_of_each_image(pair, losses, close):
    of_mean = losses().generator("anomaly", pair)
    of_each = losses(**{"loss.reciprocal": "per_image"}).generator("anomaly", pair)
    # |x - xh| = 1, 3: 15 / 2 against 15 (1 + 1/3) / 2; l_adv(yh, 0) = log 2, log 4: 1 / 1.5 log 2 against 0.75 / log 2
    name, rtol = "anomaly_contextual_adversarial", 1e-5
    close("agad reciprocals", [of_mean[name], of_each[name]], [7.5, 10.0], rtol=rtol)
    log2 = math.log(2)
    name = "anomaly_adversarial"
    close("agad reciprocals", [of_mean[name], of_each[name]], [1 / (1.5 * log2), 0.75 / log2], rtol=rtol)
    # squared features 4 and 16: 5 / 10 against 5 (1/4 + 1/16) / 2
    name = "anomaly_latent"
    close("agad reciprocals", [of_mean[name], of_each[name]], [0.5, 0.78125], rtol=rtol)


@pytest.mark.parametrize(("guard", "expected"), [("plus_1e-6", 15e6), ("plus_1e-8", 15e8), ("max_1e-4", 15e4)])
def test_the_guard_bounds_the_reciprocal_of_zero(guard, expected, pair, losses, close):
    same = GroupOutputs(pair.x, pair.x, None, pair.real, pair.fake)
    terms = losses(**{"loss.guard": guard}).generator("anomaly", same)
    close("agad guards", terms["anomaly_contextual_adversarial"], expected, rtol=1e-12)


def test_sums_add_over_the_entries_of_an_image_and_not_over_images(example, losses, close):
    terms = losses(**{"loss.reduction": "sum"}).generator("normal", example)
    # four pixels, two features; the decision is one number
    close("agad sums", list(terms.values()), [1.203973, 4 * 11.25, 4 * -6.0, 2 * 3.125], 1e-6)
    doubled = GroupOutputs(
        *(torch.cat([each, each]) for each in (example.x, example.xh, example.xhh)), *_twice(example)
    )
    again = losses(**{"loss.reduction": "sum"}).generator("normal", doubled)
    close("agad sums", list(again.values()), [float(value) for value in terms.values()], 1e-9)


def _twice(outputs):
    return [
        DiscriminatorOutput(*(torch.cat([each, each]) for each in judged)) for judged in (outputs.real, outputs.fake)
    ]


@pytest.mark.parametrize(
    ("contextual", "on_normals", "on_anomalies"),
    [("on", True, True), ("off_for_normals", False, True), ("off", False, False)],
)
def test_the_contextual_adversarial_loss_can_be_left_out(contextual, on_normals, on_anomalies, example, losses):
    own = losses(**{"loss.contextual": contextual})
    assert ("contextual_adversarial" in own.generator("normal", example)) == on_normals
    assert ("anomaly_contextual_adversarial" in own.generator("anomaly", example)) == on_anomalies
    assert own.needs_second_pass == {"normal": on_normals, "anomaly": False}
    literal = losses(**{"loss.contextual": contextual, "loss.anomaly_pair": "paper_literal"})
    assert literal.needs_second_pass == {"normal": on_normals, "anomaly": on_anomalies}


@pytest.mark.parametrize(("kind", "flows"), [("none", True), ("input", True), ("target", False)])
def test_a_detached_target_stops_the_gradient_at_the_first_copy(kind, flows, losses):
    xh, xhh = batch([0.5]).requires_grad_(), batch([0.8]).requires_grad_()
    outputs = GroupOutputs(
        batch([0]), xh, xhh, DiscriminatorOutput(batch(0), batch([0])), DiscriminatorOutput(batch(0), batch([0]))
    )
    term = losses(**{"loss.stop_gradient": kind}).generator("normal", outputs)["contextual_adversarial"]
    on_xh, on_xhh = torch.autograd.grad(term, [xh, xhh], allow_unused=True)
    assert on_xhh == -15
    assert (on_xh is not None) == flows
