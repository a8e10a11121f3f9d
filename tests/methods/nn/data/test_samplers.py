"""Balanced sampling against the released sampler's exact counts, and batches of pixels."""

import numpy as np
import pytest
import torch

from methods.errors import MethodError
from methods.nn.data.loader import Feed, in_batches
from methods.nn.data.samplers import NORMAL, PSEUDO, SEEN, BalancedSampler, BatchComposition
from methods.nn.pseudo_anomalies.cutmix import CutMix
from methods.nn.pseudo_anomalies.source import Pseudo, pseudo_source

CASES = {
    "ten_shot": BatchComposition(48, 16, 0.5),
    "one_shot": BatchComposition(48, 16, 0.5),
    "reference_loader": BatchComposition(5, 0, 0.5),
    "zero_anomalies_batch_48": BatchComposition(48, 16, 0.5),
    "batch_24": BatchComposition(24, 8, 0.5),
}


def drawn(context, quotas, n_normal, n_anomaly, batches=100):
    sampler = BalancedSampler(context, "batch", quotas, n_normal=n_normal, n_anomaly=n_anomaly, n_pseudo=n_normal)
    return [sampler.draw(step) for step in range(batches)]


@pytest.mark.parametrize("case", CASES)
def test_composition_equals_the_released_sampler(case, vectors, make_context):
    stated, quotas = vectors("dra_sampler")[case], CASES[case]
    batches = drawn(make_context(), quotas, stated["train_normals"], stated["train_anomalies"])
    slots, seen = stated["normal_slots_per_batch"][0], stated["anomaly_slots_per_batch"][0]
    for batch in batches:
        assert batch.labels.shape == batch.indices.shape == (slots + seen,)
        assert (batch.labels[:slots] != SEEN).all()
        assert (batch.labels[slots:] == SEEN).all()
    share = np.mean([(batch.labels[:slots] == PSEUDO).mean() for batch in batches])
    assert abs(share - stated["expected_share"]) < 4 * stated["standard_error"]
    if seen:
        counts = np.bincount(np.concatenate([batch.indices[slots:] for batch in batches]))
        assert [counts.min(), counts.max()] == stated["times_each_anomaly_index_drawn"]


@pytest.mark.parametrize("case", CASES)
def test_every_normal_index_is_emitted_equally_often(case, vectors, make_context):
    stated, quotas = vectors("dra_sampler")[case], CASES[case]
    plain = BatchComposition(quotas.size, quotas.n_seen)
    batches = drawn(make_context(), plain, stated["train_normals"], stated["train_anomalies"])
    slots = stated["normal_slots_per_batch"][0]
    counts = np.bincount(np.concatenate([batch.indices[:slots] for batch in batches]), minlength=37)
    assert [counts.min(), counts.max()] == stated["times_each_normal_index_drawn"]


def test_pseudo_anomalies_per_batch_are_binomial(make_context):
    counts = [
        (batch.labels == PSEUDO).sum() for batch in drawn(make_context(), BatchComposition(48, 16, 0.5), 37, 10, 2000)
    ]
    # Binomial(32, 1/2): mean 16, variance 8; standard errors 0.063 and about 8 sqrt(2 / 2000) = 0.25.
    assert abs(np.mean(counts) - 16) < 0.26
    assert abs(np.var(counts) - 8) < 1.1


def test_a_fresh_normal_is_drawn_uniformly_for_a_pseudo_anomaly(make_context):
    batches = drawn(make_context(), BatchComposition(48, 16, 1.0), 8, 4, 200)
    counts = np.bincount(np.concatenate([batch.indices[:32] for batch in batches]), minlength=8)
    # 6400 draws over 8 images: 800 each, standard deviation sqrt(6400 * 7 / 64) = 26.5; a stream would give 800 exactly.
    assert np.abs(counts - 800).max() < 4 * 26.5
    assert counts.std() > 0


def test_without_resampling_the_sampled_index_is_kept(make_context):
    kept = drawn(make_context(), BatchComposition(48, 16, 0.5, resample_source=False), 37, 10)
    plain = drawn(make_context(), BatchComposition(48, 16), 37, 10)
    assert all(np.array_equal(one.indices, other.indices) for one, other in zip(kept, plain, strict=True))


