"""Calibration: a few steps of each kind of fit of which no time is known, in a process of its own.

The detector itself is trained on noise, on small images first, since no more is known of its steps than what it reports
of its progress. Steps are scaled to the size of the fit by its number of pixels, as convolutions are.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as NotInTimeError
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from benchmark import numerics
from benchmark.execution.processes.confine import confined_fit
from benchmark.execution.processes.fit_clock import FitClock
from benchmark.execution.processes.pool import CallError, WorkerLostError, Workers
from benchmark.paths import Folders
from benchmark.planning.costs.decoding import decode_seconds, image_sets, measure_decoding, undecoded
from benchmark.planning.costs.forecast import Conditions, forecast_tasks
from benchmark.planning.costs.measured import FitCost, cost_kind, keep_cost
from benchmark.planning.types import Plan, PlannedFit, Task
from methods.devices import parse_device
from methods.registry import installed
from protocols.catalogue import data_folder
from protocols.errors import DataError
from protocols.text import plural
from protocols.values import ParamValue
from results.spec import FitSpec

CALIBRATION_SECONDS = 20.0
SMALLEST_SECONDS = 2.5
"""Time that the steps of one kind get at least; a detector reports its progress about once a second."""
PATIENCE_SECONDS = 20.0
"""Time that one kind may take beyond its own, start of the process included, before it is given up."""
SMALL_PX = (96, 160)
"""Sides of the images that are tried first, in pixels; a kind of smaller images is measured as it is."""
SCORED_IMAGES = 16
NOISE_IMAGES = 32


@dataclass(frozen=True)
class KindOfFit:
    """What a worker needs to measure steps: a fit of the kind, channels of its images, batch of its scores."""

    fit: PlannedFit
    channels: int
    batch: int | None
    px: int
    threads: int
    device: str


class MeasuredSteps(msgspec.Struct, frozen=True):
    """Seconds that a whole fit would take on images of `px` a side, and those of scoring one; memory in MiB.

    `resting_mib` is that of the process before the fit.
    """

    px: int
    fit_s: float
    score_s: float
    resting_mib: float
    peak_mib: float
    numerics_class: str


class NoiseImages:
    """Images of noise, as many as there are ids, of which a few differ."""

    def __init__(self, ids: Sequence[str], size: int, channels: int) -> None:
        self.ids = tuple(ids)
        self.size = size
        self.channels = channels

    @cached_property
    def _pixels(self) -> Any:
        import numpy as np

        shape = (NOISE_IMAGES, self.size, self.size, self.channels)
        return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: Any) -> Any:
        return self._pixels[[int(i) % NOISE_IMAGES for i in index]]

    def one(self, i: int) -> Any:
        return self._pixels[int(i) % NOISE_IMAGES].copy()

    def select(self, index: Any) -> "NoiseImages":
        return NoiseImages([self.ids[int(i)] for i in index], self.size, self.channels)


class NoCheckpoint:
    """A checkpoint that is never due."""

    def load(self) -> None:
        return None

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep nothing."""

    def due(self) -> bool:
        return False


def calibrate(
    plan: Plan, folders: Folders, conditions: Conditions, environment: Mapping[str, str], tell: Callable[[str], None]
) -> None:
    """Measure the kinds of missing fits of which no time is known, those of most fits first, and keep what they tell.

    `environment` is that of the workers of fits. After about 20 s the rest is left for another call.
    """
    tasks = plan.tasks({"missing"})
    forecasts = forecast_tasks(plan, tasks, conditions)
    groups: defaultdict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        if forecasts[task.key] is None and task.fit.spec.resize != "none":
            groups[_sizeless_kind(task.fit.spec)].append(task)
    ordered = sorted(groups.values(), key=lambda alike: (-len(alike), alike[0].fit.method))
    decoded = _calibrate_decoding(tasks, folders, conditions, tell)
    if not ordered:
        if not decoded:
            tell("calibration: nothing to measure, the time of every missing fit is known")
        return
    started = time.monotonic()
    done = 0
    workers = Workers(1, environment)
    try:
        for number, alike in enumerate(ordered):
            seconds_left = CALIBRATION_SECONDS - (time.monotonic() - started)
            if number and seconds_left < SMALLEST_SECONDS:
                break
            done += 1
            seconds = max(SMALLEST_SECONDS, seconds_left / (len(ordered) - number))
            _calibrate_kind(alike, folders.data, conditions, seconds, workers, tell)
    finally:
        workers.close(kill=True)
    rest = len(ordered) - done
    text = f"calibration: {plural(done, 'kind')} of fits in {time.monotonic() - started:.0f} s"
    tell(text + (f"; left: {rest}, --calibrate again measures them" if rest else ""))


