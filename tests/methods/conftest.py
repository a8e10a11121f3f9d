"""Arrays in place of an image store, contexts, and the inputs of the test vectors (their formulas: vectors/README)."""

import functools
import json
import math

import msgspec
import pytest
import torch
from checkpoints import MemoryCheckpoint
from pictures import noise
from repository import ROOT
from torch import nn

from methods.backbones.find import RANDOM, WeightsFile
from methods.backbones.networks import OWN_CONSTRUCTORS
from methods.backbones.table import BACKBONES
from methods.checks import ArrayImages
from methods.detector import FitContext, TrainData
from methods.registry.installed import get, methods
from methods.registry.recipe import resolve

DATA = ROOT / "tests" / "methods" / "data"
DEVIATIONS = pytest.StashKey[dict[str, float]]()


def pytest_configure(config):
    config.stash[DEVIATIONS] = {}


def pytest_terminal_summary(terminalreporter, config):
    found = config.stash.get(DEVIATIONS, {})
    if found and config.get_verbosity() > 0:
        terminalreporter.section("largest deviation from the vectors")
        for name, value in sorted(found.items()):
            terminalreporter.write_line(f"{value:9.1e}  {name}")


@pytest.fixture(autouse=True)
def one_thread():
    """Small networks gain nothing from more, and lose much where test processes share the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class SmallTrunk(nn.Module):
    """Stride 32 like ResNet-18, in two convolutions and a hundredth of the time; first a batch norm, last a ReLU."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 4, stride=4)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.pool = nn.AvgPool2d(4, ceil_mode=True)

    def forward(self, images):
        return self.pool(self.conv2(self.bn1(self.conv1(images)).relu()).relu())


@pytest.fixture
def replace_backbone(monkeypatch):
    """Let an architecture of the table be another network, read at other nodes."""

    def replace(arch, constructor, taps):
        methods()  # recipes are read once, by the nodes of the whole table
        monkeypatch.setitem(BACKBONES, arch, msgspec.structs.replace(BACKBONES[arch], taps=taps))
        monkeypatch.setitem(OWN_CONSTRUCTORS, arch, constructor)

    return replace


@pytest.fixture
def publish(monkeypatch):
    """Let the table list other genuine files of an architecture."""

    def replace(arch, *files):
        monkeypatch.setitem(BACKBONES, arch, msgspec.structs.replace(BACKBONES[arch], genuine=files))

    return replace


@pytest.fixture
def small_trunk(replace_backbone):
    """Let `resnet18` be a small trunk with 16 channels."""
    replace_backbone("resnet18", SmallTrunk, {"pool": 16})


@pytest.fixture
def close(request):
    """Assert that `actual` is within `atol + rtol |expected|` of `expected`, and note the largest difference."""
    found = request.config.stash[DEVIATIONS]

    def check(name, actual, expected, atol=1e-9, rtol=0.0):
        if isinstance(actual, list):
            actual = [float(value.detach()) if isinstance(value, torch.Tensor) else value for value in actual]
        actual = torch.as_tensor(actual, dtype=None if isinstance(actual, torch.Tensor) else torch.float64)
        actual = actual.detach().double()
        expected = torch.as_tensor(expected, dtype=torch.float64)
        assert actual.shape == expected.shape, name
        difference = (actual - expected).abs()
        found[name] = max(found.get(name, 0.0), float(difference.max()))
        assert bool((difference <= atol + rtol * expected.abs()).all()), (name, found[name])

    return check


@pytest.fixture
def vectors():
    return lambda name: json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def array_images():
    return ArrayImages


@pytest.fixture
def memory_checkpoint():
    return MemoryCheckpoint


@pytest.fixture
def make_context():
    """A fit context with random weights on the CPU; `changes` replace its fields."""

    def build(**changes):
        values = {
            "seed": 0,
            "threads": 1,
            "precision": "fp32",
            "device": "cpu",
            "weights": {"resnet18": WeightsFile("resnet18", None, RANDOM, RANDOM)},
            "checkpoint": MemoryCheckpoint(),
            "progress": lambda done, total, **numbers: None,
            "artefact": lambda name, data: None,
        }
        return FitContext(**(values | changes))

    return build


@pytest.fixture
def make_params():
    """Resolved parameters of a method of ours, with changes that nothing checks but those which switch others on."""

    def build(method, recipe="official", **changes):
        info = get(method)
        switches = {switch for param in info.params.values() for switch in param.only_where}
        asked = {name: value for name, value in changes.items() if name in switches}
        return resolve(info, recipe, "elpv", asked).params | changes

    return build


