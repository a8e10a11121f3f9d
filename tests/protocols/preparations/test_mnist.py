import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from preparing import prepared, raw, shrink

from protocols.catalogue import recognition
from protocols.datasets.registry import dataset_infos
from protocols.errors import DataError
from protocols.preparations import mnist

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"
COUNTS = {"train": (2, 3, 1), "test": (1, 1, 2)}


def idx(array: npt.NDArray[np.uint8]) -> bytes:
    """The format's header: two zero bytes, 8 for unsigned bytes, the number of dimensions, each as 32 bits."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">i4").tobytes() + array.tobytes()


@pytest.fixture
def parts() -> dict[str, npt.NDArray[np.uint8]]:
    """Six training and four test images of three classes."""
    rng = np.random.default_rng(0)
    return {
        TRAIN_IMAGES: rng.integers(0, 256, (6, 28, 28), dtype=np.uint8),
        TRAIN_LABELS: np.array([1, 0, 2, 1, 1, 0], dtype=np.uint8),
        TEST_IMAGES: rng.integers(0, 256, (4, 28, 28), dtype=np.uint8),
        TEST_LABELS: np.array([2, 0, 1, 2], dtype=np.uint8),
    }


@pytest.fixture
def release(
    tmp_path: Path, parts: dict[str, npt.NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Those images as the files of a release that has so many images."""
    files = {name: idx(array) for name, array in parts.items()}
    monkeypatch.setattr(mnist, "_BYTES", {name: len(data) for name, data in files.items()})
    for name in ("mnist", "fashion_mnist"):
        shrink(monkeypatch, name, **COUNTS)

    def write(folder: str, spell: Callable[[str], str] = "{}.gz".format, **changed: bytes) -> Path:
        place = tmp_path / folder
        place.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            spelt = spell(name)
            content = changed.get(name.split("-ubyte")[0].replace("-", "_"), data)
            (place / spelt).write_bytes(gzip.compress(content) if spelt.lower().endswith(".gz") else content)
        return tmp_path / folder.split("/", maxsplit=1)[0]

    return write


def test_images_are_kept_as_one_array_in_the_order_of_the_ids(
    tmp_path: Path, release: Callable[..., Path], parts: dict[str, npt.NDArray[np.uint8]]
) -> None:
    dataset = prepared("mnist", release("raw"), tmp_path / "out")
    assert [(row.id, row.label, row.split) for row in dataset.rows] == [
        ("test/00000", "2", "test"),
        ("test/00001", "0", "test"),
        ("test/00002", "1", "test"),
        ("test/00003", "2", "test"),
        ("train/00000", "1", "train"),
        ("train/00001", "0", "train"),
        ("train/00002", "2", "train"),
        ("train/00003", "1", "train"),
        ("train/00004", "1", "train"),
        ("train/00005", "0", "train"),
    ]
    assert {(row.file, row.width, row.height, row.channels) for row in dataset.rows} == {("images.npy", 28, 28, 1)}
    stored = np.load(dataset.folder / "images.npy")
    assert np.array_equal(stored[..., 0], np.concatenate([parts[TEST_IMAGES], parts[TRAIN_IMAGES]]))
    assert sorted(path.name for path in dataset.folder.iterdir()) == ["images.npy", "manifest.csv", "manifest.sha256"]


@pytest.mark.parametrize(
    "spell",
    [
        "{}.gz".format,
        "{}".format,
        lambda name: name.replace("-idx", ".idx"),
        lambda name: name.replace("-idx", ".idx") + ".gz",
        lambda name: f"{name}.GZ",
    ],
)
@pytest.mark.parametrize("folder", ["raw", "raw/MNIST/raw", "raw/a/b"])
def test_the_dataset_is_the_same_under_every_layout_and_spelling(
    tmp_path: Path, release: Callable[..., Path], spell: Callable[[str], str], folder: str
) -> None:
    source = release(folder, spell)
    expected = prepared("mnist", release("plain"), tmp_path / "plain-out")
    assert prepared("mnist", source, tmp_path / "out").rows == expected.rows


def test_a_folder_of_torchvision_s_name_wins_where_both_sets_are_there(
    tmp_path: Path, release: Callable[..., Path], parts: dict[str, npt.NDArray[np.uint8]]
) -> None:
    release("raw/MNIST/raw")
    source = release("raw/FashionMNIST/raw", train_images_idx3=idx(255 - parts[TRAIN_IMAGES]))
    one = prepared("mnist", source, tmp_path / "one")
    other = prepared("fashion_mnist", source, tmp_path / "other")
    assert one.row("test/00000").sha256 == other.row("test/00000").sha256
    assert one.row("train/00000").sha256 != other.row("train/00000").sha256


