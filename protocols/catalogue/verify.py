"""Comparing the files of a prepared dataset with its manifest."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from protocols.catalogue.publish import SOURCE_FILE
from protocols.datasets.manifest import ARRAY_FILE, MANIFEST, SEAL, Dataset, Row, pixels_digest
from protocols.images import decode
from protocols.io.parallel import default_jobs, parallel

_OWN_FILES = {MANIFEST, SEAL, SOURCE_FILE}


def file_differences(
    dataset: Dataset, *, jobs: int | None = None, count: Callable[[int, int], None] | None = None
) -> list[str]:
    """One line for each image that is gone, unreadable or not the one in the manifest, and for each file that the
    manifest does not know; none if all is well. `count(done, total)` is called after each image.
    """
    reader = decode.ImageReader(dataset)
    trouble = array_trouble(dataset, reader)
    if trouble:
        return [trouble, *_unknown_files(dataset)]
    differences = []
    with decode.quiet_decoding():
        work = parallel(partial(image_difference, dataset, reader), dataset.rows, jobs or default_jobs())
        for done, difference in enumerate(work, start=1):
            differences.append(difference)
            if count is not None:
                count(done, len(dataset.rows))
    return [difference for difference in differences if difference is not None] + _unknown_files(dataset)


def array_trouble(dataset: Dataset, reader: decode.ImageReader) -> str | None:
    """Reason why the array of an array set cannot be read at all; None where it can, or there is none."""
    row = next((row for row in dataset.rows if row.file == ARRAY_FILE), None)
    if row is None:
        return None
    try:
        reader.stored(row)
    except OSError as error:
        return f"cannot read {dataset.path(row)} ({error.strerror})"
    except decode.DecodeError as error:
        return f"{dataset.path(row)} {error}"
    return None


def image_difference(dataset: Dataset, reader: decode.ImageReader, row: Row) -> str | None:
    """Reason why the image of a row is not the one in the manifest; None where it is."""
    path = dataset.path(row)
    if row.file == ARRAY_FILE:
        same = pixels_digest(reader.stored(row)) == row.sha256
        return None if same else f"{path} does not hold the pixels of '{row.id}' that the manifest describes"
    try:
        data = decode.read_image_bytes(path)
        if decode.image_dimensions(data) != (row.width, row.height, row.channels):
            return f"{path} is not the image that the manifest describes: its size or its channels differ"
        if decode.matching_image(row, data) is None:
            return f"{path} is not the image that the manifest describes"
    except OSError as error:
        return f"cannot read {path} ({error.strerror})"
    except decode.DecodeError as error:
        return f"{path} {error}"
    return None


def _unknown_files(dataset: Dataset) -> list[str]:
    listed = {row.file for row in dataset.rows} | _OWN_FILES
    paths = (Path(parent, file) for parent, _, files in os.walk(dataset.folder) for file in files)
    unknown = sorted(path for path in paths if path.relative_to(dataset.folder).as_posix() not in listed)
    return [f"{path} is not in the manifest" for path in unknown]
