"""CSI-GAN: eq. 11, fits, switches, pictures."""

import io

import colours
import numpy as np
import pytest
import torch
from PIL import Image

from methods.checks import check_detector
from methods.detector import TrainData
from methods.detectors.csi.memory_bank import MemoryBank, ShiftFeatures
from methods.detectors.csi_gan.detector import CSIGAN
from methods.detectors.csi_gan.train_step import GenerativeBlock
from methods.registry.installed import get

LINES = {
    "discriminator",
    "adversarial",
    "synthetic_csi",
    "latent_discriminator",
    "latent_adversarial",
    "reconstruction",
    "latent_reconstruction",
    "joint_csi",
}
TINY = {
    "network.width": 2,
    "gan.width": 1,
    "gan.latent_discriminator": "leaky_512",
    "gan.every": 2,
    "batch.size": 5,
    "budget.epochs": 1,
    "score.draws": 1,
    "features.batch": 5,
    "evaluation.batch": 4,
}


@pytest.fixture
def data(toy_data, array_images):
    """Nine normal images of 16 pixels; the three anomalous ones are for scoring."""
    parts = toy_data()
    return TrainData(*(array_images(part.pixels[:, ::4, ::4]) for part in (parts.normal, parts.anomaly)), {})


@pytest.fixture
def params(make_params):
    return lambda recipe="official", **changes: make_params("csi_gan", recipe, **(TINY | changes))


@pytest.fixture
def fitted(params, make_context, data):
    def build(given=None, seed=0, recipe="official", context=None, **changes):
        detector = CSIGAN(params(recipe, **changes), context or make_context(seed=seed))
        detector.fit(given or data)
        return detector

    return build


# Score


@pytest.fixture
def example():
    """Spec 7.4: training images A and B and a test image under two shifts."""
    train = torch.tensor([[[1.0, 0.0], [1.0, 1.0]], [[0.0, 5.0], [2.0, 0.0]]], dtype=torch.float64)
    test = torch.tensor([[[3.0, 4.0], [0.0, 2.0]]], dtype=torch.float64)
    nothing = torch.zeros(2, 2, dtype=torch.float64)
    return MemoryBank(ShiftFeatures(train, nothing)), ShiftFeatures(test, nothing[:1])


@pytest.mark.parametrize(("neighbour", "score"), [("joint", 4.4142136), ("identity", 4.0), ("per_shift", 5.4142136)])
def test_eq_11_by_hand(neighbour, score, example):
    # m(A) = 3 and 1.4142136, m(B) = 4 and 0.
    bank, test = example
    assert bank.eq11_scores(test, neighbour).tolist() == pytest.approx([-score], abs=1e-6)
    longer = MemoryBank(bank.features._replace(vectors=bank.features.vectors * torch.tensor([[[7.0]], [[0.1]]])))
    assert longer.eq11_scores(test, neighbour).tolist() == pytest.approx([-score], abs=1e-6)
    twice = test._replace(vectors=2 * test.vectors)
    assert bank.eq11_scores(twice, neighbour).tolist() == pytest.approx([-2 * score], abs=1e-6)


@pytest.mark.parametrize("neighbour", ["joint", "identity", "per_shift"])
def test_eq_11_equals_a_loop(neighbour):
    generator = torch.Generator().manual_seed(1)
    train, test = (torch.randn(n, 4, 6, generator=generator, dtype=torch.float64) for n in (8, 5))

    def m(a, b):
        return float(a @ b / (a.norm() * b.norm()) * a.norm())

    expected = []
    for x in test:
        values_ = [[m(x[k], each[k]) for k in range(4)] for each in train]
        if neighbour == "per_shift":
            expected.append(-sum(max(row[k] for row in values_) for k in range(4)))
        else:
            key = sum if neighbour == "joint" else (lambda row: row[0])
            expected.append(-sum(max(values_, key=key)))
    bank = MemoryBank(ShiftFeatures(train, torch.zeros(8, 4)))
    scores = bank.eq11_scores(ShiftFeatures(test, torch.zeros(5, 4)), neighbour)
    assert scores.tolist() == pytest.approx(expected, rel=1e-7)


# Fits


def test_history_has_every_line_of_the_epochs_in_which_a_block_fell(fitted):
    """Nine images in batches of five are two steps an epoch; with N = 4 a block falls into the second."""
    history = fitted(**{"budget.epochs": 3, "gan.every": 4}).history
    assert set(history) == {"loss", "contrast", "shift", *LINES}
    assert {len(history[name]) for name in ("loss", "contrast", "shift")} == {3}
    assert {len(history[name]) for name in LINES} == {1}


def test_before_the_first_block_it_is_csi(fitted):
    detector = fitted(**{"gan.every": 3})
    assert set(detector.history) == {"loss", "contrast", "shift"}
    untouched = detector.new_network(3)
    assert all(
        torch.equal(*each) for each in zip(detector.network.g.parameters(), untouched.g.parameters(), strict=True)
    )
    assert not torch.equal(detector.network.f.trunk.bn1.weight, untouched.f.trunk.bn1.weight)


def test_the_number_of_latents(fitted, monkeypatch):
    seen = []
    run = GenerativeBlock.run
    monkeypatch.setattr(
        GenerativeBlock,
        "run",
        lambda self, material, rate: (
            seen.append((len(material.real), len(material.latents))) or run(self, material, rate)
        ),
    )
    for samples in ("batch", "twice"):
        fitted(**{"gan.samples": samples, "gan.every": 1})
    assert seen == [(5, 5), (4, 4), (5, 10), (4, 8)]


