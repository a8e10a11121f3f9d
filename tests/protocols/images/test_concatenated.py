"""Images of several stores as one sequence: places, channels and ids."""

import numpy as np
import pytest

from methods.checks import ArrayImages
from protocols.errors import DataError
from protocols.images.concatenated import JoinedImages


def images(name, count, channels, size=4):
    pixels = np.zeros((count, size, size, channels), np.uint8)
    pixels[:] = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1) + (100 if channels == 3 else 0)
    return ArrayImages(pixels, tuple(f"{name}{i}.png" for i in range(count)))


@pytest.fixture
def joined():
    return JoinedImages([("grey", images("a", 3, 1)), ("none", images("n", 0, 1)), ("colour", images("b", 2, 3))])


def values(pixels):
    """The one value that each image holds everywhere."""
    assert (pixels == pixels[:, :1, :1, :1]).all()
    return pixels[:, 0, 0, 0].tolist()


def test_all_parts_follow_one_another_under_their_names(joined):
    assert joined.ids == ("grey/a0.png", "grey/a1.png", "grey/a2.png", "colour/b0.png", "colour/b1.png")
    assert (len(joined), joined.size, joined.channels) == (5, 4, 3)


def test_images_are_taken_in_the_order_of_the_index_grey_ones_with_three_channels(joined):
    taken = joined.take(np.array([4, 0, 3, 2, 0]))
    assert taken.shape == (5, 4, 4, 3)
    assert taken.dtype == np.uint8
    assert values(taken) == [101, 0, 100, 2, 0]
    assert joined.take(np.array([], dtype=int)).shape == (0, 4, 4, 3)


def test_one_image_has_the_channels_of_all(joined):
    assert joined.one(2).shape == (4, 4, 3)
    assert joined.one(2)[0, 0].tolist() == [2, 2, 2]
    assert joined.one(3)[0, 0].tolist() == [100, 100, 100]


def test_a_selection_of_a_selection_keeps_order_and_ids(joined):
    chosen = joined.select(np.array([4, 2, 1])).select(np.array([2, 0]))
    assert chosen.ids == ("grey/a1.png", "colour/b1.png")
    assert values(chosen.take(np.arange(2))) == [1, 101]
    assert chosen.one(1)[0, 0, 0] == 101
    assert len(joined) == 5


def test_only_grey_parts_stay_grey():
    joined = JoinedImages([("a", images("a", 2, 1)), ("b", images("b", 2, 1))])
    assert joined.take(np.arange(4)).shape == (4, 4, 4, 1)


def test_parts_of_different_sizes_are_refused():
    with pytest.raises(DataError, match="open every store at one size"):
        JoinedImages([("a", images("a", 2, 1)), ("b", images("b", 2, 1, size=8))])


def test_images_of_their_own_sizes_can_be_stacked_if_they_agree():
    same = images("a", 2, 1)
    same.size = 0
    joined = JoinedImages([("a", same), ("b", same)])
    assert joined.take(np.array([3, 0])).shape == (2, 4, 4, 1)
    other = images("b", 2, 3, size=8)
    other.size = 0
    mixed = JoinedImages([("a", same), ("b", other)])
    assert mixed.one(3).shape == (8, 8, 3)
    with pytest.raises(DataError, match="give a size"):
        mixed.take(np.array([0, 3]))
    assert mixed.take(np.array([3, 2])).shape == (2, 8, 8, 3)
