"""Scores of the images of a folder, one file after another; those that cannot be read cost themselves alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.execution.stores.models.kept_model import KeptModel, blocks
from benchmark.execution.stores.models.pictures import heat_picture, is_beyond
from methods.errors import MethodError
from protocols.errors import DataError
from protocols.images.decode import quiet_decoding
from protocols.io.parallel import default_jobs, parallel
from results.files import write_atomic


@dataclass(frozen=True)
class ScoredFile:
    """An image's file, its score, and the picture of its heat map where one was asked for."""

    path: Path
    score: float
    heat_map: Path | None = None


@dataclass(frozen=True)
class FolderScores:
    """Scores of the files in their order, and of those that could not be scored the reason.

    `n_beyond` counts heat maps that are everywhere hotter than any training normal.
    """

    scored: tuple[ScoredFile, ...]
    unreadable: dict[Path, str]
    n_beyond: int = 0


def score_files(
    model: KeptModel,
    paths: Sequence[Path],
    heat_maps: Callable[[Path], Path] | None = None,
    *,
    progress: Callable[[int, int], None],
    notify: Callable[[str], None],
) -> FolderScores:
    """Score files; `heat_maps` says where the picture of each goes. `notify` is told of each that cannot be read.

    Raises:
        MethodError: the detector has no heat maps, or cannot score.
        ResultsError: a picture cannot be written.
    """
    span = model.contents.facts.map_range
    if heat_maps is not None and span is None:
        raise MethodError(f"{model.method} has no heat maps with the parameters of this run: leave out --heatmaps")
    unreadable: dict[Path, str] = {}
    readable: list[Path] = []
    scored: list[ScoredFile] = []
    n_beyond = 0

    def formed() -> Iterator[Any]:
        with quiet_decoding():
            for path, pixels in zip(
                paths, parallel(lambda path: _formed(model, path), paths, default_jobs()), strict=True
            ):
                if isinstance(pixels, str):
                    unreadable[path] = pixels
                    notify(pixels)
                else:
                    readable.append(path)
                    yield pixels

    for images in blocks(formed(), model.block):
        files = readable[len(scored) : len(scored) + len(images)]
        scores = model.stored_scores(images)
        if not np.isfinite(scores).all():
            raise MethodError(f"{model.method} gave scores that are not finite")
        maps = model.stored_maps(images) if heat_maps is not None else [None] * len(images)
        for position, (path, score, heat) in enumerate(zip(files, scores, maps, strict=True)):
            target = None if heat_maps is None else heat_maps(path)
            if target is not None and span is not None and heat is not None:
                write_atomic(target, heat_picture(images.one(position), heat, span))
                n_beyond += is_beyond(heat, span)
            scored.append(ScoredFile(path, float(score), target))
        progress(len(scored) + len(unreadable), len(paths))
    return FolderScores(tuple(scored), unreadable, n_beyond)


def _formed(model: KeptModel, path: Path) -> Any:
    """The image of a file in the form of the training images, or the reason that there is none."""
    try:
        return model.formed(path)
    except DataError as error:
        return str(error)
