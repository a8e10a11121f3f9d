"""EXIF orientation: what is not turned is said once."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protocols.catalogue import data_folder, verify


def photographs(root: Path, form: str, orientation: int) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for number, place in enumerate(("train/good", "test/good", "test/dent") * 2):
        path = root / place / f"{number}.{form}"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.full((6, 4), 20 * number, np.uint8))
        image.save(path, exif=exif if place == "test/dent" else Image.Exif())
    return root


@pytest.mark.parametrize("form", ["jpg", "png", "webp", "tif"])
def test_turned_images_are_upright_or_said_once(tmp_path: Path, form: str) -> None:
    said: list[str] = []
    dataset = data_folder.adopt_dataset(
        photographs(tmp_path / "raw", form, 6), "mine", tmp_path / "data", notify=said.append
    )
    assert verify.file_differences(dataset) == []
    sizes = {(row.width, row.height) for row in dataset.rows if row.label == "dent"}
    if form == "tif":
        assert (said, sizes) == ([], {(6, 4)})
    else:
        line = "mine: 2 images with an EXIF orientation are left as they are stored, not turned"
        assert (said, sizes) == ([line], {(4, 6)})


def test_upright_images_need_no_word(tmp_path: Path) -> None:
    said: list[str] = []
    data_folder.adopt_dataset(photographs(tmp_path / "raw", "jpg", 1), "mine", tmp_path / "data", notify=said.append)
    assert said == []


def test_damaged_exif_data_do_not_stop_an_image(tmp_path: Path) -> None:
    source = photographs(tmp_path / "raw", "jpg", 6)
    for path in source.rglob("*.jpg"):
        path.write_bytes(path.read_bytes().replace(b"Exif\0\0MM", b"Exif\0\0??"))
    assert len(data_folder.adopt_dataset(source, "mine", tmp_path / "data").rows) == 6
