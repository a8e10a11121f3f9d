import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protocols.catalogue import data_folder
from protocols.datasets.manifest import Dataset, Row
from protocols.errors import DataError
from protocols.images import decode
from protocols.images.array_file import STORE_ARRAY, ArrayForm
from protocols.images.store import Images, ImageStore


@pytest.fixture
def dataset(mvtec_folder: Path, tmp_path: Path) -> Dataset:
    return data_folder.adopt_dataset(mvtec_folder, "toy", tmp_path / "data")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def everything(store: ImageStore, dataset: Dataset) -> Images:
    return store.images([row.id for row in dataset.rows])


def test_images_are_pillow_s_bilinear_squash_in_the_order_asked(dataset: Dataset, cache: Path) -> None:
    store = ImageStore.open(dataset, size=7, cache_dir=cache)
    ids = ["train/good/002.png", "test/color/001.png", "train/good/002.png"]
    images = store.images(ids)
    assert images.ids == tuple(ids)
    assert (len(images), images.channels, images.size) == (3, 1, 7)
    taken = images.take(np.array([1, 0]))
    assert taken.shape == (2, 7, 7, 1)
    assert taken.dtype == np.uint8
    for row, id_ in zip(taken, (ids[1], ids[0]), strict=True):
        with Image.open(dataset.folder / id_) as image:
            expected = np.asarray(image.resize((7, 7), Image.Resampling.BILINEAR))
        assert np.array_equal(row[:, :, 0], expected)
    assert np.array_equal(images.one(1), taken[0])


def test_take_gives_a_fresh_array_and_the_store_stays_as_it_is(dataset: Dataset, cache: Path) -> None:
    images = everything(ImageStore.open(dataset, size=7, cache_dir=cache), dataset)
    taken = images.take(np.arange(3))
    assert taken.flags.c_contiguous
    taken[:] = 0
    images.one(0)[:] = 0
    assert images.take(np.arange(3)).any()
    assert images.take(np.array([])).shape == (0, 7, 7, 1)


def test_select_keeps_order_and_repeats(dataset: Dataset, cache: Path) -> None:
    for resize in ("squash", "none"):
        images = everything(ImageStore.open(dataset, size=7, resize=resize, cache_dir=cache), dataset)
        chosen = images.select(np.array([5, 2, 5]))
        assert chosen.ids == (images.ids[5], images.ids[2], images.ids[5])
        assert np.array_equal(chosen.take(np.arange(3)), images.take(np.array([5, 2, 5])))
        assert np.array_equal(chosen.select(np.array([1])).one(0), images.one(2))


def test_stores_of_several_sizes_are_made_of_one_decoding_with_the_same_bytes(
    dataset: Dataset, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    load = decode.ImageReader.load

    def counted(reader: decode.ImageReader, row: Row) -> Image.Image:
        decoded.append(row.id)
        return load(reader, row)

    monkeypatch.setattr(decode.ImageReader, "load", counted)
    ImageStore.open(dataset, size=9, cache_dir=cache)
    decoded.clear()
    forms = [ArrayForm(7, "squash"), ArrayForm(9, "squash"), ArrayForm(7, "shorter_side"), ArrayForm(0, "none")]
    stores = ImageStore.open_all(dataset, forms, cache_dir=cache, jobs=2)
    assert sorted(decoded) == [row.id for row in dataset.rows]
    for store, (size, resize) in zip(stores, forms, strict=True):
        images = everything(store, dataset)
        alone = everything(ImageStore.open(dataset, size=size, resize=resize, cache_dir=tmp_path / "alone"), dataset)
        assert images.size == alone.size
        assert all(np.array_equal(images.one(i), alone.one(i)) for i in range(len(images)))
    files = {path.relative_to(cache): path.read_bytes() for path in cache.rglob("*") if path.is_file()}
    for path in (tmp_path / "alone").rglob("[!.]*"):
        if path.is_file():
            assert files[path.relative_to(tmp_path / "alone")] == path.read_bytes()


def test_room_for_all_sizes_is_looked_for_before_any_is_made(
    dataset: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=12 * 700 * 700))
    with pytest.raises(DataError, match=r"need .* MiB in .*, .* MiB are free"):
        ImageStore.open_all(dataset, [ArrayForm(600, "squash"), ArrayForm(700, "squash")], cache_dir=cache)
    assert not list((cache / "images").glob("[!.]*"))


