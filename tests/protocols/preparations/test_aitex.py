import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pictures import save_picture
from PIL import Image
from preparing import prepared, raw
from releases import aitex_release, grey, mask

from protocols.catalogue import verify
from protocols.datasets.manifest import Dataset
from protocols.errors import DataError
from protocols.preparations import aitex
from protocols.splits.split import draw

FABRIC = "2306881-210020u"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return aitex_release(tmp_path_factory.mktemp("aitex") / "raw")


@pytest.fixture
def copy(release: Path, tmp_path: Path) -> Path:
    """A release that a test may spoil."""
    return Path(shutil.copytree(release, tmp_path / "raw"))


@pytest.fixture(scope="module")
def dataset(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return prepared("aitex", release, tmp_path_factory.mktemp("data") / "aitex")


def anomalies(dataset: Dataset) -> dict[str, str]:
    return {row.id: row.label for row in dataset.rows if row.label != "normal"}


def test_a_strip_without_a_defect_gives_sixteen_normal_tiles_of_its_fabric(dataset: Dataset, release: Path) -> None:
    normals = [row for row in dataset.rows if row.label == "normal"]
    assert Counter(row.group for row in normals) == {
        f"{fabric}/0001_000_0{i}": 16 for i, fabric in enumerate(aitex.FABRICS)
    }
    row = dataset.row(f"{FABRIC}/0001_000_00_15.png")
    assert (row.split, row.width, row.height, row.channels) == ("", 256, 4, 1)
    strip = np.asarray(Image.open(release / "NODefect_images" / FABRIC / "0001_000_00.png"))
    assert np.array_equal(np.asarray(Image.open(dataset.path(row))), strip[:, 15 * 256 :])
    assert verify.file_differences(dataset) == []


def test_a_tile_is_an_anomaly_where_a_mask_has_a_pixel_and_other_tiles_are_thrown_away(dataset: Dataset) -> None:
    single = {f"00{20 + i}_{code}_00_3.png": name for i, (code, name) in enumerate(aitex.DEFECT_CODES.items())}
    del single["0021_006_00_3.png"]
    assert anomalies(dataset) == single | {
        "0021_006_00_0.png": "broken_yarn",  # marked in the columns 255 and 256
        "0021_006_00_1.png": "broken_yarn",
        "0044_019_04_0.png": "fuzzyball",  # the union of two masks
        "0044_019_04_15.png": "fuzzyball",
        "0094_027_05_14.png": "knots",  # column 3795 of 3796
        "0107_025_03_4.png": "warp_ball",  # grey and alpha: alpha is no mark
    }
    assert dataset.row("0094_027_05_14.png").width == 3796 - 14 * 256
    assert dataset.row("0044_019_04_15.png").group == "0044_019_04"


def test_strips_that_give_nothing_are_named(release: Path, tmp_path: Path) -> None:
    said: list[str] = []
    prepared("aitex", release, tmp_path / "out", said)
    assert said == [
        "aitex: 0100_025_08 has no mask and is left out",
        "aitex: 0106_010_03 gives no tile, since its mask is black",
    ]


def test_a_misnamed_strip_without_a_defect_keeps_its_name(copy: Path, tmp_path: Path) -> None:
    save_picture(copy / "NODefect_images" / FABRIC / "0018_00_01.png", grey(5, 4, 4096))
    rows = prepared("aitex", copy, tmp_path / "out").rows
    assert next(row.id for row in rows if "0018" in row.id) == f"{FABRIC}/0018_00_01_0.png"


def test_of_a_mask_the_first_channel_counts(copy: Path, tmp_path: Path) -> None:
    red, blue = (np.zeros((4, 4096, 3), dtype=np.uint8) for _ in range(2))
    red[0, 300, 0] = blue[0, 600, 2] = 9
    path = next((copy / "Mask_images").glob("0020_*"))
    for pixels, tiles in ((red, {"0020_002_00_1.png"}), (blue, set())):
        save_picture(path, pixels)
        dataset = prepared("aitex", copy, tmp_path / f"out{len(tiles)}")
        assert {id_ for id_ in anomalies(dataset) if id_.startswith("0020")} == tiles


def test_a_strip_that_is_jpeg_under_a_png_name_is_read(copy: Path, tmp_path: Path) -> None:
    path = copy / "NODefect_images" / FABRIC / "0001_000_00.png"
    Image.open(path).convert("L").save(path, "JPEG", quality=95)
    strip = np.asarray(Image.open(path))
    dataset = prepared("aitex", copy, tmp_path / "out")
    tile = dataset.path(dataset.row(f"{FABRIC}/0001_000_00_2.png"))
    assert np.array_equal(np.asarray(Image.open(tile)), strip[:, 512:768])


def test_skip_split_masks_leaves_out_the_strips_with_two_masks(release: Path, tmp_path: Path, dataset: Dataset) -> None:
    variant = prepared("aitex@skip_split_masks", release, tmp_path / "out")
    left_out = {"0044_019_04_0.png", "0044_019_04_15.png"}
    assert set(anomalies(dataset)) - set(anomalies(variant)) == left_out
    assert len(variant.rows) == len(dataset.rows) - 2


def test_drop_blank_leaves_out_normal_tiles_of_white(copy: Path, tmp_path: Path) -> None:
    strip = grey(3, 4, 4096)
    strip[:, :512] = 253
    strip[0, 511] = 249
    save_picture(copy / "NODefect_images" / FABRIC / "0001_000_00.png", strip)
    defect = next((copy / "Defect_images").glob("0020_*"))
    save_picture(defect, np.full((4, 4096), 255, dtype=np.uint8))
    all_rows, kept = (prepared(name, copy, tmp_path / name).rows for name in ("aitex", "aitex@drop_blank"))
    assert {row.id for row in all_rows} - {row.id for row in kept} == {f"{FABRIC}/0001_000_00_0.png"}


@pytest.mark.parametrize("layout", ["doubled", "renamed", "upper"])
def test_ids_and_fingerprint_are_the_same_under_every_layout(
    release: Path, dataset: Dataset, tmp_path: Path, layout: str
) -> None:
    source = tmp_path / "download"
    for folder in ("NODefect_images", "Defect_images", "Mask_images"):
        inner = {"doubled": f"{folder}/{folder}", "renamed": f"fabric v2/{folder}", "upper": folder.upper()}[layout]
        shutil.copytree(release / folder, source / inner)
    if layout == "upper":
        for path in source.rglob("*.png"):
            path.rename(path.with_suffix(".PNG"))
    assert prepared("aitex", source, tmp_path / "out").rows == dataset.rows


def _cut(path: Path, width: int) -> None:
    save_picture(path, grey(1, 4, width))


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda r: shutil.rmtree(r / "Mask_images"), "raw holds no folder with Mask_images: "),
        (lambda r: shutil.rmtree(r / f"NODefect_images/{FABRIC}"), f"NODefect_images has no {FABRIC}: "),
        (lambda r: (r / "NODefect_images/extra").mkdir(), "extra is none of the release's 7 fabrics: move it away"),
        (
            lambda r: _cut(r / f"NODefect_images/{FABRIC}/0001_000_00.png", 3840),
            "is 3840 wide, too narrow for 16 tiles",
        ),
        (lambda r: (r / "Mask_images/0020_002_00_mask.png").unlink(), r"0020_002_00\.png has no mask: get the release"),
        (
            lambda r: (r / "Defect_images/0020_002_00.png").unlink(),
            r"0020_002_00_mask\.png is the mask of no strip in ",
        ),
        (
            lambda r: [path.unlink() for path in r.rglob("*_036_*")],
            r"Defect_images has no strip of the defect code 036 \(weft_crack\): get the whole release",
        ),
        (
            lambda r: save_picture(r / "Mask_images/0020_002_00_mask.png", mask(4, 4000, 3)),
            r"0020_002_00_mask\.png is 4000 x 4, but .*0020_002_00\.png is 4096 x 4: get the release again",
        ),
        (lambda r: _cut(r / "Defect_images/0200_099_00.png", 4096), r"0200_099_00\.png is not named .* that is known"),
        (lambda r: _cut(r / "Mask_images/0020_002_00.png", 4096), r"0020_002_00\.png is not named STRIP_mask: "),
        (lambda r: (r / "Defect_images/0020_002_00.png").write_bytes(b""), r"0020_002_00\.png is empty: "),
        (lambda r: (r / "Mask_images/0020_002_00_mask.png").write_bytes(b"x"), r"0020_002_00_mask\.png is not a rea"),
    ],
)
def test_a_spoilt_release_is_refused_naming_the_file(copy: Path, tmp_path: Path, spoil, problem: str) -> None:
    spoil(copy)
    with pytest.raises(DataError, match=problem) as refused:
        prepared("aitex", copy, tmp_path / "out")
    assert "\n" not in str(refused.value)


