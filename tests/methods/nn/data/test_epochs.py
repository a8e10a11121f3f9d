"""Full passes over shuffled images."""

import numpy as np
import pytest
import torch

from methods.errors import MethodError
from methods.nn.data.epochs import ShuffledEpochs, ShuffledSampler
from methods.nn.data.loader import Feed
from methods.nn.data.samplers import NORMAL, SEEN, BatchComposition
from methods.nn.data.transforms import normalise, to_unit


def test_a_pass_takes_every_image_once_and_keeps_the_rest(make_context):
    passes = ShuffledEpochs(make_context(), "batch", 10, 4, keep_rest=True)
    batches = [passes.take(step) for step in range(6)]
    assert passes.steps == 3
    assert [len(batch) for batch in batches] == [4, 4, 2] * 2
    first, second = (np.concatenate(batches[start : start + 3]).tolist() for start in (0, 3))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert [passes.images(step) for step in range(7)] == [0, 4, 8, 10, 14, 18, 20]


def test_the_rest_can_be_dropped(make_context):
    passes = ShuffledEpochs(make_context(), "batch", 10, 4, keep_rest=False)
    assert passes.steps == 2
    assert len({*passes.take(0), *passes.take(1)}) == 8
    assert [passes.images(step) for step in range(4)] == [0, 4, 8, 12]


@pytest.mark.parametrize("keep_rest", [True, False])
def test_a_batch_is_never_larger_than_the_data(keep_rest, make_context):
    passes = ShuffledEpochs(make_context(), "batch", 3, 64, keep_rest=keep_rest)
    assert (passes.steps, sorted(passes.take(5).tolist())) == (1, [0, 1, 2])
    assert passes.images(2) == 6


def test_no_image_is_refused_in_one_line(make_context):
    with pytest.raises(MethodError, match="there are no training images to draw batches from: give at least one"):
        ShuffledEpochs(make_context(), "batch", 0, 4, keep_rest=True)


def test_a_batch_follows_from_seed_stream_and_step(make_context):
    def fourth(seed, stream):
        return ShuffledEpochs(make_context(seed=seed), stream, 50, 8, keep_rest=True).take(3).tolist()

    assert fourth(0, "a") == fourth(0, "a")
    assert len({tuple(fourth(*each)) for each in ((0, "a"), (1, "a"), (0, "b"))}) == 3


def test_normals_and_anomalies_are_shuffled_together(make_context):
    """A pass of 7 normals and 3 anomalies in batches of 5 has each image once, under its own label."""
    sampler = ShuffledSampler(make_context(), "batch", 5, n_normal=7, n_anomaly=3)
    draws = [sampler.draw(step) for step in range(2)]
    seen = {label: sorted(np.concatenate([d.indices[d.labels == label] for d in draws])) for label in (NORMAL, SEEN)}
    assert seen == {NORMAL: list(range(7)), SEEN: list(range(3))}


def test_a_feed_can_be_shuffled(make_context, toy_data):
    data = toy_data()
    images, labels = Feed(data, None, BatchComposition(12, 6, shuffled=True), 0.0, make_context(), "batch").batch(0)
    assert sorted(labels) == [NORMAL] * 9 + [SEEN] * 3
    taken = {pixels.tobytes() for pixels in images.numpy()[labels == SEEN]}
    assert taken == {pixels.tobytes() for pixels in data.anomaly.pixels}


def test_images_in_0_to_1_are_three_channels_channels_last():
    grey = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 3, 1).expand(1, 3, 3, 1)
    unit = to_unit(grey)
    assert unit.shape == (1, 3, 3, 3)
    assert unit.dtype == torch.float32
    assert unit.is_contiguous(memory_format=torch.channels_last)
    assert unit[0, :, 0].tolist() == [pytest.approx([0.0, 0.2, 1.0])] * 3
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(normalise(grey), (unit - mean[:, None, None]) / std[:, None, None])
