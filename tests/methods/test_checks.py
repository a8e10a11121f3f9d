"""The battery for detectors: ours pass it, and each kind of broken detector fails the check meant for it."""

import pytest

from methods.checks import ArrayImages, CheckError, check_detector, tiny_images
from methods.registry import installed
from methods.registry.recipe import parse

RECIPE = """
id = "nearest"
title = "Nearest mean"
detector = "{module}:Nearest"
version = 1
[capabilities]
rules = ["general"]
anomalies = true
independent_scores = true
[params."evaluation.batch"]
type = "int"
default = 3
source = "own choice"
"""

# Distance to the mean of the training normals, with a small training loop that can be stopped.
CODE = """
import time
import numpy as np
import torch
from methods.detector import DeadlineReached
from methods.errors import MethodError

class Nearest:
    def __init__(self, params, context):
        self.params, self.context, self.history = params, context, {"loss": [0.5]}

    def fit(self, data):
        saved = self.context.checkpoint.load() or {"step": 0, "sum": 0.0}
        while saved["step"] < len(data.normal):
            saved["sum"] = saved["sum"] + float(data.normal.one(saved["step"]).mean())
            saved["step"] += 1
            if self.context.deadline is not None and time.monotonic() >= self.context.deadline:
                self.context.checkpoint.save(saved)
                raise DeadlineReached
        self.mean = torch.tensor(saved["sum"] / saved["step"], dtype=torch.float64)

    def score(self, images, batch):
        pixels = images.take(np.arange(len(images)))
        return np.abs(pixels.mean(axis=(1, 2, 3)) - self.mean.item())

    def state(self):
        return {"mean": self.mean}

    def load(self, state):
        self.mean = state["mean"]
"""

BROKEN = [
    ("return np.abs", "return 0 * np.abs", "scores are finite numbers: all images have one score"),
    ("return np.abs", "return np.nan * np.abs", "scores are finite numbers: some are not finite"),
    ("- self.mean.item())", "- self.mean.item()).astype('f4')", "scores are finite numbers: got float32, not float64"),
    ("- self.mean.item())", "- self.mean.item())[:, None]", "scores are finite numbers: got shape (9, 1) for 9 images"),
    ("- self.mean.item())", "- self.mean.item()).tolist()", "scores are finite numbers: got a list, not an array"),
    ("return np.abs", "self.mean = self.mean + 1; return np.abs", "scoring twice gives the same: scores differ by up"),
    ("- self.mean.item())", "- self.mean.item()).reshape(-1)[-9:] if len(images) > 1 else np.zeros(3)",
     "one image can be scored: got shape (3,)"),
    ('/ saved["step"]', '/ saved["step"] + torch.rand(1).item()', "same seed gives the same fit: scores differ by up"),
    ('return {"mean": self.mean}', 'return {"mean": self.mean, "noise": torch.rand(3)}',
     "same seed gives the same fit: the states differ in ['noise']"),
    ('/ saved["step"]', '/ saved["step"] + len(data.normal.ids[0])', "same seed gives the same fit: scores differ by"),
    ("self.mean = torch", "self.params['k'] = 1; self.mean = torch", "same seed gives the same fit: the mapping"),
    ("return np.abs", "return len(images.ids[0]) * np.abs", "scores do not read ids: scores differ by up"),
    ('return {"mean": self.mean}', 'return {"mean": self.mean, "n": 3}', "holds more than tensors: ['n']"),
    ('self.mean = state["mean"]', 'self.mean = state["mean"] + 1', "a loaded state scores the same: scores differ"),
    ('self.mean = state["mean"]', 'self.score = self.refuse\n    def refuse(self, images, batch): raise MethodError("no")',
     "a loaded state scores the same: scoring was refused"),
    ("self.context.checkpoint.save(saved)", 'self.context.checkpoint.save(saved | {"step": 3})',
     "a stopped fit goes on to the same: scores differ by up"),
    ("[0.5]", "[float('nan')]", "history holds finite numbers: loss is [nan]"),
    ("self.mean.item())", "pixels.mean())", "independent scores are independent: among other"),
]  # fmt: skip


@pytest.fixture
def nearest(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)

    def build(code):
        module = f"swan_nearest_{abs(hash(code))}"
        (tmp_path / f"{module}.py").write_text(code)
        return parse(RECIPE.format(module=module), "nearest.toml")

    return build


@pytest.mark.parametrize("method", ["devnet", "dra"])
def test_our_detectors_pass(method):
    check_detector(installed.get(method))


def test_a_small_detector_of_somebody_else_passes(nearest):
    check_detector(nearest(CODE))


@pytest.mark.parametrize(("old", "new", "text"), BROKEN)
def test_each_fault_fails_its_own_check(nearest, old, new, text):
    assert old in CODE
    with pytest.raises(CheckError) as caught:
        check_detector(nearest(CODE.replace(old, new, 1)))
    assert text in str(caught.value)


def test_array_images_cannot_be_written_to():
    images = tiny_images(3, size=8)
    with pytest.raises(ValueError, match="read-only"):
        images.one(0)[0, 0, 0] = 1


def test_array_images_are_selected_with_their_ids():
    images = tiny_images(4, size=8, channels=3, anomalous=True)
    chosen = images.select([2, 0])
    assert (chosen.ids, chosen.channels, chosen.size, len(chosen)) == ((images.ids[2], images.ids[0]), 3, 8, 2)
    assert (chosen.one(1) == images.one(0)).all()
    assert isinstance(chosen, ArrayImages)
