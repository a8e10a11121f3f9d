import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pictures import noise, save_picture
from PIL import Image

from protocols.catalogue.data_folder import adopt_dataset
from protocols.catalogue.near_duplicates import near_duplicates
from protocols.datasets.manifest import Dataset, assemble_dataset
from protocols.errors import DataError
from protocols.splits import leakage

Make = Callable[..., Dataset]

COUNTS = {"normal": 20, "bent": 15, "cut": 12}


@pytest.fixture
def alike(tmp_path: Path) -> Dataset:
    """Five pictures as a folder: `b` is `a` a little brighter, `c` is `a` byte for byte, the others are different."""
    source = tmp_path / "raw" / "toy"
    ramp = np.add.outer(np.arange(64) * 2, np.arange(64)).astype(np.uint8)
    others = noise(0, 2, 64, 64)
    pictures = {
        "train/good/a": ramp,
        "test/good/b": ramp + np.uint8(3),
        "test/cut/c": ramp,
        "train/good/d": others[0],
        "test/cut/e": others[1],
    }
    for name, pixels in pictures.items():
        save_picture(source / f"{name}.png", pixels)
    return adopt_dataset(source, "toy", tmp_path / "data")


def test_pictures_that_look_alike_are_grouped(alike: Dataset) -> None:
    pytest.importorskip("imagehash", reason="the extra audit is not installed")
    assert near_duplicates(alike, 2) == (("test/cut/c.png", "test/good/b.png", "train/good/a.png"),)
    assert near_duplicates(alike, 1, distance=64) == (tuple(row.id for row in alike.rows),)


def test_equal_contents_alone_are_no_near_duplicates(alike: Dataset) -> None:
    pytest.importorskip("imagehash", reason="the extra audit is not installed")
    kept = assemble_dataset("toy", alike.folder, [row for row in alike.rows if row.id != "test/good/b.png"])
    assert leakage.duplicate_groups(kept) == (("test/cut/c.png", "train/good/a.png"),)
    assert near_duplicates(kept, 2) == ()


def test_near_codes_are_joined_through_chains_and_across_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 0 and 0b11 differ in two bits, 0b11 and 0b1111 in two; 0 and 0b1111 in four
    codes = [int(code) for code in np.random.default_rng(1).integers(0, 2**63, 400, dtype=np.uint64)]
    codes[3], codes[200], codes[399] = 0b0, 0b11, 0b1111
    source = tmp_path / "raw" / "many"
    for number in range(400):
        path = (
            source
            / ("train/good" if number < 200 else "test/good" if number < 399 else "test/cut")
            / f"{number:03d}.png"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), (number // 256, number % 256, 0), dtype=np.uint8)).save(path)
    many = adopt_dataset(source, "many", tmp_path / "data")

    def phash(image: Image.Image) -> str:
        high, low, _ = image.convert("RGB").getpixel((0, 0))
        return f"{codes[high * 256 + low]:016x}"

    monkeypatch.setitem(sys.modules, "imagehash", SimpleNamespace(phash=phash))
    chain = ("test/cut/399.png", "test/good/200.png", "train/good/003.png")
    assert near_duplicates(many, 2, distance=2) == (chain,)
    assert near_duplicates(many, 2, distance=1) == ()


def test_without_imagehash_the_next_step_is_named(make_dataset: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagehash", None)
    with pytest.raises(DataError, match=r"pip install 'swanbench\[audit\]'"):
        near_duplicates(make_dataset(COUNTS), 1)
