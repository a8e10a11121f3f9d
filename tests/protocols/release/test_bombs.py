"""Archives and folders that are made to exhaust whoever opens them end in one sentence."""

import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import made_up
import pytest

from benchmark.cli import status
from protocols.catalogue import data_folder
from protocols.errors import DataError
from protocols.io import archives
from protocols.io.archives import ArchiveLimits

ABOVE = 70


def member(name: str, kind: bytes, size: int) -> bytes:
    """A header of a tar; sizes below zero are written in base 256, as GNU's tar does."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size = kind, 0o755, max(size, 0)
    block = bytearray(info.tobuf(format=tarfile.GNU_FORMAT))
    if size < 0:
        block[124:136] = b"\xff" + (size % (1 << 88)).to_bytes(11, "big")
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def unpack(archive: Path, folder: Path, limits: ArchiveLimits | None = None) -> None:
    archives.check_archive(archive, limits)
    archives.unpack_archive(archive, folder, jobs=2, count=lambda done, total: None, limits=limits)


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.REGTYPE])
def test_a_size_below_zero_is_refused(tmp_path: Path, kind: bytes) -> None:
    archive = tmp_path / "r.tar.xz"
    tail = member("R/zeros.bin", tarfile.REGTYPE, 4 << 20) + bytes(4 << 20) + bytes(10240)
    archive.write_bytes(lzma.compress(member("R/", kind, -(1 << 60)) + tail, preset=0))
    with pytest.raises(DataError, match=r"holds 'R/?', of the size -\d+: nothing of it is used"):
        unpack(archive, tmp_path / "out", ArchiveLimits(least=1 << 20))
    assert not list((tmp_path / "out").rglob("*.bin"))


@pytest.mark.parametrize("size", ["-512", "-1", str(1 << 80)])
def test_a_made_up_size_in_an_extended_header_is_refused(tmp_path: Path, size: str) -> None:
    archive = tmp_path / "r.tar"
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as file:
        info = tarfile.TarInfo("a.png")
        info.pax_headers = {"size": size}
        file.addfile(info, io.BytesIO())
    with pytest.raises(DataError, match=r"holds 'a\.png', (of the size -|with which it would grow)"):
        unpack(archive, tmp_path / "out")


def test_a_sparse_file_is_refused_before_it_is_written(tmp_path: Path) -> None:
    info = tarfile.TarInfo("sparse.bin")
    info.size = 512
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": "0,512",
        "GNU.sparse.size": str(9 << 30),
        "GNU.sparse.name": "sparse.bin",
    }
    archive = tmp_path / "r.tar"
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as file:
        file.addfile(info, io.BytesIO(bytes(512)))
    with pytest.raises(DataError, match=r"holds 'sparse\.bin', (a sparse file|with which it would grow)"):
        unpack(archive, tmp_path / "out")
    with pytest.raises(DataError, match=r"holds 'sparse\.bin', a sparse file: nothing of it is used"):
        unpack(archive, tmp_path / "out", ArchiveLimits(least=10 << 30))
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
@pytest.mark.parametrize("name", ["/".join(["d"] * 1900) + "/a.png", "/".join(["d" * 200] * 8) + "/a.png"])
def test_a_path_that_is_too_deep_or_too_long_is_refused(tmp_path: Path, ending: str, name: str) -> None:
    archive = tmp_path / f"r{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(name, b"")
    else:
        with tarfile.open(archive, "w:gz") as file:
            file.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(DataError, match="a path of more than 1024 characters or 64 folders") as refused:
        unpack(archive, tmp_path / "out")
    assert len(str(refused.value)) < 400


def test_a_chain_of_long_names_is_damage(tmp_path: Path) -> None:
    link = member("././@LongLink", tarfile.GNUTYPE_LONGNAME, 2) + b"a\0".ljust(512, b"\0")
    (tmp_path / "r.tar.gz").write_bytes(gzip.compress(link * 5000 + bytes(10240)))
    with pytest.raises(DataError, match=r"r\.tar\.gz is damaged or cut short"):
        unpack(tmp_path / "r.tar.gz", tmp_path / "out")


def test_headers_without_end_are_not_read_to_their_end(tmp_path: Path) -> None:
    headers = b"".join(
        member("x", tarfile.XGLTYPE, 1 << 20) + f"{1 << 20} k{number}=".encode().ljust((1 << 20) - 1, b"v") + b"\n"
        for number in range(6)
    )
    (tmp_path / "r.tar.gz").write_bytes(gzip.compress(headers + bytes(10240)))
    with pytest.raises(DataError, match=r"is damaged or cut short \(more than 2 MiB\)"):
        unpack(tmp_path / "r.tar.gz", tmp_path / "out", ArchiveLimits(least=2 << 20, growth=1))


def test_a_folder_that_is_too_deep_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    deep = tmp_path / "release" / Path(*["d"] * ABOVE)
    deep.mkdir(parents=True)
    assert status(["data", "prepare", "brain_mri", "--source", str(tmp_path / "release")]) == 2
    assert "holds folders more than 64 deep" in capfd.readouterr().err


@pytest.mark.usefixtures("made_up_sets")
def test_an_archive_in_the_archive_is_named_and_the_hidden_folder_is_not(tmp_path: Path) -> None:
    source = made_up.plain_release(tmp_path / "release")
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        for path in sorted(source.rglob("*.png")):
            file.write(path, path.relative_to(source).as_posix())
    archive = tmp_path / "outer.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "unpack me")
        file.writestr("data/pictures.zip", inner.getvalue())
    with pytest.raises(DataError) as refused:
        data_folder.prepare(tmp_path / "data", "plain", archive)
    assert f"it holds the archive {archive}/data/pictures.zip" in str(refused.value)
    assert ".partial" not in str(refused.value)


@pytest.mark.usefixtures("made_up_sets")
def test_what_is_wrong_in_an_archive_is_said_of_the_archive(tmp_path: Path) -> None:
    archive = tmp_path / "r.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("good/000.png", b"no image")
        file.writestr("bad/000.png", b"no image")
    with pytest.raises(DataError, match=rf"{archive}/(good|bad)/000\.png is not a readable image"):
        data_folder.prepare(tmp_path / "data", "plain", archive)


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "{b = " * 5000])
def test_a_suite_that_is_too_deep_is_one_sentence(tmp_path: Path, text: str, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deep.toml").write_text(text)
    assert status(["run", "--suite", str(tmp_path / "deep.toml"), "--plan"]) == 2
    assert capfd.readouterr().err.count("\n") == 1
    assert status(["run", "--suite", "general", "--set", f"dra.x={text[4:]}", "--plan"]) == 2
    assert capfd.readouterr().err.count("\n") == 1


@pytest.mark.usefixtures("made_up_sets")
def test_json_that_is_too_deep_does_not_stop_a_preparation(tmp_path: Path) -> None:
    source = made_up.plain_release(tmp_path / "release")
    first = data_folder.prepare(tmp_path / "data", "plain", source)
    (first.folder / "source.json").write_text("[" * 100_000)
    assert data_folder.prepare(tmp_path / "data", "plain", source) == first
    assert len((first.folder / "source.json").read_text()) < 1000
