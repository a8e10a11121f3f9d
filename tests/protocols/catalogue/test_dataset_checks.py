"""The checks of a dataset: whole ones pass, and each kind of fault fails the check meant for it."""

import subprocess
import sys
from dataclasses import replace

import made_up
import numpy as np
import pytest
import strangers
from pictures import noise, save_picture

from protocols.catalogue import data_folder
from protocols.catalogue.dataset_checks import DatasetError, check_dataset, dataset_checks
from protocols.datasets.manifest import assemble_dataset, write_manifest
from protocols.errors import DataError

FACTS = """
id = "ring"
title = "Ring"
kind = "industrial"
image_size = 32
licence = "none"
citation = "nobody"
source = "nowhere"
prepare = "ring.code:prepare"
"""

CODE = """
from pathlib import Path
from protocols.release.image_files import SourceImage
from protocols.release.release_files import find_root, list_files, list_folders

def prepare(builder):
    root = find_root(builder.source, "good")
    return builder.unchanged(
        SourceImage(f"{folder.name}/{path.name}", path, {"good": "normal"}.get(folder.name, folder.name))
        for folder in list_folders(root)
        for path in list_files(folder, root=builder.source)
    )
"""


@pytest.fixture
def release(tmp_path):
    draw = np.random.default_rng(0)
    for label, count in (("good", 12), ("bent", 12), ("rusty", 3)):
        for number in range(count):
            save_picture(tmp_path / "release" / label / f"{number:03}.png", noise(draw, 8, 8))
    return tmp_path / "release"


@pytest.fixture
def ring(tmp_path, monkeypatch):
    """Installs the dataset `ring` with these facts and this code."""

    def install(facts=FACTS, code=CODE):
        points = {"swanbench.datasets": {"ring": "ring:ring.toml"}}
        strangers.install(tmp_path / "site", "ring", points, {"ring.toml": facts, "code.py": code})
        monkeypatch.syspath_prepend(tmp_path / "site")

    yield install
    for module in [name for name in sys.modules if name.partition(".")[0] == "ring"]:
        del sys.modules[module]


def test_a_whole_dataset_passes_with_one_shot_where_ten_are_too_many(ring, release):
    ring(FACTS + 'known_classes = ["bent", "rusty"]\n')
    check_dataset("ring", release)


FAULTS = {
    "a class in capitals": ("", "folder.name))", "folder.name.title()))", "the class 'Bent' is not in lower snake"),
    "no normal image": ("", '{"good": "normal"}', "{}", "labels are normal and classes: no image is 'normal'"),
    "one class": ("", "folder.name, folder.name)", "folder.name, 'normal')", "every image is normal"),
    "a class that is none": ('known_classes = ["bend"]', "", "", "no image has the class 'bend': did you mean 'bent'?"),
    "other counts": (
        "[[releases]]\ncounts = { normal = 12, bent = 11, rusty = 3 }\nsides = [8, 8]",
        "",
        "",
        "the release is the one described: it has 12 images of 'bent' where the release has 11",
    ),
    "all in one half": ("", "folder.name))", "folder.name), 'train')", "splits can be drawn: "),
}  # fmt: skip


@pytest.mark.parametrize(("fact", "old", "new", "text"), FAULTS.values(), ids=FAULTS.keys())
def test_each_fault_fails_its_own_check(ring, release, fact, old, new, text):
    assert old in CODE
    ring(f"{FACTS}{fact}\n", CODE.replace(old, new))
    with pytest.raises(DatasetError) as caught:
        check_dataset("ring", release)
    assert text in str(caught.value)
    assert str(caught.value).startswith("ring: ")


def test_a_preparation_that_differs_from_time_to_time_is_found(ring, release):
    code = CODE.replace("def prepare", "CALLS = []\n\ndef prepare").replace(
        "    root", "    CALLS.append(1)\n    root"
    ).replace("folder.name))", "'bent' if len(CALLS) > 1 and path.name == '000.png' else folder.name))")  # fmt: skip
    ring(code=code)
    with pytest.raises(
        DatasetError, match=r"preparing again gives the same: 1 image.* differ, such as 'rusty/000.png'"
    ):
        check_dataset("ring", release)


def test_a_prepared_dataset_is_checked_as_it_lies(ring, release, tmp_path):
    ring()
    dataset = data_folder.prepare(tmp_path / "data", "ring", release)
    checks = dataset_checks("ring", data_dir=tmp_path / "data", source=None, scratch=tmp_path)
    names = [check.name for check in checks]
    assert "preparing again gives the same" not in names
    for check in checks:
        check.run()
    path = dataset.path(dataset.rows[0])
    path.unlink()
    save_picture(path, noise(np.random.default_rng(9), 8, 8))
    with pytest.raises(DatasetError, match="1 difference"):
        checks[names.index("files are those of the manifest")].run()


@pytest.mark.parametrize("name", ["plain", "digits"])
def test_sets_of_other_kinds_pass(made_up_sets, tmp_path, name):
    """Classes and counts as the facts of these made-up sets have them."""
    make = {"plain": made_up.plain_release, "digits": made_up.digits_release}[name]
    check_dataset(name, make(tmp_path / "raw"))


@pytest.mark.parametrize("root", ["{outside}/", "../../outside/", "./", "a//"])
def test_an_id_that_leads_out_of_the_folder_is_refused_before_anything_is_written(ring, release, tmp_path, root):
    outside = tmp_path / "outside"
    ring(code=CODE.replace('f"{folder.name}/', f'f"{root.format(outside=outside)}{{folder.name}}/'))
    with pytest.raises(DataError, match="cannot be the id of an image: give its path in the release, relative"):
        check_dataset("ring", release)
    assert not outside.exists()


def test_an_adopted_folder_with_ids_of_another_making_is_found(ring, release, tmp_path):
    dataset = data_folder.adopt_dataset(release, "mine", tmp_path / "data", layout="class_folders")
    rows = [replace(row, id=f"./{row.id}") for row in dataset.rows]
    write_manifest(assemble_dataset("mine", dataset.folder, rows), dataset.folder)
    checks = dataset_checks("mine", data_dir=tmp_path / "data", source=None, scratch=tmp_path)
    with pytest.raises(DatasetError, match=r"'./bent/000.png' is none"):
        next(check for check in checks if check.name == "ids are paths of the release").run()


def test_what_cannot_be_prepared_is_no_fault_of_a_check(ring, tmp_path):
    ring(FACTS.replace('prepare = "ring.code:prepare"', ""))
    with pytest.raises(DataError, match="has no preparation of its own"):
        check_dataset("ring", tmp_path)
    with pytest.raises(DataError, match="there is no dataset 'rong'"):
        check_dataset("rong", tmp_path)


def test_a_broken_plug_in_gets_one_sentence(ring, tmp_path):
    ring("id = 3")
    words = [sys.executable, "-m", "benchmark", "data", "check", "ring", "--source", str(tmp_path)]
    env = made_up.environment(tmp_path / "site") | {"BENCH_DATA": str(tmp_path / "data")}
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the plug-in 'ring' cannot be used: ring:ring.toml" in done.stderr
    assert "; repair that package, then repeat bench data check ring --source" in done.stderr
    assert done.stderr.count("\n") == 1
