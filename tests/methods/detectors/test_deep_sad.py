"""Deep SAD against the vectors of the authors' code, its formulas by hand, and its switches."""

import numpy as np
import pytest
import squares
import torch
from checkpoints import stopped
from torch import nn

from methods.checks import check_detector
from methods.detector import TrainData
from methods.detectors.deep_sad import DeepSAD, centre_of, distances, sad_losses
from methods.errors import MethodError
from methods.nn.networks import lenet
from methods.nn.params import read_params
from methods.nn.training.supervised import TrainParams, TrainSettings
from methods.registry.installed import get

LENET = {"network": "lenet_32px", "backbone": None, "pretrain.epochs": 2, "pretrain.batch": 4}


@pytest.fixture
def data(toy_data, array_images):
    """Nine normal and three anomalous images of 32 pixels."""
    parts = toy_data()
    return TrainData(*(array_images(part.pixels[:, ::2, ::2]) for part in (parts.normal, parts.anomaly)), {})


@pytest.fixture
def fitted(tiny, make_params, make_context, data):
    def build(given=None, seed=0, checkpoint=None, **changes):
        extra = {} if checkpoint is None else {"checkpoint": checkpoint}
        detector = DeepSAD(make_params("deep_sad", **(tiny | changes)), make_context(seed=seed, **extra))
        detector.fit(given or data)
        return detector

    return build


# The released code


def test_the_centre_rule_equals_the_released_code(vectors, close):
    stated = vectors("deep_sad")["centre_rule"]
    mean = torch.tensor(stated["outputs"], dtype=torch.float64).mean(0)
    close("deep_sad centre rule float64, mean", mean, stated["plain_mean"], 1e-15)
    close("deep_sad centre rule float64, centre", centre_of(mean, 0.1), stated["centre"], 1e-15)


@pytest.mark.parametrize("case", [0, 1])
def test_loss_gradient_and_scores_equal_the_released_code(case, vectors, close):
    stated, expected = vectors("deep_sad")["embeddings"], vectors("deep_sad")["cases"][case]
    codes = torch.tensor(stated["values"], dtype=torch.float64, requires_grad=True)
    squared = distances(codes, torch.tensor(stated["c"], dtype=torch.float64))
    labels = torch.tensor(stated["semi_labels"])
    losses = sad_losses(squared, labels, expected["eta"], stated["eps"])
    losses.mean().backward()
    close("deep_sad float64, loss of each image", losses, expected["per_sample"], 1e-9, 1e-12)
    close("deep_sad float64, loss", losses.mean(), expected["loss"], 1e-9, 1e-12)
    close("deep_sad float64, gradient", codes.grad, expected["gradient_wrt_embeddings"], 1e-9, 1e-12)
    close("deep_sad float64, scores", squared, expected["score"], 1e-12)


def test_learning_rates_equal_the_released_code(vectors, make_params):
    stated = vectors("deep_sad")["learning_rate"]["milestones [50]"]
    params = make_params("deep_sad", **{"optim.schedule": "once50_start", "optim.lr": stated["rates"][0]})
    rates = [TrainSettings.from_params(read_params(TrainParams, params)).learning_rate(epoch) for epoch in range(150)]
    first = stated["first_epoch_with_reduced_rate"]
    assert rates == pytest.approx([stated["rates"][epoch >= first] for epoch in range(150)], rel=1e-14)


# By hand


def test_the_recipe_holds_the_differences_and_the_settings_of_dra(make_params):
    info = get("deep_sad")
    table = {"network": "D53", "normal_label": "D54", "optim.lr": "D5", "optim.schedule": "D6"}
    assert {name: param.diff for name, param in info.params.items() if name in table} == table
    explained = [param.note for param in info.params.values() if param.assumption]
    assert len(explained) == 11
    assert all(explained)
    official, paper, quick = (make_params("deep_sad", recipe) for recipe in ("official", "paper", "quick"))
    assert {name: (official[name], paper[name]) for name in official if official[name] != paper[name]} == {
        "optim.lr": (2e-4, 1e-3),
        "optim.weight_decay": (1e-5, 1e-2),
        "optim.schedule": ("step10_start", "step10_end"),
    }
    assert {name: quick[name] for name in official if official[name] != quick[name]} == {
        "img_size": 128,
        "batch.size": 24,
        "batch.seen": 12,
        "budget.epochs": 5,
        "budget.steps": 10,
        "pretrain.epochs": 5,
        "optim.schedule": "constant",
    }
    assert info.assumed


def test_the_three_kinds_of_loss_by_hand():
    # Spec 8, d = 4, eta = 1, eps = 1e-6: unlabelled 4, labelled normal 4.000001, anomaly 1 / 4.000001 = 0.24999994.
    losses = sad_losses(torch.full((3,), 4.0, dtype=torch.float64), torch.tensor([0, 1, -1]), 1.0, 1e-6)
    assert losses.tolist() == pytest.approx([4.0, 4.000001, 0.24999994], abs=5e-9)
    doubled = sad_losses(torch.full((3,), 4.0, dtype=torch.float64), torch.tensor([0, 1, -1]), 2.0, 1e-6)
    assert doubled.tolist() == pytest.approx([4.0, 8.000002, 0.49999988], abs=1e-8)


