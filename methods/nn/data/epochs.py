"""Full passes over shuffled training images, the way of plain data loaders."""

import numpy as np

from methods.detector import FitContext
from methods.errors import MethodError
from methods.nn.data.samplers import NORMAL, SEEN, Draw, Indices, Stream


class ShuffledEpochs:
    """Batches of indices below `size`: every pass takes a permutation of its own, `batch` at a time.

    What is left at the end of a pass is a smaller batch, or with `keep_rest` false dropped. A batch is never larger
    than `size`. Every batch follows from its step alone. Raises MethodError where there is no image.
    """

    def __init__(self, context: FitContext, stream: str, size: int, batch: int, *, keep_rest: bool) -> None:
        if not size:
            raise MethodError("there are no training images to draw batches from: give at least one")
        self._stream = Stream(context, stream, size)
        self._size = size
        self._batch = min(batch, size)
        self.steps = -(-size // self._batch) if keep_rest else size // self._batch
        """Batches in a pass."""

    def take(self, step: int) -> Indices:
        """The indices of `step`, counted from 0 over all passes."""
        number, position = divmod(step, self.steps)
        start = position * self._batch
        return self._stream.take(number * self._size + start, min(self._batch, self._size - start))

    def images(self, step: int) -> int:
        """Number of images that the first `step` batches hold together."""
        whole, rest = divmod(step, self.steps)
        in_pass = min(self.steps * self._batch, self._size)
        return whole * in_pass + rest * self._batch


class ShuffledSampler:
    """Batches from full passes over normals and labelled anomalies together, the last partial batch dropped."""

    def __init__(self, context: FitContext, stream: str, size: int, *, n_normal: int, n_anomaly: int) -> None:
        self._n_normal = n_normal
        self._passes = ShuffledEpochs(context, f"{stream}.shuffled", n_normal + n_anomaly, size, keep_rest=False)

    def draw(self, step: int) -> Draw:
        """The batch of `step`, counted from 0 over all passes."""
        indices = self._passes.take(step)
        is_anomaly = indices >= self._n_normal
        return Draw(np.where(is_anomaly, SEEN, NORMAL), indices - is_anomaly * self._n_normal)
