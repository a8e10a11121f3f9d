"""DRA's ablations: heads left out, other pseudo anomalies, references and losses, fine-tuning on a target."""

import math

import numpy as np
import pytest
import squares
import torch

from methods.checks import check_detector
from methods.detectors.dra.detector import DRA, DRANetwork, DRAParams, head_losses, total_score
from methods.nn.data.samplers import NORMAL, PSEUDO, SEEN
from methods.nn.params import read_params
from methods.nn.training.losses import Criterion
from methods.registry import installed
from methods.registry.recipe import resolve

OVERRIDES = {
    "dra1a": {"heads": "s", "batch.pseudo_prob": 0.0, "pseudo.source": "cutmix"},
    "dra2a": {"heads": "s,p"},
    "dra3ar": {"heads": "s,p,r"},
    "dra3an": {"heads": "s,p,n"},
    "dra_cutmix": {"pseudo.source": "cutmix"},
    "dra_cp_scar": {"pseudo.source": "cp_scar"},
    "dra_cp_mix": {"pseudo.source": "cp_mix"},
    "dra_mvtec_ad": {"pseudo.source": "mvtec_ad"},
    "dra_lag": {"pseudo.source": "lag"},
    "dra_nr1": {"reference.size": 1},
    "dra_nr10": {"reference.size": 10},
    "dra_bce": {"loss.kind": "bce"},
    "dra_focal": {"loss.kind": "focal"},
    "dra_bce_signed": {"loss.kind": "bce", "head.abs": False, "g_n.abs": False},
    "dra_focal_signed": {"loss.kind": "focal", "head.abs": False, "g_n.abs": False},
}


@pytest.fixture
def fitted(make_params, make_context, tiny):
    def build(data, method="dra", seed=0, **changes):
        detector = DRA(make_params(method, **(tiny | changes)), make_context(seed=seed))
        detector.fit(data)
        return detector

    return build


def test_variants_are_dra_but_for_what_they_name():
    dra = installed.get("dra")
    found = {name: info for name, info in installed.methods().items() if info.variant_of == "dra"}
    assert {name: info.overrides for name, info in found.items()} == OVERRIDES
    for recipe in ("official", "paper", "quick"):
        for name, info in found.items():
            assert resolve(info, recipe, "elpv", {}).params == resolve(dra, recipe, "elpv", OVERRIDES[name]).params
    assert len({info.title for info in found.values()} | {dra.title}) == len(found) + 1


@pytest.mark.parametrize(
    ("dataset", "twin", "pools"),
    [("carpet", "dra_cutmix", ()), ("elpv", "dra_cutmix", ()), ("hyper_kvasir", "dra_lag", ("lag",))],
)
def test_one_source_of_pseudo_anomalies_is_dras_own(dataset, twin, pools):
    dra = resolve(installed.get("dra"), "official", dataset, {}).params
    same = [
        name
        for name, info in installed.methods().items()
        if info.variant_of == "dra" and resolve(info, "official", dataset, {}).params == dra
    ]
    assert same == [twin]
    assert installed.get("dra").pools(dra) == pools


@pytest.mark.parametrize(
    ("method", "pools"), [("dra_mvtec_ad", ("mvtec_ad",)), ("dra_lag", ("lag",)), ("dra_cp_mix", ()), ("dra1a", ())]
)
@pytest.mark.parametrize("dataset", ["carpet", "head_ct", "brain_mri@released_loader"])
def test_pools_follow_the_variant_on_medical_sets_too(method, pools, dataset):
    info = installed.get(method)
    assert info.pools(resolve(info, "official", dataset, {}).params) == pools


# Spec 2.7's levels of (n, s, p, r): (4, 1, 2, 3) and (2, 3, 0, 1), so the means are (3, 2, 1, 2).
@pytest.mark.parametrize(("method", "score"), [("dra1a", 2), ("dra2a", 3), ("dra3ar", 5), ("dra3an", 0), ("dra", 2)])
@pytest.mark.usefixtures("small_trunk")
def test_the_score_of_each_variant(method, score, make_params, make_context):
    levels = {"n": [4, 2], "s": [1, 3], "p": [2, 0], "r": [3, 1]}
    letters = DRANetwork(read_params(DRAParams, make_params(method)), make_context()).letters
    assert total_score({h: torch.tensor(levels[h]).float()[:, None] for h in letters}).tolist() == [score]


@pytest.mark.parametrize(
    ("method", "counts"),
    [
        ("dra1a", {"g_s": 513}),
        ("dra2a", {"g_s": 513, "g_p": 513}),
        ("dra3ar", {"g_s": 513, "g_p": 513, "g_r": 2_361_345}),
        ("dra3an", {"g_s": 513, "g_p": 513, "g_n": 131_585}),
    ],
)
def test_only_the_heads_of_the_variant_are_built(method, counts, make_params, make_context):
    network = DRANetwork(read_params(DRAParams, make_params(method)), make_context())
    found = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert found == {"trunk": 11_176_512} | counts


