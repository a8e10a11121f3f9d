"""Notes on the contents of weights files, by digest, so that no file is looked into twice."""

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from methods.backbones.table import BACKBONES, installed_backbones

NOTE_VERSION = 3
"""Version of what `methods.backbones.content` accepts; notes of another version are made anew."""


def remembered_contents(note: Path) -> tuple[str, str] | None:
    """Architecture of a file and its problem (one of them empty), by its note; None without a note that can be used."""
    try:
        facts = json.loads(note.read_bytes())
        if facts["version"] == NOTE_VERSION and (
            facts["arch"] in BACKBONES or facts["told_from"] == [*installed_backbones()]
        ):
            return facts["arch"], str(facts["problem"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return None


def note_contents(path: Path, note: Path) -> tuple[str, str]:
    """Architecture of a file and its problem (one of them empty), by looking into it; a note is left."""
    from methods.backbones import content

    try:
        state = content.load_state(path)
    except ValueError as error:
        return "", str(error)  # not remembered: it may have been a passing lack of memory
    arch, problem = "", ""
    try:
        arch = content.recognise(state)
    except ValueError as error:
        problem = str(error)
    told_from = [*installed_backbones()]  # what is none of these may be one of a longer table
    _remember(note, {"version": NOTE_VERSION, "arch": arch, "problem": problem, "told_from": told_from})
    return arch, problem


def _remember(note: Path, contents: dict[str, Any]) -> None:
    """Write the note whole or not at all; it only saves time, so a folder that takes none does no harm."""
    with contextlib.suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=note.parent, prefix=note.name)
        try:
            with os.fdopen(handle, "w") as stream:
                json.dump(contents, stream)
            Path(temporary).replace(note)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
