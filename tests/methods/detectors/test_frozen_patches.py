"""The baseline on patches of a frozen network, on patches by hand and on pictures."""

import math

import numpy as np
import pytest
import torch

from methods.checks import check_detector
from methods.detector import TrainData
from methods.detectors import frozen_patches
from methods.detectors.frozen_patches import BANK, FrozenPatches
from methods.errors import MethodError
from methods.registry.installed import get
from methods.registry.recipe import resolve

SIZE = {"img_size": 32}


@pytest.fixture
def patches(make_params, make_context):
    return lambda **changes: FrozenPatches(make_params("frozen_patches", **changes), make_context())


@pytest.fixture
def with_maps(patches, array_images, monkeypatch):
    """A detector whose images have these maps (n, h, w, d) for features, and the images."""

    def made(maps, **changes):
        detector = patches(**changes)
        levels = torch.tensor(maps, dtype=torch.float32).permute(0, 3, 1, 2)
        monkeypatch.setattr(detector, "_reader", lambda: lambda _, index: [levels[torch.from_numpy(np.asarray(index))]])
        return detector, array_images(np.zeros((len(maps), 32, 32, 1), np.uint8))

    return made


def test_a_score_is_the_mean_of_the_largest_distances_to_the_nearest_patch_of_the_bank(with_maps):
    # bank (0, 0), (10, 0); from the patches: 5 (3-4-5), 1, 0 and 2
    maps = [[[[3.0, 4.0], [10.0, 1.0]], [[0.0, 0.0], [12.0, 0.0]]]]
    for share, expected in ((0.01, 5.0), (0.5, (5 + 2) / 2), (1, (5 + 1 + 0 + 2) / 4)):
        detector, images = with_maps(maps, **{"top.share": share})
        detector.load({BANK: torch.tensor([[0.0, 0.0], [10.0, 0.0]])})
        assert detector.score(images) == pytest.approx([expected])


def test_a_heat_map_has_the_distances_of_the_patches_where_they_are(with_maps):
    detector, images = with_maps([[[[3.0, 4.0], [0.0, 0.0]]]])
    detector.load({BANK: torch.tensor([[0.0, 0.0]])})
    (heat,) = detector.maps(images)
    assert heat.shape == (32, 32)
    assert (heat[:, 0] == 5).all()
    assert (heat[:, -1] == 0).all()
    assert (np.diff(heat[0]) <= 0).all()


def test_by_angle_the_length_of_a_patch_counts_for_nothing(with_maps):
    detector, images = with_maps([[[[5.0, 0.0]]], [[[3.0, 3.0]]], [[[-1.0, 0.0]]]], distance="cosine")
    detector.load({BANK: torch.tensor([[1.0, 0.0]])})
    assert detector.score(images) == pytest.approx([0, 1 - math.sqrt(0.5), 2], abs=1e-6)


def test_the_bank_holds_every_patch_or_as_many_as_asked_for_wherever_batches_end(with_maps):
    maps = np.arange(7 * 4 * 2, dtype=float).reshape(7, 2, 2, 2)
    every, images = with_maps(maps)
    every.fit(TrainData(images, images, {}))
    assert every.state()[BANK].numpy().tolist() == maps.reshape(-1, 2).tolist()
    assert every.history == {"patches": [28.0], "bank": [28.0]}
    banks = []
    for batch in (1, 3, 7):
        detector, images = with_maps(maps, **{"bank.patches": 5, "batch.size": batch})
        detector.fit(TrainData(images, images, {}))
        banks.append(detector.state()[BANK].numpy().tolist())
    assert banks[0] == banks[1] == banks[2]
    assert len({tuple(row) for row in banks[0]}) == 5
    assert detector.history == {"patches": [28.0], "bank": [5.0]}


def test_a_normal_image_of_the_bank_has_distance_zero_and_every_batch_gives_the_same_bits(patches, toy_data):
    data = toy_data()
    detector = patches(**SIZE)
    detector.fit(data)
    assert detector.score(data.normal) == pytest.approx(np.zeros(len(data.normal)), abs=2e-2)
    alone = [detector.score(data.anomaly.select(np.array([i])), 1)[0] for i in range(len(data.anomaly))]
    assert detector.score(data.anomaly, 64) == pytest.approx(alone, rel=1e-4)


def test_an_image_that_two_lists_have_is_compared_once_and_after_another_fit_anew(patches, toy_data, monkeypatch):
    data, compared = toy_data(), []
    detector = patches(**SIZE)
    detector.fit(data)
    compare = detector._image_distances
    monkeypatch.setattr(detector, "_image_distances", lambda *given: compared.append(given) or compare(*given))
    first = detector.score(data.anomaly)
    count = len(compared)
    assert count == len(data.anomaly)
    both = detector.score(data.anomaly.select(np.array([2, 0])))
    assert both.tolist() == first[[2, 0]].tolist()
    assert len(compared) == count
    detector.fit(TrainData(data.anomaly, data.anomaly, {}))
    assert detector.score(data.anomaly) == pytest.approx(np.zeros(len(data.anomaly)), abs=2e-2)


def test_of_many_images_the_oldest_are_forgotten(with_maps, monkeypatch):
    monkeypatch.setattr(frozen_patches, "_REMEMBERED", 2)
    detector, images = with_maps([[[[float(number), 0.0]]] for number in range(4)])
    detector.load({BANK: torch.zeros(1, 2)})
    assert detector.score(images).tolist() == [0, 1, 2, 3]
    assert [known.item() for known in detector._known.values()] == [2, 3]


def test_nothing_to_learn_from_or_to_score_with_is_said(patches, toy_data, array_images):
    data = toy_data()
    with pytest.raises(MethodError, match="no normal training images"):
        patches(**SIZE).fit(TrainData(array_images(data.normal.pixels[:0]), data.anomaly, {}))
    with pytest.raises(MethodError, match="call fit or load first"):
        patches(**SIZE).score(data.normal)


def test_a_layer_that_the_network_has_not_is_said(patches, toy_data):
    with pytest.raises(MethodError, match=r"resnet18 is read at 4 nodes: set nodes_above to 3 at most"):
        patches(**SIZE, nodes_above=4).fit(toy_data())


def test_anomaly_dino_compares_angles_of_the_patches_of_a_foundation_model():
    params = resolve(get("anomaly_dino"), "official", "elpv", {}).params
    expected = {"backbone": "dinov2_vits14", "nodes_above": 0, "distance": "cosine", "img_size": 448}
    assert {name: params[name] for name in expected} == expected


def test_the_battery_passes():
    check_detector(get("frozen_patches"))
