"""Records of results folders for those who look at them in their own way."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from results.maintenance.export import frame
from results.reference import reference_records
from results.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from results.record import Record


def records(*folders: str | Path) -> "Iterator[Record]":
    """The records of results folders, each sorted by key; `reference` stands for those that come with the package.

    Raises:
        ResultsError: a folder is a file.
    """
    for folder in folders:
        if folder == "reference":
            yield from reference_records()
        else:
            yield from Store(Path(folder)).records()


def results(*folders: str | Path) -> "pd.DataFrame":
    """One row a run, sorted by name, of results folders (default: `runs`): AUROC as a fraction, times in seconds.

    Raises:
        ResultsError: a folder is a file.
    """
    return frame(records(*(folders or ("runs",))))
