"""The training loop: schedules, reports, stopping and going on."""

import dataclasses
import time

import numpy as np
import pytest
import torch
from checkpoints import stopped
from torch import nn

from methods.detector import DeadlineReached
from methods.detectors.dra.detector import DRA
from methods.errors import MethodError
from methods.nn.params import read_params
from methods.nn.training.supervised import TrainParams, TrainSettings, train

SETTINGS = TrainSettings(epochs=3, steps=4, lr=0.01, weight_decay=0.0, schedule="constant", clip_norm=None)


def settings(make_params, method):
    return TrainSettings.from_params(read_params(TrainParams, make_params(method)))


def test_learning_rates_equal_the_released_code(vectors, make_params, close):
    for method, key in (("dra", "epochs_0_to_29"), ("devnet", "epochs_0_to_49")):
        stated = vectors(method)["learning_rate"][key]
        own = settings(make_params, method)
        close(f"{method} learning rates", [own.learning_rate(e) for e in range(len(stated))], stated, 0, 1e-14)


def test_recipes_of_the_paper(make_params):
    assert settings(make_params, "dra") == TrainSettings(30, 20, 2e-4, 1e-5, "step10_start", 1.0)
    paper = TrainSettings.from_params(read_params(TrainParams, make_params("dra", "paper")))
    assert (paper.lr, paper.weight_decay, paper.schedule) == (1e-3, 1e-2, "step10_end")
    assert {SETTINGS.learning_rate(epoch) for epoch in range(40)} == {0.01}


def test_weight_decay_is_adams_classic_l2_term(make_context):
    """One step with gradient 0: the decay term alone is the gradient, so Adam moves by the rate, not by rate * decay."""
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 2.0)
    own = TrainSettings(1, 1, lr=0.1, weight_decay=0.5, schedule="constant", clip_norm=None)
    train(module, lambda _: {"zero": (module.weight * 0).sum()}, own, make_context())
    assert module.weight.item() == pytest.approx(1.9)


def terms_of(module, poison=None):
    def terms(step):
        value = (module.weight * (step + 1)).sum()
        return {"first": value * (float("nan") if step == poison else 1), "second": value.detach() * 0 + step}

    return terms


def test_history_has_the_mean_of_every_epoch(make_context):
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    still = TrainSettings(2, 3, lr=0.0, weight_decay=0.0, schedule="constant", clip_norm=1.0)
    history = train(module, terms_of(module), still, make_context())
    # With rate 0 the first term stays 0; the second is the step: means of 0, 1, 2 and of 3, 4, 5.
    assert history == {"loss": [1.0, 4.0], "first": [0.0, 0.0], "second": [1.0, 4.0]}


def test_training_can_end_within_an_epoch(make_context):
    module, reports = nn.Linear(1, 1, bias=False), []
    context = make_context(progress=lambda done, total, **numbers: reports.append((done, total)))
    short = dataclasses.replace(SETTINGS, lr=0.0, max_steps=6)
    history = train(module, terms_of(module), short, context)
    # Epochs of 4 steps: the steps 0 to 3, then 4 and 5.
    assert history["second"] == [1.5, 4.5]
    assert reports == [(4, 6), (6, 6)]
    assert dataclasses.replace(short, max_steps=99).total == 12


def test_a_watched_term_is_recorded_but_not_minimised(make_context):
    plain, watching = (nn.Linear(1, 1, bias=False) for _ in range(2))
    histories = []
    for module, watched in ((plain, ()), (watching, ("spread",))):
        nn.init.ones_(module.weight)

        def terms(step, module=module, watched=watched):
            own = {"first": module.weight.sum(), "second": module.weight.square().sum()}
            return own | {name: 100 * module.weight.sum() for name in watched}

        histories.append(train(module, terms, dataclasses.replace(SETTINGS, watched=watched), make_context()))
    assert torch.equal(plain.weight, watching.weight)
    spread = histories[1].pop("spread")
    assert spread == pytest.approx([100 * value for value in histories[1]["first"]])
    assert histories[0] == histories[1]


