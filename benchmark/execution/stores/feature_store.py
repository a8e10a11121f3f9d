"""Feature maps of frozen networks, computed once for all fits that need them: see `methods.backbones.features`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark.execution.processes.handover import Machine
from benchmark.execution.stores.digests import tensors_digest
from benchmark.execution.stores.feature_files import FEATURES, Bytes, FeatureFolder, MapForm, map_forms
from methods.backbones.features import (
    ComputedFeatures,
    FeatureReader,
    FeatureSource,
    FrozenNetwork,
    Maps,
    computed_maps,
)
from methods.devices import parse_device
from protocols.images.store import Images, Index, StoredImages

_PAIR = 2
"""Smallest batch whose maps are kept: for a single image kernels take another path, with other last bits."""


@dataclass(frozen=True)
class StoredFeatures:
    """A source that keeps maps below `parent`, at most `limit` bytes in all.

    `facts` are what maps depend on beside network and images: code, versions, numerics class. `notify` is told where
    they cannot be kept.
    """

    parent: Path
    limit: int
    facts: Mapping[str, str]
    notify: Callable[[str], None]

    def reader(self, frozen: FrozenNetwork) -> FeatureReader:
        return StoredReader(self, frozen)


def feature_source(machine: Machine, facts: Mapping[str, str], notify: Callable[[str], None]) -> FeatureSource:
    """The source of a worker's fits: on the processor, where reading a row costs less than computing it, it keeps."""
    if machine.feature_bytes and parse_device(machine.device).kind == "cpu":
        return StoredFeatures(machine.cache / FEATURES, machine.feature_bytes, facts, notify)
    return ComputedFeatures()


class StoredReader:
    """The maps of one network: rows that are there are read, others computed and kept.

    What is read equals what one batch of all the images would give, bit for bit: a folder keeps rows only where the
    network gave a pair of images the same bits as among others. The pixels of images whose rows are there are not read.
    """

    def __init__(self, source: StoredFeatures, frozen: FrozenNetwork) -> None:
        self._source = source
        self._frozen = frozen
        self._folders: dict[Path, FeatureFolder] = {}
        self._is_broken = False

    def __call__(self, images: Images, index: Index) -> Maps:
        if self._is_broken or len(index) < _PAIR or not isinstance(images, StoredImages):
            return computed_maps(self._frozen, images, index)
        try:
            return self._maps(images, np.asarray(index, dtype=np.intp))
        except OSError as error:
            self._is_broken = True
            self._source.notify(
                f"feature maps are computed, not kept, in {self._source.parent}: {error.strerror or error}"
            )
            return computed_maps(self._frozen, images, index)

    def _maps(self, images: StoredImages, index: Index) -> Maps:
        folder = self._folder(images)
        meta = folder.meta
        if meta is None:
            return self._first(images, index, folder)
        if not meta.forms:
            return computed_maps(self._frozen, images, index)
        rows = images.rows[index]
        present = folder.present(rows)
        lacking = np.flatnonzero(~present)
        if len(lacking) == len(index):
            maps = computed_maps(self._frozen, images, index)
            self._keep(folder, rows, maps, meta.forms)
            return maps
        computed: Maps = []
        if len(lacking):
            chosen = lacking if len(lacking) >= _PAIR else np.append(lacking, np.flatnonzero(present)[0])
            computed = [level[: len(lacking)] for level in computed_maps(self._frozen, images, index[chosen])]
            self._keep(folder, rows[lacking], computed, meta.forms)
        maps = []
        for number, form in enumerate(meta.forms):
            maps.append(_read(folder, form, rows, present))
            if computed:
                maps[number][torch.from_numpy(lacking)] = computed[number]
        return maps

    def _first(self, images: StoredImages, index: Index, folder: FeatureFolder) -> Maps:
        """Compute a batch and, if it tells how maps depend on their batch, make the folder."""
        maps = computed_maps(self._frozen, images, index)
        if len(index) > _PAIR:
            ends = np.array([len(index) - 1, 0])
            pair = computed_maps(self._frozen, images, index[ends])
            forms = _forms(maps) if all(map(_are_same_bits, pair, (level[ends] for level in maps))) else ()
            folder.create(forms)
            if forms:
                self._keep(folder, images.rows[index], maps, forms)
        return maps

    def _keep(self, folder: FeatureFolder, rows: Index, maps: Maps, forms: Sequence[MapForm]) -> None:
        if _forms(maps) == tuple(forms):
            folder.write(rows, [_flat_bytes(level) for level in maps])

    def _folder(self, images: StoredImages) -> FeatureFolder:
        if images.folder not in self._folders:
            facts = {**self._source.facts, **self._network_facts, "images": images.folder.name}
            self._folders[images.folder] = FeatureFolder(self._source.parent, facts, images.stored, self._source.limit)
        return self._folders[images.folder]

    @cached_property
    def _network_facts(self) -> dict[str, str]:
        frozen = self._frozen
        return {
            "network": frozen.arch,
            "layers": ",".join(frozen.layers),
            "transform": frozen.transform,
            "state": tensors_digest(frozen.network.state_dict()),
        }


def _are_same_bits(level: Tensor, other: Tensor) -> bool:
    first, second = (values.contiguous().flatten().view(torch.uint8) for values in (level, other))
    return torch.equal(first, second)


def _forms(maps: Maps) -> tuple[MapForm, ...]:
    """The forms of maps (B, ...); empty where one does not fill its memory, so that its bytes are no row."""
    parts = []
    for level in maps:
        image = level[0]
        spans = sorted(zip(image.stride(), image.shape, strict=True))
        expected = 1
        for stride, count in spans:
            if count > 1 and stride != expected:
                return ()
            expected *= count
        parts.append((_dtype_name(level.dtype), tuple(image.shape), image.stride(), image.nbytes))
    return map_forms(parts)


def _flat_bytes(level: Tensor) -> Bytes:
    """The memory of each image's map, (B, bytes)."""
    count = level[0].numel()
    flat = level.as_strided((len(level), count), (level.stride(0), 1), level.storage_offset())
    content: Bytes = flat.cpu().contiguous().view(torch.uint8).numpy()
    return content


def _read(folder: FeatureFolder, form: MapForm, rows: Index, present: Index) -> Tensor:
    """A map (k, ...) in memory of its own, laid out as computed; of rows that are not present it is undefined."""
    memory = torch.empty((len(rows), form.length), dtype=torch.uint8)
    content = memory.numpy()
    for place in np.flatnonzero(present):
        content[place] = folder.read(int(rows[place]), form)
    values = memory.view(getattr(torch, form.dtype))
    return values.as_strided((len(rows), *form.shape), (values.shape[1], *form.strides))


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
