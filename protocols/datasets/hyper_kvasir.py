"""Hyper-Kvasir: endoscopy of the upper gastrointestinal tract (spec 10.9)."""

from protocols.datasets import DatasetInfo, Published

DATASETS = {
    "hyper_kvasir": DatasetInfo(
        id="hyper_kvasir",
        title="Hyper-Kvasir",
        kind="medical",
        image_size=448,
        published=Published(2021, 674, 757, 4),
        known_classes=("barretts", "barretts_short_seg", "esophagitis_a", "esophagitis_b_d"),
        licence="see source",
        citation=(
            "Borgli et al., HyperKvasir, a comprehensive multi-class image and video dataset for gastrointestinal "
            "endoscopy, Scientific Data 2020"
        ),
        source="https://datasets.simula.no/hyper-kvasir",
        label_aliases={"barretts-short-segment": "barretts_short_seg"},
    )
}
