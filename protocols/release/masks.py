"""Masks among images: pictures of a defect's place, which are no images and make no class."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

_FOLDER = re.compile(r"(?:(.+)[ ._-])?(?:ground[ _-]?truth|gt|mask)s?", re.IGNORECASE)
_WORD = r"(?:ground[ _-]?truth|gt|label|mask|seg)s?"
_FILES = re.compile(rf"(.+)[ ._-]{_WORD}\d*", re.IGNORECASE), re.compile(rf"{_WORD}[ ._-](.+)", re.IGNORECASE)


def without_masks(entries: Sequence[Path], notify: Callable[[str], None]) -> list[Path]:
    """The files, or the folders, of one folder without masks; `notify` gets a line on the masks.

    `ground_truth` and `masks` are folders of masks; so is what is named after an entry beside it: the folder
    `dent_mask` beside `dent`, the file `000_mask.png` beside `000.png`.
    """
    names = {_name(entry).lower() for entry in entries}
    masks = [entry for entry in entries if _is_mask(entry, names)]
    if masks:
        others = f" and {len(masks) - 1} more beside it" if masks[1:] else ""
        notify(f"{masks[0]}{others} left out as masks: rename what is none")
    return [entry for entry in entries if entry not in masks]


def _is_mask(entry: Path, names: set[str]) -> bool:
    if entry.is_dir():
        match = _FOLDER.fullmatch(entry.name)
        return match is not None and (match[1] is None or match[1].lower() in names)
    return any(match and match[1].lower() in names for match in (form.fullmatch(entry.stem) for form in _FILES))


def _name(entry: Path) -> str:
    return entry.name if entry.is_dir() else entry.stem
