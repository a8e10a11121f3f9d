"""Base of the neural detectors whose scores come from positions of an image: heat maps."""

from abc import abstractmethod

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.nn.data.loader import in_batches
from methods.nn.neural_detector import DetectorFields, DetectorNetwork, NeuralDetector
from methods.uploads import upload
from protocols.images.store import Images


class MappedDetector(NeuralDetector[DetectorFields, DetectorNetwork]):
    """A neural detector that is one of `methods.detector.HeatMaps`."""

    @abstractmethod
    def position_scores(self, images: Tensor) -> list[Tensor]:
        """Images (B, S, S, C) uint8 on the device -> the scores (B, h, w) of the positions of each level."""

    def maps(self, images: Images, batch: int | None = None) -> npt.NDArray[np.float32]:
        """The mean over the levels, each brought to the images' side S by bilinear interpolation: (n, S, S).

        Raises MethodError before `fit` or `load`, and where there is no map with these parameters.
        """
        maps = np.empty((len(images), images.size, images.size), np.float32)
        self.network.eval()
        with torch.inference_mode():
            for span, pixels in in_batches(images, self.params.evaluation_batch if batch is None else batch):
                levels = self.position_scores(upload(pixels, self.context.device))
                maps[span] = torch.stack([upsampled(level, images.size) for level in levels]).mean(0).cpu().numpy()
        return maps


def upsampled(level: Tensor, size: int) -> Tensor:
    """(B, h, w) -> (B, size, size) float32, bilinear."""
    return F.interpolate(level.float()[:, None], size=(size, size), mode="bilinear", align_corners=False)[:, 0]
