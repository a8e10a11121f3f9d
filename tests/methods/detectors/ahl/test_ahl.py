"""AHL: worked examples of the specification, parameter counts, state, checkpoints, and its switches."""

import numpy as np
import pytest
import torch
from checkpoints import stopped
from torch import nn

from methods.checks import check_detector
from methods.detector import TrainData
from methods.detectors.ahl.adaptation import BatchLoss, MapBatch, adapted, query_gradient
from methods.detectors.ahl.detector import AHLDRA
from methods.detectors.ahl.features import FrozenTrunk, image_maps
from methods.detectors.ahl.heads import AHLHeads, DevNetHeads, DRAHeads, start_heads
from methods.detectors.ahl.importance import JudgedSamples, double_mean_risk, eq6_risk, importance_weights
from methods.detectors.ahl.params import InnerParams
from methods.detectors.ahl.tasks import clusters_of, normals_of_pairs, seen_of_task
from methods.errors import MethodError
from methods.nn.networks.pyramid import Pyramid
from methods.nn.training.losses import Criterion, FocalParams, ScoreLossParams
from methods.registry.installed import get
from methods.registry.recipe import resolve


class OneWeight(AHLHeads):
    """phi = |w x| on one channel and position, the model of the specification's first worked example."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def forward(self, maps, references=None):
        return {"score": torch.stack([(self.weight * level.flatten()).abs() for level in maps])}

    def loss(self, scores, labels, criterion, number):
        return criterion(scores["score"].mean(0), torch.from_numpy(labels > 0), number, "score")

    def total(self, scores):
        return scores["score"].mean(0)

    def base_state(self, state):
        return dict(state)


def one_batch(*values):
    maps = torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1, 1)
    return MapBatch([maps], np.array([0, 1]), None, 0)


@pytest.mark.parametrize("order", ["first", "second_first_step", "second_all"])
def test_inner_and_outer_step_by_hand(order, make_context, close):
    """Support losses 1 and 3, gradient (1 - 2) / 2 = -0.5, w = 1.0001; query loss (1.0001 + 5 - 3.0003) / 2 = 1.4999."""
    criterion = Criterion(ScoreLossParams("deviation", "exact", 5.0), FocalParams(1.0, 0.0), make_context())
    heads = OneWeight()
    loss = BatchLoss(heads, criterion)
    inner = InnerParams("sgd", 2e-4, 1, "chain", order)
    model = adapted(heads.parameters(), lambda _: one_batch(1.0, 2.0), 1, loss, inner)
    close("by hand, support", model.last_loss, 2.0)
    close("by hand, adapted", model.parameters[0], [1.0001], atol=1e-12)
    gradient, total = query_gradient(model, [one_batch(1.0, 3.0)], loss)
    close("by hand, query", total, 1.4999, atol=1e-12)
    close("by hand, gradient", model.outer_gradient(gradient)[0], [-1.0], atol=1e-12)
    assert heads.weight.item() == 1.0


class StatedConstant(Criterion):
    """The two-term example's constant c = 4: a normal reference of mean 0 and standard deviation 1."""

    def moments(self, step, head):
        return torch.tensor(0.0), torch.tensor(1.0)


@pytest.mark.parametrize(("kind", "expected"), [("two_terms", 4.13333), ("plain", 1.4)])
def test_devnets_losses_by_hand(kind, expected, ahl_params, make_context):
    """Scores 0.2, 1, 6 with labels 0, 1, 2: (2 0.2 + 4 + 0 + 2 4) / 3 in two terms, (0.2 + 4 + 0) / 3 in one."""
    heads = DevNetHeads(4, ahl_params("ahl_devnet", **{"devnet.loss": kind}))
    criterion = StatedConstant(ScoreLossParams("deviation", "exact", 5.0), FocalParams(1.0, 0.0), make_context())
    scores = {"score": torch.tensor([[0.2, 1.0, 6.0]], dtype=torch.float64)}
    assert float(heads.loss(scores, np.array([0, 1, 2]), criterion, 0)) == pytest.approx(expected, abs=1e-5)


