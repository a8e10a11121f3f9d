"""AITEX: strips of woven fabric, cut into tiles of 256 pixels (spec 10.2)."""

from protocols.datasets import DatasetInfo, Published

DATASETS = {
    "aitex": DatasetInfo(
        id="aitex",
        title="AITEX fabric",
        kind="industrial",
        image_size=224,
        published=Published(1692, 564, 183, 12),
        known_classes=("broken_end", "broken_pick", "cut_selvage", "fuzzyball", "nep", "weft_crack"),
        licence="see source",
        citation=(
            "Silvestre-Blanes et al., A Public Fabric Database for Defect Detection Methods and Results, Autex "
            "Research Journal 2019, doi 10.2478/aut-2019-0035"
        ),
        source="https://www.aitex.es/afid",
    )
}
