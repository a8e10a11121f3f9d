"""Small pictures of the test images that a run judged worst, for pages; never of medical images."""

import base64
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from protocols.catalogue import data_folder
from protocols.datasets.naming import base_id
from protocols.datasets.registry import dataset_info
from protocols.errors import DataError
from reports.pages.html.evidence import Picture, PictureSheet
from results.record import Record

if TYPE_CHECKING:
    from protocols.datasets.manifest import Dataset
    from results.scores import Scores

_SIDE = 96
_PICTURES = 6
MEDICAL = "No pictures: those of patients are never put into a page, since the page may go where the images may not."


class WorstPictures:
    """Makes the picture sheets of runs from the prepared datasets of a data folder; opens each dataset once."""

    def __init__(self, data: Path, notify: Callable[[str], None]) -> None:
        self._data = data
        self._notify = notify
        self._datasets: dict[str, Dataset | str] = {}

    def __call__(self, record: Record, scores: "Scores") -> PictureSheet:
        """The sheet of a run; its `reason` says why it has no pictures, if so."""
        split = record.spec.split
        info = dataset_info(base_id(split.dataset))
        if info is not None and info.kind == "medical":
            return PictureSheet(reason=MEDICAL)
        dataset = self._dataset(split.dataset)
        if isinstance(dataset, str):
            return PictureSheet(reason=f"No pictures: {dataset}.")
        if dataset.fingerprint != split.dataset_fingerprint:
            return PictureSheet(reason=f"No pictures: {split.dataset} here is not the data of this run.")
        order = scores.values.argsort().tolist()
        is_normal = [label == "normal" for label in scores.classes]
        highest = [index for index in reversed(order) if is_normal[index]][:_PICTURES]
        lowest = [index for index in order if not is_normal[index]][:_PICTURES]
        try:
            return PictureSheet(
                normals=tuple(_pictures(dataset, scores, highest)),
                anomalies=tuple(_pictures(dataset, scores, lowest)),
                licence=f"{info.title}, {info.licence}, {info.citation}"
                if info
                else "of a set whose licence is not known",
            )
        except DataError as error:
            return PictureSheet(reason=f"No pictures: {error}.")

    def _dataset(self, name: str) -> "Dataset | str":
        """The dataset, or why it cannot be had."""
        if name not in self._datasets:
            try:
                self._datasets[name] = data_folder.open_dataset(self._data, name, notify=self._notify)
            except DataError as error:
                self._datasets[name] = str(error)
        return self._datasets[name]


def _pictures(dataset: "Dataset", scores: "Scores", indices: Iterable[int]) -> Iterator[Picture]:
    from protocols.images.decode import ImageReader

    reader = ImageReader(dataset)
    for index in indices:
        image = reader.load(dataset.row(scores.ids[index]))
        image.thumbnail((_SIDE, _SIDE))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=75)
        address = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        yield Picture(address, scores.ids[index], scores.classes[index], float(scores.values[index]))