def test_a_batch_follows_from_its_step_alone(make_context):
    sampler = BalancedSampler(
        make_context(), "batch", BatchComposition(48, 16, 0.5), n_normal=37, n_anomaly=10, n_pseudo=37
    )
    later = sampler.draw(57)
    again = drawn(make_context(), BatchComposition(48, 16, 0.5), 37, 10)[57]
    assert np.array_equal(later.indices, again.indices)
    assert np.array_equal(later.labels, again.labels)
    other = drawn(make_context(seed=1), BatchComposition(48, 16, 0.5), 37, 10)[57]
    assert not np.array_equal(later.indices, other.indices)


def test_each_stretch_of_the_stream_is_a_permutation(make_context):
    batches = drawn(make_context(), BatchComposition(48, 16), 37, 10)
    stream = np.concatenate([batch.indices[:32] for batch in batches])
    stretches = [tuple(stream[start : start + 37]) for start in range(0, 37 * 80, 37)]
    assert all(sorted(stretch) == list(range(37)) for stretch in stretches)
    assert len(set(stretches)) == 80


def test_no_normal_image_is_an_error(make_context):
    with pytest.raises(MethodError, match="no normal training images"):
        BalancedSampler(make_context(), "batch", BatchComposition(48), n_normal=0, n_anomaly=3, n_pseudo=0)


def feed(data, context, source="cutmix", rotation=0.0, quotas=None):
    pseudo = Pseudo(data.normal, CutMix()) if source == "cutmix" else pseudo_source(data, source, {})
    return Feed(data, pseudo, quotas or BatchComposition(12, 4, 0.5), rotation, context, "batch")


def test_pixels_belong_to_their_labels(make_context, toy_data):
    data = toy_data(channels=3)
    images, labels = feed(data, make_context()).batch(3)
    assert images.dtype == torch.uint8
    assert images.shape == (12, 64, 64, 3)
    assert set(labels.tolist()) == {NORMAL, SEEN, PSEUDO}
    normals, anomalies = data.normal.pixels, data.anomaly.pixels
    for image, label in zip(images.numpy(), labels, strict=True):
        changed = (normals != image).any(3).mean((1, 2)).min()
        assert (changed == 0) == (label == NORMAL)
        assert (anomalies == image).all((1, 2, 3)).any() == (label == SEEN)
        if label == PSEUDO:
            assert 0 < changed < 0.16  # a pasted rectangle covers at most 15 % of one normal image


def test_pool_images_are_taken_whole_and_grey_follows_colour(make_context, toy_data):
    data = toy_data(channels=1, pools=["lag"])
    pool = data.pools["lag"].pixels
    images, labels = feed(data, make_context(), source="lag").batch(0)
    assert images.shape[3] == 3
    for image, label in zip(images.numpy(), labels, strict=True):
        assert (pool == image).all((1, 2, 3)).any() == (label == PSEUDO)
        if label != PSEUDO:
            assert (image == image[:, :, :1]).all()


def test_a_small_pool_needs_no_sampled_index(make_context, toy_data, array_images):
    data = toy_data(pools=["lag"])
    data.pools["lag"] = array_images(data.pools["lag"].pixels[:1])
    quotas = BatchComposition(12, 4, 0.5, resample_source=False)
    _, labels = feed(data, make_context(), source="lag", quotas=quotas).batch(0)
    assert PSEUDO in labels


def test_a_missing_pool_is_named(toy_data):
    with pytest.raises(MethodError, match=r"no images of the pool 'lag': prepare that dataset"):
        pseudo_source(toy_data(), "lag", {})


def test_rotation_applies_to_every_image(make_context, toy_data):
    data = toy_data()
    plain, _ = feed(data, make_context()).batch(0)
    turned, _ = feed(data, make_context(), rotation=180.0).batch(0)
    assert all(not torch.equal(one, other) for one, other in zip(plain, turned, strict=True))
    corners = turned[:, 0, 0, 0]
    assert (corners == 0).double().mean() > 0.5


def test_test_batches_keep_order_and_remainder(array_images):
    images = array_images(np.arange(7, dtype=np.uint8).reshape(7, 1, 1, 1))
    parts = list(in_batches(images, 3))
    assert [(place.start, place.stop) for place, _ in parts] == [(0, 3), (3, 6), (6, 7)]
    assert torch.cat([pixels for _, pixels in parts]).flatten().tolist() == list(range(7))


def test_read_only_pixels_are_copied_before_torch_sees_them(array_images):
    class ReadOnly(type(array_images(np.zeros((1, 1, 1, 1), np.uint8)))):
        def take(self, index):
            taken = super().take(index)
            taken.flags.writeable = False
            return taken

    (_, pixels), *_ = in_batches(ReadOnly(np.full((2, 1, 1, 1), 5, np.uint8)), 2)
    assert pixels.flatten().tolist() == [5, 5]
