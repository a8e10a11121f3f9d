"""A kept model at work: scores and heat maps of images that belong to no dataset."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from msgspec import UNSET

from benchmark.execution.stores.models.model_files import ModelContents
from benchmark.numerics import exact_arithmetic
from methods.detector import FitContext, HeatMaps, SelfContained
from methods.errors import MethodError
from methods.in_memory import ArrayImages
from methods.measures.request import PREFIX
from methods.registry import installed
from protocols.errors import DataError
from protocols.images.array_file import ArrayForm
from protocols.images.decode import Pixels
from protocols.images.loose import loose_array, loose_image
from protocols.images.store import Images
from protocols.release.release_files import images_below
from results.spec import FitSpec

if TYPE_CHECKING:
    from methods.detector import Detector

LooseImages = str | Path | Pixels | Sequence[str | Path | Pixels]
"""A file, a folder of files, an image as an array (h, w) or (h, w, 1 | 3) uint8, several (n, h, w, C), or a list."""

QUANTILES = (0.95, 0.99)
HELD_IMAGES = 256
"""Images that are decoded before they are scored, rounded up to whole batches."""


@dataclass(frozen=True)
class KeptModel:
    """A detector as its fit left it. `context` says on which device it scores, and where its ImageNet weights lie.

    Images are decoded and resized by the rules of the dataset that it learned from. Where `is_by_itself`, they are
    scored in full batches, so that an image has the same bits alone and among others; elsewhere the order matters.
    """

    contents: ModelContents
    context: FitContext = field(repr=False)

    @property
    def spec(self) -> FitSpec:
        """The hashed spec of the fit."""
        return self.contents.facts.fit

    @property
    def method(self) -> str:
        return self.contents.facts.method

    @property
    def thresholds(self) -> dict[float, float]:
        """Of each of `QUANTILES` the score that so large a share of the training normals does not exceed.

        A detector gives images that it learned from lower scores than new normals: more of these are over it.
        """
        return {share: self.threshold(share) for share in QUANTILES}

    def threshold(self, share: float) -> float:
        """The least score of a training normal that at least `share` of them, from 0 to 1, do not exceed."""
        return float(np.quantile(self.contents.train_scores.numpy(), share, method="inverted_cdf"))

    @cached_property
    def detector(self) -> "Detector":
        """Raises MethodError where the installed detector does not take the state."""
        facts = self.contents.facts
        info = installed.get(facts.method)
        unmeasured = {
            name: info.check(name, param.default)
            for name, param in info.params.items()
            if name.startswith(PREFIX) and param.default is not UNSET
        }
        try:
            detector = installed.load(info)({**unmeasured, **facts.fit.params}, self.context)
            detector.load(self.contents.state)
        except MethodError:
            raise
        except Exception as error:
            raise MethodError(
                f"the kept model of {facts.method} version {facts.fit.version} does not fit its detector as it is "
                f"installed, version {info.version} ({type(error).__name__}): the run's command with --keep-models "
                "--force makes it anew"
            ) from error
        return detector

    @property
    def is_by_itself(self) -> bool:
        """True where an image's score does not depend on the images beside it."""
        return self.contents.facts.independent or isinstance(self.detector, SelfContained)

    @property
    def has_maps(self) -> bool:
        return isinstance(self.detector, HeatMaps)

    def score(self, images: LooseImages) -> npt.NDArray[np.float64]:
        """Anomaly scores (n,), higher is more anomalous; a folder's in the order of its paths.

        Raises:
            DataError: an image that no rule brings into the form of the training images; the first is named.
            MethodError: the installed detector cannot score.
        """
        return _joined([self.stored_scores(block) for block in self._blocks(images)], np.float64)

    def maps(self, images: LooseImages) -> npt.NDArray[np.float32]:
        """Heat maps (n, S, S) at the side S of the training images; raises as `score`, and where there are none."""
        return _joined([self.stored_maps(block) for block in self._blocks(images)], np.float32)

    def stored_scores(self, images: Images) -> npt.NDArray[np.float64]:
        """Scores (n,) of images in the form of the training images."""
        batch, count = self.contents.facts.batch, len(images)
        if batch is None or not self.is_by_itself:
            with self._scoring():
                return np.asarray(self.detector.score(images, *([batch] if batch else [])), np.float64)
        # For small batches kernels take other paths, with other last bits: the last batch is filled up.
        filled = np.minimum(np.arange(count + -count % batch), count - 1)
        with self._scoring():
            return np.asarray(self.detector.score(images.select(filled), batch), np.float64)[:count]

    def stored_maps(self, images: Images) -> npt.NDArray[np.float32]:
        """Heat maps (n, S, S) of such images; MethodError where the detector has none."""
        detector = self.detector
        if not isinstance(detector, HeatMaps):
            raise MethodError(f"{self.method} has no heat maps: ask for scores alone")
        batch = self.contents.facts.batch
        with self._scoring():
            return detector.maps(images) if batch is None else detector.maps(images, batch)

    def formed(self, image: str | Path | Pixels) -> Pixels:
        """An image (h, w, C) in the form of the training images; raises DataError."""
        facts = self.contents.facts
        form = ArrayForm(facts.fit.size, facts.fit.resize)
        if isinstance(image, str | Path):
            return loose_image(Path(image), facts.channels, form)
        return loose_array(image, facts.channels, form)

    @property
    def block(self) -> int:
        """Images that are held at the same time: whole batches."""
        batch = self.contents.facts.batch or 1
        return -(-HELD_IMAGES // batch) * batch

    def _blocks(self, images: LooseImages) -> Iterator[ArrayImages]:
        return blocks(map(self.formed, listed_images(images)), self.block)

    @contextmanager
    def _scoring(self) -> Iterator[None]:
        self.context.__dict__.pop("uploads", None)  # those of the images before
        try:
            with exact_arithmetic(self.context.threads):
                yield
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise MethodError(
                f"the kept model of {self.method} cannot score ({type(error).__name__}: {error}): the run's command "
                "with --keep-models --force makes it anew"
            ) from error


def listed_images(images: LooseImages) -> list[str | Path | Pixels]:
    """Each image by itself; raises DataError where a path leads nowhere, and of what is no image."""
    if isinstance(images, str | Path):
        path = Path(images)
        if not path.exists():
            raise DataError(f"there is no {path}: give an image, or a folder of images")
        found = images_below(path)[0] if path.is_dir() else [path]
        if not found:
            raise DataError(f"{path} holds no image: give another folder, or one image")
        return list(found)
    if isinstance(images, np.ndarray):
        return list(images) if images.ndim == 4 else [images]
    if not isinstance(images, Sequence):
        raise DataError(f"{images!r} is no image: give a file, a folder, an array, or a list of files and arrays")
    return list(images)


def blocks(pixels: Iterable[Pixels], most: int) -> Iterator[ArrayImages]:
    """Images of one shape that follow each other, at most so many together."""
    block: list[Pixels] = []
    for image in pixels:
        if block and (len(block) == most or image.shape != block[0].shape):
            yield ArrayImages(np.stack(block))
            block = []
        block.append(image)
    if block:
        yield ArrayImages(np.stack(block))


def _joined(parts: list[npt.NDArray[Any]], kind: type[Any]) -> npt.NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, kind)
