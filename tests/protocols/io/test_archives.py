import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import made_up
import pytest

from protocols.catalogue import data_folder
from protocols.errors import DataError
from protocols.io.archives import ArchiveLimits, check_archive, unpack_archive

PACKED = {".tar": bytes, ".tar.gz": gzip.compress, ".tar.bz2": bz2.compress, ".tar.xz": lzma.compress}


def zipped(path: Path, members: list[tuple[str, bytes]], modes: dict[str, int] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (modes or {}).get(name, stat.S_IFREG | 0o644) << 16
            archive.writestr(info, data)
    return path


def tarred(path: Path, members: list[tuple[str, bytes]], kinds: dict[str, bytes] | None = None) -> Path:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.type = (kinds or {}).get(name, tarfile.REGTYPE)
            info.linkname = "elsewhere" if info.type in {tarfile.SYMTYPE, tarfile.LNKTYPE} else ""
            archive.addfile(info, io.BytesIO(content))
    ending = "".join(path.suffixes)
    path.write_bytes(PACKED[ending](data.getvalue()))
    return path


def unpacked(archive: Path, folder: Path, limits: ArchiveLimits | None = None) -> dict[str, bytes]:
    check_archive(archive, limits)
    unpack_archive(archive, folder, jobs=2, count=lambda done, total: None, limits=limits)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


MEMBERS = [("a/one.png", b"1" * 5000), ("a/b/two.png", b"2"), ("empty.png", b"")]


@pytest.mark.parametrize("ending", [".zip", *PACKED])
def test_an_archive_is_unpacked_as_it_is(tmp_path: Path, ending: str) -> None:
    make = zipped if ending == ".zip" else tarred
    assert unpacked(make(tmp_path / f"release{ending}", MEMBERS), tmp_path / "out") == dict(MEMBERS)


def test_litter_is_left_out_and_dots_in_paths_mean_nothing(tmp_path: Path) -> None:
    members = [("./a/one.png", b"1"), ("__MACOSX/a/._one.png", b"x"), ("a/.DS_Store", b"x"), ("a/Thumbs.db", b"x")]
    assert unpacked(zipped(tmp_path / "r.zip", members), tmp_path / "zip") == {"a/one.png": b"1"}
    assert unpacked(tarred(tmp_path / "r.tar", members), tmp_path / "tar") == {"a/one.png": b"1"}


def test_backslashes_of_a_zip_are_folders(tmp_path: Path) -> None:
    assert unpacked(zipped(tmp_path / "r.zip", [("a\\one.png", b"1")]), tmp_path / "out") == {"a/one.png": b"1"}


GOOD = ("good.png", b"good")
REFUSED_NAMES = {
    "../evil.png": "a path that leads out of the folder",
    "a/../../evil.png": "a path that leads out of the folder",
    "/tmp/evil.png": "an absolute path",
    "C:/evil.png": "an absolute path",
    "good.png": "which it holds twice",
    "good.png/below.png": "which lies below the file 'good.png'",
    f"{'n' * 300}.png": "a name that is too long",
}


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz"])
@pytest.mark.parametrize(("name", "problem"), REFUSED_NAMES.items())
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_bad_name_refuses_the_archive_and_names_the_member(
    tmp_path: Path, ending: str, name: str, problem: str
) -> None:
    make = zipped if ending == ".zip" else tarred
    archive = make(tmp_path / f"release{ending}", [GOOD, (name, b"evil")])
    with pytest.raises(DataError) as refused:
        unpacked(archive, tmp_path / "out")
    assert str(refused.value) == f"{archive} holds {name!r}, {problem}: nothing of it is used; get the release again"
    assert not (tmp_path / "evil.png").exists()


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a device"),
    ],
)
def test_links_and_devices_of_a_tar_are_refused(tmp_path: Path, kind: bytes, problem: str) -> None:
    archive = tarred(tmp_path / "r.tar.gz", [GOOD, ("evil.png", b"")], {"evil.png": kind})
    with pytest.raises(DataError, match=f"r.tar.gz holds 'evil.png', {problem}: nothing of it is used"):
        unpacked(archive, tmp_path / "out")


@pytest.mark.parametrize(
    ("mode", "problem"), [(stat.S_IFLNK, "a link"), (stat.S_IFCHR, "a device"), (stat.S_IFIFO, "a device")]
)
def test_links_and_devices_of_a_zip_are_refused_before_anything_is_written(
    tmp_path: Path, mode: int, problem: str
) -> None:
    archive = zipped(tmp_path / "r.zip", [GOOD, ("evil.png", b"/etc/passwd")], {"evil.png": mode | 0o777})
    with pytest.raises(DataError, match=f"r.zip holds 'evil.png', {problem}: nothing of it is used"):
        check_archive(archive)


@pytest.mark.parametrize("make", [zipped, tarred])
def test_an_archive_that_grows_too_much_is_refused(tmp_path: Path, make: Callable[..., Path]) -> None:
    ending = ".zip" if make is zipped else ".tar.gz"
    archive = make(tmp_path / f"r{ending}", [GOOD, ("zeros.png", bytes(3 << 20))])
    with pytest.raises(DataError, match=r"holds 'zeros\.png', with which it would grow to more than 2 MiB"):
        unpacked(archive, tmp_path / "out", ArchiveLimits(least=2 << 20))
    assert len(unpacked(archive, tmp_path / "out", ArchiveLimits(least=4 << 20))) == 2
    assert len(unpacked(archive, tmp_path / "out", ArchiveLimits(least=0, growth=2000))) == 2


