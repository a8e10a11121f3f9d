"""Images that belong to no dataset, decoded and resized by the very rules of those that do."""

from pathlib import Path

import numpy as np
from PIL import Image

from protocols.errors import DataError
from protocols.images import decode
from protocols.images.array_file import ArrayForm
from protocols.images.decode import DecodeError, Pixels
from protocols.images.deep import value_range


def loose_image(path: Path, channels: int, form: ArrayForm) -> Pixels:
    """The image of a file as uint8 (h, w, channels) in the form of a dataset's; grey is replicated where it has colour.

    Raises:
        DataError: the file cannot be read, is no image, or one in colour or of 16 bits for which there is no rule.
    """
    try:
        data = decode.read_image_bytes(path)
        header = decode.read_header(data)
        if header.channels > channels:
            raise DecodeError("is in colour, where the training images are grey: make it grey first")
        if header.conversion == decode.DEEP_CONVERSION and not value_range(decode.deep_values(data)).is_wide:
            raise DecodeError("has 16 bits a value and leaves most of their range unused: bring it to 8 bits first")
        image = decode.decode_image(data, channels)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    except DecodeError as error:
        raise DataError(f"{path} {error}") from error
    return _formed(image, form)


def loose_array(pixels: Pixels, channels: int, form: ArrayForm) -> Pixels:
    """The same of an array (h, w) or (h, w, 1 | 3) uint8.

    Raises:
        DataError: it has another shape or type, or is in colour where `channels` is 1.
    """
    array = np.asarray(pixels)
    array = array[:, :, None] if array.ndim == 2 else array
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in {1, 3}:
        raise DataError(f"an image is uint8 of shape (h, w), (h, w, 1) or (h, w, 3), not {array.dtype} {array.shape}")
    if array.shape[2] > channels:
        raise DataError("an array is in colour, where the training images are grey: make it grey first")
    image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    return _formed(image.convert("RGB") if channels == 3 else image, form)


def _formed(image: Image.Image, form: ArrayForm) -> Pixels:
    return decode.image_array(image if form.resize == "none" else decode.resize_image(image, *form)).copy()
