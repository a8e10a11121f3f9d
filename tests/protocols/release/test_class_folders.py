from collections.abc import Callable
from pathlib import Path

import pytest

from protocols.catalogue import data_folder, verify
from protocols.errors import DataError
from protocols.splits import split as splits


@pytest.fixture
def class_folders(tmp_path: Path, save_image: Callable[..., Path]) -> Path:
    """Eight images in `normal`, three in `Big Crack`, two in `hole`; a note beside them."""
    source = tmp_path / "photos"
    for seed, (folder, number) in enumerate(
        (folder, number) for folder, count in (("normal", 8), ("Big Crack", 3), ("hole", 2)) for number in range(count)
    ):
        save_image(source / folder / f"{number}.png", seed)
    (source / "note.txt").write_text("taken in May")
    return source


def adopt(source: Path, data_dir: Path) -> object:
    return data_folder.adopt_dataset(source, "mine", data_dir, layout="class_folders")


def test_folders_are_classes_and_the_rules_draw_the_split(class_folders: Path, tmp_path: Path) -> None:
    dataset = data_folder.adopt_dataset(class_folders, "mine", tmp_path / "data", layout="class_folders")
    assert dataset.labels == ("big_crack", "hole")
    assert dataset.row("Big Crack/0.png").label == "big_crack"
    assert {row.split for row in dataset.rows} == {""}
    assert verify.file_differences(dataset) == []
    split = splits.draw(dataset, "general", split_seed=0, shots=1, options={"one_shot_test": "own"})
    assert (len(split.train_normal), len(split.test_normal), len(split.test_anomaly)) == (6, 2, 4)


def test_the_normal_folder_may_be_called_good(class_folders: Path, tmp_path: Path) -> None:
    (class_folders / "normal").rename(class_folders / "Good")
    dataset = data_folder.adopt_dataset(class_folders, "mine", tmp_path / "data", layout="class_folders")
    assert dataset.row("Good/0.png").label == "normal"


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda s: (s / "normal").rename(s / "fine"), "has no folder good or normal: rename the folder of the normal"),
        (lambda s: [p.rename(s / "normal" / f"{p.parent.name}{p.name}") for p in s.glob("[Bh]*/*")], "holds no images"),
        (lambda s: (s / "hole").rename(s / "good"), "are both the class 'normal': rename one of them"),
        (lambda s: (s / "hole").rename(s / "big-crack"), "are both the class 'big_crack': rename one of them"),
        (lambda s: (s / "hole/x.txt").write_text(""), "x.txt is not an image file"),
        (lambda s: (s / "hole/9.png").write_bytes(b""), "9.png is empty: replace or remove the file"),
        (lambda s: (s / "hole/9.png").symlink_to("gone.png"), "9.png is a link that leads nowhere"),
        (lambda s: (s / "hole/9.png").symlink_to("/etc"), "9.png is not an image file"),
    ],
)
def test_what_cannot_be_adopted_is_refused(
    class_folders: Path, tmp_path: Path, spoil: Callable[[Path], object], problem: str
) -> None:
    spoil(class_folders)
    with pytest.raises(DataError, match=problem):
        adopt(class_folders, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_all_files_that_cannot_be_read_are_named_at_once(class_folders: Path, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (class_folders / f"hole/{name}.png").write_bytes(b"no image")
    with pytest.raises(
        DataError, match=r"hole/a\.png is not .*; 2 more files cannot be read: hole/b\.png, hole/c\.png"
    ):
        adopt(class_folders, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_only_normal_images_are_refused(class_folders: Path, tmp_path: Path) -> None:
    for folder in ("hole", "Big Crack"):
        for path in (class_folders / folder).iterdir():
            path.unlink()
        (class_folders / folder).rmdir()
    with pytest.raises(DataError, match="holds no anomaly class: put anomalies into a folder beside normal"):
        adopt(class_folders, tmp_path / "data")


def test_an_unknown_layout_gets_a_near_miss(class_folders: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no layout 'class_folder': did you mean 'class_folders'"):
        data_folder.adopt_dataset(class_folders, "mine", tmp_path / "data", layout="class_folder")