def test_a_distance_is_squared():
    # (3 - 0)^2 + (5 - 1)^2 = 25.
    assert distances(torch.tensor([[3.0, 5.0]]), torch.tensor([0.0, 1.0])).tolist() == [25.0]


def test_an_anomaly_on_the_centre_has_a_finite_loss_and_gradient():
    squared = torch.zeros(3, requires_grad=True)
    sad_losses(squared, torch.tensor([0, 1, -1]), 1.0, 1e-6).sum().backward()
    assert squared.grad.tolist() == pytest.approx([1.0, 1.0, -1e12], rel=1e-5)


def test_parameter_counts(make_params, make_context):
    # Trunk 11,176,512; 512 * 128 = 65,536. LeNet: 25 (3*32 + 32*64 + 64*128) + 2048 * 128 = 520,544, and no bias.
    def network(**changes):
        return DeepSAD(make_params("deep_sad", **changes), make_context()).new_network()

    counts = {
        name: sum(p.numel() for p in network(**changes).parameters())
        for name, changes in {"128": {}, "512": {"network": "resnet18_512"}, "lenet": LENET}.items()
    }
    assert counts == {"128": 11_242_048, "512": 11_176_512, "lenet": 520_544}
    assert network().encoder.project.bias is None
    assert [len(network(**changes).centre) for changes in ({}, {"network": "resnet18_512"}, LENET)] == [128, 512, 128]


def test_the_lenet_and_its_decoder_fit_together():
    codes = lenet.LeNet()(torch.rand(2, 3, 32, 32))
    assert codes.shape == (2, 128)
    pixels = lenet.LeNetDecoder()(codes)
    assert pixels.shape == (2, 3, 32, 32)
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    assert not any(isinstance(module, nn.BatchNorm2d) and module.affine for module in lenet.LeNet().modules())


# The centre


def test_the_centre_is_the_mean_of_the_normals_before_training(fitted, make_params, make_context, tiny, data):
    changes = {"centre.augment": "test", "centre.least": 0.001}
    fresh = DeepSAD(make_params("deep_sad", **(tiny | changes)), make_context()).new_network().eval()
    with torch.no_grad():
        codes = {
            name: fresh.encoder(torch.tensor(images.pixels))
            for name, images in {"normal": data.normal, "anomaly": data.anomaly}.items()
        }
    centre = fitted(**changes).network.centre
    torch.testing.assert_close(centre, centre_of(codes["normal"].mean(0), 0.001))
    of_all = fitted(**changes, **{"centre.images": "all"}).network.centre
    torch.testing.assert_close(of_all, centre_of(torch.cat(list(codes.values())).mean(0), 0.001))
    rotated = fitted(**{"centre.least": 0.001}).network.centre
    assert not torch.allclose(rotated, centre)
    # Twelve images in batches of five: two images belong to no full batch.
    cut = fitted(**changes, **{"centre.images": "all_full_batches", "batch.size": 5}).network.centre
    assert not torch.allclose(cut, of_all)
    even = fitted(**changes, **{"centre.images": "all_full_batches", "batch.size": 6}).network.centre
    torch.testing.assert_close(even, of_all)


def test_no_component_of_the_centre_is_near_zero(fitted):
    assert fitted().network.centre.abs().min() >= 0.1
    assert fitted(**{"centre.least": 0.0}).network.centre.abs().min() < 0.1


def test_the_centre_is_not_trained(fitted):
    assert torch.equal(fitted().network.centre, fitted(**{"budget.epochs": 7}).network.centre)


def test_the_centre_leaves_batch_norm_alone(fitted):
    """Nine normals go through the network before training; only the two steps may move its running statistics."""
    network = fitted().network
    assert int(network.encoder.trunk.bn1.num_batches_tracked) == 2
    frozen = fitted(**{"batch_norm.frozen": True}).network.encoder.trunk.bn1
    assert int(frozen.num_batches_tracked) == 0
    assert not torch.equal(frozen.weight, torch.ones_like(frozen.weight))


# The fit


def test_history_has_the_parts_of_the_loss_and_the_spread_of_the_normals(fitted):
    history = fitted().history
    assert set(history) == {"loss", "normal", "anomaly", "normal_variance"}
    assert history["loss"] == pytest.approx([a + b for a, b in zip(history["normal"], history["anomaly"], strict=True)])
    assert min(history["normal_variance"]) > 0


def test_without_labelled_anomalies_it_is_one_class(fitted, data, array_images):
    detector = fitted(TrainData(data.normal, array_images(np.empty((0, 32, 32, 1), np.uint8)), {}))
    assert set(detector.history["anomaly"]) == {0.0}
    assert np.isfinite(detector.score(data.anomaly)).all()


def test_no_normal_image_is_refused_in_one_line(fitted, data, array_images):
    with pytest.raises(MethodError, match="there are no normal training images to take the centre of"):
        fitted(TrainData(array_images(np.empty((0, 32, 32, 1), np.uint8)), data.anomaly, {}))


