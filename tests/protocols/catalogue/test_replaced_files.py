"""Files that changed since a dataset was prepared are noticed, by size and time first, and by content where they differ."""

import os
import shutil

import made_up
import numpy as np
import pytest

from protocols.catalogue import data_folder
from protocols.catalogue.replaced import refuse_replaced
from protocols.datasets.manifest import read_manifest
from protocols.errors import DataError


@pytest.fixture
def toy(mvtec_folder, tmp_path):
    return data_folder.adopt_dataset(mvtec_folder, "toy", tmp_path / "data")


@pytest.fixture
def look(tmp_path):
    """Looks at a dataset; gives how many of its images had to be read."""

    def look_(dataset):
        counted = []
        refuse_replaced(dataset, tmp_path / "cache", count=lambda done, total: counted.append(done))
        return len(counted)

    return look_


def test_files_are_read_once_and_then_only_where_the_system_says_that_they_changed(toy, mvtec_folder, look):
    assert [look(toy), look(toy)] == [11, 0]
    os.utime(mvtec_folder / "test/color/001.png")
    assert [look(toy), look(toy)] == [1, 0]


def test_a_replaced_file_is_named_with_the_next_step(toy, mvtec_folder, look):
    look(toy)
    shutil.copy(mvtec_folder / "train/good/000.png", mvtec_folder / "test/color/001.png")
    shutil.copy(mvtec_folder / "train/good/001.png", mvtec_folder / "test/color/002.png")
    with pytest.raises(DataError) as raised:
        look(toy)
    text = str(raised.value)
    assert text.startswith("2 of 11 images of toy changed since it was prepared, the first: ")
    assert "test/color/001.png is not the image that the manifest describes" in text
    assert f"put the old files back, or remove {toy.folder} and prepare or adopt toy again" in text
    assert "bench data verify toy" in text
    with pytest.raises(DataError):
        look(toy)


def test_the_old_files_put_back_are_right_again(toy, mvtec_folder, look):
    look(toy)
    path = mvtec_folder / "test/color/001.png"
    whole = path.read_bytes()
    path.write_bytes(b"no image")
    with pytest.raises(DataError, match="not a readable image"):
        look(toy)
    path.write_bytes(whole)
    assert look(toy) == 1


def test_equal_size_and_an_old_time_hide_nothing(toy, mvtec_folder, look):
    look(toy)
    path = mvtec_folder / "test/color/001.png"
    found, data = path.stat(), bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    with pytest.raises(DataError, match=r"1 of 11 images"):
        look(toy)


@pytest.mark.parametrize("earlier", [True, False])
def test_a_file_behind_a_link_that_is_gone_is_named(toy, mvtec_folder, look, earlier):
    if earlier:
        look(toy)
    (mvtec_folder / "train/good/003.png").unlink()
    with pytest.raises(DataError, match=r"cannot read .*train/good/003.png \(No such file"):
        look(toy)


@pytest.mark.parametrize("left", ["", "{", "[1]", '{"test/color/000.png": 3}'])
def test_a_damaged_note_costs_time_only(toy, tmp_path, look, left):
    look(toy)
    (note,) = (tmp_path / "cache" / "files").iterdir()
    note.write_text(left)
    assert [look(toy), look(toy)] == [11, 0]


def test_a_cache_that_cannot_be_written_costs_time_only(toy, tmp_path, look):
    (tmp_path / "cache").write_text("in the way")
    assert [look(toy), look(toy)] == [11, 11]


def test_a_copy_of_the_folder_is_looked_at_by_itself(toy, look, tmp_path):
    look(toy)
    shutil.copytree(toy.folder, tmp_path / "copy" / "toy")
    assert look(read_manifest(tmp_path / "copy" / "toy", "toy")) == 11
    assert look(toy) == 0


def test_pixels_of_an_array_set_count_as_files(tmp_path, made_up_sets, look):
    digits = data_folder.prepare(tmp_path / "data", "digits", made_up.digits_release(tmp_path / "release"))
    assert [look(digits), look(digits)] == [60, 0]
    path = digits.folder / "images.npy"
    pixels = np.load(path)
    pixels[7] = 0
    np.save(path, pixels)
    with pytest.raises(DataError, match=r"1 of 60 images of digits .*does not hold the pixels of 'test/00007'"):
        look(digits)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"60 of 60 images of digits .*images.npy is not a readable array"):
        look(digits)


def test_pieces_of_photographs_are_compared_by_their_pixels(tmp_path, made_up_sets, look):
    tiles = data_folder.prepare(tmp_path / "data", "tiles", made_up.tiles_release(tmp_path / "release"))
    assert [look(tiles), look(tiles)] == [18, 0]
    shutil.copy(tiles.folder / "000_0.png", tiles.folder / "001_1.png")
    with pytest.raises(DataError, match=r"1 of 18 images of tiles .*001_1.png is not the image"):
        look(tiles)
