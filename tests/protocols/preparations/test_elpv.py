"""ELPV's release is checked as the others are: paths, classes, probabilities, both sides of the label file."""

from collections.abc import Callable
from pathlib import Path

import pytest
from preparing import prepared

from protocols.errors import DataError


@pytest.fixture
def release(tmp_path: Path, save_image: Callable[..., Path]) -> Path:
    folder = tmp_path / "raw" / "elpv"
    lines = []
    for number, (probability, cell) in enumerate([("0.0", "mono"), ("0.3333333333333333", "poly"), ("1.0", "poly")]):
        save_image(folder / "images" / f"cell{number}.png", number)
        lines.append(f"images/cell{number}.png  {probability}  {cell}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    save_image(tmp_path / "private.png", 9)
    return folder


def add(release: Path, line: str) -> None:
    with (release / "labels.csv").open("a") as file:
        file.write(f"{line}\n")


def test_a_release_below_other_folders_is_found(tmp_path: Path, release: Path) -> None:
    dataset = prepared("elpv", release.parent, tmp_path / "out")
    assert {row.id: row.label for row in dataset.rows} == {"images/cell0.png": "normal", "images/cell2.png": "poly"}


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("../../private.png 1.0 mono", r"line 4 lists '../../private\.png', which is not in the folder images"),
        ("images/../../../private.png 1.0 mono", r"line 4 lists 'images/../../../private\.png'"),
        ("/etc/hostname 1.0 mono", "line 4 lists '/etc/hostname'"),
        ("images/gone.png 0.0 mono", r"lists images/gone\.png, which is not in"),
        ("images/cell0.png 1.0 mono", r"line 4 lists images/cell0\.png a second time"),
        ("images/cell9.png 1.0 normal", r"line 4 has the class 'normal' for images/cell9\.png, not mono or poly"),
        ("images/cell9.png 2.0 mono", r"line 4 has the probability '2\.0' for images/cell9\.png"),
        ("images/cell9.png -1 mono", "line 4 has the probability '-1'"),
        ("images/cell9.png 0.5 mono", r"line 4 has the probability '0\.5'"),
        ("images/cell9.png nan mono", "line 4 has the probability 'nan'"),
        ("images/cell9.png inf mono", "line 4 has the probability 'inf'"),
        ("images/cell9.png half mono", r"cannot read .*labels\.csv line 4"),
        ("images/cell9.png 1.0", r"cannot read .*labels\.csv line 4"),
    ],
)
def test_a_line_that_cannot_be_true_is_refused_by_name(tmp_path: Path, release: Path, line: str, named: str) -> None:
    add(release, line)
    with pytest.raises(DataError, match=named):
        prepared("elpv", release, tmp_path / "out")


def test_an_image_without_a_line_is_named(tmp_path: Path, release: Path, save_image: Callable[..., Path]) -> None:
    save_image(release / "images" / "extra.png", 5)
    with pytest.raises(DataError, match=r"extra\.png has no line in .*labels\.csv"):
        prepared("elpv", release, tmp_path / "out")


@pytest.mark.parametrize("file", ["images/cell0.png", "labels.csv"])
def test_a_link_out_of_the_release_is_refused(tmp_path: Path, release: Path, file: str) -> None:
    outside = tmp_path / "outside"
    (release / file).rename(outside)
    (release / file).symlink_to(outside)
    with pytest.raises(DataError, match=f"{file} links to {outside}, which is outside"):
        prepared("elpv", release, tmp_path / "out")


@pytest.mark.parametrize("name", ["elpv", "head_ct"])
def test_a_label_file_of_gigabytes_is_not_read(tmp_path: Path, release: Path, name: str) -> None:
    with (release / "labels.csv").open("r+b") as file:
        file.truncate(9 << 30)
    with pytest.raises(DataError, match=r"labels\.csv has 9216 MiB, more than a file of labels may have"):
        prepared(name, release, tmp_path / "out")