def test_the_real_release_has_its_declared_counts(tmp_path: Path) -> None:
    said: list[str] = []
    dataset = prepared("aitex", raw("AITEX"), tmp_path / "out", said)
    assert Counter(row.label for row in dataset.rows) == {
        "normal": 141 * 16,
        "broken_pick": 63,
        "fuzzyball": 41,
        "weft_crack": 15,
        "nep": 14,
        "cut_selvage": 12,
        "broken_end": 10,
        "broken_yarn": 9,
        "weft_curling": 7,
        "crease": 6,
        "warp_ball": 5,
        "contamination": 2,
        "knots": 1,
    }
    split = draw(dataset, "general", split_seed=0, shots=10)
    assert (len(split.train_normal), len(split.test_normal), len(split.test_anomaly)) == (1692, 564, 185 - 10)
    assert len({row.group for row in dataset.rows}) == 141 + 104
    assert len(said) == 2


def test_some_real_strips_prepare_to_the_same_fingerprint_again(tmp_path: Path) -> None:
    source, part = raw("AITEX"), tmp_path / "part"
    strips = [min(folder.iterdir()) for folder in (source / "NODefect_images").iterdir()]
    for code in aitex.DEFECT_CODES:
        defect = min((source / "Defect_images").glob(f"*_{code}_*"))
        strips += [defect, source / "Mask_images" / f"{defect.stem}_mask.png"]
    for path in strips:
        target = part / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    once, again = (prepared("aitex", part, tmp_path / name) for name in ("once", "again"))
    assert once.fingerprint == again.fingerprint
    assert len(once.labels) == 12
