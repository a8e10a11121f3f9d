"""An iteration of AGAD's Algorithm 1: who moves by what, in which order images pass, and which statistics they leave."""

import copy

import pytest
import torch

from methods.detectors.agad.batch_norm import StreamNorm
from methods.detectors.agad.detector import agad_adam, discriminator_plan, generator_plan
from methods.detectors.agad.discriminator import Discriminator
from methods.detectors.agad.generators import Generator
from methods.detectors.agad.losses import FAKE, REAL, adversarial
from methods.detectors.agad.params import AGADParams
from methods.detectors.agad.preprocessing import View
from methods.detectors.agad.train_step import ANOMALY, NORMAL, AGADForward, AGADLosses, AGADTraining, Networks, Streams
from methods.nn.params import read_params

TINY = {"generator": "unet", "unet.width": 2, "discriminator.width": 2}
SIDE = 16


@pytest.fixture
def params(make_params):
    return lambda **changes: read_params(AGADParams, make_params("agad", **(TINY | changes)))


@pytest.fixture
def networks(params, make_context):
    def build(**changes):
        given, view = params(**changes), View("bilinear_antialias", 1, SIDE)
        auxiliary = given.adv_prop
        with make_context().seeded("both"):
            generator = Generator(generator_plan(given, view, auxiliary=auxiliary))
            return Networks(generator, Discriminator(discriminator_plan(given, view)))

    return build


@pytest.fixture
def rounds(params, make_context):
    def build(both, **changes):
        given = params(**changes)
        optimisers = {name: agad_adam(both.get_submodule(name), given) for name in ("generator", "discriminator")}
        return AGADTraining(both, given, make_context(), optimisers), optimisers

    return build


def images(n, seed=0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(n, 1, SIDE, SIDE, generator=generator) + shift).clamp(-1, 1)


@pytest.fixture
def groups():
    return {NORMAL: images(4), ANOMALY: images(3, 1, 0.5)}


def snapshot(network):
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def moved(network, before, *, statistics=False):
    """Names of the parameters, or of the running statistics, that differ from a snapshot."""
    names = {name for name, _ in network.named_parameters()}
    kind = [name for name in before if (name not in names) == statistics]
    return {name for name in kind if not torch.equal(network.state_dict()[name], before[name])}


def parameters(network):
    return {name for name, _ in network.named_parameters()}


# Who moves


def test_a_step_of_each_optimiser_moves_its_own_network_alone(networks, rounds, groups):
    both = networks()
    run, optimisers = rounds(both)
    seen = {}
    for name, optimiser in optimisers.items():
        optimiser.register_step_pre_hook(lambda *_, at=name: seen.update({f"{at}, before": snapshot(both)}))
        optimiser.register_step_post_hook(lambda *_, at=name: seen.update({f"{at}, after": snapshot(both)}))
    run.run(groups, 0)
    assert list(seen) == ["generator, before", "generator, after", "discriminator, before", "discriminator, after"]
    for name in optimisers:
        before, after = seen[f"{name}, before"], seen[f"{name}, after"]
        changed = {key for key in before if not torch.equal(before[key], after[key])}
        assert changed == {f"{name}.{key}" for key in parameters(both.get_submodule(name))}


def losses_of(both, given, groups):
    """L_g and L_d from Eqs. 9 and 10 written out, each group's networks called for itself."""
    g, d = both.generator, both.discriminator
    x, a = groups[NORMAL], groups[ANOMALY]
    xh, ah = g(x), g(a)
    xhh = g(xh)
    (y, z), (yh, zh), (b, w), (bh, wh) = d(x), d(xh), d(a), d(ah)
    l_g = (
        adversarial(yh, REAL).mean()
        + 50 * (x - xh).abs().mean()
        - 15 * (xh - xhh).abs().mean()
        + 5 * (z - zh).square().mean()
        + 1 / (adversarial(bh, FAKE).mean() + 1e-6)
        + 15 / ((a - ah).abs().mean() + 1e-6)
        + 5 / ((w - wh).square().mean() + 1e-6)
    )
    l_d = adversarial(yh, FAKE).mean() + adversarial(y, REAL).mean() + adversarial(b, FAKE).mean()
    return l_g, l_d


def test_g_descends_the_sum_of_its_losses_and_d_its_own_before_gs_step(networks, rounds, params, groups):
    changes = {"batch_norm.anomalies": "separate"}
    both = networks()
    twin = copy.deepcopy(both)
    run, _ = rounds(both, **changes)
    found = run.run(groups, 0)
    l_g, l_d = losses_of(twin, params(**changes), groups)
    assert float(found["loss"]) == pytest.approx(float(l_g.detach()), rel=1e-5)
    assert float(found["discriminator"]) == pytest.approx(float(l_d.detach()), rel=1e-5)
    for name, loss in (("generator", l_g), ("discriminator", l_d)):
        own = dict(both.get_submodule(name).named_parameters())
        gradients = torch.autograd.grad(loss, list(twin.get_submodule(name).parameters()), retain_graph=True)
        for (key, parameter), expected in zip(own.items(), gradients, strict=True):
            assert torch.allclose(parameter.grad, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max())), key


