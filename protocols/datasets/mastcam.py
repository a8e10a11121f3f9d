"""Mastcam: multispectral images of Mars with the publishers' own split of the normals (spec 10.6)."""

from protocols.datasets import DatasetInfo, Published

DATASETS = {
    "mastcam": DatasetInfo(
        id="mastcam",
        title="Mastcam Mars novelty detection",
        kind="planetary",
        image_size=224,
        published=Published(9302, 426, 451, 11),
        known_classes=(
            "bedrock",
            "broken_rock",
            "drill_hole",
            "drt",
            "dump_pile",
            "float",
            "meteorite",
            "scuff",
            "veins",
        ),
        licence="see source",
        citation=(
            "Kerner et al., Comparison of novelty detection methods for multispectral images in rover-based planetary "
            "exploration missions, Data Mining and Knowledge Discovery 2020"
        ),
        source="https://zenodo.org/record/3732485",
        leak_guard=True,
    )
}
