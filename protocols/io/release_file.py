"""A file of a release that may be fetched, as the facts of a dataset name it."""

from msgspec import Struct


class Download(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a release at a stable public address; `sha256` where it is known."""

    url: str
    file: str
    sha256: str | None = None
