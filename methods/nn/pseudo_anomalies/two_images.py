"""CutMix between two images: the rectangle comes from another one (spec ahl 2.5, F16)."""

from typing import TYPE_CHECKING

import numpy as np

from methods.nn.pseudo_anomalies.cutmix import Paste

if TYPE_CHECKING:
    from protocols.images.decode import Pixels


def pasted_from(paste: Paste, image: "Pixels", other: "Pixels") -> "Pixels":
    """A copy of `image` (S, S, C) with the rectangle of `other` (h, w, C) of any size, black beyond its edge."""
    (source_y, source_x), (target_y, target_x) = paste.source, paste.target
    patch = np.zeros((paste.height, paste.width, image.shape[2]), np.uint8)
    cut = other[source_y : source_y + paste.height, source_x : source_x + paste.width]
    patch[: cut.shape[0], : cut.shape[1]] = cut
    pasted = image.copy()
    pasted[target_y : target_y + paste.height, target_x : target_x + paste.width] = paste.jitter(patch)
    return pasted
