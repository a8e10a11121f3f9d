"""ImageNet-30: thirty classes of ImageNet with their own training and test folders (CSI spec 1)."""

from pathlib import Path

from protocols.datasets.manifest import Row
from protocols.datasets.naming import canonical_id
from protocols.errors import DataError
from protocols.release.builder import DatasetBuilder
from protocols.release.class_sets import check_class_counts

_FOLDERS = {"one_class_train": "train", "one_class_test": "test"}
_CLASSES = (
    "acorn",
    "airliner",
    "ambulance",
    "american_alligator",
    "banjo",
    "barn",
    "bikini",
    "digital_clock",
    "dragonfly",
    "dumbbell",
    "forklift",
    "goblet",
    "grand_piano",
    "hotdog",
    "hourglass",
    "manhole_cover",
    "mosque",
    "nail",
    "parking_meter",
    "pillow",
    "revolver",
    "rotary_dial_telephone",
    "schooner",
    "snowmobile",
    "soccer_ball",
    "stingray",
    "strawberry",
    "tank",
    "toaster",
    "volcano",
)


def prepare(builder: DatasetBuilder) -> list[Row]:
    """Link the images of the thirty classes, whose label is their index in alphabetical order.

    Raises:
        DataError: a class is missing or has another number of images than the release, or a folder is no class.
    """
    from protocols.release.image_files import SourceImage
    from protocols.release.release_files import find_entry, find_root

    root = find_root(builder.source, *_FOLDERS)
    images = []
    for folder, split in _FOLDERS.items():
        classes = find_root(find_entry(root, folder), _CLASSES[0])
        _refuse_foreign(classes)
        part = [
            SourceImage(canonical_id(f"{folder}/{name}/{path.name}"), path, str(index), split)
            for index, name in enumerate(_CLASSES)
            for path in _images(find_entry(classes, name), builder.source)
        ]
        check_class_counts(builder.info, split, [image.label for image in part])
        images += part
    return builder.unchanged(images)


def _refuse_foreign(classes: Path) -> None:
    from protocols.release.release_files import list_folders

    for folder in list_folders(classes):
        if folder.name.lower() not in _CLASSES:
            raise DataError(f"{folder} is none of the thirty classes: move it away")


def _images(folder: Path, release: Path) -> list[Path]:
    """The images of a class, which the release keeps in a folder within the class's folder."""
    from protocols.release.release_files import list_files, list_folders

    return [path for inner in list_folders(folder) or [folder] for path in list_files(inner, root=release)]
