"""A GPU that is not there: tensors that have a device, a shape and a type, but no numbers, and refuse to mix devices.

What is drawn on the processor is drawn in earnest, so that batches have all kinds of images; what reads other numbers
reads zeros. Four things are stood in for, since fakes or torch without a GPU do none of them: moving a network makes
new parameters, pinning memory gives the tensor back, threads work at once, and a backward pass, which torch runs on the
device's own streams, gives each leaf that it would reach, or each input that it is asked for, a gradient of zeros where
the tensor lies.
"""

import contextlib
import traceback
from concurrent.futures import Future
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import nn
from torch._subclasses import FakeTensor, FakeTensorMode
from torch._subclasses.fake_tensor import unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode

from methods.nn.data import ahead


@contextlib.contextmanager
def fake_devices(free_memory=2**40):
    """Every tensor that the block makes, on whatever device, is fake; the GPU has so many bytes left."""
    stand_ins = [
        (torch.Tensor, {"numpy": _numpy, "tolist": _tolist, "item": _tolist, "backward": _backward}),
        (torch.Tensor, {"__bool__": _bool, "__float__": _float, "__int__": _int}),
        (torch.autograd, {"backward": _backward, "grad": _grad}),
        (nn.Module, {"to": _moved}),
        (torch.cuda, {"get_rng_state": lambda device: None, "set_rng_state": lambda state, device: None}),
        (torch.cuda, {"mem_get_info": lambda device: (free_memory, free_memory)}),
        (torch.Tensor, {"pin_memory": lambda tensor: tensor}),
        (ahead, {"ThreadPoolExecutor": _AtOnce}),
        (torch, {name: _in_earnest(getattr(torch, name)) for name in ("rand", "randn", "randint", "randperm")}),
    ]
    with contextlib.ExitStack() as stack:
        for owner, names in stand_ins:
            stack.enter_context(mock.patch.multiple(owner, **names))
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        yield


class _AtOnce:
    """A pool whose work is done when it is asked for: fakes belong to one thread."""

    def __init__(self, *_):
        pass

    def submit(self, work, *args):
        future = Future()
        future.set_result(work(*args))
        return future


def _in_earnest(draw):
    def drawn(*args, generator=None, device=None, **kwargs):
        if generator is None or device not in {None, "cpu"}:
            return draw(*args, generator=generator, device=device, **kwargs)
        with unset_fake_temporarily():
            return draw(*args, generator=generator, **kwargs)

    return drawn


_REAL_NUMPY = torch.Tensor.numpy


def _numpy(tensor):
    if not isinstance(tensor, FakeTensor):
        with unset_fake_temporarily():
            return _REAL_NUMPY(tensor)
    if tensor.device.type != "cpu":
        raise TypeError(f"numpy cannot read a tensor on {tensor.device}")
    return np.zeros(tuple(tensor.shape), dtype=str(tensor.dtype).removeprefix("torch."))


def _tolist(tensor):
    return _numpy(tensor.cpu() if isinstance(tensor, FakeTensor) else tensor).tolist()


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


class Waits(TorchDispatchMode):
    """What makes the processor wait for a GPU: values read, indices of its own, copies from memory that is not pinned.

    What has a shape that depends on values, such as `nonzero` or a mask as an index, waits too: fakes refuse that.
    `found` has a line for each, with the line of our code that did it.
    """

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        name = function._schema.name
        tensors = [each for each in torch.utils._pytree.tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
        if self._waits(name, tensors, result, kwargs):
            self.found.append(f"{name} by {_our_line()}")
        return result

    def _waits(self, name, tensors, result, kwargs):
        on_gpu = [each for each in tensors if each.device.type == "cuda"]
        if name in {"aten::_to_copy", "aten::copy_"}:
            source = tensors[-1]
            target = result.device.type
            away = source.device.type == "cuda" and target == "cpu"
            towards = source.device.type == "cpu" and target == "cuda" and source.numel() > 1
            is_blocking = not (kwargs.get("non_blocking") or (name == "aten::copy_" and len(tensors) > 2))
            return away or (towards and is_blocking)
        if name == "aten::index":
            return bool(on_gpu) and any(each.device.type == "cpu" for each in tensors[1:])
        return bool(on_gpu) and name == "aten::_local_scalar_dense"


def _our_line():
    frames = traceback.extract_stack()
    ours = [frame for frame in frames if "/methods/" in frame.filename and "/tests/" not in frame.filename]
    return f"{Path(ours[-1].filename).name}: {ours[-1].line}" if ours else "no line of ours"
