"""Check before fits that the files of a prepared dataset are still those of its manifest.

An image store, once built, would hide that the files behind it were replaced. Size and times of each file are compared
with those at which it was last found right; only where they differ is it read.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from protocols.catalogue.verify import array_trouble, image_difference
from protocols.datasets.manifest import ARRAY_FILE, Dataset, Row
from protocols.errors import DataError
from protocols.images import decode
from protocols.io.parallel import parallel

NOTES = "files"
"""The folder of the cache with sizes and times of files that were found right, one note a dataset."""

_Stamp = list[int]


def refuse_replaced(
    dataset: Dataset, cache_dir: Path, *, jobs: int = 1, count: Callable[[int, int], None] | None = None
) -> None:
    """Refuse a dataset with files that changed, or are gone, since it was prepared.

    `count(done, total)` is told of each image that had to be read: all of them the first time.

    Raises:
        DataError: there are such files; it names the first.
    """
    folder = dataset.folder.resolve()
    note = cache_dir / NOTES / f"{hashlib.sha256(f'{folder} {dataset.fingerprint}'.encode()).hexdigest()}.json"
    noted_stamps = _read_stamps(note)
    stamps = {file: _stamp(folder / file) for file in {row.file for row in dataset.rows}}
    changed = {file for file, stamp in stamps.items() if stamp is None or stamp != noted_stamps.get(file)}
    suspects = [row for row in dataset.rows if row.file in changed]
    if not suspects:
        return
    wrong = _differences(dataset, suspects, jobs, count)
    if wrong:
        raise DataError(
            f"{len(wrong)} of {len(dataset.rows)} images of {dataset.name} changed since it was prepared, the first: "
            f"{next(iter(wrong.values()))}; put the old files back, or remove {dataset.folder} and prepare or adopt "
            f"{dataset.name} again ('bench data verify {dataset.name}' names all)"
        )
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, no more
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps(stamps), encoding="utf-8")


def _differences(
    dataset: Dataset, rows: list[Row], jobs: int, count: Callable[[int, int], None] | None
) -> dict[str, str]:
    """Reasons why images are not those of the manifest, by id."""
    reader = decode.ImageReader(dataset)
    trouble = array_trouble(dataset, reader)
    if trouble is not None:
        return dict.fromkeys((row.id for row in rows), trouble)
    problems = {}
    with decode.quiet_decoding():
        for done, problem in enumerate(parallel(partial(_difference, dataset, reader), rows, jobs), start=1):
            if problem is not None:
                problems[rows[done - 1].id] = problem
            if count is not None:
                count(done, len(rows))
    return problems


def _difference(dataset: Dataset, reader: decode.ImageReader, row: Row) -> str | None:
    """As `image_difference`, but equal bytes are not decoded."""
    if row.file != ARRAY_FILE:
        with contextlib.suppress(OSError):
            if hashlib.sha256(dataset.path(row).read_bytes()).hexdigest() == row.sha256:
                return None
    return image_difference(dataset, reader, row)


def _stamp(path: Path) -> _Stamp | None:
    """Size in bytes, modification and change time in ns of a file, links followed; None where it is gone."""
    try:
        state = path.stat()
    except OSError:
        return None
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns]


def _read_stamps(note: Path) -> dict[str, _Stamp]:
    """Stamps by file; none where the note is absent or damaged, so that all files are read again."""
    try:
        stamps = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}
