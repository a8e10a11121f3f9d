"""Balanced sampling: which images make up the batch of a step (spec 1.8, D7)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from methods.detector import FitContext
from methods.errors import MethodError

Indices = npt.NDArray[np.int64]

NORMAL, SEEN, PSEUDO = 0, 1, 2


class Stream:
    """An endless sequence of one group's indices: a permutation of all, then another, and so on.

    The k-th permutation follows from seed, stream name and k alone, so a stretch needs none of those before it.
    """

    def __init__(self, context: FitContext, name: str, size: int) -> None:
        self._context = context
        self._name = name
        self._size = size

    def take(self, start: int, count: int) -> Indices:
        """Entries `start` to `start + count` of the sequence, (count,)."""
        if not count:
            return np.empty(0, np.int64)
        first, last = start // self._size, (start + count - 1) // self._size
        stretch = np.concatenate([self._permutation(k) for k in range(first, last + 1)])
        skip = start - first * self._size
        return stretch[skip : skip + count]

    def _permutation(self, k: int) -> Indices:
        generator = self._context.generator(self._name, k)
        return torch.randperm(self._size, generator=generator).numpy()


@dataclass(frozen=True)
class Draw:
    """One batch (B,): labels, and for each place the index of its image in the group that the label names."""

    labels: Indices
    indices: Indices


@dataclass(frozen=True)
class BatchComposition:
    """Places of a batch: `size` in all, `n_seen` for labelled anomalies; a normal slot's chance to be pseudo.

    With `distinct` no normal image comes twice in a batch, as long as there are enough of them: each batch then has
    permutations of its own. With `shuffled` batches come from full passes over normals and anomalies together,
    whatever their numbers (`methods.nn.data.epochs`).
    """

    size: int
    n_seen: int = 0
    pseudo_prob: float = 0.0
    resample_source: bool = True
    distinct: bool = False
    shuffled: bool = False


class BalancedSampler:
    """Batches of normal slots, then anomaly slots; every batch follows from its step alone.

    A normal slot turns into a pseudo anomaly with probability `pseudo_prob`: its index is then a fresh one into the
    `n_pseudo` images that pseudo anomalies are made of, or, without `resample_source`, the sampled one (which is
    right only where they are made of the normals). Without labelled anomalies all slots are normal. Raises
    MethodError where there is no normal image.
    """

    def __init__(
        self,
        context: FitContext,
        stream: str,
        quotas: BatchComposition,
        *,
        n_normal: int,
        n_anomaly: int,
        n_pseudo: int,
    ) -> None:
        if not n_normal:
            raise MethodError("there are no normal training images to draw batches from: give at least one")
        self._context = context
        self._stream = stream
        self._quotas = quotas
        self._n_seen = quotas.n_seen if n_anomaly else 0
        self._n_pseudo = n_pseudo
        self._n_normal = n_normal
        self._normal = Stream(context, f"{stream}.normal", n_normal)
        self._anomaly = Stream(context, f"{stream}.anomaly", n_anomaly)

    def draw(self, step: int) -> Draw:
        """The batch of `step`, counted from 0 over all epochs."""
        slots = self._quotas.size - self._n_seen
        normal = self._distinct(step, slots) if self._quotas.distinct else self._normal.take(step * slots, slots)
        anomaly = self._anomaly.take(step * self._n_seen, self._n_seen)
        heads = self._coins(step, slots)
        if self._quotas.resample_source and heads.any():
            normal = np.where(heads, self._fresh(step, slots), normal)
        labels = np.concatenate([np.where(heads, PSEUDO, NORMAL), np.full(self._n_seen, SEEN)])
        return Draw(labels, np.concatenate([normal, anomaly]))

    def _distinct(self, step: int, slots: int) -> Indices:
        rounds = range(-(-slots // self._n_normal))
        generators = [self._context.generator(f"{self._stream}.distinct", step, k) for k in rounds]
        permutations = [torch.randperm(self._n_normal, generator=generator) for generator in generators]
        return torch.cat(permutations)[:slots].numpy()

    def _coins(self, step: int, slots: int) -> npt.NDArray[np.bool_]:
        if not self._quotas.pseudo_prob:
            return np.zeros(slots, np.bool_)
        generator = self._context.generator(f"{self._stream}.pseudo", step)
        units = torch.rand(slots, generator=generator, dtype=torch.float64)
        return (units < self._quotas.pseudo_prob).numpy()

    def _fresh(self, step: int, slots: int) -> Indices:
        generator = self._context.generator(f"{self._stream}.pseudo_source", step)
        return torch.randint(self._n_pseudo, (slots,), generator=generator).numpy()
