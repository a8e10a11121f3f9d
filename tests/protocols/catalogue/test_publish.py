import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import made_up
import pytest
from msgspec.structs import replace
from plugins import forget_installed

from protocols.catalogue import data_folder, verify
from protocols.datasets.manifest import MANIFEST, Dataset
from protocols.errors import DataError
from protocols.io.atomic_folders import claimed_folder

SUPPORT = Path(made_up.__file__).parent


@pytest.fixture
def data_dir(made_up_sets: Path, tmp_path: Path) -> Path:
    return tmp_path / "data"


def visible(data_dir: Path) -> list[str]:
    return sorted(path.name for path in data_dir.iterdir() if not path.name.endswith(".lock"))


def test_files_that_do_not_change_are_links_to_the_release(data_dir: Path, tmp_path: Path) -> None:
    source = made_up.plain_release(tmp_path / "release")
    dataset = data_folder.prepare(data_dir, "plain", source)
    assert len(dataset.rows) == 12
    assert all(dataset.path(row).resolve() == (source / row.id).resolve() for row in dataset.rows)
    assert data_folder.open_dataset(data_dir, "plain") == dataset
    assert verify.file_differences(dataset) == []
    assert visible(data_dir) == ["plain"]


def test_a_variant_is_a_dataset_of_its_own(data_dir: Path, tmp_path: Path) -> None:
    source = made_up.plain_release(tmp_path / "release")
    dataset = data_folder.prepare(data_dir, "plain@good_only", source)
    assert (dataset.name, dataset.folder.name, len(dataset.rows)) == ("plain@good_only", "plain@good_only", 8)
    assert data_folder.open_dataset(data_dir, "plain@good_only") == dataset
    assert data_folder.dataset_state(data_dir, "plain") == "absent"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("plain@god_only", "plain has no variant 'god_only': did you mean 'plain@good_only'"),
        ("tiles@x", "tiles has no variant 'x': there is none to choose"),
        ("plains", "there is no dataset 'plains': did you mean 'plain'"),
        ("shape", "there is no dataset 'shape': did you mean 'shapes'"),
    ],
)
def test_an_unknown_name_or_variant_gets_a_near_miss(data_dir: Path, tmp_path: Path, name: str, problem: str) -> None:
    for attempt in (
        lambda: data_folder.prepare(data_dir, name, tmp_path),
        lambda: data_folder.open_dataset(data_dir, name),
        lambda: data_folder.known_target(name, data_dir),
    ):
        with pytest.raises(DataError, match=problem):
            attempt()
    assert not data_dir.exists()


def test_without_a_source_it_is_said_where_to_get_one(data_dir: Path) -> None:
    said = "get it from https://example.org/made-up, then 'bench data prepare plain --source DIR_OR_ARCHIVE'$"
    with pytest.raises(DataError, match=f"plain needs its release: {said}"):
        data_folder.prepare(data_dir, "plain")
    with pytest.raises(DataError, match=f"plain has no address that is free to fetch from: {said}"):
        data_folder.prepare(data_dir, "plain", download=True)


def shapes(folder: Path, save_image: Callable[..., Path], names: tuple[str, ...]) -> Path:
    seed = 0
    for name in names:
        for part, count in (("train/good", 4), ("test/good", 2), ("test/dot", 3)):
            for number in range(count):
                save_image(folder / name / part / f"{number}.png", seed := seed + 1)
    return folder


def test_a_family_is_prepared_as_its_members_that_are_there(
    data_dir: Path, tmp_path: Path, save_image: Callable[..., Path]
) -> None:
    release = shapes(tmp_path / "raw" / "shapes_1.0", save_image, ("circles", "squares"))
    made = data_folder.prepare_all(data_dir, "shapes", tmp_path / "raw")
    assert [dataset.name for dataset in made] == ["circles", "squares"]
    assert visible(data_dir) == ["circles", "squares"]
    assert data_folder.open_all(data_dir, "shapes") == made
    shutil.rmtree(release / "circles")
    (alone,) = data_folder.prepare_all(tmp_path / "other", "shapes", tmp_path / "raw")
    assert alone.rows == made[1].rows
    assert data_folder.open_all(tmp_path / "other", "shapes") == [alone]
    with pytest.raises(DataError, match=r"holds no folder of shapes \(circles, squares\): give the folder"):
        data_folder.prepare_all(data_dir, "shapes", made_up.plain_release(tmp_path / "plain"))
    with pytest.raises(DataError, match="shapes is a family of datasets: choose one of them, such as circles"):
        data_folder.open_dataset(data_dir, "shapes")


