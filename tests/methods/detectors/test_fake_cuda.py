"""No detector mixes devices when it is trained and asked on a GPU; seen on tensors without numbers, so without one."""

import contextlib

import golden
import pytest
import torch
from fake_devices import Waits, fake_devices
from torch import nn
from torch._subclasses.fake_tensor import DynamicOutputShapeException

from methods.detectors.agad import detector as agad
from methods.detectors.ahl import detector as ahl
from methods.detectors.csi import base as csi_base
from methods.devices import placed
from methods.nn.training import supervised
from methods.nn.training.loop import TrainingLoop
from methods.uploads import upload

READS_VALUES = {
    **dict.fromkeys(
        ("ahl_devnet", "ahl_dra", "ahl_devnet:paper", "ahl_dra:paper"),
        "training.py: parts.append(heads.total(scores).cpu())",
    ),
    "agad": "train_step.py: happens",
    "agad_naive": "train_step.py: happens",
    "agad_unet_adv_prop_freeze_bn": "train_step.py: happens",
}
"""By method the line of its step that reads values: AGAD's discriminator starts anew by its loss, AHL's estimator learns
the scores of base models on the processor.
"""


@pytest.mark.parametrize("free_memory", [2**40, 0])
@pytest.mark.parametrize("method", [*golden.DETECTORS, *golden.VARIANTS])
def test_a_step_waits_for_the_device_only_where_it_is_listed(method, free_memory, monkeypatch):
    waits = Waits()

    class Watched(TrainingLoop):
        def __init__(self, network, optimisers, train_step, **settings):
            def watched(step):
                with waits if step else contextlib.nullcontext():  # images are uploaded once, at the first
                    return train_step(step)

            super().__init__(network, optimisers, watched, **settings)

    for module in (supervised, agad, ahl, csi_base):
        monkeypatch.setattr(module, "TrainingLoop", Watched)
    with fake_devices(free_memory):
        golden.scores(method, device="cuda:0")
    allowed = READS_VALUES.get(method)
    assert [line for line in waits.found if allowed is None or allowed not in line] == []
    assert bool(waits.found) == (allowed is not None)


def test_what_waits_is_noticed():
    with fake_devices():
        values = torch.zeros(4, device="cuda:0")
        for work in (
            values.sum().cpu,
            lambda: values[torch.tensor([0, 1])],
            lambda: torch.zeros(4).to("cuda:0"),
        ):
            with Waits() as waits:
                work()
            assert len(waits.found) == 1
        for work in (values.nonzero, lambda: values[values > 0]):
            with pytest.raises(DynamicOutputShapeException):
                work()
        with Waits() as waits:
            upload(torch.zeros(4), "cuda:0").add(values).index_select(0, upload(torch.tensor([0, 1]), "cuda:0"))
        assert waits.found == []


@pytest.mark.parametrize("method", golden.DETECTORS)
def test_a_fit_and_its_scores_keep_to_the_devices_of_their_tensors(method):
    with fake_devices():
        assert golden.scores(method, device="cuda:0").shape == (12,)


def test_a_tensor_that_was_left_on_the_processor_is_noticed():
    with fake_devices():
        network = placed(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), "cuda:0")
        assert {str(value.device) for value in network.state_dict().values()} == {"cuda:0"}
        images = torch.zeros(2, 3, 8, 8)
        output = network(images.to("cuda:0"))
        assert str(output.device) == "cuda:0"
        output.sum().backward()
        assert str(network[0].weight.grad.device) == "cuda:0"
        with pytest.raises(RuntimeError, match="at least two devices, cuda:0 and cpu"):
            output + torch.zeros(4, 6, 6)
        with pytest.raises(RuntimeError, match="on the same device"):
            network(images)
        with pytest.raises(TypeError, match="numpy cannot read a tensor on cuda:0"):
            output.detach().numpy()
