"""A genuine file of weights is known by all 64 digits of its SHA-256, never by the eight in its name."""

import hashlib
from pathlib import Path

import pytest
import torch
from torchvision.models import resnet18

from methods.backbones.fetch import fetch
from methods.backbones.find import RANDOM, identify, label
from methods.backbones.table import GENUINE, Genuine
from methods.errors import MethodError

FORGED = b"no weights: only eight digits agree    :000cCDqD"


@pytest.fixture
def trunk(tmp_path):
    path = tmp_path / "trunk.pth"
    state = resnet18(weights=None).state_dict()
    torch.save({name: value for name, value in state.items() if not name.startswith("fc.")}, path)
    return path


def test_a_file_that_shares_eight_digits_with_vgg16_is_refused_by_its_name(tmp_path):
    path = tmp_path / "vgg16-397923af.pth"
    path.write_bytes(FORGED)
    assert hashlib.sha256(FORGED).hexdigest().startswith("397923af")
    with pytest.raises(MethodError, match="is not the file that its name says, its SHA-256 is 397923af"):
        identify(path, cache_dir=tmp_path / "cache")


def test_a_trunk_that_shares_eight_digits_is_custom(tmp_path, trunk):
    digest = hashlib.sha256(trunk.read_bytes()).hexdigest()
    near = (Genuine("resnet18", "resnet18-published.pth", digest[:8] + "0" * 56),)
    assert identify(trunk, cache_dir=tmp_path / "cache", genuine=near).label == f"custom:{digest[:8]}"
    same = (Genuine("resnet18", "resnet18-published.pth", digest),)
    found = identify(trunk, cache_dir=tmp_path / "cache", genuine=same)
    assert (found.label, found.digest) == ("genuine:resnet18-published.pth", digest)


def test_a_download_that_shares_eight_digits_is_thrown_away(tmp_path):
    web = tmp_path / "web"
    web.mkdir()
    (web / "vgg16-397923af.pth").write_bytes(FORGED)
    vgg16 = [known for known in GENUINE if known.arch == "vgg16"]
    with pytest.raises(MethodError, match="has the SHA-256 397923af"):
        fetch("vgg16", tmp_path / "hub", genuine=vgg16, base_url=f"{web.as_uri()}/")
    assert not list(Path(tmp_path / "hub").rglob("*.pth*"))


@pytest.mark.parametrize("known", GENUINE, ids=lambda known: known.name)
def test_a_label_calls_a_digest_genuine_by_all_its_digits_and_by_its_network(known):
    names = {f"genuine:{one.name}" for one in GENUINE if (one.arch, one.sha256) == (known.arch, known.sha256)}
    assert label(known.arch, known.sha256) in names
    last = "1" if known.sha256[-1] == "0" else "0"
    for digest in (known.sha256[:8] + "0" * 56, known.sha256[:-1] + last, known.sha256[:63]):
        assert label(known.arch, digest) == f"custom:{digest[:8]}"
    other = "vgg16" if known.arch != "vgg16" else "resnet18"
    assert label(other, known.sha256) == f"custom:{known.sha256[:8]}"
    assert label(known.arch, RANDOM) == RANDOM