def _calibrate_decoding(
    tasks: Sequence[Task], folders: Folders, conditions: Conditions, tell: Callable[[str], None]
) -> int:
    """Decode a few images for each image store that is not there and was not measured; how many these are."""
    stores = undecoded(image_sets((key for task in tasks for key in task.image_stores), folders.data), folders.cache)
    known = decode_seconds(stores, folders.cache, conditions.threads)
    unknown = [(key, dataset) for key, dataset in stores if key not in known]
    for key, dataset in unknown:
        try:
            measure_decoding(key, dataset, folders.cache)
        except DataError as error:
            tell(f"not calibrated: decoding {key.dataset}: {error}")
    if unknown:
        tell(f"calibration: decoding of {plural(len(unknown), 'dataset and size', 'datasets and sizes')}")
    return len(unknown)


def _calibrate_kind(
    tasks: Sequence[Task],
    data: Path,
    conditions: Conditions,
    seconds: float,
    workers: Workers,
    tell: Callable[[str], None],
) -> None:
    """Measure one kind at rising sizes while its time lasts, and keep a cost for each size that the plan has of it."""
    largest = max(tasks, key=lambda task: task.fit.spec.size)
    deadline = time.monotonic() + seconds
    measured: list[MeasuredSteps] = []
    for px in _sides(largest.fit.spec.size):
        if measured and time.monotonic() + _next_seconds(measured, px) > deadline:
            break
        outcome = _measured_at(largest, px, data, conditions, workers)
        if isinstance(outcome, str):
            tell(f"not calibrated: {largest.fit.method} at {px} px: {outcome}")
            break
        measured.append(outcome)
    if not measured:
        return
    cpu = numerics.cpu_name()
    for task in {task.fit.spec.size: task for task in tasks}.values():
        spec = task.fit.spec
        cost = scaled_cost(measured, spec.size, train=len(task.fit.train_normal) + len(task.fit.train_anomaly))
        kind = cost_kind(spec, cpu=cpu, device=conditions.device, threads=conditions.threads)
        keep_cost(conditions.cache, kind, cost)


def scaled_cost(measured: Sequence[MeasuredSteps], size: int, *, train: int) -> FitCost:
    """The cost of a fit at a size, by pixels: in proportion to the largest that was measured, or on the line of two.

    Scores are those of one image. The line never falls below the largest that was measured.
    """
    last = measured[-1]
    pixels, ratio = size**2, size**2 / last.px**2
    fit_s = last.fit_s * ratio
    if len(measured) > 1 and last.px < size:
        before = measured[-2]
        slope = (last.fit_s - before.fit_s) / (last.px**2 - before.px**2)
        fit_s = max(last.fit_s, last.fit_s + slope * (pixels - last.px**2))
    return FitCost(
        run=None,
        numerics_class=last.numerics_class,
        train=train,
        test=1,
        fit_s=round(fit_s, 3),
        score_s=round(last.score_s * ratio, 6),
        memory_mib=round(last.resting_mib + (last.peak_mib - last.resting_mib) * ratio, 1),
        calibrated_px=last.px,
    )


def _sides(size: int) -> list[int]:
    return [*(px for px in SMALL_PX if px < size), size]


def _next_seconds(measured: Sequence[MeasuredSteps], px: int) -> float:
    """Seconds that a measurement at the next size needs, by what the last one needed at least."""
    return max(1.0, px**2 / measured[-1].px ** 2) * SMALLEST_SECONDS


def _measured_at(task: Task, px: int, data: Path, conditions: Conditions, workers: Workers) -> MeasuredSteps | str:
    """Steps at this size, or why they could not be measured."""
    dataset = data_folder.open_dataset(data, task.fit.dataset)
    batches: list[int | None] = [run.evaluation.batch for run in task.runs]
    kind = KindOfFit(task.fit, dataset.channels, next(iter(batches), None), px, conditions.threads, conditions.device)
    future = workers.submit(measure_steps, kind)
    try:
        return future.result(timeout=SMALLEST_SECONDS + PATIENCE_SECONDS)
    except NotInTimeError:
        workers.end(future)
        return "its first steps take too long"
    except WorkerLostError:
        return "its process ended"
    except CallError as error:
        return str(error).strip().splitlines()[-1]


