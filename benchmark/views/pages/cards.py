"""Cards of detectors and datasets for the pages of a site."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from methods.registry import installed
from methods.registry.info import MethodInfo
from protocols.datasets.info import DatasetInfo
from protocols.datasets.naming import base_id
from protocols.datasets.registry import dataset_infos
from protocols.text import plural
from reports.pages.html.site import Card, CardPage
from results.record import Record

DETECTOR_CARDS = "detectors.html"
DATASET_CARDS = "datasets.html"


def detector_cards(records: Sequence[Record]) -> CardPage:
    """A card for each detector that is installed, with its variants; `records` are finished runs."""
    methods = installed.methods()
    runs: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        runs[record.spec.fit.detector].append(record)
    detectors = [info for info in methods.values() if info.variant_of is None]
    return CardPage(
        title="Detectors",
        lead="Every detector that is installed here. bench methods show ID prints its hyper-parameters with sources.",
        address=DETECTOR_CARDS,
        cards=tuple(
            Card(info.title, info.id, info.summary, tuple(_detector_facts(info, methods, runs[info.id])))
            for info in detectors
        ),
    )


def dataset_cards(records: Sequence[Record]) -> CardPage:
    """A card for each known dataset; `records` are finished runs."""
    runs: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        runs[base_id(record.spec.split.dataset)].append(record)
    infos = sorted(dataset_infos().values(), key=lambda info: (info.order, info.id))
    return CardPage(
        title="Datasets",
        lead="Every dataset that is known here, with its licence. bench data show ID prints its counts by class.",
        address=DATASET_CARDS,
        cards=tuple(Card(info.title, info.id, "", tuple(_dataset_facts(info, runs[info.id]))) for info in infos),
    )


def _detector_facts(
    info: MethodInfo, methods: Mapping[str, MethodInfo], runs: Sequence[Record]
) -> Iterator[tuple[str, str]]:
    yield "From", _sentence(info.citation)
    yield "Settings", _words(info.rules)
    yield "Labelled anomalies", "learns from them" if info.anomalies else "is given none"
    if info.capabilities.backbones:
        yield "Trunk", _words(info.capabilities.backbones)
    assumptions = sum(param.assumption for param in info.params.values())
    assumed = f", {assumptions} by assumption" if assumptions else ""
    yield "Hyper-parameters", f"{len(info.params)}{assumed}; version {info.version}"
    if info.assumed:
        yield "Not comparable", "The papers say too little: the whole method is an assumption."
    variants = [variant.id for variant in methods.values() if variant.variant_of == info.id]
    if variants:
        yield "Variants", ", ".join(variants)
    yield "Runs here", _runs_text(runs, {base_id(record.spec.split.dataset) for record in runs})


def _dataset_facts(info: DatasetInfo, runs: Sequence[Record]) -> Iterator[tuple[str, str]]:
    yield "Kind", f"{info.kind}, images of {info.image_size} pixels" + (f", {info.size}" if info.size else "")
    if info.published:
        counts = info.published
        anomalies = f"{counts.anomalies} anomalies of {plural(counts.classes, 'class', 'classes')}"
        yield "Images", f"{counts.train_normal} training and {counts.test_normal} test normals, {anomalies}"
    yield "Licence", _sentence(info.licence)
    yield "From", _sentence(info.citation)
    yield "To get it", info.source
    classes = info.known_classes or info.normal_classes
    if classes:
        yield "Known classes" if info.known_classes else "Normal classes", _words(classes)
    if info.differences:
        yield "Counts", _sentence(info.differences)
    for name, text in sorted(info.variants.items()):
        yield f"Variant {info.id}@{name}", _sentence(text)
    yield "Runs here", _runs_text(runs, {record.spec.method for record in runs})


def _runs_text(runs: Sequence[Record], others: Iterable[str]) -> str:
    return f"{len(runs)}: {', '.join(sorted(others))}" if runs else "none"


def _sentence(text: str) -> str:
    return f"{text.rstrip('.')}."


def _words(names: Iterable[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)
