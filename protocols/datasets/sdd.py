"""SDD: the first Kolektor Surface-Defect Dataset, each photograph cut into three parts (spec 10.3)."""

from protocols.datasets import DatasetInfo, Published

DATASETS = {
    "sdd": DatasetInfo(
        id="sdd",
        title="KolektorSDD",
        kind="industrial",
        image_size=448,
        published=Published(594, 286, 54, 1),
        licence="see source",
        citation=(
            "Tabernik et al., Segmentation-based deep-learning approach for surface-defect detection, Journal of "
            "Intelligent Manufacturing 2020"
        ),
        source="https://www.vicos.si/resources/kolektorsdd",
    )
}
