import csv
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
import strangers
from repository import ROOT

from protocols.datasets.info import DatasetInfo, Published
from protocols.datasets.registry import (
    DATASET_GROUP,
    dataset_family,
    dataset_info,
    dataset_infos,
    discover_datasets,
    leak_guard,
    suite_datasets,
)

CLASS_SETS_AND_POOLS = {"cifar10", "cifar100", "fashion_mnist", "imagenet30", "lag", "mnist"}
MINE = 'id = "mine"\ntitle = "Mine"\nkind = "industrial"\nimage_size = 224\nlicence = "mine"\ncitation = "me"\nsource = "here"\n'


def published() -> dict[str, Published]:
    """The counts of the paper's Table 5, as the packaged CSV has them."""
    (table,) = (ROOT / "reports").rglob("dra_table5.csv")
    with table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] != "mvtec_ad"]
    columns = ("train_normal", "test_normal", "test_anomaly", "anomaly_classes")
    return {row["dataset"]: Published(*(int(row[column]) for column in columns)) for row in rows}


def test_every_dataset_of_table_5_is_known_with_its_counts() -> None:
    known = {id_: info.published for id_, info in dataset_infos().items()}
    assert {id_: counts for id_, counts in known.items() if counts is not None} == published()
    assert {id_ for id_, counts in known.items() if counts is None} == CLASS_SETS_AND_POOLS


def test_installed_datasets_are_looked_up_once_however_many_splits_ask(monkeypatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("protocols.plugins.list_entry_points", lambda group: asked.append(group) or [])
    assert not any(leak_guard(f"adopted{number}") for number in range(9))
    assert asked == [DATASET_GROUP]


def test_the_hard_setting_has_thirty_subsets() -> None:
    known = {id_: len(info.known_classes) for id_, info in dataset_infos().items() if info.known_classes}
    assert known == {"aitex": 6, "carpet": 5, "elpv": 2, "hyper_kvasir": 4, "mastcam": 9, "metal_nut": 4}


def test_an_info_stands_under_its_own_id_and_says_where_the_data_is() -> None:
    for id_, info in dataset_infos().items():
        assert info.id == id_
        assert info.image_size in ({32, 224} if info.kind == "classes" else {224, 448})
        assert info.source
        assert info.licence
        assert info.citation
        assert info.prepare
        assert info.digest


def test_the_classes_of_facts_are_those_of_the_release() -> None:
    for info in dataset_infos().values():
        labels = {key.rpartition("/")[2] for key in info.releases[""][0].counts}
        if "*" not in labels:
            assert {*info.known_classes, *info.normal_classes} <= labels
        assert {*info.related} <= dataset_infos().keys()


def test_a_variant_has_the_facts_of_its_dataset() -> None:
    assert dataset_info("brain_mri@released_loader") is dataset_info("brain_mri")
    assert dataset_info("nothing_known") is None


def test_a_family_has_its_members_in_the_order_of_its_file() -> None:
    members = [info.id for info in dataset_family("mvtec_ad")]
    assert (len(members), members[:2], members[-1]) == (15, ["carpet", "grid"], "toothbrush")
    assert dataset_family("lag") == dataset_family("") == ()


def test_a_suite_has_its_datasets_in_the_order_of_the_papers() -> None:
    assert [info.id for info in suite_datasets("hard")] == [
        "carpet",
        "metal_nut",
        "aitex",
        "elpv",
        "mastcam",
        "hyper_kvasir",
    ]
    assert suite_datasets("no_suite") == ()


def test_plug_ins_add_datasets_and_a_broken_one_is_named_and_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "others.py": "from msgspec.structs import replace\n"
        "from protocols.datasets.registry import our_datasets\n"
        "ELPV = our_datasets()['elpv']\n"
        "GOOD = {'good': replace(ELPV, id='good', suites=(), embedded=False, prepare=None)}\n"
        "TAKEN = {'elpv': ELPV}\n"
        "JOINED = {'joined': replace(ELPV, id='joined')}\n"
        "WRONG = {'good': 3}\n",
        "mine.toml": MINE,
        "again.toml": MINE,
        "typo.toml": f"{MINE}licenze = 3\n",
    }
    strangers.install(tmp_path, "house_of_others", {}, files)
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        importlib.metadata.EntryPoint(name, value, DATASET_GROUP)
        for name, value in {
            "broken": "no_such_module:DATASETS",
            "taken": "house_of_others.others:TAKEN",
            "wrong": "house_of_others.others:WRONG",
            "joined": "house_of_others.others:JOINED",
            "good": "house_of_others.others:GOOD",
            "mine": "house_of_others:mine.toml",
            "more": "house_of_others:again.toml",
            "typo": "house_of_others:typo.toml",
        }.items()
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: points)
    known, problems = discover_datasets()
    assert set(known) == {*published(), *CLASS_SETS_AND_POOLS, "good", "mine"}
    assert set(problems) == {"broken", "taken", "wrong", "joined", "more", "typo"}
    assert "no_such_module" in problems["broken"]
    assert "takes known ids (elpv)" in problems["taken"]
    assert "list joined in a suite of your own" in problems["joined"]
    assert "takes known ids (mine)" in problems["more"]
    assert problems["typo"].startswith("house_of_others:typo.toml, mine: ")
    assert "did you mean 'licence'?" in problems["typo"]
    info = dataset_info("mine")
    assert isinstance(info, DatasetInfo)
    assert info.title == "Mine"


def test_planning_needs_no_heavy_import_and_no_preparation() -> None:
    program = """
import sys
from pathlib import Path
from protocols.catalogue import data_folder
from protocols.datasets.manifest import Row, assemble_dataset
from protocols.datasets.registry import dataset_infos
from protocols.splits import rules, split
dataset_infos()
rows = [Row(f"{k}{i}", "f", k, "", 64 * "0", 1, 1, 1) for k in ("normal", "a", "b") for i in range(12)]
for rule in rules.rule_names():
    module = rules.find_rule(rule)
split.draw(assemble_dataset("toy", Path(), rows), "hard", split_seed=0, known_class="a", shots=1)
data_folder.dataset_state(Path("nowhere"), "elpv")
heavy = {"numpy", "PIL", "torch", "sklearn", "pandas", "scipy", "joblib", "filelock", "rich", "elpv_dataset"}
print(sorted(name for name in sys.modules if name in heavy or name.startswith("protocols.preparations")))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
