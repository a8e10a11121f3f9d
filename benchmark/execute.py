"""One fit and the runs that score it: what a worker process does between taking a claim and leaving records."""

import errno
import json
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmark import machine, provenance
from benchmark.plan import Task
from methods import registry
from methods.errors import MethodError
from protocols import prepare
from protocols.errors import DataError
from protocols.images import ImageStore
from protocols.split import Split, test_ids
from results.errors import ResultsError
from results.files import write_atomic
from results.record import Counts, Metrics, Provenance, Record
from results.scores import Scores
from results.spec import RunSpec
from results.store import Store

if TYPE_CHECKING:
    from methods.detector import Detector, FitContext

TIME_IS_OVER = "the time given with --max-time is over; the same command goes on from here"
CHECKPOINT_SECONDS = 300.0
PROGRESS_SECONDS = 0.5

Again = Literal["never", "failed", "all"]
OutcomeState = Literal["done", "taken", "failed", "busy", "blocked", "paused", "stopped"]


@dataclass(frozen=True)
class Machine:
    """What a worker must know of this call: folders, threads a fit, device, deadline (UNIX time), state of the code."""

    data: Path
    cache: Path
    store: Path
    threads: int
    device: str
    deadline: float | None
    package_version: str
    git_commit: str | None
    git_dirty: bool | None


@dataclass(frozen=True)
class Outcome:
    """What became of a task: `taken` where another call made its records, `busy` where one still does; `blocked`,
    `paused` (by --max-time) and `stopped` leave no record.
    """

    state: OutcomeState
    reason: str | None = None


def execute(task: Task, where: Machine, *, again: Again = "never") -> Outcome:
    """Fit once, score every run that has no record yet, and put the records. Never raises what a run can cause.

    `again` says what is run although it has a record: nothing, what failed, or everything.
    """
    store = Store(where.store)
    try:
        with store.claim(task.fit.fit_key) as mine:
            if not mine:
                return Outcome("busy")
            found = {spec.key: store.get(spec.key) for spec, _ in task.runs}
            runs = [run for run in task.runs if _is_due(found[run[0].key], again)]
            return _Execution(task, where, store).run(runs) if runs else _taken(found.values())
    except (DataError, MethodError) as error:
        return Outcome("blocked", str(error))
    except (ResultsError, OSError, MemoryError) as error:
        return Outcome("stopped", str(error) or "out of memory: use fewer --jobs, then run again")


def _is_due(record: Record | None, again: Again) -> bool:
    return record is None or again == "all" or (again == "failed" and record.status == "failed")


def _taken(records: Iterable[Record | None]) -> Outcome:
    """What another call made of a task."""
    failed = next((record for record in records if record and record.status == "failed"), None)
    return Outcome("failed", failed.error) if failed else Outcome("taken")


