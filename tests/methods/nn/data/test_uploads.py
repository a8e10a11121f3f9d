"""Batches gathered on a device have the bytes of those gathered on the processor."""

import threading

import numpy as np
import pytest
import torch
from fake_devices import fake_devices

from methods.checks import ArrayImages
from methods.detector import TrainData
from methods.nn.data.ahead import Ahead
from methods.nn.data.loader import Feed
from methods.nn.data.samplers import BatchComposition
from methods.nn.pseudo_anomalies.cp_scar import CPScar
from methods.nn.pseudo_anomalies.cutmix import CutMix
from methods.nn.pseudo_anomalies.source import CPMix, Pseudo
from methods.uploads import Uploads, pixels_of


class OnProcessor(Uploads):
    """A device whose memory is the processor's own."""

    def whole(self, images):
        return pixels_of(images, np.arange(len(images)))


def pictures(count, channels, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 24, 24, channels), dtype=np.uint8)
    return ArrayImages(pixels, tuple(f"{seed}-{number}" for number in range(count)))


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("pool_channels", [None, 1, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_where_images_lie_changes_no_byte_of_a_batch(channels, pool_channels, shuffled, make_context):
    data = TrainData(pictures(9, channels, 0), pictures(3, channels, 1), {})
    maker = CPMix("coin", CutMix(), CPScar(scale="relative_256"))
    pseudo = Pseudo(data.normal, maker) if pool_channels is None else Pseudo(pictures(5, pool_channels, 2), None)
    quotas = BatchComposition(8, 2, 0.5, shuffled=shuffled)
    host, device = make_context(), make_context()
    device.uploads = OnProcessor("cpu")
    feeds = [Feed(data, pseudo, quotas, 180.0, context, "batch") for context in (host, device)]
    for step in range(6):
        (expected, labels), (images, same_labels) = (feed.batch(step) for feed in feeds)
        np.testing.assert_array_equal(images.numpy(), expected.numpy())
        np.testing.assert_array_equal(same_labels, labels)


def test_a_group_is_uploaded_once_where_half_of_the_free_memory_holds_it():
    images = pictures(4, 3, 0)
    needed = 4 * 24 * 24 * 3
    with fake_devices(2 * needed):
        uploads = Uploads("cuda:0")
        whole = uploads.whole(images)
        assert (whole.shape, str(whole.device)) == ((4, 24, 24, 3), "cuda:0")
        assert uploads.whole(images) is whole
    with fake_devices(2 * needed - 1):
        uploads = Uploads("cuda:0")
        assert uploads.whole(images) is None
        assert str(uploads.take(images, np.array([1, 2])).device) == "cuda:0"
    assert Uploads("cpu").whole(images) is None
    np.testing.assert_array_equal(Uploads("cpu").take(images, np.array([3, 1])), images.take(np.array([3, 1])))


def test_the_next_step_is_under_way_while_this_one_is_at_work():
    begun = {step: threading.Event() for step in range(9)}

    def make(step):
        begun[step].set()
        return step * step

    ahead = Ahead(make)
    assert [ahead(step) for step in (0, 1, 2)] == [0, 1, 4]
    assert begun[3].wait(60)
    assert not begun[4].is_set()
    assert ahead(7) == 49


def test_what_goes_wrong_ahead_is_raised_at_its_own_step():
    def make(step):
        if step == 1:
            raise ValueError("no image 1")
        return torch.tensor(step)

    ahead = Ahead(make)
    assert ahead(0) == 0
    with pytest.raises(ValueError, match="no image 1"):
        ahead(1)
    assert ahead(2) == 2