def test_the_first_step_goes_against_the_sign_of_the_gradient(networks, rounds, groups):
    both = networks()
    before = snapshot(both)
    run, optimisers = rounds(both)
    run.run(groups, 0)
    for name, optimiser in optimisers.items():
        rate = optimiser.param_groups[0]["lr"]
        assert optimiser.param_groups[0]["betas"] == (0.5, 0.999)
        for key, parameter in both.get_submodule(name).named_parameters():
            large = parameter.grad.abs() > 1e-4
            step = (parameter.detach() - before[f"{name}.{key}"])[large]
            assert torch.allclose(step, -rate * parameter.grad[large].sign(), rtol=0.02, atol=1e-7), key


def test_alternating_steps_minimise_one_group_after_the_other(networks, rounds, groups):
    both = networks()
    run, optimisers = rounds(both, **{"loss.joining": "alternating"})
    calls = []
    for name, optimiser in optimisers.items():
        optimiser.register_step_post_hook(lambda *_, at=name: calls.append(at))
    found = run.run(groups, 0)
    assert calls == ["generator", "discriminator"] * 2
    terms = [value for name, value in found.items() if name not in {"loss", "discriminator", "discriminator_reset"}]
    assert len(terms) == 7
    assert float(found["loss"]) == pytest.approx(float(sum(terms)), rel=1e-5)


def test_weighted_losses_are_the_sum_by_shares_of_the_batch(networks, rounds, groups):
    found = {}
    for joining in ("sum", "weighted"):
        run, _ = rounds(networks(), **{"loss.joining": joining})
        found[joining] = run.run(groups, 0)
    for name, value in found["sum"].items():
        if name not in {"loss", "discriminator", "discriminator_reset"}:
            share = 3 / 7 if name.startswith("anomaly") else 4 / 7
            assert float(found["weighted"][name]) == pytest.approx(share * float(value), rel=1e-5), name


# Passes and statistics


@pytest.fixture
def passes(params):
    """Runs the forward passes, and tells which images passed which network on which set of batch norm."""

    def run(both, groups, **changes):
        given, log = params(**changes), []
        for name in ("generator", "discriminator"):
            network = both.get_submodule(name)
            norm = next(module for module in network.modules() if isinstance(module, StreamNorm))
            network.register_forward_pre_hook(
                lambda _, given, at=name[0], norm=norm: log.append((at, len(given[0]), norm.kind, norm.on_auxiliary))
            )
        outputs = AGADForward(both, AGADLosses.from_params(given), Streams.from_params(given), "fp32")(groups)
        return outputs, log

    return run


@pytest.mark.parametrize(
    ("changes", "of_g"),
    [
        ({}, [(7, "learning", False), (4, "learning", True)]),
        ({"batch_norm.anomalies": "separate"}, [(4, "learning", False), (3, "learning", False), (4, "learning", True)]),
        ({"freeze_bn": True}, [(4, "learning", False), (4, "learning", True), (3, "running", False)]),
        (
            {"freeze_bn": True, "freeze_bn.mode": "bypass", "loss.anomaly_pair": "paper_literal"},
            [(4, "learning", False), (4, "learning", True), (3, "bypass", False), (3, "bypass", True)],
        ),
        ({"loss.anomaly_pair": "paper_literal"}, [(7, "learning", False), (7, "learning", True)]),
        ({"loss.contextual": "off_for_normals"}, [(7, "learning", False)]),
    ],
)
def test_images_pass_the_generator_in_the_stated_order(changes, of_g, networks, passes, groups):
    _, log = passes(networks(), groups, **changes)
    assert [entry[1:] for entry in log if entry[0] == "g"] == of_g


def test_the_discriminator_sees_images_and_copies_apart(networks, passes, groups):
    _, log = passes(networks(), groups)
    assert [entry[1:] for entry in log if entry[0] == "d"] == [(7, "learning", False), (7, "learning", True)]
    _, log = passes(networks(), groups, freeze_bn=True)
    assert [entry[1:3] for entry in log if entry[0] == "d"] == [(4, "learning")] * 2 + [(3, "running")] * 2


def test_joint_outputs_are_those_of_one_batch_split_again(networks, passes, groups):
    both = networks()
    twin = copy.deepcopy(both)
    outputs, _ = passes(both, groups)
    made = twin.generator(torch.cat([groups[NORMAL], groups[ANOMALY]]))
    assert torch.allclose(torch.cat([outputs[NORMAL].xh, outputs[ANOMALY].xh]), made, atol=1e-6)
    logits, z = twin.discriminator(torch.cat([groups[NORMAL], groups[ANOMALY]]))
    assert torch.allclose(outputs[ANOMALY].real.logits, logits[4:], atol=1e-6)
    assert torch.allclose(outputs[NORMAL].real.z, z[:4], atol=1e-6)
    assert outputs[ANOMALY].xhh is None


