"""Checks that every detector must pass, ours and those of plug-ins: call `check_detector(get("mine"))` in a test."""

import contextlib
import copy
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from methods.backbones.find import RANDOM, WeightsFile
from methods.devices import CPU
from methods.errors import MethodError
from methods.registry.info import MethodInfo
from methods.registry.installed import load
from methods.registry.recipe import resolve
from protocols.values import ParamValue

if TYPE_CHECKING:
    import torch

    from methods.detector import Detector, FitContext, TrainData

ScoreArray = npt.NDArray[np.float64]

TINY: Mapping[str, ParamValue] = {
    "budget.epochs": 1,
    "budget.steps": 2,
    "batch.size": 6,
    "batch.seen": 2,
    "reference.size": 2,
    "evaluation.batch": 4,
}
"""Values that make a fit small, for the parameters that a detector has."""


class CheckError(AssertionError):
    """A detector breaks the contract of `methods.detector.Detector`; the text says which check and what was seen."""


class ArrayImages:
    """`protocols.images.store.Images` over a uint8 array (n, S, S, C) that nobody can write to."""

    def __init__(self, pixels: npt.NDArray[np.uint8], ids: tuple[str, ...] = ()) -> None:
        self.pixels = pixels.copy()
        self.pixels.flags.writeable = False
        self.ids = ids or tuple(f"image{number:03}" for number in range(len(pixels)))
        self.size: int = pixels.shape[1]
        self.channels: int = pixels.shape[3]

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, index: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        pixels: npt.NDArray[np.uint8] = self.pixels[index]
        return pixels

    def one(self, i: int) -> npt.NDArray[np.uint8]:
        image: npt.NDArray[np.uint8] = self.pixels[i]
        return image

    def select(self, index: npt.NDArray[Any]) -> "ArrayImages":
        return ArrayImages(self.pixels[index], tuple(self.ids[position] for position in index))

    def joined(self, second: "ArrayImages") -> "ArrayImages":
        return ArrayImages(np.concatenate([self.pixels, second.pixels]), self.ids + second.ids)

    def renamed(self) -> "ArrayImages":
        """The same images under ids that say nothing."""
        return ArrayImages(self.pixels, tuple(f"other{number}" for number in reversed(range(len(self)))))


def tiny_images(n: int, *, size: int = 32, channels: int = 1, anomalous: bool = False, seed: int = 0) -> ArrayImages:
    """Noisy grey images (n, size, size, channels), with a bright square somewhere in each anomalous one."""
    generator = np.random.default_rng([seed, anomalous])
    pixels = generator.integers(90, 140, (n, size, size, channels), dtype=np.uint8)
    side = size // 4
    for image in pixels:
        y, x = generator.integers(0, size - side, 2)
        if anomalous:
            image[y : y + side, x : x + side] = 250
    kind = "anomalous" if anomalous else "normal"
    return ArrayImages(pixels, tuple(f"{kind}/{seed}-{number:03}.png" for number in range(n)))


class MemoryCheckpoint:
    """`methods.detector.Checkpoint` that keeps a copy of the last state and never asks for another."""

    def __init__(self) -> None:
        self._state: dict[str, Any] | None = None

    def load(self) -> dict[str, Any] | None:
        return copy.deepcopy(self._state)

    def save(self, state: Mapping[str, Any]) -> None:
        self._state = copy.deepcopy(dict(state))

    def due(self) -> bool:
        return False


