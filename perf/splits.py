"""A million ids drawn and validated, against hashing the same ids alone, measured in turns in one process.

Ours: from rows in memory, with nothing remembered, to the split of a rule (the fingerprint of the manifest included),
its fingerprints, and its validation. Alone: one SHA-256 of each id's UTF-8 text. Prints the processor's seconds of
every pair, the median ratio and the peak resident memory, rows included.
"""

import argparse
import hashlib
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from protocols.datasets.manifest import Dataset, Row, assemble_dataset
from protocols.splits import split as splits

SETTINGS = {
    "general": {"shots": 10},
    "hard": {"known_class": "cut", "shots": 10},
    "one_class": {"normal_class": "0"},
    "labelled_share": {"normal_class": "0", "gamma": "0.20"},
}
LABELS = ("normal",) * 7 + ("bent", "cut", "hole")


def rows(count: int, *, classes: bool) -> list[Row]:
    """Rows with contents of their own: seven normals to three anomalies, or ten classes, one image of six for test."""
    made = []
    for number in range(count):
        label = str(number % 10) if classes else LABELS[number % 10]
        half = ("train" if number % 6 else "test") if classes else ""
        id_ = f"{label}/{number:07d}.png"
        content = hashlib.sha256(id_.encode()).hexdigest()
        made.append(Row(id_, id_, label, half, content, 256, 256, 3))
    return made


def ours(dataset: Dataset, rule: str) -> None:
    fresh = Dataset(dataset.name, dataset.folder, dataset.rows)
    split = splits.draw(fresh, rule, split_seed=0, **SETTINGS[rule])
    assert len(split.fingerprint) == 64  # noqa: S101 - the fingerprint is computed when it is asked for
    splits.validate(split, fresh)


def alone(ids: list[str]) -> None:
    for id_ in ids:
        hashlib.sha256(id_.encode()).digest()


def seconds(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rule", choices=sorted(SETTINGS), default="general")
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    made = rows(options.images, classes=options.rule in {"one_class", "labelled_share"})
    dataset = assemble_dataset("synthetic", Path(), made)
    del made
    ids = [row.id for row in dataset.rows]
    pairs = [
        (seconds(lambda: ours(dataset, options.rule)), seconds(lambda: alone(ids))) for _ in range(options.repeats)
    ]
    for one, other in pairs:
        print(f"ours {one:.2f} s   alone {other:.2f} s   ratio {one / other:.2f}")
    print(f"median ratio {statistics.median(one / other for one, other in pairs):.2f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
