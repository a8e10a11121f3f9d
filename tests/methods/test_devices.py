"""Devices: their names, what each can do, why one is missing, and which a worker has. None but the CPU is used here."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from repository import ROOT
from torch import nn

from methods import devices
from methods.devices import (
    CPU,
    Device,
    Traits,
    accelerator_names,
    accumulated,
    best_device,
    kept_generators,
    parse_device,
    placed,
)
from methods.errors import MethodError
from methods.nn.training.optimisers import new_adam


@pytest.fixture
def count_cuda(monkeypatch):
    """Let torch find so many CUDA devices."""

    def find(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: f"Accelerator {number}")

    return find


@pytest.fixture
def with_traits(monkeypatch):
    """Let the CPU be another kind of device."""
    return lambda **changes: monkeypatch.setitem(devices.KINDS, "cpu", Traits(**changes))


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("cpu", CPU),
        ("cuda", Device("cuda")),
        ("cuda:0", Device("cuda", 0)),
        ("cuda:12", Device("cuda", 12)),
        ("mps", Device("mps")),
    ],
)
def test_a_device_is_its_text(text, device):
    assert (parse_device(text), str(device)) == (device, text)


def test_several_devices_are_taken_in_turn(count_cuda):
    several = parse_device("cuda:2,cuda:0")
    assert str(several) == "cuda:2,cuda:0"
    assert [str(several.for_worker(number)) for number in range(3)] == ["cuda:2", "cuda:0", "cuda:2"]
    assert parse_device("cuda:1,cuda:0").traits.is_numbered
    count_cuda(2)
    assert parse_device("cuda:1,cuda:0").missing() is None
    assert several.missing() == "there are 2, numbered from 0"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cuda:0,cuda:0", "names a device twice"),
        ("cuda,cuda:1", "is no list of devices"),
        ("cuda:0,", "is no list of devices"),
        ("cuda:0,,cuda:1", "is no list of devices"),
        ("cpu,cpu", "is no list of devices"),
        ("cuda:0,cpu", "is no list of devices"),
        (",", "is no list of devices"),
        ("cuda:0,gpu", "unknown device 'gpu'"),
    ],
)
def test_a_list_that_is_none_is_refused(text, problem):
    with pytest.raises(MethodError, match=problem):
        parse_device(text)


def test_the_best_device_is_an_accelerator_where_there_is_one(count_cuda):
    count_cuda(0)
    assert best_device() == CPU
    count_cuda(2)
    assert best_device() == Device("cuda")


@pytest.mark.parametrize(
    "text", ["", "gpu", "CUDA", "cuda:", "cuda:x", "cuda:-1", "cuda:1:2", "cuda 1", "cpu:0", "mps:0", "cuda:٣", "meta"]
)
def test_any_other_text_is_refused_with_what_may_be_given(text):
    with pytest.raises(MethodError) as caught:
        parse_device(text)
    assert str(caught.value) == f"unknown device '{text}': give cpu, cuda, cuda:1 or mps"


def test_bf16_is_native_to_processors_that_multiply_it_alone(monkeypatch):
    for flags, precision in (({"avx512_bf16"}, "bf16"), ({"amx_bf16", "fma"}, "bf16"), ({"avx2"}, "fp32")):
        monkeypatch.setattr(devices, "cpu_flags", lambda flags=flags: frozenset(flags))
        native = [parse_device(text).native_precision for text in ("cpu", "cuda", "cuda:1", "mps")]
        assert native == [precision, "fp32", "fp32", "fp32"]


def test_the_processor_is_never_missing_and_needs_no_torch():
    code = (
        "import sys; from methods.devices import CPU, parse_device\n"
        "print(CPU.missing(), CPU.for_worker(3), parse_device('cuda:1').traits.bf16, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "cpu", "True", "False"]


def test_a_missing_device_says_why(count_cuda, monkeypatch):
    count_cuda(2)
    assert [parse_device(text).missing() for text in ("cuda", "cuda:1", "cuda:2")] == [
        None,
        None,
        "there are 2, numbered from 0",
    ]
    count_cuda(0)
    for is_built, text in ((True, "finds none that it can use"), (False, "is built without it")):
        monkeypatch.setattr(torch.backends.cuda, "is_built", lambda is_built=is_built: is_built)
        assert parse_device("cuda").missing() == f"torch {torch.__version__} {text}"
    monkeypatch.setitem(sys.modules, "torch", None)
    assert parse_device("cuda").missing().startswith("torch cannot be imported (")


def test_mps_is_asked_for_as_cuda_is(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: False)
    monkeypatch.setattr(torch, "mps", SimpleNamespace(device_count=lambda: 0))
    assert parse_device("mps").missing() == f"torch {torch.__version__} is built without it"
    monkeypatch.setattr(torch, "mps", SimpleNamespace(device_count=lambda: 1))
    assert parse_device("mps").missing() is None
    assert parse_device("mps").for_worker(1) == Device("mps")


def test_workers_take_devices_in_turn_where_none_is_named(count_cuda):
    count_cuda(2)
    assert [str(Device("cuda").for_worker(number)) for number in range(4)] == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert str(Device("cuda", 1).for_worker(0)) == "cuda:1"
    assert accelerator_names() == ("Accelerator 0", "Accelerator 1")
    count_cuda(1)
    assert str(Device("cuda").for_worker(3)) == "cuda"


def test_sums_are_taken_on_the_processor_where_a_device_has_no_float64(with_traits, monkeypatch):
    values, moved = torch.tensor([1.0, 2.0]), []
    monkeypatch.setattr(torch.Tensor, "cpu", lambda self: moved.append(self) or self)
    assert torch.equal(accumulated(values), torch.tensor([1.0, 2.0], dtype=torch.float64))
    assert not moved
    with_traits(float64=False)
    assert accumulated(values).dtype == torch.float64
    assert len(moved) == 1


def test_networks_are_channels_last_and_adam_is_one_kernel_where_that_is_good(with_traits):
    def made():
        network = placed(nn.Conv2d(2, 3, 3), "cpu")
        is_last = network.weight.is_contiguous(memory_format=torch.channels_last)
        return is_last, new_adam(network, lr=0.1).defaults["fused"]

    assert made() == (True, True)
    with_traits(channels_last=False)
    assert made() == (False, True)
    with_traits(fused_adam=False)
    assert made() == (True, None)


def test_adam_without_its_kernel_takes_the_same_steps(with_traits):
    def trained():
        torch.manual_seed(0)
        network = nn.Linear(4, 2)
        optimiser = new_adam(network, lr=0.1, betas=(0.5, 0.9), weight_decay=0.01)
        for _ in range(3):
            optimiser.zero_grad()
            network(torch.ones(1, 4)).square().sum().backward()
            optimiser.step()
        return network.weight

    fused = trained()
    with_traits(fused_adam=False)
    torch.testing.assert_close(trained(), fused)


def test_generators_are_put_back_those_of_a_numbered_device_too(monkeypatch):
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    with kept_generators("cpu"):
        torch.rand(5)
    assert torch.equal(torch.rand(2), expected)
    states = {"cuda:1": "before"}
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: states[device])
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: states.update({device: state}))
    with kept_generators("cuda:1"):
        states["cuda:1"] = "drawn from"
    assert states == {"cuda:1": "before"}
