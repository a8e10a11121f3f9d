"""AHL against the vectors of the authors' code: heads, epochs with their outer step, estimator, weights, tasks, patches."""

import math
from dataclasses import replace
from itertools import starmap

import numpy as np
import pytest
import torch

from methods.detectors.ahl.adaptation import adapted
from methods.detectors.ahl.batches import slots
from methods.detectors.ahl.features import MapTable
from methods.detectors.ahl.heads import DevNetHeads, DRAHeads
from methods.detectors.ahl.importance import Foretelling, ScoreEstimator, double_mean_risk, importance_weights
from methods.detectors.ahl.params import AHLParams
from methods.detectors.ahl.tasks import MetaTask, TaskSet, normals_of_pairs, seen_of_task
from methods.detectors.ahl.training import CollaborativeTraining
from methods.detectors.dra.detector import mean_maps
from methods.nn.params import read_params
from methods.nn.pseudo_anomalies.cutmix import Jitter, Paste, rectangle
from methods.nn.pseudo_anomalies.two_images import pasted_from
from methods.nn.training.losses import Criterion

SIDES = (7, 4)
REFERENCES = ([100, 101, 102, 103, 104], [105, 106, 107, 108, 109])


@pytest.fixture
def ahl(vectors):
    return vectors("ahl")


def maps(numbers, dtype=torch.float64):
    """The map formula of the vectors: levels (n, 512, h, w)."""
    levels = []
    for level, side in enumerate(SIDES):
        k = torch.tensor(numbers, dtype=torch.float64)[:, None, None, None]
        c = torch.arange(512, dtype=torch.float64)[:, None, None]
        i, j = torch.arange(side, dtype=torch.float64)[:, None], torch.arange(side, dtype=torch.float64)
        values = 1 + torch.sin(0.37 * k + 1.3 * c + 0.9 * level + 0.61 * i + 0.23 * (k + 1) * j + 0.0131 * c * k)
        levels.append(values.to(dtype))
    return levels


def references(numbers_by_level):
    return [mean_maps(maps(numbers))[level] for level, numbers in enumerate(numbers_by_level)]


def read(make_params, method, **changes):
    return read_params(AHLParams, make_params(method, **changes))


@pytest.fixture
def dra_heads(make_params, fill_network, ahl):
    """The released heads with a live norm, as the vectors fill them."""
    params = read(make_params, "ahl_dra", **{"head.residual": "released_live"})
    return fill_network(DRAHeads(512, params, "fp32"), ahl["fill"]["tensors"])


@pytest.fixture
def devnet_heads(make_params, fill_network, ahl):
    entries = [
        entry | {"shape": [1, 512, 1, 1], "fan_in": 512, "gain": 1.0}
        if entry["kind"] == "weight"
        else entry | {"shape": [1]}
        for entry in ahl["cdl_devnet"]["fill"]
    ]
    return fill_network(DevNetHeads(512, read(make_params, "ahl_devnet")), entries)


class StatedReference(Criterion):
    """The deviation loss with the vectors' stand-in for the normal draws, which differs by DRA's heads."""

    vector_moments = None

    def moments(self, step, head):
        return self.vector_moments("nspr".index(head) if head in "nspr" else 0)


@pytest.fixture
def criterion(make_params, make_context, vector_moments):
    loss = read(make_params, "ahl_dra").loss
    stated = StatedReference(loss.score_loss, loss.unused_focal, make_context())
    stated.vector_moments = vector_moments
    return stated


def test_the_maps_are_those_of_the_vectors(ahl, close):
    for number, sums in ahl["maps"]["sums"].items():
        for level, (total, squares) in zip(maps([int(number)]), sums, strict=True):
            close("maps, sums", [level.sum(), level.square().sum()], [total, squares], atol=1e-8)


@pytest.mark.parametrize("case", ["references_split", "references_same"])
def test_heads_equal_the_released_ones(case, dra_heads, ahl, close):
    expected = ahl["heads"][case]
    numbers = [expected["references_level_0"], expected["references_level_1"]]
    with torch.no_grad():
        scores = dra_heads(maps(expected["test_k"]), references(numbers))
    for letter, levels in scores.items():
        close("heads, levels", levels, expected["per_level"][f"g_{letter}"])
        close("heads, means", levels.mean(0), expected["mean"][f"g_{letter}"])
    close("heads, scores", dra_heads.total(scores), expected["score"])