def test_released_weights_by_hand():
    """Risks: 0.5 (0.5 / 4) + 0.5 (1 / 2) + 18 / 2 = 9.3125, and 8.3125 with seen errors of 8."""
    labels = [np.array([0, 0, 2, 1])] * 2
    errors = torch.tensor([[0.25, 0.25], [0.25, 0.25], [0.5, 0.5], [9.0, 8.0]], dtype=torch.float64)
    targets = torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=torch.float64)[:, None]
    risk = double_mean_risk([targets + errors.sqrt()] * 2, labels, 1.0)
    assert risk.tolist() == pytest.approx([9.3125, 8.3125], abs=1e-12)
    weights = importance_weights(risk)
    assert weights.tolist() == pytest.approx([0.26894, 0.73106], abs=1e-5)
    assert (0.5 + 0.5 * weights).tolist() == pytest.approx([0.63447, 0.86553], abs=1e-5)


def test_the_papers_weights_leave_out_the_normals_of_a_support_set():
    samples = JudgedSamples(np.array([0, 0, 2]), (np.arange(3),), (np.array([0, 2]), np.array([1])))
    foretold = torch.tensor([[7.0, 0.5], [0.5, 7.0], [3.0, 3.0]], dtype=torch.float64)
    # Model 1: normal 1 (0.5 0.25) and the pseudo anomaly of its support (0.5 4); model 2: normal 0 and 1.0 of 4.
    assert eq6_risk(foretold, samples, 1.0).tolist() == pytest.approx([2.125 / 2, 4.125 / 2], abs=1e-12)
    weights = importance_weights(torch.tensor([2.4375, 0.25625], dtype=torch.float64))
    assert weights.tolist() == pytest.approx([0.10145, 0.89855], abs=1e-5)


def test_released_normals_of_a_task_by_hand(make_context):
    clusters = [np.array([1, 4, 5, 8, 9, 11]), np.array([3, 7, 10]), np.array([0, 2, 6])]
    pairs = normals_of_pairs(clusters, "prefix", all_normals=False, n_normal=12, context=make_context())
    assert [part.tolist() for part in pairs[0]] == [[0, 1, 2, 3, 4, 5], [0, 1, 2]]


@pytest.mark.parametrize(("shots", "sizes"), [(1, (1, 1)), (2, (1, 1)), (3, (1, 2)), (10, (5, 5))])
def test_the_papers_sizes_of_seen_sets(shots, sizes, make_context):
    assert tuple(map(len, seen_of_task(shots, "disjoint", 0, make_context()))) == sizes


@pytest.mark.parametrize(
    ("residual", "count"), [("released_dead", 2493956), ("released_live", 2493956), ("dra", 2493956), ("none", 132611)]
)
def test_parameter_counts_on_dra(residual, count, ahl_params):
    """g_n 256 (512 + 1) + 257; g_s, g_p and a scoring layer 513 each; convolution 512 (4608 + 1), norm 1024."""
    heads = DRAHeads(512, ahl_params(**{"head.residual": residual}), "fp32")
    assert sum(value.numel() for value in heads.parameters()) == count
    assert len(list(heads.parameters())) == (8 if residual == "none" else 14)


def test_parameter_count_on_devnet(ahl_params):
    assert sum(value.numel() for value in DevNetHeads(512, ahl_params("ahl_devnet")).parameters()) == 513


@pytest.mark.parametrize("method", ["ahl_dra", "ahl_devnet"])
@pytest.mark.parametrize("recipe", ["official", "paper", "quick"])
def test_a_loaded_state_scores_the_same_and_a_stopped_fit_ends_the_same(
    method, recipe, fitted, make_params, make_context, toy_data
):
    detector = fitted(method, recipe)
    images = toy_data().normal
    scores = detector.score(images)
    loaded = type(detector)(make_params(method, recipe), make_context())
    loaded.load({name: value.clone() for name, value in detector.state().items()})
    assert np.array_equal(loaded.score(images, 2), loaded.score(images, 2))
    assert np.allclose(loaded.score(images), scores, rtol=0, atol=0)
    for steps in (1, 3, 5):
        checkpoint = stopped(lambda kept: fitted(method, recipe, {"checkpoint": kept}), steps)
        resumed = fitted(method, recipe, {"checkpoint": checkpoint})
        assert np.array_equal(resumed.score(images), scores), steps
        assert resumed.history == detector.history


