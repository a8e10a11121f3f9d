"""Balanced batches of stored maps, and the mean maps that a residual head compares them with (spec ahl 3.1, 3.4)."""

from collections.abc import Mapping, Sequence

import numpy as np

from methods.detector import FitContext
from methods.detectors.ahl.adaptation import MapBatch
from methods.detectors.ahl.features import MapTable
from methods.detectors.ahl.params import MeanMapParams
from methods.detectors.ahl.tasks import TaskSet
from methods.detectors.dra.detector import LevelMaps, mean_maps
from methods.nn.data.samplers import NORMAL, PSEUDO, SEEN, Indices, Stream


class SetRows:
    """Rows of a map table that a set holds: by label in the order of a batch, and all, the seen anomalies last."""

    def __init__(self, task_set: TaskSet, table: MapTable) -> None:
        groups = task_set.groups
        rows = {
            NORMAL: task_set.normal,
            SEEN: table.seen_rows(task_set.seen),
            PSEUDO: table.pseudo_rows(task_set.pseudo, task_set.kind),
        }
        self.groups: Mapping[int, Indices] = {label: rows[label] for label in groups}
        listed = [label for label in (NORMAL, PSEUDO, SEEN) if label in groups]
        self.rows = np.concatenate([self.groups[label] for label in listed])
        self.labels = np.concatenate([np.full(len(self.groups[label]), label) for label in listed])


def slots(size: int, groups: Sequence[int]) -> dict[int, int]:
    """Places of a batch for each group in its order: equal shares, what is left over to the first ones."""
    share, rest = divmod(size, len(groups))
    return {label: share + (number < rest) for number, label in enumerate(groups)}


class SetSampler:
    """Batches of one set in one epoch: endless permutations of each group, so that a small group repeats."""

    def __init__(self, rows: SetRows, size: int, stream: str, context: FitContext) -> None:
        self._groups = rows.groups
        self._slots = slots(size, [*rows.groups])
        self._streams = {
            label: Stream(context, f"{stream}.{label}", len(group)) for label, group in rows.groups.items()
        }

    def draw(self, index: int) -> tuple[Indices, Indices]:
        """Rows and labels (B,) of the batch `index`, counted from 0."""
        rows, labels = [], []
        for label, group in self._groups.items():
            count = self._slots[label]
            rows.append(group[self._streams[label].take(index * count, count)])
            labels.append(np.full(count, label))
        return np.concatenate(rows), np.concatenate(labels)


class MeanMaps:
    """Mean maps of `reference.size` training normals, drawn anew for each batch or once (H17, F10).

    With `reference.levels` "split" each level has normals of its own.
    """

    def __init__(self, table: MapTable, params: MeanMapParams, context: FitContext) -> None:
        self._table = table
        self._params = params
        self._context = context
        self.fixed = self.drawn("reference.fixed", 0) if params.mode == "fixed" else None

    def for_batch(self, stream: str, number: int) -> LevelMaps:
        """Mean maps (1, C, h, w) of each level for draw `number` of a stream."""
        return self.fixed if self.fixed is not None else self.drawn(f"reference.{stream}", number)

    def drawn(self, stream: str, number: int) -> LevelMaps:
        """Mean maps of a draw, whatever the mode."""
        size, is_split = self._params.size, self._params.levels == "split"
        first = mean_maps(self._table.take(self._rows(stream, 0, number * size, size)))
        if not is_split:
            return first
        others = [
            mean_maps(self._table.take(self._rows(stream, level, number * size, size)))[level]
            for level in range(1, len(first))
        ]
        return [first[0], *others]

    def _rows(self, stream: str, level: int, start: int, count: int) -> Indices:
        return Stream(self._context, f"{stream}.{level}", self._table.n_normal).take(start, count)


def map_batch(table: MapTable, rows: Indices, labels: Indices, references: LevelMaps | None, number: int) -> MapBatch:
    """The batch of these rows."""
    return MapBatch(table.take(rows), labels, references, number)