def test_unpacked_files_in_folders_of_their_own_names_do_not_hide_those_beside_them(
    tmp_path: Path, release: Callable[..., Path]
) -> None:
    source = release("raw", lambda name: name.replace("-idx", ".idx"))
    for name in (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS):
        (source / name).mkdir()
        shutil.copy(source / name.replace("-idx", ".idx"), source / name / name)
    assert len(prepared("mnist", source, tmp_path / "out").rows) == 10


@pytest.mark.parametrize("name", [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS])
def test_a_missing_file_is_named(tmp_path: Path, release: Callable[..., Path], name: str) -> None:
    source = release("raw")
    (source / f"{name}.gz").unlink()
    with pytest.raises(DataError, match=rf"{name}\.gz"):
        prepared("mnist", source, tmp_path / "out")


def test_a_truncated_a_broken_and_a_too_large_file_are_named(tmp_path: Path, release: Callable[..., Path]) -> None:
    source = release("raw")
    path = source / f"{TRAIN_IMAGES}.gz"
    whole = path.read_bytes()
    for number, data in enumerate((whole[:-20], b"", b"no gzip at all", gzip.compress(bytes(1 << 20)))):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz.*: get the release again"):
            prepared("mnist", source, tmp_path / f"out{number}")


def test_a_file_that_is_not_what_its_name_says_is_named(
    tmp_path: Path, release: Callable[..., Path], parts: dict[str, npt.NDArray[np.uint8]]
) -> None:
    images = idx(parts[TRAIN_IMAGES])
    for number, wrong in enumerate((b"\xff" * len(images), idx(parts[TRAIN_IMAGES].reshape(3, 56, 28)))):
        source = release(f"raw{number}", train_images_idx3=wrong)
        with pytest.raises(DataError, match=rf"the train files in .*raw{number} are not those of MNIST"):
            prepared("mnist", source, tmp_path / f"out{number}")


def test_a_class_with_another_number_of_images_than_the_release_is_named(
    tmp_path: Path, release: Callable[..., Path]
) -> None:
    source = release("raw", t10k_labels_idx1=idx(np.array([2, 0, 1, 0], dtype=np.uint8)))
    with pytest.raises(DataError, match="mnist has 2 test images of class 0 where the release has 1"):
        prepared("mnist", source, tmp_path / "out")


def test_fashion_mnist_is_not_taken_for_mnist(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="mnist has 6000 train images of class 0 where the release has 5923"):
        prepared("mnist", raw("FashionMNIST"), tmp_path / "out")


def test_the_numbers_of_images_add_up_and_are_within_the_range_of_the_paper() -> None:
    for name in ("mnist", "fashion_mnist"):
        counts = dataset_infos()[name].releases[""][0].counts
        train, test = ([n for key, n in counts.items() if key.startswith(half)] for half in ("train", "test"))
        assert (len(train), len(test), sum(train), sum(test)) == (10, 10, 60_000, 10_000)
        assert (min(train), max(train)) == ((5421, 6742) if name == "mnist" else (6000, 6000))


def test_the_whole_of_fashion_mnist_is_what_torchvision_reads(tmp_path: Path) -> None:
    from torchvision.datasets import FashionMNIST

    source = raw("FashionMNIST")
    dataset = prepared("fashion_mnist", source, tmp_path / "out")
    assert len(dataset.rows) == 70_000
    info = dataset_infos()["fashion_mnist"]
    assert [release.fingerprint for release in info.releases[""]] == [dataset.fingerprint]
    assert recognition.release_doubts(info, dataset) == ()
    stored = np.load(dataset.folder / "images.npy", mmap_mode="r")
    unpacked = tmp_path / "torchvision" / "FashionMNIST" / "raw"
    unpacked.mkdir(parents=True)
    for path in sorted((source / "raw").glob("*.gz")):
        (unpacked / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    for split, part in (("test", stored[:10_000]), ("train", stored[10_000:])):
        theirs = FashionMNIST(tmp_path / "torchvision", train=split == "train")
        assert np.array_equal(part[..., 0], theirs.data.numpy())
        assert [row.label for row in dataset.rows if row.split == split] == [
            str(label) for label in theirs.targets.tolist()
        ]
