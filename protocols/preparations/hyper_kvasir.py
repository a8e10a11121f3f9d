"""Hyper-Kvasir: endoscopy of the upper gastrointestinal tract (spec 10.9)."""

from protocols.datasets.manifest import Row
from protocols.datasets.naming import NORMAL, canonical_id
from protocols.release.builder import Building

_LANDMARKS = ("pylorus", "retroflex-stomach", "z-line")


def prepare(building: Building) -> list[Row]:
    """Link the labelled images of the upper tract: three landmarks are normal, four findings the anomaly classes."""
    from protocols.release.image_files import RawImage
    from protocols.release.release_files import entry, files, find_root

    findings = building.info.label_aliases
    roots = find_root(building.source, *_LANDMARKS), find_root(building.source, *findings)
    classes = [(roots[0], folder, NORMAL) for folder in _LANDMARKS]
    classes += [(roots[1], folder, label) for folder, label in findings.items()]
    return building.unchanged(
        RawImage(canonical_id(f"{folder}/{path.name}"), path, label)
        for root, folder, label in classes
        for path in files(entry(root, folder), root=building.source)
    )
