"""Records for reports and the gate: from one or several results folders, or the index that is packaged."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from benchmark.errors import BenchError
from benchmark.paths import folders
from benchmark.terminal.options import each_once
from benchmark.views.derived import Teller, told
from methods.registry.params import assignment
from protocols.splits.draw.ranking import list_fingerprint
from protocols.values import ParamValue
from results.maintenance import verification
from results.maintenance.twins import disagreements
from results.record import Record
from results.reference import reference_records
from results.store import Store

REFERENCE = "reference"


def gather(
    places: Sequence[Path], warn: Callable[[str], None], tell: Callable[[str], None] | None = None
) -> list[Record]:
    """All readable records of the folders in `places`, told by their keys; none given: the default results folder's.

    `tell` (else `warn`) is told in one sentence of each key with records of other numbers.

    Raises:
        BenchError: a folder that was named is not there.
    """
    for place in places:
        if str(place) != REFERENCE and not place.exists():
            raise BenchError(f"--results {place}: there is no such folder")
    held = [(record, f"in {place}") for place in places or (folders().results,) for record in _records(place, warn)]
    for sentence in disagreements(held):
        (tell or warn)(f"{sentence}; the one made last counts")
    return told((record for record, _ in held), warn)


def verified(place: Path | None) -> Iterator[verification.VerifiedRecord]:
    """Every record of one such place, or of the default results folder, looked at by its key and its scores.

    Raises:
        BenchError: the folder is not there.
    """
    tell = Teller()

    def words(record: Record) -> list[str]:
        found = tell(record)
        return [found.odd] if found.odd else list(found.corrected)

    if str(place) == REFERENCE:
        return (verification.verify_record(record, None, list_fingerprint, words) for record in reference_records())
    root = folders(place).results
    if not root.exists():
        raise BenchError(f"--results {root}: there is no such folder")
    return verification.verify_store(Store(root), list_fingerprint, words)


def _records(place: Path, warn: Callable[[str], None]) -> Iterable[Record]:
    return reference_records() if str(place) == REFERENCE else Store(place, warn=warn).records()


def conditions(texts: Sequence[str]) -> dict[str, ParamValue]:
    """`PARAM=VALUE` texts as a mapping; the value is TOML, a bare word is a text, `none` is None.

    Raises:
        BenchError: a text has another form, or a parameter is given twice.
    """
    found: list[tuple[str, ParamValue]] = []
    for text in texts:
        try:
            name, value = assignment(text)
        except ValueError as error:
            raise BenchError(f"--where {text}: give PARAM=VALUE {error}, such as --where optim.lr=1e-3") from None
        found.append((name, None if text.partition("=")[2].strip() == "none" else value))
    return each_once("--where", found)
