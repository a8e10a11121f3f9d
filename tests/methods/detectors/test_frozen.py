"""Baselines on frozen features, on features by hand and on pictures."""

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from methods.checks import check_detector
from methods.detector import TrainData
from methods.detectors.frozen import FrozenLogistic, FrozenNearest
from methods.errors import MethodError
from methods.registry.installed import get

METHODS = ("frozen_nearest", "frozen_mahalanobis", "frozen_logistic")
SIZE = {"img_size": 32}


@pytest.fixture
def nearest(make_params, make_context):
    return lambda **changes: FrozenNearest(make_params("frozen_nearest", **changes), make_context())


@pytest.fixture
def logistic(make_params, make_context):
    return lambda **changes: FrozenLogistic(make_params("frozen_logistic", **changes), make_context())


def test_the_distance_is_the_mean_to_the_nearest_normals(nearest):
    normals = np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    images = np.array([[0.0, 0.0], [3.0, 0.0], [6.0, 9.0]])
    # from (0, 0): 0, 5, 10; from (3, 0): 3, 4, 8.544; from (6, 9): 10.82, 5.831, 1
    one, two = nearest(neighbours=1), nearest(neighbours=2)
    np.testing.assert_allclose(one.judged(one.learned(normals, normals), images), [0, 3, 1])
    np.testing.assert_allclose(two.judged(two.learned(normals, normals), images), [2.5, 3.5, (1 + 34**0.5) / 2])
    many = nearest(neighbours=9)
    np.testing.assert_allclose(many.judged(many.learned(normals, normals), images)[0], 5)


def test_mahalanobis_is_the_distance_in_units_of_the_covariance(nearest):
    normals = np.random.default_rng(0).normal(size=(50, 3)) @ np.diag([1.0, 10.0, 0.1])
    images = np.random.default_rng(1).normal(size=(7, 3))
    detector = nearest(distance="mahalanobis")
    expected = LedoitWolf().fit(normals).mahalanobis(images) ** 0.5
    np.testing.assert_allclose(detector.judged(detector.learned(normals, normals), images), expected)


def test_fewer_normals_than_features_have_a_covariance_too(nearest):
    normals = np.random.default_rng(0).normal(size=(4, 12))
    detector = nearest(distance="mahalanobis")
    assert np.isfinite(detector.judged(detector.learned(normals, normals), normals)).all()


def test_the_logit_tells_two_kinds_apart_whatever_their_scale_and_share(logistic):
    rng = np.random.default_rng(0)
    normal, anomaly = rng.normal(size=(200, 2)) * [1, 1000], rng.normal([3, 0], 1, size=(5, 2)) * [1, 1000]
    detector = logistic()
    state = detector.learned(normal, anomaly)
    scores = detector.judged(state, np.array([[0.0, 0.0], [3.0, 0.0], [1.5, 0.0]]))
    assert scores[0] < scores[2] < scores[1]
    assert scores[0] < 0 < scores[1]
    plain = logistic(balanced=False)
    middle = np.array([[1.5, 0.0]])
    assert plain.judged(plain.learned(normal, anomaly), middle) < detector.judged(state, middle)


def test_a_feature_that_never_varies_changes_nothing(logistic):
    normal, anomaly = np.array([[0.0, 5.0], [1.0, 5.0]]), np.array([[4.0, 5.0]])
    detector = logistic()
    state = detector.learned(normal, anomaly)
    assert np.isfinite(detector.judged(state, normal)).all()


def test_logistic_regression_needs_an_anomaly(logistic, toy_data, array_images):
    data = toy_data()
    nothing = array_images(data.anomaly.pixels[:0])
    with pytest.raises(MethodError, match="learns from labelled anomalies: give at least one"):
        logistic(**SIZE).fit(TrainData(data.normal, nothing, {}))


@pytest.mark.parametrize("method", METHODS)
def test_the_battery_passes(method):
    check_detector(get(method))
