"""The centre of an image whose aspect is kept: where an odd rest of pixels goes."""

import numpy as np
import pytest
from PIL import Image

from protocols.images import decode


@pytest.mark.parametrize(("side", "start"), [(8, 0), (9, 0), (11, 2), (13, 2), (15, 4)])
def test_the_cut_starts_at_half_the_rest_rounded_half_to_even(side: int, start: int) -> None:
    # the shorter side is 8 already, so nothing is scaled and each value names its place: rests of 0, 1, 3, 5 and 7
    places = np.arange(side, dtype=np.uint8)
    wide = Image.fromarray(np.tile(places, (8, 1)))
    tall = Image.fromarray(np.tile(places[:, None], (1, 8)))
    kept = list(range(start, start + 8))
    assert decode.image_array(decode.resize_image(wide, 8, "shorter_side"))[0, :, 0].tolist() == kept
    assert decode.image_array(decode.resize_image(tall, 8, "shorter_side"))[:, 0, 0].tolist() == kept
