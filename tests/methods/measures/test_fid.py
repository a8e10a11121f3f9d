"""The Frechet distance by hand, its name, the networks it is measured on, and that it changes no score."""

import hashlib
import json
import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torchvision.models import inception_v3

from benchmark.planning.comparability import of_method
from benchmark.planning.inputs.fit_params import fit_params
from methods.backbones import content
from methods.backbones.find import RANDOM, WeightsFile, identify
from methods.backbones.table import BACKBONES, GenuineFile
from methods.detector import TrainData
from methods.detectors.csi_gan.detector import CSIGAN
from methods.errors import MethodError
from methods.measures import fid, request
from methods.registry.installed import get
from methods.registry.recipe import resolve

TINY = {
    "network.width": 2,
    "gan.width": 1,
    "gan.latent_discriminator": "leaky_512",
    "gan.every": 1,
    "batch.size": 9,
    "budget.epochs": 1,
    "score.draws": 1,
    "features.batch": 5,
    "measure.fid_trunk": "resnet18",
}


class FirstPixel(fid.MeasureNetwork):
    """The first pixel of as many channels as asked for."""

    def __init__(self, count):
        super().__init__()
        self.num_features = count

    def pooled(self, images):
        assert images.dtype == torch.uint8
        return images[:, : self.num_features, 0, 0]


def batches(*points):
    """An image a point, whose channels have its numbers as 8-bit values; in two batches."""
    values = torch.tensor(points, dtype=torch.float64) / 255
    pixels = torch.zeros(len(points), 3, 2, 2, dtype=torch.float64)
    pixels[:, : values.shape[1]] = values[:, :, None, None]
    return [pixels[:1], pixels[1:]]


# The distance


def test_the_distance_in_one_dimension_by_hand():
    # 0, 2: mean 1, variance 2 (divisor n - 1). 4, 8: mean 6, variance 8.
    # (1 - 6)^2 + 2 + 8 - 2 sqrt(2 * 8) = 25 + (sqrt 8 - sqrt 2)^2 = 27.
    pytest.importorskip("torchmetrics", reason="the extra fid is not installed")
    found = fid.distance(FirstPixel(1), batches((0,), (2,)), batches((4,), (8,)))
    assert found == pytest.approx(27, abs=1e-9)


def test_the_distance_in_two_dimensions_by_hand():
    """Covariances that do not commute, so that a product of roots or a root of the diagonals is another number."""
    # Around (10, 10): +-(3, 0), +-(0, 6), so C1 = diag(6, 24). Around (13, 14): +-(6, 6), +-(3, -3), so
    # C2 = (30 18; 18 30). C1 C2 = (180 108; 432 720) has trace 900 and determinant 144 * 576 = 288^2; the trace of the
    # root of a 2 x 2 matrix is sqrt(trace + 2 sqrt(determinant)) = sqrt(1476).
    pytest.importorskip("torchmetrics", reason="the extra fid is not installed")
    real = batches((13, 10), (7, 10), (10, 16), (10, 4))
    made = batches((19, 20), (7, 8), (16, 11), (10, 17))
    expected = 3**2 + 4**2 + 30 + 60 - 2 * math.sqrt(1476)
    assert fid.distance(FirstPixel(2), real, made) == pytest.approx(expected, abs=1e-9)
    assert fid.distance(FirstPixel(2), made, real) == pytest.approx(expected, abs=1e-9)
    assert fid.distance(FirstPixel(2), real, real) == pytest.approx(0, abs=1e-9)


def test_grey_images_are_seen_in_three_equal_channels_and_values_are_kept_in_bounds(monkeypatch):
    """By a metric in place of torchmetrics' own, which keeps what it is given."""
    seen = []

    class Metric(torch.nn.Module):
        def __init__(self, feature):
            super().__init__()

        def update(self, images, *, real):
            seen.append((images, real))

        def compute(self):
            return torch.tensor(0.0)

    monkeypatch.setitem(sys.modules, "torchmetrics.image.fid", SimpleNamespace(FrechetInceptionDistance=Metric))
    grey = torch.tensor([-0.5, 0.25, 1.5]).reshape(3, 1, 1, 1)
    fid.distance(FirstPixel(1), [grey], [grey])
    assert [real for _, real in seen] == [True, False]
    for images, _ in seen:
        assert images.shape == (3, 3, 1, 1)
        assert images.dtype == torch.uint8
        assert images[:, :, 0, 0].tolist() == [[0] * 3, [64] * 3, [255] * 3]


