"""Merging records of other results folders into one; a finished record that the target has stays as it is."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from results.errors import ResultsError
from results.files import read_bounded, write_atomic
from results.record import Record, encode_record
from results.scores import LARGEST_SCORES, Scores
from results.store import ReadRecord, Store, read_record, read_record_lines

MergeState = Literal["new", "replaced", "completed", "there", "differs", "altered", "unreadable", "busy"]
TROUBLED_STATES: tuple[MergeState, ...] = ("differs", "altered", "unreadable", "busy")

_LARGEST = 1 << 30
_DEEPEST = 32


class _ForeignError(ResultsError):
    """A source holds a link, which may lead anywhere, a device, or a file that is far too large."""


@dataclass(frozen=True)
class MergeStep:
    """Outcome of merging one record of a source. `name` is its run's, or the file where it could not be read.

    `new`; `replaced`: a run that had failed here; `completed`: scores, artefacts or a model were missing here; `there`:
    the same numbers are here already, or the source has only a failure. The others brought nothing, for a `reason`:
    `differs` (other numbers of the same key are here), `altered` (its numbers are not those of its scores),
    `unreadable`, `busy` (a living process is at work on the fit here).
    """

    state: MergeState
    name: str
    reason: str = ""

    @property
    def troubled(self) -> bool:
        return self.state in TROUBLED_STATES


def check_mergeable(sources: Sequence[Path], target: Path) -> None:
    """Refuse what cannot be merged, before anything is copied.

    Raises:
        ResultsError: a source does not exist, is neither a results folder nor a file with a record, or is the target.
    """
    for source in sources:
        if not source.exists():
            raise ResultsError(f"{source}: there is no such folder or file; give results folders, or files of records")
        if target.exists() and source.samefile(target):
            raise ResultsError(f"{source} is the results folder itself: give other folders, or another --results")
        subfolders = ("records", "locks")  # a folder in which the first fit is still at work has only the second
        if source.is_dir():
            is_mergeable = any((source / name).is_dir() for name in subfolders)
        else:
            is_mergeable = any(content.record for content in read_record_lines(source))
        if not is_mergeable:
            step = (
                "give a results folder (a bundle unzipped is one) or what 'bench results export --format jsonl' writes"
            )
            raise ResultsError(f"{source} holds no records: {step}")


@dataclass
class Merger:
    """Brings records into `store`, or with `dry_run` only says what it would bring. No link of a source is followed.

    Each record is written after all that belongs to it, under the lock of its fit: a call that is killed leaves whole
    records, and the same call goes on from there. `differences` lists contradictions of a record and its
    scores (`results.maintenance.verification`), and `check_model` raises ResultsError for the file of a kept model that
    is not whole: such a record is not brought.
    """

    store: Store
    differences: Callable[[Record, Scores], Iterable[str]]
    check_model: Callable[[Path], None]
    dry_run: bool = False
    _brought: dict[str, Record] = field(default_factory=dict)

    def merge_source(self, source: Path) -> Iterator[MergeStep]:
        """Bring every record of a results folder, or of a file of records, in the order in which they lie there.

        Raises:
            ResultsError: the results folder cannot be written.
        """
        root = source if source.is_dir() else None
        for content in _offered_records(source):
            if content.record is None:
                yield MergeStep("unreadable", content.origin, f"{content.problem}: it is left where it is")
                continue
            try:
                yield self._merge_record(content.record, content.origin, root)
            except _ForeignError as error:
                yield MergeStep("unreadable", content.record.spec.name, str(error))

    def _merge_record(self, record: Record, origin: str, root: Path | None) -> MergeStep:
        step = self._step(record, origin, root)
        if step.state not in {"new", "replaced", "completed"}:
            return step
        artefacts = self._artefacts(record, root)
        try:
            scores = _scores(record, root)
            for source, target in artefacts:
                if target == self.store.model_path(record.fit_key) and not target.exists():
                    self.check_model(source)
        except ResultsError as error:
            return MergeStep("unreadable", record.spec.name, str(error))
        contradictions = "; ".join(self.differences(record, Scores.decode(scores))) if scores else ""
        if contradictions:
            reason = f"{contradictions}: {origin} is left, run it again there with --force"
            return MergeStep("altered", record.spec.name, reason)
        trace = _traceback(record, root)
        if self.dry_run:
            self._brought[record.key] = record
            return step
        with self.store.claim(record.fit_key) as mine:
            if not mine:
                reason = "a living process is at work on it here: the same command brings it when that is done"
                return MergeStep("busy", record.spec.name, reason)
            step = self._step(record, origin, root)
            if step.state in {"new", "replaced", "completed"}:
                self._bring(record, scores, artefacts, trace, whole=step.state != "completed")
        return step

    def _step(self, record: Record, origin: str, root: Path | None) -> MergeStep:
        """The step that a record of a source needs."""
        name = record.spec.name
        try:
            existing = self._existing(record.key)
        except ResultsError as error:
            return MergeStep("unreadable", name, f"{error}; it stays, and that of {origin} is left")
        if existing is None:
            return MergeStep("new", name)
        if existing.status == "failed" and record.status == "done":
            return MergeStep("replaced", name)
        if record.status == "failed":
            return MergeStep("there", name)
        if existing.metrics != record.metrics:
            return MergeStep("differs", name, self._difference(record, existing, origin))
        return MergeStep("completed" if existing == record and self._lacks(record, root) else "there", name)

    def _existing(self, key: str) -> Record | None:
        """The record that the target has, or in a dry run would have; raises what `Store.get` raises."""
        if not self.dry_run:
            return self.store.get(key)
        content = read_record(self.store.record_path(key))
        if content is not None and content.record is None and not content.damaged:
            raise ResultsError(f"record {content.origin} {content.problem}")
        return self._brought.get(key) or (content.record if content else None)

    def _difference(self, record: Record, existing: Record, origin: str) -> str:
        theirs, ours = (each.metrics.auroc if each.metrics else None for each in (record, existing))
        classes = [each.provenance.numerics_class if each.provenance else "unknown" for each in (record, existing)]
        beside = f", numerics class {classes[0]} there, {classes[1]} here" if classes[0] != classes[1] else ""
        return (
            f"AUC {theirs!r} in {origin}, {ours!r} here{beside}; the one here stays: to take the other, remove "
            f"{self.store.record_path(record.key)} and merge again; 'bench results why {record.key[:8]}' explains each"
        )

    def _lacks(self, record: Record, root: Path | None) -> bool:
        """True where a source has scores or artefacts of an equal record that are missing here."""
        if root is None or record.key in self._brought:
            return False
        theirs, ours = (store.scores_path(record.key) for store in (Store(root), self.store))
        scores = _is_file(theirs, root) and not ours.exists()
        return scores or any(not path.exists() for _, path in self._artefacts(record, root))

    def _artefacts(self, record: Record, root: Path | None) -> list[tuple[Path, Path]]:
        """The artefacts and the kept model of a record's fit in a source, each with its path here."""
        if root is None:
            return []
        source, key = Store(root), record.fit_key
        folder, target, model = source.artefacts_path(key), self.store.artefacts_path(key), source.model_path(key)
        artefacts = [(path, target / path.relative_to(folder)) for path in _files(folder, root)]
        _refuse_link(model, root)
        return [*artefacts, *([(model, self.store.model_path(key))] if model.is_file() else [])]

    def _bring(
        self,
        record: Record,
        scores: bytes | None,
        artefacts: Sequence[tuple[Path, Path]],
        trace: bytes | None,
        *,
        whole: bool,
    ) -> None:
        """Write what belongs to a record, and with `whole` the record itself, last."""
        path = self.store.scores_path(record.key)
        if scores is not None and (whole or not path.exists()):
            write_atomic(path, scores)
        elif whole:
            path.unlink(missing_ok=True)  # left of an earlier record, so not those of this one
        for source, target in artefacts:
            if not target.exists():
                write_atomic(target, _read(source))
        if whole:
            if trace is not None:
                write_atomic(self.store.traceback_path(record.key), trace)
            write_atomic(self.store.record_path(record.key), encode_record(record))
            if record.status == "done":
                self.store.traceback_path(record.key).unlink(missing_ok=True)


