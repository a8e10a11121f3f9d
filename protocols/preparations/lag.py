"""LAG: fundus images with and without suspected glaucoma, a pool of outliers that is never tested (spec 10.10)."""

from protocols.datasets.manifest import Row
from protocols.datasets.naming import canonical_id
from protocols.release.builder import DatasetBuilder


def prepare(builder: DatasetBuilder) -> list[Row]:
    """Link the images of both classes, whose labels are the values of `lag.classes` (spec D24).

    The folders `attention_map` beside `image` are not used.
    """
    from protocols.release.image_files import SourceImage
    from protocols.release.release_files import find_entry, find_root, list_files

    classes = builder.info.label_aliases
    root = find_root(builder.source, *classes)
    return builder.unchanged(
        SourceImage(canonical_id(f"{folder}/image/{path.name}"), path, label)
        for folder, label in classes.items()
        for path in list_files(find_entry(find_entry(root, folder), "image"), root=builder.source)
    )
