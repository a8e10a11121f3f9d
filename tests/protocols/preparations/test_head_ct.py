import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from preparing import prepared, raw

from protocols.catalogue import verify
from protocols.datasets.manifest import Dataset
from protocols.errors import DataError
from protocols.splits.split import draw

LABELS = {0: 1, 1: 0, 2: 1, 3: 0}
EXPECTED = {"000.png": "defect", "001.png": "normal", "002.png": "defect", "003.png": "normal"}


@pytest.fixture
def release(tmp_path: Path, save_image: Callable[..., Path]) -> Path:
    """The layout of Kaggle's archive: a folder within a folder, and the label file beside the outer one."""
    source = tmp_path / "raw"
    for number in LABELS:
        save_image(source / "head_ct" / "head_ct" / f"{number:03d}.png", number)
    (source / "labels.csv").write_text("id, hemorrhage\n" + "".join(f"{n},{label}\n" for n, label in LABELS.items()))
    return source


def labels(dataset: Dataset) -> dict[str, str]:
    return {row.id: row.label for row in dataset.rows}


def test_the_label_file_says_which_images_are_normal(tmp_path: Path, release: Path) -> None:
    dataset = prepared("head_ct", release, tmp_path / "out")
    assert labels(dataset) == EXPECTED
    assert verify.file_differences(dataset) == []


@pytest.mark.parametrize("layout", ["flat", "single", "renamed", "upper"])
def test_ids_are_the_same_under_every_layout(tmp_path: Path, release: Path, layout: str) -> None:
    source = tmp_path / "my download" / "ct"
    inner = {"flat": source, "single": source / "head_ct", "renamed": source / "images", "upper": source / "HEAD_CT"}
    shutil.copytree(release / "head_ct" / "head_ct", inner[layout])
    shutil.copy(release / "labels.csv", source / ("LABELS.CSV" if layout == "upper" else "labels.csv"))
    if layout == "upper":
        for path in sorted(inner[layout].iterdir()):
            path.rename(path.with_suffix(".PNG"))
    assert labels(prepared("head_ct", source.parent, tmp_path / "out")) == EXPECTED


def test_a_byte_order_mark_and_blank_lines_do_not_matter(tmp_path: Path, release: Path) -> None:
    text = (release / "labels.csv").read_text()
    (release / "labels.csv").write_text(text.replace("\n", "\n\n"), encoding="utf-8-sig")
    assert labels(prepared("head_ct", release, tmp_path / "out")) == EXPECTED


@pytest.mark.parametrize(
    ("missing", "named"), [(2, "lists 002.png, which is not there"), (0, "holds no folder with 000.png")]
)
def test_a_row_without_its_image_is_named(tmp_path: Path, release: Path, missing: int, named: str) -> None:
    (release / "head_ct" / "head_ct" / f"{missing:03d}.png").unlink()
    with pytest.raises(DataError, match=named):
        prepared("head_ct", release, tmp_path / "out")


def test_an_image_without_its_row_is_named(tmp_path: Path, release: Path, save_image: Callable[..., Path]) -> None:
    save_image(release / "head_ct" / "head_ct" / "004.png", 9)
    with pytest.raises(DataError, match=r"004\.png has no row in .*labels\.csv"):
        prepared("head_ct", release, tmp_path / "out")


def test_two_files_of_one_number_are_named(tmp_path: Path, release: Path, save_image: Callable[..., Path]) -> None:
    save_image(release / "head_ct" / "head_ct" / "003.PNG", 9)
    with pytest.raises(DataError, match=r"003\.PNG and .*003\.png differ in case only"):
        prepared("head_ct", release, tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("id, hemorrhage\n0,2\n", r"cannot read .*labels\.csv"),
        ("id, hemorrhage\nzero,1\n", r"cannot read .*labels\.csv"),
        ("id, hemorrhage\n0,1,x\n", r"cannot read .*labels\.csv"),
        ("id, hemorrhage\n0,1\n0,0\n", r"lists 000\.png as both classes"),
        ("id, hemorrhage\n", "lists no image"),
    ],
)
def test_a_damaged_label_file_is_named(tmp_path: Path, release: Path, text: str, named: str) -> None:
    (release / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=named):
        prepared("head_ct", release, tmp_path / "out")


def test_a_release_without_its_label_file_says_so(tmp_path: Path, release: Path) -> None:
    (release / "labels.csv").unlink()
    with pytest.raises(DataError, match=r"holds no folder with labels\.csv"):
        prepared("head_ct", release, tmp_path / "out")


def test_the_real_release_has_the_counts_of_table_5_and_the_order_of_its_label_file(tmp_path: Path) -> None:
    source = raw("HeadCT")
    dataset = prepared("head_ct", source, tmp_path / "first")
    assert Counter(row.label for row in dataset.rows) == {"normal": 100, "defect": 100}
    assert [name for name, count in Counter(row.sha256 for row in dataset.rows).items() if count > 1] == [
        dataset.row("188.png").sha256
    ]
    rows = [line.split(",") for line in (source / "labels.csv").read_text().splitlines()[1:]]
    normals = [f"{int(number):03d}.png" for number, label in rows if label == "0"]
    permuted = [normals[position] for position in np.random.RandomState(42).permutation(100)]
    split = draw(dataset, "general", split_seed=0, shots=10, options={"normal_split": "released"})
    assert split.test_normal == tuple(sorted(permuted[:25]))
    assert split.train_normal == tuple(sorted(permuted[25:]))
    assert prepared("head_ct", source, tmp_path / "again").fingerprint == dataset.fingerprint
