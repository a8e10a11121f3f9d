"""Hyper-Kvasir: endoscopy of the upper gastrointestinal tract (spec 10.9)."""

from protocols.datasets.manifest import Row
from protocols.datasets.naming import NORMAL, canonical_id
from protocols.release.builder import DatasetBuilder

_LANDMARKS = ("pylorus", "retroflex-stomach", "z-line")


def prepare(builder: DatasetBuilder) -> list[Row]:
    """Link the labelled images of the upper tract: three landmarks are normal, four findings the anomaly classes."""
    from protocols.release.image_files import SourceImage
    from protocols.release.release_files import find_entry, find_root, list_files

    findings = builder.info.label_aliases
    roots = find_root(builder.source, *_LANDMARKS), find_root(builder.source, *findings)
    classes = [(roots[0], folder, NORMAL) for folder in _LANDMARKS]
    classes += [(roots[1], folder, label) for folder, label in findings.items()]
    return builder.unchanged(
        SourceImage(canonical_id(f"{folder}/{path.name}"), path, label)
        for root, folder, label in classes
        for path in list_files(find_entry(root, folder), root=builder.source)
    )