def statistics(network, *, auxiliary):
    """Names of the running statistics of one of the sets."""
    return {
        name
        for name in network.state_dict()
        if ("running" in name or "tracked" in name) and (".auxiliary." in name) == auxiliary
    }


def test_copies_move_the_auxiliary_statistics_alone_and_images_the_main_ones(networks, passes, groups):
    both = networks(adv_prop=True)
    start, alone = snapshot(both.generator), copy.deepcopy(both)
    passes(both, {NORMAL: groups[NORMAL]}, adv_prop=True)
    alone.generator(groups[NORMAL])
    own = statistics(both.generator, auxiliary=True)
    assert len(own) == 3 * 18
    assert moved(both.generator, snapshot(alone.generator), statistics=True) == own
    assert moved(both.generator, start, statistics=True) == own | statistics(both.generator, auxiliary=False)
    assert not statistics(both.discriminator, auxiliary=True)


def test_the_discriminator_may_have_auxiliary_sets_too(networks, passes, groups):
    changes = {"adv_prop": True, "adv_prop.discriminator": True}
    both = networks(**changes)
    alone = copy.deepcopy(both)
    passes(both, {NORMAL: groups[NORMAL]}, **changes)
    alone.discriminator(groups[NORMAL])
    own = statistics(both.discriminator, auxiliary=True)
    assert own
    assert moved(both.discriminator, snapshot(alone.discriminator), statistics=True) == own


@pytest.mark.parametrize("mode", ["running", "running_affine_frozen", "bypass", "batch"])
def test_frozen_anomalies_move_no_statistic(mode, networks, passes, groups):
    changes = {"freeze_bn": True, "freeze_bn.mode": mode}
    both, without = networks(), networks()
    passes(both, groups, **changes)
    passes(without, {NORMAL: groups[NORMAL]}, **changes)
    assert not moved(both, snapshot(without), statistics=True)
    joint = networks()
    passes(joint, groups)
    assert moved(joint, snapshot(without), statistics=True)


def test_frozen_anomalies_still_teach_the_convolutions_and_the_affine_where_asked(networks, rounds, groups):
    found = {}
    for mode in ("running", "running_affine_frozen"):
        both = networks()
        run, _ = rounds(both, freeze_bn=True, **{"freeze_bn.mode": mode, "loss.joining": "alternating"})
        run.run(groups, 0)
        found[mode] = {
            kind: any(p.grad is not None and bool(p.grad.any()) for p in parameters)
            for kind, parameters in {
                "affine": [norm.main.weight for norm in both.generator.modules() if isinstance(norm, StreamNorm)],
                "convolution": [both.generator.body.encoder[0][0].weight],
            }.items()
        }
    assert found == {
        "running": {"affine": True, "convolution": True},
        "running_affine_frozen": {"affine": False, "convolution": True},
    }


def test_a_detached_input_gives_the_second_pass_no_way_back(networks, passes, groups):
    both = networks()
    outputs, _ = passes(both, groups, **{"loss.stop_gradient": "input"})
    (through,) = torch.autograd.grad(outputs[NORMAL].xhh.sum(), [outputs[NORMAL].xh], allow_unused=True)
    assert through is None
    outputs, _ = passes(both, groups)
    (through,) = torch.autograd.grad(outputs[NORMAL].xhh.sum(), [outputs[NORMAL].xh], allow_unused=True)
    assert through is not None


# Starting the discriminator again


@pytest.mark.parametrize(
    ("kind", "delta", "happens"),
    [("keep_adam", 1e3, True), ("reset_adam", 1e3, True), ("none", 1e3, False), ("keep_adam", 1e-5, False)],
)
def test_a_discriminator_that_has_won_starts_again(kind, delta, happens, networks, rounds, groups):
    both = networks()
    run, optimisers = rounds(both, **{"discriminator.reset": kind, "discriminator.delta": delta})
    before = snapshot(both.discriminator)
    found = run.run(groups, 0)
    largest = float((both.discriminator.classifier.weight.detach() - before["classifier.weight"]).abs().max())
    assert (float(found["discriminator_reset"]), largest > 0.005) == (float(happens), happens)
    moments = optimisers["discriminator"].state
    assert bool(moments) == (kind != "reset_adam")
    assert optimisers["generator"].state


def test_what_starts_again_follows_from_seed_and_step(networks, rounds, groups):
    found = []
    for step in (0, 0, 1):
        both = networks()
        run, _ = rounds(both, **{"discriminator.delta": 1e3})
        run.run(groups, step)
        found.append(both.discriminator.classifier.weight.detach().clone())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
