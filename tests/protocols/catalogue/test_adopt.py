import os
import random
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from repository import SHARED

from protocols.catalogue import data_folder, verify
from protocols.datasets.manifest import MANIFEST
from protocols.errors import DataError
from protocols.splits import split as splits


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_ids_are_paths_and_labels_published_names(mvtec_folder: Path, data_dir: Path) -> None:
    dataset = data_folder.adopt_dataset(mvtec_folder, "carpet", data_dir)
    assert [(row.id, row.label, row.split) for row in dataset.rows] == [
        *((f"test/color/{i:03d}.png", "color", "test") for i in range(3)),
        *((f"test/good/{i:03d}.png", "normal", "test") for i in range(2)),
        *((f"test/metal_contamination/{i:03d}.png", "metal", "test") for i in range(2)),
        *((f"train/good/{i:03d}.png", "normal", "train") for i in range(4)),
    ]
    assert {(row.width, row.height, row.channels) for row in dataset.rows} == {(12, 10, 1)}
    assert data_folder.open_dataset(data_dir, "carpet") == dataset
    assert verify.file_differences(dataset) == []


def test_only_the_carpet_has_the_carpet_s_aliases(mvtec_folder: Path, data_dir: Path) -> None:
    assert data_folder.adopt_dataset(mvtec_folder, "mine", data_dir).labels == ("color", "metal_contamination")


def test_class_folders_become_lower_snake_case(mvtec_folder: Path, data_dir: Path) -> None:
    (mvtec_folder / "test/color").rename(mvtec_folder / "test/Broken-end x")
    assert data_folder.adopt_dataset(mvtec_folder, "mine", data_dir).labels == ("broken_end_x", "metal_contamination")


def test_images_are_linked_not_copied(mvtec_folder: Path, data_dir: Path) -> None:
    dataset = data_folder.adopt_dataset(mvtec_folder, "mine", data_dir)
    for row in dataset.rows:
        assert dataset.path(row).is_symlink()
        assert dataset.path(row).resolve() == (mvtec_folder / row.id).resolve()


