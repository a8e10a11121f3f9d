"""DevNet against the vectors of the authors' code."""

import dataclasses

import numpy as np
import pytest
import torch

from methods.detectors.devnet import DevNet
from methods.errors import MethodError
from methods.nn.params import read_params
from methods.nn.training.losses import deviation
from methods.nn.training.supervised import TrainParams, TrainSettings, minimiser


def own_name(name):
    """Our name of a tensor of the vectors, whose scoring convolution is plainly `score`."""
    return f"head.{name}" if name.startswith("score.") else name


@pytest.fixture
def network(make_params, make_context, vectors, fill_network):
    plain = DevNet(make_params("devnet"), make_context()).new_network()
    return fill_network(plain, vectors("devnet")["fill"]["tensors"], own_name)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_evaluation_equals_the_released_code(dtype, atol, network, vector_images, vectors, close):
    maps = []
    network.head.score.register_forward_hook(lambda _module, _inputs, output: maps.append(output))
    network.eval().to(dtype)
    for key, numbers in (("eval_mode", [0, 1, 2, 3, 4, 5]), ("eval_mode_K2", [0, 1, 2])):
        expected = vectors("devnet")[key]
        maps.clear()
        with torch.inference_mode():
            levels = network(vector_images(numbers, expected.get("S", 96)).to(dtype))
        label = f"devnet {key} {str(dtype)[6:]}"
        close(f"{label}, level scores", levels, expected["per_level"], atol)
        close(f"{label}, scores", levels.double().mean(0), expected["score"], atol)
        for level, stated in zip(maps, expected["position_scores"], strict=True):
            stated_map = torch.tensor(stated, dtype=torch.float64).reshape(level.shape)
            close(f"{label}, position scores", level, stated_map, atol)


def test_rate_zero_is_the_mean_of_signed_scores(network, vector_images, vectors, close):
    network.head.pool = dataclasses.replace(network.head.pool, rate=0.0)
    network.eval()
    with torch.inference_mode():
        levels = network(vector_images([0, 1, 2, 3, 4, 5], 96))
    close("devnet topk_zero float64, scores", levels.mean(0), vectors("devnet")["eval_mode_topk_zero"]["score"])


def test_three_training_steps_equal_the_released_code(
    network, vector_images, vector_moments, vectors, make_params, clip_log, check_state, close
):
    stated = vectors("devnet")
    batch, labels = vector_images(stated["inputs"]["train_k"], 96), torch.tensor(stated["inputs"]["train_labels"])
    losses = []

    def terms(step):
        levels = network(batch)
        if step == 0:
            close("devnet train_mode float64, level scores", levels, stated["train_mode"]["per_level"])
        losses.append(deviation(levels.mean(0), labels, vector_moments(0), 5.0))
        return {"score": losses[-1]}

    _, train_step = minimiser(
        network.train(), terms, TrainSettings.from_params(read_params(TrainParams, make_params("devnet")))
    )
    train_step(0)
    gradient, log = stated["train_mode"]["gradient"], clip_log[0]
    close("devnet train_mode float64, loss", losses[0], stated["train_mode"]["loss"])
    close("devnet train_mode float64, total norm", log["total"], gradient["total_norm_before_clip"], 0, 1e-9)
    names = {own_name(name): name for name in gradient["norm_per_tensor"]}
    for (name, _), norm, total in zip(network.named_parameters(), log["norms"], log["sums"], strict=True):
        close("devnet train_mode float64, gradient norms", norm, gradient["norm_per_tensor"][names[name]], 0, 1e-9)
        close("devnet train_mode float64, gradient sums", total, gradient["sum_per_tensor"][names[name]], 1e-8)
    check_state("devnet after_step_1 float64", network, stated["after_step_1"]["state"], own_name)
    train_step(1)
    train_step(2)
    later = stated["steps_2_3"]
    close("devnet steps_2_3 float64, losses", torch.stack(losses[1:]), later["loss"])
    close(
        "devnet steps_2_3 float64, total norms",
        [e["total"] for e in clip_log[1:]],
        later["total_norm_before_clip"],
        0,
        1e-9,
    )
    check_state("devnet after_step_3 float64", network, stated["after_step_3"]["state"], own_name)
    network.eval()
    with torch.inference_mode():
        levels = network(vector_images([0, 1, 2, 3, 4, 5], 96))
    close("devnet after_step_3 float64, level scores", levels, stated["after_step_3"]["eval_mode"]["per_level"])
    close("devnet after_step_3 float64, scores", levels.mean(0), stated["after_step_3"]["eval_mode"]["score"])


def test_scores_do_not_depend_on_the_batch_and_survive_loading(make_params, make_context, tiny, toy_data):
    data = toy_data()
    detector = DevNet(make_params("devnet", **tiny), make_context())
    detector.fit(data)
    scores = detector.score(data.normal)
    assert scores.dtype == np.float64
    order = np.array([8, 7, 6, 5, 4, 3, 2, 1, 0])
    np.testing.assert_allclose(detector.score(data.normal.select(order))[order], scores, atol=1e-5)
    loaded = DevNet(make_params("devnet", **tiny), make_context(seed=3))
    loaded.load(detector.state())
    np.testing.assert_array_equal(loaded.score(data.normal), scores)


@pytest.mark.parametrize(
    "changes", [{"loss.kind": "focal"}, {"topk.rate": 0.0}, {"head.abs": False}, {"batch.seen": 3}]
)
def test_every_switch_changes_the_scores(changes, make_params, make_context, tiny, toy_data):
    data, scores = toy_data(), []
    for extra in ({}, changes):
        detector = DevNet(make_params("devnet", **(tiny | extra)), make_context())
        detector.fit(data)
        scores.append(detector.score(data.anomaly))
    assert not np.allclose(*scores)


def test_anomalies_score_higher_after_a_short_fit(make_params, make_context, tiny, toy_data):
    data = toy_data(channels=3)
    detector = DevNet(make_params("devnet", **(tiny | {"budget.epochs": 40, "optim.lr": 1e-2})), make_context())
    detector.fit(data)
    assert detector.history["loss"][-1] < detector.history["loss"][0]
    assert detector.score(data.anomaly).min() > detector.score(data.normal).max()


def test_scoring_before_fit_is_refused(make_params, make_context, toy_data):
    with pytest.raises(MethodError, match="DevNet has nothing to score with yet"):
        DevNet(make_params("devnet"), make_context()).score(toy_data().normal)
