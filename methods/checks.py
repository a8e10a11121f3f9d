"""Checks that every detector must pass, ours and those of plug-ins: call `check_detector(get("mine"))` in a test."""

import contextlib
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from methods.backbones.find import RANDOM, WeightsFile
from methods.devices import CPU, DEFAULT_PRECISION
from methods.errors import MethodError
from methods.in_memory import ArrayImages, MemoryCheckpoint, tiny_images
from methods.registry.base import resolve_base
from methods.registry.info import MethodInfo
from methods.registry.installed import load, methods
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
    "clusters.count": 2,
    "inner.passes": 2,
    "importance.length": 1,
    "importance.start": 1,
    "evaluation.batch": 4,
}
"""Values that make a fit small, for the parameters that a detector has."""


class CheckError(AssertionError):
    """A detector breaks the contract of `methods.detector.Detector`; the text says which check and what was seen."""


class Case:
    """A method with tiny parameters and images, and its first fit, which the checks share and must not change."""

    def __init__(
        self,
        info: MethodInfo,
        overrides: Mapping[str, ParamValue],
        size: int,
        *,
        channels: int,
        precision: str,
        recipe: str = "quick",
    ) -> None:
        tiny = {name: value for name, value in TINY.items() if name in info.params}
        self.info = info
        self.precision = precision
        self.params = resolve(info, recipe, "tiny", tiny | dict(overrides)).params
        self._size, self._channels = size, channels
        self.test = self._images(5, seed=2).joined(self._images(4, anomalous=True, seed=2))

    def _images(self, n: int, *, anomalous: bool = False, seed: int = 0) -> ArrayImages:
        return tiny_images(n, size=self._size, channels=self._channels, anomalous=anomalous, seed=seed)

    def data(self, *, renamed: bool = False) -> "TrainData":
        from methods.detector import TrainData

        normal = self._images(12)
        anomaly = self._images(4 if self.info.anomalies else 0, anomalous=True)
        pools = {pool: self._images(3, seed=7) for pool in self.info.pools(self.params)}
        if renamed:
            normal, anomaly = normal.renamed(), anomaly.renamed()
            pools = {name: pool.renamed() for name, pool in pools.items()}
        native = normal if self.info.takes_native_images(self.params) else None
        return TrainData(normal, anomaly, dict(pools), self._base_state, native)

    @cached_property
    def _base_state(self) -> "Mapping[str, torch.Tensor] | None":
        """The state of a fit of the method's base, where it has one."""
        from methods.detector import TrainData

        if self.info.base is None:
            return None
        every = methods()
        base_info = every.get(self.info.base.method)
        tiny = {name: value for name, value in TINY.items() if base_info and name in base_info.params}
        base = resolve_base(self.info, self.params, every, "tiny", tiny)
        detector = load(base.info)(dict(base.resolved.params), self.context())
        anomaly = self._images(4 if base.info.anomalies else 0, anomalous=True)
        pools = {pool: self._images(3, seed=7) for pool in base.info.pools(base.resolved.params)}
        detector.fit(TrainData(self._images(12), anomaly, dict(pools)))
        return {name: value.clone() for name, value in detector.state().items()}

    def context(self, checkpoint: MemoryCheckpoint | None = None, deadline: float | None = None) -> "FitContext":
        from methods.detector import FitContext

        backbones = self.info.backbones(self.params)
        return FitContext(
            seed=3,
            threads=1,
            precision=self.precision,
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


@dataclass(frozen=True)
class BatteryCheck:
    """One check of the battery on one method. `demand` is the sentence that a detector has to meet; where a check that
    `is_needed` fails, the others have nothing to go by.
    """

    name: str
    demand: str
    is_needed: bool
    function: Callable[[Case], None]
    cases: tuple[Case, ...]

    def run(self) -> None:
        """Run it with as many threads as the context says; raises CheckError, and whatever the detector raises."""
        with _one_thread():
            for case in self.cases:
                try:
                    self.function(case)
                except CheckError as error:
                    precision = "" if case.precision == "fp32" else f" ({case.precision})"
                    raise CheckError(f"{error}{precision}") from None


def battery(
    info: MethodInfo, *, overrides: Mapping[str, ParamValue] | None = None, size: int = 32, recipe: str = "quick"
) -> tuple[BatteryCheck, ...]:
    """The checks of a method with tiny budgets, random weights and grey images of `size` pixels; the first in colour.

    In fp32, and of a detector that takes the precision of a run in the machine's native one too. `overrides` are
    parameters to change.

    Raises:
        MethodError: there is no such recipe, or a parameter is wrong.
    """
    native = CPU.native_precision if info.takes_precision else DEFAULT_PRECISION
    precisions = tuple(dict.fromkeys((DEFAULT_PRECISION, native)))

    def cases(channels: int) -> tuple[Case, ...]:
        return tuple(
            Case(info, overrides or {}, size, channels=channels, precision=precision, recipe=recipe)
            for precision in precisions
        )

    grey = cases(1)
    return tuple(
        BatteryCheck(
            name=check.__name__.replace("_", " "),
            demand=" ".join((check.__doc__ or "").partition("\n\n")[0].split()),
            is_needed=check is CHECKS[0],
            function=check,
            cases=(*cases(3), *grey) if check is CHECKS[0] else grey,
        )
        for check in CHECKS
    )


def check_detector(
    info: MethodInfo, *, overrides: Mapping[str, ParamValue] | None = None, size: int = 32, recipe: str = "quick"
) -> None:
    """Run every check of the `battery` on a method; the parameters are those of `battery`.

    Raises:
        CheckError: the detector breaks its contract.
        MethodError: it cannot be imported, or a parameter is wrong.
    """
    for check in battery(info, overrides=overrides, size=size, recipe=recipe):
        try:
            check.run()
        except CheckError as error:
            raise CheckError(f"{info.id}: {check.name}: {error}") from None


def scores_are_finite_numbers(case: Case) -> None:
    """Scores of grey and of colour images are float64 of shape (n,), finite, and not all the same."""
    scores = case.scores
    _require(isinstance(scores, np.ndarray), f"got a {type(scores).__name__}, not an array")
    _require(scores.dtype == np.float64, f"got {scores.dtype}, not float64")
    _require(scores.shape == (len(case.test),), f"got shape {scores.shape} for {len(case.test)} images")
    _require(bool(np.isfinite(scores).all()), "some are not finite")
    _require(len(np.unique(scores)) > 1, "all images have one score")


def scoring_twice_gives_the_same(case: Case) -> None:
    """A second call of `score` gives the same bits: scoring changes nothing in the detector."""
    _require_equal(case.scored(case.fitted, case.test), case.scores)


def one_image_can_be_scored(case: Case) -> None:
    """A single image gets a score of shape (1,)."""
    scores = case.scored(case.fitted, case.test.select(np.array([0])))
    _require(scores.shape == (1,), f"got shape {scores.shape}")


def same_seed_gives_the_same_fit(case: Case) -> None:
    """A second fit has the same scores and state, bit for bit, whatever the global generators are at and the images are
    called, for a path may give a label away; the mapping of parameters is only read.
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
    """The names of test images change no score."""
    _require_equal(case.scored(case.fitted, case.test.renamed()), case.scores)


def a_loaded_state_scores_the_same(case: Case) -> None:
    """`state` is tensors alone, and a detector that loads them scores the same; one whose scores need more may refuse
    by MethodError.
    """
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
    """A fit that its deadline stopped goes on from its checkpoint, or starts over, and ends with the same scores."""
    from methods.detector import DeadlineReached

    checkpoint = MemoryCheckpoint()
    try:
        detector = case.fit(context=case.context(checkpoint, deadline=time.monotonic()))
    except DeadlineReached:
        detector = case.fit(context=case.context(checkpoint))
    _require_equal(case.scored(detector, case.test), case.scores)


def history_holds_finite_numbers(case: Case) -> None:
    """Each list in `history` holds finite floats."""
    for name, values in case.fitted.history.items():
        _require(all(isinstance(value, float) and math.isfinite(value) for value in values), f"{name} is {values}")


def history_says_what_its_numbers_are(case: Case) -> None:
    """Only where the recipe file has a table [history]: it must have every name."""
    unexplained = [name for name in case.fitted.history if case.info.history_meaning(name) is None]
    _require(not (case.info.history and unexplained), f"[history] of the recipe lacks {', '.join(unexplained)}")


def independent_scores_are_independent(case: Case) -> None:
    """With `independent_scores` in the recipe, other images, order and batch size change no score beyond rounding."""
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
