import hashlib
import pickle
import shutil
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from preparing import prepared, raw, shrink

from protocols.datasets.registry import our_datasets
from protocols.errors import DataError
from protocols.preparations import cifar

torchvision = pytest.importorskip("torchvision.datasets")

SPEC = """
0: 4 30 55 72 95 - 1: 1 32 67 73 91 - 2: 54 62 70 82 92 - 3: 9 10 16 28 61 - 4: 0 51 53 57 83 - 5: 22 39 40 86 87 -
6: 5 20 25 84 94 - 7: 6 7 14 18 24 - 8: 3 42 43 88 97 - 9: 12 17 37 68 76 - 10: 23 33 49 60 71 - 11: 15 19 21 31 38 -
12: 34 63 64 66 75 - 13: 26 45 77 79 99 - 14: 2 11 35 46 98 - 15: 27 29 44 78 93 - 16: 36 50 65 74 80 -
17: 47 52 56 59 96 - 18: 8 13 48 58 90 - 19: 41 69 81 85 89
"""
SUPERCLASSES = {
    int(number): [int(fine) for fine in members.split()]
    for number, members in (part.split(":") for part in SPEC.replace("\n", " ").split(" - "))
}
COARSE = {fine: number for number, members in SUPERCLASSES.items() for fine in members}


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def pixels(count: int, seed: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 3 * 32 * 32), dtype=np.uint8)


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes files as the release of a reader of torchvision and makes their MD5 those that it expects."""

    def write(reader: Any, train: dict[str, Any], test: dict[str, Any], meta: dict[str, Any]) -> Path:
        folder = tmp_path / "raw" / reader.base_folder
        folder.mkdir(parents=True)
        digests = {}
        for name, content in {**train, **test, reader.meta["filename"]: meta}.items():
            data = pickle.dumps(content)
            (folder / name).write_bytes(data)
            digests[name] = md5(data)
        monkeypatch.setattr(reader, "train_list", [[name, digests[name]] for name in train])
        monkeypatch.setattr(reader, "test_list", [[name, digests[name]] for name in test])
        monkeypatch.setattr(reader, "meta", {**reader.meta, "md5": digests[reader.meta["filename"]]})
        return folder.parent

    return write


@pytest.fixture
def cifar10(build: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two batches of ten training images, one of each class in turn, and ten test images in reverse order."""
    shrink(monkeypatch, "cifar10", train=[2] * 10, test=[1] * 10)
    train = {f"data_batch_{n}": {"data": pixels(10, n), "labels": list(range(10))} for n in (1, 2)}
    test = {"test_batch": {"data": pixels(10, 9), "labels": list(range(9, -1, -1))}}
    return build(torchvision.CIFAR10, train, test, {"label_names": list("abcdefghij")})


