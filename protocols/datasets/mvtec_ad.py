"""MVTec AD: fifteen categories of textures and objects, used as they are (spec 10.1)."""

from protocols.datasets import DatasetInfo, Published

_KNOWN_CLASSES = {
    "carpet": ("color", "cut", "hole", "metal", "thread"),
    "metal_nut": ("bent", "color", "flip", "scratch"),
}
_ALIASES = {"carpet": {"metal_contamination": "metal"}}
_PUBLISHED = {
    "carpet": Published(280, 28, 89, 5),
    "grid": Published(264, 21, 57, 5),
    "leather": Published(245, 32, 92, 5),
    "tile": Published(230, 33, 84, 5),
    "wood": Published(247, 19, 60, 5),
    "bottle": Published(209, 20, 63, 3),
    "capsule": Published(219, 23, 109, 5),
    "pill": Published(267, 26, 141, 7),
    "transistor": Published(213, 60, 40, 4),
    "zipper": Published(240, 32, 119, 7),
    "cable": Published(224, 58, 92, 8),
    "hazelnut": Published(391, 40, 70, 4),
    "metal_nut": Published(220, 22, 93, 4),
    "screw": Published(320, 41, 119, 5),
    "toothbrush": Published(60, 12, 30, 1),
}

DATASETS = {
    category: DatasetInfo(
        id=category,
        title=f"MVTec AD {category.replace('_', ' ')}",
        kind="industrial",
        image_size=448,
        published=published,
        known_classes=_KNOWN_CLASSES.get(category, ()),
        licence="CC BY-NC-SA 4.0",
        citation=(
            "Bergmann et al., MVTec AD: A comprehensive real-world dataset for unsupervised anomaly detection, "
            "CVPR 2019"
        ),
        source="https://www.mvtec.com/company/research/datasets/mvtec-ad",
        label_aliases=_ALIASES.get(category, {}),
    )
    for category, published in _PUBLISHED.items()
}