@pytest.fixture
def tiny(small_trunk):
    """Overrides of a fit that takes no time: two steps of a small trunk."""
    return {"batch.size": 6, "batch.seen": 2, "budget.epochs": 2, "budget.steps": 1, "evaluation.batch": 4}


@pytest.fixture
def toy_data():
    """Nine normal and three anomalous noise images, 64 x 64, `channels` channels; anomalies have a bright square."""

    def build(channels=1, pools=(), init=None):
        pixels = noise(7, 12, 64, 64, channels, low=50, high=130)
        pixels[9:, 20:44, 20:44] = 250
        pool = noise(8, 20, 64, 64, 3)
        return TrainData(
            ArrayImages(pixels[:9]), ArrayImages(pixels[9:]), {name: ArrayImages(pool) for name in pools}, init
        )

    return build


@pytest.fixture
def vector_images():
    """The image formula of the vectors: (len(numbers), 3, size, size) float64."""

    def build(numbers, size):
        k = torch.tensor(numbers, dtype=torch.float64)[:, None, None, None]
        c = torch.arange(3, dtype=torch.float64)[:, None, None]
        i = torch.arange(size, dtype=torch.float64)[:, None]
        j = torch.arange(size, dtype=torch.float64)
        return 0.5 + 0.5 * torch.sin(0.37 * k + 1.3 * c + 0.05 * i + 0.002 * (k + 1) * i * j)

    return build


@functools.cache
def _filled(t, shape, kind, fan_in, gain):
    n = torch.arange(math.prod(shape))
    s = torch.sin(0.7 * t + 0.013 * n.double())
    if kind == "weight":
        u = 2 * ((31 * n * n + 17 * n + 1009 * t) % 10007).double() / 10006 - 1
        values = gain * math.sqrt(3 / fan_in) * u
    else:
        values = {
            "bias": 0.05 * s,
            "bn_weight": 1 + 0.1 * s,
            "bn_bias": 0.05 * s,
            "running_mean": 0.05 * s,
            "running_var": 1 + 0.2 * s.abs(),
        }[kind]
    return values.reshape(shape)


@pytest.fixture
def fill_network():
    """The parameter fill of the vectors: the network in float64 with every listed tensor set, sums checked first."""

    def fill(network, entries, rename=lambda name: name):
        state = network.double().state_dict()
        left = {name for name in state if not name.endswith("num_batches_tracked")}
        for entry in entries:
            values = _filled(entry["t"], tuple(entry["shape"]), entry["kind"], entry.get("fan_in"), entry.get("gain"))
            assert float(values.sum()) == pytest.approx(entry["sum"], abs=1e-8)
            assert float(values.square().sum()) == pytest.approx(entry["sumsq"], rel=1e-12)
            state[rename(entry["name"])].copy_(values)
            left.remove(rename(entry["name"]))
        assert not left
        return network

    return fill


@pytest.fixture
def vector_moments():
    """Mean and standard deviation of the stated stand-in for the 5000 normal draws of call h."""

    def build(h):
        n = torch.arange(5000, dtype=torch.float64)
        reference = 1.4 * torch.sin(0.731 * (n + 1) + 0.5 * h) + 0.02 * (h + 1)
        return reference.mean(), reference.std()

    return build


@pytest.fixture
def clip_log(monkeypatch):
    """Records, before each clipping, norm and sum of every gradient, and the total norm that clipping found."""
    log = []
    clip = torch.nn.utils.clip_grad_norm_

    def recording(parameters, limit):
        parameters = list(parameters)
        gradients = [parameter.grad for parameter in parameters]
        entry = {"norms": [float(g.norm()) for g in gradients], "sums": [float(g.sum()) for g in gradients]}
        log.append(entry | {"total": float(clip(parameters, limit)), "limit": limit})

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", recording)
    return log


@pytest.fixture
def check_state(close):
    """Compare sums of every tensor with `rows` of (name, sum, sum of squares) or (name, count)."""

    def check(label, network, rows, rename=lambda name: name):
        state = network.state_dict()
        assert len(rows) == len(state)
        for name, *numbers in rows:
            values = state[rename(name)]
            if name.endswith("num_batches_tracked"):
                assert int(values) == numbers[0]
                continue
            close(f"{label}, sums", values.sum(), numbers[0], atol=1e-8)
            close(f"{label}, sums of squares", values.square().sum(), numbers[1], atol=1e-12, rtol=1e-9)

    return check