def test_the_frozen_trunk_is_the_bases_and_stays(fitted, base_state):
    state, base = fitted().state(), base_state("ahl_dra")
    names = [name for name in base if name.startswith("trunk.")]
    assert names
    assert all(torch.equal(state[name], base[name]) for name in names)


def test_heads_may_start_as_the_bases(ahl_params, make_context, base_state, small_trunk):
    base = base_state("ahl_dra")
    params = ahl_params(recipe="paper", **{"head.init": "base"})
    heads = DRAHeads(16, params, "fp32")
    start_heads(heads, params, base, make_context())
    assert all(torch.equal(value, base[name]) for name, value in heads.state_dict().items())
    single = DevNetHeads(16, ahl_params("ahl_devnet"))
    start_heads(single, ahl_params("ahl_devnet", **{"head.init": "base"}), base_state("ahl_devnet"), make_context())
    assert torch.equal(single.score.weight, base_state("ahl_devnet")["head.score.weight"])
    with pytest.raises(MethodError, match="other shapes than AHL's"):
        start_heads(DRAHeads(8, params, "fp32"), params, base, make_context())


def test_without_a_base_fit_there_is_a_sentence(make_params, make_context, toy_data, small_trunk):
    with pytest.raises(MethodError, match="AHL starts from a fit of dra"):
        AHLDRA(make_params("ahl_dra"), make_context()).fit(toy_data())


def test_scoring_before_fit_is_refused(make_params, make_context, toy_data):
    with pytest.raises(MethodError, match="call fit or load first"):
        AHLDRA(make_params("ahl_dra"), make_context()).score(toy_data().normal)


def test_redrawn_references_belong_to_the_place_of_a_test_image(fitted, toy_data, make_params, make_context):
    live = {"head.residual": "dra", "reference.mode": "redraw", "reference.levels": "split"}
    detector = fitted(**live, **{"head.init": "torch_default", "reference.size": 2})
    images = toy_data().normal
    assert np.allclose(detector.score(images, 2), detector.score(images, 3), rtol=0, atol=1e-6)
    backwards = detector.score(images.select(np.arange(len(images))[::-1]), 2)[::-1]
    assert not np.allclose(detector.score(images, 2), backwards, rtol=0, atol=1e-6)
    loaded = AHLDRA(make_params("ahl_dra", **live), make_context())
    loaded.load(detector.state())
    with pytest.raises(MethodError, match=r"loaded without it: call fit, or set reference\.mode to fixed"):
        loaded.score(images)


def test_scores_depend_on_their_place_only_with_redrawn_references_that_a_live_head_reads():
    info = get("ahl_dra")
    for recipe in ("official", "paper", "quick"):
        assert info.scores_independently(resolve(info, recipe, "elpv", {}).params)
    live = resolve(info, "official", "elpv", {"head.residual": "released_live"}).params
    assert not info.scores_independently(live)
    assert "reference.mode" not in resolve(info, "official", "elpv", {}).params


SWITCHES = [
    {"features.transform": "train"},
    {"clusters.assign": "kmeans"},
    {"clusters.assign": "random"},
    {"tasks.all_normals": True},
    {"tasks.seen": "shared_support"},
    {"pseudo.share": 0.2},
    {"pseudo.kinds": "draem"},
    {"pseudo.kinds": None},
    {"pseudo.pairing": "different"},
    {"pseudo.rotation": 0.0, "pseudo.kinds": "cutpaste"},
    {"head.residual": "none"},
    {"head.n_abs": True},
    {"head.init": "torch_default"},
    {"inner.optimiser": "adam", "inner.order": "first"},
    {"inner.first_pass": "chain"},
    {"inner.order": "first"},
    {"inner.order": "second_all"},
    {"outer.when": "epoch_end"},
    {"outer.clip_norm": None},
    {"importance.kind": "none"},
    {"importance.floor": 0.0},
    {"importance.target": "margin"},
    {"importance.reduction": "eq6"},
    {"importance.state": "zero"},
    {"importance.mode": "eval"},
    {"importance.predict": "after_training"},
]