class Case:
    """A method with tiny parameters and images, and its first fit, which the checks share and must not change."""

    def __init__(
        self, info: MethodInfo, overrides: Mapping[str, ParamValue], size: int, *, channels: int, precision: str
    ) -> None:
        tiny = {name: value for name, value in TINY.items() if name in info.params}
        self.info = info
        self.params = resolve(info, "quick", "tiny", tiny | dict(overrides)).params
        self._size, self._channels, self._precision = size, channels, precision
        self.test = self._images(5, seed=2).joined(self._images(4, anomalous=True, seed=2))

    def _images(self, n: int, *, anomalous: bool = False, seed: int = 0) -> ArrayImages:
        return tiny_images(n, size=self._size, channels=self._channels, anomalous=anomalous, seed=seed)

    def data(self, *, renamed: bool = False) -> "TrainData":
        from methods.detector import TrainData

        normal = self._images(12)
        anomaly = self._images(4 if self.info.anomalies else 0, anomalous=True)
        pools = {pool: self._images(3, seed=7) for pool in self.info.pools(self.params)}
        if renamed:
            return TrainData(
                normal.renamed(), anomaly.renamed(), {name: pool.renamed() for name, pool in pools.items()}
            )
        return TrainData(normal, anomaly, dict(pools))

    def context(self, checkpoint: MemoryCheckpoint | None = None, deadline: float | None = None) -> "FitContext":
        from methods.detector import FitContext

        backbones = self.info.backbones(self.params)
        return FitContext(
            seed=3,
            threads=1,
            precision=self._precision,
            device="cpu",
            weights={arch: WeightsFile(arch, None, RANDOM, RANDOM) for arch in backbones},
            checkpoint=checkpoint or MemoryCheckpoint(),
            progress=lambda *_, **__: None,
            artefact=lambda *_: None,
            deadline=deadline,
        )

    def detector(
        self, context: "FitContext | None" = None, params: Mapping[str, ParamValue] | None = None
    ) -> "Detector":
        return load(self.info)(dict(self.params) if params is None else params, context or self.context())

    def fit(self, data: "TrainData | None" = None, context: "FitContext | None" = None) -> "Detector":
        detector = self.detector(context)
        detector.fit(data or self.data())
        return detector

    def scored(self, detector: "Detector", images: ArrayImages, batch: int | None = None) -> ScoreArray:
        """Scores in batches of `evaluation.batch`, or of another size, where the recipe has this parameter."""
        usual = self.params.get("evaluation.batch")
        return detector.score(images) if usual is None else detector.score(images, batch or int(str(usual)))

    @cached_property
    def fitted(self) -> "Detector":
        return self.fit()

    @cached_property
    def scores(self) -> ScoreArray:
        return self.scored(self.fitted, self.test)


def check_detector(info: MethodInfo, *, overrides: Mapping[str, ParamValue] | None = None, size: int = 32) -> None:
    """Run every check on a method with recipe quick, tiny budgets, random weights and grey images; the first in colour.

    In fp32, and a detector that takes the precision of a run in the machine's default too.

    `overrides` are parameters to change, `size` the side of the images in pixels.

    Raises:
        CheckError: the detector breaks its contract.
        MethodError: it cannot be imported, or a parameter is wrong.
    """
    changed = overrides or {}
    default = CPU.default_precision if info.takes_precision else "fp32"
    with _one_thread():
        for precision in dict.fromkeys(("fp32", default)):
            colour, grey = (Case(info, changed, size, channels=n, precision=precision) for n in (3, 1))
            for case, check in [(colour, CHECKS[0]), *((grey, check) for check in CHECKS)]:
                try:
                    check(case)
                except CheckError as error:
                    text = f"{check.__name__.replace('_', ' ')}: {error}"
                    raise CheckError(
                        f"{info.id}: {text}" + ("" if precision == "fp32" else f" ({precision})")
                    ) from None


def scores_are_finite_numbers(case: Case) -> None:
    scores = case.scores
    _require(isinstance(scores, np.ndarray), f"got a {type(scores).__name__}, not an array")
    _require(scores.dtype == np.float64, f"got {scores.dtype}, not float64")
    _require(scores.shape == (len(case.test),), f"got shape {scores.shape} for {len(case.test)} images")
    _require(bool(np.isfinite(scores).all()), "some are not finite")
    _require(len(np.unique(scores)) > 1, "all images have one score")


def scoring_twice_gives_the_same(case: Case) -> None:
    _require_equal(case.scored(case.fitted, case.test), case.scores)


def one_image_can_be_scored(case: Case) -> None:
    scores = case.scored(case.fitted, case.test.select(np.array([0])))
    _require(scores.shape == (1,), f"got shape {scores.shape}")