SWITCHES = {
    "loss.lambda_rec": 1.0,
    "loss.pixel_reduction": "sum",
    "loss.latent_reduction": "sum",
    "gan.networks": "generator",
    "gan.every": 1,
    "gan.phase": "first",
    "gan.samples": "twice",
    "gan.kind": "resnet",
    "gan.size": 64,
    "gan.width": 2,
    "gan.latent": 64,
    "gan.activation": "sigmoid",
    "gan.normed_start": False,
    "gan.encoder": "gaussian",
    "gan.latent_discriminator": "relu_1000",
    "gan.init": "xavier",
    "gan.loss": "hinge",
    "gan.forward": "once",
    "gan.feature_statistics": "running",
    "gan.optimisers": "line",
    "gan.lr": 1e-2,
    "gan.beta1": 0.5,
    "gan.beta2": 0.9,
    "input.grey": "one_channel",
    "optim.kind": "adam",
    "score.neighbour": "identity",
    "score.output": "features",
}
TWO_STEPS = {"gan.every": 2, "gan.phase": 2, "loss.latent_reduction": 1}
"""What one batch does not show, and the N with which two batches do."""
PLAIN = {}


@pytest.mark.parametrize("name", [*SWITCHES, "nothing"])
def test_every_switch_changes_the_scores(name, fitted, data):
    """After one batch and its block, or two where one is not enough."""
    given = {"score.ensemble": "plain", "gan.every": TWO_STEPS.get(name, 1)}
    given["batch.size"] = 5 if name in TWO_STEPS else 9
    key = tuple(given.values())
    if key not in PLAIN:
        PLAIN[key] = fitted(**given).score(data.anomaly)
    switched = fitted(**(given | ({name: SWITCHES[name]} if name in SWITCHES else {}))).score(data.anomaly)
    assert np.isfinite(switched).all()
    assert np.array_equal(PLAIN[key], switched) == (name == "nothing")


def test_other_seeds_give_other_scores(fitted, data):
    first, again, other = (fitted(seed=seed).score(data.anomaly) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("recipe", ["official", "paper"])
def test_a_fit_that_was_stopped_at_any_step_goes_on_to_the_same_bits(recipe, fitted, make_context, memory_checkpoint):
    kept = memory_checkpoint(due_at=frozenset({1, 2, 3}))
    whole = fitted(recipe=recipe, context=make_context(checkpoint=kept), **{"budget.epochs": 2})
    assert kept.steps == [1, 2, 3]
    for state in kept.states:
        context = make_context(checkpoint=memory_checkpoint(saved=state))
        resumed = fitted(recipe=recipe, context=context, **{"budget.epochs": 2})
        assert resumed.history == whole.history
        assert resumed.state().keys() == whole.state().keys()
        assert all(torch.equal(value, whole.state()[name]) for name, value in resumed.state().items())


def picture(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def test_a_fit_leaves_a_grid_of_inputs_reconstructions_and_synthetic_images(fitted, make_context, data, array_images):
    kept = {}
    context = make_context(artefact=kept.__setitem__)
    detector = fitted(context=context)
    # Nine images of 32 pixels, enlarged to 64, with gaps of 2 pixels; three rows.
    assert picture(kept["training.png"]).shape == (3 * 64 + 2 * 2, 9 * 64 + 8 * 2, 3)
    detector.score(data.anomaly)
    assert set(kept) == {"training.png"}
    many = array_images(np.random.default_rng(0).integers(0, 256, (25, 16, 16, 1), np.uint8))
    scores = detector.score(many)
    grid = picture(kept["scored.png"])
    assert grid.shape == (4 * 64 + 3 * 2, 10 * 64 + 9 * 2, 3)
    first = detector.network.smaller(detector.views.whole(many, scores.argsort(kind="stable")[:1]))
    np.testing.assert_allclose(grid[:64:2, :64:2, 0], (first[0, 0] * 255).round().numpy(), atol=1)
    only = {}
    fitted(context=make_context(artefact=only.__setitem__), **{"gan.networks": "generator"}).score(many)
    assert list(only) == ["training.png"]
    assert picture(only["training.png"]).shape[0] == 2 * 64 + 2


def test_real_images_in_files_are_reduced_for_the_generator(fitted, data):
    changes = {"views.source": "files", "views.size": 48, "gan.every": 1, "gan.size": 32}
    assert np.isfinite(fitted(**changes).score(data.anomaly)).all()


def test_the_battery_passes():
    small = {"network.width": 2, "gan.width": 1, "gan.every": 1, "score.draws": 1, "features.batch": 5}
    check_detector(get("csi_gan"), overrides=small, size=16)


def test_the_ablation_is_a_variant_without_the_encoder(make_params, make_context, data):
    info = get("csi_gan_generator_only")
    assert (info.variant_of, info.detector_id) == ("csi_gan", "csi_gan")
    detector = CSIGAN(make_params("csi_gan_generator_only", **TINY), make_context())
    detector.fit(data)
    assert set(detector.history) == {
        "loss",
        "contrast",
        "shift",
        "discriminator",
        "adversarial",
        "synthetic_csi",
        "joint_csi",
    }
    assert np.isfinite(detector.score(data.anomaly)).all()
    assert not any(name.startswith(("e.", "ld.")) for name in detector.state())


def test_it_learns_what_is_where(make_params, make_context):
    """Spec 8: a set of two colours, normal ones red over blue, anomalous ones green over red."""
    small = {
        "network.width": 4,
        "gan.width": 2,
        "gan.every": 8,
        "budget.epochs": 16,
        "batch.size": 24,
        "optim.lr": 5e-3,
    }
    detector = CSIGAN(make_params("csi_gan", "quick", **small), make_context())
    detector.fit(colours.training_data())
    assert colours.auc(detector) > 0.9
