"""The scores behind a record: one row a test image, in a compact file beside it."""

import io
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Scores:
    """Ids, classes and float64 scores (n,) of the test images, in scoring order.

    A class is `normal` or an anomaly class; of a set of classes the one that was normal in this run is `normal`.
    """

    ids: tuple[str, ...]
    classes: tuple[str, ...]
    values: npt.NDArray[np.float64]

    @property
    def labels(self) -> npt.NDArray[np.int8]:
        """1 for an anomaly, 0 for a normal image (n,)."""
        return np.array([name != "normal" for name in self.classes], dtype=np.int8)

    def encode(self) -> bytes:
        """A compressed `.npz` with arrays `id`, `class`, `label` and `score`; the same scores give the same bytes."""
        buffer = io.BytesIO()
        columns: dict[str, Any] = {"id": self.ids, "class": self.classes, "label": self.labels, "score": self.values}
        np.savez_compressed(buffer, **columns)
        return buffer.getvalue()

    @classmethod
    def decode(cls, data: bytes) -> "Scores":
        """The scores in `data`; ValueError or KeyError where it is damaged or something else."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                return cls(
                    ids=tuple(arrays["id"].tolist()),
                    classes=tuple(arrays["class"].tolist()),
                    values=arrays["score"],
                )
        except (EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"no scores: {error}") from error
