"""A genuine file of weights is known by all 64 digits of its SHA-256, never by the eight in its name."""

import hashlib
from pathlib import Path

import msgspec
import pytest
import torch
from torchvision.models import resnet18

from methods.backbones.fetch import fetch
from methods.backbones.find import RANDOM, identify, label
from methods.backbones.table import BACKBONES, GenuineFile, genuine_files
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


def test_a_trunk_that_shares_eight_digits_is_custom(tmp_path, trunk, publish):
    digest = hashlib.sha256(trunk.read_bytes()).hexdigest()
    publish("resnet18", GenuineFile("resnet18-published.pth", "", digest[:8] + "0" * 56, 0.1))
    assert identify(trunk, cache_dir=tmp_path / "cache").label == f"custom:{digest[:8]}"
    publish("resnet18", GenuineFile("resnet18-published.pth", "", digest, 0.1))
    found = identify(trunk, cache_dir=tmp_path / "cache")
    assert (found.label, found.digest) == ("genuine:resnet18-published.pth", digest)


def test_a_download_that_shares_eight_digits_is_thrown_away(tmp_path, publish):
    web = tmp_path / "web"
    web.mkdir()
    (web / "vgg16-397923af.pth").write_bytes(FORGED)
    (listed,) = BACKBONES["vgg16"].genuine
    publish("vgg16", msgspec.structs.replace(listed, url=f"{web.as_uri()}/{listed.name}"))
    with pytest.raises(MethodError, match="has the SHA-256 397923af"):
        fetch("vgg16", tmp_path / "hub")
    assert not list(Path(tmp_path / "hub").rglob("*.pth*"))


@pytest.mark.parametrize(("arch", "file"), [(row.id, file) for row, file in genuine_files()])
def test_a_label_calls_a_digest_genuine_by_all_its_digits_and_by_its_network(arch, file):
    names = {f"genuine:{other.name}" for other in BACKBONES[arch].genuine if other.sha256 == file.sha256}
    assert label(arch, file.sha256) in names
    last = "1" if file.sha256[-1] == "0" else "0"
    for digest in (file.sha256[:8] + "0" * 56, file.sha256[:-1] + last, file.sha256[:63]):
        assert label(arch, digest) == f"custom:{digest[:8]}"
    other = "vgg16" if arch != "vgg16" else "resnet18"
    assert label(other, file.sha256) == f"custom:{file.sha256[:8]}"
    assert label(arch, RANDOM) == RANDOM
