"""Images that belong to no dataset become the pixels that a dataset would make of them."""

import numpy as np
import pytest
from pictures import noise, save_picture
from PIL import Image

from protocols.catalogue import data_folder
from protocols.errors import DataError
from protocols.images.array_file import ArrayForm
from protocols.images.loose import loose_array, loose_image
from protocols.images.store import ImageStore

FORMS = [ArrayForm(8, "squash"), ArrayForm(8, "shorter_side"), ArrayForm(0, "none")]


@pytest.fixture
def adopted(tmp_path):
    """A set of colour images, grey ones, ones with alpha and with a palette among them."""
    folder = tmp_path / "raw"
    for number, place in enumerate(("train/good", "test/good", "test/dent")):
        save_picture(folder / place / "colour.png", noise(number, 12, 10, 3))
        save_picture(folder / place / "grey.png", noise(number, 12, 10))
        Image.fromarray(noise(number, 12, 10, 4)).save(folder / place / "alpha.png")
        Image.fromarray(noise(number, 12, 10, 3)).quantize(16).save(folder / place / "palette.png")
        save_picture(folder / place / "lossy.jpg", noise(number, 12, 10, 3))
    return data_folder.adopt_dataset(folder, "mine", tmp_path / "data")


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.resize)
def test_a_file_has_the_pixels_of_its_row_in_the_store(tmp_path, adopted, form):
    store = ImageStore.open(adopted, size=form.size, resize=form.resize, cache_dir=tmp_path / "cache")
    images = store.images(row.id for row in adopted.rows)
    for number, row in enumerate(adopted.rows):
        pixels = loose_image(adopted.path(row), adopted.channels, form)
        assert pixels.dtype == np.uint8
        assert np.array_equal(pixels, images.one(number)), row.id


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.resize)
def test_an_array_has_the_pixels_of_its_file(tmp_path, form):
    grey, colour = noise(0, 9, 7), noise(1, 9, 7, 3)
    for array, channels in ((grey, 1), (grey, 3), (grey[:, :, None], 3), (colour, 3)):
        path = save_picture(tmp_path / "one.png", array.squeeze())
        assert np.array_equal(loose_array(array, channels, form), loose_image(path, channels, form))


def test_sixteen_bits_that_use_their_range_keep_their_high_bytes_and_others_are_refused(tmp_path):
    wide = np.array([[0, 0x1234], [0x8000, 0xFFFF]], np.uint16)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert loose_image(tmp_path / "wide.png", 1, FORMS[2])[:, :, 0].tolist() == [[0, 0x12], [0x80, 0xFF]]
    Image.fromarray(wide >> 4).save(tmp_path / "dark.png")
    with pytest.raises(DataError, match=r"dark\.png has 16 bits a value and leaves most of their range unused: bring"):
        loose_image(tmp_path / "dark.png", 1, FORMS[2])


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((4, 4)), r"not float64 \(4, 4, 1\)"),
        (np.zeros((4, 4, 4), np.uint8), r"not uint8 \(4, 4, 4\)"),
        (np.zeros(4, np.uint8), r"not uint8 \(4,\)"),
        (np.zeros((4, 4, 3), np.uint8), "an array is in colour, where the training images are grey"),
    ],
)
def test_an_array_of_another_form_is_refused(array, sentence):
    with pytest.raises(DataError, match=sentence):
        loose_array(array, 1, FORMS[0])


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.png cannot be read \(No such file"):
        loose_image(tmp_path / "gone.png", 3, FORMS[0])