def test_devnets_head_equals_the_released_one(devnet_heads, ahl, close):
    expected = ahl["cdl_devnet"]
    with torch.no_grad():
        scores = devnet_heads(maps(expected["test_k"]))
    close("devnet head, levels", scores["score"], expected["per_level"])
    close("devnet head, scores", devnet_heads.total(scores), expected["mean"])


@pytest.fixture
def identity_permutations(monkeypatch):
    monkeypatch.setattr(torch, "randperm", lambda size, **_: torch.arange(size))


class StatedTraining(CollaborativeTraining):
    """The released epoch with the vectors' tasks, maps, references and moments, and the estimator's stated states."""

    def __init__(self, heads, sets, params, context, criterion, *, fill=None, fixed=None):
        numbers = sorted({number for pair in sets for part in pair for number, _ in part})
        labels = {number: label for pair in sets for part in pair for number, label in part}
        normal, seen, pseudo = ([k for k in numbers if labels[k] == label] for label in (0, 1, 2))
        levels = [level.permute(0, 2, 3, 1).contiguous() for level in maps([*normal, *seen, *pseudo])]
        first = len(normal) + len(seen)
        rows = {("stated", number): first + number for number in range(len(pseudo))}
        table = MapTable(levels, len(normal), len(seen), rows)

        def task_set(part):
            groups = [[k for k, label in part if label == wanted] for wanted in (0, 1, 2)]
            places = [np.array([group.index(k) for k in chosen], np.int64)
                      for chosen, group in zip(groups, (normal, seen, pseudo), strict=True)]  # fmt: skip
            return TaskSet(places[0], places[1], places[2], "stated")

        self._fixed, self._fill, self._calls = fixed, fill, 0
        super().__init__(heads, table, [MetaTask(*map(task_set, pair)) for pair in sets], params, context)
        self.loss = replace(self.loss, criterion=criterion)
        if self.references:
            self.references.fixed = fixed

    def _new_foretelling(self):
        if self._fill is None:
            return super()._new_foretelling()
        estimator = self._fill(ScoreEstimator(6, 6, 0.0))
        return StatedStates(estimator, self._params.importance, self._context)


class StatedStates(Foretelling):
    """Initial states by the vectors' formula, in training and when it predicts."""

    def initial_states(self, count, stream, *step):
        z, d, n, u = (torch.arange(size, dtype=torch.float64) for size in (2, 4, count, 6))
        phase = 0.6 * z[:, None, None, None] + 0.9 * d[:, None, None] + 0.37 * n[:, None] + 1.1 * u
        return 0.5 + 0.45 * torch.sin(phase)


def cdl_params(make_params, method, **changes):
    small = {"batch.size": 6, "budget.steps": 2, "budget.epochs": 2, "importance.kind": "none"} | changes
    return read(make_params, method, **small)


def released_training(heads, vector, params, context, criterion, fixed=None):
    stored = vector["settings"]["stored_sets_k_label"] if isinstance(vector["settings"], dict) else vector["sets"]
    sets = [*zip(stored["support"], stored["query"], strict=True)]
    return StatedTraining(heads, sets, params, context, criterion, fixed=fixed)


def check_epoch(training, expected, clip_log, close, check_state):
    """Epoch 0 and the step at the start of epoch 1; every support and query unit is compared on the way."""
    tasks = [training.train_step(step) for step in range(training.tasks)]
    for losses, task in zip(tasks, expected["tasks"], strict=True):
        close("epoch, first inner loss", losses["inner_first"], task["first_pass"][-1]["loss"])
        close("epoch, last inner loss", losses["inner_last"], task["pass_2"][-1]["loss"])
        total = sum(unit["loss"] for unit in task["query_after_pass_2"])
        close("epoch, query loss", losses["loss"] * 2, total)
    close("epoch, outer loss", sum(losses["loss"] * 2 for losses in tasks) / 2, expected["outer_loss"])
    training._outer_step(1)
    gradient = expected["gradient"]
    (log,) = clip_log
    close("gradient, total", log["total"], gradient["total_norm_before_clip"], atol=1e-12, rtol=1e-9)
    for name, norm, total in zip(training.state.heads.state_dict(), log["norms"], log["sums"], strict=True):
        close("gradient, norms", norm, gradient["norm_per_tensor"][name], atol=1e-9, rtol=1e-9)
        close("gradient, sums", total, gradient["sum_per_tensor"][name], atol=1e-8)
    rows = [(name, *sums) for name, sums in expected["after_outer_step"].items()]
    check_state("outer step", training.state.heads, rows)


