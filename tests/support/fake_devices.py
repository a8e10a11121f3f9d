"""A GPU that is not there: tensors that have a device, a shape and a type, but no numbers, and refuse to mix devices.

What reads numbers reads zeros. Two things are stood in for, since torch does neither without a GPU: moving a network
makes new parameters, and a backward pass, which torch runs on the device's own streams, gives each leaf that it would
reach, or each input that it is asked for, a gradient of zeros where the tensor lies.
"""

import contextlib
from unittest import mock

import numpy as np
import torch
from torch import nn
from torch._subclasses import FakeTensor, FakeTensorMode


@contextlib.contextmanager
def fake_devices():
    """Every tensor that the block makes, on whatever device, is fake."""
    stand_ins = [
        (torch.Tensor, {"numpy": _numpy, "tolist": _tolist, "item": _tolist, "backward": _backward}),
        (torch.Tensor, {"__bool__": _bool, "__float__": _float, "__int__": _int}),
        (torch.autograd, {"backward": _backward, "grad": _grad}),
        (nn.Module, {"to": _moved}),
        (torch.cuda, {"get_rng_state": lambda device: None, "set_rng_state": lambda state, device: None}),
    ]
    with contextlib.ExitStack() as stack:
        for owner, names in stand_ins:
            stack.enter_context(mock.patch.multiple(owner, **names))
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        yield


_REAL_NUMPY = torch.Tensor.numpy


def _numpy(tensor):
    if not isinstance(tensor, FakeTensor):
        return _REAL_NUMPY(tensor)
    if tensor.device.type != "cpu":
        raise TypeError(f"numpy cannot read a tensor on {tensor.device}")
    return np.zeros(tuple(tensor.shape), dtype=str(tensor.dtype).removeprefix("torch."))


def _tolist(tensor):
    return _numpy(tensor.cpu()).tolist()


def _bool(tensor):
    return bool(_tolist(tensor))


def _float(tensor):
    return float(_tolist(tensor))


def _int(tensor):
    return int(_tolist(tensor))


def _moved(module, device=None, memory_format=None):
    for part in module.modules():
        for table in (part._parameters, part._buffers):
            for name, old in table.items():
                if old is None:
                    continue
                new = old.detach().to(device or old.device)
                if memory_format is not None and new.dim() == 4:
                    new = new.to(memory_format=memory_format)
                table[name] = nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new
    return module


def _backward(tensors, *_, inputs=None, **__):
    for leaf in _leaves(tensors) if inputs is None else inputs:
        zeros = torch.zeros_like(leaf)
        leaf.grad = zeros if leaf.grad is None else leaf.grad + zeros


def _grad(outputs, inputs, *_, **__):
    return tuple(torch.zeros_like(tensor) for tensor in inputs)


def _leaves(tensors):
    """The tensors that a backward pass would give gradients."""
    roots = [tensors] if isinstance(tensors, torch.Tensor) else tensors
    nodes, seen = [root.grad_fn for root in roots], set()
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        nodes += [before for before, _ in node.next_functions]
