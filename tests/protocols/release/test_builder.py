import hashlib
import json
import pickle
import re
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import made_up
import numpy as np
import pytest
from PIL import Image

from protocols.catalogue import data_folder, verify
from protocols.datasets.info import DatasetInfo
from protocols.datasets.manifest import ARRAY_FILE, Dataset, assemble_dataset
from protocols.errors import DataError
from protocols.images.store import ImageStore
from protocols.release.builder import ArrayImage, DatasetBuilder, ImagePiece
from protocols.release.image_files import SourceImage
from protocols.release.resume import ResumeLog


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def building(tmp_path: Path, said: list[str]) -> DatasetBuilder:
    for folder in ("release", "built"):
        (tmp_path / folder).mkdir()
    info = DatasetInfo(
        id="toy", title="Toy", kind="industrial", image_size=8, licence="none", citation="nobody", source="nowhere"
    )
    return DatasetBuilder(info, "", tmp_path / "release", tmp_path / "built", 2, said.append)


def cutter(calls: list[Path]) -> Callable[[Path], Sequence[ImagePiece]]:
    """Cuts an image into left and right; keeps which were asked for."""

    def cut(path: Path) -> Sequence[ImagePiece]:
        from protocols.release.image_files import read_pixels

        calls.append(path)
        image = read_pixels(path)
        half = image.shape[1] // 2
        return [
            ImagePiece(f"{path.stem}_0.PNG", "normal", image[:, :half], group=path.stem),
            ImagePiece(f"{path.stem}_1.PNG", "normal", image[:, half:], group=path.stem),
        ]

    return cut


@pytest.fixture
def sources(building: DatasetBuilder, save_image: Callable[..., Path]) -> list[Path]:
    return [save_image(building.source / f"{number}.png", number) for number in range(5)]


def test_pieces_are_kept_as_png_and_known_by_their_pixels(building: DatasetBuilder, sources: list[Path]) -> None:
    rows = building.pieces(sources, cutter([]))
    assert [row.id for row in rows] == [f"{number}_{side}.PNG" for number in range(5) for side in (0, 1)]
    row = rows[1]
    assert (row.file, row.width, row.height, row.channels, row.group) == ("0_1.png", 6, 10, 1, "0")
    with Image.open(sources[0]) as image:
        right = np.asarray(image)[:, 6:]
    assert row.sha256 == hashlib.sha256(b"10x6x1\n" + right.tobytes()).hexdigest()
    with Image.open(building.folder / row.file) as image:
        assert np.array_equal(np.asarray(image), right)
    assert verify.file_differences(assemble_dataset("toy", building.folder, rows)) == []


def test_pieces_that_would_overwrite_each_other_are_refused(building: DatasetBuilder, sources: list[Path]) -> None:
    pixels = np.zeros((4, 4, 1), np.uint8)
    with pytest.raises(DataError, match=r"toy has two images 'a.PNG' and 'a.png' in one file: rename one of them"):
        building.pieces(sources[:2], lambda path: [ImagePiece("a.PNG" if path == sources[0] else "a.png", "x", pixels)])


def test_a_journal_saves_cutting_again_and_a_lost_piece_is_cut_again(
    building: DatasetBuilder, sources: list[Path]
) -> None:
    folder = building.folder.with_name("partial")
    first = replace(building, resume_log=ResumeLog(folder)).pieces(sources, cutter([]))
    (folder / "pieces" / "1_0.png").write_bytes(b"torn")
    (folder / "pieces" / "3_1.png").unlink()
    with (folder / "journal.jsonl").open("a") as lines:
        lines.write('["pieces 0 4.png", [')
    again = replace(building, folder=building.folder.with_name("again"), resume_log=ResumeLog(folder))
    again.folder.mkdir()
    calls: list[Path] = []
    assert again.pieces(sources, cutter(calls)) == first
    assert sorted(calls) == [sources[1], sources[3]]
    assert verify.file_differences(assemble_dataset("toy", again.folder, first)) == []


def test_a_journal_keeps_steps_apart(building: DatasetBuilder, sources: list[Path]) -> None:
    journal = ResumeLog(building.folder.with_name("partial"))
    working = replace(building, resume_log=journal)
    first = working.pieces(sources[:1], cutter([]))
    other = working.pieces(sources[:1], lambda path: [ImagePiece("other.png", "x", np.zeros((4, 4, 3), np.uint8))])
    assert [row.id for row in (*first, *other)] == ["0_0.PNG", "0_1.PNG", "other.png"]


