"""Opening an image store and checking every pixel, against decoding it and against plainly reading it, in one process.

Photographs of noise are saved as PNG and adopted. In turns: the store is built (decoded, resized, written), opened with
`every_pixel` as `bench run` does once a call, and its file is read without looking at it. Besides: all images taken the
first time, when each is compared with its digest, and again; and the stats by which replaced files are noticed, against
hashing the files. One thread, files in the page cache.
"""

import hashlib
import shutil
from pathlib import Path

import numpy as np

from perf.houses import new_house
from perf.ratios import MeasurePlan, Ratios, processor_seconds, timed_ratio
from protocols.catalogue.replaced import refuse_replaced
from protocols.datasets.manifest import Dataset
from protocols.images.store import ImageStore

TITLE = "Image store"
SAYS = "What the checks of an image store cost beside decoding, reading and hashing."
IMAGES, QUICK_IMAGES = 100, 6
FILE_SIDE, SIDE = 512, 224
PAIRS = (
    ("opening and checking every pixel", "building the store"),
    ("opening and checking every pixel", "reading its file"),
    ("the first taking of all images", "a later one"),
    ("looking for replaced files", "hashing them"),
)


def measure_ratios(plan: MeasurePlan) -> Ratios:
    with new_house() as house:
        dataset = house.adopt_noise(QUICK_IMAGES if plan.is_quick else IMAGES, FILE_SIDE)
        rounds = [seconds_of_round(dataset, house.root / "cache") for _ in range(plan.rounds + 1)][1:]
    for name, over in PAIRS:
        yield timed_ratio(name, over, [taken[name] for taken in rounds], [taken[over] for taken in rounds])


def seconds_of_round(dataset: Dataset, cache: Path) -> dict[str, float]:
    """Processor time of each way, by its name in `PAIRS`."""
    shutil.rmtree(cache, ignore_errors=True)

    def opened(*, every_pixel: bool) -> ImageStore:
        return ImageStore.open(dataset, size=SIDE, cache_dir=cache, every_pixel=every_pixel, jobs=1)

    seconds = {
        "building the store": processor_seconds(lambda: opened(every_pixel=False)),
        "opening and checking every pixel": processor_seconds(lambda: opened(every_pixel=True)),
    }
    (array,) = cache.rglob("images.npy")
    images = opened(every_pixel=False).images([row.id for row in dataset.rows])
    everything = np.arange(len(images))
    files = [dataset.path(row) for row in dataset.rows]
    refuse_replaced(dataset, cache)
    return seconds | {
        "reading its file": processor_seconds(array.read_bytes),
        "the first taking of all images": processor_seconds(lambda: images.take(everything)),
        "a later one": processor_seconds(lambda: images.take(everything)),
        "looking for replaced files": processor_seconds(lambda: refuse_replaced(dataset, cache)),
        "hashing them": processor_seconds(lambda: [hashlib.sha256(file.read_bytes()).digest() for file in files]),
    }
