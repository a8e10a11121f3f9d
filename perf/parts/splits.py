"""Ids drawn and validated, against hashing the same ids alone, in turns in one process.

Ours: from rows in memory, with nothing remembered, to the split of a rule (the fingerprint of the manifest included),
its fingerprints, and its validation. Alone: one SHA-256 of each id's UTF-8 text.
"""

import hashlib
from pathlib import Path

from perf.ratios import MeasurePlan, Ratios, make_ratio, processor_seconds, seconds_in_turns, timed_ratio
from protocols.datasets.manifest import Dataset, Row, assemble_dataset
from protocols.splits import split as splits

TITLE = "Splits"
SAYS = "Drawing and validating a split from a manifest in memory, over one SHA-256 of each id."
SETTINGS = {
    "general": {"shots": 10},
    "hard": {"known_class": "cut", "shots": 10},
    "one_class": {"normal_class": "0"},
    "labelled_share": {"normal_class": "0", "gamma": "0.20"},
}
LABELS = ("normal",) * 7 + ("bent", "cut", "hole")
IMAGES, MANY_IMAGES, QUICK_IMAGES = 100_000, 1_000_000, 500
HASHES = "hashing the ids"


def measure_ratios(plan: MeasurePlan) -> Ratios:
    count = QUICK_IMAGES if plan.is_quick else IMAGES
    for rule in SETTINGS:
        seconds = seconds_of_rule(rule, count, plan)
        yield timed_ratio(f"{rule}, {count:,} images", HASHES, seconds["ours"], seconds[HASHES])
    if not plan.is_quick:
        few, many = (
            seconds_of_rule("general", number, MeasurePlan(rounds=1))["ours"][0] / number
            for number in (IMAGES, MANY_IMAGES)
        )
        yield make_ratio(f"general, an image of {MANY_IMAGES:,}", f"an image of {IMAGES:,}", [many / few])


def seconds_of_rule(rule: str, count: int, plan: MeasurePlan) -> dict[str, list[float]]:
    has_classes = rule in {"one_class", "labelled_share"}
    dataset = assemble_dataset("synthetic", Path(), made_rows(count, classes=has_classes))
    ids = [row.id for row in dataset.rows]
    ways = {"ours": lambda: draw_and_validate(dataset, rule), HASHES: lambda: hash_ids(ids)}
    return seconds_in_turns(ways, plan, processor_seconds, warm_up=False)


def made_rows(count: int, *, classes: bool) -> list[Row]:
    """Rows with contents of their own: seven normals to three anomalies, or ten classes, one image of six for test."""
    rows = []
    for number in range(count):
        label = str(number % 10) if classes else LABELS[number % 10]
        half = ("train" if number % 6 else "test") if classes else ""
        id_ = f"{label}/{number:07d}.png"
        content = hashlib.sha256(id_.encode()).hexdigest()
        rows.append(Row(id_, id_, label, half, content, 256, 256, 3))
    return rows


def draw_and_validate(dataset: Dataset, rule: str) -> None:
    fresh = Dataset(dataset.name, dataset.folder, dataset.rows)
    split = splits.draw(fresh, rule, split_seed=0, **SETTINGS[rule])
    assert len(split.fingerprint) == 64  # noqa: S101 - the fingerprint is computed when it is asked for
    splits.validate(split, fresh)


def hash_ids(ids: list[str]) -> None:
    for id_ in ids:
        hashlib.sha256(id_.encode()).digest()
