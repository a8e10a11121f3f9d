"""Opening an image store and checking every pixel, against decoding it and against plainly reading it, in one process.

Photographs of noise are saved as PNG and adopted. In turns: the store is built (decoded, resized, written), opened with
`every_pixel` as `bench run` does once a call, and its file is read without looking at it. Besides: all images taken the
first time, when each is compared with its digest, and again; and the stats by which replaced files are noticed, against
hashing the files. One thread, files in the page cache. Prints the seconds of every round and the median ratios.

Measured with `--repeats 7` on an Intel Xeon with two cores, busy with other work: opening and checking took 0.012 of
decoding and 6.6 of plain reading, the first take of images 6.0 of a later one, stats 0.019 of hashing.
"""

import argparse
import hashlib
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from protocols.catalogue import data_folder
from protocols.catalogue.replaced import refuse_replaced
from protocols.datasets.manifest import Dataset
from protocols.images.store import ImageStore


def photographs(folder: Path, count: int, side: int) -> None:
    """Normals for training and test and one class of anomalies, in the layout of MVTec AD."""
    rng = np.random.default_rng(0)
    for number in range(count):
        place = folder / ("train/good", "test/good", "test/cut")[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(place / f"{number:05d}.png")


def rounds(dataset: Dataset, cache: Path, size: int) -> dict[str, float]:
    """The seconds of each way."""
    shutil.rmtree(cache, ignore_errors=True)

    def opened(*, every_pixel: bool) -> ImageStore:
        return ImageStore.open(dataset, size=size, cache_dir=cache, every_pixel=every_pixel)

    found = {"decode": seconds(lambda: opened(every_pixel=False)), "check": seconds(lambda: opened(every_pixel=True))}
    (array,) = cache.rglob("images.npy")
    images = opened(every_pixel=False).images([row.id for row in dataset.rows])
    everything = np.arange(len(images))
    files = [dataset.path(row) for row in dataset.rows]
    refuse_replaced(dataset, cache)
    return found | {
        "read": seconds(array.read_bytes),
        "first take": seconds(lambda: images.take(everything)),
        "take": seconds(lambda: images.take(everything)),
        "stat": seconds(lambda: refuse_replaced(dataset, cache)),
        "hash": seconds(lambda: [hashlib.sha256(file.read_bytes()).digest() for file in files]),
    }


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--side", type=int, default=512, help="of a photograph, in pixels")
    parser.add_argument("--size", type=int, default=224, help="of the store, in pixels")
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count, after one to warm up")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        photographs(root / "raw", options.images, options.side)
        dataset = data_folder.adopt_dataset(root / "raw", "noise", root / "data")
        found = [rounds(dataset, root / "cache", options.size) for _ in range(options.repeats + 1)][1:]
    for one in found:
        print("   ".join(f"{name} {value:.4f} s" for name, value in one.items()))
    for name, other in (("check", "decode"), ("check", "read"), ("first take", "take"), ("stat", "hash")):
        print(f"median {name} / {other} {statistics.median(one[name] / one[other] for one in found):.4f}")


if __name__ == "__main__":
    main()
