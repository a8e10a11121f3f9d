"""The loop of networks that take turns: history, checkpoints, deadlines."""

import time

import pytest
import torch
from torch import nn

from methods.detector import DeadlineReached
from methods.detectors.csi.lars import LARS
from methods.errors import MethodError
from methods.nn.training.loop import TrainingLoop


class Pair(nn.Module):
    """Two networks; channels last, so that moments have a layout of their own."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
        self.to(memory_format=torch.channels_last)


def toy(context, epochs=3, steps=4, wrong_at=None, calls=None):
    """Two convolutions, one under LARS on every step, one under Adam on every third, drawn towards noise."""
    pair = Pair()
    optimisers = {
        "first": LARS(pair.first.parameters(), lr=1.0, momentum=0.9, decay=1e-6, trust=0.1),
        "second": torch.optim.Adam(pair.second.parameters(), lr=1e-2, fused=True),
    }

    def loss(name, step):
        generator = context.generator(name, step)
        images = torch.rand(2, 3, 5, 5, generator=generator)
        value = getattr(pair, name)(images).square().mean()
        optimisers[name].zero_grad()
        value.backward()
        optimisers[name].step()
        return value.detach()

    def train_step(step):
        if calls is not None:
            calls.append(step)
        losses = {"loss": loss("first", step) * (float("nan") if step == wrong_at else 1.0)}
        return losses | ({"other": loss("second", step)} if step % 3 == 2 else {})

    training = TrainingLoop(pair, optimisers, train_step, steps=steps, total=epochs * steps, context=context)
    return pair, training


def test_history_has_the_mean_of_each_loss_over_the_steps_in_which_it_fell(make_context):
    _, training = toy(make_context(), epochs=3, steps=2)
    history = training.run()
    assert len(history["loss"]) == 3
    assert len(history["other"]) == 2  # steps 2 and 5: the epochs 1 and 2


def test_progress_tells_steps_and_the_loss_of_an_epoch(make_context):
    told = []
    _, training = toy(make_context(progress=lambda done, total, **numbers: told.append((done, total, numbers))))
    history = training.run()
    assert [(done, total) for done, total, numbers in told if numbers] == [(4, 12), (8, 12), (12, 12)]
    assert [numbers["loss"] for *_, numbers in told if numbers] == history["loss"]


@pytest.mark.parametrize("step", range(1, 12))
def test_a_fit_that_goes_on_from_any_step_ends_in_the_same_bits(step, make_context, memory_checkpoint):
    whole, undisturbed = toy(make_context())
    history = undisturbed.run()
    saved = memory_checkpoint(due_at=frozenset({step}))
    toy(make_context(checkpoint=saved))[1].run()
    calls = []
    resumed, training = toy(make_context(checkpoint=memory_checkpoint(saved=saved.saved)), calls=calls)
    assert training.run() == history
    assert calls == list(range(step, 12))
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in resumed.state_dict().items())


def test_a_checkpoint_holds_what_torch_reads_without_running_code(make_context, memory_checkpoint, tmp_path):
    saved = memory_checkpoint(due_at=frozenset({5}))
    toy(make_context(checkpoint=saved))[1].run()
    torch.save(saved.saved, tmp_path / "state.pt")
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 5


def test_the_deadline_stops_after_a_step_and_keeps_it(make_context, memory_checkpoint):
    saved = memory_checkpoint()
    _, training = toy(make_context(checkpoint=saved, deadline=time.monotonic()))
    with pytest.raises(DeadlineReached, match="after 1 training steps"):
        training.run()
    assert saved.steps == [1]


def test_a_loss_that_is_not_finite_is_refused_with_its_step(make_context):
    with pytest.raises(
        MethodError, match="the loss is not finite at training step 6 \\(loss\\): lower the learning rate"
    ):
        toy(make_context(), wrong_at=5)[1].run()
