"""From a file's bytes to 8-bit pixels, by one rule.

- Grey (modes L, 1) stays grey; 1-bit becomes 0 and 255. 16-bit grey keeps its high byte (value >> 8), which is also
  what Pillow does to 16-bit colour and to 16-bit grey with alpha.
- RGB stays. Palettes are expanded, CMYK and YCbCr converted by Pillow.
- Alpha is dropped without blending. EXIF orientation is not applied. Of several frames the first counts.
- Every other mode (32-bit integers, floats, Lab, premultiplied alpha) is refused by name: no range is guessed.
"""

import contextlib
import hashlib
import io
import warnings
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from protocols.errors import DataError
from protocols.manifest import Dataset, Row

Pixels = npt.NDArray[np.uint8]

RESIZES = ("squash", "shorter_side", "none")

_GREY = {"1", "L", "LA", "I;16", "I;16L", "I;16B", "I;16N"}
_COLOUR = {"RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr"}
_MAX_PIXELS = 89_478_485


class DecodeError(Exception):
    """Bytes that are no image which this project reads; the text goes on where the file's name ends."""


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Silence Pillow's warning about huge images, which are refused below; not to be entered in worker threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def header(data: bytes) -> tuple[int, int, int]:
    """Width, height and channels (1 grey, 3 colour) without decoding.

    Raises:
        DecodeError: not an image, too large, or of a mode that is refused.
    """
    with _translated(), _opened(data) as image:
        return image.width, image.height, 1 if image.mode in _GREY else 3


def decode(data: bytes, channels: int) -> Image.Image:
    """The image as mode L (1 channel) or RGB (3 channels; grey is replicated).

    Raises:
        DecodeError: not an image, truncated, too large, of a mode that is refused, or colour where grey is asked for.
    """
    with _translated(), _opened(data) as image:
        image.load()
        image.info.pop("transparency", None)
        plain = _grey(image) if image.mode in _GREY else image.convert("RGB")
    if channels == 3:
        return plain.convert("RGB")
    if plain.mode != "L":
        raise DecodeError("is in colour although the manifest says that it is grey")
    return plain


def load(dataset: Dataset, row: Row) -> Image.Image:
    """The image of a row as mode L or RGB, whichever the whole dataset has.

    Raises:
        DataError: the file is gone, unreadable, or not the one that the manifest describes.
    """
    path = dataset.path(row)
    try:
        data = path.read_bytes()
        if matches(row, data):
            return decode(data, dataset.channels)
        problem = f"{path} is not the image that the manifest describes"
    except OSError as error:
        problem = f"cannot read {path} ({error.strerror})"
    except DecodeError as error:
        problem = f"{path} {error}"
    raise DataError(f"{problem}: see 'bench data verify {dataset.name}'")


def pixels(image: Image.Image) -> Pixels:
    """The array (height, width, channels) of a decoded image."""
    array = np.asarray(image, dtype=np.uint8)
    return array if array.ndim == 3 else array[:, :, np.newaxis]


def resized(image: Image.Image, size: int, resize: str) -> Image.Image:
    """A square image, by Pillow's bilinear filter on 8 bits (spec 1.4).

    `squash` forces both sides to `size`. `shorter_side` keeps the aspect ratio and takes the centre: the longer side
    becomes floor(size * longer / shorter), and the cut starts at half the rest, rounded half to even.
    """
    if resize == "squash":
        return image.resize((size, size), Image.Resampling.BILINEAR)
    shorter = min(image.size)
    width, height = (size * side // shorter for side in image.size)
    scaled = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return scaled.crop((left, top, left + size, top + size))


def matches(row: Row, data: bytes) -> bool:
    """Whether a file's bytes are those that the manifest describes: by themselves, or by their pixels."""
    if hashlib.sha256(data).hexdigest() == row.sha256:
        return True
    array = pixels(decode(data, row.channels))
    text = "{}x{}x{}\n".format(*array.shape)
    return hashlib.sha256(text.encode() + array.tobytes()).hexdigest() == row.sha256


def _grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.getchannel(0) if image.mode == "LA" else image.convert("L")


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    if not data:
        raise DecodeError("is empty")
    with Image.open(io.BytesIO(data)) as image:
        if image.width * image.height > _MAX_PIXELS:
            raise DecodeError(f"has {image.width} x {image.height} pixels, more than {_MAX_PIXELS} in all")
        if image.mode not in _GREY | _COLOUR:
            raise DecodeError(f"has pixels of the mode {image.mode}, for which there is no rule to make 8 bits of it")
        yield image


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DecodeError, MemoryError):
        raise
    except Exception as error:
        raise DecodeError(f"is not a readable image ({error})") from error
