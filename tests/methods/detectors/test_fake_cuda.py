"""No detector mixes devices when it is trained and asked on a GPU; seen on tensors without numbers, so without one."""

import golden
import pytest
import torch
from fake_devices import fake_devices
from torch import nn

from methods.devices import placed


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