def same_seed_gives_the_same_fit(case: Case) -> None:
    """Neither the state of global generators nor the names of images change a fit: a path may give a label away.

    The mapping of parameters is only read.
    """
    first, params = case.scores, dict(case.params)
    _disturb_global_generators()
    again = case.detector(params=params)
    again.fit(case.data(renamed=True))
    _disturb_global_generators()
    _require_equal(case.scored(again, case.test), first)
    _require_equal_state(again.state(), case.fitted.state())
    _require(params == case.params, "the mapping of parameters was changed")


def scores_do_not_read_ids(case: Case) -> None:
    _require_equal(case.scored(case.fitted, case.test.renamed()), case.scores)


def a_loaded_state_scores_the_same(case: Case) -> None:
    """A detector whose scores need more than its state may refuse by MethodError, but not score otherwise."""
    import torch

    state = case.fitted.state()
    others = [name for name, value in state.items() if not isinstance(value, torch.Tensor)]
    _require(not others, f"state holds more than tensors: {others}")
    loaded = case.detector()
    loaded.load({name: value.clone() for name, value in state.items()})
    try:
        scores = case.scored(loaded, case.test)
    except MethodError:
        _require(not case.info.scores_independently(case.params), "scoring was refused")
        return
    _require_equal(scores, case.scores)


def a_stopped_fit_goes_on_to_the_same(case: Case) -> None:
    from methods.detector import DeadlineReached

    checkpoint = MemoryCheckpoint()
    try:
        detector = case.fit(context=case.context(checkpoint, deadline=time.monotonic()))
    except DeadlineReached:
        detector = case.fit(context=case.context(checkpoint))
    _require_equal(case.scored(detector, case.test), case.scores)


def history_holds_finite_numbers(case: Case) -> None:
    for name, values in case.fitted.history.items():
        _require(all(isinstance(value, float) and math.isfinite(value) for value in values), f"{name} is {values}")


def history_says_what_its_numbers_are(case: Case) -> None:
    """Only where the recipe file has a table [history]: it must have every name."""
    unexplained = [name for name in case.fitted.history if case.info.history_meaning(name) is None]
    _require(not (case.info.history and unexplained), f"[history] of the recipe lacks {', '.join(unexplained)}")


def independent_scores_are_independent(case: Case) -> None:
    """Only where the recipe file says so: other images, order and batch size change no score beyond rounding."""
    if not case.info.scores_independently(case.params):
        return
    blank = case.detector()
    blank.load({name: value.clone() for name, value in case.fitted.state().items()})
    order = np.random.default_rng(0).permutation(len(case.test))[:-2]
    scores = case.scored(blank, case.test.select(order), batch=2)
    limit = 1e-5 * max(1.0, float(np.abs(case.scores).max()))
    difference = float(np.abs(scores - case.scores[order]).max())
    _require(difference <= limit, f"among other images scores differ by up to {difference:.3g}")


CHECKS: tuple[Callable[[Case], None], ...] = (
    scores_are_finite_numbers,
    scoring_twice_gives_the_same,
    one_image_can_be_scored,
    a_loaded_state_scores_the_same,
    same_seed_gives_the_same_fit,
    scores_do_not_read_ids,
    a_stopped_fit_goes_on_to_the_same,
    history_holds_finite_numbers,
    history_says_what_its_numbers_are,
    independent_scores_are_independent,
)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """As many threads as the context says, which is what the harness sees to."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _require(met: bool, text: str) -> None:
    if not met:
        raise CheckError(text)


def _require_equal(scores: ScoreArray, expected: ScoreArray) -> None:
    if not np.array_equal(scores, expected):
        raise CheckError(f"scores differ by up to {np.abs(scores - expected).max():.3g}")


def _require_equal_state(state: "Mapping[str, torch.Tensor]", expected: "Mapping[str, torch.Tensor]") -> None:
    import torch

    _require(state.keys() == expected.keys(), "the states have other tensors")
    differing = [name for name, value in state.items() if not torch.equal(value, expected[name])]
    _require(not differing, f"the states differ in {differing[:3]}")


def _disturb_global_generators() -> None:
    import torch

    random.random()  # noqa: S311 - to be noticed, not to be secret
    np.random.random()  # noqa: NPY002 - the legacy generator is the one to disturb
    torch.rand(1)
