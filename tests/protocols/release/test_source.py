import shutil
from pathlib import Path

import made_up
import pytest

from protocols.catalogue import data_folder
from protocols.errors import DataError
from protocols.release.source import open_source, unpack_release


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone is not there: give the folder or the archive of the release"):
        open_source(tmp_path / "gone", tmp_path)


def test_the_key_follows_names_sizes_and_times_but_not_what_lies_in_the_data_folder(tmp_path: Path) -> None:
    source = made_up.plain_release(tmp_path / "release")
    data_dir = source / "data"
    first = open_source(source, data_dir).key
    (data_dir / "x").mkdir(parents=True)
    (data_dir / "x" / "y").write_text("")
    assert open_source(source, data_dir).key == first
    image = source / "good" / "000.png"
    image.write_bytes(image.read_bytes())
    touched = open_source(source, data_dir).key
    assert touched != first
    image.rename(image.with_name("900.png"))
    assert open_source(source, data_dir).key not in {first, touched}


def test_the_key_of_other_paths_is_another(tmp_path: Path) -> None:
    source = made_up.plain_release(tmp_path / "release")
    shutil.copytree(source, tmp_path / "copy")
    assert open_source(source, tmp_path / "d").key != open_source(tmp_path / "copy", tmp_path / "d").key


def whole(source: Path, folder: Path) -> list[str]:
    folder.mkdir()
    root = unpack_release(open_source(source, folder), folder, jobs=1, progress=lambda what, done, total: None)
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def zip_of(files: list[str], target: Path) -> None:
    content = target.with_suffix("")
    for file in files:
        (content / file).parent.mkdir(parents=True, exist_ok=True)
        (content / file).write_text(file)
    shutil.make_archive(str(content), "zip", content)
    shutil.rmtree(content)


def test_several_archives_become_one_folder(tmp_path: Path) -> None:
    source = tmp_path / "downloads"
    source.mkdir()
    zip_of(["Class1/Train/1.png"], source / "Class1.zip")
    zip_of(["1.npy", "2.npy"], source / "train_typical.zip")
    zip_of(["data/a.png"], source / "one.zip")
    zip_of(["data/b.png"], source / "two.zip")
    (source / "labels.csv").write_text("x")
    (source / ".DS_Store").write_text("x")
    assert whole(source, tmp_path / "out") == [
        "Class1/Train/1.png",
        "data/a.png",
        "data/b.png",
        "labels.csv",
        "train_typical/1.npy",
        "train_typical/2.npy",
    ]


def test_two_archives_with_the_same_file_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "downloads"
    source.mkdir()
    zip_of(["data/a.png"], source / "one.zip")
    zip_of(["data/a.png"], source / "two.zip")
    with pytest.raises(DataError, match=r"two.zip holds a.png, and so does another archive beside it: unpack them"):
        whole(source, tmp_path / "out")


def test_archives_beside_a_folder_are_ignored(tmp_path: Path) -> None:
    source = made_up.plain_release(tmp_path / "release")
    zip_of(["x.png"], source / "x.zip")
    release = open_source(source, tmp_path / "data")
    assert release.archives == ()
    assert unpack_release(release, tmp_path, jobs=1, progress=lambda what, done, total: None) == source


def test_an_archive_that_cannot_be_unpacked_is_refused_beside_others_too(tmp_path: Path) -> None:
    source = tmp_path / "downloads"
    source.mkdir()
    zip_of(["data/a.png"], source / "one.zip")
    (source / "two.7z").write_bytes(b"7z")
    with pytest.raises(DataError, match=r"two.7z cannot be unpacked here: unpack it yourself"):
        open_source(source, tmp_path / "data")


@pytest.mark.usefixtures("made_up_sets")
def test_an_archive_that_is_done_is_not_unpacked_again(tmp_path: Path) -> None:
    source = made_up.plain_release(tmp_path / "release")
    archive = Path(shutil.make_archive(str(tmp_path / "r"), "gztar", source))
    counted: list[str] = []

    def prepared() -> int:
        data_folder.prepare(
            tmp_path / "data", "plain", archive, progress=lambda what, done, total: counted.append(what)
        )
        return counted.count("unpacking r.tar.gz")

    first = prepared()
    assert first > 0
    assert prepared() == first
    next((tmp_path / "data" / "plain").rglob("*.png")).unlink()
    assert prepared() == 2 * first
