"""Each fault of AHL's released code: there in recipe official, gone in recipe paper."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from methods.detectors.ahl.adaptation import adapted
from methods.detectors.ahl.batches import MeanMaps
from methods.detectors.ahl.heads import DevNetHeads, DRAHeads, start_heads
from methods.detectors.ahl.importance import Foretelling, JudgedSamples, ScoreEstimator, eq6_risk
from methods.detectors.ahl.pseudo import PseudoImages
from methods.detectors.ahl.tasks import build_tasks, kinds_of_task, normals_of_pairs, seen_of_task, without_replaced
from methods.errors import MethodError
from methods.nn.data.transforms import normalise
from methods.registry.installed import get
from methods.registry.recipe import resolve


def dead_and_computed(ahl_params, make_context):
    """The dead heads as they are trained, and the same with the residual head computed after all."""
    params = ahl_params()
    heads = []
    for is_computed in (False, True):
        with make_context().seeded("test.heads"):
            made = DRAHeads(8, params, "fp32").double()
        start_heads(made, params, {}, make_context())
        made.is_dead, made.reads_references = not is_computed, is_computed
        heads.append(made)
    return heads


def random_maps(count, channels=8, sides=(7, 4), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(count, channels, side, side, generator=generator, dtype=torch.float64) for side in sides]


def test_f1_the_released_residual_head_gives_0_and_has_a_gradient_of_exactly_0(ahl_params, make_context):
    assert ahl_params().head.residual == "released_dead"
    _, heads = dead_and_computed(ahl_params, make_context)
    scores = heads(random_maps(6), random_maps(1, seed=1))
    assert scores["r"].eq(0).all()
    heads.total(scores).sum().backward()
    residual = {name: value for name, value in heads.named_parameters() if name.startswith("g_r.")}
    assert len(residual) == 6
    assert max(float(value.grad.abs().max()) for value in residual.values()) == 0.0
    assert heads.g_n.fc1.weight.grad.abs().max() > 0


def test_f1_leaving_the_dead_head_out_changes_no_score_and_no_loss(ahl_params, make_context, small_training):
    shortcut, computed = dead_and_computed(ahl_params, make_context)
    maps, references = random_maps(6), random_maps(1, seed=1)
    criterion = small_training(DRAHeads).loss.criterion
    labels = np.array([0, 0, 1, 1, 2, 2])
    first, second = shortcut(maps), computed(maps, references)
    assert torch.equal(shortcut.total(first), computed.total(second))
    assert torch.equal(shortcut.loss(first, labels, criterion, 0), computed.loss(second, labels, criterion, 0))


def test_f1_only_weight_decay_moves_the_dead_head(fitted):
    detector = fitted()
    state = detector.network.heads.state_dict()
    for name in ("conv.bias", "bn.weight", "bn.bias", "score.bias"):
        assert state[f"g_r.{name}"].eq(0).all()
    before = fitted(**{"budget.epochs": 1}).network.heads.state_dict()["g_r.conv.weight"]
    assert not torch.equal(state["g_r.conv.weight"], before)
    # Two steps with a rate of 0.002: Adam moves no weight by more than about the rate a step.
    assert float((state["g_r.conv.weight"] - before).abs().max()) <= 2 * 0.002 * 1.01


def test_f1_the_papers_residual_head_learns(fitted):
    scores = fitted(recipe="paper").network.heads
    with torch.no_grad():
        maps = [torch.rand(3, 16, 2, 2), torch.rand(3, 16, 1, 1)]
        levels = scores.eval()(maps, [level.mean(0, keepdim=True) for level in maps])
    assert levels["r"].abs().max() > 0


@pytest.mark.parametrize(("recipe", "sides"), [("official", [(4, 4), (2, 2)]), ("paper", [(14, 14), (7, 7)])])
def test_f2_the_released_residual_head_reads_fewer_positions(recipe, sides, ahl_params):
    residual = "released_live" if recipe == "official" else "dra"
    heads = DRAHeads(8, ahl_params(recipe=recipe, **{"head.residual": residual}), "fp32")
    shapes = [tuple(heads.g_r.conv(torch.zeros(1, 8, side, side)).shape[2:]) for side in (14, 7)]
    assert shapes == sides


def test_f2_at_128_pixels_the_released_residual_head_is_refused_in_a_sentence(ahl_params):
    heads = DRAHeads(8, ahl_params(**{"head.residual": "released_live"}), "fp32")
    maps = [torch.rand(1, 8, side, side) for side in (4, 2)]
    with pytest.raises(MethodError, match=r"cannot read a map of 2 x 2 positions.*set head.residual to dra or none"):
        heads(maps, maps)


def test_f3_released_clusters_are_nested_prefixes(make_context):
    clusters = [np.array([0, 3, 6]), np.array([1, 2, 4, 5, 7, 8]), np.array([9, 10, 11])]
    pairs = {}
    for assign in ("prefix", "kmeans"):
        pairs[assign] = normals_of_pairs(clusters, assign, all_normals=False, n_normal=12, context=make_context())
    for first, second in pairs["prefix"]:
        assert set(first) <= set(second) or set(second) <= set(first)
    assert {index for pair in pairs["prefix"] for part in pair for index in part} == set(range(6))
    assert all(not set(first) & set(second) for first, second in pairs["kmeans"])
    assert {index for pair in pairs["kmeans"] for part in pair for index in part} == set(range(12))


def test_f4_the_papers_seen_anomalies_of_a_task_are_disjoint(make_context):
    for task in range(20):
        support, query = seen_of_task(10, "disjoint", task, make_context())
        assert (len(support), len(query)) == (5, 5)
        assert sorted([*support, *query]) == list(range(10))
    support, query = seen_of_task(10, "shared_support", 0, make_context())
    assert (len(support), list(query)) == (5, list(range(10)))


def test_f5_kinds_of_a_task_are_one_in_the_released_code_and_two_in_the_paper(ahl_params, make_context):
    pairs = {
        recipe: {kinds_of_task(ahl_params(recipe=recipe).pseudo, task, make_context()) for task in range(200)}
        for recipe in ("official", "paper")
    }
    kinds = ("cutpaste", "cutmix_other", "draem")
    assert pairs["official"] == {(kind, kind) for kind in kinds}
    assert pairs["paper"] == {(first, second) for first in kinds for second in kinds if first != second}


@pytest.mark.parametrize(("all_normals", "count"), [(False, 6), (True, 7)])
def test_f6_the_task_of_all_normals_is_a_switch(all_normals, count, make_context):
    clusters = np.array_split(np.arange(12), 3)
    pairs = normals_of_pairs(clusters, "kmeans", all_normals=all_normals, n_normal=12, context=make_context())
    assert len(pairs) == count
    if all_normals:
        assert sorted(np.concatenate(pairs[-1])) == list(range(12))


def test_f7_the_released_first_pass_is_one_step_on_its_last_batch(small_training):
    training = small_training(DevNetHeads, "ahl_devnet", **{"inner.passes": 1, "budget.steps": 3})
    heads, batches = training.state.heads, training._batches(0, 0, 0)
    start = [value.detach().clone().requires_grad_() for value in heads.parameters()]
    gradients = torch.autograd.grad(training.loss(start, batches(2)), start)
    inner = training._params.inner
    model = adapted(heads.parameters(), batches, 3, training.loss, inner)
    for value, first, gradient in zip(model.parameters, start, gradients, strict=True):
        assert torch.allclose(value, first - 2e-4 * gradient, rtol=0, atol=1e-15)
    chained = adapted(heads.parameters(), batches, 3, training.loss, replace(inner, first_pass="chain"))
    assert not torch.allclose(chained.parameters[0], model.parameters[0], rtol=0, atol=1e-9)


def test_f7_the_released_inner_loop_has_one_step_for_the_first_pass(small_training, monkeypatch):
    counts = {}
    for first_pass in ("last_batch", "chain"):
        training = small_training(DevNetHeads, "ahl_devnet", **{"inner.passes": 3, "inner.first_pass": first_pass})
        batches, numbers = training._batches(0, 0, 0), []
        adapted(
            training.state.heads.parameters(),
            lambda index, batches=batches, numbers=numbers: numbers.append(index) or batches(index),
            20,
            training.loss,
            training._params.inner,
        )
        counts[first_pass] = len(numbers)
    assert counts == {"last_batch": 41, "chain": 60}


@pytest.mark.parametrize(("when", "moved"), [("next_epoch_start", [False, True]), ("epoch_end", [True, True])])
def test_f8_the_released_outer_step_waits_for_the_next_epoch(when, moved, small_training):
    training = small_training(DevNetHeads, "ahl_devnet", **{"outer.when": when})
    heads, seen = training.state.heads, []
    start = heads.score.weight.detach().clone()
    for epoch in range(2):
        for task in range(2):
            training.train_step(epoch * 2 + task)
        seen.append(not torch.equal(heads.score.weight, start))
    assert seen == moved
    steps = next(iter(training.optimisers["outer"].state_dict()["state"].values()))["step"]
    assert int(steps) == {"next_epoch_start": 1, "epoch_end": 2}[when]


def test_f9_the_best_test_epoch_is_refused_with_the_audit_as_the_way():
    for method in ("ahl_dra", "ahl_devnet"):
        with pytest.raises(MethodError, match="--audit-selection"):
            resolve(get(method), "official", "elpv", {"select": "best_test"})
        assert get(method).capabilities.scored_between_epochs


def test_f10_released_levels_have_references_of_their_own(small_table, ahl_params, make_context):
    chosen = {"head.residual": "released_live"}
    split = MeanMaps(small_table, ahl_params(**chosen).reference, make_context())
    assert (split.fixed, split._params.levels) == (None, "split")
    same = MeanMaps(small_table, replace(split._params, levels="same"), make_context())
    first, second = split.for_batch("batch", 0), same.for_batch("batch", 0)
    assert torch.equal(first[0], second[0])
    assert not torch.equal(first[1], second[1])
    assert not torch.equal(first[0], split.for_batch("batch", 1)[0]), "new normals for each batch"
    paper = MeanMaps(small_table, ahl_params(recipe="paper").reference, make_context())
    assert torch.equal(paper.for_batch("batch", 0)[0], paper.for_batch("batch", 1)[0])


def test_f11_two_released_predictions_of_one_input_differ(ahl_params, make_context):
    series = torch.rand(5, 7, 6)
    foretold = {}
    for recipe in ("official", "paper"):
        torch.manual_seed(0)
        params = ahl_params(recipe=recipe).importance
        foretelling = Foretelling(ScoreEstimator(6, 6, params.dropout), params, make_context())
        foretold[recipe] = [foretelling.foretell(series, [np.arange(7)], epoch)[0] for epoch in (7, 8)]
    assert not torch.allclose(*foretold["official"])
    assert torch.equal(*foretold["paper"])


@pytest.mark.parametrize(("shots", "sizes"), [(2, (1, 1)), (3, (1, 2))])
def test_f13_two_and_three_labelled_anomalies_make_tasks(shots, sizes, ahl_params, make_context):
    params = ahl_params()
    pairs = [(np.arange(4), np.arange(4, 8))]
    (task,) = build_tasks(pairs, shots, params.tasks, params.pseudo, make_context())
    assert (len(task.support.seen), len(task.query.seen)) == sizes


def test_f14_never_all_normals_of_a_set_are_replaced(make_context):
    for task in range(50):
        stay, replaced = without_replaced(np.arange(3), 0.5, task, 0, make_context())
        assert len(stay) >= 1
        assert sorted([*stay, *replaced]) == [0, 1, 2]
    stay, replaced = without_replaced(np.arange(3), 1.0, 0, 0, make_context())
    assert (list(stay), list(replaced)) == ([0], [1, 2])


def test_f15_released_textured_images_are_blue_green_red_and_not_normalised(toy_data, ahl_params, make_context):
    data = toy_data(channels=3)
    inputs = {}
    for normalised in (True, False):
        params = ahl_params(**{"draem.normalise": normalised})
        inputs[normalised] = PseudoImages(data, params, make_context()).network_input("draem", 1)
    assert ahl_params().draem.normalise is False
    assert ahl_params(recipe="paper").draem.normalise is True
    assert inputs[False].min() >= 0
    assert inputs[False].max() <= 1
    pixels = (inputs[False].flip(0) * 255).round().to(torch.uint8).permute(1, 2, 0)
    assert torch.equal(normalise(pixels[None])[0], inputs[True])


def test_f16_released_patches_of_another_image_come_from_its_own_pixels(
    toy_data, ahl_params, make_context, array_images
):
    data = toy_data(channels=3)
    native = array_images(np.full((9, 20, 100, 3), 255, np.uint8))
    images = PseudoImages(replace(data, native=native), ahl_params(**{"pseudo.rotation": 0.0}), make_context())
    inputs = torch.stack([images.network_input("cutmix_other", index) for index in range(9)])
    assert (inputs.amax((1, 2, 3)) > 2).any(), "white from the other image"
    assert (inputs.amin((1, 2, 3)) < -2).any(), "black beyond its lower edge"
    with pytest.raises(MethodError, match=r"no images of their own sizes.*set it to resized"):
        PseudoImages(data, ahl_params(), make_context()).network_input("cutmix_other", 0)


def test_f20_released_factors_sum_to_more_from_the_first_weights_on(fitted):
    official = fitted(**{"budget.epochs": 3}).history
    assert all(0.5 <= value <= 1.0 for value in official["factor_min"] + official["factor_max"])
    paper = fitted(recipe="paper", **{"budget.epochs": 3}).history
    assert all(0.0 <= value <= 1.0 for value in paper["factor_min"] + paper["factor_max"])
    # Two tasks: released factors are 0.5 + 0.5 w, so their sum is 1.5; the paper's weights sum to 1.
    low, high = (np.array(official[name]) for name in ("factor_min", "factor_max"))
    assert np.allclose(low + high, 1.5)
    assert np.allclose(np.array(paper["factor_min"]) + np.array(paper["factor_max"]), 1.0)


def test_equation_6_by_hand():
    """Model 1: (0.5 0.25 + 0.5 0.25 + 0.5 1 + 1 9) / 4 = 2.4375; model 2: (0.02 + 0.005 + 0 + 1) / 4 = 0.25625."""
    labels = np.array([0, 0, 1, 1])
    foretold = torch.tensor([[0.5, 0.2], [-0.5, 0.1], [2.0, 1.0], [4.0, 2.0]], dtype=torch.float64)
    samples = JudgedSamples(labels, (np.arange(4),), (np.array([2]), np.array([2])))
    assert eq6_risk(foretold, samples, 1.0).tolist() == pytest.approx([2.4375, 0.25625], abs=1e-12)
