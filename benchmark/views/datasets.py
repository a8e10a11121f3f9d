"""Views of a dataset for `bench data`: its counts beside the published ones, and reasons of a difference."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from protocols.catalogue import data_folder, recognition
from protocols.catalogue.publish import usable_dataset
from protocols.datasets.naming import NORMAL
from protocols.datasets.registry import dataset_info
from protocols.errors import DataError
from protocols.text import plural

if TYPE_CHECKING:
    from protocols.datasets.info import DatasetInfo, Published
    from protocols.datasets.manifest import Dataset

_SHOWN_GROUPS = 20
_SHOWN_IDS = 8


def class_counts(dataset: "Dataset") -> dict[str, dict[str, int]]:
    """Images by class: normals after the seedless draw and anomalies under `test`; of a set of classes what the release
    calls train and test.
    """
    if any(row.label == NORMAL for row in dataset.rows):
        train, test = _normals(dataset)
        normal = {NORMAL: {"train": train, "test": test}}
    else:
        normal = {}
    classes = {label: {"train": 0, "test": 0} for label in dataset.labels}
    for row in dataset.rows:
        if row.label != NORMAL:
            classes[row.label]["train" if row.split == "train" else "test"] += 1
    return normal | classes


def image_counts(dataset: "Dataset") -> "Published | None":
    """Counts of the kind that papers publish, taken from the manifest; None for a set without normal images."""
    from protocols.datasets.info import Published

    counts = class_counts(dataset)
    if NORMAL not in counts:
        return None
    anomalies = sum(row.label != NORMAL for row in dataset.rows)
    return Published(counts[NORMAL]["train"], counts[NORMAL]["test"], anomalies, len(dataset.labels))


def counts_text(dataset: "Dataset") -> str:
    """The counts in words."""
    measured = image_counts(dataset)
    if measured is not None:
        return _in_words(measured)
    train = sum(row.split == "train" for row in dataset.rows)
    classes = plural(len(dataset.labels), "class", "classes")
    return f"{train} training and {len(dataset.rows) - train} test images of {classes}"


def beside_published(dataset: "Dataset", info: "DatasetInfo | None") -> tuple[list[str], list[str]]:
    """Lines that compare a dataset with published counts and known releases: differences, and what is no fault.

    Other counts than the published are no fault where they are just those of a known release or variant that declares
    why.
    """
    if info is None:
        return [], []
    doubts = recognition.release_doubts(info, dataset)
    differences = [recognition.doubts_sentence(dataset, doubts)] if doubts else []
    remarks = [line for line in (recognition.recognition_text(info, dataset),) if line and not doubts]
    measured = image_counts(dataset)
    if info.published is None or measured is None:
        return differences, remarks
    if measured == info.published:
        return differences, [*remarks, f"counts as published: {_in_words(measured)}"]
    line = f"counts differ from the published: {_in_words(measured)}; published {_in_words(info.published)}"
    variant = dataset.name.partition("@")[2]
    reason = info.variants.get(variant) if variant else info.differences
    if reason and recognition.counts_are_known(info, dataset):
        return differences, [*remarks, f"{line}; declared: {reason}"]
    return [*differences, line], remarks


def dataset_facts(
    data: Path, name: str, opened: "Dataset | None", groups: "tuple[tuple[str, ...], ...] | None"
) -> dict[str, Any]:
    """Facts of a dataset that `bench data show` prints; `opened` is None where it is not prepared."""
    info = dataset_info(name)
    doubts = recognition.release_doubts(info, opened) if info and opened else ()
    return {
        "name": name,
        "state": "ready" if opened else data_folder.dataset_state(data, name),
        "fingerprint": opened.fingerprint if opened else None,
        "counts": class_counts(opened) if opened else None,
        "published": asdict(info.published) if info and info.published else None,
        "duplicates": [list(group) for group in groups] if groups is not None else None,
        "release": f"not recognised, since {', '.join(doubts)}" if doubts else None,
        "differences": (info.differences or None) if info else None,
        "variants": dict(info.variants) if info else {},
        "size": (info.size or None) if info else None,
        "licence": info.licence if info else None,
        "citation": info.citation if info else None,
        "source": info.source if info else None,
    }


def fact_lines(facts: dict[str, Any]) -> list[str]:
    """Lines of `dataset_facts` for a person: a word and its value, lists and tables below it."""
    lines = []
    for key, value in facts.items():
        if key in {"duplicates", "near_duplicates"}:
            lines += duplicate_lines(value or (), key.replace("_", " "), facts["name"])
        elif key == "counts" and value:
            lines.append(f"{'counts':26}{'train':>8}{'test':>8}")
            lines += [f"  {label:24}{number['train']:8}{number['test']:8}" for label, number in value.items()]
        elif isinstance(value, dict):
            inner = (f"{name} {text}" if key == "published" else f"{name}: {text}" for name, text in value.items())
            lines += [f"{key:13}{', '.join(inner)}"] if value else []
        elif value:
            lines.append(f"{key:13}{value}")
    return lines


def dataset_row(data: Path, name: str) -> dict[str, Any]:
    """Row of a dataset in `bench data list`."""
    info = dataset_info(name)
    opened = usable_dataset(data / name, name)
    measured = image_counts(opened) if opened else None
    return {
        "name": name,
        "state": "ready" if opened else data_folder.dataset_state(data, name),
        "title": info.title if info else "adopted",
        "source": info.source if info else None,
        "licence": info.licence if info else None,
        "size": (info.size or None) if info else None,
        "download": bool(info and info.downloads),
        "counts": asdict(measured) if measured else None,
        "published": asdict(info.published) if info and info.published else None,
    }


def duplicate_lines(groups: "tuple[tuple[str, ...], ...]", what: str, name: str) -> list[str]:
    """Groups of ids, one a line, and how many there are; a long list is cut."""
    if not groups:
        return []
    spare = sum(len(group) - 1 for group in groups)
    lines = [f"{what}: {plural(len(groups), 'group')}, {plural(spare, 'image')} more than contents"]
    lines += [f"  {_shortened(group)}" for group in groups[:_SHOWN_GROUPS]]
    if len(groups) > _SHOWN_GROUPS:
        lines.append(f"  and {len(groups) - _SHOWN_GROUPS} more: see 'bench data show {name} --json'")
    return lines


def _shortened(group: tuple[str, ...]) -> str:
    more = len(group) - _SHOWN_IDS
    return " = ".join(group[:_SHOWN_IDS]) + (f" and {more} more" if more > 0 else "")


def _normals(dataset: "Dataset") -> tuple[int, int]:
    """Training and test normals after the seedless draw; all count as test where they are too few to be drawn."""
    from protocols.splits.draw.options import Options
    from protocols.splits.draw.steps import DrawRequest, draw_normals

    try:
        train, test = draw_normals(DrawRequest(dataset=dataset, split_seed=0, options=Options()))
    except DataError:
        train = tuple(row.id for row in dataset.rows if row.label == NORMAL and row.split == "train")
        return len(train), sum(row.label == NORMAL for row in dataset.rows) - len(train)
    return len(train), len(test)


def _in_words(counts: "Published") -> str:
    return (
        f"{counts.train_normal} training and {counts.test_normal} test normals, "
        f"{plural(counts.anomalies, 'anomaly', 'anomalies')} of {plural(counts.classes, 'class', 'classes')}"
    )