# Networks and names


@pytest.mark.parametrize(
    ("arch", "path", "label", "name"),
    [
        ("fid_inception_v3", "f.pth", "genuine:pt_inception-2015-12-05-6726825d.pth", "fid"),
        ("fid_inception_v3", None, "random", "frechet_fid_inception_v3_random"),
        ("inception_v3", "f.pth", "genuine:inception_v3_google-0cc3c7bd.pth", "frechet_inception_v3"),
        ("inception_v3", "f.pth", "custom:12345678", "frechet_inception_v3"),
        ("resnet18", "f.pth", "genuine:resnet18-f37072fd.pth", "frechet_resnet18"),
        ("resnet18", None, "random", "frechet_resnet18_random"),
    ],
)
def test_only_the_distance_on_the_published_inception_weights_is_called_fid(arch, path, label, name):
    assert request.fid_name(WeightsFile(arch, path, "d", label)) == name


def test_inception_is_known_by_its_keys_and_fid_s_network_by_its_digest_alone(tmp_path, publish):
    state = inception_v3(init_weights=False).state_dict()
    assert content.recognise(state) == "inception_v3"
    assert not any(name.startswith(("fc.", "AuxLogits.")) for name in content.trunk(state, "fid_inception_v3"))
    path = tmp_path / "renamed.pth"
    path.write_bytes(b"published" * 1000)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    published = {file.name: file.sha256[:8] for file in BACKBONES["fid_inception_v3"].genuine}
    publish("fid_inception_v3", GenuineFile(f"fid-{digest[:8]}.pth", "", digest, 0.1))
    found = identify(path, cache_dir=tmp_path / "cache")
    assert (found.arch, request.fid_name(found)) == ("fid_inception_v3", "fid")
    assert set(published.values()) == {"6726825d"}
    assert len(published) == 2


