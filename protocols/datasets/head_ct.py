"""HeadCT: computed tomography of the head with and without a hemorrhage (spec 10.8)."""

from protocols.datasets import DatasetInfo, Published

DATASETS = {
    "head_ct": DatasetInfo(
        id="head_ct",
        title="HeadCT",
        kind="medical",
        image_size=224,
        published=Published(75, 25, 100, 1),
        licence="see source",
        citation="Kitamura, Head CT - hemorrhage, Kaggle",
        source="https://www.kaggle.com/datasets/felipekitamura/head-ct-hemorrhage",
        label_order=str,
    )
}
