import os
import random
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pictures import save_picture
from PIL import Image
from preparing import prepared, raw
from releases import grey, sdd_release

from protocols.catalogue import verify
from protocols.datasets.manifest import Dataset
from protocols.errors import DataError
from protocols.splits.draw.ranking import ranked_ids
from protocols.splits.split import draw


def labels(dataset: Dataset) -> dict[str, str]:
    return {row.id: row.label for row in dataset.rows}


def test_each_photograph_is_cut_at_its_thirds_and_labelled_by_its_label_image(tmp_path: Path) -> None:
    release = sdd_release(tmp_path / "raw")
    said: list[str] = []
    dataset = prepared("sdd", release, tmp_path / "out", said)
    assert len(dataset.rows) == 150
    # H = 10: the thirds are the rows 0 to 2, 3 to 5 and 6 to 9; kos02 is marked in row 3, kos03 in the rows 5 and 6.
    defects = [id_ for id_, label in labels(dataset).items() if label != "normal"]
    assert defects == ["kos02_Part0_1.png", "kos03_Part0_1.png", "kos03_Part0_2.png"]
    assert dataset.labels == ("defect",)
    row = dataset.row("kos07_Part0_2.png")
    assert (row.group, row.split, row.width, row.height, row.channels) == ("kos07/Part0", "", 12, 4, 1)
    whole = np.asarray(Image.open(release / "kos07" / "Part0.jpg"))
    assert np.array_equal(np.asarray(Image.open(dataset.path(row))), whole[6:])
    assert said == ["sdd: 50 photographs, where the release has 399"]
    assert verify.file_differences(dataset) == []


@pytest.mark.parametrize("layout", ["nested", "doubled", "upper"])
def test_ids_and_fingerprint_are_the_same_under_every_layout(tmp_path: Path, layout: str) -> None:
    release = sdd_release(tmp_path / "raw")
    expected = prepared("sdd", release, tmp_path / "out")
    source = tmp_path / "download"
    inner = {"nested": "archive/KolektorSDD v1", "doubled": "KolektorSDD/KolektorSDD", "upper": "KSDD"}[layout]
    shutil.copytree(release, source / inner)
    (source / "__MACOSX").mkdir()
    if layout == "upper":
        for path in sorted((source / inner).rglob("*"), reverse=True):
            path.rename(path.with_name(path.name.upper()))
    assert prepared("sdd", source, tmp_path / "again").rows == expected.rows


def test_equal_photographs_give_equal_hashes_and_names_do_not_matter(tmp_path: Path) -> None:
    release = sdd_release(tmp_path / "raw")
    shutil.copy(release / "kos01" / "Part0.jpg", release / "kos26" / "Part0.jpg")
    dataset = prepared("sdd", release, tmp_path / "out")
    assert dataset.row("kos26_Part0_1.png").sha256 == dataset.row("kos01_Part0_1.png").sha256
    assert dataset.row("kos26_Part0_1.png").sha256 != dataset.row("kos01_Part0_0.png").sha256


def test_594_keeps_the_first_training_normals_by_rank_and_every_test_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protocols.preparations.sdd._TRAIN_NORMALS", 60)
    release = sdd_release(tmp_path / "raw")
    base, variant = (prepared(name, release, tmp_path / name) for name in ("sdd", "sdd@594"))
    rule, drawn = (
        draw(dataset, "general", split_seed=3, shots=1, options={"one_shot_test": "own"}) for dataset in (base, variant)
    )
    assert len(rule.train_normal) == 110
    # 147 normals: 110 train by the rule, 60 of them stay.
    assert set(drawn.train_normal) == set(ranked_ids("sdd", "normal", "", rule.train_normal)[:60])
    assert drawn.test_normal == rule.test_normal
    assert drawn.test_anomaly == rule.test_anomaly
    assert {path.name for path in variant.folder.glob("*.png")} == {row.id for row in variant.rows}
    assert len(variant.rows) == 60 + 37 + 3


def _unnamed(release: Path) -> None:
    (release / "kos05" / "Part0.jpg").rename(release / "kos05" / "part zero.jpg")


def _tall_label(release: Path) -> None:
    save_picture(release / "kos05" / "Part0_label.bmp", np.zeros((11, 12), dtype=np.uint8))


def _truncated(release: Path) -> None:
    path = release / "kos05" / "Part0.jpg"
    path.write_bytes(path.read_bytes()[:300])


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda r: shutil.rmtree(r / "kos33"), r"raw has no kos33: "),
        (lambda r: shutil.rmtree(r / "kos01"), r"raw holds no folder with kos01: "),
        (lambda r: (r / "kos05/Part0_label.bmp").unlink(), r"kos05/Part0\.jpg has no label beside it: "),
        (lambda r: (r / "kos05/Part0.jpg").unlink(), r"kos05/Part0_label\.bmp has no image beside it: "),
        (
            lambda r: save_picture(r / "kos05/Part00.png", grey(1, 10, 12)),
            r"Part0\.jpg and .*Part00\.png are the same part",
        ),
        (_unnamed, r"part zero\.jpg is named neither PartN nor PartN_label: move it away"),
        (_tall_label, r"Part0_label\.bmp is 12 x 11, but .*kos05/Part0\.jpg is 12 x 10: get the release again"),
        (_truncated, r"kos05/Part0\.jpg is not a readable image"),
        (lambda r: (r / "kos05/Part0_label.bmp").write_bytes(b""), r"kos05/Part0_label\.bmp is empty: "),
    ],
)
def test_a_spoilt_release_is_refused_naming_the_file(tmp_path: Path, spoil, problem: str) -> None:
    release = sdd_release(tmp_path / "raw")
    spoil(release)
    with pytest.raises(DataError, match=problem) as refused:
        prepared("sdd", release, tmp_path / "out")
    assert "\n" not in str(refused.value)


def test_the_directory_order_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = sdd_release(tmp_path / "raw", parts=2)
    expected = prepared("sdd", release, tmp_path / "out").rows
    listed = os.listdir

    def shuffled(folder):
        names = listed(folder)
        random.Random(7).shuffle(names)
        return names

    monkeypatch.setattr(os, "listdir", shuffled)
    assert prepared("sdd", release, tmp_path / "again").rows == expected


@pytest.mark.slow
def test_the_real_release_has_its_declared_counts(tmp_path: Path) -> None:
    said: list[str] = []
    dataset = prepared("sdd", raw("KolektorSDD"), tmp_path / "out", said)
    split = draw(dataset, "general", split_seed=0, shots=10)
    assert (len(split.train_normal), len(split.test_normal), len(split.test_anomaly)) == (852, 285, 44)
    assert Counter(row.label for row in dataset.rows) == {"normal": 1137, "defect": 54}
    assert len({row.group for row in dataset.rows}) == 397
    assert said == ["sdd: 397 photographs, where the release has 399"]
    twins = [row.sha256 for row in dataset.rows if row.id.startswith(("kos01_", "kos26_", "kos27_", "kos34_"))]
    assert sorted(Counter(twins).values()) == [2] * 48


def test_a_part_of_each_real_object_prepares_to_the_same_fingerprint_again(tmp_path: Path) -> None:
    source = raw("KolektorSDD")
    for folder in source.iterdir():
        (tmp_path / "part" / folder.name).mkdir(parents=True)
        for name in ("Part5.jpg", "Part5_label.bmp"):
            shutil.copyfile(folder / name, tmp_path / "part" / folder.name / name)
    once, again = (prepared("sdd", tmp_path / "part", tmp_path / name) for name in ("once", "again"))
    assert once.fingerprint == again.fingerprint
    assert len(once.rows) == 150