@pytest.mark.usefixtures("identity_permutations")
def test_an_epoch_on_dra_and_its_outer_step_equal_the_released_ones(
    dra_heads, make_params, make_context, criterion, ahl, clip_log, close, check_state
):
    params = cdl_params(make_params, "ahl_dra", **{"head.residual": "released_live"})
    training = released_training(dra_heads, ahl["cdl_dra"], params, make_context(), criterion, references(REFERENCES))
    check_epoch(training, ahl["cdl_dra"], clip_log, close, check_state)


@pytest.mark.usefixtures("identity_permutations")
def test_an_epoch_on_devnet_and_its_outer_step_equal_the_released_ones(
    devnet_heads, make_params, make_context, criterion, ahl, clip_log, close, check_state
):
    params = cdl_params(make_params, "ahl_devnet")
    vector = ahl["cdl_devnet"] | {"settings": ahl["cdl_dra"]["settings"]}
    training = released_training(devnet_heads, vector, params, make_context(), criterion)
    check_epoch(training, vector, clip_log, close, check_state)


@pytest.mark.usefixtures("identity_permutations")
def test_base_models_equal_the_released_ones_after_each_pass(
    dra_heads, make_params, make_context, criterion, ahl, close
):
    for passes, key in ((1, "adapted_after_first_pass"), (2, "adapted_after_pass_1"), (3, "adapted_after_pass_2")):
        params = cdl_params(make_params, "ahl_dra", **{"head.residual": "released_live", "inner.passes": passes})
        training = released_training(
            dra_heads, ahl["cdl_dra"], params, make_context(), criterion, references(REFERENCES)
        )
        for task, expected in enumerate(ahl["cdl_dra"]["tasks"]):
            model = adapted(dra_heads.learned().values(), training._batches(0, task, 0), 2, training.loss, params.inner)
            for name, value in zip(dra_heads.learned(), model.parameters, strict=True):
                close("adapted, sums", value.sum(), expected[key][name][0], atol=1e-8)
                close("adapted, squares", value.square().sum(), expected[key][name][1], atol=1e-12, rtol=1e-9)


