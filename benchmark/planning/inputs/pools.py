"""External pools: images of other prepared datasets that a detector is given besides (spec 2.9, D24, D25)."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from benchmark.planning.types import Part
from protocols.catalogue import data_folder
from protocols.datasets.manifest import Dataset, Row
from protocols.datasets.naming import NORMAL, base_id
from protocols.datasets.registry import dataset_family, dataset_info
from protocols.errors import DataError
from protocols.splits.draw.ranking import list_fingerprint
from protocols.values import ParamValue
from results.spec import PoolPart

LAG_POOL = "lag"

Open = Callable[[str], Dataset]


def pool_parts(
    pool: str, params: Mapping[str, ParamValue], target: Dataset, data_dir: Path, open_dataset: Open
) -> tuple[Part, ...]:
    """The images of a pool by prepared dataset, in the order of the ids, without any that the target has too.

    Raises:
        DataError: none of the pool's datasets is prepared, or they hold nothing but the target's images.
    """
    target_digests = {row.sha256 for row in target.rows}
    parts = []
    for name in _names(pool, params, target, data_dir):
        ids = tuple(row.id for row in _offered(pool, params, open_dataset(name)) if row.sha256 not in target_digests)
        if ids:
            parts.append(Part(name, ids))
    if not parts:
        raise DataError(f"no image of the pool '{pool}' is at hand for {target.name}: {_next_step(pool)}")
    return tuple(parts)


def key_parts(parts: Iterable[Part], open_dataset: Open) -> tuple[PoolPart, ...]:
    """Parts as keys hold them."""
    return tuple(
        PoolPart(
            dataset=part.dataset,
            fingerprint=open_dataset(part.dataset).fingerprint,
            images=list_fingerprint(part.ids),
        )
        for part in parts
    )


def pool_note(pool: str, parts: tuple[Part, ...]) -> str:
    """A pool in words, for the notes of records and tables."""
    images = sum(len(part.ids) for part in parts)
    return f"pool {pool}: {images} images of {', '.join(part.dataset for part in parts)}"


def lacking_categories(pool: str, params: Mapping[str, ParamValue], target: str, parts: int) -> str | None:
    """Reason that a pool of so many parts is not the paper's: it lacks members of its family. None where it has all."""
    family = {info.id for info in dataset_family(pool)}
    whole = family - _overlapping(params, target)
    if not family or parts == len(whole):
        return None
    return f"pool {pool} has {parts} of {len(whole)} categories"


def _names(pool: str, params: Mapping[str, ParamValue], target: Dataset, data_dir: Path) -> list[str]:
    family = {info.id for info in dataset_family(pool)}
    if not family:
        return [pool]
    return [name for name in data_folder.prepared(data_dir) if name in family - _overlapping(params, target.name)]


def _overlapping(params: Mapping[str, ParamValue], target: str) -> set[str]:
    """The target itself, and under `pool.exclude = related` the datasets that show what it shows too."""
    info = dataset_info(target)
    related = info.related if info is not None and params.get("pool.exclude") == "related" else ()
    return {base_id(target), *related}


def _offered(pool: str, params: Mapping[str, ParamValue], dataset: Dataset) -> list[Row]:
    """Images that a dataset gives: of LAG the chosen classes; else its training normals, or all where none is fixed."""
    if pool == LAG_POOL:
        chosen = params.get("lag.classes", "both")
        return [row for row in dataset.rows if chosen in {"both", row.label}]
    fixed = [row for row in dataset.rows if row.split == "train" and row.label == NORMAL]
    return fixed or list(dataset.rows)


def _next_step(pool: str) -> str:
    family = dataset_family(pool)
    info = family[0] if family else dataset_info(pool)
    origin = f"get it from {info.source}, then " if info else ""
    return f"{origin}run 'bench data prepare {pool} --source DIR'"
