"""An image store whose files are not as they were written is made again and that is said; no unchecked pixel is given."""

import json
import pickle
import shutil

import numpy as np
import pytest

from protocols.catalogue import data_folder
from protocols.errors import DataError
from protocols.images.store import ImageStore


@pytest.fixture
def dataset(mvtec_folder, tmp_path):
    return data_folder.adopt_dataset(mvtec_folder, "toy", tmp_path / "data")


@pytest.fixture
def opened(dataset, tmp_path):
    """Opens the store; gives its images and what was said."""

    def open_(**options):
        said = []
        store = ImageStore.open(dataset, size=8, cache_dir=tmp_path / "cache", notify=said.append, **options)
        return store.images([row.id for row in dataset.rows]), said

    return open_


@pytest.fixture
def folder(opened, tmp_path):
    """The folder of a store that was built."""
    opened()
    (array,) = (tmp_path / "cache").rglob("images.npy")
    return array.parent


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def without_digests(folder):
    """As a version that knew none left it."""
    meta = json.loads((folder / "meta.json").read_text())
    del meta["digests"]
    (folder / "meta.json").write_text(json.dumps(meta))
    (folder / "images.sha256").unlink()


DAMAGE = {
    "a pixel": (lambda folder: flip(folder / "images.npy", -1), "images.npy holds other pixels for 1 of 11 images"),
    "all pixels": (
        lambda folder: (folder / "images.npy").write_bytes((folder / "images.npy").read_bytes()[:128] + bytes(11 * 64)),
        "images.npy holds other pixels for 11 of 11 images, the first is 'test/color/000.png'",
    ),
    "magic": (lambda folder: flip(folder / "images.npy", 0), "images.npy has another header"),
    "shape": (lambda folder: flip(folder / "images.npy", 70), "images.npy has another header"),
    "padding": (lambda folder: flip(folder / "images.npy", 126), "images.npy has another header"),
    "cut": (
        lambda folder: (folder / "images.npy").write_bytes((folder / "images.npy").read_bytes()[:-64]),
        "images.npy has 768 bytes instead of 832",
    ),
    "longer": (
        lambda folder: (folder / "images.npy").write_bytes((folder / "images.npy").read_bytes() + b"x"),
        "images.npy has 833 bytes instead of 832",
    ),
    "gone": (lambda folder: (folder / "images.npy").unlink(), "images.npy cannot be read"),
    "a digest": (lambda folder: flip(folder / "images.sha256", 5), "images.sha256 does not match"),
    "digests cut": (lambda folder: (folder / "images.sha256").write_bytes(b""), "images.sha256 does not match"),
    "no JSON": (lambda folder: flip(folder / "meta.json", 0), "meta.json is no JSON"),
    "another size": (
        lambda folder: (folder / "meta.json").write_text(
            (folder / "meta.json").read_text().replace('"size": 8', '"size": 9')
        ),
        "meta.json describes another array",
    ),
    "no object": (lambda folder: (folder / "meta.json").write_text("[]"), "meta.json describes another array"),
    "older": (without_digests, "images.sha256 cannot be read"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_is_damaged_is_named_and_made_again(opened, folder, kind):
    damage, words = DAMAGE[kind]
    before = opened(every_pixel=True)[0].take(np.arange(11))
    damage(folder)
    images, said = opened(every_pixel=True)
    assert np.array_equal(images.take(np.arange(11)), before)
    (line,) = said
    assert line.startswith("the decoded images of toy at 8 px are damaged and made again")
    assert words in line
    assert opened(every_pixel=True)[1] == []


def test_a_whole_store_is_left_alone_and_nothing_is_said(opened, folder):
    files = {path: path.stat().st_ino for path in folder.iterdir()}
    assert opened(every_pixel=True)[1] == []
    assert {path: path.stat().st_ino for path in folder.iterdir()} == files


@pytest.mark.parametrize("through", [lambda images: images, lambda images: pickle.loads(pickle.dumps(images))])
def test_an_image_that_changed_after_opening_is_not_given(opened, folder, through):
    images = through(opened(every_pixel=True)[0])
    whole = images.take(np.arange(11))
    again = through(opened()[0])
    flip(folder / "images.npy", -1)
    assert np.array_equal(again.take(np.arange(10)), whole[:10])
    for take in (lambda: again.take(np.array([0, 10])), lambda: again.one(10), lambda: again.select([10]).one(0)):
        with pytest.raises(DataError, match="damaged while it was used: the same command makes it again"):
            take()


@pytest.mark.parametrize("name", ["images.npy", "images.sha256"])
def test_a_store_that_is_gone_after_opening_is_one_sentence(opened, folder, name):
    images, _ = opened()
    (folder / name).unlink()
    with pytest.raises(DataError, match="damaged while it was used"):
        images.take(np.array([0]))


def test_a_store_that_cannot_be_made_again_is_not_used(opened, folder, dataset):
    flip(folder / "images.npy", -1)
    shutil.rmtree(dataset.folder)
    with pytest.raises(DataError, match=r"cannot read .*000.png"):
        opened(every_pixel=True)
