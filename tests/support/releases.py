"""Small releases in the layout of the public ones, with the oddities that the specs mention."""

from pathlib import Path

import numpy as np
from pictures import noise, save_picture
from PIL import Image

from protocols.datasets.registry import our_datasets
from protocols.preparations import aitex, mastcam
from protocols.preparations.mvtec_ad import class_folders

AITEX_WIDTH = 4096


def grey(seed: int, height: int, width: int) -> np.ndarray:
    """Grey pixels between 40 and 199."""
    return noise(seed, height, width, low=40, high=200)


def mask(height: int, width: int, *columns: int) -> np.ndarray:
    """A black mask with one pixel of value 1 in each of these columns."""
    pixels = np.zeros((height, width), dtype=np.uint8)
    pixels[-1, list(columns)] = 1
    return pixels


def sdd_release(root: Path, *, parts: int = 1) -> Path:
    """50 objects of so many parts, 12 x 10 pixels, thirds from rows 0, 3 and 6.

    kos02/Part0 has a defect in its middle, kos03/Part0 one across the cut of middle and bottom, as a palette image.
    """
    for number in range(1, 51):
        for part in range(parts):
            stem = root / f"kos{number:02d}" / f"Part{part}"
            save_picture(stem.with_suffix(".jpg"), grey(number * 10 + part, 10, 12))
            save_picture(stem.with_name(f"Part{part}_label.bmp"), np.zeros((10, 12), dtype=np.uint8))
    middle = np.zeros((10, 12), dtype=np.uint8)
    middle[3, 4] = 255
    save_picture(root / "kos02" / "Part0_label.bmp", middle)
    across = np.zeros((10, 12), dtype=np.uint8)
    across[5:7, 4] = 1
    palette = Image.fromarray(across, mode="P")
    palette.putpalette([0, 0, 0, 85, 85, 85])
    palette.save(root / "kos03" / "Part0_label.bmp")
    return root


def aitex_release(root: Path, height: int = 4) -> Path:
    """One strip without a defect of each fabric, one of each defect code, and the odd ones.

    The masks mark tile 3, and for the code 006 the last column of tile 0 and the first of tile 1.
    """
    for seed, fabric in enumerate(aitex.FABRICS):
        save_picture(root / "NODefect_images" / fabric / f"0001_000_0{seed}.png", grey(seed, height, AITEX_WIDTH))
    columns = {"006": (255, 256)}
    for seed, code in enumerate(aitex.DEFECT_CODES, start=20):
        _aitex_strip(root, f"00{seed}_{code}_00", seed, mask(height, AITEX_WIDTH, *columns.get(code, (800,))))
    stem = _aitex_strip(root, "0044_019_04", 44, None)
    save_picture(root / "Mask_images" / f"{stem}_mask1.png", mask(height, AITEX_WIDTH, 0))
    save_picture(root / "Mask_images" / f"{stem}_mask2.png", mask(height, AITEX_WIDTH, 1, 4095))
    _aitex_strip(root, "0094_027_05", 94, mask(height, 3796, 3795))
    _aitex_strip(root, "0100_025_08", 100, None)
    _aitex_strip(root, "0106_010_03", 106, mask(height, AITEX_WIDTH))
    opaque = np.full((height, AITEX_WIDTH), 255, dtype=np.uint8)
    two_channels = np.stack([mask(height, AITEX_WIDTH, 1024), opaque], axis=-1)
    _aitex_strip(root, "0107_025_03", 107, two_channels)
    return root


def _aitex_strip(root: Path, stem: str, seed: int, marks: np.ndarray | None) -> str:
    width = 3796 if stem == "0094_027_05" else AITEX_WIDTH
    height = 4 if marks is None else marks.shape[0]
    save_picture(root / "Defect_images" / f"{stem}.png", grey(seed, height, width))
    if marks is not None:
        save_picture(root / "Mask_images" / f"{stem}_mask.png", marks)
    return stem


def optical_release(root: Path) -> Path:
    """Of each texture in `Train` the images 1 to 3, in `Test` 4 to 6; 3 and 6 have a defect."""
    for texture in range(1, 11):
        for half, numbers in (("Train", (1, 2, 3)), ("Test", (4, 5, 6))):
            folder = root / f"Class{texture}" / half
            lines = ["1"]
            for number in numbers:
                save_picture(folder / f"{number:04d}.PNG", grey(texture * 10 + number, 8, 8))
                label_image = f"{number:04d}_label.PNG" if number % 3 == 0 else "0"
                lines.append(f"{number}\t{number % 3 == 0:d}\t{number:04d}.PNG\t0\t{label_image}")
                if number % 3 == 0:
                    save_picture(folder / "Label" / label_image, mask(8, 8, 2))
            (folder / "Label" / "Labels.txt").write_bytes("\r\n".join([*lines, ""]).encode())
    return root


def mastcam_frame(seed: int) -> np.ndarray:
    """64 x 64 x 6 values with fractions between 0 and 255."""
    return np.random.default_rng(seed).random((64, 64, 6)) * 255


def mastcam_release(root: Path) -> Path:
    """Three, two and two typical frames; a novel frame of each class and in `all`, one of them in two classes."""
    counts = {"train_typical": 3, "validation_typical": 2, "test_typical": 2}
    seed = 0
    for folder, count in counts.items():
        for number in range(count):
            _save_array(root / folder / f"frame{number}.npy", mastcam_frame(seed))
            seed += 1
    for seed, name in enumerate(mastcam.MASTCAM_CLASSES, start=100):
        for folder in (name, "all"):
            _save_array(root / "test_novel" / folder / f"{seed}.npy", mastcam_frame(seed))
    twin = mastcam_frame(100 + mastcam.MASTCAM_CLASSES.index("drill-hole"))
    _save_array(root / "test_novel" / "dump-pile" / "twin.npy", twin)
    return root


def _save_array(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def mvtec_category(root: Path, category: str) -> Path:
    """The folder of a category with three training normals, two test normals and two images of each class."""
    counts = {"train/good": 3, "test/good": 2} | dict.fromkeys(
        (f"test/{name}" for name in class_folders(our_datasets()[category])), 2
    )
    for seed, (folder, count) in enumerate(counts.items()):
        for number in range(count):
            save_picture(root / category / folder / f"{number:03d}.png", grey(seed * 10 + number, 8, 8))
            if not folder.endswith("good"):
                name = folder.removeprefix("test/")
                save_picture(root / category / "ground_truth" / name / f"{number:03d}_mask.png", mask(8, 8, 3))
    return root / category
