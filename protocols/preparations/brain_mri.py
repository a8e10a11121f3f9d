"""BrainMRI: magnetic resonance images of the brain with and without a tumour (spec 10.7)."""

from pathlib import Path

from protocols.datasets.info import DatasetInfo, KnownRelease, Published
from protocols.datasets.manifest import Row
from protocols.datasets.naming import NORMAL, canonical_id
from protocols.release.builder import Building

_RELEASED_LOADER = "released_loader"

_FOLDERS = {"no": NORMAL, "yes": "defect"}
_LOADED = {"png", "PNG", "jpg", "npy"}


def prepare(building: Building) -> list[Row]:
    """Link all images of the folders `no` (normal) and `yes` (defect), whatever their endings say.

    The variant `released_loader` keeps what the authors' loader counts as an image (spec 1.3, D30): the last three
    characters of the name decide.
    """
    from protocols.release.image_files import RawImage
    from protocols.release.release_files import entry, files, find_root

    root = find_root(building.source, *_FOLDERS)
    images = [
        RawImage(canonical_id(f"{folder}/{path.name}"), path, label)
        for folder, label in _FOLDERS.items()
        for path in files(entry(root, folder), root=building.source)
        if building.variant != _RELEASED_LOADER or _is_loaded(path)
    ]
    return building.unchanged(images)


def _is_loaded(path: Path) -> bool:
    return path.name[-3:] in _LOADED


DATASETS = {
    "brain_mri": DatasetInfo(
        id="brain_mri",
        title="BrainMRI",
        kind="medical",
        image_size=224,
        published=Published(73, 25, 155, 1),
        licence="none found with the images; research use",
        citation="Chakrabarty, Brain MRI images for brain tumor detection, Kaggle 2019",
        source="https://www.kaggle.com/datasets/navoneel/brain-mri-images-for-brain-tumor-detection",
        size="8.7 MB",
        releases={
            "": (
                KnownRelease(
                    {"normal": 98, "defect": 155},
                    sides=(150, 1920),
                    fingerprint="67a8c000bb5be10847a9a74310aefa1759d8f9f495170e524f0dd23f42fba28a",
                ),
            ),
            _RELEASED_LOADER: (
                KnownRelease(
                    {"normal": 86, "defect": 87},
                    sides=(150, 1920),
                    fingerprint="80395635e2c6694906033021b781efc424bcf53d3ec887f1220162d2d1e44b4c",
                ),
            ),
        },
        variants={
            _RELEASED_LOADER: (
                "only the files that the released loader sees, by the last three characters of the name (spec D30): 86 "
                "normal images and 87 anomalies"
            )
        },
        prepare=prepare,
    )
}