def test_shuffled_epochs_are_full_passes_without_the_rest(fitted, data):
    """Twelve images in batches of five: two steps an epoch where none are named."""
    changes = {"batch.sampling": "shuffled", "batch.size": 5, "budget.steps": None}
    tracked = fitted(**changes, **{"budget.epochs": 3}).network.encoder.trunk.bn1.num_batches_tracked
    assert int(tracked) == 6
    larger = fitted(**(changes | {"batch.size": 100, "budget.epochs": 1})).network.encoder.trunk.bn1
    assert int(larger.num_batches_tracked) == 1


SWITCHES = {
    "network": "resnet18_512",
    "batch_norm.frozen": True,
    "centre.images": "all",
    "centre.augment": "test",
    "centre.least": 0.5,
    "loss.eta": 3.0,
    "loss.eps": 0.5,
    "batch.size": 7,
    "batch.seen": 3,
    "batch.sampling": "shuffled",
    "optim.lr": 1e-3,
    "optim.weight_decay": 0.1,
    "optim.clip_norm": 0.01,
    "budget.steps": None,
    "augment.rotation": 0.0,
}
PLAIN = []


@pytest.mark.parametrize("name", SWITCHES)
def test_every_switch_changes_the_scores(name, fitted, data):
    if not PLAIN:
        PLAIN.append(fitted().score(data.anomaly))
    switched = fitted(**{name: SWITCHES[name]}).score(data.anomaly)
    assert np.isfinite(switched).all()
    assert not np.allclose(PLAIN[0], switched, rtol=1e-6, atol=0)


def test_the_label_of_normals_matters_with_eta(fitted, data):
    zero, one = (fitted(**{"loss.eta": 3.0, "normal_label": label}).score(data.anomaly) for label in (0, 1))
    assert not np.allclose(zero, one, rtol=1e-6, atol=0)


def test_scores_do_not_depend_on_the_batch_and_survive_loading(fitted, make_params, make_context, tiny, data):
    detector = fitted()
    scores = detector.score(data.normal)
    order = np.arange(9)[::-1]
    np.testing.assert_allclose(detector.score(data.normal.select(order))[order], scores, rtol=1e-4)
    loaded = DeepSAD(make_params("deep_sad", **tiny), make_context(seed=3))
    loaded.load(detector.state())
    np.testing.assert_array_equal(loaded.score(data.normal), scores)


def test_same_seed_same_scores_other_seed_other_scores(fitted, data):
    first, again, other = (fitted(seed=seed).score(data.normal) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_one_labelled_anomaly_is_enough(fitted, data, array_images):
    one = TrainData(data.normal, array_images(data.anomaly.pixels[:1]), {})
    assert np.isfinite(fitted(one).score(data.anomaly)).all()


# The authors' network


def test_the_auto_encoder_is_trained_first(fitted):
    with_it, without = fitted(**LENET), fitted(**(LENET | {"pretrain.epochs": 0}))
    assert len(with_it.history["pretrain_loss"]) == 2
    assert "pretrain_loss" not in without.history
    assert not torch.equal(with_it.network.centre, without.network.centre)
    # Twelve images in batches of four, two passes; then the two steps of the fit itself.
    assert int(with_it.network.encoder.net.norms[0].num_batches_tracked) == 6 + 2


@pytest.mark.parametrize(("step", "phase"), [(4, "pretrain"), (6, "distances")])
def test_a_fit_that_was_killed_goes_on_to_the_same_in_either_training(step, phase, fitted):
    whole, saved = fitted(**LENET), stopped(lambda checkpoint: fitted(checkpoint=checkpoint, **LENET), step)
    assert saved.saved["phase"] == phase
    resumed = fitted(checkpoint=saved, **LENET)
    assert resumed.history == whole.history
    assert all(torch.equal(tensor, whole.state()[name]) for name, tensor in resumed.state().items())


def test_the_authors_network_takes_images_of_32_pixels_alone(fitted, toy_data):
    with pytest.raises(MethodError, match=r"takes images of 32 pixels: --set deep_sad\.img_size=32"):
        fitted(toy_data(), **LENET)


def test_network_and_backbone_must_go_together(fitted, make_params):
    with pytest.raises(MethodError, match=r"lenet_32px takes no backbone: pass --set deep_sad\.backbone=none"):
        fitted(network="lenet_32px")
    with pytest.raises(MethodError, match=r"resnet18_128 takes a backbone: pass --set deep_sad\.backbone=resnet18"):
        fitted(backbone=None)
    info = get("deep_sad")
    assert info.backbones(make_params("deep_sad", backbone=None)) == ()
    assert info.backbones(make_params("deep_sad")) == ("resnet18",)


@pytest.mark.parametrize("changes", [{}, LENET])
def test_the_battery_passes(changes, small_trunk):
    check_detector(get("deep_sad"), overrides=changes)


def test_it_learns_to_find_bright_squares(small_trunk, make_params, make_context):
    detector = DeepSAD(make_params("deep_sad", "quick", **{"optim.lr": 1e-2}), make_context())
    detector.fit(squares.training_data())
    assert squares.auc(detector) > 0.75
