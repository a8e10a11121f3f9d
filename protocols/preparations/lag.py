"""LAG: fundus images with and without suspected glaucoma, a pool of outliers that is never tested (spec 10.10)."""

from protocols.datasets.info import DatasetInfo, KnownRelease
from protocols.datasets.manifest import Row
from protocols.datasets.naming import canonical_id
from protocols.release.builder import Building

_CLASSES = {"non_glaucoma": "non_glaucoma", "suspicious_glaucoma": "suspicious"}
_COUNTS = ((3143, 1711), (3432, 2392), (6882, 4878))
"""Of the part that is usually handed out, of the images with attention maps, and of all."""


def prepare(building: Building) -> list[Row]:
    """Link the images of both classes, whose labels are the values of `lag.classes` (spec D24).

    The folders `attention_map` beside `image` are not used.
    """
    from protocols.release.image_files import RawImage
    from protocols.release.release_files import entry, files, find_root

    root = find_root(building.source, *_CLASSES)
    return building.unchanged(
        RawImage(canonical_id(f"{folder}/image/{path.name}"), path, label)
        for folder, label in _CLASSES.items()
        for path in files(entry(entry(root, folder), "image"), root=building.source)
    )


DATASETS = {
    "lag": DatasetInfo(
        id="lag",
        title="LAG glaucoma fundus images",
        kind="pool",
        image_size=448,
        published=None,
        licence="on request to the authors; research use",
        citation="Li et al., Attention based glaucoma detection: a large-scale database and CNN model, CVPR 2019",
        source="https://github.com/smilell/AG-CNN (the authors give the archive's password on request)",
        label_aliases=_CLASSES,
        releases={
            "": tuple(
                KnownRelease(
                    {"non_glaucoma": healthy, "suspicious": suspicious}, sides=(500, 500), channels=3, form="JPEG"
                )
                for healthy, suspicious in _COUNTS
            )
        },
        prepare=prepare,
    )
}
