"""Comparing the files of a prepared dataset with its manifest."""

from functools import partial

from protocols import decode
from protocols.manifest import Dataset, Row
from protocols.threads import default_jobs, parallel


def differences(dataset: Dataset, *, jobs: int | None = None) -> list[str]:
    """One line for each image that is gone, unreadable or not the one in the manifest; none if all is well."""
    with decode.quietly():
        found = list(parallel(partial(_difference, dataset), dataset.rows, jobs or default_jobs()))
    return [line for line in found if line is not None]


def _difference(dataset: Dataset, row: Row) -> str | None:
    path = dataset.path(row)
    try:
        data = path.read_bytes()
        if not decode.matches(row, data):
            return f"{path} is not the image that the manifest describes"
        if decode.header(data) != (row.width, row.height, row.channels):
            return f"{path} has another size or other channels than the manifest says"
        decode.decode(data, row.channels)
    except OSError as error:
        return f"cannot read {path} ({error.strerror})"
    except decode.DecodeError as error:
        return f"{path} {error}"
    return None
