"""A manifest that is not the one that was written makes no smaller dataset: it is damaged, wherever it was cut."""

import hashlib
import json
import shutil

import made_up
import pytest

from benchmark.cli import status
from protocols.catalogue import data_folder
from protocols.datasets.manifest import MANIFEST, SEAL
from protocols.errors import DataError


@pytest.fixture
def data(tmp_path, monkeypatch):
    for name in ("data", "cache"):
        monkeypatch.setenv(f"BENCH_{name.upper()}", str(tmp_path / name))
    return tmp_path / "data"


@pytest.fixture
def toy(mvtec_folder, data):
    return data_folder.adopt_dataset(mvtec_folder, "toy", data)


def cut(manifest):
    """Drop the last line."""
    manifest.write_bytes(b"".join(manifest.read_bytes().splitlines(keepends=True)[:-1]))


def listed(capsys):
    assert status(["data", "list", "--json"]) == 0
    return {row["name"]: row["state"] for row in json.loads(capsys.readouterr().out)}


def test_the_digest_beside_the_manifest_is_that_of_sha256sum(toy):
    digest = hashlib.sha256((toy.folder / MANIFEST).read_bytes()).hexdigest()
    assert (toy.folder / SEAL).read_text() == f"{digest}  manifest.csv\n"


def test_a_manifest_cut_at_the_end_of_a_line_is_not_ready(toy, data, capsys):
    assert listed(capsys)["toy"] == "ready"
    cut(toy.folder / MANIFEST)
    assert listed(capsys)["toy"] == "damaged"
    with pytest.raises(DataError, match=r"manifest.csv is damaged, .*remove the folder and prepare or adopt toy again"):
        data_folder.open_dataset(data, "toy")
    assert status(["run", "--suite", "general", "--dataset", "toy", "--method", "kdad", "--recipe", "quick"]) == 2
    assert "manifest.csv is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("test/color/000.png", "test/color/00O.png"),
        lambda text: text.replace(",color,", ",colar,"),
        lambda text: text + text.splitlines()[-1].replace("003", "004") + "\n",
    ],
)
def test_any_other_change_of_a_manifest_is_damage_too(toy, data, change):
    path = toy.folder / MANIFEST
    path.write_text(change(path.read_text()))
    assert data_folder.dataset_state(data, "toy") == "damaged"


@pytest.mark.parametrize("left", [b"", b"torn", b"\xff" * 70])
def test_a_damaged_digest_is_not_passed_over(toy, data, left):
    (toy.folder / SEAL).write_bytes(left)
    assert data_folder.dataset_state(data, "toy") == "damaged"


def test_a_folder_of_an_older_version_is_read_and_sealed_once_it_is_verified(toy, data, capsys):
    (toy.folder / SEAL).unlink()
    assert data_folder.open_dataset(data, "toy") == toy
    assert status(["data", "verify", "toy"]) == 0
    assert "digest of its manifest" in capsys.readouterr().out
    cut(toy.folder / MANIFEST)
    assert data_folder.dataset_state(data, "toy") == "damaged"


def test_a_cut_manifest_of_an_older_version_is_found_by_verify_and_not_sealed(toy, capsys):
    (toy.folder / SEAL).unlink()
    cut(toy.folder / MANIFEST)
    assert status(["data", "verify", "toy"]) == 1
    assert "is not in the manifest" in capsys.readouterr().out
    assert not (toy.folder / SEAL).exists()


def test_preparing_again_mends_it(data, made_up_sets, tmp_path):
    source = made_up.plain_release(tmp_path / "release")
    plain = data_folder.prepare(data, "plain", source)
    cut(plain.folder / MANIFEST)
    assert data_folder.dataset_state(data, "plain") == "damaged"
    assert data_folder.prepare(data, "plain", source) == plain
    assert data_folder.dataset_state(data, "plain") == "ready"


def test_a_set_that_prepares_itself_does_so_again_and_says_why(elpv, data):
    shutil.copytree(elpv.folder, data / "elpv", symlinks=True)
    said = []
    data_folder.open_dataset(data, "elpv", notify=said.append)
    assert said == []
    cut(data / "elpv" / MANIFEST)
    assert data_folder.open_dataset(data, "elpv", notify=said.append).fingerprint == elpv.fingerprint
    assert said == [f"preparing elpv in {data / 'elpv'}, where it is damaged"]