def test_images_survive_pickling_without_their_pixels(dataset: Dataset, cache: Path) -> None:
    for resize in ("squash", "none"):
        images = everything(ImageStore.open(dataset, size=64, resize=resize, cache_dir=cache), dataset)
        before = images.take(np.arange(4))
        data = pickle.dumps(images)
        assert np.array_equal(pickle.loads(data).take(np.arange(4)), before)
        assert len(data) < 64 * 64


def test_colour_datasets_have_three_channels_throughout(
    mvtec_folder: Path, tmp_path: Path, cache: Path, save_image: Callable[..., Path]
) -> None:
    save_image(mvtec_folder / "test/color/009.png", 9, mode="RGB")
    dataset = data_folder.adopt_dataset(mvtec_folder, "toy", tmp_path / "data")
    images = everything(ImageStore.open(dataset, size=8, cache_dir=cache), dataset)
    assert images.channels == 3
    grey = images.one(images.ids.index("train/good/000.png"))
    assert grey.shape == (8, 8, 3)
    assert (grey == grey[:, :, :1]).all()


def test_without_resize_images_keep_their_sizes(
    mvtec_folder: Path, tmp_path: Path, cache: Path, save_image: Callable[..., Path]
) -> None:
    save_image(mvtec_folder / "test/color/009.png", 9, size=(5, 4))
    dataset = data_folder.adopt_dataset(mvtec_folder, "toy", tmp_path / "data")
    store = ImageStore.open(dataset, size=0, resize="none", cache_dir=cache)
    images = everything(store, dataset)
    assert images.size == 0
    assert images.one(images.ids.index("test/color/009.png")).shape == (4, 5, 1)
    with pytest.raises(DataError, match="differ in size and cannot be stacked: give a size"):
        images.take(np.array([0, 1]))
    equal = store.images(["test/color/000.png", "test/color/001.png"])
    assert equal.take(np.array([1, 0])).shape == (2, 10, 12, 1)
    assert not cache.exists()


def test_the_store_is_built_once_and_progress_counts_every_image(dataset: Dataset, cache: Path) -> None:
    seen: list[tuple[int, int]] = []
    arguments = {"size": 7, "cache_dir": cache, "jobs": 3, "progress": lambda done, total: seen.append((done, total))}
    first = everything(ImageStore.open(dataset, **arguments), dataset).take(np.arange(11))
    assert seen == [(done, 11) for done in range(1, 12)]
    shutil.rmtree(dataset.folder)
    again = everything(ImageStore.open(dataset, **arguments), dataset).take(np.arange(11))
    assert len(seen) == 11
    assert np.array_equal(first, again)


def test_threads_change_nothing(dataset: Dataset, cache: Path, tmp_path: Path) -> None:
    for jobs in (1, 4):
        ImageStore.open(dataset, size=9, cache_dir=tmp_path / str(jobs), jobs=jobs)
    one, four = (next((tmp_path / jobs).rglob(STORE_ARRAY)).read_bytes() for jobs in ("1", "4"))
    assert one == four


def test_size_and_resize_and_content_have_stores_of_their_own(
    dataset: Dataset, mvtec_folder: Path, tmp_path: Path, cache: Path, save_image: Callable[..., Path]
) -> None:
    save_image(mvtec_folder / "test/color/009.png", 9)
    other = data_folder.adopt_dataset(mvtec_folder, "other", tmp_path / "data")
    for data, size, resize in [
        (dataset, 8, "squash"),
        (dataset, 9, "squash"),
        (dataset, 8, "shorter_side"),
        (other, 8, "squash"),
    ]:
        ImageStore.open(data, size=size, resize=resize, cache_dir=cache)
    assert len(list(cache.rglob(STORE_ARRAY))) == 4


