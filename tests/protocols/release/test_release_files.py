from collections.abc import Callable
from pathlib import Path

import pytest

from protocols.errors import DataError
from protocols.release.release_files import (
    find_entry,
    find_root,
    folder_named,
    images_below,
    list_files,
    list_folders,
    list_images,
)


def filled(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


@pytest.mark.parametrize("nested", ["", "archive", "a/b/c/d", "Brain Tumor (1)"])
def test_the_root_is_found_below_renamed_and_nested_folders_in_any_case(tmp_path: Path, nested: str) -> None:
    filled(tmp_path / nested, "YES/1.jpg", "no/2.jpg", "readme.txt")
    assert find_root(tmp_path, "yes", "no") == tmp_path / nested


def test_below_a_root_no_other_is_looked_for(tmp_path: Path) -> None:
    filled(tmp_path, "yes/1.jpg", "no/1.jpg", "copy/yes/1.jpg", "copy/no/1.jpg")
    assert find_root(tmp_path, "yes", "no") == tmp_path


def test_litter_is_no_root(tmp_path: Path) -> None:
    filled(tmp_path, "r/yes/1.jpg", "__MACOSX/yes/1.jpg", ".trash/yes/1.jpg")
    assert find_root(tmp_path, "yes") == tmp_path / "r"


def test_no_root_a_root_too_deep_and_two_roots_are_refused(tmp_path: Path) -> None:
    filled(tmp_path, "1/2/3/4/5/yes/a.jpg")
    with pytest.raises(DataError, match=f"{tmp_path} holds no folder with yes and no: give the folder of the whole"):
        find_root(tmp_path, "yes", "no")
    with pytest.raises(DataError, match="holds no folder with yes"):
        find_root(tmp_path, "yes")
    filled(tmp_path, "a/yes/a.jpg", "b/yes/a.jpg")
    with pytest.raises(DataError, match=r"/a and .*/b both hold yes: give one of them"):
        find_root(tmp_path, "yes")
    with pytest.raises(DataError, match="is not a folder: give the folder or the archive"):
        find_root(tmp_path / "gone", "yes")


def test_an_entry_is_found_in_any_case_and_the_very_name_wins(tmp_path: Path) -> None:
    filled(tmp_path, "Yes/1.jpg", "labels.CSV")
    assert find_entry(tmp_path, "yes") == tmp_path / "Yes"
    assert find_entry(tmp_path, "labels.csv") == tmp_path / "labels.CSV"
    filled(tmp_path, "yes/1.jpg", "YES/1.jpg")
    assert find_entry(tmp_path, "yes") == tmp_path / "yes"
    with pytest.raises(DataError, match="differ in case only: remove one of them"):
        find_entry(tmp_path, "yEs")
    with pytest.raises(DataError, match="has no no: give the folder of the whole release"):
        find_entry(tmp_path, "no")


def test_a_folder_in_a_folder_of_its_name_is_the_one_meant(tmp_path: Path) -> None:
    filled(tmp_path, "x/Class1/class1/Train/1.PNG", "x/Class2/Train/1.PNG")
    assert folder_named(tmp_path, "Class1") == tmp_path / "x/Class1/class1"
    assert folder_named(tmp_path, "Class2") == tmp_path / "x/Class2"


def test_files_are_sorted_and_their_endings_compared_without_case(tmp_path: Path) -> None:
    filled(tmp_path, "b.PNG", "a.jpeg", "c.txt", ".d.png", "Thumbs.db", "sub/e.png")
    assert [path.name for path in list_files(tmp_path)] == ["a.jpeg", "b.PNG"]
    assert [path.name for path in list_files(tmp_path, suffixes=(".TXT",))] == ["c.txt"]
    assert [path.name for path in list_folders(tmp_path)] == ["sub"]


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    filled(tmp_path, "a.txt")
    with pytest.raises(DataError, match=rf"{tmp_path} holds no file \*.npy: give the folder of the whole release"):
        list_files(tmp_path, suffixes=(".npy",))
    with pytest.raises(DataError, match=r"cannot read .*gone"):
        list_files(tmp_path / "gone")


def test_links_are_followed_inside_the_release_only(tmp_path: Path) -> None:
    release = filled(tmp_path / "release", "yes/1.png", "no/2.png")
    (release / "yes/2.png").symlink_to("../no/2.png")
    assert len(list_files(release / "yes", root=release)) == 2
    with pytest.raises(DataError, match=r"yes/2.png links to .*no/2.png, which is outside .*yes: put a copy"):
        list_files(release / "yes")
    (release / "yes/3.png").symlink_to("gone.png")
    with pytest.raises(DataError, match=r"3.png is a link that leads nowhere"):
        list_files(release / "yes", root=release)


def test_a_linked_folder_that_leads_out_is_refused(tmp_path: Path) -> None:
    release, other = filled(tmp_path / "release", "no/2.png"), filled(tmp_path / "other", "1.png")
    (release / "yes").symlink_to(other)
    with pytest.raises(DataError, match=r"yes/1.png links to .*other/1.png, which is outside"):
        list_files(release / "yes", root=release)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda folder: (folder / "a.png").unlink(), "holds no images: fill or remove it"),
        (lambda folder: filled(folder, "b.txt"), r"b.txt is not an image file \(.*\): move it away"),
        (lambda folder: filled(folder, "b.png/c.png"), r"b.png is not an image file"),
    ],
)
def test_a_folder_of_images_holds_nothing_else(tmp_path: Path, spoil: Callable[[Path], object], problem: str) -> None:
    filled(tmp_path, "a.png", ".hidden")
    assert list_images(tmp_path) == [tmp_path / "a.png"]
    spoil(tmp_path)
    with pytest.raises(DataError, match=problem):
        list_images(tmp_path)


def test_images_below_a_folder_are_listed_by_path_and_links_to_folders_are_not_followed(tmp_path):
    folder = tmp_path / "mine"
    for name in ("b/2.JPG", "a.png", "b/10.png", "c/notes.txt", "Thumbs.db", ".hidden/x.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    (folder / "d.png").symlink_to(folder / "a.png")
    (folder / "round").symlink_to(folder)
    images, others = images_below(folder)
    assert [path.relative_to(folder).as_posix() for path in images] == ["a.png", "b/10.png", "b/2.JPG", "d.png"]
    assert others == 1