def _sizeless_kind(spec: FitSpec) -> str:
    """Digest of what kinds share that differ in the size of the images alone."""
    params = {name: value for name, value in spec.params.items() if name != "img_size"}
    return cost_kind(msgspec.structs.replace(spec, size=0, params=params), cpu="", device="cpu", threads=0)


def measure_steps(kind: KindOfFit) -> MeasuredSteps:
    """Train a detector on noise until a few steps tell how long all take, then score a few images with it.

    Raises:
        ValueError: it was done, or stopped, before it reported its progress twice.
    """
    import torch

    torch.set_num_threads(kind.threads)
    torch.set_float32_matmul_precision("highest")
    resting = _reset_peak()
    with confined_fit(), tempfile.TemporaryDirectory() as folder:
        clock = FitClock(Path(folder) / "progress.json", None)
        detector, seconds, whole = _trained(kind, clock)
        score_s = _score_seconds(detector, kind)
    foretold = clock.foretold or whole
    if foretold is None:
        raise ValueError("it reported its progress less than twice")
    spec = kind.fit.spec
    return MeasuredSteps(
        px=kind.px,
        fit_s=max(foretold, seconds if whole else 0.0),
        score_s=score_s,
        resting_mib=resting,
        peak_mib=_peak_mib(),
        numerics_class=numerics.numerics_class(device=kind.device, precision=spec.precision, threads=kind.threads),
    )


def _trained(kind: KindOfFit, clock: FitClock) -> tuple[Any, float, float | None]:
    """The detector after its first steps, the seconds that these took, and those of the whole fit if it was done."""
    from methods.detector import DeadlineReached, FitContext, TrainData

    fit = kind.fit
    reports = 0

    def report(done: int, total: int, **numbers: float) -> None:
        nonlocal reports
        clock.report(done, total, **numbers)
        reports += bool(done)
        if reports > 1 and clock.foretold is not None:
            context.deadline = time.monotonic()

    context = FitContext(
        seed=fit.spec.seed,
        threads=kind.threads,
        precision=fit.spec.precision,
        device=str(parse_device(kind.device).for_worker(0)),
        weights={**fit.measures.weights, **fit.weights},
        checkpoint=NoCheckpoint(),
        progress=report,
        artefact=lambda name, data: None,  # noqa: ARG005 - what the interface names
    )
    params: dict[str, ParamValue] = dict(fit.spec.params)
    if isinstance(params.get("img_size"), int):
        params["img_size"] = kind.px
    detector = installed.load(installed.get(fit.method))(params, context)
    data = TrainData(
        normal=NoiseImages(fit.train_normal, kind.px, kind.channels),
        anomaly=NoiseImages(fit.train_anomaly, kind.px, kind.channels),
        pools={
            name: NoiseImages([id_ for part in parts for id_ in part.ids], kind.px, 3)
            for name, parts in fit.pools.items()
        },
    )
    clock.begin_fit(None)
    start = time.perf_counter()
    try:
        detector.fit(data)
    except DeadlineReached:
        return detector, time.perf_counter() - start, None
    seconds = time.perf_counter() - start
    return detector, seconds, seconds


def _score_seconds(detector: Any, kind: KindOfFit) -> float:
    """Seconds to score one image, after a first batch that loads kernels; 0 where a fit that was stopped cannot."""
    batch = (
        {}
        if kind.batch is None or "evaluation.batch" not in installed.get(kind.fit.method).params
        else {"batch": kind.batch}
    )
    images = NoiseImages([str(number) for number in range(SCORED_IMAGES)], kind.px, kind.channels)
    try:
        detector.score(images.select(range(2)), **batch)
        start = time.perf_counter()
        detector.score(images, **batch)
    except Exception:  # noqa: BLE001 - a detector may need the end of its fit to score; its fit is what takes long
        return 0.0
    return (time.perf_counter() - start) / SCORED_IMAGES


def _reset_peak() -> float:
    """Let the peak of this process's memory begin anew, where the kernel can; its memory now, in MiB."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return 0.0
    return _peak_mib()


def _peak_mib() -> float:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)
