"""Features of shifted images, those of the training set to compare with, and the scores of CSI and CSI-GAN."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from methods.detectors.csi.crops import Scale
from methods.detectors.csi.encoder import FeatureNetwork, FeatureOutputs
from methods.detectors.csi.losses import unit
from methods.detectors.csi.params import ContrastiveParams
from methods.detectors.csi.views import AugmentationDraw, Views
from methods.devices import accumulated
from methods.nn.data.samplers import Indices
from protocols.images.store import Images

CLASSIFIER_FLOOR = 0.1
VECTORS, LOGITS = "bank.vectors", "bank.logits"


class ShiftFeatures(NamedTuple):
    """Of n images under K shifts, means over the augmentations, float64: vectors (n, K, d), and the shift classifier's
    logit of the right class (n, K).
    """

    vectors: Tensor
    logits: Tensor


@dataclass(frozen=True)
class FeatureExtractor:
    """Features of images: the mean over `draws` augmentations, of which each is the same for every batch.

    Within a batch the draws go by position (CSI spec 6), so features depend on the place in the batch. 0 draws: no
    augmentation. With `flips_anew` each shift of an image has a flip of its own.
    """

    network: FeatureNetwork
    views: Views
    draws: int
    scale: Scale
    output: str
    flips_anew: bool

    @classmethod
    def from_params(cls, network: FeatureNetwork, views: Views, params: ContrastiveParams, output: str) -> Self:
        draws = params.score_draws if params.score_ensemble == "augmented" else 0
        crop = params.score_crop
        return cls(network, views, draws, Scale(crop, crop), output, params.score_flips == "per_shift")

    def features(self, images: Images, batch: int) -> ShiftFeatures:
        """Of all images, `batch` at a time in their order, on the CPU."""
        self.network.eval()
        with torch.inference_mode():
            parts = [
                self._of(images, np.arange(start, min(start + batch, len(images))))
                for start in range(0, len(images), batch)
            ]
        return ShiftFeatures(torch.cat([part.vectors for part in parts]), torch.cat([part.logits for part in parts]))

    def _of(self, images: Images, index: Indices) -> ShiftFeatures:
        if not self.draws:
            return self._right(self.network(self.views.plain(self.views.whole(images, index))))
        each = [self._drawn(images, index, number) for number in range(self.draws)]
        vectors, logits = (torch.stack(values).mean(0) for values in zip(*each, strict=True))
        return ShiftFeatures(vectors, logits)

    def _drawn(self, images: Images, index: Indices, number: int) -> ShiftFeatures:
        draw = AugmentationDraw(self.views.context, "score", (number,), alike=self.views.source == "files")
        if self.flips_anew and self.views.source == "array":
            whole = self.views.whole(images, index)
            return self._right(self.network(self.views.shifted(whole, 1, draw, scale=self.scale, flips_anew=True)))
        base = self.views.base(images, index, 1, draw, self.scale)
        return self._right(self.network(self.views.shifted(base, 1, draw, scale=self.scale)))

    def _right(self, outputs: FeatureOutputs) -> ShiftFeatures:
        """Features of (K * n) images in the order shift, image."""
        shifts = self.views.shifts
        vectors = outputs.features if self.output == "features" else outputs.z
        logits = outputs.logits.reshape(shifts, -1, shifts).diagonal(dim1=0, dim2=2)
        return ShiftFeatures(
            accumulated(vectors).reshape(shifts, -1, vectors.shape[1]).transpose(0, 1).cpu(), accumulated(logits).cpu()
        )


@dataclass(frozen=True)
class MemoryBank:
    """Features of the training set, which scores compare with: vectors (M, K, d), right-class logits (M, K)."""

    features: ShiftFeatures

    @property
    def axes(self) -> Tensor:
        """Directions (K, M, d) of the training vectors."""
        return unit(self.features.vectors).transpose(0, 1)

    def products(self, features: ShiftFeatures) -> Tensor:
        """z(x) . axis = |z(x)| times the cosine to each training image: (K, n, M)."""
        return features.vectors.transpose(0, 1) @ self.axes.transpose(1, 2)

    def balance(self, classifier: str) -> tuple[Tensor, Tensor]:
        """CSI's weights of both terms (K,): one over the training means of |z| and of the right-class logit.

        `classifier` "raw", "floor" (the mean logit at least 0.1) or "drop" (no such term) (C29). Without shifts, as
        SimCLR, 1 and 0.
        """
        shifts = self.features.logits.shape[1]
        if shifts == 1:
            return torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
        means = self.features.logits.mean(0)
        if classifier == "drop":
            weights = torch.zeros_like(means)
        else:
            weights = 1 / (means.clamp(min=CLASSIFIER_FLOOR) if classifier == "floor" else means)
        return 1 / self.features.vectors.norm(dim=2).mean(0), weights

    def csi_scores(self, features: ShiftFeatures, classifier: str) -> Tensor:
        """Anomaly scores (n,) of CSI: minus the mean over shifts of both weighted terms (CSI spec 6)."""
        contrast, logits = self.balance(classifier)
        nearest = self.products(features).amax(2).T
        return -(nearest * contrast + features.logits * logits).mean(1)

    def eq11_scores(self, features: ShiftFeatures, neighbour: str) -> Tensor:
        """Anomaly scores (n,) of CSI-GAN: minus paper eq. 11 (CSI spec 7.4).

        `neighbour` says how the nearest training image is found: "joint" over the sum of all shifts, "identity" on
        the unshifted image, "per_shift" for each shift on its own (C22).
        """
        products = self.products(features)
        if neighbour == "per_shift":
            return -products.amax(2).sum(0)
        totals = products.sum(0)
        if neighbour == "joint":
            return -totals.amax(1)
        return -totals.gather(1, products[0].argmax(1, keepdim=True)).squeeze(1)

    @classmethod
    def taken_from(cls, state: dict[str, Tensor]) -> Self:
        """The bank that `state` described, which is removed from the given tensors."""
        return cls(ShiftFeatures(state.pop(VECTORS).cpu(), state.pop(LOGITS).cpu()))

    def state(self) -> dict[str, Tensor]:
        return {VECTORS: self.features.vectors, LOGITS: self.features.logits}
