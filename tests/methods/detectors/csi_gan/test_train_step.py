"""CSI-GAN's Algorithm 1: every loss by hand, its sign, and whose parameters each line moves."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from methods.detectors.csi.losses import similarity
from methods.detectors.csi.views import Views
from methods.detectors.csi_gan.losses import ADVERSARIAL, squared_error
from methods.detectors.csi_gan.networks import GANNetworks
from methods.detectors.csi_gan.params import CSIGANParams
from methods.detectors.csi_gan.train_step import (
    GANForward,
    GANLosses,
    GenerativeBlock,
    TrainStepInputs,
    distinct,
    is_due,
    optimisers_of,
    statistics,
)
from methods.nn.params import read_params

TINY = {"network.width": 2, "gan.width": 1}
LINES = {
    "discriminator": {"d"},
    "adversarial": {"g", "e"},
    "synthetic_csi": {"g"},
    "latent_discriminator": {"ld"},
    "latent_adversarial": {"e"},
    "reconstruction": {"g", "e"},
    "latent_reconstruction": {"e"},
    "joint_csi": {"f"},
}
"""Algorithm 1 (spec 7.3): its lines in their order, and who moves."""


@pytest.fixture
def setting(make_params, make_context):
    """Networks in training mode, the lines of the algorithm, and material for a block on three real images."""

    def build(**changes):
        own, context = read_params(CSIGANParams, make_params("csi_gan", **(TINY | changes))), make_context()
        views = Views.from_params(own, context)
        networks = GANNetworks(own, context, 3, views.shifts).train()
        generator = context.generator("images")
        real = torch.rand(3, 3, 32, 32, generator=generator)
        latent = networks.plan.latent
        latents, noise = (torch.randn(3, latent, generator=generator) for _ in range(2))
        material = TrainStepInputs(real, real.repeat(2, 1, 1, 1), latents, noise, 0)
        return networks, GANLosses(networks, views, own).lines(), material, own

    return build


def line_of(lines, name):
    return next(line for line in lines if line.name == name)


# Losses by hand


def logits(*probabilities):
    return [torch.tensor([math.log(p / (1 - p))], dtype=torch.float64) for p in probabilities]


def test_adversarial_losses_by_hand():
    # Spec 7.2, D(x) = .9, D(G(h)) = .2, D(G(E(x))) = .4: V_D = log .9 + log .8 + log .6 = -0.8393297, which D ascends.
    real, synthetic, reconstructed = logits(0.9, 0.2, 0.4)
    loss = ADVERSARIAL["non_saturating"]
    own = loss.real(real) + loss.fake(synthetic) + loss.fake(reconstructed)
    assert float(own) == pytest.approx(0.8393297, abs=1e-7)
    # The generator's side: -log .2 - log .4 = 2.5257286.
    assert float(loss.fooling(synthetic) + loss.fooling(reconstructed)) == pytest.approx(2.5257286, abs=1e-7)
    # Minimax: log .8 + log .6 = -0.7339692, the part of V_D that the generator descends.
    minimax = ADVERSARIAL["minimax"]
    assert float(minimax.fooling(synthetic) + minimax.fooling(reconstructed)) == pytest.approx(-0.7339692, abs=1e-7)
    assert float(minimax.real(real)) == float(loss.real(real))


def test_the_hinge_by_hand():
    # Logits 2 and -.5 real: max(0, -1), max(0, 1.5); made the same: max(0, 3), max(0, .5); fooling: -(2 - .5) / 2.
    values, hinge = torch.tensor([2.0, -0.5]), ADVERSARIAL["hinge"]
    assert [float(term(values)) for term in (hinge.real, hinge.fake, hinge.fooling)] == [0.75, 1.75, -0.75]


def test_reconstruction_errors_by_hand():
    # Spec 7.2: squares .01, .04, .04, .16: mean .0625, sum .25; with cosine .5 eq. 8 is 5.75 (sum 24.5).
    real = torch.tensor([[0.5, -0.5, 0.0, 1.0]])
    made = torch.tensor([[0.4, -0.3, 0.2, 0.6]])
    errors = [float(squared_error(made, real, kind)) for kind in ("mean", "sum")]
    assert [100 * error - 0.5 for error in errors] == pytest.approx([5.75, 24.5], abs=1e-5)
    # h = (1, -1) against (.5, -.5): mean .25, sum .5.
    latent, code = torch.tensor([[1.0, -1.0]]), torch.tensor([[0.5, -0.5]])
    assert [float(squared_error(code, latent, kind)) for kind in ("mean", "sum")] == [0.25, 0.5]


class Told(nn.Module):
    """A discriminator that gives a batch the logits it was told."""

    def __init__(self, *values):
        super().__init__()
        self.values = torch.cat(values)

    def forward(self, images):
        return self.values[: len(images)].to(images.dtype)


def test_the_lines_put_each_logit_where_it_belongs(setting):
    networks, lines, material, _ = setting()
    one = TrainStepInputs(material.real[:1], material.base[:2], material.latents[:1], material.noise[:1], 0)
    networks.d = Told(*logits(0.9, 0.2, 0.4))
    assert float(line_of(lines, "discriminator").loss(GANForward(networks, one))) == pytest.approx(0.8393297, abs=1e-6)
    networks.d = Told(*logits(0.2, 0.4))
    assert float(line_of(lines, "adversarial").loss(GANForward(networks, one))) == pytest.approx(2.5257286, abs=1e-6)
    # V_LD = log .7 + log(1 - .1): D' takes drawn latents first; E's side is -log .1.
    networks.ld = Told(*logits(0.7, 0.1))
    loss = float(line_of(lines, "latent_discriminator").loss(GANForward(networks, one)))
    assert loss == pytest.approx(-math.log(0.7) - math.log(0.9), abs=1e-6)
    networks.ld = Told(*logits(0.1))
    assert float(line_of(lines, "latent_adversarial").loss(GANForward(networks, one))) == pytest.approx(
        -math.log(0.1), abs=1e-6
    )


def test_the_reconstruction_line_is_eq_8(setting):
    """100 times the mean squared error in [-1, 1] minus the cosine of both augmented images' z."""
    networks, lines, material, _ = setting(
        **{"augment.jitter_prob": 0.0, "augment.grey_prob": 0.0, "augment.crop_min": 1.0}
    )
    with torch.no_grad():
        forward = GANForward(networks, material)
        loss = line_of(lines, "reconstruction").loss(forward)
        made, real = forward.reconstruction, material.real * 2 - 1
        error = 0.0
        for ours, theirs in zip(made.flatten().tolist(), real.flatten().tolist(), strict=True):
            error += (ours - theirs) ** 2
        cosine = (error / made.numel()) * 100 - float(loss)
        flips = [
            images if keep else images.flip(3) for images in (material.real, (made + 1) / 2) for keep in (True, False)
        ]
        possible = []
        with statistics(networks.f, "batch"):
            for first in range(8):
                for second in range(8):
                    pick = [
                        torch.stack([flips[2 * p + (bits >> i & 1)][i] for i in range(3)])
                        for p, bits in ((0, first), (1, second))
                    ]
                    z = networks.f(torch.cat(pick)).z
                    possible.append(float(similarity(z[:3], z[3:]).mean()))
    assert min(abs(cosine - each) for each in possible) < 1e-3


