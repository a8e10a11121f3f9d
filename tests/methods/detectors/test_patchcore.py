"""PatchCore: our trunk in anomalib's model, its coreset in every bit, its score by hand, and no seed of others touched."""

from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import squares
import torch

from methods.backbones.find import RANDOM, WeightsFile
from methods.checks import check_detector
from methods.detector import DeadlineReached, TrainData
from methods.detectors import patchcore as patchcore_module
from methods.detectors.patchcore import PatchCore, seeded_globals
from methods.errors import MethodError
from methods.nn.data.transforms import normalise
from methods.registry.installed import get

pytestmark = pytest.mark.skipif(find_spec("anomalib") is None, reason="the package anomalib is not installed")

RESNET = {"resnet18": WeightsFile("resnet18", None, RANDOM, RANDOM)}


@pytest.fixture
def patchcore(make_params, make_context):
    """Detectors with official parameters but for `changes`; keywords of the context go by `context`."""

    def make(context=None, **changes):
        return PatchCore(make_params("patchcore", **changes), make_context(weights=RESNET, **(context or {})))

    return make


@pytest.fixture
def fitted(patchcore):
    def fit(data=None, **changes):
        detector = patchcore(**changes)
        detector.fit(data or squares.training_data())
        return detector

    return fit


@pytest.fixture
def pixels():
    return torch.from_numpy(squares.pictures(5, 3, anomalous=True, channels=3).pixels.copy())


def maps(detector, pixels):
    """Maps of layers 2 and 3 of our own trunk, averaged over 3x3."""
    trunk = detector.context.backbone("resnet18", ["layer2", "layer3"]).eval()
    with torch.no_grad():
        levels = trunk(normalise(pixels))
    return [torch.nn.functional.avg_pool2d(level, 3, 1, 1) for level in levels]


def features(detector, pixels):
    """(B, positions, 128 + 256): the second map in the size of the first."""
    wide, narrow = maps(detector, pixels)
    both = torch.cat([wide, torch.nn.functional.interpolate(narrow, wide.shape[-2:], mode="bilinear")], 1)
    return both.flatten(2).transpose(1, 2)


def test_the_battery(capsys):
    check_detector(get("patchcore"), overrides={"coreset.candidates": 100})
    assert capsys.readouterr() == ("", "")


def test_the_bank_of_all_patches_is_what_our_trunk_makes_of_them(fitted):
    detector = fitted(**{"coreset.ratio": 1.0})
    normal = torch.from_numpy(squares.training_data().normal.pixels.copy())
    expected = features(detector, normal).flatten(0, 1)
    bank = detector.state()["memory_bank"]
    assert bank.shape == expected.shape == (24 * 16, 384)
    nearest = torch.cdist(expected, bank).amin(1)
    assert float(nearest.max()) < 1e-2 * float(expected.norm(dim=1).mean())
    assert detector.history == {"patches": [384.0], "bank": [384.0]}


def test_one_neighbour_leaves_the_distance_of_the_farthest_patch(fitted, pixels):
    detector = fitted(neighbours=1)
    bank = detector.state()["memory_bank"].double()
    expected = torch.cdist(features(detector, pixels).double(), bank[None]).amin(2).amax(1)
    scores = detector.score(squares.pictures(5, 3, anomalous=True, channels=3))
    assert scores.dtype == np.float64
    assert np.allclose(scores, expected.numpy(), rtol=1e-4, atol=0)


def test_nine_neighbours_weight_it_by_how_alone_its_neighbour_is(fitted, pixels):
    # PatchCore's eq. 7: s = (1 - exp |m - m*| / sum over the b neighbours m' of m* of exp |m - m'|) |m - m*|
    detector = fitted()
    bank = detector.state()["memory_bank"].double()
    expected = []
    for patches in features(detector, pixels).double():
        distances = torch.cdist(patches, bank)
        patch = int(distances.amin(1).argmax())
        nearest = int(distances[patch].argmin())
        around = torch.cdist(bank[nearest][None], bank)[0].argsort()[:9]
        weight = 1 - distances[patch, nearest].exp() / distances[patch, around].exp().sum()
        expected.append(float(weight * distances[patch, nearest]))
    scores = detector.score(squares.pictures(5, 3, anomalous=True, channels=3))
    assert np.allclose(scores, expected, rtol=1e-3, atol=0)


def test_the_coreset_is_that_of_anomalib_in_every_bit(patchcore):
    detector = patchcore(**{"coreset.ratio": 0.2})
    patches = torch.randn(400, 96, generator=torch.Generator().manual_seed(0))
    sampler = patchcore_module._anomalib("models.components").KCenterGreedy(patches, 0.2)
    with seeded_globals(detector.context, "coreset"):
        expected = sampler.sample_coreset()
    assert expected.shape == (80, 96)
    assert torch.equal(detector._coreset(patches), expected)


def test_a_fit_leaves_the_global_generators_as_they_were(fitted):
    def states():
        return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()  # noqa: NPY002 - anomalib's generator

    before = states()
    fitted()
    assert states() == before


def test_another_seed_chooses_other_patches(patchcore):
    patches = torch.randn(400, 96, generator=torch.Generator().manual_seed(0))
    banks = [patchcore(context={"seed": seed})._coreset(patches) for seed in (0, 1)]
    assert not torch.equal(*banks)


@pytest.mark.parametrize(("limit", "batch"), [(100, 7), (100, 24), (384, 7), (None, 7)])
def test_candidates_are_drawn_from_all_images_whatever_the_batch(fitted, limit, batch):
    detector = fitted(**{"coreset.candidates": limit, "coreset.ratio": 1.0, "batch.size": batch})
    kept = 100 if limit == 100 else 384
    assert detector.history == {"patches": [float(kept)], "bank": [float(kept)]}
    alike = fitted(**{"coreset.candidates": limit, "coreset.ratio": 1.0, "batch.size": 32})
    assert torch.allclose(detector.state()["memory_bank"], alike.state()["memory_bank"], rtol=1e-4, atol=1e-5)


def test_labelled_anomalies_change_nothing(fitted):
    data, test = squares.training_data(), squares.pictures(4, 1, anomalous=True)
    without = TrainData(data.normal, data.anomaly.select(np.array([], dtype=int)), {})
    assert np.array_equal(fitted(data).score(test), fitted(without).score(test))


def test_it_sees_squares_that_brightness_does_not_give_away(fitted):
    assert squares.auc(fitted()) > 0.95


def test_a_trunk_in_bfloat16_leaves_bank_and_scores_in_full_precision(fitted):
    detector = fitted(context={"precision": "bf16"})
    assert detector.state()["memory_bank"].dtype == torch.float32
    assert squares.auc(detector) > 0.95


def test_progress_goes_through_the_images_and_then_the_coreset_where_a_deadline_stops_it(patchcore, monkeypatch):
    seen = []
    context = {"progress": lambda *place: seen.append(place)}
    patchcore(context, **{"batch.size": 12}).fit(squares.training_data())
    assert seen == [(12, 24), (24, 24), *((place, 38) for place in range(1, 38))]
    seen.clear()
    monkeypatch.setattr(patchcore_module, "time", SimpleNamespace(monotonic=lambda: len(seen)))
    late = patchcore(context | {"deadline": 10}, **{"batch.size": 12})
    with pytest.raises(DeadlineReached):
        late.fit(squares.training_data())
    assert seen[-1] == (8, 38)
    with pytest.raises(MethodError, match="call fit or load first"):
        late.score(squares.pictures(1, 0, anomalous=False))
