"""AITEX: strips of woven fabric, cut into tiles of 256 pixels (spec 10.2)."""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protocols.datasets.manifest import Row
from protocols.datasets.naming import NORMAL, canonical_id
from protocols.errors import DataError
from protocols.release.builder import DatasetBuilder, ImagePiece

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_TILE = 256
_TILES_OF_NORMAL = 16
_WHITE = 250

FABRICS = (
    "2306881-210020u",
    "2306894-210033u",
    "2311517-195063u",
    "2311694-1930c7u",
    "2311694-2040n7u",
    "2311980-185026u",
    "2608691-202020u",
)
DEFECT_CODES = {
    "002": "broken_end",
    "006": "broken_yarn",
    "010": "broken_pick",
    "016": "weft_curling",
    "019": "fuzzyball",
    "022": "cut_selvage",
    "023": "crease",
    "025": "warp_ball",
    "027": "knots",
    "029": "contamination",
    "030": "nep",
    "036": "weft_crack",
}
_WITHOUT_MASK = {"0100_025_08"}

_DEFECT = re.compile(r"\d+_(\d{3})_\d+")
_MASK = re.compile(r"(.+)_mask\d*", re.IGNORECASE)


@dataclass(frozen=True)
class _Strip:
    """A strip of fabric: the text that its tiles' ids start with, and of one with a defect the class and the masks."""

    path: Path
    group: str
    label: str = NORMAL
    masks: tuple[Path, ...] = ()


def prepare(builder: DatasetBuilder) -> list[Row]:
    """Cut the strips from the x into tiles 256 wide: 16 of each strip without a defect, and of the others those that
    have a pixel of a mask which is not black; the last tile of a strip may be narrower.

    Of several masks the union counts, of a mask the first channel. A strip without a mask is left out (D34). The
    variant `skip_split_masks` leaves out strips with several masks too, `drop_blank` normal tiles whose pixels are all
    at least 250 (D34b).

    Raises:
        DataError: a fabric or a class is missing, a mask has no strip or another size, a strip but the one known has no
            mask, or a name cannot be understood.
    """
    release = builder.source
    strips = _normal_strips(release) + _defect_strips(builder)
    by_path = {strip.path: strip for strip in strips}
    rows = builder.pieces(list(by_path), lambda path: _tiles(by_path[path], builder.variant))
    for strip in sorted({strip.group for strip in strips} - {row.group for row in rows}):
        builder.notify(f"aitex: {strip} gives no tile, since its mask is black")
    return rows


def _normal_strips(release: Path) -> list[_Strip]:
    from protocols.release.release_files import find_entry, folder_named, list_files, list_folders

    root = folder_named(release, "NODefect_images")
    fabrics = {name: find_entry(root, name) for name in FABRICS}
    foreign = [folder for folder in list_folders(root) if folder not in fabrics.values()]
    if foreign:
        raise DataError(f"{foreign[0]} is none of the release's {len(FABRICS)} fabrics: move it away")
    return [
        _Strip(path, canonical_id(f"{name}/{path.stem}"))
        for name, folder in fabrics.items()
        for path in list_files(folder, root=release)
    ]


def _defect_strips(builder: DatasetBuilder) -> list[_Strip]:
    from protocols.release.release_files import folder_named, list_files

    release = builder.source
    folder = folder_named(release, "Defect_images")
    masks = _masks(folder_named(release, "Mask_images"), release)
    strips = [_defect_strip(path, masks.pop(path.stem, ())) for path in list_files(folder, root=release)]
    for paths in masks.values():
        raise DataError(f"{paths[0]} is the mask of no strip in {folder}: get the release again")
    for code, label in DEFECT_CODES.items():
        if not any(strip.label == label for strip in strips):
            raise DataError(f"{folder} has no strip of the defect code {code} ({label}): get the whole release")
    for strip in strips:
        if not strip.masks:
            builder.notify(f"aitex: {strip.group} has no mask and is left out")
    most = 1 if builder.variant == "skip_split_masks" else len(strips)
    return [strip for strip in strips if 1 <= len(strip.masks) <= most]


def _masks(folder: Path, release: Path) -> dict[str, tuple[Path, ...]]:
    from protocols.release.release_files import list_files

    masks: defaultdict[str, tuple[Path, ...]] = defaultdict(tuple)
    for path in list_files(folder, root=release):
        match = _MASK.fullmatch(path.stem)
        if match is None:
            raise DataError(f"{path} is not named STRIP_mask: move it away")
        masks[match[1]] += (path,)
    return dict(masks)


def _defect_strip(path: Path, masks: tuple[Path, ...]) -> _Strip:
    match = _DEFECT.fullmatch(path.stem)
    if match is None or match[1] not in DEFECT_CODES:
        raise DataError(f"{path} is not named NUMBER_CODE_FABRIC with a defect code that is known: move it away")
    if not masks and path.stem not in _WITHOUT_MASK:
        raise DataError(f"{path} has no mask: get the release again")
    return _Strip(path, path.stem, DEFECT_CODES[match[1]], masks)


def _tiles(strip: _Strip, variant: str) -> list[ImagePiece]:
    from protocols.release.image_files import read_pixels

    image = read_pixels(strip.path)
    columns = [slice(x, x + _TILE) for x in range(0, image.shape[1], _TILE)]
    if strip.label == NORMAL:
        if len(columns) < _TILES_OF_NORMAL:
            raise DataError(
                f"{strip.path} is {image.shape[1]} wide, too narrow for {_TILES_OF_NORMAL} tiles: get the release again"
            )
        tiles = list(range(_TILES_OF_NORMAL))
    else:
        marked = _marked(strip, image.shape[0], image.shape[1])
        tiles = [tile for tile, part in enumerate(columns) if marked[:, part].any()]
    if variant == "drop_blank" and strip.label == NORMAL:
        tiles = [tile for tile in tiles if image[:, columns[tile]].min() < _WHITE]
    return [
        ImagePiece(f"{strip.group}_{tile}.png", strip.label, image[:, columns[tile]], group=strip.group)
        for tile in tiles
    ]


def _marked(strip: _Strip, height: int, width: int) -> "npt.NDArray[np.bool_]":
    """Union of the strip's masks, (height, width) bool: True where the first channel of one is not black."""
    import numpy as np

    from protocols.release.image_files import read_pixels

    marked = np.zeros((height, width), dtype=np.bool_)
    for path in strip.masks:
        mask = read_pixels(path)[:, :, 0]
        if mask.shape != marked.shape:
            raise DataError(
                f"{path} is {mask.shape[1]} x {mask.shape[0]}, but {strip.path} is {width} x {height}: "
                "get the release again"
            )
        marked |= mask != 0
    return marked
