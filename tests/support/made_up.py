"""Made-up datasets, known as a plug-in's are: by an entry point of a distribution that `install` writes."""

import os
import signal
from pathlib import Path

import numpy as np
import strangers
from pictures import noise, save_picture

from protocols.datasets.info import DatasetInfo, KnownRelease, Published
from protocols.datasets.manifest import Row
from protocols.release.builder import ArrayImage, DatasetBuilder, ImagePiece

_FACTS = {"licence": "none", "citation": "nobody", "source": "https://example.org/made-up"}


def install(folder: Path) -> Path:
    """A distribution in `folder` that offers these datasets; the folder has to come onto the path."""
    facts = folder / "made_up-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[swanbench.datasets]\nmade_up = made_up:DATASETS\n")
    return folder


def environment(folder: Path) -> dict[str, str]:
    """The environment of a process that knows these datasets."""
    support = strangers.path(Path(__file__).parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), support])}


def plain_release(folder: Path, normals: int = 8, anomalies: int = 4) -> Path:
    """`good` and `bad` with grey images of 12 x 10 pixels."""
    draw = np.random.default_rng(0)
    for name, count in (("good", normals), ("bad", anomalies)):
        for number in range(count):
            save_picture(folder / name / f"{number:03d}.png", noise(draw, 10, 12))
    return folder


def tiles_release(folder: Path, strips: int = 6) -> Path:
    """`strips` with images of 24 x 8 pixels, to be cut into three; every other one has a black middle."""
    draw = np.random.default_rng(1)
    for number in range(strips):
        pixels = noise(draw, 8, 24, low=100)
        if number % 2:
            pixels[:, 8:16] = 0
        save_picture(folder / "strips" / f"{number:03d}.png", pixels)
    return folder


def digits_release(folder: Path, per_split: int = 30) -> Path:
    """`train.npy` and `test.npy`: images of 6 x 6 pixels, the number of whose first pixel is the class."""
    draw = np.random.default_rng(2)
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        pixels = noise(draw, per_split, 6, 6, 1)
        pixels[:, 0, 0, 0] = np.arange(per_split) % 10
        np.save(folder / f"{split}.npy", pixels)
    return folder


def _plain(building: DatasetBuilder) -> list[Row]:
    from protocols.release.image_files import SourceImage
    from protocols.release.release_files import find_root, list_files

    root = find_root(building.source, "good", "bad")
    kept = ("good",) if building.variant == "good_only" else ("good", "bad")
    return building.unchanged(
        SourceImage(f"{folder}/{path.name}", path, "normal" if folder == "good" else "defect")
        for folder in kept
        for path in list_files(root / folder, root=building.source)
    )


def _tiles(building: DatasetBuilder) -> list[Row]:
    from protocols.release.image_files import read_pixels
    from protocols.release.release_files import find_root, list_files

    cut = []

    def tiles(path: Path) -> list[ImagePiece]:
        cut.append(path)
        if len(cut) == int(os.environ.get("MADE_UP_KILL", "0")):
            os.kill(os.getpid(), signal.SIGKILL)
        image = read_pixels(path)
        parts = [image[:, left : left + 8] for left in (0, 8, 16)]
        return [
            ImagePiece(f"{path.stem}_{i}.png", "normal" if part.any() else "hole", part, group=path.stem)
            for i, part in enumerate(parts)
        ]

    root = find_root(building.source, "strips")
    return building.pieces(list_files(root / "strips", root=building.source), tiles)


def _digits(building: DatasetBuilder) -> list[Row]:
    parts = {split: np.load(building.source / f"{split}.npy") for split in ("train", "test")}
    images = [
        ArrayImage(f"{split}/{number:05d}", str(image[0, 0, 0]), split)
        for split, pixels in parts.items()
        for number, image in enumerate(pixels)
    ]
    return building.array(images, np.concatenate(list(parts.values())))


def _shape(building: DatasetBuilder) -> list[Row]:
    from protocols.release.image_files import SourceImage
    from protocols.release.release_files import folder_named, list_files

    folder = folder_named(building.source, building.name)
    return building.unchanged(
        SourceImage(f"{split}/{label}/{path.name}", path, "normal" if label == "good" else label, split)
        for split, label in (("train", "good"), ("test", "good"), ("test", "dot"))
        for path in list_files(folder / split / label, root=building.source)
    )


DATASETS = {
    "plain": DatasetInfo(
        id="plain",
        title="Plain files",
        kind="industrial",
        image_size=224,
        published=Published(6, 2, 4, 1),
        variants={"good_only": "without anomalies"},
        releases={"good_only": (KnownRelease({"normal": 8}, sides=(10, 12), channels=1, form="PNG"),)},
        prepare=_plain,
        **_FACTS,
    ),
    "tiles": DatasetInfo(
        id="tiles",
        title="Tiles of strips",
        kind="industrial",
        image_size=224,
        published=Published(10, 5, 3, 1),
        differences="one strip has been mended since",
        releases={"": (KnownRelease({"normal": 18, "hole": 3}, sides=(8, 8), channels=1, form="PNG"),)},
        prepare=_tiles,
        **_FACTS,
    ),
    "digits": DatasetInfo(
        id="digits", title="Digits", kind="classes", image_size=6, published=None, prepare=_digits, **_FACTS
    ),
    **{
        shape: DatasetInfo(
            id=shape,
            title=f"Shapes: {shape}",
            kind="industrial",
            image_size=224,
            published=None,
            family="shapes",
            prepare=_shape,
            **_FACTS,
        )
        for shape in ("circles", "squares")
    },
}
