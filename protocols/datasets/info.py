"""Facts of a dataset that need none of its images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from protocols.datasets.manifest import Row
from protocols.io.download import Download

Prepare = Callable[[Any], list[Row]]
"""Puts the images of a dataset into the builder (`protocols.release.builder`) that it is given; returns their rows."""


@dataclass(frozen=True)
class Published:
    """The counts that DRA's Table 5 prints."""

    train_normal: int
    test_normal: int
    anomalies: int
    classes: int


@dataclass(frozen=True)
class KnownRelease:
    """The images of a whole release, or of a variant made of one, by which a prepared set is recognised.

    counts: images by label, `train/normal` where the release fixes the split; `*` and `test/*` stand for all classes
    that are not named. sides: the least and the greatest side of an image in pixels, as bounds. reaches: what the
    greatest is at least. is_mixed: whether images differ in size. channels: 1 or 3; 0 where both occur or it is not
    known. form: Pillow's name of the files' format; empty for arrays, or where several occur. fingerprint: of the
    manifest, where a release was at hand; it decides alone.
    """

    counts: Mapping[str, int]
    sides: tuple[int, int]
    reaches: int = 0
    is_mixed: bool = False
    channels: Literal[0, 1, 3] = 0
    form: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class DatasetInfo:
    """Facts of a dataset that need none of its images.

    kind: `classes` is a set of classes of which a rule makes one normal, `pool` one that is never tested. image_size:
    pixels, 224 or 448 (spec 10.0), for class sets their own. published: Table 5's counts where it has the dataset.
    source: where a person gets it. family: a name for all datasets that have it (`mvtec_ad` for the categories), which
    come from one source; the members there are those of which it holds a folder of that name. size: of the release, in
    words (`4.9 GB`). downloads: its files, where they are free to fetch. known_classes: those of the hard setting (spec
    11.4). label_aliases: the published id of a raw class folder. label_order: the sort key that puts ids into the order
    of the release's label file, where that is known. releases: what a whole release is known by, by variant (`""` is
    the dataset itself); none where no file list is fixed. differences: why the counts of a whole release, as `releases`
    has them, are not the published ones. variants: what stands after `@` in a prepared variant's id, and what it
    changes. leak_guard: the default of the split option of that name. embedded: an
    installed package holds the images, so that it prepares itself. prepare(building) puts images into the folder that
    is built and returns their rows.
    """

    id: str
    title: str
    kind: Literal["industrial", "planetary", "medical", "classes", "pool"]
    image_size: int
    published: Published | None
    licence: str
    citation: str
    source: str
    family: str = ""
    size: str = ""
    downloads: tuple[Download, ...] = ()
    known_classes: tuple[str, ...] = ()
    normal_classes: tuple[str, ...] = ()
    differences: str = ""
    variants: Mapping[str, str] = field(default_factory=dict)
    label_aliases: Mapping[str, str] = field(default_factory=dict)
    label_order: Callable[[str], str] | None = None
    releases: Mapping[str, tuple[KnownRelease, ...]] = field(default_factory=dict)
    leak_guard: bool = False
    embedded: bool = False
    prepare: Prepare | None = None
