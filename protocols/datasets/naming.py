"""Names: ids of datasets and images, and class names from folder names."""

import re
import unicodedata

from protocols.errors import DataError

NORMAL = "normal"

_DATASET_ID = re.compile(r"[a-z0-9_]+(@[a-z0-9_]+)?")


def base_id(dataset: str) -> str:
    """The id before the `@` of a prepared variant: what ranks and facts go by."""
    return dataset.partition("@")[0]


def check_dataset_id(name: str) -> None:
    """Refuse what cannot be a dataset's id: lower snake case, perhaps followed by `@variant`."""
    if not _DATASET_ID.fullmatch(name):
        raise DataError(f"'{name}' cannot be a dataset's name: use lower-case letters, digits and underscores")


def snake_case(folder: str) -> str:
    """A raw folder's name in lower snake case: `Broken_end` gives `broken_end`, `drill-hole` gives `drill_hole`."""
    return re.sub(r"\W+", "_", unicodedata.normalize("NFC", folder)).strip("_").lower()


def canonical_id(path: str) -> str:
    """The id of a release file's POSIX path: normal form NFC, case kept.

    Raises:
        DataError: the path holds control characters (TAB, line breaks) or bytes that are not UTF-8.
    """
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in path):
        raise DataError(f"{path!r} has control characters or broken UTF-8 in its name: rename the file")
    return unicodedata.normalize("NFC", path)


def is_image_id(text: str) -> bool:
    """True for what can be the id of an image: a relative POSIX path in NFC without empty parts, `.` and `..`."""
    try:
        return canonical_id(text) == text and not {"", ".", ".."} & {*text.split("/")}
    except DataError:
        return False