@pytest.fixture
def cifar100(build: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """One training and one test image of each fine label."""
    shrink(monkeypatch, "cifar100", train=[5] * 20, test=[5] * 20)
    fine = list(range(100))
    labels = {"fine_labels": fine, "coarse_labels": [COARSE[label] for label in fine]}
    parts = [{"data": pixels(100, seed), **labels} for seed in (0, 1)]
    names = [str(label) for label in fine]
    return build(torchvision.CIFAR100, {"train": parts[0]}, {"test": parts[1]}, {"fine_label_names": names})


def test_the_batches_are_joined_in_order_and_kept_as_one_array(tmp_path: Path, cifar10: Path) -> None:
    dataset = prepared("cifar10", cifar10, tmp_path / "out")
    expected = [(f"test/{i:05d}", str(9 - i), "test") for i in range(10)]
    expected += [(f"train/{i:05d}", str(i % 10), "train") for i in range(20)]
    assert [(row.id, row.label, row.split) for row in dataset.rows] == expected
    assert {(row.width, row.height, row.channels) for row in dataset.rows} == {(32, 32, 3)}
    planes = np.concatenate([pixels(10, seed) for seed in (9, 1, 2)]).reshape(-1, 3, 32, 32)
    assert np.array_equal(np.load(dataset.folder / "images.npy"), planes.transpose(0, 2, 3, 1))
    assert sorted(path.name for path in dataset.folder.iterdir()) == ["images.npy", "manifest.csv", "manifest.sha256"]


@pytest.mark.parametrize("layout", ["renamed", "deep", "archive", "archive and folder"])
def test_the_dataset_is_the_same_under_every_layout(
    tmp_path: Path, cifar10: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = prepared("cifar10", cifar10, tmp_path / "expected").rows
    batches, source = cifar10 / "cifar-10-batches-py", tmp_path / "source"
    if layout == "renamed":
        shutil.copytree(batches, source)
    elif layout == "deep":
        shutil.copytree(cifar10, source / "data" / "cifar10")
    else:
        source.mkdir()
        with tarfile.open(source / "cifar-10-python.tar.gz", "w:gz") as archive:
            archive.add(batches, "cifar-10-batches-py")
        monkeypatch.setattr(torchvision.CIFAR10, "tgz_md5", md5((source / "cifar-10-python.tar.gz").read_bytes()))
        if layout == "archive and folder":
            shutil.copytree(batches, source / "cifar-10-batches-py")
    assert prepared("cifar10", source, tmp_path / "out").rows == expected


class _Harmful:
    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return (pytest.fail, ("a foreign pickle was loaded",))


@pytest.mark.parametrize("name", ["data_batch_2", "test_batch", "batches.meta"])
def test_a_file_that_is_not_the_release_s_is_named_and_never_unpickled(
    tmp_path: Path, cifar10: Path, name: str
) -> None:
    (cifar10 / "cifar-10-batches-py" / name).write_bytes(pickle.dumps(_Harmful()))
    with pytest.raises(DataError, match=f"{name} is not the release's file, whose MD5 is"):
        prepared("cifar10", cifar10, tmp_path / "out")


def test_an_archive_that_is_not_the_release_s_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz is not the release's file"):
        prepared("cifar10", tmp_path, tmp_path / "out")


@pytest.mark.parametrize("name", ["data_batch_1", "data_batch_2", "test_batch", "batches.meta"])
def test_a_missing_file_is_named(tmp_path: Path, cifar10: Path, name: str) -> None:
    (cifar10 / "cifar-10-batches-py" / name).unlink()
    with pytest.raises(DataError, match=name):
        prepared("cifar10", cifar10, tmp_path / "out")


def test_a_class_with_another_number_of_images_than_the_release_is_named(
    tmp_path: Path, cifar10: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, "cifar10", train=[3] * 10, test=[1] * 10)
    with pytest.raises(DataError, match="cifar10 has 2 train images of class 0 where the release has 3"):
        prepared("cifar10", cifar10, tmp_path / "out")


def test_a_real_release_has_5000_and_1000_images_a_class() -> None:
    counts = our_datasets()["cifar10"].releases[""][0].counts
    assert counts == {f"{half}/{label}": n for half, n in (("train", 5000), ("test", 1000)) for label in range(10)}


def test_the_label_is_the_superclass_and_the_fine_label_stays_beside_it(tmp_path: Path, cifar100: Path) -> None:
    dataset = prepared("cifar100", cifar100, tmp_path / "out")
    assert {int(row.subclass): int(row.label) for row in dataset.rows} == COARSE
    assert [row.subclass for row in dataset.rows[100:103]] == ["0", "1", "2"]
    assert set(Counter(row.label for row in dataset.rows if row.split == "train").values()) == {5}


def test_a_coarse_label_that_is_not_the_published_one_is_refused(
    tmp_path: Path, cifar100: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = cifar100 / "cifar-100-python" / "test"
    content = pickle.loads(path.read_bytes())
    content["coarse_labels"][30] = 1
    path.write_bytes(pickle.dumps(content))
    monkeypatch.setattr(torchvision.CIFAR100, "test_list", [["test", md5(path.read_bytes())]])
    with pytest.raises(DataError, match="cifar100 has fine label 30 in superclass 1"):
        prepared("cifar100", cifar100, tmp_path / "out")


def test_csi_s_list_is_shifted_by_one_for_the_fine_labels_25_to_39(tmp_path: Path, cifar100: Path) -> None:
    """The shift by hand: every f of the true list becomes f + 1 for 25 <= f <= 38, and 39 becomes 25."""
    dataset = prepared("cifar100@csi_code", cifar100, tmp_path / "out")
    shifted: dict[int, set[int]] = {
        number: {25 if fine == 39 else fine + 1 if 25 <= fine <= 38 else fine for fine in members}
        for number, members in SUPERCLASSES.items()
    }
    found: dict[int, set[int]] = {}
    for row in dataset.rows:
        found.setdefault(int(row.label), set()).add(int(row.subclass))
    assert found == shifted
    assert found[0] == {4, 31, 55, 72, 95}
    assert sum(found[number] != set(members) for number, members in SUPERCLASSES.items()) == 13
    plain = prepared("cifar100", cifar100, tmp_path / "plain")
    assert [(row.id, row.sha256) for row in plain.rows] == [(row.id, row.sha256) for row in dataset.rows]


def test_class_folders_are_a_variant_of_files_labelled_by_the_release_s_indices(
    tmp_path: Path, save_image: Callable[..., Path]
) -> None:
    source = tmp_path / "raw" / "CIFAR-10-images"
    for index, name in enumerate(cifar._CLASSES):
        for i in range(2):
            save_image(source / "train" / name / f"{i:04d}.jpg", 10 * i + index, (32, 32), "RGB")
        save_image(source / "test" / name / "0000.jpg", 100 + index, (32, 32), "RGB")
    dataset = prepared("cifar10@class_folders", source.parent, tmp_path / "out")
    assert len(dataset.rows) == 30
    assert dataset.row("test/truck/0000.jpg").label == "9"
    assert dataset.row("train/airplane/0001.jpg").label == "0"
    assert dataset.row("train/airplane/0001.jpg").split == "train"
    shutil.rmtree(source / "test" / "frog")
    with pytest.raises(DataError, match="test has no frog"):
        prepared("cifar10@class_folders", source, tmp_path / "again")


def test_the_real_subset_has_100_and_20_images_a_class(tmp_path: Path) -> None:
    with zipfile.ZipFile(raw("cifar10_subset") / "cifar10_subset_jpg.zip") as archive:
        archive.extractall(tmp_path / "raw")
    dataset = prepared("cifar10@class_folders", tmp_path / "raw", tmp_path / "out")
    counts = Counter((row.split, row.label) for row in dataset.rows)
    assert counts == {(split, str(label)): n for split, n in (("train", 100), ("test", 20)) for label in range(10)}
    assert {(row.width, row.height, row.channels) for row in dataset.rows} == {(32, 32, 3)}
