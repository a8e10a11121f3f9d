"""Memory and disk of one fit on a large set: 16,100 colour images at 448 px, decoded, sampled, trained on and scored.

Makes the images in FOLDER, adopts them, and runs DRA for a few steps with `bench run`, which builds the image store
(9.7 GB), draws batches from all training images and scores the test images. Meanwhile it adds up the private memory of
the call and of all its processes, mapped pages of the image store aside, several times a second. Prints one line of
JSON: peak in MiB of the sum and of the largest process, bytes of the store, seconds and exit status of `bench run`.

    python perf/big_set.py FOLDER --images 16100 --size 448
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from protocols.io.parallel import default_jobs, parallel

TEST = 200
DEFECTS = 60
SCORED = 40
BUDGET = ("budget.epochs=1", "budget.steps=3", "batch.size=6", "batch.seen=2", "evaluation.batch=8")
"""Small batches: those of 16 images in training and 48 in scoring take 3.5 GiB, whatever the number of images."""
BENCH = (sys.executable, "-m", "swanbench")
_MAPPING = re.compile(rb"\A[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(.*)\Z")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=16_100)
    parser.add_argument("--size", type=int, default=448)
    parser.add_argument("--seconds", type=float, default=0.25, help="between two looks at the memory")
    options = parser.parse_args()
    folder: Path = options.folder.resolve()
    make_images(folder / "raw", options.images, options.size)
    environment = os.environ | {
        "BENCH_DATA": str(folder / "data"),
        "BENCH_CACHE": str(folder / "cache"),
        "BENCH_RESULTS": str(folder / "runs"),
    }
    adopt = [*BENCH, "data", "adopt", str(folder / "raw"), "--name", "big"]
    if not (folder / "data/big").exists():
        subprocess.run(adopt, env=environment, check=True, stdout=sys.stderr)
    sets = [word for setting in (*BUDGET, f"img_size={options.size}") for word in ("--set", f"dra.{setting}")]
    words = ["run", "--suite", "general", "--dataset", "big", "--method", "dra", "--recipe", "quick", "--shots", "10"]
    words += ["--split", f"limit_test={SCORED}"]
    fixed = ["--seed", "0", "--weights", "random", "--threads", "1", *sets]
    start = time.monotonic()
    with subprocess.Popen([*BENCH, *words, *fixed], env=environment, stdout=sys.stderr) as process:
        peaks = watched_peaks(process, folder / "cache", options.seconds)
    store = sum(path.stat().st_size for path in (folder / "cache/images").glob("*/images.npy"))
    report = {"images": options.images, "size": options.size, **peaks, "store_bytes": store}
    report |= {"seconds": round(time.monotonic() - start), "status": process.returncode}
    sys.stdout.write(json.dumps(report) + "\n")


def make_images(folder: Path, count: int, size: int) -> None:
    """Images of one texture each, in the layout of MVTec AD; a bright square makes a defect."""
    rows, columns = np.mgrid[0:size, 0:size]

    def make(number: int) -> None:
        kind = "train/good" if number >= TEST else "test/defect" if number < DEFECTS else "test/good"
        path = folder / kind / f"{number:05}.jpg"
        if path.exists():
            return
        drawn = np.random.default_rng(number)
        waves = [np.sin(rows * drawn.uniform(0.01, 0.3) + columns * drawn.uniform(0.01, 0.3)) for _ in range(3)]
        pixels = np.stack(waves, -1) * 60 + 100
        if kind == "test/defect":
            y, x = drawn.integers(0, size - size // 8, 2)
            pixels[y : y + size // 8, x : x + size // 8] = 250
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path, quality=60)

    for _ in parallel(make, range(count), default_jobs()):
        pass


def watched_peaks(process: "subprocess.Popen[bytes]", store: Path, seconds: float) -> dict[str, float]:
    """Peaks in MiB of the private memory of a process and all below it, until it ends."""
    total = largest = 0
    while process.poll() is None:
        shares = [private_bytes(number, store) for number in family(process.pid)]
        total, largest = max(total, sum(shares)), max(largest, *shares)
        time.sleep(seconds)
    return {"private_mib": round(total / 2**20, 1), "largest_process_mib": round(largest / 2**20, 1)}


def family(root: int) -> list[int]:
    """A process and those that descend from it."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    members = [root]
    for member in members:
        members += [number for number, parent in parents.items() if parent == member]
    return members


def private_bytes(process: int, store: Path) -> int:
    """Bytes of a process that no other has, without mapped files below `store`; 0 where it is gone."""
    total, is_counted, needle = 0, True, os.fsencode(store)
    try:
        lines = Path(f"/proc/{process}/smaps").read_bytes().splitlines()
    except OSError:
        return 0
    for line in lines:
        if mapping := _MAPPING.match(line):
            is_counted = not mapping[1].startswith(needle)
        elif is_counted and line.startswith((b"Private_Clean:", b"Private_Dirty:")):
            total += int(line.split()[1]) * 1024
    return total


if __name__ == "__main__":
    main()
