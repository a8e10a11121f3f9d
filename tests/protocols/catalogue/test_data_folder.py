import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from protocols.catalogue import data_folder, verify
from protocols.datasets.manifest import MANIFEST, Dataset
from protocols.datasets.registry import our_datasets
from protocols.errors import DataError


@pytest.fixture
def small_elpv(tmp_path: Path, save_image: Callable[..., Path]) -> Path:
    """A release of ELPV with five images, as `PACKAGE/data`."""
    release = tmp_path / "elpv_dataset" / "data"
    lines = []
    cells = [
        ("0.0", "mono"),
        ("0.3333333333333333", "mono"),
        ("0.6666666666666666", "poly"),
        ("1.0", "poly"),
        ("1.0", "mono"),
    ]
    for i, (probability, cell) in enumerate(cells, start=1):
        save_image(release / "images" / f"cell{i:04d}.png", i)
        lines.append(f"images/cell{i:04d}.png  {probability}  {cell}\n")
    (release / "labels.csv").write_text("".join(lines))
    (release.parent / "__init__.py").write_text("raise RuntimeError('the package must not be imported')")
    return release


@pytest.fixture
def installed_elpv(small_elpv: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That release as the installed package."""
    monkeypatch.syspath_prepend(str(small_elpv.parents[1]))
    monkeypatch.delitem(sys.modules, "elpv_dataset", raising=False)
    importlib.invalidate_caches()
    return small_elpv


def test_elpv_prepares_itself_from_its_package_without_importing_it(tmp_path: Path, installed_elpv: Path) -> None:
    said: list[str] = []
    data_dir = tmp_path / "data"
    assert data_folder.dataset_state(data_dir, "elpv") == "embedded"
    dataset = data_folder.open_dataset(data_dir, "elpv", notify=said.append)
    assert [(row.id, row.label, row.split) for row in dataset.rows] == [
        ("images/cell0001.png", "normal", ""),
        ("images/cell0004.png", "poly", ""),
        ("images/cell0005.png", "mono", ""),
    ]
    assert (data_dir / "elpv/images/cell0001.png").resolve() == (installed_elpv / "images/cell0001.png").resolve()
    assert said == [f"preparing elpv in {data_dir / 'elpv'}"]
    assert data_folder.dataset_state(data_dir, "elpv") == "ready"
    assert data_folder.open_dataset(data_dir, "elpv", notify=said.append) == dataset
    assert len(said) == 1
    assert data_folder.prepared(data_dir) == ["elpv"]


def test_elpv_prepares_itself_again_where_its_links_lead_nowhere(tmp_path: Path, installed_elpv: Path) -> None:
    data_dir = tmp_path / "data"
    first = data_folder.open_dataset(data_dir, "elpv")
    (data_dir / "elpv/images/cell0001.png").unlink()
    (data_dir / "elpv/images/cell0001.png").symlink_to(tmp_path / "gone.png")
    assert data_folder.dataset_state(data_dir, "elpv") == "damaged"
    assert data_folder.open_dataset(data_dir, "elpv") == first
    assert verify.file_differences(first) == []


def test_a_folder_that_is_no_prepared_dataset_is_never_replaced(tmp_path: Path, installed_elpv: Path) -> None:
    mine = tmp_path / "data" / "elpv" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    with pytest.raises(DataError, match="is no prepared dataset: move it elsewhere"):
        data_folder.open_dataset(tmp_path / "data", "elpv")
    assert mine.read_text() == "precious"


def test_a_missing_package_is_named_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'swanbench\[elpv\]'"):
        data_folder.open_dataset(tmp_path / "data", "elpv")
    assert data_folder.prepared(tmp_path / "data") == []


def test_a_release_with_a_damaged_label_file_leaves_nothing(tmp_path: Path, installed_elpv: Path) -> None:
    (installed_elpv / "labels.csv").write_text("images/cell0001.png half mono\n")
    with pytest.raises(DataError, match=r"cannot read .*labels.csv"):
        data_folder.open_dataset(tmp_path / "data", "elpv")
    assert [path.name for path in (tmp_path / "data").iterdir()] == [".elpv.lock"]


def test_a_release_folder_can_be_given(tmp_path: Path, small_elpv: Path) -> None:
    assert len(data_folder.prepare(tmp_path / "data", "elpv", small_elpv).rows) == 3


def test_a_known_dataset_that_is_not_there_says_where_to_get_it(tmp_path: Path) -> None:
    assert data_folder.dataset_state(tmp_path, "carpet") == "absent"
    with pytest.raises(
        DataError, match=r"carpet is not in .*mvtec.com.*bench data prepare carpet --source DIR_OR_ARCHIVE"
    ):
        data_folder.open_dataset(tmp_path, "carpet")


@pytest.mark.parametrize(
    ("name", "hint"), [("elvp", "did you mean 'elpv'"), ("ELPV", "did you mean 'elpv'"), ("../x", "")]
)
def test_an_unknown_dataset_gets_a_near_miss(tmp_path: Path, name: str, hint: str) -> None:
    with pytest.raises(DataError, match=f"there is no dataset '{name}': {hint}"):
        data_folder.open_dataset(tmp_path, name)


def test_what_has_no_preparation_says_how_to_adopt_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(our_datasets(), "aitex", replace(our_datasets()["aitex"], prepare=None))
    with pytest.raises(DataError, match="bench data adopt DIR --name aitex"):
        data_folder.prepare(tmp_path, "aitex", tmp_path)
    with pytest.raises(DataError, match="there is no dataset 'aitec': did you mean 'aitex'"):
        data_folder.prepare(tmp_path, "aitec", tmp_path)


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path, installed_elpv: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write in .*file.*: set BENCH_DATA to another folder"):
        data_folder.open_dataset(tmp_path / "file", "elpv")


PREPARE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from protocols.catalogue import data_folder
said = []
dataset = data_folder.open_dataset(Path(sys.argv[1]), "elpv", notify=said.append)
print(dataset.fingerprint, sum(line.startswith("preparing") for line in said))
"""


def test_two_processes_at_once_prepare_once(tmp_path: Path, small_elpv: Path) -> None:
    arguments = [sys.executable, "-c", PREPARE, str(tmp_path / "data"), str(small_elpv.parents[1])]
    running = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [process.communicate()[0].split() for process in running]
    assert len({fingerprint for fingerprint, _ in outputs}) == 1
    assert sorted(count for _, count in outputs) == ["0", "0", "1"]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from protocols.catalogue import data_folder
from protocols.io import atomic_folders
atomic_folders.sync_folder = lambda folder: os.kill(os.getpid(), signal.SIGKILL)
data_folder.open_dataset(Path(sys.argv[1]), "elpv")
"""


def test_a_killed_preparation_is_never_taken_for_finished_and_is_cleared(tmp_path: Path, installed_elpv: Path) -> None:
    data_dir = tmp_path / "data"
    arguments = [sys.executable, "-c", KILLED, str(data_dir), str(installed_elpv.parents[1])]
    assert subprocess.run(arguments, check=False).returncode == -9
    assert [path for path in data_dir.iterdir() if path.suffix == ".tmp"]
    assert data_folder.dataset_state(data_dir, "elpv") == "embedded"
    assert data_folder.prepared(data_dir) == []
    data_folder.open_dataset(data_dir, "elpv")
    assert sorted(path.name for path in data_dir.iterdir()) == [".elpv.lock", "elpv"]


def test_a_copied_data_folder_gives_the_same_dataset(tmp_path: Path, installed_elpv: Path) -> None:
    dataset = data_folder.open_dataset(tmp_path / "data", "elpv")
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    copy = data_folder.open_dataset(tmp_path / "copy", "elpv")
    assert copy.fingerprint == dataset.fingerprint
    assert (tmp_path / "copy/elpv" / MANIFEST).read_bytes() == (tmp_path / "data/elpv" / MANIFEST).read_bytes()
    assert verify.file_differences(copy) == []


def test_verify_names_each_file_that_is_not_what_the_manifest_says(
    tmp_path: Path, installed_elpv: Path, save_image: Callable[..., Path]
) -> None:
    dataset: Dataset = data_folder.open_dataset(tmp_path / "data", "elpv")
    save_image(installed_elpv / "images/cell0001.png", 99)
    (installed_elpv / "images/cell0004.png").write_bytes(b"")
    (installed_elpv / "images/cell0005.png").unlink()
    changed, empty, gone = verify.file_differences(dataset)
    assert "cell0001.png is not the image that the manifest describes" in changed
    assert "cell0004.png is empty" in empty
    assert "cell0005.png (No such file or directory)" in gone