@pytest.mark.parametrize("make", [zipped, tarred])
def test_too_many_files_are_refused(tmp_path: Path, make: Callable[..., Path]) -> None:
    archive = make(tmp_path / ("r.zip" if make is zipped else "r.tar.xz"), [(f"{i}.png", b"") for i in range(12)])
    with pytest.raises(DataError, match="holds more than 11 files: unpack it yourself"):
        unpacked(archive, tmp_path / "out", ArchiveLimits(files=11))


def test_a_zip_that_lies_about_a_size_is_damaged(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "r.zip", [("zeros.png", bytes(1000))])
    data = archive.read_bytes()
    archive.write_bytes(data.replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(DataError, match=r"r.zip is damaged or cut short \(Bad CRC-32"):
        unpacked(archive, tmp_path / "out")


def test_a_header_of_a_made_up_length_is_not_read_into_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 8 << 30
    with gzip.open(tmp_path / "r.tar.gz", "wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20))
    with pytest.raises(DataError, match=r"r.tar.gz is damaged or cut short \(a header of 8589934592 bytes\)"):
        unpacked(tmp_path / "r.tar.gz", tmp_path / "out")


def test_a_zip_with_a_password_says_what_to_do(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "r.zip", [GOOD])
    data = bytearray(archive.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(DataError, match=r"holds 'good\.png', which needs a password: unpack it yourself"):
        check_archive(archive)


@pytest.mark.parametrize("ending", [".zip", *PACKED])
@pytest.mark.parametrize("cut", [0.97, 0.5])
def test_an_archive_cut_short_is_named(tmp_path: Path, ending: str, cut: float) -> None:
    make = zipped if ending == ".zip" else tarred
    archive = make(tmp_path / f"r{ending}", [(f"{i}.png", bytes(range(256)) * 9) for i in range(20)])
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * cut) // 512 * 512 if ending == ".tar" else int(len(data) * cut)])
    if ending == ".tar" and cut > 0.9:
        archive.write_bytes(data[: data.rindex(bytes(range(256)) * 9) + 256 * 9 + 256])
    with pytest.raises(DataError, match=r"r\.\w+(\.\w+)? is (damaged or cut short|no archive)"):
        unpacked(archive, tmp_path / "out")


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("id,label\n")
    with pytest.raises(DataError, match=r"labels.csv is no archive \(.zip, .tar, .*\): give a folder"):
        check_archive(tmp_path / "labels.csv")
    (tmp_path / "r.7z").write_bytes(b"7z\xbc\xaf\x27\x1c")
    with pytest.raises(DataError, match=r"r.7z cannot be unpacked here: unpack it yourself and give the folder"):
        check_archive(tmp_path / "r.7z")


def test_too_little_space_is_said_before_a_zip_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    archive = zipped(tmp_path / "r.zip", [("zeros.png", bytes(3 << 20))])
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=2**20))
    with pytest.raises(DataError, match=r"the files in r.zip need 3\.0 MiB in .*, 1\.0 MiB are free: .*BENCH_DATA"):
        unpacked(archive, tmp_path / "out")


def test_what_is_there_of_a_zip_is_kept_unless_its_bytes_differ(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "r.zip", MEMBERS)
    unpacked(archive, tmp_path / "out")
    same, other = tmp_path / "out/a/one.png", tmp_path / "out/a/b/two.png"
    inode = same.stat().st_ino
    other.write_bytes(b"3")
    assert unpacked(archive, tmp_path / "out") == dict(MEMBERS)
    assert same.stat().st_ino == inode


def packed(kind: str, source: Path, target: Path) -> Path:
    files = [(path.relative_to(source).as_posix(), path.read_bytes()) for path in sorted(source.rglob("*.png"))]
    return zipped(target / "r.zip", files) if kind == "zip" else tarred(target / f"r.{kind}", files)


@pytest.mark.usefixtures("made_up_sets")
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
def test_an_archive_gives_the_manifest_of_its_folder(tmp_path: Path, kind: str) -> None:
    source = made_up.plain_release(tmp_path / "deep" / "er" / "release")
    folder = data_folder.prepare(tmp_path / "one", "plain", source)
    archived = data_folder.prepare(tmp_path / "two", "plain", packed(kind, tmp_path / "deep", tmp_path))
    assert archived.rows == folder.rows
    assert all(not archived.path(row).is_symlink() and archived.path(row).stat().st_nlink == 1 for row in archived.rows)
    hidden = [path.name for path in (tmp_path / "two").iterdir() if path.name != "plain"]
    assert hidden == [".plain.lock"]


@pytest.mark.usefixtures("made_up_sets")
@pytest.mark.parametrize("prepared_before", [False, True])
def test_a_refused_archive_leaves_the_prepared_folder_as_it_was(tmp_path: Path, prepared_before: bool) -> None:
    source = made_up.plain_release(tmp_path / "release")
    data_dir = tmp_path / "data"
    if prepared_before:
        data_folder.prepare(data_dir, "plain", source)
    before = {path: path.read_bytes() for path in sorted(data_dir.rglob("*")) if path.is_file()}
    members = [(path.relative_to(source).as_posix(), path.read_bytes()) for path in sorted(source.rglob("*.png"))]
    for archive in (
        zipped(tmp_path / "r.zip", [*members, ("../evil.png", b"")]),
        tarred(tmp_path / "r.tar.gz", [*members, ("/evil.png", b"")]),
    ):
        with pytest.raises(DataError, match=r"evil\.png"):
            data_folder.prepare(data_dir, "plain", archive)
    after = {path: path.read_bytes() for path in sorted(data_dir.rglob("*")) if path.is_file()}
    assert {path: data for path, data in after.items() if path.suffix != ".lock"} == {
        path: data for path, data in before.items() if path.suffix != ".lock"
    }