def test_progress_is_reported_once_an_epoch_with_the_loss(make_context):
    reports = []
    module = nn.Linear(1, 1, bias=False)
    context = make_context(progress=lambda done, total, **numbers: reports.append((done, total, list(numbers))))
    train(module, terms_of(module), SETTINGS, context)
    assert reports == [(4, 12, ["loss"]), (8, 12, ["loss"]), (12, 12, ["loss"])]


def test_a_slow_epoch_reports_in_between(make_context):
    reports = []
    module = nn.Linear(1, 1, bias=False)
    plain = terms_of(module)

    def slow(step):
        time.sleep(1.01 if step == 0 else 0)
        return plain(step)

    context = make_context(progress=lambda done, total, **numbers: reports.append((done, dict(numbers))))
    train(module, slow, TrainSettings(1, 3, 0.0, 0.0, "constant", None), context)
    assert reports[0] == (1, {})
    assert [done for done, _ in reports] == [1, 3]


def test_a_loss_that_is_not_finite_names_its_step(make_context):
    module = nn.Linear(1, 1, bias=False)
    with pytest.raises(
        MethodError, match=r"the loss is not finite at training step 6 \(loss, first\): lower the learning rate"
    ):
        train(module, terms_of(module, poison=5), SETTINGS, make_context())


def test_a_poisoned_state_is_not_saved(make_context, memory_checkpoint):
    module = nn.Linear(1, 1, bias=False)
    checkpoint = memory_checkpoint(due_at=frozenset({2}))
    with pytest.raises(MethodError, match="training step 1"):
        train(module, terms_of(module, poison=0), SETTINGS, make_context(checkpoint=checkpoint))
    assert checkpoint.saved is None


def test_the_deadline_saves_and_stops_after_a_step(make_context, memory_checkpoint):
    checkpoint = memory_checkpoint()
    module = nn.Linear(1, 1, bias=False)
    for steps in (1, 2):
        context = make_context(checkpoint=checkpoint, deadline=time.monotonic() - 1)
        with pytest.raises(DeadlineReached, match=f"after {steps} training steps"):
            train(module, terms_of(module), SETTINGS, context)
    assert checkpoint.steps == [1, 2]


def test_a_finished_fit_is_not_saved_again(make_context, memory_checkpoint):
    checkpoint = memory_checkpoint(due_at=frozenset(range(1, 100)))
    module = nn.Linear(1, 1, bias=False)
    train(module, terms_of(module), SETTINGS, make_context(checkpoint=checkpoint))
    assert checkpoint.steps == list(range(1, 12))


@pytest.mark.parametrize("stop", [1, 3, 4])
@pytest.mark.parametrize("contiguous", [False, True])
def test_a_resumed_fit_ends_in_the_same_bits(stop, contiguous, make_params, make_context, tiny, toy_data):
    """Also where the checkpoint's store lost the channels-last layout of the tensors."""
    data, params = toy_data(), make_params("dra", **(tiny | {"budget.steps": 3}))
    whole = DRA(params, make_context())
    whole.fit(data)
    checkpoint = stopped(lambda checkpoint: DRA(params, make_context(checkpoint=checkpoint)).fit(data), stop)
    seen = []

    def progress(done, total, **numbers):
        seen.append(done)

    assert checkpoint.saved["step"] == stop
    if contiguous:
        for values in checkpoint.saved["optimisers"]["adam"].values():
            values.update({name: values[name].contiguous() for name in ("exp_avg", "exp_avg_sq")})
    resumed = DRA(params, make_context(checkpoint=checkpoint, progress=progress))
    resumed.fit(data)
    assert seen[-1] == 6
    assert resumed.history == whole.history
    for name, values in whole.state().items():
        assert torch.equal(values, resumed.state()[name]), name
    assert np.array_equal(whole.score(data.normal), resumed.score(data.normal))
