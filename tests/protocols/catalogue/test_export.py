"""A split for other code: read back by csv and by torchvision, side for side the same images."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from array_sets import array_set
from pictures import noise
from PIL import Image

from protocols.catalogue import export
from protocols.datasets.manifest import Dataset, assemble_dataset
from protocols.errors import DataError
from protocols.splits import split as splits

Make = Callable[..., Dataset]


@pytest.fixture
def classes(tmp_path: Path) -> Dataset:
    """Forty grey images of 5 x 4 pixels in two classes, as one array."""
    return array_set(tmp_path / "toyset", noise(0, 40, 5, 4, 1))


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def contents(folder: Path) -> dict[str, list[str]]:
    """The sha256 of the files by torchvision's class names."""
    from torchvision.datasets import ImageFolder

    images = ImageFolder(str(folder))
    found: dict[str, list[str]] = {name: [] for name in images.classes}
    for path, target in images.samples:
        found[images.classes[target]].append(hashlib.sha256(Path(path).read_bytes()).hexdigest())
    return {name: sorted(digests) for name, digests in found.items()}


def expected(dataset: Dataset, ids: tuple[str, ...]) -> list[str]:
    return sorted(dataset.row(id_).sha256 for id_ in ids)


def hard(dataset: Dataset) -> splits.Split:
    return splits.draw(dataset, "hard", split_seed=0, known_class="cut", shots=10)


def test_csv_has_a_line_for_every_image_in_the_lists_order(carpet: Dataset) -> None:
    split = hard(carpet)
    lines = read(export.split_csv(split, carpet))
    assert tuple(lines[0]) == ("id", "file", "position", "label", "side", "list", "shot")
    for name in split.fingerprints:
        assert tuple(line["id"] for line in lines if line["list"] == name) == getattr(split, name)
    assert len(lines) == 4 + 10 + 2 + 5
    for line in lines:
        row = carpet.rows[int(line["position"])]
        assert (row.id, row.file, row.label) == (line["id"], line["file"], line["label"])
        assert line["side"] == line["list"].partition("_")[0]
    assert [line["shot"] for line in lines if line["shot"]] == [str(shot) for shot in range(1, 11)]
    assert {line["list"] for line in lines if line["shot"]} == {"train_anomaly"}


def test_csv_has_plain_line_ends(carpet: Dataset) -> None:
    assert "\r" not in export.split_csv(hard(carpet), carpet)


@pytest.mark.parametrize("symbolic", [False, True])
def test_torchvision_finds_the_same_images_on_each_side(carpet: Dataset, tmp_path: Path, symbolic: bool) -> None:
    split = hard(carpet)
    export.write_tree(split, carpet, tmp_path / "out", symbolic=symbolic)
    assert contents(tmp_path / "out" / "carpet" / "train") == {"good": expected(carpet, split.train_normal)}
    metal = tuple(id_ for id_ in split.test_anomaly if "metal" in id_)
    colour = tuple(id_ for id_ in split.test_anomaly if "color" in id_)
    assert contents(tmp_path / "out" / "carpet" / "test") == {
        "good": expected(carpet, split.test_normal),
        "color": expected(carpet, colour),
        "metal": expected(carpet, metal),
    }
    labelled = tmp_path / "out" / "labelled-anomalies"
    assert contents(labelled) == {"cut": expected(carpet, split.train_anomaly)}
    raw = carpet.path(carpet.row(split.train_normal[0])).resolve()
    name = export.file_name(split.train_normal[0])
    link = tmp_path / "out" / "carpet" / "train" / "good" / name
    assert link.is_symlink() == symbolic
    assert link.samefile(raw) == symbolic


