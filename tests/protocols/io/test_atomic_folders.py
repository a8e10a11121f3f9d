"""Files of ours under a second name: a hard link, or a copy where the file system has none."""

import errno
import os
from pathlib import Path

import made_up
import pytest

from protocols.catalogue import data_folder, verify
from protocols.io.atomic_folders import link_or_copy

NO_LINKS = [errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.EXDEV, errno.EMLINK]


def refuse_links(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.png"
    path.write_bytes(b"picture")
    return path


def test_where_there_are_links_the_file_is_the_same(source: Path, tmp_path: Path) -> None:
    link_or_copy(source, tmp_path / "target.png")
    assert source.samefile(tmp_path / "target.png")


@pytest.mark.parametrize("number", NO_LINKS, ids=errno.errorcode.get)
def test_where_there_are_none_it_is_a_copy(
    number: int, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_links(monkeypatch, number)
    target = tmp_path / "target.png"
    link_or_copy(source, target)
    assert not source.samefile(target)
    assert target.read_bytes() == b"picture"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EEXIST], ids=errno.errorcode.get)
def test_another_error_is_none_of_links(
    number: int, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_links(monkeypatch, number)
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        link_or_copy(source, tmp_path / "target.png")
    assert caught.value.errno == number
    assert not (tmp_path / "target.png").exists()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP], ids=errno.errorcode.get)
def test_a_dataset_is_cut_to_the_same_without_links(
    number: int, tmp_path: Path, made_up_sets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = made_up.tiles_release(tmp_path / "raw")
    linked = data_folder.prepare(tmp_path / "linked", "tiles", raw)
    refuse_links(monkeypatch, number)
    copied = data_folder.prepare(tmp_path / "copied", "tiles", raw)
    assert copied.fingerprint == linked.fingerprint
    assert verify.file_differences(copied) == []
