"""Images of 16 bits: scaled by the range of the whole dataset, kept as they are where they use it, or refused."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pictures import save_picture
from PIL import Image

from protocols.catalogue import data_folder, verify
from protocols.datasets.manifest import Dataset
from protocols.errors import DataError
from protocols.images import decode

Values = Callable[[int], "np.ndarray[tuple[int, int], np.dtype[np.uint16]]"]


def folder(root: Path, values: Values, form: str = "png") -> Path:
    """Three images in each of train/good, test/good and test/dent; `values` makes the one of a number."""
    for number, place in enumerate(("train/good", "test/good", "test/dent") * 3):
        save_picture(root / place / f"{number}.{form}", values(number))
    return root


def adopted(source: Path, said: list[str] | None = None) -> Dataset:
    dataset = data_folder.adopt_dataset(
        source, "mine", source.parent / "data", notify=(said if said is not None else []).append
    )
    assert verify.file_differences(dataset) == []
    return dataset


def pixels(dataset: Dataset, number: int) -> list[list[int]]:
    row = next(row for row in dataset.rows if Path(row.id).stem == str(number))
    array: list[list[int]] = decode.image_array(decode.ImageReader(dataset).load(row))[:, :, 0].tolist()
    return array


def test_narrow_values_are_scaled_alike_by_the_range_of_all_images(tmp_path: Path) -> None:
    def values(number: int) -> np.ndarray:
        return np.array([[0, 15 * number], [100, 4095 if number == 8 else 2048]], np.uint16)

    said: list[str] = []
    dataset = adopted(folder(tmp_path / "deep", values), said)
    # floor(v 256 / 4096): 100 -> 6, 2048 -> 128, 4095 -> 255, 15 n -> floor(15 n / 16)
    assert pixels(dataset, 1) == [[0, 0], [6, 128]]
    assert pixels(dataset, 8) == [[0, 7], [6, 255]]
    assert said == ["mine: 9 images of 16 bits are scaled to 8 by the range of all their values, 0 to 4095"]
    assert not any(dataset.path(row).is_symlink() for row in dataset.rows)


@pytest.mark.parametrize("form", ["png", "tif"])
def test_what_would_be_black_keeps_its_levels(tmp_path: Path, form: str) -> None:
    def values(number: int) -> np.ndarray:
        return (np.arange(256, dtype=np.uint16) + number * 0).reshape(16, 16)

    dataset = adopted(folder(tmp_path / "deep", values, form))
    assert pixels(dataset, 4) == np.arange(256).reshape(16, 16).tolist()
    assert {Path(row.id).suffix for row in dataset.rows} == {f".{form}"}
    assert {Path(row.file).suffix for row in dataset.rows} == {".png"}


def test_values_far_from_zero_are_scaled_from_the_least(tmp_path: Path) -> None:
    dataset = adopted(folder(tmp_path / "deep", lambda _: np.array([[32768, 32768 + 511], [33024, 32769]], np.uint16)))
    # floor((v - 32768) 256 / 512)
    assert pixels(dataset, 0) == [[0, 255], [128, 0]]


def test_values_that_use_the_range_keep_their_high_bytes_and_their_files(tmp_path: Path) -> None:
    dataset = adopted(folder(tmp_path / "deep", lambda number: np.full((4, 4), 255 + number * 4096, np.uint16)))
    assert pixels(dataset, 0) == [[0] * 4] * 4
    assert pixels(dataset, 8) == [[32768 + 255 >> 8] * 4] * 4
    assert all(dataset.path(row).is_symlink() and row.file == row.id for row in dataset.rows)


# From 100 on: 20,001, 32,768 and 32,769 values. floor(16384 256 / 20001) = 209, floor(16384 256 / 32768) = 128, and
# the high byte of 16,484 is 64.
@pytest.mark.parametrize(("greatest", "seen"), [(20100, 209), (32867, 128), (32868, 64)])
def test_values_are_scaled_up_to_half_of_what_sixteen_bits_hold(tmp_path: Path, greatest: int, seen: int) -> None:
    dataset = adopted(folder(tmp_path / "deep", lambda _: np.array([[100, 16484], [greatest, greatest]], np.uint16)))
    assert pixels(dataset, 3)[0] == [0, seen]


def test_adopting_scaled_images_again_changes_nothing(tmp_path: Path) -> None:
    source = folder(tmp_path / "deep", lambda number: np.full((4, 4), number, np.uint16))
    first = adopted(source)
    inode = first.folder.stat().st_ino
    assert adopted(source) == first
    assert first.folder.stat().st_ino == inode


def test_two_images_that_would_become_one_file_are_refused(tmp_path: Path) -> None:
    source = folder(tmp_path / "deep", lambda number: np.full((4, 4), number, np.uint16))
    Image.fromarray(np.full((4, 4), 7, np.uint16)).save(source / "test/dent/2.tif")
    with pytest.raises(DataError, match=r"would be test/dent/2\.png as another image is, once it is scaled: rename it"):
        adopted(source)


def colour(path: Path, value: int) -> None:
    """A PNG of 2 x 2 pixels of 16 bits a channel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + struct.pack(">6H", *[value] * 6)) * 2
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def test_colour_of_which_pillow_gives_too_little_is_refused(tmp_path: Path) -> None:
    source = folder(tmp_path / "deep", lambda number: np.full((4, 4), number * 8000, np.uint16))
    colour(source / "test/dent/90.png", 200)
    colour(source / "test/dent/91.png", 4000)
    with pytest.raises(
        DataError, match=r"90\.png has 16 bits a channel, of which all 2 such images use .* 0 to 15 only"
    ):
        adopted(source)
    colour(source / "test/dent/91.png", 60000)
    assert pixels(adopted(source), 91) == [[60000 >> 8] * 2] * 2
