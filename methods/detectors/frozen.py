"""Baselines on frozen features: an image is the mean of its deepest map, and no network is trained."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from methods.backbones.features import FeatureReader, FrozenNetwork
from methods.detector import DeadlineReached, FitContext, TrainData
from methods.devices import accumulated, placed
from methods.errors import MethodError
from methods.nn.data.loader import batches
from methods.nn.data.transforms import normalise
from methods.nn.params import Params, read_params
from methods.nn.precision import autocast, full_precision
from methods.uploads import upload
from protocols.images.store import Images

Vectors = npt.NDArray[np.float64]
"""Features of images (n, d)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenParams:
    backbone: str
    batch_size: int
    evaluation_batch: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestParams(FrozenParams):
    distance: Literal["nearest", "mahalanobis"]
    neighbours: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogisticParams(FrozenParams):
    inverse_penalty: float
    balanced: bool


FrozenFields = TypeVar("FrozenFields", bound=FrozenParams)


class FrozenDetector(ABC, Generic[FrozenFields]):
    """Base: features of all images, a closed form or convex problem on them, and scores in float64."""

    def __init__(self, params: FrozenFields, context: FitContext) -> None:
        self.params = params
        self.context = context
        self.history: dict[str, list[float]] = {}
        self._learned: dict[str, Vectors] | None = None

    @abstractmethod
    def learned(self, normal: Vectors, anomaly: Vectors) -> dict[str, Vectors]:
        """All that scores need, from the features of normals and labelled anomalies (maybe none)."""

    @abstractmethod
    def judged(self, state: Mapping[str, Vectors], features: Vectors) -> Vectors:
        """Scores (n,) of features (n, d)."""

    def fit(self, data: TrainData) -> None:
        """Raises MethodError where there is no normal image, and DeadlineReached where the time was over."""
        if not len(data.normal):
            raise MethodError("there are no normal training images to learn from: give at least one")
        reader = self._reader()
        size = self.params.batch_size
        normal, anomaly = (self._features(reader, images, size) for images in (data.normal, data.anomaly))
        self.history = {"images": [float(len(normal) + len(anomaly))]}
        self._learned = self.learned(normal, anomaly)

    def score(self, images: Images, batch: int | None = None) -> Vectors:
        """Scores (n,), `batch` images at a time; MethodError before `fit` or `load`."""
        if self._learned is None:
            raise MethodError(f"{type(self).__name__} has nothing to score with yet: call fit or load first")
        size = self.params.evaluation_batch if batch is None else batch
        return self.judged(self._learned, self._features(self._reader(), images, size, is_fit=False))

    def state(self) -> dict[str, Tensor]:
        learned = {} if self._learned is None else self._learned
        return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in learned.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._learned = {name: values.cpu().numpy() for name, values in state.items()}

    def _reader(self) -> FeatureReader:
        arch, device, precision = self.params.backbone, self.context.device, self.context.precision
        trunk = placed(self.context.backbone(arch).requires_grad_(requires_grad=False).eval(), device)

        def pooled(pixels: Tensor) -> list[Tensor]:
            with autocast(torch.device(device), precision):
                maps = trunk(normalise(upload(pixels, device)))
            return [full_precision(maps).mean((2, 3))]

        return self.context.features.reader(FrozenNetwork(trunk, arch, ("mean of deepest",), "imagenet", pooled))

    def _features(self, reader: FeatureReader, images: Images, size: int, *, is_fit: bool = True) -> Vectors:
        parts: list[Vectors] = []
        for index in batches(len(images), size):
            (vectors,) = reader(images, index)
            parts.append(accumulated(vectors).cpu().numpy())
            if is_fit:
                self._advance(int(index[-1]) + 1, len(images))
        return np.concatenate(parts) if parts else np.empty((0, 0))

    def _advance(self, done: int, total: int) -> None:
        self.context.progress(done, total)
        if self.context.deadline is not None and time.monotonic() >= self.context.deadline:
            raise DeadlineReached


class FrozenNearest(FrozenDetector[NearestParams]):
    """Distance from the normals: mean Euclidean distance to the nearest ones, or Mahalanobis distance from their mean.

    The covariance is that of Ledoit and Wolf, which has an inverse however few normals there are.
    """

    def __init__(self, params: Params, context: FitContext) -> None:
        super().__init__(read_params(NearestParams, params), context)

    def learned(self, normal: Vectors, anomaly: Vectors) -> dict[str, Vectors]:  # noqa: ARG002 - labelled anomalies are left out
        if self.params.distance == "nearest":
            return {"normal": normal}
        from sklearn.covariance import LedoitWolf

        estimate = LedoitWolf().fit(normal)
        return {"mean": np.asarray(estimate.location_), "precision": np.asarray(estimate.precision_)}

    def judged(self, state: Mapping[str, Vectors], features: Vectors) -> Vectors:
        if "normal" in state:
            count = min(self.params.neighbours, len(state["normal"]))
            ours, normals = torch.from_numpy(features), torch.from_numpy(state["normal"])
            distances = torch.cdist(ours, normals, compute_mode="donot_use_mm_for_euclid_dist")
            return np.asarray(distances.topk(count, largest=False).values.mean(1).numpy())
        offsets = features - state["mean"]
        return np.asarray(np.sqrt(np.einsum("ni,ij,nj->n", offsets, state["precision"], offsets).clip(0)))


class FrozenLogistic(FrozenDetector[LogisticParams]):
    """Logistic regression of labelled anomalies against normals on standardised features; the score is the logit."""

    def __init__(self, params: Params, context: FitContext) -> None:
        super().__init__(read_params(LogisticParams, params), context)

    def learned(self, normal: Vectors, anomaly: Vectors) -> dict[str, Vectors]:
        from sklearn.linear_model import LogisticRegression

        if not len(anomaly):
            raise MethodError("logistic regression learns from labelled anomalies: give at least one")
        features = np.concatenate([normal, anomaly])
        mean, std = features.mean(0), features.std(0)
        scale = np.where(std > 0, std, 1.0)
        labels = np.repeat([0, 1], [len(normal), len(anomaly)])
        model = LogisticRegression(
            C=self.params.inverse_penalty,
            class_weight="balanced" if self.params.balanced else None,
            max_iter=10_000,
            tol=1e-8,
        ).fit((features - mean) / scale, labels)
        return {"mean": mean, "scale": scale, "weights": model.coef_[0], "intercept": model.intercept_}

    def judged(self, state: Mapping[str, Vectors], features: Vectors) -> Vectors:
        standard = (features - state["mean"]) / state["scale"]
        return np.asarray(standard @ state["weights"] + state["intercept"][0])
