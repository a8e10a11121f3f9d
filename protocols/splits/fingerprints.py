"""Committed fingerprints: the papers' splits of datasets with a fixed file list, id for id.

They stand in the facts of datasets, written by `bench splits verify DATASET... --write FILE` from data whose ids and
labels are those of the release. Draws depend on ids, labels and halves alone (where neither `leak_guard` nor
`deduplicate` is on), so re-encoded images give the same fingerprints.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from protocols.datasets.info import Pinned
from protocols.datasets.manifest import Dataset
from protocols.datasets.naming import NORMAL
from protocols.datasets.registry import dataset_info
from protocols.errors import DataError
from protocols.splits.draw.options import Options
from protocols.splits.draw.ranking import list_fingerprint
from protocols.splits.draw.steps import DrawRequest, draw_normals
from protocols.splits.split import draw

_SEEDS = (0, 1, 2)
_SHOTS = 10
_GAMMA = "0.20"
_BARE_KEY = re.compile(r"[\w-]+", re.ASCII)


def split_fingerprints(dataset: Dataset) -> Pinned:
    """The fingerprints of a dataset and of its splits under the papers' rules.

    Raises:
        DataError: a split cannot be drawn.
    """
    splits = {name: drawn() for name, drawn in _splits(dataset).items()}
    return Pinned(images=len(dataset.rows), ids=ids_fingerprint(dataset), splits=splits)


def ids_fingerprint(dataset: Dataset) -> str:
    """SHA-256 over the sorted lines `id TAB label TAB split LF`: all that a draw depends on."""
    lines = sorted(f"{row.id}\t{row.label}\t{row.split}\n" for row in dataset.rows)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def pinned_fingerprints(name: str) -> Pinned | None:
    """The committed fingerprints of a dataset; None where there are none, as for any variant."""
    info = dataset_info(name)
    return info.fingerprints if info is not None and info.id == name else None


def fingerprints_text(pinned: Mapping[str, Pinned]) -> str:
    """The tables of fingerprints as a file of facts has them: of one dataset, or of several by their ids."""
    heads = {name: f"datasets.{_key(name)}.fingerprints" if len(pinned) > 1 else "fingerprints" for name in pinned}
    return "\n".join(_tables(heads[name], entry) for name, entry in pinned.items())


def _tables(head: str, entry: Pinned) -> str:
    splits = "".join(f'{_key(name)} = "{fingerprint}"\n' for name, fingerprint in sorted(entry.splits.items()))
    return f'[{head}]\nimages = {entry.images}\nids = "{entry.ids}"\n\n[{head}.splits]\n{splits}'


def _key(name: str) -> str:
    """A key of TOML: in quotation marks where it has other characters than letters, digits, `_` and `-`."""
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def fingerprint_differences(dataset: Dataset, pinned: Pinned) -> list[str]:
    """One line for each fingerprint that is not the committed one; none if all are equal."""
    lines = []
    if ids_fingerprint(dataset) != pinned.ids:
        lines.append(
            f"{dataset.name}: by id, label and half its {len(dataset.rows)} images are not the {pinned.images} of the "
            "release"
        )
    splits = _splits(dataset)
    for name, expected in pinned.splits.items():
        try:
            fingerprint = splits[name]()
        except KeyError:
            lines.append(f"{dataset.name}: {name} is committed and cannot be drawn from these classes")
        except DataError as error:
            lines.append(f"{dataset.name}: {name} is committed and cannot be drawn ({error})")
        else:
            if fingerprint != expected:
                lines.append(
                    f"{dataset.name}: {name} is {fingerprint[:16]}, the committed fingerprint is {expected[:16]}"
                )
    return lines


def _splits(dataset: Dataset) -> dict[str, Callable[[], str]]:
    """Functions that draw each fingerprint, by its name."""
    draws: dict[str, Callable[[], str]] = {}
    if all(row.label != NORMAL for row in dataset.rows):
        for label in dataset.labels:
            draws[f"one_class-{label}"] = partial(_drawn, dataset, "one_class", 0, normal_class=label)
            for seed in _SEEDS:
                name = f"labelled_share-{label}-{_GAMMA}-s{seed}"
                draws[name] = partial(_drawn, dataset, "labelled_share", seed, normal_class=label, gamma=_GAMMA)
        return draws
    for side, half in enumerate(("train", "test")):
        draws[f"normals-{half}"] = partial(_drawn_normals, dataset, side)
    info = dataset_info(dataset.name)
    for seed in _SEEDS:
        draws[f"general-{_SHOTS}-s{seed}"] = partial(_drawn, dataset, "general", seed, shots=_SHOTS)
        for known_class in info.known_classes if info else ():
            name = f"hard-{known_class}-{_SHOTS}-s{seed}"
            draws[name] = partial(_drawn, dataset, "hard", seed, known_class=known_class, shots=_SHOTS)
    return draws


def _drawn(dataset: Dataset, rule: str, seed: int, **coordinates: Any) -> str:
    return draw(dataset, rule, split_seed=seed, **coordinates).fingerprint


def _drawn_normals(dataset: Dataset, side: int) -> str:
    return list_fingerprint(draw_normals(DrawRequest(dataset=dataset, split_seed=0, options=Options()))[side])
