import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from protocols.images import decode


def encoded(image: Image.Image, form: str = "png", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def array(values: object, dtype: str = "uint8") -> Image.Image:
    return Image.fromarray(np.array(values, dtype=dtype))


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def decoded(data: bytes, channels: int) -> list[object]:
    return decode.image_array(decode.decode_image(data, channels)).tolist()


def test_grey_keeps_one_channel_and_is_replicated_only_on_demand() -> None:
    data = encoded(array([[0, 7], [128, 255]]))
    assert decode.image_dimensions(data) == (2, 2, 1)
    assert decoded(data, 1) == [[[0], [7]], [[128], [255]]]
    assert decoded(data, 3) == [[[0] * 3, [7] * 3], [[128] * 3, [255] * 3]]


def test_one_bit_becomes_black_and_white() -> None:
    data = encoded(array([[0, 255]]).convert("1"))
    assert decode.image_dimensions(data) == (2, 1, 1)
    assert decoded(data, 1) == [[[0], [255]]]


def test_sixteen_bit_grey_keeps_the_high_byte() -> None:
    # 255 >> 8 = 0, 256 >> 8 = 1, 40000 >> 8 = 156; clipping would give 255 for the last two
    for form in ("png", "tiff"):
        data = encoded(array([[255, 256, 40000, 65535]], "uint16"), form)
        assert decode.image_dimensions(data) == (4, 1, 1)
        assert decoded(data, 1) == [[[0], [1], [156], [255]]]
        assert decoded(data, 3) == [[[0] * 3, [1] * 3, [156] * 3, [255] * 3]]


def test_sixteen_bit_colour_keeps_the_high_bytes() -> None:
    data = png(1, 1, 16, 2, b"\0" + struct.pack(">HHH", 255, 256, 40000))
    assert decode.image_dimensions(data) == (1, 1, 3)
    assert decoded(data, 3) == [[[0, 1, 156]]]


def test_sixteen_bit_grey_with_alpha_keeps_the_high_byte() -> None:
    data = png(1, 1, 16, 4, b"\0" + struct.pack(">HH", 40000, 3))
    assert decoded(data, 3) == [[[156, 156, 156]]]


def test_alpha_is_dropped_without_blending() -> None:
    colour = encoded(array([[[10, 20, 30, 0], [40, 50, 60, 128]]]))
    assert decode.image_dimensions(colour) == (2, 1, 3)
    assert decoded(colour, 3) == [[[10, 20, 30], [40, 50, 60]]]
    grey = encoded(Image.merge("LA", [array([[10, 40]]), array([[0, 128]])]))
    assert decode.image_dimensions(grey) == (2, 1, 1)
    assert decoded(grey, 1) == [[[10], [40]]]


def test_a_palette_is_expanded_and_its_transparency_dropped() -> None:
    image = array([[0, 1]]).convert("P")
    image.putpalette([9, 8, 7, 200, 100, 50])
    for options in ({}, {"transparency": 0}, {"transparency": b"\x00\x80"}):
        data = encoded(image, **options)
        assert decode.image_dimensions(data) == (2, 1, 3)
        assert decoded(data, 3) == [[[9, 8, 7], [200, 100, 50]]]


def test_cmyk_becomes_rgb() -> None:
    data = encoded(Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "tiff")
    assert decode.image_dimensions(data) == (1, 1, 3)
    assert decoded(data, 3) == [[[255, 0, 0]]]


def test_exif_orientation_is_not_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode.image_dimensions(encoded(array([[1, 2, 3]]), "png", exif=exif)) == (3, 1, 1)
    assert decoded(encoded(array([[1, 2, 3]]), "png", exif=exif), 1) == [[[1], [2], [3]]]


@pytest.mark.parametrize(("mode", "dtype"), [("F", "float32"), ("I", "int32")])
def test_modes_without_a_range_are_refused_by_name(mode: str, dtype: str) -> None:
    data = encoded(array([[1, 70000]], dtype), "tiff")
    for attempt in (decode.image_dimensions, lambda data: decode.decode_image(data, 1)):
        with pytest.raises(decode.DecodeError, match=f"has pixels of the mode {mode}, for which there is no rule"):
            attempt(data)


def test_lab_is_refused_by_name() -> None:
    with pytest.raises(decode.DecodeError, match="mode LAB"):
        decode.image_dimensions(encoded(Image.new("LAB", (1, 1)), "tiff"))


def test_a_huge_image_is_refused_before_it_is_decoded() -> None:
    with (
        decode.quiet_decoding(),
        pytest.raises(decode.DecodeError, match="has 10000 x 9000 pixels, more than 89478485"),
    ):
        decode.image_dimensions(png(10000, 9000, 1, 0, b""))
    with pytest.raises(decode.DecodeError, match="is not a readable image"):
        decode.decode_image(png(100000, 90000, 1, 0, b""), 1)


@pytest.mark.parametrize("data", [b"", b"text", encoded(array([[1] * 99] * 99))[:60]])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(decode.DecodeError):
        decode.decode_image(data, 1)


def test_colour_is_not_squeezed_into_one_channel() -> None:
    with pytest.raises(decode.DecodeError, match="is in colour although the manifest says that it is grey"):
        decode.decode_image(encoded(array([[[1, 2, 3]]])), 1)


def test_squash_is_the_triangle_filter_with_support_of_the_scale() -> None:
    # 4 -> 2: support 2, centres 1 and 3; pixel centres .5, 1.5, 2.5, 3.5 weigh .75, .75, .25, 0 over 1.75:
    # (.75 * 0 + .75 * 70 + .25 * 140) / 1.75 = 50 and, mirrored, (.25 * 70 + .75 * 140 + .75 * 210) / 1.75 = 160
    image = decode.decode_image(encoded(array([[0, 70, 140, 210]] * 2)), 1)
    assert decode.image_array(decode.resize_image(image, 2, "squash")).tolist() == [[[50], [160]], [[50], [160]]]


def test_shorter_side_keeps_the_aspect_ratio_and_the_centre() -> None:
    # 6 x 2 -> shorter side 2: no scaling, the middle two of six columns
    image = decode.decode_image(encoded(array([[0, 1, 2, 3, 4, 5]] * 2)), 1)
    assert decode.image_array(decode.resize_image(image, 2, "shorter_side")).tolist() == [[[2], [3]], [[2], [3]]]
    tall = decode.decode_image(encoded(array(np.zeros((90, 30)))), 1)
    assert decode.resize_image(tall, 10, "shorter_side").size == (10, 10)
