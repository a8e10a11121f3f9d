"""Records for reports and the gate: from one or several results folders, or the index that is packaged."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import UNSET

from benchmark.errors import BenchError
from benchmark.paths import resolve_folders
from benchmark.terminal.options import each_once
from benchmark.views.derived import RecordDeriver, derive_words
from methods.registry.params import assignment
from protocols.splits.draw.ranking import list_fingerprint
from protocols.text import plural
from protocols.values import ParamValue
from results import reference
from results.index import INDEXES
from results.maintenance import verification
from results.maintenance.twins import disagreements
from results.record import Record
from results.store import Store

REFERENCE = "reference"


def load_records(
    folders: Sequence[Path], warn: Callable[[str], None], tell: Callable[[str], None] | None = None
) -> list[Record]:
    """All readable records of `folders`, their words derived from their keys; none given: the default results folder's.

    `tell` (else `warn`) is told in one sentence of each key with records of other numbers.

    Raises:
        BenchError: a folder that was named is not there.
    """
    for folder in folders:
        if str(folder) != REFERENCE and not folder.exists():
            raise BenchError(f"--results {folder}: there is no such folder")
    held = [
        (record, f"in {folder}")
        for folder in folders or (resolve_folders().results,)
        for record in _records(folder, warn)
    ]
    audited = sum(record.audit is not UNSET for record, _ in held)
    if audited:
        warn(f"{plural(audited, 'audit')} of selection not counted: see bench report --selection")
        held = [(record, origin) for record, origin in held if record.audit is UNSET]
    for sentence in disagreements(held):
        (tell or warn)(f"{sentence}; the one made last counts")
    return derive_words((record for record, _ in held), warn)


def verify_records(folder: Path | None) -> Iterator[verification.VerifiedRecord]:
    """Every record of one such folder, or of the default one, checked against its key and its scores.

    Raises:
        BenchError: the folder is not there.
    """
    words = RecordDeriver().contradictions
    if str(folder) == REFERENCE:
        return (
            verification.verify_record(record, None, list_fingerprint, words)
            for record in reference.reference_records()
        )
    root = resolve_folders(folder).results
    if not root.is_dir():
        problem = "is a file: a bundle is given without --results" if root.exists() else "there is no such folder"
        raise BenchError(f"--results {root}: {problem}")
    return verification.verify_store(Store(root), list_fingerprint, words)


def _records(folder: Path, warn: Callable[[str], None]) -> Iterable[Record]:
    if str(folder) == REFERENCE:
        return reference.reference_records()
    return Store(folder, warn=warn, indexes=resolve_folders().cache / INDEXES).records()


def parse_conditions(texts: Sequence[str]) -> dict[str, ParamValue]:
    """`NAME=VALUE` texts as a mapping; the value is TOML, a bare word is a text, `none` is None.

    Raises:
        BenchError: a text has another form, or a parameter is given twice.
    """
    parsed: list[tuple[str, ParamValue]] = []
    for text in texts:
        try:
            name, value = assignment(text)
        except ValueError as error:
            raise BenchError(f"--where {text}: give NAME=VALUE {error}, such as --where optim.lr=1e-3") from None
        parsed.append((name, None if text.partition("=")[2].strip() == "none" else value))
    return each_once("--where", parsed)
