import shutil
from collections import Counter
from pathlib import Path

import pytest
from pictures import save_picture
from preparing import prepared, raw
from releases import grey, mask, mvtec_category

from protocols.catalogue import verify
from protocols.datasets.registry import dataset_family
from protocols.errors import DataError
from protocols.preparations.mvtec_ad import class_folders


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release of two categories, with its licence beside them."""
    root = tmp_path / "raw"
    for category in ("carpet", "toothbrush"):
        mvtec_category(root, category)
    (root / "license.txt").write_text("a licence")
    return root


def test_the_classes_of_every_category_are_as_many_as_table_5_counts() -> None:
    for info in dataset_family("mvtec_ad"):
        assert info.published
        assert len(class_folders(info)) == info.published.classes, info.id


def test_a_category_is_taken_as_it_is(release: Path, tmp_path: Path) -> None:
    dataset = prepared("carpet", release, tmp_path / "out")
    assert Counter((row.label, row.split) for row in dataset.rows) == {
        ("normal", "train"): 3,
        ("normal", "test"): 2,
        **{(label, "test"): 2 for label in ("color", "cut", "hole", "metal", "thread")},
    }
    row = dataset.row("test/metal_contamination/001.png")
    assert row.label == "metal"
    assert dataset.path(row).samefile(release / "carpet" / row.id)
    assert verify.file_differences(dataset) == []


def test_the_one_class_of_toothbrush_is_defect(release: Path, tmp_path: Path) -> None:
    assert prepared("toothbrush", release, tmp_path / "out").labels == ("defect",)


@pytest.mark.parametrize("layout", ["itself", "renamed", "nested", "doubled", "upper", "upper inside"])
def test_ids_are_the_same_under_every_layout(release: Path, tmp_path: Path, layout: str) -> None:
    expected = prepared("carpet", release, tmp_path / "out").rows
    source = tmp_path / "download"
    inner = {
        "itself": "carpet",
        "renamed": "my carpet images",
        "nested": "archive/mvtec_anomaly_detection/carpet",
        "doubled": "carpet/carpet",
        "upper": "CARPET",
        "upper inside": "carpet",
    }[layout]
    shutil.copytree(release / "carpet", source / inner)
    if layout == "upper inside":
        for folder in sorted((path for path in source.rglob("*") if path.is_dir()), reverse=True):
            folder.rename(folder.with_name(folder.name.upper()))
    given = source / "carpet" if layout == "itself" else source
    assert prepared("carpet", given, tmp_path / "again").rows == expected


def test_images_may_be_jpeg_under_png_names_and_end_in_upper_case(release: Path, tmp_path: Path) -> None:
    path = release / "carpet/test/hole/000.png"
    path.unlink()
    save_picture(path.with_suffix(".jpg"), grey(1, 8, 8)).rename(path.with_suffix(".PNG"))
    dataset = prepared("carpet", release, tmp_path / "out")
    assert dataset.row("test/hole/000.PNG").label == "hole"


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda r: shutil.rmtree(r / "carpet"), r"raw holds toothbrush but no carpet: give the folder of carpet"),
        (lambda r: shutil.rmtree(r / "carpet/test/hole"), r"carpet has no test/hole: get the whole release"),
        (lambda r: shutil.rmtree(r / "carpet/test/good"), r"carpet has no folder test/good: "),
        (lambda r: shutil.rmtree(r / "carpet/train"), r"carpet holds no folder with train and test: "),
        (
            lambda r: save_picture(r / "carpet/test/mine/0.png", grey(1, 8, 8)),
            r"carpet/test/mine is no class of carpet: ",
        ),
        (lambda r: shutil.rmtree(r / "carpet/ground_truth"), r"carpet has no ground_truth: "),
        (lambda r: shutil.rmtree(r / "carpet/ground_truth/cut"), r"ground_truth has no cut: "),
        (lambda r: (r / "carpet/ground_truth/mine").mkdir(), r"ground_truth/mine holds masks of no class of carpet: "),
        (
            lambda r: (r / "carpet/ground_truth/cut/001_mask.png").unlink(),
            r"carpet/test/cut/001\.png has no mask in .*carpet/ground_truth/cut: get the release again",
        ),
        (
            lambda r: (r / "carpet/test/cut/001.png").unlink(),
            r"ground_truth/cut/001_mask\.png is the mask of no image in .*carpet/test/cut: get the release again",
        ),
        (
            lambda r: save_picture(r / "carpet/ground_truth/cut/000.png", mask(8, 8, 1)),
            r"ground_truth/cut/000\.png is the mask of no image in ",
        ),
        (lambda r: (r / "carpet/train/good/000.png").write_bytes(b""), r"train/good/000\.png is empty: "),
    ],
)
def test_a_spoilt_release_is_refused_naming_the_file(release: Path, tmp_path: Path, spoil, problem: str) -> None:
    spoil(release)
    with pytest.raises(DataError, match=problem) as refused:
        prepared("carpet", release, tmp_path / "out")
    assert "\n" not in str(refused.value)


def test_the_folder_of_another_category_is_refused(release: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds toothbrush but no carpet: give the folder of carpet"):
        prepared("carpet", release / "toothbrush", tmp_path / "out")


def test_the_real_screw_has_the_counts_of_table_5(tmp_path: Path) -> None:
    source, said = raw("mvtec_anomaly_detection"), []
    dataset = prepared("screw", source, tmp_path / "once", said)
    assert Counter(row.label for row in dataset.rows) == {
        "normal": 361,
        "manipulated_front": 24,
        "scratch_head": 24,
        "scratch_neck": 25,
        "thread_side": 23,
        "thread_top": 23,
    }
    assert said == []
    assert dataset.fingerprint == prepared("screw", source, tmp_path / "again").fingerprint
