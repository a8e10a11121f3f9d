from collections.abc import Iterator
from importlib.resources import files

from results import log
from results.maintenance.bundles import Bundle, decode_bundle


def accepted_bundles() -> Iterator[Bundle]:
    """Every packaged bundle, by the names of their files.

    Raises:
        ResultsError: a file of the package is damaged.
    """
    for file in sorted(files(log).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".zip"):
            yield decode_bundle(file.read_bytes(), file.name)