def test_the_directory_order_does_not_matter(
    mvtec_folder: Path, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = data_folder.adopt_dataset(mvtec_folder, "mine", data_dir)
    listed = Path.iterdir

    def shuffled(self: Path) -> Iterator[Path]:
        entries = list(listed(self))
        random.Random(len(entries)).shuffle(entries)
        return iter(entries)

    monkeypatch.setattr(Path, "iterdir", shuffled)
    second = data_folder.adopt_dataset(mvtec_folder, "mine", tmp_path / "other")
    assert (first.folder / MANIFEST).read_bytes() == (second.folder / MANIFEST).read_bytes()


def test_a_copied_source_gives_the_same_splits(mvtec_folder: Path, data_dir: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(mvtec_folder, tmp_path / "copy"))
    drawn = [
        splits.draw(
            data_folder.adopt_dataset(source, name, data_dir), "hard", split_seed=0, known_class="color", shots=1
        )
        for source, name in ((mvtec_folder, "carpet"), (copy, "carpet@copy"))
    ]
    assert drawn[0].fingerprint == drawn[1].fingerprint
    assert drawn[0].test_normal == ("test/good/000.png", "test/good/001.png")


def test_adopting_the_same_images_again_changes_nothing(mvtec_folder: Path, data_dir: Path) -> None:
    first = data_folder.adopt_dataset(mvtec_folder, "mine", data_dir)
    before = (data_dir / "mine").stat().st_ino
    assert data_folder.adopt_dataset(mvtec_folder, "mine", data_dir) == first
    assert (data_dir / "mine").stat().st_ino == before


def test_adopting_a_moved_source_again_renews_the_links(mvtec_folder: Path, data_dir: Path, tmp_path: Path) -> None:
    data_folder.adopt_dataset(mvtec_folder, "mine", data_dir)
    moved = mvtec_folder.rename(tmp_path / "moved")
    assert data_folder.dataset_state(data_dir, "mine") == "damaged"
    assert verify.file_differences(data_folder.adopt_dataset(moved, "mine", data_dir)) == []


def test_other_images_under_a_taken_name_are_refused(
    mvtec_folder: Path, data_dir: Path, save_image: Callable[..., Path]
) -> None:
    first = data_folder.adopt_dataset(mvtec_folder, "mine", data_dir)
    save_image(mvtec_folder / "test/color/999.png", 999)
    with pytest.raises(DataError, match=r"holds other images already: remove it, or adopt .* under another name"):
        data_folder.adopt_dataset(mvtec_folder, "mine", data_dir)
    assert data_folder.open_dataset(data_dir, "mine") == first


def test_a_foreign_folder_of_that_name_is_left_alone(mvtec_folder: Path, data_dir: Path) -> None:
    shutil.copytree(mvtec_folder, data_dir / "carpet")
    with pytest.raises(DataError, match="is no prepared dataset: move it elsewhere"):
        data_folder.adopt_dataset(data_dir / "carpet", "carpet", data_dir)
    assert (data_dir / "carpet/train/good/000.png").is_file()


def test_litter_and_masks_are_ignored(mvtec_folder: Path, data_dir: Path) -> None:
    (mvtec_folder / "train/.DS_Store").write_text("")
    (mvtec_folder / "test/color/Thumbs.db").write_text("")
    assert len(data_folder.adopt_dataset(mvtec_folder, "mine", data_dir).rows) == 11


def test_a_link_inside_the_source_is_followed(mvtec_folder: Path, data_dir: Path) -> None:
    (mvtec_folder / "test/color/009.png").symlink_to("000.png")
    assert len(data_folder.adopt_dataset(mvtec_folder, "mine", data_dir).rows) == 12


def test_a_link_out_of_the_source_is_followed(mvtec_folder: Path, data_dir: Path) -> None:
    _outside(mvtec_folder)
    dataset = data_folder.adopt_dataset(mvtec_folder, "mine", data_dir)
    assert dataset.path(dataset.row("test/color/009.png")).samefile(mvtec_folder.parent / "secret.png")


def test_names_are_brought_to_nfc(mvtec_folder: Path, data_dir: Path) -> None:
    (mvtec_folder / "test/color/000.png").rename(mvtec_folder / "test/color" / unicodedata.normalize("NFD", "ä, b.png"))
    dataset = data_folder.adopt_dataset(mvtec_folder, "mine", data_dir)
    assert dataset.row(unicodedata.normalize("NFC", "test/color/ä, b.png"))
    assert verify.file_differences(data_folder.open_dataset(data_dir, "mine")) == []


def _remove(source: Path, folder: str) -> None:
    shutil.rmtree(source / folder)


def _truncate(source: Path) -> None:
    path = source / "test/color/001.png"
    path.write_bytes(path.read_bytes()[:-40])


def _twins(source: Path) -> None:
    for form in ("NFC", "NFD"):
        shutil.copy(source / "test/color/000.png", source / "test/color" / unicodedata.normalize(form, "ä.png"))


def _outside(source: Path) -> None:
    (source.parent / "secret.png").write_bytes((source / "test/color/000.png").read_bytes())
    (source / "test/color/009.png").symlink_to("../../../secret.png")


def _same_class(source: Path) -> None:
    shutil.copytree(source / "test/color", source / "test/Color")


def _broken_name(source: Path) -> None:
    (source / "test/color/000.png").rename(source / "test/color" / os.fsdecode(b"\xff.png"))


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda s: _remove(s, "train/good"), "has no folder train/good: give a folder in the layout of MVTec AD"),
        (lambda s: _remove(s, "test"), "has no folder test: "),
        (lambda s: _remove(s, "test/good"), "has no folder test/good: "),
        (lambda s: (_remove(s, "test/color"), _remove(s, "test/metal_contamination")), "holds no anomaly class"),
        (lambda s: (s / "test/empty").mkdir(), "empty holds no images: fill or remove it"),
        (lambda s: (s / "train/bad").mkdir(), "train/bad is not good"),
        (lambda s: (s / "test/note.txt").write_text(""), "note.txt is a file where .*test should hold folders"),
        (lambda s: (s / "test/color/note.txt").write_text(""), "note.txt is not an image file .*: move it away"),
        (lambda s: (s / "test/color/sub.png").mkdir(), "sub.png is not an image file"),
        (lambda s: (s / "test/color/000.png").write_bytes(b""), "color/000.png is empty: replace or remove the file"),
        (lambda s: (s / "test/color/000.png").write_bytes(b"no image"), "000.png is not a readable image"),
        (_truncate, "color/001.png is not a readable image"),
        (_twins, r"are both the image 'test/color/ä.png' \(in Unicode's NFC\): rename one"),
        (lambda s: (s / "test/color/009.png").symlink_to("gone.png"), "009.png is a link that leads nowhere"),
        (_same_class, "are both the class 'color': rename one of them"),
        (lambda s: (s / "test/color").rename(s / "test/Good"), "are both the class 'normal': rename one of them"),
        (lambda s: (s / "test/color/000.png").rename(s / "test/color/a\tb.png"), "has control characters"),
        (lambda s: (s / "test/color/000.png").rename(s / "test/color/a\nb.png"), "has control characters"),
        (_broken_name, "has control characters or broken UTF-8"),
        (shutil.rmtree, "is not a folder: give a folder that holds train/good and test"),
    ],
)
def test_a_spoilt_source_is_refused_and_the_data_folder_is_as_before(
    mvtec_folder: Path, data_dir: Path, spoil: Callable[[Path], object], problem: str
) -> None:
    spoil(mvtec_folder)
    with pytest.raises(DataError, match=problem) as refused:
        data_folder.adopt_dataset(mvtec_folder, "mine", data_dir)
    assert "\n" not in str(refused.value)
    assert not data_dir.exists()


