"""A batch of pseudo anomalies made at once has the bytes of those made one by one."""

import numpy as np
import pytest
import torch

from methods.nn.pseudo_anomalies.batched import changed
from methods.nn.pseudo_anomalies.cp_scar import CPScar
from methods.nn.pseudo_anomalies.cutmix import CutMix
from methods.nn.pseudo_anomalies.source import CPMix

LONG = CPScar(scale="relative_256", width_max=40.0, length_max=90.0)
MAKERS = {
    "cutmix": CutMix(),
    "strong jitter": CutMix(jitter=0.5),
    "cp_scar": CPScar(),
    "scars cut off at the border": LONG,
    "coin": CPMix("coin", CutMix(), CPScar()),
    "sequential": CPMix("sequential", CutMix(), CPScar()),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 33, 96])
@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_every_byte_is_that_of_the_image_by_itself(maker, size, channels):
    rng = np.random.default_rng(size)
    images = rng.integers(0, 256, (16, size, size, channels), dtype=np.uint8)
    images[:8] = images[:8] // 32 + 100
    generator = torch.Generator().manual_seed(channels)
    changes = [maker.draw(size, generator) for _ in images]
    expected = np.stack([change(image) for change, image in zip(changes, images, strict=True)])
    assert (expected != images).any()
    np.testing.assert_array_equal(changed(torch.from_numpy(images), changes).numpy(), expected)


def test_of_nothing_comes_nothing():
    images = torch.zeros(0, 8, 8, 3, dtype=torch.uint8)
    assert changed(images, []).shape == images.shape