def _reraise_if_not_its_own(error: Exception, spec: RunSpec) -> None:
    """A full disk or too little memory is the machine's trouble: it leaves no failed record of the run."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        raise error
    if any(words in str(error).lower() for words in ("out of memory", "can't allocate memory")):
        raise MemoryError(f"out of memory in {spec.name}: use fewer --jobs, then run again") from error


class _Execution:
    def __init__(self, task: Task, where: Machine, store: Store) -> None:
        self.task = task
        self.where = where
        self.store = store
        self.started = datetime.now(UTC)
        self.timings: dict[str, float] = {}

    def run(self, runs: Sequence[tuple[RunSpec, Split]]) -> Outcome:
        import torch

        from methods.detector import DeadlineReached

        torch.set_num_threads(self.where.threads)
        self._report(0, 1)
        fit = self.task.fit
        dataset = prepare.open_dataset(self.where.data, runs[0][0].split.dataset)
        with self._timed("images"):
            images = self._open_store(dataset.name)
            pools = {name: self._open_store(name).images(_ids(self.where.data, name)) for name in fit.pools}
        left = list(runs)
        try:
            detector = self._detector(runs[0][0])
            with self._timed("fit"):
                self._fit(detector, runs[0][1], images, pools)
            while left:
                self.store.put(*self._scored(detector, *left[0], dataset, images))
                left.pop(0)
        except DeadlineReached:
            return Outcome("paused", TIME_IS_OVER)
        except (DataError, ResultsError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a detector does wrong is its record
            _reraise_if_not_its_own(error, runs[0][0])
            return self._failed(left, error)
        self.store.checkpoint_path(fit.fit_key).unlink(missing_ok=True)
        return Outcome("done")

    def _detector(self, spec: RunSpec) -> "Detector":
        order, batch = (spec.evaluation.order, spec.evaluation.batch) if spec.evaluation else ("ranked", 48)
        params = {**spec.fit.params, "evaluation.order": order, "evaluation.batch": batch}
        return registry.load(registry.get(self.task.method))(params, self._context())

    def _fit(self, detector: "Detector", split: Split, images: ImageStore, pools: Mapping[str, Any]) -> None:
        from methods.detector import TrainData

        info = registry.get(self.task.method)
        anomalies = split.train_anomaly if info.anomalies else ()
        detector.fit(TrainData(normal=images.images(split.train_normal), anomaly=images.images(anomalies), pools=pools))

    def _scored(
        self, detector: "Detector", spec: RunSpec, split: Split, dataset: Any, images: ImageStore
    ) -> tuple[Record, Scores]:
        import numpy as np
        from sklearn.metrics import average_precision_score, roc_auc_score

        ids = test_ids(split, dataset, spec.evaluation.order if spec.evaluation else "ranked")
        self.timings.pop("score_s", None)
        with self._timed("score"):
            values = np.asarray(detector.score(images.images(ids)), dtype=np.float64)
        if values.shape != (len(ids),):
            raise ValueError(f"{self.task.method} gave scores of shape {values.shape} for {len(ids)} images")
        if not np.isfinite(values).all():
            raise ValueError(f"{int((~np.isfinite(values)).sum())} of {len(ids)} scores are not finite")
        scores = Scores(ids=ids, classes=tuple(dataset.row(name).label for name in ids), values=values)
        auroc = float(roc_auc_score(scores.labels, values))
        record = self._record(
            spec,
            status="done",
            metrics=Metrics(auroc=auroc, average_precision=float(average_precision_score(scores.labels, values))),
            counts=Counts(
                train_normal=len(split.train_normal),
                train_anomaly=len(split.train_anomaly) if spec.split.shots is not None else 0,
                test_normal=len(split.test_normal),
                test_anomaly=len(split.test_anomaly),
            ),
            history={name: [float(value) for value in values] for name, values in detector.history.items()},
        )
        return record, scores

    def _failed(self, runs: Sequence[tuple[RunSpec, Split]], error: Exception) -> Outcome:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
        for spec, _ in runs:
            path = self.store.traceback_path(spec.key)
            write_atomic(path, "".join(traceback.format_exception(error)).encode())
            self.store.put(self._record(spec, status="failed", error=reason))
        return Outcome("failed", f"{reason} (traceback: {self.store.traceback_path(runs[0][0].key)})")

    def _record(self, spec: RunSpec, **rest: Any) -> Record:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return Record(
            key=spec.key,
            fit_key=spec.fit.fit_key,
            series=spec.series,
            spec=spec,
            timings=dict(self.timings),
            peak_memory_mib=round(peak, 1),
            provenance=self._provenance(),
            **rest,
        )

    def _provenance(self) -> Provenance:
        where = self.where
        return Provenance(
            package_version=where.package_version,
            git_commit=where.git_commit,
            git_dirty=where.git_dirty,
            code_digest=self._code_digest(),
            numerics_class=self._numerics_class(),
            weights={arch: file.label for arch, file in self.task.weights.items()},
            device=where.device,
            cpu=machine.cpu_name(),
            libraries=provenance.libraries(),
            threads=where.threads,
            started=self.started.isoformat(timespec="seconds"),
            test_evaluations=1,
        )

    def _code_digest(self) -> str:
        return provenance.code_digest(registry.get(self.task.method).module)

    def _numerics_class(self) -> str:
        return machine.numerics_class(
            device=self.where.device, precision=self.task.fit.precision, threads=self.where.threads
        )

    def _context(self) -> "FitContext":
        from methods.detector import FitContext

        fit, where = self.task.fit, self.where
        identity = {"fit_key": fit.fit_key, "numerics": self._numerics_class(), "code": self._code_digest()}
        deadline = None if where.deadline is None else time.monotonic() + where.deadline - time.time()
        return FitContext(
            seed=fit.seed,
            threads=where.threads,
            precision=fit.precision,
            device=where.device,
            weights=self.task.weights,
            checkpoint=CheckpointFile(self.store.checkpoint_path(fit.fit_key), identity),
            progress=self._report,
            artefact=lambda name, data: write_atomic(self.store.root / "artefacts" / fit.fit_key / name, data),
            deadline=deadline,
        )

    def _open_store(self, name: str) -> ImageStore:
        dataset = prepare.open_dataset(self.where.data, name)
        return ImageStore.open(
            dataset,
            size=self.task.fit.size,
            resize=self.task.fit.resize,
            cache_dir=self.where.cache,
            jobs=self.where.threads,
        )

    def _report(self, done: int, total: int, **numbers: float) -> None:
        """Leave the progress of this fit where the parent process reads it; half a second is often enough."""
        now = time.monotonic()
        if done not in (0, total) and now - getattr(self, "_reported", -PROGRESS_SECONDS) < PROGRESS_SECONDS:
            return
        self._reported = now
        path = self.store.progress_path(self.task.fit.fit_key)
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps({"done": done, "total": total, **numbers}), encoding="utf-8")
        beside.replace(path)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.timings[f"{name}_s"] = round(self.timings.get(f"{name}_s", 0.0) + time.perf_counter() - start, 3)


def _ids(data: Path, name: str) -> tuple[str, ...]:
    """What a pool offers: its training normals where the release fixes a split, else all of its images."""
    rows = prepare.open_dataset(data, name).rows
    fixed = tuple(row.id for row in rows if row.split == "train" and row.label == "normal")
    return fixed or tuple(row.id for row in rows)


class CheckpointFile:
    """The state of an unfinished fit; dropped when the fit, the numerics class or the detector's code is another."""

    def __init__(self, path: Path, identity: Mapping[str, str]) -> None:
        self.path = path
        self.identity = dict(identity)
        self._saved = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        import pickle

        import torch

        try:
            stored = torch.load(self.path, map_location="cpu", weights_only=True)
            if stored["identity"] == self.identity:
                return dict(stored["state"])
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError):
            pass
        self.path.unlink(missing_ok=True)
        return None

    def save(self, state: Mapping[str, Any]) -> None:
        import io

        import torch

        buffer = io.BytesIO()
        torch.save({"identity": self.identity, "state": dict(state)}, buffer)
        write_atomic(self.path, buffer.getvalue())
        self._saved = time.monotonic()

    def due(self) -> bool:
        return time.monotonic() - self._saved >= CHECKPOINT_SECONDS
