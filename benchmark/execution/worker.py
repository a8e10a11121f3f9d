"""Execution of a task in a worker process: claim, fit, scores, records."""

import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from benchmark import numerics
from benchmark.execution import faults, provenance
from benchmark.execution.checkpoints import REUSED_MIB, CheckpointFile, KeptState, StateFile
from benchmark.execution.processes import confine, handover
from benchmark.execution.processes.fit_clock import FitClock
from benchmark.execution.processes.handover import Again, Machine, Outcome, outcome_elsewhere
from benchmark.execution.resuming import Resumption, in_brief, recordable_history
from benchmark.planning.code_digest import code_digest, digest_at_import
from benchmark.planning.costs import measured
from benchmark.planning.types import PlannedFit, Scoring, Task
from methods.devices import parse_device
from methods.errors import MethodError
from methods.registry import installed
from protocols.catalogue import data_folder
from protocols.datasets.naming import NORMAL
from protocols.errors import DataError
from protocols.images.store import Images, ImageStore
from protocols.splits.draw.ranking import list_fingerprint
from protocols.splits.split import drawable_anomalies, test_ids
from results.errors import ResultsError
from results.files import write_atomic
from results.record import Counts, DamagedRecordError, Metrics, Record
from results.scores import Scores
from results.spec import RunSpec
from results.store import Store

if TYPE_CHECKING:
    from methods.detector import Detector, FitContext


def execute(task: Task, machine: Machine, *, again: Again = "never", failure: str | None = None) -> Outcome:
    """Fit once, score every run that has no record yet, and put the records. Never raises what a run can cause.

    `again` says what is run although it has a record: nothing, what failed, or everything. `failure` is why the runs
    fail without a fit: their source failed, or the fit ended its process. What the detector prints goes to stderr, and
    processes that it started end with it.
    """
    notes: list[str] = []
    with confine.confined_fit():
        outcome = _outcome(task, machine, again, failure, notes.append)
    return replace(outcome, notes=tuple(dict.fromkeys(notes)))


def _outcome(task: Task, machine: Machine, again: Again, failure: str | None, notify: Callable[[str], None]) -> Outcome:
    try:
        return _executed(task, machine, again, failure, notify)
    except (DataError, MethodError) as error:
        return Outcome("blocked", str(error))
    except MemoryError:
        return Outcome("stopped", faults.MEMORY)
    except faults.MachineError as error:
        # A disk that is full for the detector need not be for the records: that is found out by writing.
        is_full = error.is_disk_full and not _can_write(Store(machine.store))
        return Outcome("stopped", str(error), is_disk_full=is_full)
    except (ResultsError, OSError) as error:
        return Outcome("stopped", str(error), is_disk_full=faults.is_disk_full(error))


def _executed(
    task: Task, machine: Machine, again: Again, failure: str | None, notify: Callable[[str], None]
) -> Outcome:
    if refused := provenance.other_code(task, machine):
        return Outcome("stopped", refused)
    store = Store(machine.store)
    with store.claim(task.key) as mine:
        if not mine:
            return Outcome("busy", str(store.holder(task.key)))
        stored = {run.spec.key: store.get(run.spec.key) for run in task.runs}
        runs = [run for run in task.runs if _is_due(stored[run.spec.key], again)]
        if not runs and not task.is_for_others:
            return outcome_elsewhere(stored.values())
        device = parse_device(machine.device).for_worker(int(os.environ.get(handover.WORKER_NUMBER, "0")))
        execution = _Execution(task, replace(machine, device=str(device)), store, notify)
        if failure is not None:
            return execution.fail(runs, failure)
        with confine.crashes_told(store.crash_path(task.key)) as watchdog, confine.on_sigterm(execution.ask_to_stop):
            execution.clock.watch(watchdog)
            return execution.run(runs, again)


def _can_write(store: Store) -> bool:
    try:
        store.check_writable()
    except ResultsError:
        return False
    return True


def _is_due(record: Record | None, again: Again) -> bool:
    return record is None or again == "all" or (again == "failed" and record.status == "failed")