def test_fid_s_network_takes_tensors_and_downloads_nothing(make_context, monkeypatch):
    library = pytest.importorskip(
        "torch_fidelity.feature_extractor_inceptionv3", reason="the extra fid is not installed"
    )
    monkeypatch.setattr(library, "load_state_dict_from_url", lambda *_, **__: pytest.fail("a download"))
    state = inception_v3(aux_logits=False, init_weights=False).state_dict()
    trunk = {name: value for name, value in state.items() if not name.startswith("fc.")}
    monkeypatch.setattr(fid, "read", lambda file: dict(trunk))
    file = WeightsFile("fid_inception_v3", None, "d" * 64, "genuine:pt_inception-2015-12-05-6726825d.pth")
    network = fid.features("fid_inception_v3", make_context(weights={file.arch: file}))
    assert isinstance(network, fid.FIDInception)
    stem = network.network.get_submodule("Conv2d_1a_3x3.conv").weight
    assert torch.equal(stem, state["Conv2d_1a_3x3.conv.weight"])
    assert not any(parameter.requires_grad for parameter in network.parameters())
    found = network(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    assert (found.shape, found.dtype) == ((1, 2048), torch.float64)


def test_a_trunk_gives_the_means_of_its_maps(make_context, small_trunk):
    network = fid.features("resnet18", make_context())
    images = torch.randint(0, 256, (2, 3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    found = network(images)
    assert (found.shape, found.dtype, network.num_features) == ((2, 16), torch.float64, 16)
    assert torch.equal(found, fid.features("resnet18", make_context())(images))
    assert not torch.equal(found[0], found[1])


# In a fit


@pytest.fixture
def data(array_images):
    draw = np.random.default_rng(0)
    return TrainData(*(array_images(draw.integers(0, 256, (n, 16, 16, 1), np.uint8)) for n in (9, 3)), {})


@pytest.fixture
def fitted(make_params, make_context, data, small_trunk):
    def fit(method="csi_gan", kept=None, **changes):
        context = make_context(artefact=(kept if kept is not None else {}).__setitem__)
        detector = CSIGAN(make_params(method, **(TINY | changes)), context)
        detector.fit(data)
        return detector

    return fit


@pytest.mark.parametrize("method", ["csi_gan", "csi_gan_generator_only"])
def test_a_measured_fit_has_the_same_scores_and_says_the_distance_beside_them(method, fitted, data):
    pytest.importorskip("torchmetrics", reason="the extra fid is not installed")
    plain, kept = fitted(method), {}
    measured = fitted(method, kept, **{"measure.fid": True})
    assert np.array_equal(measured.score(data.anomaly), plain.score(data.anomaly))
    assert measured.history.keys() - plain.history.keys() == {"frechet_resnet18_random"}
    (value,) = measured.history["frechet_resnet18_random"]
    assert 0 < value < math.inf
    assert json.loads(kept["fid.json"]) == {
        "measure": "frechet_resnet18_random",
        "value": value,
        "real_images": 9,
        "generated_images": 9,
        "features": 16,
        "weights": RANDOM,
    }
    more = {}
    fitted(method, more, **{"measure.fid": True, "measure.fid_images": 12})
    assert json.loads(more["fid.json"])["generated_images"] == 12


def test_a_fit_that_is_not_measured_needs_no_package_and_leaves_no_distance(fitted, monkeypatch):
    monkeypatch.setattr(request, "find_spec", lambda name: None)
    kept = {}
    fitted(kept=kept)
    assert "fid.json" not in kept


def test_without_the_package_a_measure_is_refused_before_the_fit(fitted, monkeypatch):
    monkeypatch.setattr(request, "find_spec", lambda name: None)
    with pytest.raises(MethodError, match=r"^measure\.fid needs torchmetrics: pip install 'swanbench\[fid\]'$"):
        fitted(**{"measure.fid": True})
    with pytest.raises(MethodError, match=r"^measure\.fid needs torchmetrics and torch-fidelity: pip install"):
        fitted(**{"measure.fid": True, "measure.fid_trunk": "fid_inception_v3"})


def test_a_measure_is_no_part_of_the_key_and_no_deviation():
    info = get("csi_gan")
    plain = resolve(info, "official", "cifar10", {})
    asked = {"measure.fid": True, "measure.fid_trunk": "resnet18", "measure.fid_images": 50_000}
    measured = resolve(info, "official", "cifar10", asked)
    assert request.own(measured.params) == asked
    assert fit_params(measured.params) == fit_params(plain.params)
    assumed = ["CSI-GAN is defined by assumption, the papers say too little"]
    assert list(of_method("csi_gan", info, measured)) == assumed
    changed = list(of_method("csi_gan", info, resolve(info, "official", "cifar10", {"gan.lr": 1e-3})))
    assert changed == [*assumed, "csi_gan.gan.lr = 0.001 (recipe: 0.0002)"]


def test_networks_are_needed_only_where_something_is_measured():
    info = get("csi_gan")
    assert request.networks(resolve(info, "official", "cifar10", {}).params) == ()
    asked = resolve(info, "official", "cifar10", {"measure.fid": True}).params
    assert request.networks(asked) == ("fid_inception_v3",)
    assert info.backbones(asked) == ()
    assert request.networks(resolve(get("dra"), "official", "elpv", {}).params) == ()


def test_what_was_stored_without_the_measure_is_known():
    asked = {"measure.fid": True}
    assert request.lacking(asked, {"loss": [1.0]})
    assert not request.lacking(asked, {"loss": [1.0], "frechet_resnet18": [3.0]})
    assert not request.lacking({"measure.fid": False}, {"loss": [1.0]})