@pytest.mark.usefixtures("identity_permutations")
@pytest.mark.parametrize("method", ["ahl_dra", "ahl_devnet"])
def test_the_gradient_of_first_order_equals_the_vectors(
    method, dra_heads, devnet_heads, make_params, make_context, criterion, ahl, close
):
    heads = dra_heads if method == "ahl_dra" else devnet_heads
    changes = {"head.residual": "released_live"} if method == "ahl_dra" else {}
    vector = ahl["cdl_dra" if method == "ahl_dra" else "cdl_devnet"]
    settings, flat = {"settings": ahl["cdl_dra"]["settings"]}, {}
    for order in ("first", "second_first_step"):
        params = cdl_params(make_params, method, **changes)
        params = replace(params, inner=replace(params.inner, order=order))
        fixed = references(REFERENCES) if method == "ahl_dra" else None
        training = released_training(heads, vector | settings, params, make_context(), criterion, fixed)
        for step in range(2):
            training.train_step(step)
        flat[order] = training.state.pending.clone()
    names, sizes = zip(*((name, value.numel()) for name, value in heads.learned().items()), strict=True)
    parts = {order: vector.split(list(sizes)) for order, vector in flat.items()}
    expected = vector["first_order_gradient_ours"]
    for name, first, second in zip(names, *parts.values(), strict=True):
        close("orders, difference", (first - second).norm(), expected["norm_of_difference"][name], atol=1e-9)
        if "norm_per_tensor" in expected:
            close("first order, norms", first.norm(), expected["norm_per_tensor"][name], atol=1e-9, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.usefixtures("identity_permutations")
def test_nine_epochs_with_the_estimator_equal_the_released_ones(
    dra_heads, make_params, make_context, criterion, fill_network, ahl, close
):
    vector = ahl["nine_epochs_with_estimator"]
    settings = vector["settings"]
    sets = [*zip(settings["support"], settings["query"], strict=True)]
    params = cdl_params(
        make_params, "ahl_dra", **{"head.residual": "released_live", "budget.steps": 1, "importance.kind": "lstm"}
    )
    fill = estimator_fill(fill_network, ahl)
    training = StatedTraining(
        dra_heads, sets, params, make_context(), criterion, fill=fill, fixed=references(REFERENCES)
    )
    for row in vector["epochs"]:
        epoch = row["epoch"]
        rows = [training.train_step(epoch * 6 + task) for task in range(6)]
        for name, key in (("g_s.score.weight", "g_s_weight"), ("g_n.fc1.weight", "g_n_fc1")):
            value = dra_heads.learned()[name]
            close("nine epochs, sums", value.sum(), row[key][0], atol=1e-8)
            close("nine epochs, squares", value.square().sum(), row[key][1], atol=1e-12, rtol=1e-9)
        query = torch.stack([losses["loss"] for losses in rows])
        factors = torch.full((6,), 1 / 6, dtype=torch.float64)
        if row["weights"] is not None:
            factors = 0.5 + 0.5 * torch.tensor(row["weights"], dtype=torch.float64)
            close("nine epochs, factors", rows[-1]["factor_max"], float(factors.max()))
            close("nine epochs, factors", rows[-1]["factor_min"], float(factors.min()))
        close("nine epochs, outer loss", factors @ query, row["outer_loss"])
        close("nine epochs, scores", training.state.scores.sum(), row["real_scores_sum"], atol=1e-8)
        if row["estimator_losses"]:
            mean = sum(row["estimator_losses"]) / 6
            close("nine epochs, estimator", rows[-1]["estimator"], mean, rtol=1e-9)
        if row["real_scores_first_query_set"]:
            first = training.samples.sets[0]
            scores = training.state.scores[first]
            close("nine epochs, first set", scores, row["real_scores_first_query_set"][: len(first)])


def estimator_fill(fill_network, ahl):
    entries = []
    for entry in ahl["estimator"]["fill"]:
        fan_in = math.prod(entry["shape"][1:]) if entry["kind"] == "weight" else None
        entries.append(entry | {"fan_in": fan_in, "gain": 1.0})
    return lambda estimator: fill_network(estimator, entries)


def test_the_estimator_equals_the_released_one(make_params, make_context, fill_network, ahl, close, check_state):
    expected = ahl["estimator"]
    estimator = estimator_fill(fill_network, ahl)(ScoreEstimator(6, 6, 0.0))
    assert sum(value.numel() for value in estimator.parameters()) == expected["parameters"] == 1710
    n, t, e = (torch.arange(size, dtype=torch.float64) for size in (7, 5, 6))
    series = 2 + 3 * torch.sin(0.8 * n[:, None, None] + 0.5 * t[:, None] + 0.35 * e) + 0.2 * t[:, None]
    target = 3 + 3 * torch.sin(0.8 * n[:, None] + 2.5 + 0.35 * e)
    foretelling = StatedStates(estimator, read(make_params, "ahl_dra").importance, make_context())
    (output,) = foretelling.foretell(series.transpose(0, 1), [np.arange(7)], 0)
    close("estimator, output", output, expected["output"])
    loss = foretelling.train(series.transpose(0, 1), target, [np.arange(7)], 0)
    close("estimator, loss", loss, expected["loss"])
    for name, value in estimator.named_parameters():
        norm, total = expected["gradient_norm_and_sum"][name]
        close("estimator, gradient norms", value.grad.norm(), norm, atol=1e-9, rtol=1e-9)
        close("estimator, gradient sums", value.grad.sum(), total, atol=1e-8)
    (key,) = [name for name in expected if name.startswith("after")]
    check_state("estimator, step", estimator, [(name, *sums) for name, sums in expected[key].items()])


def test_weights_of_stated_predictions_equal_the_released_ones(ahl, close):
    expected = ahl["importance_on_stated_predictions"]
    labels = [np.array(row) for row in expected["labels"]]
    predictions = []
    for s, of_set in enumerate(labels):
        n = torch.arange(len(of_set), dtype=torch.float64)[:, None]
        predictions.append(2.5 * torch.cos(0.7 * n + 0.4 * s + 0.9 * torch.arange(6.0, dtype=torch.float64)) + 1.2)
    risk = double_mean_risk(predictions, labels, 1.0)
    weights = importance_weights(risk)
    close("importance, risk", -risk, expected["minus_r"])
    close("importance, weights", weights, expected["weights"])
    close("importance, factors", 0.5 + 0.5 * weights, expected["factors"])


def test_normals_of_tasks_are_the_released_prefixes(make_context, ahl):
    vector = ahl["hadg"]
    clusters = [np.array(index) for index in vector["cluster_index"]]
    pairs = normals_of_pairs(clusters, "prefix", all_normals=False, n_normal=12, context=make_context())
    names = [tuple([vector["listing"][i] for i in part] for part in pair) for pair in pairs]
    # The released class builds a seventh task, of all normals, and never uses it (F6).
    assert names == [(task["support_normals"], task["query_normals"]) for task in vector["tasks"][:6]]


def test_sizes_of_seen_sets_are_the_released_ones(make_context, ahl):
    for shots, sizes in ahl["hadg"]["support_and_query_anomalies_per_shots"].items():
        support, query = seen_of_task(int(shots), "independent", 0, make_context())
        # The released code stops at two and three anomalies (F13).
        expected = {"2": [1, 1], "3": [1, 2]}.get(shots, sizes)
        assert [len(set(support)), len(set(query))] == expected


def test_as_many_seen_anomalies_are_shared_as_in_the_released_code(make_context, ahl):
    """Five of ten and, independently, seven of ten: hypergeometric, 3.5 on average."""
    vector = ahl["hadg"]["shared_anomalies_of_2000_constructions"]
    pairs = starmap(seen_of_task, ((10, "independent", task, make_context()) for task in range(2000)))
    shared = np.array([len({*support} & {*query}) for support, query in pairs])
    error = math.hypot(vector["standard_error"], shared.std() / math.sqrt(len(shared)))
    assert abs(shared.mean() - vector["mean"]) < 4 * error
    assert abs(shared.mean() - 3.5) < 0.1
    assert {str(count) for count in np.unique(shared)} == {*vector["counts"]}


@pytest.mark.parametrize(
    ("case", "labels"),
    [("normal_pseudo_seen", [0, 1, 2]), ("normal_seen", [0, 1]), ("normal_pseudo", [0, 2])],
)
def test_slots_of_a_batch_are_the_released_ones(case, labels, ahl):
    expected = ahl["sampler"][case]
    counts = {0: "normal", 1: "seen", 2: "pseudo"}
    assert slots(expected["batch"], labels) == {label: expected["counts"][counts[label]] for label in labels}


@pytest.mark.parametrize(("when", "first"), [("next_epoch_start", 1), ("epoch_end", 0)])
def test_rates_of_outer_steps_are_the_released_ones(when, first, make_params, ahl):
    outer = read(make_params, "ahl_dra").outer
    expected = ahl["learning_rate"]["rate_of_the_step_at_the_start_of_epoch"]
    for epoch in range(1, 30):
        assert outer.rate(epoch) == pytest.approx(expected[epoch], rel=1e-12)
    assert len(range(first, 30)) == {1: 29, 0: 30}[first]


def picture(rows, columns, values, modulus):
    i, j, c = np.ogrid[0:rows, 0:columns, 0:3]
    return ((values[0] * i + values[1] * j + values[2] * c + values[3] * i * j) % modulus).astype(np.uint8)


@pytest.mark.parametrize("kind", ["cutmix", "cutpaste"])
def test_a_patch_is_the_released_one(kind, ahl):
    vector = ahl["pseudo_two_images"]
    draws, expected = vector["draws"], vector[kind]
    width, height = rectangle(24, draws["area_share"], math.log(draws["aspect"]))
    assert (width, height) == (vector["width"], vector["height"])
    image, other = picture(24, 24, (7, 5, 11, 3), 251), picture(20, 30, (13, 3, 17, 2), 241)
    paste = Paste(width, height, tuple(vector["source"]), tuple(vector["target"]), Jitter((), ()))
    made = pasted_from(paste, image, other) if kind == "cutmix" else paste(image)
    y, x = vector["target"]
    assert made.sum() == expected["sum"]
    rows = [made[y + row, x : x + width].ravel().tolist() for row in (0, height - 1)]
    assert rows == expected["patch_rows"]
