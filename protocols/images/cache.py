"""Content of the image cache: the arrays that were built, and why one of them serves no dataset."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import PIL

from protocols.images.array_file import STORE_ARRAY, STORE_DIGESTS, STORE_META, STORE_VERSION


@dataclass(frozen=True)
class StoredArray:
    """Folder and origin of an array; `problem` says why no dataset can use it, empty where one can."""

    folder: Path
    dataset: str = ""
    fingerprint: str = ""
    size: int = 0
    resize: str = ""
    problem: str = ""

    @property
    def lock(self) -> Path:
        """The file whose lock is held while it is built."""
        return self.folder.with_name(f".{self.folder.name}.lock")


def stored_arrays(parent: Path) -> Iterator[StoredArray]:
    """The arrays in `parent`, sorted by their folders' names."""
    for folder in sorted(parent.glob("[!.]*")):
        if folder.is_dir():
            yield _array(folder)


def _array(folder: Path) -> StoredArray:
    try:
        meta = json.loads((folder / STORE_META).read_text(encoding="utf-8"))
        stored = StoredArray(
            folder, str(meta["dataset"]), str(meta["dataset_fingerprint"]), int(meta["size"]), str(meta["resize"])
        )
        version, pillow = meta["version"], str(meta["pillow"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return StoredArray(folder, problem="it is not whole")
    if not all((folder / name).is_file() for name in (STORE_ARRAY, STORE_DIGESTS)):
        problem = "it is not whole"
    elif version != STORE_VERSION:
        problem = "another version of swanbench made it"
    elif pillow != PIL.__version__:
        problem = f"Pillow {pillow} made it, {PIL.__version__} is installed"
    else:
        return stored
    return replace(stored, problem=problem)