def test_a_family_from_an_archive_gives_the_same_and_is_unpacked_once(
    data_dir: Path, tmp_path: Path, save_image: Callable[..., Path]
) -> None:
    release = shapes(tmp_path / "raw", save_image, ("circles", "squares"))
    archive = Path(shutil.make_archive(str(tmp_path / "shapes"), "xztar", release))
    unpacked: list[str] = []

    def progress(what: str, done: int, total: int) -> None:
        if what.startswith("unpacking") and done == total:
            unpacked.append(what)

    made = data_folder.prepare_all(data_dir, "shapes", archive, progress=progress)
    again = data_folder.prepare_all(data_dir, "shapes", archive, progress=progress)
    assert made == again
    assert len(set(unpacked)) == 1
    seen = len(unpacked)
    plain = data_folder.prepare_all(tmp_path / "plain", "shapes", release)
    assert [dataset.rows for dataset in plain] == [dataset.rows for dataset in made]
    data_folder.prepare_all(data_dir, "shapes", archive, progress=progress)
    assert len(unpacked) == seen


def test_one_bad_image_refuses_the_whole_family(
    data_dir: Path, tmp_path: Path, save_image: Callable[..., Path]
) -> None:
    release = shapes(tmp_path / "raw", save_image, ("circles", "squares"))
    (release / "squares/test/dot/1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"squares/test/dot/1.png is empty"):
        data_folder.prepare_all(data_dir, "shapes", release)
    assert visible(data_dir) == []


def inode(dataset: Dataset) -> int:
    return dataset.folder.stat().st_ino


def test_preparing_again_changes_nothing_unless_a_file_is_gone(data_dir: Path, tmp_path: Path) -> None:
    source = made_up.tiles_release(tmp_path / "release")
    first = data_folder.prepare(data_dir, "tiles", source)
    before = inode(first)
    assert data_folder.prepare(data_dir, "tiles", source) == first
    assert inode(first) == before
    (first.folder / "003_1.png").unlink()
    assert verify.file_differences(first) != []
    assert data_folder.prepare(data_dir, "tiles", source) == first
    assert verify.file_differences(first) == []


def test_the_same_images_from_elsewhere_renew_the_links(data_dir: Path, tmp_path: Path) -> None:
    source = made_up.plain_release(tmp_path / "release")
    first = data_folder.prepare(data_dir, "plain", source)
    moved = Path(shutil.copytree(source, tmp_path / "moved"))
    assert data_folder.prepare(data_dir, "plain", moved) == first
    assert first.path(first.rows[0]).resolve().is_relative_to(moved)


def test_other_images_under_a_taken_name_are_refused(data_dir: Path, tmp_path: Path) -> None:
    first = data_folder.prepare(data_dir, "plain", made_up.plain_release(tmp_path / "release"))
    other = made_up.plain_release(tmp_path / "other", normals=9)
    with pytest.raises(DataError, match=r"plain holds other images than .*/other: remove it, then prepare plain again"):
        data_folder.prepare(data_dir, "plain", other)
    assert data_folder.open_dataset(data_dir, "plain") == first
    assert visible(data_dir) == ["plain"]


def test_a_manifest_that_cannot_be_read_is_replaced(data_dir: Path, tmp_path: Path) -> None:
    source = made_up.plain_release(tmp_path / "release")
    first = data_folder.prepare(data_dir, "plain", source)
    (first.folder / MANIFEST).write_text("torn")
    assert data_folder.dataset_state(data_dir, "plain") == "damaged"
    assert data_folder.prepare(data_dir, "plain", source) == first


def test_a_foreign_folder_is_left_alone(data_dir: Path, tmp_path: Path) -> None:
    (data_dir / "plain").mkdir(parents=True)
    (data_dir / "plain" / "mine.txt").write_text("precious")
    with pytest.raises(DataError, match="is no prepared dataset: move it elsewhere"):
        data_folder.prepare(data_dir, "plain", made_up.plain_release(tmp_path / "release"))
    assert (data_dir / "plain" / "mine.txt").read_text() == "precious"


def test_other_code_is_another_preparation(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = made_up.tiles_release(tmp_path / "release")
    first = data_folder.prepare(data_dir, "tiles", source)
    changed = tmp_path / "changed.py"
    changed.write_bytes(Path(made_up.__file__).read_bytes() + b"\n")
    before = inode(first)
    monkeypatch.setattr(sys.modules["made_up"], "__file__", str(changed))
    assert data_folder.prepare(data_dir, "tiles", source) == first
    assert inode(first) != before


def test_other_facts_are_another_preparation(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = made_up.tiles_release(tmp_path / "release")
    first = data_folder.prepare(data_dir, "tiles", source)
    before = inode(first)
    assert inode(data_folder.prepare(data_dir, "tiles", source)) == before
    monkeypatch.setitem(made_up.DATASETS, "tiles", replace(made_up.DATASETS["tiles"], digest="other facts"))
    forget_installed()
    assert data_folder.prepare(data_dir, "tiles", source) == first
    assert inode(first) != before


def start(data_dir: Path, installed: Path, name: str, source: Path, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "benchmark", "data", "prepare", name, "--source", str(source), "--jobs", "1"],
        env={**made_up.environment(installed), "BENCH_DATA": str(data_dir), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_what_was_cut_before_a_kill_is_not_cut_again(data_dir: Path, made_up_sets: Path, tmp_path: Path) -> None:
    source = made_up.tiles_release(tmp_path / "release", strips=12)
    undisturbed = data_folder.prepare(tmp_path / "undisturbed", "tiles", source)
    for cuts in (9, 3):  # after eight strips that were cut, then after two more of the four others
        killed = start(data_dir, made_up_sets, "tiles", source, MADE_UP_KILL=str(cuts))
        killed.communicate()
        assert killed.returncode == -9
        assert data_folder.prepared(data_dir) == []
        assert data_folder.dataset_state(data_dir, "tiles") == "absent"
    (journal,) = data_dir.glob(".tiles.*.partial/tiles.*/journal.jsonl")
    assert len(journal.read_text().splitlines()) == 10
    last = start(data_dir, made_up_sets, "tiles", source, MADE_UP_KILL="3")
    out, err = last.communicate()
    assert (last.returncode, err.count("\n")) == (0, 1)
    assert err.startswith("tiles: release not recognised, since it has 6 images of 'hole' where the release has 3")
    assert out.startswith("tiles: 36 images in ")
    assert (data_dir / "tiles" / MANIFEST).read_bytes() == (undisturbed.folder / MANIFEST).read_bytes()
    assert verify.file_differences(data_folder.open_dataset(data_dir, "tiles")) == []
    assert visible(data_dir) == ["tiles"]


def test_a_release_that_changed_since_the_kill_is_read_anew(data_dir: Path, made_up_sets: Path, tmp_path: Path) -> None:
    source = made_up.tiles_release(tmp_path / "release")
    start(data_dir, made_up_sets, "tiles", source, MADE_UP_KILL="5").communicate()
    first = source / "strips" / "000.png"
    shutil.copyfile(source / "strips" / "001.png", first)
    assert (
        data_folder.prepare(data_dir, "tiles", source).rows
        == data_folder.prepare(tmp_path / "new", "tiles", source).rows
    )
    assert visible(data_dir) == ["tiles"]


def stories(installed: Path, *words: object) -> list[dict[str, object]]:
    ran = subprocess.run(
        [sys.executable, str(SUPPORT / "killed.py"), *map(str, words)],
        env=made_up.environment(installed),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told: list[dict[str, object]] = json.loads(ran.stdout)
    return told


@pytest.mark.parametrize(("name", "packed"), [("plain", ""), ("plain", "gztar"), ("tiles", "zip")])
def test_killed_anywhere_twice_a_preparation_gives_the_same_bytes(
    data_dir: Path, made_up_sets: Path, tmp_path: Path, name: str, packed: str
) -> None:
    source = (made_up.tiles_release if name == "tiles" else made_up.plain_release)(tmp_path / "release")
    if packed:
        source = Path(shutil.make_archive(str(tmp_path / "packed"), packed, source))
    told = stories(made_up_sets, "prepared", data_dir, 4, name, source)
    assert len(told) >= 4
    for story in told:
        assert story["partly"] == [False, False], story
        assert story["same"], story
        assert story["left"] == [], story
    assert sum(story["ends"][:2] == [-1, -1] for story in told) >= 3  # type: ignore[index]


def test_killed_anywhere_twice_a_store_has_the_same_bytes(data_dir: Path, made_up_sets: Path, tmp_path: Path) -> None:
    dataset = data_folder.prepare(data_dir, "plain", made_up.plain_release(tmp_path / "release"))
    told = stories(made_up_sets, "stored", tmp_path / "cache", 4, dataset.folder, 8)
    assert len(told) >= 4
    assert all(story["same"] and story["left"] == [] for story in told)
    assert all(story["partly"] == [False, False] for story in told)


def test_a_second_process_waits_says_so_and_finds_the_work_done(
    data_dir: Path, made_up_sets: Path, tmp_path: Path
) -> None:
    source = made_up.tiles_release(tmp_path / "release")
    with claimed_folder(data_dir / "tiles", "BENCH_DATA"):
        waiting = [start(data_dir, made_up_sets, "tiles", source) for _ in range(2)]
        for process in waiting:
            assert process.stderr is not None
            assert process.stderr.readline() == f"waiting for another process that builds {data_dir / 'tiles'}\n"
    ends = [process.communicate(timeout=60) for process in waiting]
    assert all(out.startswith("tiles: 18 images in ") for out, _ in ends)
    assert visible(data_dir) == ["tiles"]
