import csv
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

from protocols.datasets import registry
from protocols.datasets.info import DatasetInfo, Published

TABLE_5 = ROOT / "tests" / "protocols" / "data" / "dra_table5.csv"


def published() -> dict[str, Published]:
    with TABLE_5.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] != "mvtec_ad"]
    columns = ("train_normal", "test_normal", "test_anomaly", "anomaly_classes")
    return {row["dataset"]: Published(*(int(row[column]) for column in columns)) for row in rows}


CLASS_SETS_AND_POOLS = {"cifar10", "cifar100", "fashion_mnist", "imagenet30", "lag", "mnist"}


def test_every_dataset_of_table_5_is_known_with_its_counts() -> None:
    known = {id_: info.published for id_, info in registry.infos().items()}
    assert {id_: counts for id_, counts in known.items() if counts is not None} == published()
    assert {id_ for id_, counts in known.items() if counts is None} == CLASS_SETS_AND_POOLS


def test_the_hard_setting_has_thirty_subsets() -> None:
    known = {id_: len(info.known_classes) for id_, info in registry.infos().items() if info.known_classes}
    assert known == {"aitex": 6, "carpet": 5, "elpv": 2, "hyper_kvasir": 4, "mastcam": 9, "metal_nut": 4}


def test_an_info_stands_under_its_own_id_and_says_where_the_data_is() -> None:
    for id_, info in registry.infos().items():
        assert info.id == id_
        assert info.image_size in ({32, 224} if info.kind == "classes" else {224, 448})
        assert info.source
        assert info.licence
        assert info.citation
        assert info.embedded <= (info.prepare is not None)


def test_a_variant_has_the_facts_of_its_dataset() -> None:
    assert registry.find("brain_mri@released_loader") is registry.find("brain_mri")
    assert registry.find("nothing_known") is None


def test_plug_ins_add_datasets_and_a_broken_one_is_named_and_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "others.py").write_text(
        "from dataclasses import replace\n"
        "from protocols.preparations.elpv import DATASETS as ELPV\n"
        "GOOD = {'mine': replace(ELPV['elpv'], id='mine', embedded=False, prepare=None)}\n"
        "TAKEN = ELPV\n"
        "WRONG = {'mine': 3}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        importlib.metadata.EntryPoint(name, value, registry.ENTRY_POINTS)
        for name, value in {
            "broken": "no_such_module:DATASETS",
            "taken": "others:TAKEN",
            "wrong": "others:WRONG",
            "good": "others:GOOD",
        }.items()
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: points)
    known, problems = registry.discover()
    assert set(known) == {*published(), *CLASS_SETS_AND_POOLS, "mine"}
    assert set(problems) == {"broken", "taken", "wrong"}
    assert "no_such_module" in problems["broken"]
    assert "elpv" in problems["taken"]
    info = registry.find("mine")
    assert isinstance(info, DatasetInfo)


def test_planning_needs_no_heavy_import() -> None:
    program = """
import sys
from pathlib import Path
from protocols.catalogue import data_folder
from protocols.datasets import registry
from protocols.datasets.manifest import Row, build
from protocols.splits import rules, split
registry.infos()
rows = [Row(f"{k}{i}", "f", k, "", 64 * "0", 1, 1, 1) for k in ("normal", "a", "b") for i in range(12)]
for rule in rules.names():
    module = rules.get(rule)
split.draw(build("toy", Path(), rows), "hard", split_seed=0, known_class="a", shots=1)
data_folder.state(Path("nowhere"), "elpv")
heavy = {"numpy", "PIL", "torch", "sklearn", "pandas", "scipy", "joblib", "filelock", "rich", "elpv_dataset"}
print(sorted(heavy & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
