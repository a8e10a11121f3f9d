"""Records of reproductions that come with the package: `*.jsonl`, one compact record a line."""

from collections.abc import Iterator
from importlib.resources import files

from results.errors import ResultsError
from results.record import Record, decode_record

REGRESSION_FILE = "ci.jsonl"
"""Runs of the suite `regression`, for `bench check --against` this file: small fits, which no table shows."""


def reference_records() -> Iterator[Record]:
    """Every packaged record but those of `REGRESSION_FILE`.

    Raises:
        ResultsError: a file of the package is damaged.
    """
    for file in sorted(files(__name__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".jsonl") and file.name != REGRESSION_FILE:
            yield from read_reference_lines(file.read_bytes(), f"packaged record {file.name}")


def read_reference_lines(data: bytes, name: str) -> Iterator[Record]:
    """The records in `data`, one a line, as `bench results export --format jsonl` writes them.

    Raises:
        ResultsError: a line is no record; `name` and the number of the line say which.
    """
    for number, line in enumerate(data.splitlines(), 1):
        try:
            yield decode_record(line)
        except ResultsError as error:
            raise ResultsError(f"{name}:{number} {error}") from error