def heads_alike(first, second):
    states = (detector.network.heads.state_dict() for detector in (first, second))
    return all(torch.equal(a, b) for a, b in zip(*(state.values() for state in states), strict=False))


def test_every_switch_changes_the_heads(fitted):
    """But one: without the dead g_r the other heads are as with it."""
    plain = fitted()
    for changes in SWITCHES:
        assert heads_alike(plain, fitted(**changes)) == ("head.residual" in changes), changes


def test_what_the_estimator_learns_from_changes_the_weights_by_equation_6(fitted):
    first, second = (
        fitted(**{"importance.reduction": "eq6", "importance.data": data}) for data in ("query_sets", "training_set")
    )
    assert first.history["factor_max"] != second.history["factor_max"]


def test_history_has_a_number_an_epoch(fitted):
    history = fitted(**{"budget.epochs": 3}).history
    for name in ("loss", "inner_first", "inner_last", "gradient_norm"):
        assert len(history[name]) == 3
    # One epoch of scores before the estimator can learn.
    assert [len(history[name]) for name in ("estimator", "factor_min", "factor_max")] == [2, 2, 2]


@pytest.mark.parametrize("assign", ["kmeans", "random"])
def test_clusters_are_a_partition_in_the_order_of_their_first_members(assign, ahl_params, make_context):
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(10 * k, 1, (6, 5)) for k in (2, 0, 1)])[rng.permutation(18)]
    clusters = clusters_of(features, ahl_params(**{"clusters.assign": assign}).clusters, make_context())
    assert sorted(np.concatenate(clusters)) == list(range(18))
    assert [part[0] for part in clusters] == sorted(part[0] for part in clusters)
    if assign == "kmeans":
        assert all(np.ptp(features[part].mean(1)) < 6 for part in clusters)


def test_small_clusters_are_skipped_and_all_normals_halved_where_no_pair_is_left(make_context):
    clusters = [np.arange(9), np.array([9, 10]), np.array([11])]
    ((support, query),) = normals_of_pairs(clusters, "kmeans", all_normals=False, n_normal=12, context=make_context())
    assert (len(support), len(query)) == (6, 6)
    assert sorted([*support, *query]) == list(range(12))


def test_maps_of_a_single_image_use_its_own_statistics_and_leave_the_trunks(
    base_state, make_context, toy_data, small_trunk
):
    trunk = FrozenTrunk(base_state("ahl_dra"), "resnet18", Pyramid(2, "nearest"), make_context())
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    inputs = torch.rand(2, 3, 64, 64)
    own, usual = trunk.single_image_maps(inputs), trunk.maps(inputs)
    assert not torch.allclose(own[0], usual[0])
    assert torch.allclose(own[0][1:], trunk.single_image_maps(inputs[1:])[0])
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())
    assert torch.equal(usual[0], trunk.maps(inputs)[0])
    assert [tuple(level.shape) for level in image_maps(trunk, toy_data().normal)] == [(9, 2, 2, 16), (9, 1, 1, 16)]


def test_a_fit_without_labelled_anomalies_has_normals_and_pseudo_anomalies(
    make_params, make_context, base_state, toy_data, array_images, small_trunk
):
    data = toy_data(init=base_state("ahl_dra"))
    alone = TrainData(data.normal, array_images(np.empty((0, 64, 64, 1), np.uint8)), {}, data.init)
    small = {"batch.size": 6, "budget.epochs": 1, "budget.steps": 1, "clusters.count": 2}
    detector = AHLDRA(make_params("ahl_dra", "paper", **small), make_context())
    detector.fit(alone)
    assert np.isfinite(detector.score(data.anomaly)).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["ahl_dra", "ahl_devnet"])
def test_the_battery_passes(method):
    check_detector(get(method))


def test_the_arxiv_text_is_a_variant_with_seven_tasks():
    for base in ("dra", "devnet"):
        info = get(f"ahl_{base}_arxiv")
        params, plain = (resolve(each, "paper", "elpv", {}).params for each in (info, get(f"ahl_{base}")))
        assert {name for name in params if params[name] != plain[name]} == {
            "tasks.all_normals",
            "outer.lr",
            "importance.lr",
        }