def test_a_journal_saves_reading_files_again(building: DatasetBuilder, sources: list[Path]) -> None:
    images = [SourceImage(path.name, path, "normal") for path in sources]
    folder = building.folder.with_name("partial")
    first = replace(building, resume_log=ResumeLog(folder)).unchanged(images)
    kept = [json.loads(line)[0] for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert sorted(kept) == [f"image {number}.png" for number in range(5)]
    again = replace(building, folder=building.folder.with_name("again"), resume_log=ResumeLog(folder))
    again.folder.mkdir()
    sources[2].chmod(0)
    sources[2].unlink()
    assert again.unchanged(images) == first


def test_a_journal_drops_a_line_cut_short(tmp_path: Path) -> None:
    journal = ResumeLog(tmp_path / "partial")
    journal.put("a", [1])
    journal.put("b", [2])
    path = tmp_path / "partial" / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-4])
    again = ResumeLog(tmp_path / "partial")
    assert (again.get("a"), again.get("b")) == ([1], None)
    again.put("b", [3])
    assert ResumeLog(tmp_path / "partial").get("b") == [3]


def png_of(width: int, height: int) -> bytes:
    """A PNG that says that it has one bit for each of so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def odd(path: Path, kind: str) -> Path:
    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    images = {
        "cmyk.jpg": lambda: grey.convert("CMYK").save(path, "JPEG"),
        "alpha.png": lambda: grey.convert("RGBA").save(path, "PNG"),
        "deep.tif": lambda: Image.fromarray(np.full((8, 8), 40000, np.uint16)).save(path, "TIFF"),
        "palette.png": lambda: grey.convert("P").save(path, "PNG"),
        "pixel.png": lambda: Image.new("L", (1, 1)).save(path, "PNG"),
        "line.png": lambda: Image.new("L", (900, 1)).save(path, "PNG"),
        "truncated.png": lambda: (grey.save(path, "PNG"), path.write_bytes(path.read_bytes()[:-30])),
        "empty.jpg": lambda: path.write_bytes(b""),
        "bomb.png": lambda: path.write_bytes(png_of(30_000, 30_000)),
        "large.png": lambda: path.write_bytes(png_of(10_000, 10_000)),
    }
    images[kind]()
    return path


def test_kinds_of_images_that_are_converted_are_said_once(
    building: DatasetBuilder, sources: list[Path], said: list[str]
) -> None:
    kinds = ("cmyk.jpg", "alpha.png", "deep.tif", "palette.png")
    paths = [
        *sources,
        *(odd(building.source / kind, kind) for kind in kinds),
        odd(building.source / "2.png", "alpha.png"),
    ]
    rows = building.unchanged(SourceImage(path.name + str(i), path, "normal") for i, path in enumerate(paths))
    assert said == [
        "toy: 1 image in CMYK is converted to RGB",
        "toy: 1 image of 16 bits is reduced to the high byte of each value",
        "toy: 1 image with a palette is expanded",
        "toy: 3 images with alpha are stripped of it",
    ]
    assert verify.file_differences(assemble_dataset("toy", building.folder, rows)) == []


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("pixel.png", "is an image of 1 x 1 pixels, which shows nothing"),
        ("line.png", "is an image of 900 x 1 pixels, which shows nothing"),
        ("truncated.png", "is not a readable image"),
        ("empty.jpg", "is empty"),
        ("bomb.png", r"is not a readable image \(Image size \(900000000 pixels\) exceeds limit"),
        ("large.png", "has 10000 x 10000 pixels, more than 89478485 in all"),
    ],
)
@pytest.mark.parametrize("step", ["unchanged", "pieces"])
def test_an_image_that_cannot_be_used_is_named(
    building: DatasetBuilder, sources: list[Path], kind: str, problem: str, step: str
) -> None:
    paths = [*sources, odd(building.source / kind, kind)]
    steps = {
        "pieces": lambda: building.pieces(paths, cutter([])),
        "unchanged": lambda: building.unchanged(SourceImage(path.name, path, "normal") for path in paths),
    }
    with pytest.raises(DataError, match=rf"{kind} {problem}.*: replace or remove the file"):
        steps[step]()


def test_a_release_that_is_missing_is_asked_for(building: DatasetBuilder) -> None:
    with pytest.raises(DataError, match="toy needs its release: give its folder or archive as the source"):
        _ = replace(building, release=None).source


@pytest.fixture
def digits(made_up_sets: Path, tmp_path: Path) -> Dataset:
    release = made_up.digits_release(tmp_path / "digits")
    return data_folder.prepare(tmp_path / "data", "digits", release)


def test_an_array_set_keeps_its_images_in_the_order_of_the_manifest(digits: Dataset, tmp_path: Path) -> None:
    assert [row.id for row in digits.rows[:2]] == ["test/00000", "test/00001"]
    assert {row.file for row in digits.rows} == {ARRAY_FILE}
    assert digits.labels == tuple(map(str, range(10)))
    array = np.load(digits.folder / ARRAY_FILE)
    assert np.array_equal(array[30:], np.load(tmp_path / "digits" / "train.npy"))
    row = digits.row("train/00007")
    assert row.sha256 == hashlib.sha256(b"6x6x1\n" + array[37].tobytes()).hexdigest()
    assert (row.split, row.label, row.width, row.height, row.channels) == ("train", "7", 6, 6, 1)
    assert verify.file_differences(digits) == []


@pytest.mark.parametrize(("resize", "size"), [("squash", 4), ("shorter_side", 4), ("none", 0), ("squash", 6)])
def test_the_store_of_an_array_set_is_that_of_its_images_as_files(
    digits: Dataset, tmp_path: Path, resize: str, size: int
) -> None:
    ids = ["train/00003", "test/00029"]
    stored = ImageStore.open(digits, size=size, resize=resize, cache_dir=tmp_path / "cache").images(ids)
    array = np.load(digits.folder / ARRAY_FILE)
    for i, place in enumerate((33, 29)):
        expected = Image.fromarray(array[place, :, :, 0])
        if size == 4:
            expected = expected.resize((4, 4), Image.Resampling.BILINEAR)
        assert np.array_equal(stored.one(i)[:, :, 0], np.asarray(expected))
    assert stored.take(np.array([1, 0])).shape == (2, size or 6, size or 6, 1)
    assert stored.size == (size or 6)
    assert len(pickle.dumps(stored)) < 4000


def test_images_of_an_array_that_are_not_square_keep_their_shape(building: DatasetBuilder, tmp_path: Path) -> None:
    pixels = np.arange(2 * 3 * 5 * 3, dtype=np.uint8).reshape(2, 3, 5, 3)
    rows = building.array([ArrayImage("b", "0", "train"), ArrayImage("a", "1", "test")], pixels)
    dataset = assemble_dataset("toy", building.folder, rows)
    images = ImageStore.open(dataset, size=0, resize="none", cache_dir=tmp_path / "cache").images(["a", "b"])
    assert np.array_equal(images.take(np.array([0, 1])), pixels[::-1])
    assert np.array_equal(pickle.loads(pickle.dumps(images)).one(1), pixels[0])
    assert not (tmp_path / "cache").exists()


def _other_pixels(path: Path) -> None:
    array = np.load(path, mmap_mode="r+")
    array[3, 0, 0, 0] ^= 1
    array.flush()


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (_other_pixels, "images.npy does not hold the pixels of 'test/00003' that the manifest describes"),
        (Path.unlink, r"cannot read .*images.npy \(No such file or directory\)"),
        (lambda path: path.write_bytes(path.read_bytes()[:-5]), "images.npy is not a readable array"),
        (lambda path: path.write_bytes(b"text"), "images.npy is not a readable array"),
        (lambda path: np.save(path, np.zeros((3, 6, 6, 1), np.uint8)), r"images.npy holds uint8 \(3, 6, 6, 1\), where"),
        (lambda path: np.save(path, np.zeros((60, 6, 6, 1))), r"images.npy holds float64 \(60, 6, 6, 1\), where"),
    ],
)
def test_a_damaged_array_is_one_difference_and_no_store(
    digits: Dataset, tmp_path: Path, spoil: Callable[[Path], object], problem: str
) -> None:
    spoil(digits.folder / ARRAY_FILE)
    with pytest.raises(DataError, match=f"{problem}.*: see 'bench data verify digits'"):
        ImageStore.open(digits, size=4, cache_dir=tmp_path / "cache")
    (line,) = verify.file_differences(digits)
    assert re.search(problem, line)


@pytest.mark.parametrize(
    ("pixels", "problem"),
    [
        (np.zeros((2, 4, 4, 1), np.uint8), "toy has 3 labels for 2 images"),
        (np.zeros((3, 4, 4, 1)), r"toy holds float64 \(3, 4, 4, 1\) and no images of 8 bits"),
        (np.zeros((3, 4, 4), np.uint8), r"toy holds uint8 \(3, 4, 4\) and no images"),
        (np.zeros((3, 4, 4, 2), np.uint8), r"toy holds uint8 \(3, 4, 4, 2\) and no images"),
    ],
)
def test_pixels_of_another_kind_are_refused(building: DatasetBuilder, pixels: object, problem: str) -> None:
    with pytest.raises(DataError, match=f"{problem}.*: get the release again"):
        building.array([ArrayImage(str(i), "0") for i in range(3)], pixels)  # type: ignore[arg-type]


def test_a_large_array_is_kept_in_blocks(building: DatasetBuilder) -> None:
    path = building.source / "raw.npy"
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(20_000, 64, 64, 1))
    images = [ArrayImage(f"test/{number:05d}", "0") for number in range(20_000)]
    tracemalloc.start()
    try:
        rows = building.array(images[::-1], pixels)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(rows) == 20_000
    assert peak < pixels.nbytes * 0.75  # 82 MB of pixels; a block has 17 MB
