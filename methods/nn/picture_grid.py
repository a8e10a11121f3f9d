"""Images side by side in one PNG file."""

import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

ROW_IMAGES = 10
"""Images in a row of the grids of fits and scorings."""
GAP = 2
WHITE = 255
SCALED_TO = 64
"""Smaller images are enlarged by a whole factor to at least this side, without smoothing."""


def png(rows: Sequence[Tensor]) -> bytes:
    """A grid as the bytes of a PNG file; each row is a batch (n, 1 | 3, S, S) in [0, 1], all of one n and S."""
    strips = [_strip((row.clamp(0, 1) * 255).round().to(torch.uint8).cpu()) for row in rows]
    gap = np.full((GAP, strips[0].shape[1], 3), WHITE, np.uint8)
    picture = np.concatenate([part for strip in strips for part in (strip, gap)][:-1])
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def _strip(images: Tensor) -> np.ndarray:
    factor = max(-(-SCALED_TO // images.shape[-1]), 1)
    pixels = images.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy().repeat(factor, 1).repeat(factor, 2)
    gap = np.full((pixels.shape[1], GAP, 3), WHITE, np.uint8)
    return np.concatenate([part for image in pixels for part in (image, gap)][:-1], axis=1)
