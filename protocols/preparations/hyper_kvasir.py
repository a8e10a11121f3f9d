"""Hyper-Kvasir: endoscopy of the upper gastrointestinal tract (spec 10.9)."""

from protocols.datasets.info import DatasetInfo, KnownRelease, Published
from protocols.datasets.manifest import Row
from protocols.datasets.naming import NORMAL, canonical_id
from protocols.io.download import Download
from protocols.release.builder import Building

_LANDMARKS = ("pylorus", "retroflex-stomach", "z-line")
_FINDINGS = {
    "barretts": "barretts",
    "barretts-short-segment": "barretts_short_seg",
    "esophagitis-a": "esophagitis_a",
    "esophagitis-b-d": "esophagitis_b_d",
}


def prepare(building: Building) -> list[Row]:
    """Link the labelled images of the upper tract: three landmarks are normal, four findings the anomaly classes."""
    from protocols.release.image_files import RawImage
    from protocols.release.release_files import entry, files, find_root

    roots = find_root(building.source, *_LANDMARKS), find_root(building.source, *_FINDINGS)
    classes = [(roots[0], folder, NORMAL) for folder in _LANDMARKS]
    classes += [(roots[1], folder, label) for folder, label in _FINDINGS.items()]
    return building.unchanged(
        RawImage(canonical_id(f"{folder}/{path.name}"), path, label)
        for root, folder, label in classes
        for path in files(entry(root, folder), root=building.source)
    )


DATASETS = {
    "hyper_kvasir": DatasetInfo(
        id="hyper_kvasir",
        title="Hyper-Kvasir",
        kind="medical",
        image_size=448,
        published=Published(2021, 674, 757, 4),
        known_classes=tuple(_FINDINGS.values()),
        licence="CC BY 4.0",
        citation=(
            "Borgli et al., HyperKvasir, a comprehensive multi-class image and video dataset for gastrointestinal "
            "endoscopy, Scientific Data 2020, doi 10.1038/s41597-020-00622-y"
        ),
        source="https://datasets.simula.no/hyper-kvasir (the labelled images)",
        size="3.9 GB",
        downloads=(
            Download(
                "https://datasets.simula.no/downloads/hyper-kvasir/hyper-kvasir-labeled-images.zip",
                "hyper-kvasir-labeled-images.zip",
            ),
        ),
        label_aliases=_FINDINGS,
        releases={
            "": (
                KnownRelease(
                    {
                        NORMAL: 2695,
                        "barretts": 41,
                        "barretts_short_seg": 53,
                        "esophagitis_a": 403,
                        "esophagitis_b_d": 260,
                    },
                    sides=(300, 1920),
                    reaches=720,
                    is_mixed=True,
                    channels=3,
                    form="JPEG",
                ),
            )
        },
        prepare=prepare,
    )
}