@pytest.mark.parametrize(
    ("method", "images"), [("dra2a", 6), ("dra3an", 6), ("dra3ar", 11), ("dra_nr1", 7), ("dra_nr10", 16)]
)
def test_references_pass_the_trunk_only_where_a_head_needs_them(method, images, fitted, toy_data, monkeypatch):
    seen = []
    maps = DRANetwork.maps
    monkeypatch.setattr(DRANetwork, "maps", lambda network, batch: seen.append(len(batch)) or maps(network, batch))
    fitted(toy_data(), method)
    assert seen == [images, images]


def test_one_head_alone_is_given_no_pseudo_anomalies(fitted, toy_data, monkeypatch):
    labels = []

    def recording(scores, drawn, criterion, step):
        labels.append(sorted(drawn.tolist()))
        return head_losses(scores, drawn, criterion, step)

    monkeypatch.setattr("methods.detectors.dra.detector.head_losses", recording)
    fitted(toy_data(), "dra1a")
    assert labels == [[NORMAL] * 4 + [SEEN] * 2] * 2
    labels.clear()
    fitted(toy_data(), "dra1a", **{"batch.pseudo_prob": 1.0})
    assert labels == [[SEEN] * 2 + [PSEUDO] * 4] * 2


@pytest.mark.usefixtures("small_trunk")
@pytest.mark.parametrize(
    ("head", "reached"),
    [
        ("s", {NORMAL, SEEN}),
        ("p", {NORMAL, PSEUDO}),
        ("r", {NORMAL, SEEN, PSEUDO}),
        ("n", {NORMAL, SEEN, PSEUDO}),
    ],
)
@pytest.mark.parametrize("loss", ["deviation", "bce", "focal"])
def test_a_heads_loss_reaches_only_the_images_it_learns_from(head, reached, loss, make_params, make_context):
    """Gradients on the batch's pixels; batch norm by running statistics, since batch statistics tie images together."""
    changes = {"loss.kind": loss, "g_n.abs": False, "head.abs": False}
    params = read_params(DRAParams, make_params("dra", **changes))
    network = DRANetwork(params, make_context()).eval()
    images = torch.rand(11, 3, 64, 64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    labels = np.array([NORMAL, NORMAL, SEEN, SEEN, PSEUDO, PSEUDO])
    losses = head_losses(network(images, 5), labels, Criterion(params.loss, params.focal, make_context()), 0)
    losses[f"g_{head}"].backward()
    strengths = images.grad.abs().sum((1, 2, 3))
    assert {label for label in (NORMAL, SEEN, PSEUDO) if strengths[5:][labels == label].any()} == reached
    assert bool(strengths[:5].any()) == (head == "r"), "references are the residual head's alone"
    trained = {name.split(".")[0] for name, p in network.named_parameters() if p.grad is not None and p.grad.any()}
    assert trained == {"trunk", f"g_{head}"}


# Spec 2.10's worked numbers at logits 2 and 0; ln(1 + e^2) = 2.12693, ln(1 + e^-2) = 0.12693, ln 2 = 0.69315.
@pytest.mark.parametrize(
    ("kind", "normal", "anomalous", "at_zero"),
    [("bce", 2.12693, 0.12693, 0.69315), ("focal", 1.65008, 0.00180, 0.17329)],
)
def test_losses_of_all_four_heads_by_hand(kind, normal, anomalous, at_zero, make_params, make_context):
    labels = np.array([NORMAL, SEEN, PSEUDO])
    params = read_params(DRAParams, make_params(f"dra_{kind}"))
    criterion = Criterion(params.loss, params.focal, make_context())
    # Level scores 1 and 3: the loss is of their mean, 2.
    levels = {head: torch.tensor([[1.0], [3.0]], dtype=torch.float64).expand(2, 3) for head in "nspr"}
    found = {name: loss.item() for name, loss in head_losses(levels, labels, criterion, 0).items()}
    assert found == pytest.approx(
        {
            "g_n": (anomalous + 2 * normal) / 3,
            "g_s": (normal + anomalous) / 2,
            "g_p": (normal + anomalous) / 2,
            "g_r": (normal + 2 * anomalous) / 3,
        },
        abs=2e-5,
    )
    levels = {head: torch.zeros(2, 3, dtype=torch.float64) for head in "nspr"}
    for loss in head_losses(levels, labels, criterion, 0).values():
        assert loss.item() == pytest.approx(at_zero, abs=1e-5)


@pytest.mark.usefixtures("small_trunk")
@pytest.mark.parametrize(
    ("method", "signed"), [("dra_bce", False), ("dra_bce_signed", True), ("dra_focal_signed", True)]
)
def test_scores_have_a_sign_only_in_the_signed_variants(method, signed, make_params, make_context):
    """D42: with absolute scores the logit of a normal is at least 0, so its BCE is at least ln 2."""
    network = DRANetwork(read_params(DRAParams, make_params(method)), make_context()).eval()
    with torch.no_grad():
        for letter in network.letters:
            head = network.head(letter)
            last = head.fc2 if letter == "n" else head.score
            last.bias.fill_(-50.0)
        scores = network(torch.rand(11, 3, 64, 64), 5)
    for levels in scores.values():
        assert bool((levels < 0).all()) == signed
        if not signed:
            assert (torch.nn.functional.softplus(levels) >= math.log(2)).all()


@pytest.mark.parametrize("method", ["dra1a", "dra3an", "dra_cp_mix", "dra_focal"])
def test_bright_squares_are_found(method, fitted):
    budget = {"batch.size": 12, "batch.seen": 4, "budget.steps": 30, "optim.lr": 1e-2}
    detector = fitted(squares.training_data(), method, **budget, **{"reference.test_mode": "fixed_after_training"})
    assert squares.auc(detector) > 0.8


@pytest.mark.usefixtures("small_trunk")
@pytest.mark.parametrize("method", ["dra1a", "dra3an", "dra_cp_mix", "dra_mvtec_ad"])
def test_the_battery_passes(method):
    check_detector(installed.get(method))


def test_sources_of_pseudo_anomalies_give_other_scores(fitted, toy_data):
    data = toy_data(pools=["lag", "mvtec_ad"])
    data.pools["lag"] = type(data.normal)(255 - data.pools["lag"].pixels)
    names = ["dra_cutmix", "dra_cp_scar", "dra_cp_mix", "dra_mvtec_ad", "dra_lag"]
    scores = [fitted(data, name, **{"optim.lr": 1e-2}).score(data.anomaly) for name in names]
    switched = ({"cp_mix.mode": "sequential"}, {"cp_scar.scale": "relative_256"}, {"cp_scar.angle": 5.0})
    scores += [fitted(data, "dra_cp_mix", **{"optim.lr": 1e-2}, **own).score(data.anomaly) for own in switched]
    assert np.isfinite(scores).all()
    assert len({tuple(row) for row in np.round(scores, 9)}) == len(scores)


def target_of(data, array_images):
    """The normals of `data` alone, to start from the state in it."""
    none = array_images(np.empty((0, *data.normal.pixels.shape[1:]), np.uint8))
    return type(data)(data.normal, none, {}, data.init)


@pytest.fixture
def tuned(fitted, toy_data, array_images):
    """A source fit's state, and that of a fit on normals that starts from it; the rate moves weights by at most 1e-3."""

    def build(**changes):
        source = fitted(toy_data(), **{name: value for name, value in changes.items() if name == "heads"})
        start = {name: value.clone() for name, value in source.state().items()}
        target = target_of(toy_data(init=source.state()), array_images)
        detector = fitted(target, seed=5, **{"optim.lr": 2.5e-4}, **changes)
        assert np.isfinite(detector.score(target.normal)).all()
        return start, detector.state()

    return build


def moved(start, end):
    """By part of the network the largest change of a weight."""
    parts = {}
    for name, value in end.items():
        if name.endswith(("weight", "bias")):
            part = name.split(".")[0]
            parts[part] = max(parts.get(part, 0.0), float((value - start[name]).abs().max()))
    return parts


def test_fine_tuning_starts_from_all_weights_and_teaches_all_heads(tuned):
    parts = moved(*tuned())
    assert set(parts) == {"trunk", "g_n", "g_s", "g_p", "g_r"}
    assert all(0 < change < 1e-3 for change in parts.values())


def test_frozen_g_s_keeps_the_sources_weights_and_the_others_learn(tuned):
    parts = moved(*tuned(**{"finetune.freeze_g_s": True}))
    assert parts.pop("g_s") == 0.0
    assert all(0 < change < 1e-3 for change in parts.values())


def test_frozen_g_s_still_teaches_the_trunk(tuned):
    parts = moved(*tuned(heads="s", **{"finetune.freeze_g_s": True}))
    assert parts["g_s"] == 0.0
    assert parts["trunk"] > 1e-6


def test_reset_heads_are_those_of_a_new_fit_and_the_trunk_is_the_sources(tuned, make_params, make_context):
    start, end = tuned(**{"finetune.reset_heads": True})
    parts = moved(start, end)
    assert 0 < parts.pop("trunk") < 1e-3
    assert min(parts.values()) > 1e-2
    fresh = DRANetwork(read_params(DRAParams, make_params("dra")), make_context(seed=5)).state_dict()
    of_heads = {name: value for name, value in end.items() if name.startswith("g_")}
    assert all(0 < change < 1e-3 for change in moved(fresh, of_heads).values())


def test_g_s_sees_only_normals_on_a_target(fitted, toy_data, array_images, monkeypatch):
    seen = []

    def recording(scores, labels, criterion, step):
        seen.append(set(labels.tolist()))
        return head_losses(scores, labels, criterion, step)

    monkeypatch.setattr("methods.detectors.dra.detector.head_losses", recording)
    source = fitted(toy_data())
    seen.clear()
    fitted(target_of(toy_data(init=source.state()), array_images), **{"batch.size": 24})
    assert seen == [{NORMAL, PSEUDO}] * 2


def test_an_ordinary_fit_needs_no_parameter_of_the_fine_tuning(make_params, make_context, tiny, toy_data):
    params = {name: value for name, value in make_params("dra", **tiny).items() if not name.startswith("finetune.")}
    detector = DRA(params, make_context())
    detector.fit(toy_data())
    assert detector.history["loss"]
