import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from preparing import prepared
from releases import mastcam_frame, mastcam_release

from protocols.catalogue import verify
from protocols.datasets.registry import leak_guard, our_datasets
from protocols.errors import DataError
from protocols.splits.split import draw

CLASSES = {"edge_cases", "other"} | set(our_datasets()["mastcam"].known_classes)
TWIN = "test_novel/dump-pile/twin.npy"
FRAME = "test_typical/frame1.npy"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return mastcam_release(tmp_path / "raw")


def test_typical_frames_keep_the_publishers_split_and_class_folders_are_anomalies(
    release: Path, tmp_path: Path
) -> None:
    dataset = prepared("mastcam", release, tmp_path / "out")
    assert Counter((row.label, row.split) for row in dataset.rows) == {
        ("normal", "train"): 3,
        ("normal", "test"): 2,
        **{(label, "test"): 1 for label in CLASSES - {"dump_pile"}},
        ("dump_pile", "test"): 2,
    }
    assert len(CLASSES) == 11
    drill_hole = next(row for row in dataset.rows if row.label == "drill_hole")
    assert drill_hole.id == "test_novel/drill-hole/102.npy"
    assert drill_hole.sha256 == dataset.row(TWIN).sha256
    assert (drill_hole.width, drill_hole.height, drill_hole.channels) == (64, 64, 3)
    assert verify.file_differences(dataset) == []


def test_the_first_three_channels_are_cut_to_whole_numbers(release: Path, tmp_path: Path) -> None:
    array = np.load(release / FRAME)
    array[0, 0] = (0.0, 0.999, 254.999, 1, 1, 1)
    array[0, 1] = (255.0, 0.5, 1.5, 1, 1, 1)
    np.save(release / FRAME, array)
    cut, rounded = (
        np.asarray(Image.open(dataset.path(dataset.row(FRAME))))
        for dataset in (prepared(name, release, tmp_path / name) for name in ("mastcam", "mastcam@round"))
    )
    assert cut.shape == (64, 64, 3)
    assert cut[0, :2].tolist() == [[0, 0, 254], [255, 0, 1]]
    assert rounded[0, :2].tolist() == [[0, 1, 255], [255, 0, 2]]
    assert np.array_equal(cut, np.floor(array[:, :, :3]))


def test_distinct_takes_a_frame_of_two_classes_once(release: Path, tmp_path: Path) -> None:
    base, variant = (prepared(name, release, tmp_path / name) for name in ("mastcam", "mastcam@distinct"))
    assert {row.id for row in base.rows} - {row.id for row in variant.rows} == {TWIN}
    assert not (variant.folder / TWIN).with_suffix(".png").exists()


def test_all_takes_the_folder_all_for_the_class_folders(release: Path, tmp_path: Path) -> None:
    variant = prepared("mastcam@all", release, tmp_path / "out")
    assert [row.id for row in variant.rows if row.label == "all"] == [
        f"test_novel/all/{number}.npy" for number in range(100, 111)
    ]
    assert len(variant.rows) == 5 + 11


def test_the_leak_guard_takes_the_twin_of_a_labelled_anomaly_out_of_the_test_set(release: Path, tmp_path: Path) -> None:
    dataset = prepared("mastcam", release, tmp_path / "out")
    assert leak_guard("mastcam@round")
    guarded, leaking = (
        draw(dataset, "hard", split_seed=0, known_class="drill_hole", shots=1, options=options).test_anomaly
        for options in ({}, {"leak_guard": False})
    )
    assert set(leaking) - set(guarded) == {TWIN}


@pytest.mark.parametrize("layout", ["doubled", "halves", "upper"])
def test_ids_and_fingerprint_are_the_same_under_every_layout(release: Path, tmp_path: Path, layout: str) -> None:
    expected = prepared("mastcam", release, tmp_path / "out").rows
    source = tmp_path / "download"
    for folder in sorted(release.iterdir()):
        name = folder.name
        halves = f"{'test' if name.startswith('test') else 'trainval'}/{name}"
        inner = {"doubled": f"{name}/{name}", "halves": halves, "upper": name.upper()}[layout]
        shutil.copytree(folder, source / inner)
    if layout == "upper":
        for path in source.rglob("*.npy"):
            path.rename(path.with_suffix(".NPY"))
    assert prepared("mastcam", source, tmp_path / "again").rows == expected


def test_the_validation_frames_need_not_be_there(release: Path, tmp_path: Path) -> None:
    shutil.rmtree(release / "validation_typical")
    assert len(prepared("mastcam", release, tmp_path / "out").rows) == 5 + 12


def _with(value: float, channel: int = 0):
    def spoil(release: Path) -> None:
        array = mastcam_frame(1)
        array[5, 6, channel] = value
        np.save(release / FRAME, array)

    return spoil


def _archive(release: Path) -> None:
    with (release / FRAME).open("wb") as file:
        np.savez(file, a=np.zeros((64, 64, 6)))


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (_with(255.001), r"test_typical/frame1\.npy has values that are not within 0 and 255: get the release again"),
        (_with(-0.5), r"test_typical/frame1\.npy has values"),
        (_with(np.nan), r"test_typical/frame1\.npy has values"),
        (_with(np.inf, channel=5), r"test_typical/frame1\.npy has values"),
        (
            lambda r: np.save(r / FRAME, np.zeros((64, 64, 3))),
            r"frame1\.npy is an array of float64 \(64, 64, 3\), not ",
        ),
        (
            lambda r: np.save(r / FRAME, np.zeros((64, 64, 6), np.uint8)),
            r"frame1\.npy is an array of uint8 \(64, 64, 6",
        ),
        (_archive, r"frame1\.npy is not a readable array"),
        (lambda r: (r / FRAME).write_bytes((r / FRAME).read_bytes()[:9000]), r"frame1\.npy is not a readable array"),
        (lambda r: (r / FRAME).write_bytes(b""), r"frame1\.npy is not a readable array"),
        (lambda r: np.save(r / FRAME, np.array([{}]), allow_pickle=True), r"frame1\.npy is not a readable array"),
        (lambda r: shutil.rmtree(r / "train_typical"), r"raw holds no folder with train_typical: "),
        (lambda r: shutil.rmtree(r / "test_novel/veins"), r"test_novel has no veins: "),
        (
            lambda r: (r / "test_novel/rocks").mkdir(),
            r"test_novel/rocks is none of the release's classes: move it away",
        ),
    ],
)
def test_a_spoilt_release_is_refused_naming_the_file(release: Path, tmp_path: Path, spoil, problem: str) -> None:
    spoil(release)
    with pytest.raises(DataError, match=problem) as refused:
        prepared("mastcam", release, tmp_path / "out")
    assert "\n" not in str(refused.value)
