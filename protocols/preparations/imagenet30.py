"""ImageNet-30: thirty classes of ImageNet with their own training and test folders (CSI spec 1)."""

from pathlib import Path

from protocols.datasets.info import DatasetInfo, KnownRelease
from protocols.datasets.manifest import Row
from protocols.datasets.naming import canonical_id
from protocols.errors import DataError
from protocols.release.builder import Building
from protocols.release.class_sets import check_counts, halves, indices

_FOLDERS = {"one_class_train": ("train", 1300), "one_class_test": ("test", 100)}
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


def prepare(building: Building) -> list[Row]:
    """Link the images of the thirty classes, whose label is their index in alphabetical order.

    Raises:
        DataError: a class is missing or has another number of images than the release, or a folder is no class.
    """
    from protocols.release.image_files import RawImage
    from protocols.release.release_files import entry, find_root

    root = find_root(building.source, *_FOLDERS)
    images = []
    for folder, (split, count) in _FOLDERS.items():
        classes = find_root(entry(root, folder), _CLASSES[0])
        _refuse_foreign(classes)
        part = [
            RawImage(canonical_id(f"{folder}/{name}/{path.name}"), path, str(index), split)
            for index, name in enumerate(_CLASSES)
            for path in _images(entry(classes, name), building.source)
        ]
        check_counts(building.name, split, [image.label for image in part], dict.fromkeys(indices(30), count))
        images += part
    return building.unchanged(images)


def _refuse_foreign(classes: Path) -> None:
    from protocols.release.release_files import folders

    for folder in folders(classes):
        if folder.name.lower() not in _CLASSES:
            raise DataError(f"{folder} is none of the thirty classes: move it away")


def _images(folder: Path, release: Path) -> list[Path]:
    """The images of a class, which the release keeps in a folder within the class's folder."""
    from protocols.release.release_files import files, folders

    return [path for inner in folders(folder) or [folder] for path in files(inner, root=release)]


DATASETS = {
    "imagenet30": DatasetInfo(
        id="imagenet30",
        title="ImageNet-30",
        kind="classes",
        image_size=224,
        published=None,
        licence="ImageNet's terms of access: research and education, not commercial",
        citation=(
            "Hendrycks et al., Using self-supervised learning can improve model robustness and uncertainty, "
            "NeurIPS 2019"
        ),
        source="https://github.com/hendrycks/ss-ood (both archives, unpacked into one folder)",
        normal_classes=indices(30),
        releases={
            "": (
                KnownRelease(
                    halves([1300] * 30, [100] * 30), sides=(16, 9000), reaches=500, is_mixed=True, form="JPEG"
                ),
            )
        },
        prepare=prepare,
    )
}
