"""Facts of a dataset that need none of its images."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from protocols.datasets.manifest import Row
from protocols.io.release_file import Download

Prepare = Callable[[Any], list[Row]]
"""Puts the images of a dataset into the builder (`protocols.release.builder`) that it is given; returns their rows."""

UNFILLED = "to be filled in"
"""Text of a fact that the author of a new dataset has not written yet."""


class Published(Struct, frozen=True, forbid_unknown_fields=True):
    """The counts that DRA's Table 5 prints."""

    train_normal: int
    test_normal: int
    anomalies: int
    classes: int


class Pinned(Struct, frozen=True, forbid_unknown_fields=True):
    """A dataset's number of images, the fingerprint of its ids, and those of its splits by their names.

    Names: `normals-train` and `normals-test` (the seedless draw), `general-10-s0`, `hard-mono-10-s0`, `one_class-3`,
    `labelled_share-3-0.20-s0`. Ten shots and the largest share stand for the smaller ones, which are prefixes.
    """

    images: int
    ids: str
    splits: dict[str, str]


class ReleaseMarks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Marks of a release's images beside their counts.

    sides: the least and the greatest side of an image in pixels, as bounds. reaches: what the greatest is at least.
    is_mixed: whether images differ in size. channels: 1 or 3; 0 where both occur or it is not known. form: Pillow's
    name of the files' format; empty for arrays, or where several occur. fingerprint: of the manifest, where a release
    was at hand; it decides alone.
    """

    sides: tuple[int, int]
    reaches: int = 0
    is_mixed: bool = False
    channels: Literal[0, 1, 3] = 0
    form: str = ""
    fingerprint: str = ""


class KnownRelease(ReleaseMarks, frozen=True):
    """The images of a whole release, or of a variant made of one, by which a prepared set is recognised.

    counts: images by label, `train/normal` where the release fixes the split; `*` and `test/*` stand for all classes
    that are not named.
    """

    counts: Mapping[str, int]


class DatasetFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Facts that a TOML file of facts and `DatasetInfo` spell alike.

    kind: `classes` is a set of classes of which a rule makes one normal, `pool` one that is never tested.
    image_size: pixels, 224 or 448 (spec 10.0), for class sets their own.
    source: where a person gets it.
    published: Table 5's counts where it has the dataset.
    family: a name for all datasets that have it (`mvtec_ad` for the categories), which come from one source; the
        members there are those of which it holds a folder of that name.
    size: of the release, in words (`4.9 GB`).
    downloads: its files, where they are free to fetch.
    known_classes: those of the hard setting (spec 11.4).
    normal_classes: those of a set of classes.
    related: datasets that show what this one shows too, left out of its pools under `pool.exclude = related`.
    differences: why the counts of a whole release, as `releases` has them, are not the published ones.
    variants: what stands after `@` in a prepared variant's id, and what it changes.
    label_aliases: the published id of a raw class folder.
    label_order: the order of the release's label file, where that is known: for each part of an id its values in
        their order; parts without are in the order of their text, so that `[]` is by id.
    fingerprints: of its ids and splits, where a release was at hand.
    suites: those of swanbench that have it, through `datasets_of`, among their datasets.
    order: its place there, as the papers' tables have it.
    leak_guard: the default of the split option of that name.
    embedded: an installed package holds the images, so that it prepares itself.
    """

    title: str
    kind: Literal["industrial", "planetary", "medical", "classes", "pool"]
    image_size: Annotated[int, Meta(ge=1)]
    licence: str
    citation: str
    source: str
    published: Published | None = None
    family: str = ""
    size: str = ""
    downloads: tuple[Download, ...] = ()
    known_classes: tuple[str, ...] = ()
    normal_classes: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    differences: str = ""
    variants: Mapping[str, str] = {}
    label_aliases: Mapping[str, str] = {}
    label_order: tuple[tuple[str, ...], ...] | None = None
    fingerprints: Pinned | None = None
    suites: tuple[str, ...] = ()
    order: int = 1000
    leak_guard: bool = False
    embedded: bool = False


class DatasetInfo(DatasetFacts, frozen=True, kw_only=True):
    """Facts of a dataset, with its id, its releases and its preparation.

    releases: what a whole release is known by, by variant (`""` is the dataset itself); none where no file list is
        fixed.
    prepare: a function, or the text `module:function` that names it and is loaded where it is needed. It puts images
        into the folder that is built and returns their rows. None for a set that can only be adopted.
    digest: SHA-256 of the file that the facts stand in; empty where they stand in Python.
    """

    id: str
    releases: Mapping[str, tuple[KnownRelease, ...]] = {}
    prepare: Prepare | str | None = None
    digest: str = ""
