"""What is known of each dataset: published counts, where to get it, how to prepare it.

One file of this package describes a dataset or a family in a mapping `DATASETS`; others come by the entry point group
`swanbench.datasets`, whose value `module:NAME` names such a mapping.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from protocols import plugins
from protocols.building import Building
from protocols.io.download import Download
from protocols.manifest import Row
from protocols.naming import base_id
from protocols.plugins import PluginError

ENTRY_POINTS = "swanbench.datasets"

Prepare = Callable[[Building], list[Row]]


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


def infos() -> dict[str, DatasetInfo]:
    """Every known dataset by id: those of this package, then the plug-ins'."""
    return discover()[0]


def find(name: str) -> DatasetInfo | None:
    """The facts of a dataset or of the one that it is a variant of, or None where nothing is known."""
    known = base_id(name)
    return _own().get(known) or infos().get(known)


def is_guest(info: DatasetInfo) -> bool:
    """Whether another package offers this dataset."""
    return info.id not in _own()


def leak_guard(name: str) -> bool:
    """The default of the split option `leak_guard` for a dataset: on for Mastcam, whose frames repeat."""
    info = find(name)
    return info is not None and info.leak_guard


def discover() -> tuple[dict[str, DatasetInfo], dict[str, str]]:
    """Known datasets by id, and the entry points that could not be used with the reason."""
    known, problems = _own(), {}
    for point in plugins.points(ENTRY_POINTS):
        try:
            known |= _offered(point.value, known)
        except PluginError as error:
            problems[point.name] = str(error)
    return known, problems


def _offered(value: str, known: Mapping[str, DatasetInfo]) -> dict[str, DatasetInfo]:
    """The datasets of one entry point; raises PluginError where they cannot be used."""
    named = plugins.load(value)
    try:
        with plugins.guest():
            offered = dict(named)
            wrong = [id_ for id_, info in offered.items() if not isinstance(info, DatasetInfo) or info.id != id_]
    except PluginError as error:
        raise PluginError(f"{value} is no mapping of ids to DatasetInfo ({error})") from error
    taken = sorted(offered.keys() & known.keys())
    if wrong or taken:
        raise PluginError(f"{value} is no DatasetInfo under its own id, or takes a known id: {wrong or taken}")
    return offered


def _own() -> dict[str, DatasetInfo]:
    known: dict[str, DatasetInfo] = {}
    for module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
        known |= importlib.import_module(f"{__name__}.{module}").DATASETS
    return known
