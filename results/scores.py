"""Scores of a run: one row a test image, in a compact file beside its record."""

import hashlib
import io
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LARGEST_SCORES = 16 * 2**20
"""Bytes that a file of scores may have."""

_UNPACKED = 128 * 2**20  # half a million images with ids of fifty letters
_KINDS = {"id": "U", "class": "U", "label": "i", "score": "f"}
PACKED_BY = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""Ways of packing that zipfile unpacks no further than it is asked to."""
_NORMAL = "normal"


@dataclass(frozen=True)
class Scores:
    """Ids, classes and float64 scores (n,) of the test images, in scoring order.

    A class is `normal` or an anomaly class; of a set of classes the one that was normal in this run is `normal`.
    """

    ids: tuple[str, ...]
    classes: tuple[str, ...]
    values: "npt.NDArray[np.float64]"

    @property
    def labels(self) -> "npt.NDArray[np.int8]":
        """1 for an anomaly, 0 for a normal image (n,)."""
        import numpy as np

        return np.array([name != _NORMAL for name in self.classes], dtype=np.int8)

    @property
    def digest(self) -> str:
        """SHA-256, equal for equal scores of the same images in the same order."""
        return hashlib.sha256("\n".join(self.ids).encode() + self.values.tobytes()).hexdigest()

    def encode(self) -> bytes:
        """A compressed `.npz` with arrays `id`, `class`, `label` and `score`; the same scores give the same bytes.

        Raises:
            ValueError: `decode` would refuse it.
        """
        import numpy as np

        columns: dict[str, Any] = {"id": self.ids, "class": self.classes, "label": self.labels, "score": self.values}
        arrays: dict[str, Any] = {name: np.asarray(values) for name, values in columns.items()}
        _check_size(sum(array.nbytes for array in arrays.values()), _UNPACKED)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        data = buffer.getvalue()
        _check_size(len(data), LARGEST_SCORES)
        return data

    @classmethod
    def decode(cls, data: bytes) -> "Scores":
        """The scores in `data`; nothing is unpacked before its size is known.

        Raises:
            ValueError: it is damaged, too large, or no scores: the text says which.
        """
        import numpy as np

        _check_size(len(data), LARGEST_SCORES)
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as file:
                columns = {name: file.getinfo(f"{name}.npy") for name in _KINDS}
                _check_size(sum(member.file_size for member in columns.values()), _UNPACKED)
                arrays = {name: _array(file, member, _KINDS[name]) for name, member in columns.items()}
        except KeyError as error:
            raise ValueError(f"no scores: {error.args[0]}") from error
        except (EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"no scores: {error}") from error
        scores = arrays["score"].astype(np.float64)
        decoded = cls(tuple(arrays["id"].tolist()), tuple(arrays["class"].tolist()), scores)
        if len({len(array) for array in arrays.values()}) > 1:
            raise ValueError("its columns are not equally long")
        if len(set(decoded.ids)) < len(decoded.ids):
            raise ValueError("it has an image twice")
        if not np.array_equal(decoded.labels, arrays["label"]):
            raise ValueError("its labels do not fit its classes")
        if not np.isfinite(decoded.values).all():
            raise ValueError("it has scores that are not finite")
        return decoded


def _array(file: zipfile.ZipFile, member: zipfile.ZipInfo, kind: str) -> "npt.NDArray[Any]":
    """One column; its header must promise no more than the member holds."""
    import numpy as np

    if member.compress_type not in PACKED_BY:
        raise ValueError(f"no scores: {member.filename} is packed in another way")
    with file.open(member) as stream:
        try:
            shape, _, dtype = _header(stream)
        except Exception as error:  # a text that is parsed as Python fails in many ways
            raise ValueError(f"no scores: {member.filename} has no header that can be read") from error
        size = member.file_size - stream.tell()
        if len(shape) != 1 or dtype.kind != kind or dtype.itemsize * shape[0] != size or not size:
            raise ValueError(f"no scores: {member.filename} is not a column of its kind and length")
        return np.frombuffer(stream.read(size), dtype=dtype)


def _header(stream: Any) -> "tuple[tuple[int, ...], bool, np.dtype[Any]]":
    import numpy as np

    if np.lib.format.read_magic(stream) == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise ValueError(f"scores of {size / 2**20:.0f} MiB are more than the {most / 2**20:.0f} MiB that are read")
