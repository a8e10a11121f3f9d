"""Pictures of heat maps: an image as the detector saw it, with the heat over it."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

_SHARE = 0.6
"""Of the heat in a picture; the rest is the image in grey."""


def heat_picture(pixels: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32], span: tuple[float, float]) -> bytes:
    """PNG of an image (S, S, 1 | 3) and its heat map (S, S), in colours from black by red and yellow to white.

    `span` is the least and the greatest heat of the training normals: black and the middle of the scale, which pictures
    of one model share. A map that `is_beyond` it goes from black to white by itself.
    """
    least, width = span[0], 2 * (span[1] - span[0])
    if is_beyond(heat, span):
        least, width = float(heat.min()), float(np.ptp(heat))
    share = np.clip((heat - least) / (width or 1.0), 0, 1)[:, :, None]
    colours = np.clip(3 * share - np.arange(3), 0, 1) * 255
    grey = pixels.mean(axis=2, keepdims=True)
    picture = Image.fromarray(((1 - _SHARE) * grey + _SHARE * colours).round().astype(np.uint8))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def is_beyond(heat: npt.NDArray[np.float32], span: tuple[float, float]) -> bool:
    """True where every place is hotter than any of the training normals, as of a memory bank that holds these."""
    return bool(heat.min() > span[1])
