"""`bench weights fetch`: how far the download is, while it goes on."""

import hashlib

import msgspec
import pytest

from benchmark.terminal import progress
from methods.backbones.table import BACKBONES, GenuineFile

CONTENT = b"weights " * 2**18
"""Two MiB, which come in two parts."""


@pytest.fixture
def release(tmp_path, monkeypatch):
    """A file in place of the genuine one of ResNet-18."""
    path = tmp_path / "web" / "resnet18.pth"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    file = GenuineFile("resnet18-made-up.pth", path.as_uri(), hashlib.sha256(CONTENT).hexdigest(), 2.0)
    monkeypatch.setitem(BACKBONES, "resnet18", msgspec.structs.replace(BACKBONES["resnet18"], genuine=(file,)))
    return file


def test_a_download_says_how_far_it_is_and_then_where_the_file_lies(release, bench, house, monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", -1.0)
    target = house.root / "torch" / "hub" / "checkpoints" / release.name
    assert bench("weights", "fetch", "resnet18") == (0, f"{target}\n", "resnet18: 50%\nresnet18: 100%\n")
    assert target.read_bytes() == CONTENT
    assert bench("weights", "fetch", "resnet18") == (0, f"{target}\n", "")


def test_a_short_download_says_nothing_on_its_way(release, bench, house):
    code, out, err = bench("weights", "fetch", "resnet18")
    assert (code, out.count("\n"), err) == (0, 1, "")