def _offered_records(source: Path) -> Iterator[ReadRecord]:
    if not source.is_dir():
        yield from read_record_lines(source)
        return
    for path in sorted((source / "records").glob("??/*.json")):
        try:
            content = read_record(path) if _is_file(path, source) else None
        except _ForeignError as error:
            content = ReadRecord(str(path), None, str(error).removeprefix(f"{path} "))
        if content is not None:
            yield content


def _is_file(path: Path, root: Path) -> bool:
    """True where a source has such a file.

    Raises:
        _ForeignError: it is a link or lies below one, is no plain file, or is larger than what a run leaves.
    """
    _refuse_link(path, root)
    if path.is_file() and path.stat().st_size > _LARGEST:
        raise _ForeignError(f"{path} has {path.stat().st_size >> 20} MiB, more than a run leaves: remove it")
    if path.exists() and not path.is_file():
        raise _ForeignError(f"{path} is not a file although it has the name of one: remove it")
    return path.is_file()


def _refuse_link(path: Path, root: Path) -> None:
    inside = path.relative_to(root)
    for part in [inside, *inside.parents][:-1]:
        if (root / part).is_symlink():
            raise _ForeignError(f"{root / part} is a link, which is not followed: put what it leads to in its place")


def _files(folder: Path, root: Path) -> list[Path]:
    """The files in and below a folder of a source, sorted, without those that are being written.

    Raises:
        _ForeignError: as `_is_file`; or a file lies deeper than a run puts any.
    """
    _refuse_link(folder, root)
    files, folders = [], [folder] if folder.is_dir() else []
    while folders:
        if len(folders[-1].parts) - len(folder.parts) > _DEEPEST:
            raise _ForeignError(f"{folder} holds folders more than {_DEEPEST} deep: remove them")
        for path in folders.pop().iterdir():
            if path.is_dir() and not path.is_symlink():
                folders.append(path)
            elif not path.name.startswith(".") and _is_file(path, root):
                files.append(path)
    return sorted(files)


def _scores(record: Record, root: Path | None) -> bytes | None:
    """The scores of a record in a source, if it has any there.

    Raises:
        ResultsError: they cannot be read.
    """
    if root is None:
        return None
    path = Store(root).scores_path(record.key)
    if not _is_file(path, root):
        return None
    try:
        data = read_bounded(path, LARGEST_SCORES)
        Scores.decode(data)
    except FileNotFoundError:
        return None
    except (OSError, ResultsError, ValueError) as error:
        raise ResultsError(
            f"its scores {path} cannot be read ({error}): run it again there with --force, or merge that folder's "
            "'bench results export --format jsonl', which has no scores"
        ) from error
    return data


def _traceback(record: Record, root: Path | None) -> bytes | None:
    """The traceback of a failed record in a source, if it has one there."""
    path = Store(root).traceback_path(record.key) if root is not None and record.status == "failed" else None
    return _read(path) if root is not None and path is not None and _is_file(path, root) else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror or error}; the same command goes on") from error