# Who moves, and which way


def snapshots(networks):
    return {
        letter: [parameter.detach().clone() for parameter in part.parameters()]
        for letter, part in networks.named_children()
    }


def moved(before, networks):
    after = snapshots(networks)
    return {
        letter
        for letter in before
        if any(not torch.equal(*each) for each in zip(before[letter], after[letter], strict=True))
    }


@pytest.mark.parametrize("forward", ["fresh", "once"])
def test_each_line_moves_its_networks_and_no_other(forward, setting):
    networks, lines, material, params = setting()
    assert {line.name: set(line.moves) for line in lines} == LINES
    assert [line.name for line in lines] == list(LINES)
    optimisers = optimisers_of(networks, lines, params)
    for line in lines:
        before = snapshots(networks)
        GenerativeBlock(networks, [line], optimisers, fresh=forward == "fresh").run(material, 0.1)
        assert moved(before, networks) == LINES[line.name], line.name


def test_the_generator_alone_leaves_out_encoder_and_latent_discriminator(setting):
    networks, lines, material, params = setting(**{"gan.networks": "generator"})
    assert set(dict(networks.named_children())) == {"f", "g", "d"}
    moves = {line.name: set(line.moves) for line in lines}
    assert moves == {"discriminator": {"d"}, "adversarial": {"g"}, "synthetic_csi": {"g"}, "joint_csi": {"f"}}
    losses = GenerativeBlock(networks, lines, optimisers_of(networks, lines, params), fresh=True).run(material, 0.1)
    assert set(losses) == set(moves)


def values(networks, material):
    """V_D and V_LD of the paper's eqs. 7 and 9, and the other losses, with the present weights."""
    forward = GANForward(networks, material)
    d, ld = networks.d, networks.ld
    log, log_not = F.logsigmoid, lambda logits_: F.logsigmoid(-logits_)
    made = [log_not(d(images)).mean() for images in (forward.synthetic, forward.reconstruction)]
    return {
        "V_D": log(d(forward.real)).mean() + sum(made),
        "V_LD": log(ld(material.latents)).mean() + log_not(ld(forward.codes)).mean(),
    }


@pytest.mark.parametrize(
    ("line", "value", "direction"),
    [
        ("discriminator", "V_D", 1),
        ("adversarial", "V_D", -1),
        ("latent_discriminator", "V_LD", 1),
        ("latent_adversarial", "V_LD", -1),
    ],
)
def test_discriminators_ascend_and_the_others_descend(line, value, direction, setting):
    """Algorithm 1 prints it the other way round (spec 7.2); small plain steps make the direction certain."""
    networks, lines, material, _ = setting(**{"gan.init": "default", "gan.width": 2})
    own = line_of(lines, line)
    with torch.no_grad():
        for _ in range(30):  # power iterations settle
            before = values(networks, material)[value]
    optimisers = {
        f"{line}.{letter}": torch.optim.SGD(networks.get_submodule(letter).parameters(), lr=1e-3)
        for letter in own.moves
    }
    for _ in range(5):
        GenerativeBlock(networks, [own], optimisers, fresh=True).run(material, 1e-3)
    with torch.no_grad():
        after = values(networks, material)[value]
    assert direction * float(after - before) > 1e-6


