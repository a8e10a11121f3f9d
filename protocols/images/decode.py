"""From a file's bytes to 8-bit pixels, by one rule.

- Grey (modes L, 1) stays grey; 1-bit becomes 0 and 255. 16-bit grey keeps its high byte (value >> 8), which is also
  what Pillow does to 16-bit colour and to 16-bit grey with alpha. Values that leave high bytes unused never get here:
  where images are taken into a dataset, `protocols.images.deep` scales or refuses them.
- RGB stays. Palettes are expanded, CMYK and YCbCr converted by Pillow.
- Alpha is dropped without blending. EXIF orientation is not applied, which is reported where images are taken into a
  dataset (of TIFF Pillow applies it). Of several frames the first counts.
- Only the formats of `_FORMATS` are opened: for others, such as PostScript, Pillow may start other programs.
- Every other mode (32-bit integers, floats, Lab, premultiplied alpha) is refused by name: no range is guessed.
"""

import contextlib
import functools
import hashlib
import io
import stat
import warnings
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from protocols.datasets.manifest import ARRAY_FILE, Dataset, Row, pixels_digest
from protocols.errors import DataError

Pixels = npt.NDArray[np.uint8]

RESIZES = ("squash", "shorter_side", "none")

_GREY = {"1", "L", "LA", "I;16", "I;16L", "I;16B", "I;16N"}
_COLOUR = {"RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr"}
_MAX_PIXELS = 89_478_485
_MAX_BYTES = 1 << 30
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_PNG_END = b"IEND"
_SAME_FORM = {"MPO": "JPEG"}
_ORIENTATION = 0x0112
_UPRIGHT = 1

_CMYK, _ALPHA, _PALETTE = (
    ("in CMYK", "converted to RGB"),
    ("with alpha", "stripped of it"),
    ("with a palette", "expanded"),
)
DEEP_CONVERSION, _BINARY = (
    ("of 16 bits", "reduced to the high byte of each value"),
    ("of 1 bit", "stretched to 0 and 255"),
)
_CONVERSIONS = {
    "1": _BINARY,
    "P": _PALETTE,
    "CMYK": _CMYK,
    "YCbCr": ("in YCbCr", "converted to RGB"),
    **dict.fromkeys(("LA", "PA", "RGBA", "RGBX"), _ALPHA),
    **dict.fromkeys(("I;16", "I;16L", "I;16B", "I;16N"), DEEP_CONVERSION),
}


class DecodeError(Exception):
    """Bytes that are no image which this project reads; the text follows the file's name."""


class ImageHeader(NamedTuple):
    """Facts of an image that need no decoding.

    `conversion`: its kind and what is done to it, or None; `form`: Pillow's name of its format; `turned`: its EXIF data
    ask for it to be turned.
    """

    width: int
    height: int
    channels: int
    conversion: tuple[str, str] | None
    form: str
    turned: bool