def test_the_folder_above_a_category_gets_a_hint(mvtec_folder: Path, data_dir: Path) -> None:
    with pytest.raises(DataError, match=f"did you mean {mvtec_folder}"):
        data_folder.adopt_dataset(mvtec_folder.parent, "carpet", data_dir)


@pytest.mark.parametrize("name", ["Carpet", "../x", "", "a b", "a@", "a@b@c"])
def test_a_name_that_cannot_be_a_dataset_is_refused(mvtec_folder: Path, data_dir: Path, name: str) -> None:
    with pytest.raises(DataError, match="cannot be a dataset's name"):
        data_folder.adopt_dataset(mvtec_folder, name, data_dir)


def test_what_prepares_itself_is_not_adopted(mvtec_folder: Path, data_dir: Path) -> None:
    with pytest.raises(DataError, match=r"elpv prepares itself: adopt .* under another name"):
        data_folder.adopt_dataset(mvtec_folder, "elpv", data_dir)


@pytest.mark.parametrize("name", ["mvtec_ad", "mvtec_ad@mine"])
def test_the_name_of_a_family_is_not_adopted(mvtec_folder: Path, data_dir: Path, name: str) -> None:
    with pytest.raises(DataError, match=rf"{name} is a family of datasets: adopt .*, such as bottle, or under another"):
        data_folder.adopt_dataset(mvtec_folder, name, data_dir)
    assert not data_dir.exists()


def test_folders_in_upper_case_are_read(mvtec_folder: Path, data_dir: Path) -> None:
    expected = data_folder.adopt_dataset(mvtec_folder, "carpet", data_dir)
    for folder in sorted((path for path in mvtec_folder.rglob("*") if path.is_dir()), reverse=True):
        folder.rename(folder.with_name(folder.name.upper()))
    dataset = data_folder.adopt_dataset(mvtec_folder, "carpet@upper", data_dir)
    found = {(row.id.lower(), row.label, row.split) for row in dataset.rows}
    assert found == {(row.id, row.label, row.split) for row in expected.rows}
    assert {row.id.partition("/")[0] for row in dataset.rows} == {"test", "train"}


def test_a_real_category_has_the_counts_of_table_5(data_dir: Path) -> None:
    source = SHARED / "data/raw/mvtec_anomaly_detection/screw"
    if not source.is_dir():
        pytest.skip("the shared real images are not here")
    dataset = data_folder.adopt_dataset(source, "screw", data_dir)
    split = splits.draw(dataset, "general", split_seed=0, shots=1, options={"one_shot_test": "own"})
    assert (len(split.train_normal), len(split.test_normal), len(split.test_anomaly)) == (320, 41, 118)
    assert len(dataset.labels) == 5
    assert dataset.channels == 1
