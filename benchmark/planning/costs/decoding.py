"""Time of decoding: what a few images of a dataset took on this machine, and what those that are not decoded will."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from benchmark import numerics
from benchmark.planning.costs.measured import COSTS
from benchmark.planning.types import StoreKey
from protocols.datasets.manifest import Dataset, read_manifest
from results.files import make_folder

SAMPLED_IMAGES = 8
DECODING_FILE = "decoding.jsonl"
"""File among those of costs."""


ImageSet = tuple[StoreKey, Dataset]
"""An image store, there or not, and its dataset."""


class DecodeCost(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds to decode and resize one image of a dataset, by its fingerprint, on a processor of that name."""

    fingerprint: str
    size: int
    resize: str
    cpu: str
    seconds: float


def image_sets(keys: Iterable[StoreKey], data: Path) -> list[ImageSet]:
    """The image stores of these keys, each once with its dataset; none of images that keep their own sizes."""
    return [(key, read_manifest(data / key.dataset, key.dataset)) for key in dict.fromkeys(keys) if key.size]


def undecoded(image_sets: Iterable[ImageSet], cache: Path) -> list[ImageSet]:
    """Those whose image store is not there."""
    from protocols.images.cache import stored_arrays

    stored = {
        (array.fingerprint, array.size, array.resize)
        for array in stored_arrays((cache / "images").absolute())
        if not array.problem
    }
    return [(key, dataset) for key, dataset in image_sets if (dataset.fingerprint, key.size, key.resize) not in stored]


def measure_decoding(key: StoreKey, dataset: Dataset, cache: Path) -> None:
    """Decode a few images, spread over the dataset, and keep what one took.

    Raises:
        DataError: one of them cannot be read.
    """
    from protocols.images.decode import ImageReader, image_array, resize_image

    reader = ImageReader(dataset)
    rows = dataset.rows[:: max(1, len(dataset.rows) // SAMPLED_IMAGES)][:SAMPLED_IMAGES]
    start = time.perf_counter()
    for row in rows:
        image_array(resize_image(reader.load(row), key.size, key.resize)).tobytes()
    seconds = (time.perf_counter() - start) / len(rows)
    cost = DecodeCost(
        fingerprint=dataset.fingerprint,
        size=key.size,
        resize=key.resize,
        cpu=numerics.cpu_name(),
        seconds=round(seconds, 6),
    )
    with contextlib.suppress(OSError):
        make_folder(cache / COSTS)
        with (cache / COSTS / DECODING_FILE).open("ab", buffering=0) as handle:
            handle.write(msgspec.json.encode(cost) + b"\n")


def decode_seconds(image_sets: Iterable[ImageSet], cache: Path, threads: int) -> dict[StoreKey, float]:
    """Seconds to decode each of these with so many threads; those of which nothing was measured are left out."""
    kept = {(cost.fingerprint, cost.size, cost.resize): cost.seconds for cost in _kept(cache)}
    seconds = {}
    for key, dataset in image_sets:
        each = kept.get((dataset.fingerprint, key.size, key.resize))
        if each is not None:
            seconds[key] = each * len(dataset.rows) / threads
    return seconds


def _kept(cache: Path) -> Iterator[DecodeCost]:
    """What was measured on a processor like this one, the oldest first; a damaged line is passed over."""
    try:
        lines = (cache / COSTS / DECODING_FILE).read_bytes().splitlines()
    except OSError:
        return
    cpu = numerics.cpu_name()
    for line in lines:
        with contextlib.suppress(msgspec.DecodeError):
            cost = msgspec.json.decode(line, type=DecodeCost)
            if cost.cpu == cpu:
                yield cost
