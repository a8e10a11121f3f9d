"""Finished runs of a results folder put into a bundle, after they were verified."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import UNSET

from benchmark.errors import BenchError
from benchmark.paths import resolve_folders
from benchmark.views.derived import RecordDeriver
from benchmark.views.records import REFERENCE
from benchmark.views.runs.found_runs import find_run
from protocols.splits.draw.ranking import list_fingerprint
from protocols.text import plural
from results.errors import ResultsError
from results.files import read_bounded
from results.maintenance.bundles import Bundle, bundle_bytes, decode_bundle
from results.maintenance.verification import VerifiedRecord, verify_bundle
from results.record import Record
from results.scores import LARGEST_SCORES
from results.store import Store, read_records

_NAMED_RUNS = 3


def attested_bundle(
    folder: Path | None, names: Sequence[str], by: str, tell: Callable[[str], None]
) -> tuple[bytes, Bundle]:
    """The bundle of the named runs of a results folder (none: of all that can be attested), as a file and as read.

    `tell` is told what was left out. Nothing in the folder is changed.

    Raises:
        BenchError: no such folder or run, or a run whose numbers are not those of its scores.
        ResultsError: the bundle would be too large, or `by` is no name.
    """
    if str(folder) == REFERENCE:
        raise BenchError("the packaged index has no scores to attest: give a results folder with --results")
    root = resolve_folders(folder).results
    if not root.is_dir():
        raise BenchError(f"--results {root}: there is no such folder")
    store, held = Store(root), _readable_records(root, tell)
    chosen = [find_run(name, held, folder) for name in names] if names else held
    runs = {}
    for record in chosen:
        lack = _lack(record, store)
        if lack and names:
            raise BenchError(f"{lack}: leave it out, or run it again with --force")
        if lack:
            tell(f"{lack}: left out")
        else:
            runs[record.key] = (record, _stored_scores(record, store))
    if not runs:
        raise BenchError(f"there is no finished run with scores in {root}: give another folder with --results")
    data = bundle_bytes(by, runs.values())
    bundle = decode_bundle(data, "the bundle")
    _refuse_differing(verify_bundle(bundle, list_fingerprint, RecordDeriver().contradictions))
    return data, bundle


def _readable_records(root: Path, tell: Callable[[str], None]) -> list[Record]:
    records = []
    for _, content in read_records(root):
        if content.record is None:
            tell(f"record {content.origin} {content.problem}: left out")
        else:
            records.append(content.record)
    return records


def _lack(record: Record, store: Store) -> str:
    """Reason for which a run cannot be attested, as a clause; empty where it can."""
    if record.status == "failed":
        return f"{record.spec.name} failed, so it has no number to attest"
    if record.audit is not UNSET:
        return f"{record.spec.name} is an audit of selection, which no table counts"
    if not store.scores_path(record.key).exists():
        return f"{record.spec.name} has no scores beside it from which its AUC could be computed again"
    return ""


def _stored_scores(record: Record, store: Store) -> bytes:
    path = store.scores_path(record.key)
    try:
        return read_bounded(path, LARGEST_SCORES)
    except (OSError, ResultsError) as error:
        raise BenchError(f"cannot read the scores {path} ({error}): leave that run out, or run it again") from error


def _refuse_differing(verified: Iterator[VerifiedRecord]) -> None:
    differing = [f"{run.name}: {'; '.join(run.reasons)}" for run in verified if run.state != "verified"]
    if differing:
        more = f" (and {len(differing) - _NAMED_RUNS} more)" if len(differing) > _NAMED_RUNS else ""
        raise BenchError(
            f"{plural(len(differing), 'run')} cannot be attested: {' | '.join(differing[:_NAMED_RUNS])}{more}; "
            "run them again with --force, or name the others"
        )