@pytest.mark.parametrize("line", ["synthetic_csi", "reconstruction", "latent_reconstruction", "joint_csi"])
def test_the_other_lines_descend(line, setting):
    networks, lines, material, _ = setting(**{"gan.init": "default", "gan.width": 2})
    own = line_of(lines, line)
    optimisers = {
        f"{line}.{letter}": torch.optim.SGD(networks.get_submodule(letter).parameters(), lr=1e-3)
        for letter in own.moves
    }
    block = GenerativeBlock(networks, [own], optimisers, fresh=True)
    losses = [float(block.run(material, 1e-3)[line]) for _ in range(6)]
    assert losses[-1] < losses[0] - 1e-6


def test_the_encoder_has_part_in_the_reconstruction_term_alone(setting):
    networks, lines, material, _ = setting()
    weight = networks.e.layers[0].weight

    def gradient(loss):
        return torch.autograd.grad(loss, weight)[0]

    whole = gradient(line_of(lines, "adversarial").loss(GANForward(networks, material)))
    forward = GANForward(networks, material)
    both = networks.d(torch.cat([forward.synthetic.detach(), forward.reconstruction]))
    torch.testing.assert_close(whole, gradient(F.softplus(-both[3:]).mean()), rtol=1e-2, atol=1e-8)


def test_frozen_features_keep_their_running_statistics(setting):
    """And the batch's statistics are used, unless the switch says otherwise (C18)."""
    losses = {}
    for kind, updates in (("batch", 0), ("running", 0), ("update", 2)):
        networks, lines, material, _ = setting(**{"gan.feature_statistics": kind})
        norm = networks.f.trunk.bn1
        running = norm.running_mean.clone()
        losses[kind] = [
            float(line_of(lines, name).loss(GANForward(networks, material)).detach())
            for name in ("synthetic_csi", "reconstruction")
        ]
        assert int(norm.num_batches_tracked) == updates
        assert torch.equal(norm.running_mean, running) == (updates == 0)
        assert norm.training
        assert norm.track_running_stats
    assert losses["batch"] == losses["update"]
    assert losses["batch"] != losses["running"]


def test_steps_of_the_features_update_their_running_statistics(setting):
    networks, lines, material, params = setting()
    GenerativeBlock(networks, lines, optimisers_of(networks, lines, params), fresh=True).run(material, 0.1)
    assert int(networks.f.trunk.bn1.num_batches_tracked) == 1


def test_fresh_lines_see_the_steps_before_them_and_once_does_not(setting):
    results = {}
    for forward in ("fresh", "once"):
        networks, lines, material, params = setting(**{"gan.init": "default"})
        alone = {line.name: float(line.loss(GANForward(networks, material)).detach()) for line in lines}
        networks, lines, material, params = setting(**{"gan.init": "default"})
        block = GenerativeBlock(networks, lines, optimisers_of(networks, lines, params), fresh=forward == "fresh")
        results[forward] = {name: float(loss) for name, loss in block.run(material, 0.1).items()}
    name = "latent_adversarial"
    assert results["once"][name] == pytest.approx(alone[name], abs=1e-4)
    assert abs(results["fresh"][name] - alone[name]) > 1e-3


def test_optimisers_are_shared_by_network_or_belong_to_a_line(setting):
    networks, lines, _, params = setting()
    shared = optimisers_of(networks, lines, params)
    assert len(distinct(shared)) == 5
    assert shared["csi.f"] is shared["joint_csi.f"]
    assert shared["reconstruction.e"] is shared["latent_adversarial.e"]
    apart = replace(params, gan=replace(params.gan, optimisers="line"))
    own = optimisers_of(networks, lines, apart)
    assert len(distinct(own)) == len(own) == 11


def test_the_generative_networks_have_adam_and_the_features_what_the_recipe_says(setting, make_params):
    networks, lines, _, params = setting()
    official = optimisers_of(networks, lines, params)
    paper = optimisers_of(networks, lines, read_params(CSIGANParams, make_params("csi_gan", "paper")))
    assert type(official["csi.f"]).__name__ == "LARS"
    assert {type(each).__name__ for each in distinct(paper).values()} == {"Adam"}
    assert {(each.param_groups[0]["lr"], *each.param_groups[0]["betas"]) for each in distinct(paper).values()} == {
        (2e-4, 0.9, 0.999)
    }


def test_every_fifth_batch_has_a_block():
    assert [step for step in range(12) if is_due(step, 5, "last")] == [4, 9]
    assert [step for step in range(12) if is_due(step, 5, "first")] == [0, 5, 10]
