"""Optical: DAGM 2007, ten synthetic textures pooled into one dataset (spec 10.5)."""

from protocols.datasets import DatasetInfo, Published

DATASETS = {
    "optical": DatasetInfo(
        id="optical",
        title="Optical inspection (DAGM 2007)",
        kind="industrial",
        image_size=448,
        published=Published(10500, 3500, 2100, 1),
        licence="see source",
        citation="Wieler and Hahn, Weakly supervised learning for industrial optical inspection, DAGM symposium 2007",
        source="https://hci.iwr.uni-heidelberg.de/content/weakly-supervised-learning-industrial-optical-inspection",
    )
}