@contextlib.contextmanager
def quiet_decoding() -> Iterator[None]:
    """Silence Pillow's warning about huge images, which are refused here; not to be entered in worker threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def read_image_bytes(path: Path) -> bytes:
    """The bytes of an image file.

    Raises:
        DecodeError: it is no file, such as a pipe, or has more bytes than any image that is decoded here.
        OSError: it cannot be read.
    """
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise DecodeError("is a pipe, a device or a folder, no file")
    size = state.st_size
    if size > _MAX_BYTES:
        raise DecodeError(f"has {size >> 20} MiB, more than an image file may have")
    return path.read_bytes()


def read_header(data: bytes) -> ImageHeader:
    """Size, channels (1 grey, 3 colour) and conversion without decoding.

    Raises:
        DecodeError: not an image, too large, or of a mode that is refused.
    """
    with _translated(), _opened(data) as image:
        channels = 1 if image.mode in _GREY else 3
        conversion = DEEP_CONVERSION if _is_deep(image) else _CONVERSIONS.get(image.mode)
        form = _SAME_FORM.get(image.format or "", image.format or "")
        return ImageHeader(image.width, image.height, channels, conversion, form, _is_turned(image))


def image_dimensions(data: bytes) -> tuple[int, int, int]:
    """Width, height and channels of an image; see `read_header`."""
    width, height, channels, *_ = read_header(data)
    return width, height, channels


def deep_values(data: bytes) -> npt.NDArray[np.integer]:
    """The values (h, w) of a 16-bit grey image; of other images of 16 bits their high bytes, as Pillow gives them.

    Raises:
        DecodeError: as `decode_image`.
    """
    with _translated(), _opened(data) as image:
        if image.mode.startswith("I;16"):
            return np.asarray(image)
    return image_array(decode_image(data, 3))


def decode_image(data: bytes, channels: int) -> Image.Image:
    """The image as mode L (1 channel) or RGB (3 channels; grey is replicated).

    Raises:
        DecodeError: not an image, truncated, too large, of a mode that is refused, or colour where grey is asked for.
    """
    with _translated(), _opened(data) as image:
        if image.format == "PNG" and data.rfind(_PNG_END) < 0:
            raise DecodeError("is not a readable image (it is cut short)")
        image.load()
        image.info.pop("transparency", None)
        plain = _grey(image) if image.mode in _GREY else image.convert("RGB")
    if channels == 3:
        return plain.convert("RGB")
    if plain.mode != "L":
        raise DecodeError("is in colour although the manifest says that it is grey")
    return plain


class ImageReader:
    """Reads the images of one dataset, from their files or from the array of an array set, which is mapped once."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def load(self, row: Row) -> Image.Image:
        """The image of a row as mode L or RGB, whichever the whole dataset has.

        Raises:
            DataError: the file is gone, unreadable, or not the one that the manifest describes.
        """
        path = self._dataset.path(row)
        try:
            if row.file == ARRAY_FILE:
                return self._from_array(row)
            data = read_image_bytes(path)
            image = matching_image(row, data)
            if image is not None:
                return image.convert("RGB") if self._dataset.channels == 3 else image
            problem = f"{path} is not the image that the manifest describes"
        except OSError as error:
            problem = f"cannot read {path} ({error.strerror})"
        except DecodeError as error:
            problem = f"{path} {error}"
        raise DataError(f"{problem}: see 'bench data verify {self._dataset.name}'")

    def stored(self, row: Row) -> Pixels:
        """The pixels (h, w, 1 | 3) at the row's position in the array of an array set.

        Raises:
            DecodeError: the array is damaged or made for another manifest.
            OSError: it cannot be read.
        """
        position = bisect_left(self._dataset.rows, row.id, key=lambda each: each.id)
        pixels: Pixels = self._array[position]
        return pixels

    @functools.cached_property
    def _array(self) -> Pixels:
        first = self._dataset.rows[0]
        try:
            array = np.load(self._dataset.folder / ARRAY_FILE, mmap_mode="r")
        except (ValueError, EOFError) as error:
            raise DecodeError(f"is not a readable array ({error})") from error
        expected = (len(self._dataset.rows), first.height, first.width, first.channels)
        if array.shape != expected or array.dtype != np.uint8:
            raise DecodeError(f"holds {array.dtype} {array.shape}, where the manifest describes uint8 {expected}")
        return np.asarray(array)

    def _from_array(self, row: Row) -> Image.Image:
        stored = self.stored(row)
        if pixels_digest(stored) != row.sha256:
            raise DecodeError(f"does not hold the pixels of '{row.id}' that the manifest describes")
        image = Image.fromarray(stored[:, :, 0] if row.channels == 1 else stored)
        return image.convert("RGB") if self._dataset.channels == 3 else image


def image_array(image: Image.Image) -> Pixels:
    """The array (height, width, channels) of a decoded image."""
    array = np.asarray(image, dtype=np.uint8)
    return array if array.ndim == 3 else array[:, :, np.newaxis]


def resize_image(image: Image.Image, size: int, resize: str) -> Image.Image:
    """A square image, by Pillow's bilinear filter on 8 bits (spec 1.4).

    `squash` forces both sides to `size`. `shorter_side` keeps the aspect ratio and takes the centre: the longer side
    becomes floor(size * longer / shorter), and the cut starts at half the rest, rounded half to even.
    """
    if resize == "squash":
        return image.resize((size, size), Image.Resampling.BILINEAR)
    shorter = min(image.size)
    width, height = (size * side // shorter for side in image.size)
    scaled = image.resize((width, height), Image.Resampling.BILINEAR)
    x, y = round((width - size) / 2), round((height - size) / 2)
    return scaled.crop((x, y, x + size, y + size))


def matching_image(row: Row, data: bytes) -> Image.Image | None:
    """The image if the manifest describes these bytes, by themselves or by their pixels, else None.

    Raises:
        DecodeError: they are no image, or one in colour where the manifest says grey.
    """
    same = hashlib.sha256(data).hexdigest() == row.sha256
    image = decode_image(data, row.channels)
    return image if same or pixels_digest(image_array(image)) == row.sha256 else None


def _grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.getchannel(0) if image.mode == "LA" else image.convert("L")


def _is_deep(image: Image.Image) -> bool:
    """True where the file has 16 bits a channel although Pillow's mode says eight, as in 16-bit colour PNG."""
    return any(deep in str(tile.args) for tile in getattr(image, "tile", ()) for deep in (";16B", ";16L", ";16N"))


def _is_turned(image: Image.Image) -> bool:
    """True where EXIF data ask for the image to be turned.

    Pillow has turned TIFF already. PNG without such data before its pixels would be decoded to look for them behind.
    """
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return False
    try:
        return bool(image.getexif().get(_ORIENTATION, _UPRIGHT) != _UPRIGHT)
    except Exception:  # noqa: BLE001 - whatever is wrong with EXIF data, the image can be read
        return False


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    if not data:
        raise DecodeError("is empty")
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
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
    except UnidentifiedImageError as error:
        raise DecodeError(f"is not a readable image (of none of the formats {', '.join(_FORMATS)})") from error
    except Exception as error:
        raise DecodeError(f"is not a readable image ({error})") from error
