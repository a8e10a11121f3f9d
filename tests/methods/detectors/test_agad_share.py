"""How many places of AGAD's batch are for labelled anomalies where their share is no whole number."""

import pytest

from methods.detectors.agad.detector import anomaly_places
from methods.detectors.agad.params import AGADParams
from methods.nn.params import read_params


# Of 256 places, n of 512 training images have n / 2: 32, 32.5, 33, 33.5, 50.5 and 127.5.
@pytest.mark.parametrize(
    ("n_anomaly", "places"), [(64, 32), (65, 33), (66, 33), (67, 34), (101, 51), (255, 128), (256, 128)]
)
def test_a_half_place_is_rounded_up_whether_the_number_below_is_even_or_odd(n_anomaly, places, make_params):
    params = read_params(AGADParams, make_params("agad"))
    assert (params.batch_size, params.batch_seen) == (256, 32)
    assert anomaly_places(params, 512 - n_anomaly, n_anomaly) == places
