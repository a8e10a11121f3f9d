"""Writing a package: names that can be, folders that are free, whole or not at all."""

import new_packages
import pytest

from benchmark.errors import BenchError
from benchmark.scaffolds import packages
from benchmark.scaffolds.packages import package_files, skill_text, write_package


def test_a_package_is_written_into_a_new_folder_or_an_empty_one(tmp_path):
    (tmp_path / "empty").mkdir()
    inode = (tmp_path / "empty").stat().st_ino
    for folder in (tmp_path / "empty", tmp_path / "deep" / "new"):
        assert write_package("method", "my_head", folder) == folder
        written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert written == package_files("method", "my_head").keys()
    assert (tmp_path / "empty").stat().st_ino == inode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "empty"]


def test_the_folder_is_named_after_the_method_unless_one_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(write_package("method", "my_head")) == "swanbench-my-head"
    assert (tmp_path / "swanbench-my-head" / "swanbench_my_head" / "detector.py").is_file()


def test_a_package_carries_the_skill_that_is_installed():
    assert package_files("method", "my_head")[packages.SKILL_FILE] == skill_text()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("MyHead", "such as my_head"),
        ("my-head", "such as my_head"),
        ("my head", "such as my_head"),
        ("9lives", "such as lives"),
        ("my__head", "such as my_head"),
        ("kopf_ä", "single underscores"),
        ("", "single underscores"),
        ("../up", "such as up"),
        ("a\n", "such as a"),
        ("x" * 61, "at most 60 characters"),
        ("none", "Python's None; choose another"),
    ],
)
def test_a_name_that_cannot_be_is_refused(tmp_path, name, hint):
    with pytest.raises(BenchError) as caught:
        write_package("method", name, tmp_path / "new")
    assert hint in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["method", "dataset"])
@pytest.mark.parametrize("name", ["x", "steel_bolts_" + "of_the_longest_name_that_there_can_be_here_" * 2])
def test_the_code_is_tidy_whatever_the_name(tmp_path, kind, name):
    new_packages.tidy(write_package(kind, name[: packages.LONGEST_ID].rstrip("_"), tmp_path / "new"))


def test_a_method_and_a_dataset_do_not_share_a_package(tmp_path, monkeypatch):
    write_package("method", "bolts", tmp_path / "first")
    monkeypatch.syspath_prepend(tmp_path / "first")
    with pytest.raises(BenchError, match="a package swanbench_bolts is installed already: choose another name for the"):
        write_package("dataset", "bolts", tmp_path / "second")
    assert not (tmp_path / "second").exists()


def test_what_is_there_stays_as_it_is(tmp_path):
    full, file, link = (tmp_path / name for name in ("full", "file", "link"))
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    file.write_text("mine")
    link.symlink_to(tmp_path / "nowhere")
    for folder, reason in ((full, "is not empty"), (file, "is a file"), (link, "is a file"), (file / "in", "cannot")):
        with pytest.raises(BenchError, match=rf"{folder.name}\b.*{reason}.*--output DIR|cannot .*--output DIR"):
            write_package("method", "my_head", folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full", "link"]
    assert [path.name for path in full.iterdir()] == ["notes.txt"]
    assert file.read_text() == "mine"


def test_a_package_that_cannot_be_finished_leaves_nothing(tmp_path, monkeypatch):
    files = package_files("method", "my_head")
    monkeypatch.setattr(packages, "package_files", lambda *_: {**files, "README.md/inside.md": "a file is no folder"})
    with pytest.raises(BenchError, match="cannot write"):
        write_package("method", "my_head", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
