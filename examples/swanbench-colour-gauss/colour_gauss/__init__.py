"""Means and spreads of the colours in the cells of a grid, and how far they are from one Gaussian of normal images."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.covariance import LedoitWolf

from swanbench import FitContext, Images, TrainData


def statistics(images: Images, cells: int) -> np.ndarray:
    """(n, 2 * cells * cells * C): the mean and the spread of each channel in each cell."""
    rows = []
    for number in range(len(images)):
        bands = np.array_split(images.one(number) / 255, cells)
        parts = [part for band in bands for part in np.array_split(band, cells, axis=1)]
        rows.append([values for part in parts for values in (part.mean((0, 1)), part.std((0, 1)))])
    return np.array(rows).reshape(len(rows), -1)


class ColourGauss:
    def __init__(self, params: Mapping[str, Any], context: FitContext) -> None:  # noqa: ARG002 - it draws nothing
        self.cells: int = params["grid.cells"]
        self.history: dict[str, list[float]] = {}

    def fit(self, data: TrainData) -> None:
        gauss = LedoitWolf().fit(statistics(data.normal, self.cells))
        self.load({"mean": torch.from_numpy(gauss.location_), "precision": torch.from_numpy(gauss.precision_)})

    def score(self, images: Images) -> np.ndarray:
        offset = statistics(images, self.cells) - self.mean
        return np.sqrt(np.einsum("ni,ij,nj->n", offset, self.precision, offset))

    def state(self) -> dict[str, torch.Tensor]:
        return {"mean": torch.from_numpy(self.mean), "precision": torch.from_numpy(self.precision)}

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        self.mean, self.precision = state["mean"].numpy(), state["precision"].numpy()