def test_a_store_cut_short_is_built_again(dataset: Dataset, cache: Path) -> None:
    before = everything(ImageStore.open(dataset, size=16, cache_dir=cache), dataset).take(np.arange(11))
    path = next(cache.rglob(STORE_ARRAY))
    path.write_bytes(path.read_bytes()[:500])
    after = everything(ImageStore.open(dataset, size=16, cache_dir=cache), dataset).take(np.arange(11))
    assert np.array_equal(before, after)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda path: path.write_bytes(b"no image"), "000.png is not a readable image"),
        (lambda path: path.write_bytes(path.read_bytes()[:-30]), "000.png is not a readable image"),
        (lambda path: path.unlink(), r"cannot read .*000.png \(No such file"),
        (lambda path: Image.new("L", (12, 10)).save(path), "000.png is not the image that the manifest describes"),
    ],
)
def test_a_bad_image_is_named_and_nothing_is_left(
    dataset: Dataset, mvtec_folder: Path, cache: Path, spoil: Callable[[Path], object], problem: str
) -> None:
    spoil(mvtec_folder / "test/color/000.png")
    with pytest.raises(DataError, match=f"{problem}.*: see 'bench data verify toy'"):
        ImageStore.open(dataset, size=8, cache_dir=cache, jobs=2)
    assert [path.suffix for path in (cache / "images").iterdir()] == [".lock"]


def test_an_unknown_id_is_refused(dataset: Dataset, cache: Path) -> None:
    with pytest.raises(DataError, match=r"toy has no image 'x.png'"):
        ImageStore.open(dataset, size=8, cache_dir=cache).images(["x.png"])


@pytest.mark.parametrize(
    ("size", "resize", "problem"),
    [(8, "squish", "did you mean 'squash'"), (0, "squash", "the image size cannot be 0: give the side in pixels")],
)
def test_a_wrong_size_or_resize_is_refused(dataset: Dataset, cache: Path, size: int, resize: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        ImageStore.open(dataset, size=size, resize=resize, cache_dir=cache)


def test_too_little_free_space_is_said_before_anything_is_built(
    dataset: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(cache.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=2**20))
    with pytest.raises(DataError, match=r"need 10\.7 MiB in .*, 1\.0 MiB are free: free some, or set BENCH_CACHE"):
        ImageStore.open(dataset, size=1010, cache_dir=cache)
    assert not list(cache.rglob(STORE_ARRAY))


FULL = """
import resource, sys
from pathlib import Path
from protocols.errors import DataError
from protocols.images.store import ImageStore
from protocols.datasets.manifest import read_manifest
dataset = read_manifest(Path(sys.argv[1]), "toy")
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    ImageStore.open(dataset, size=128, cache_dir=Path(sys.argv[2]))
except DataError as error:
    print(error)
"""


def test_a_disk_that_fills_up_is_one_sentence(dataset: Dataset, cache: Path) -> None:
    arguments = [sys.executable, "-c", FULL, str(dataset.folder), str(cache)]
    ran = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert ran.stdout == f"no space left in {cache / 'images'}: free some, or set BENCH_CACHE to another folder\n"
    assert not list(cache.rglob(STORE_ARRAY))


KILLED = """
import os, signal, sys
from pathlib import Path
from protocols.images.store import ImageStore
from protocols.datasets.manifest import read_manifest

def progress(done, total):
    if done == 5:
        os.kill(os.getpid(), signal.SIGKILL)

ImageStore.open(read_manifest(Path(sys.argv[1]), "toy"), size=8, cache_dir=Path(sys.argv[2]), progress=progress)
"""


def test_a_killed_builder_leaves_nothing_that_is_taken_for_finished(dataset: Dataset, cache: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", KILLED, str(dataset.folder), str(cache)], check=False)
    assert ran.returncode == -9
    assert [path for path in (cache / "images").iterdir() if path.suffix == ".tmp"]
    images = everything(ImageStore.open(dataset, size=8, cache_dir=cache), dataset)
    assert images.take(np.arange(11)).reshape(11, -1).any(axis=1).all()
    assert len([path for path in (cache / "images").iterdir() if path.suffix != ".lock"]) == 1


BUILD = """
import sys, time
from pathlib import Path
from protocols.images.store import ImageStore
from protocols.datasets.manifest import read_manifest
built = []

def progress(done, total):
    built.append(done)
    time.sleep(0.02)

ImageStore.open(read_manifest(Path(sys.argv[1]), "toy"), size=8, cache_dir=Path(sys.argv[2]), progress=progress)
print(len(built))
"""


def test_two_processes_at_once_build_once(dataset: Dataset, cache: Path) -> None:
    arguments = [sys.executable, "-c", BUILD, str(dataset.folder), str(cache)]
    running = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(int(process.communicate()[0]) for process in running) == [0, 11]