class _Execution:
    def __init__(self, task: Task, machine: Machine, store: Store, notify: Callable[[str], None]) -> None:
        self.task = task
        self.notify = notify
        self.fit = task.fit
        self.info = installed.get(task.fit.method)
        self.machine = machine
        self.store = store
        self.started = datetime.now(UTC)
        self.timings: dict[str, float] = {}
        self.history: dict[str, list[float]] = {}
        self.notes = list(task.fit.notes)
        self.clock = FitClock(store.progress_path(task.fit.key), machine.seconds)
        self.context: FitContext | None = None
        self.is_asked_to_stop = False
        self.epoch_aurocs: dict[str, list[float]] = {}
        self.detector: Detector | None = None
        self.epoch_done: Callable[[], None] | None = None

    def run(self, runs: Sequence[Scoring], again: Again) -> Outcome:
        from methods.detector import DeadlineReached

        numerics.undo_guests_settings()
        numerics.set_arithmetic(self.machine.threads)
        self.clock.report(0, 1)
        kept_state = self._state_file(self.fit).load() if self.task.is_source or self._may_reuse(again) else None
        if kept_state and not runs and not self.task.keep:
            return Outcome("taken")
        if lacking := self.info.lacking(self.fit.spec.params):
            raise MethodError(lacking)  # out of the try below: it is no failure of the run
        dataset = data_folder.open_dataset(self.machine.data, self.fit.dataset)
        with self._timed("images"):
            images = self._open_store(dataset.name)
        runs_left = list(runs)
        if self.task.audit:
            self.epoch_done = partial(self._audit_epoch, runs, dataset, images)
        try:
            detector = self._fitted(images, kept_state if self._may_reuse(again) else None)
            while runs_left:
                record, scores = self._scored(detector, runs_left[0], dataset, images)
                self.store.put(record, scores)
                self._keep_cost(measured.record_cost(record))
                runs_left.pop(0)
            self._keep_model(detector, images)
        except DeadlineReached as stopped:
            return self._paused(runs_left, stopped)
        except DamagedRecordError as error:
            return self._failed(runs_left, f"its record could not be read again: it {error}", str(error))
        except (DataError, ResultsError, faults.MachineError):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a detector does wrong, sys.exit too, is its record
            self._reraise_if_of_machine(error)
            return self._failed(runs_left, in_brief(error), "".join(traceback.format_exception(error)))
        with suppress(OSError):
            self.store.checkpoint_path(self.fit.key).unlink(missing_ok=True)
        return Outcome("done")

    def _reraise_if_of_machine(self, error: BaseException) -> None:
        if fault := faults.machine_fault(error, (self.machine.data, self.machine.cache, self.machine.store)):
            raise fault from error

    def _paused(self, runs: Sequence[Scoring], stopped: Exception) -> Outcome:
        """A fit that stopped by itself: it was asked to, or a time is over."""
        self._keep_cost(provenance.stopped_cost(self.fit, self.machine, self.clock.foretold))
        if self.is_asked_to_stop:
            return Outcome("paused", handover.ASKED_TO_STOP)
        if self.machine.fit_seconds is not None and time.monotonic() < self.clock.call_over:
            reason = f"{self.machine.fit_over}: give it more with --retry-failed, which goes on from its checkpoint"
            return self._failed(runs, reason, str(stopped))
        return Outcome("paused", handover.TIME_IS_OVER)

    def _keep_cost(self, cost: tuple[str, measured.FitCost] | None) -> None:
        if cost is not None and not self.task.audit:
            measured.keep_cost(self.machine.cache, *cost)

    def ask_to_stop(self) -> None:
        """Let the fit save a checkpoint and stop at its next step."""
        self.is_asked_to_stop = True
        if self.context is not None:
            self.context.deadline = time.monotonic()

    def fail(self, runs: Sequence[Scoring], reason: str) -> Outcome:
        """Leave failed records of runs that cannot start."""
        source = self.fit.source
        dump = self.store.crash_dump(self.fit.key)
        behind = dump or (f"see {self.store.traceback_path(source.key)}\n" if source else "")
        with suppress(OSError):
            self.store.crash_path(self.fit.key).unlink(missing_ok=True)
        return self._failed(runs, reason, f"{reason}\n{behind}")

    def _fitted(self, images: ImageStore, kept_state: KeptState | None) -> "Detector":
        """The detector with its fit done: now, or before and kept."""
        path = self.store.checkpoint_path(self.fit.key)
        checkpoint = CheckpointFile(path, provenance.fit_identity(self.fit, self.machine), self.notify)
        if self.task.audit:  # epochs before a checkpoint would be missing
            path.unlink(missing_ok=True)
        resumption = Resumption(partial(self._detector, checkpoint), self._reraise_if_of_machine)
        if kept_state and (detector := resumption.from_kept(kept_state, self._state_file(self.fit))):
            self.history, self.timings["fit_s"] = dict(kept_state.history), round(kept_state.seconds, 3)
            return detector
        data = self._train_data(images)
        with self._timed("fit"):
            detector = resumption.fitted(data, checkpoint)
        self.timings["fit_s"] = round(self.timings["fit_s"] + checkpoint.seconds, 3)
        self.history, notes = recordable_history(detector, self.fit.method)
        self.notes += notes
        if self.task.is_source or self.fit.reusable:
            limit = None if self.task.is_source else REUSED_MIB
            kept_state = KeptState(detector.state(), self.history, self.timings["fit_s"])
            self._state_file(self.fit).save(kept_state, limit)
        return detector

    def _keep_model(self, detector: "Detector", images: ImageStore) -> None:
        if self.task.keep is None or self.context is None:
            return
        from benchmark.execution.stores.models.keeping import keep_model

        self.clock.begin_scores(self.timings.get("fit_s", 0.0))
        normals = images.images(self.fit.train_normal)
        keep_model(self.task, self.machine, detector, self.context, normals, self.notify)

    def _detector(self, checkpoint: CheckpointFile) -> "Detector":
        params = {**self.fit.spec.params, **self.fit.measures.params}
        self.detector = installed.load(self.info)(params, self._context(checkpoint))
        return self.detector

    def _train_data(self, images: ImageStore) -> Any:
        from methods.detector import TrainData

        with self._timed("images"):
            pools = {name: self._pool(name) for name in self.fit.pools}
            native = self._open_store(self.fit.dataset, native=True) if self.fit.takes_native_images else None
        return TrainData(
            normal=images.images(self.fit.train_normal),
            anomaly=images.images(self.fit.train_anomaly),
            pools=pools,
            init=self._source_state(self.fit.source) if self.fit.source else None,
            native=native.images(self.fit.train_normal) if native else None,
        )

    def _pool(self, name: str) -> Images:
        from protocols.images.concatenated import JoinedImages

        parts = self.fit.pools[name]
        return JoinedImages([(part.dataset, self._open_store(part.dataset).images(part.ids)) for part in parts])

    def _source_state(self, source: PlannedFit) -> Mapping[str, Any]:
        if (kept_state := self._state_file(source).load()) is None:
            raise ResultsError(
                f"the state of {source.name} is not in {self.store.root}: the same command makes it again"
            )
        return kept_state.state

    def _state_file(self, fit: PlannedFit) -> StateFile:
        return StateFile(self.store.root, fit.key, provenance.fit_identity(fit, self.machine), self.notify)

    def _may_reuse(self, again: Again) -> bool:
        return self.fit.reusable and again != "all" and not self.task.audit

    def _audit_epoch(self, runs: Sequence[Scoring], dataset: Any, images: ImageStore) -> None:
        """Score the test images of each run with the detector as it is after an epoch."""
        from sklearn.metrics import roc_auc_score

        if self.detector is None:
            return
        for run in runs:
            scores = self._test_scores(self.detector, run, dataset, images)
            self.epoch_aurocs.setdefault(run.spec.key, []).append(float(roc_auc_score(scores.labels, scores.values)))

    def _test_scores(self, detector: "Detector", run: Scoring, dataset: Any, images: ImageStore) -> Scores:
        """Scores of the test images of a run; raises ValueError where they are no finite number each."""
        import numpy as np

        ids = test_ids(run.split, dataset, run.evaluation.order)
        values = np.asarray(self._scores(detector, images.images(ids), run), dtype=np.float64)
        if values.shape != (len(ids),):
            raise ValueError(f"{self.fit.method} gave scores of shape {values.shape} for {len(ids)} images")
        if not np.isfinite(values).all():
            raise ValueError(f"{int((~np.isfinite(values)).sum())} of {len(ids)} scores are not finite")
        normal = set(run.split.test_normal)
        classes = tuple(NORMAL if name in normal else dataset.row(name).label for name in ids)
        return Scores(ids=ids, classes=classes, values=values)

    def _scored(self, detector: "Detector", run: Scoring, dataset: Any, images: ImageStore) -> tuple[Record, Scores]:
        spec, split, _ = run
        self.timings.pop("score_s", None)
        self.clock.begin_scores(self.timings.get("fit_s", 0.0))
        with self._timed("score"):
            scores = self._test_scores(detector, run, dataset, images)
        record = self._record(
            spec,
            status="done",
            metrics=areas(scores),
            counts=Counts(
                train_normal=len(self.fit.train_normal),
                train_anomaly=len(self.fit.train_anomaly),
                test_normal=len(split.test_normal),
                test_anomaly=len(split.test_anomaly),
            ),
            history=self.history,
            notes=self._notes(),
            anomaly_set=list_fingerprint(sorted(self.fit.train_anomaly)),
            drew_all=len(self.fit.train_anomaly) == drawable_anomalies(split, dataset),
            audit=self.epoch_aurocs.get(spec.key, UNSET),
        )
        return record, scores

    def _scores(self, detector: "Detector", images: Images, run: Scoring) -> Any:
        """In batches of the run's size; where scores do not depend on it, in halves of it while memory is short."""
        if "evaluation.batch" not in self.info.params:
            return detector.score(images)
        batch = run.evaluation.batch
        while True:
            try:
                return detector.score(images, batch)
            except (MemoryError, RuntimeError) as error:
                if batch == 1 or run.spec.evaluation is not None or not faults.is_memory_short(error):
                    raise
            batch //= 2

    def _failed(self, runs: Sequence[Scoring], reason: str, trace: str) -> Outcome:
        reason = reason.encode(errors="backslashreplace").decode()
        keys = [run.spec.key for run in runs] or [self.fit.key]
        for key in keys:
            write_atomic(self.store.traceback_path(key), trace.encode(errors="backslashreplace"))
        for run in runs:
            self.store.put(self._record(run.spec, status="failed", error=reason))
        return Outcome("failed", f"{reason} (traceback: {self.store.traceback_path(keys[0])})")

    def _record(self, spec: RunSpec, **rest: Any) -> Record:
        return Record(
            key=spec.key,
            fit_key=spec.fit.fit_key,
            series=spec.series,
            spec=spec,
            timings=dict(self.timings),
            peak_memory_mib=provenance.peak_memory_mib(),
            provenance=provenance.fit_provenance(
                self.fit, self.machine, self.started, 1 + len(self.epoch_aurocs.get(spec.key, ()))
            ),
            **rest,
        )

    def _notes(self) -> list[str]:
        """Notes of the plan and the fit, with one more where the code was edited while it ran."""
        if code_digest(self.info.module) == digest_at_import(self.info.module):
            return list(self.notes)
        return [*self.notes, f"the code of {self.info.id} was edited while this run was made"]

    def _context(self, checkpoint: CheckpointFile) -> "FitContext":
        from benchmark.execution.stores.feature_store import feature_source
        from methods.detector import FitContext

        fit, machine = self.fit, self.machine
        deadline = self.clock.begin_fit(machine.fit_seconds)
        self.context = FitContext(
            seed=fit.spec.seed,
            threads=machine.threads,
            precision=fit.spec.precision,
            device=machine.device,
            weights={**fit.measures.weights, **fit.weights},
            checkpoint=checkpoint,
            progress=self.clock.report,
            artefact=lambda name, data: write_atomic(self.store.root / "artefacts" / fit.key / name, data),
            deadline=time.monotonic() if self.is_asked_to_stop else deadline,
            epoch_done=self.epoch_done,
            features=feature_source(machine, provenance.feature_facts(fit, machine), self.notify),
        )
        return self.context

    def _open_store(self, name: str, *, native: bool = False) -> ImageStore:
        dataset = data_folder.open_dataset(self.machine.data, name)
        return ImageStore.open(
            dataset,
            size=0 if native else self.fit.spec.size,
            resize="none" if native else self.fit.spec.resize,
            cache_dir=self.machine.cache,
            jobs=self.machine.threads,
            notify=self.notify,
        )

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.timings[f"{name}_s"] = round(self.timings.get(f"{name}_s", 0.0) + time.perf_counter() - start, 3)


def areas(scores: Scores) -> Metrics:
    """The metrics of a record by scikit-learn, whose sums may round to more than 1 where all anomalies are told."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    auroc, precision = (float(of(scores.labels, scores.values)) for of in (roc_auc_score, average_precision_score))
    return Metrics(auroc=min(1.0, auroc), average_precision=min(1.0, precision))
