import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pictures import save_picture
from preparing import prepared
from releases import grey, mask, optical_release

from protocols.catalogue import verify
from protocols.errors import DataError
from protocols.splits.split import draw


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return optical_release(tmp_path / "raw")


def test_both_halves_of_ten_textures_are_pooled_by_their_label_files(release: Path, tmp_path: Path) -> None:
    dataset = prepared("optical", release, tmp_path / "out")
    assert Counter(row.label for row in dataset.rows) == {"normal": 40, "defect": 20}
    assert {row.id for row in dataset.rows if row.label == "defect"} == {
        f"Class{texture}/{image}" for texture in range(1, 11) for image in ("Train/0003.PNG", "Test/0006.PNG")
    }
    row = dataset.row("Class10/Train/0002.PNG")
    assert (row.group, row.split, row.channels) == ("Class10", "", 1)
    assert dataset.path(row).samefile(release / "Class10/Train/0002.PNG")
    assert verify.file_differences(dataset) == []


def test_equal_names_of_other_textures_and_halves_stay_apart(release: Path, tmp_path: Path) -> None:
    for texture in range(1, 11):
        folder = release / f"Class{texture}"
        shutil.rmtree(folder / "Test")
        shutil.copytree(folder / "Train", folder / "Test")
    dataset = prepared("optical", release, tmp_path / "out")
    assert len(dataset.rows) == 60
    assert len({row.sha256 for row in dataset.rows}) == 30


def test_ten_classes_names_an_anomaly_after_its_texture(release: Path, tmp_path: Path) -> None:
    variant = prepared("optical@ten_classes", release, tmp_path / "out")
    assert variant.labels == tuple(sorted(f"class{number}" for number in range(1, 11)))
    assert variant.row("Class7/Test/0006.PNG").label == "class7"


@pytest.mark.parametrize("layout", ["doubled", "one_folder_a_texture", "renamed", "case"])
def test_ids_are_the_same_under_every_layout(release: Path, tmp_path: Path, layout: str) -> None:
    expected = prepared("optical", release, tmp_path / "out").rows
    source = tmp_path / "download"
    for folder in sorted(release.iterdir()):
        name = folder.name
        inner = {
            "doubled": f"{name}/{name}",
            "one_folder_a_texture": f"archive {name}/{name}",
            "renamed": f"DAGM_KaggleUpload/{name}",
            "case": name.upper(),
        }[layout]
        shutil.copytree(folder, source / inner)
    if layout == "case":
        for path in sorted(source.rglob("*"), reverse=True):
            path.rename(path.with_name(path.name.lower()))
    assert prepared("optical", source, tmp_path / "again").rows == expected


def test_the_released_split_permutes_the_normals_in_the_order_of_the_label_files(release: Path, tmp_path: Path) -> None:
    dataset = prepared("optical", release, tmp_path / "out")
    numbers = {"Train": ("0001", "0002"), "Test": ("0004", "0005")}
    listed = [
        f"Class{texture}/{half}/{number}.PNG"
        for texture in range(1, 11)
        for half in ("Train", "Test")
        for number in numbers[half]
    ]
    permuted = [listed[position] for position in np.random.RandomState(42).permutation(40)]
    split = draw(dataset, "general", split_seed=0, shots=1, options={"normal_split": "released"})
    assert split.test_normal == tuple(sorted(permuted[:10]))


def _label_line(release: Path, text: str) -> None:
    path = release / "Class4/Train/Label/Labels.txt"
    path.write_text(path.read_text() + text)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda r: shutil.rmtree(r / "Class4"), "raw holds no folder with Class4: "),
        (lambda r: shutil.rmtree(r / "Class4/Test"), "Class4 holds no folder with Train and Test: "),
        (lambda r: (r / "Class4/Train/Label/Labels.txt").unlink(), r"Class4/Train/Label has no Labels\.txt: "),
        (lambda r: (r / "Class4/Train/0001.PNG").unlink(), r"Class4/Train/Label/Labels\.txt lists 0001\.PNG, which is"),
        (
            lambda r: save_picture(r / "Class4/Train/0009.PNG", grey(9, 8, 8)),
            r"Class4/Train/0009\.PNG is not listed in ",
        ),
        (
            lambda r: save_picture(r / "Class4/Train/Label/0001_label.PNG", mask(8, 8, 1)),
            r"Class4/Train/Label/0001_label\.PNG is the mask of no defect that .*Labels\.txt lists: ",
        ),
        (
            lambda r: (r / "Class4/Train/Label/0003_label.PNG").rename(r / "Class4/Train/Label/0002_label.PNG"),
            r"Class4/Train/0003\.PNG has no mask .*Class4/Train/Label/0003_label\.PNG: get the release again",
        ),
        (lambda r: _label_line(r, "7\t2\t0007.PNG\t0\t0\n"), r"Class4/Train/Label/Labels\.txt line 5 is damaged: "),
        (lambda r: _label_line(r, "7\t1\t0007.PNG\n"), r"Labels\.txt line 5 is damaged: "),
        (lambda r: _label_line(r, "1\t0\t0001.PNG\t0\t0\n"), r"Labels\.txt line 5 lists 0001\.PNG a second time: "),
        (lambda r: (r / "Class4/Train/Label/Labels.txt").write_text("1\n"), r"Labels\.txt lists no image: "),
        (lambda r: (r / "Class4/Train/Label/Labels.txt").write_bytes(b"1\n\xff"), r"cannot read .*Labels\.txt \("),
        (lambda r: (r / "Class4/Train/0001.PNG").write_bytes(b""), r"Class4/Train/0001\.PNG is empty: "),
        (
            lambda r: save_picture(r / "Class4/Train/0001.png", grey(1, 8, 8)),
            r"0001\.PNG and .*0001\.png differ in case only",
        ),
    ],
)
def test_a_spoilt_release_is_refused_naming_the_file(release: Path, tmp_path: Path, spoil, problem: str) -> None:
    spoil(release)
    with pytest.raises(DataError, match=problem) as refused:
        prepared("optical", release, tmp_path / "out")
    assert "\n" not in str(refused.value)
