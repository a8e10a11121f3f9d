"""Records of reproductions that come with the package: `*.jsonl`, one compact record a line."""

from collections.abc import Iterator
from importlib.resources import files

from results.errors import ResultsError
from results.record import Record, decode


def records() -> Iterator[Record]:
    """Every packaged record.

    Raises:
        ResultsError: a file of the package is damaged.
    """
    for file in sorted(files(__name__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".jsonl"):
            for number, line in enumerate(file.read_bytes().splitlines(), 1):
                try:
                    yield decode(line)
                except ResultsError as error:
                    raise ResultsError(f"packaged record {file.name}:{number} {error}") from error