def test_the_tree_says_which_file_is_which_image_and_how_it_was_drawn(carpet: Dataset, tmp_path: Path) -> None:
    split = hard(carpet)
    export.write_tree(split, carpet, tmp_path / "out")
    lines = read((tmp_path / "out" / "split.csv").read_text())
    for line in lines:
        data = (tmp_path / "out" / line["path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == carpet.row(line["id"]).sha256
    files = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png")}
    assert files == {line["path"] for line in lines}
    stated = json.loads((tmp_path / "out" / "split.json").read_text())
    assert (stated["fingerprint"], stated["known_class"], stated["shots"]) == (split.fingerprint, "cut", 10)
    assert "train_normal" not in stated


def test_unlabelled_anomalies_are_among_the_good_ones(carpet: Dataset, tmp_path: Path) -> None:
    split = splits.draw(carpet, "general", split_seed=0, shots=1, options={"contamination": 0.3})
    export.write_tree(split, carpet, tmp_path / "out")
    assert contents(tmp_path / "out" / "carpet" / "train") == {"good": expected(carpet, split.train_normal)}
    assert len(split.train_normal) == 5


def test_an_classes_becomes_png_files(classes: Dataset, tmp_path: Path) -> None:
    split = splits.draw(classes, "labelled_share", split_seed=0, normal_class="1", gamma="0.20")
    export.write_tree(split, classes, tmp_path / "out")
    lines = read((tmp_path / "out" / "split.csv").read_text())
    assert len(lines) == 10 + 3 + 20
    for line in lines:
        with Image.open(tmp_path / "out" / line["path"]) as image:
            pixels = np.asarray(image)
        text = f"{image.height}x{image.width}x1\n".encode()
        assert hashlib.sha256(text + pixels.tobytes()).hexdigest() == classes.row(line["id"]).sha256
    assert set(contents(tmp_path / "out" / "toyset" / "test")) == {"good", "0"}
    assert set(contents(tmp_path / "out" / "labelled-anomalies")) == {"0"}


def test_masks_stand_beside_the_test_anomalies_in_their_sizes(carpet: Dataset, tmp_path: Path) -> None:
    split = hard(carpet)
    export.write_tree(split, carpet, tmp_path / "out", masks=True)
    root = tmp_path / "out" / "carpet"
    images = sorted(
        path.relative_to(root / "test") for path in (root / "test").rglob("*.png") if "good" not in path.parts
    )
    masks = sorted(path.relative_to(root / "ground_truth") for path in (root / "ground_truth").rglob("*.png"))
    assert [mask.with_name(mask.name.replace("_mask.png", ".png")) for mask in masks] == images
    with Image.open(root / "ground_truth" / masks[0]) as mask:
        assert (mask.size, mask.getextrema()) == ((12, 10), (255, 255))


def test_names_are_made_of_the_id_alone_and_never_collide() -> None:
    ids = [
        "a/b.png",
        "a_b.png",
        "A/b.png",
        "a/b",
        "a/b.PNG",
        "ä/b.png",
        "a b.png",
        "../b.png",
        ".hidden",
        "/",
        "x" * 300,
    ]
    names = [export.file_name(id_) for id_ in ids]
    assert len({name.lower() for name in names}) == len(ids)
    assert names[0] == f"a_b-{hashlib.sha256(b'a/b.png').hexdigest()[:12]}.png"
    for name in names:
        assert Path(name).name == name
        assert not name.startswith(".")
        assert len(name) < 200


def test_a_class_that_would_pass_for_good_gets_another_folder(carpet: Dataset, tmp_path: Path) -> None:
    import dataclasses

    odd = {"cut": "good", "color": "../color"}
    rows = [dataclasses.replace(row, label=odd.get(row.label, row.label)) for row in carpet.rows]
    dataset = assemble_dataset("carpet", carpet.folder, rows)
    split = splits.draw(dataset, "general", split_seed=0, shots=1)
    export.write_tree(split, dataset, tmp_path / "out")
    assert contents(tmp_path / "out" / "carpet" / "test")["good"] == expected(dataset, split.test_normal)
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "data", "out"}


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(carpet: Dataset, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    export.write_tree(hard(carpet), carpet, target)
    before = sorted(target.rglob("*"))
    with pytest.raises(DataError, match="is not empty: give a new or an empty folder"):
        export.write_tree(hard(carpet), carpet, target)
    assert sorted(target.rglob("*")) == before
    with pytest.raises(DataError, match="is not empty"):
        export.write_tree(hard(carpet), carpet, target / "split.csv")


def test_an_image_that_is_gone_leaves_nothing_behind(carpet: Dataset, tmp_path: Path) -> None:
    split = hard(carpet)
    gone = carpet.path(carpet.row(split.test_anomaly[-1]))
    gone.unlink()
    with pytest.raises(DataError, match="is gone: see 'bench data verify carpet'"):
        export.write_tree(split, carpet, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "raw"]


def test_what_is_done_to_exported_images_does_not_reach_the_release(carpet: Dataset, tmp_path: Path) -> None:
    split = hard(carpet)
    before = {row.id: carpet.path(row).read_bytes() for row in carpet.rows}
    export.write_tree(split, carpet, tmp_path / "out")
    for path in (tmp_path / "out").rglob("*.png"):
        assert (path.stat().st_nlink, path.is_symlink()) == (1, False)
        path.write_bytes(b"")
    assert {row.id: carpet.path(row).read_bytes() for row in carpet.rows} == before
