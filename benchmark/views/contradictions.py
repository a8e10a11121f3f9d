"""Contradictions between a record's words on method, data and split and what its key is made of."""

import itertools
from collections.abc import Iterator, Mapping

from methods.registry.info import MethodInfo
from protocols.coordinates import COORDINATE_FIELDS
from protocols.datasets.info import DatasetInfo
from protocols.datasets.naming import base_id
from protocols.errors import DataError
from protocols.splits import rules
from protocols.splits.draw.options import Options, parse_split_options
from results.record import Record
from results.spec import EMPTY_LIST


def contradiction(record: Record, method: MethodInfo | None, datasets: Mapping[str, DatasetInfo]) -> str:
    """The first contradiction, as the end of a sentence that starts with the record; empty where there is none.

    `method` is that of the record, None where it is not installed; `datasets` are all with facts, by id.
    """
    parts = (
        _of_method(record, method),
        _of_data(record, datasets),
        _of_source(record, method),
        _of_labels(record),
        _of_split(record),
    )
    return next(itertools.chain.from_iterable(parts), "")


def _of_method(record: Record, method: MethodInfo | None) -> Iterator[str]:
    detector = record.spec.fit.detector
    if method is not None and method.detector_id != detector:
        yield f"says method {method.id}, but its key holds the detector {detector}"


def _of_data(record: Record, datasets: Mapping[str, DatasetInfo]) -> Iterator[str]:
    """A dataset whose manifest is that of another known release."""
    split = record.spec.split
    for info in datasets.values():
        manifests = {release.fingerprint for releases in info.releases.values() for release in releases}
        if split.dataset_fingerprint in manifests and info.id != base_id(split.dataset):
            yield f"says dataset {split.dataset}, but its key holds the manifest of {info.id}"


def _of_source(record: Record, method: MethodInfo | None) -> Iterator[str]:
    """A source fit where nothing asks for one, or none; one of a base that is another method's or on other images."""
    spec = record.spec
    has_base = method is not None and method.base is not None
    if spec.split.source_dataset is None and (has_base or method is None):
        fit, source = spec.fit, spec.source
        if has_base and source is None:
            yield f"says method {spec.method}, but its key holds no fit that this starts from"
        if source and (source.dataset_fingerprint, source.train_normal) != (fit.dataset_fingerprint, fit.train_normal):
            yield "starts from a fit on other images"
    elif (spec.split.source_dataset is None) != (spec.source is None):
        yield "says one source dataset and its key holds another, or none"


def _of_labels(record: Record) -> Iterator[str]:
    """Labelled anomalies that the training list has not, or the other way round."""
    spec, counts = record.spec, record.counts
    split, has_anomalies = spec.split, spec.fit.train_anomaly != EMPTY_LIST
    labels = {name: field for name, field in COORDINATE_FIELDS.items() if field.role == "labels"}
    if has_anomalies and all(getattr(split, name) in {None, field.unlabelled} for name, field in labels.items()):
        yield "says no labelled anomalies, but its key holds a list of them"
    if not has_anomalies and split.shots and split.source_dataset is None:
        yield f"says {split.shots} labelled anomalies, but its key holds an empty list of them"
    if counts and split.shots is not None and counts.train_anomaly > split.shots:
        yield f"counts {counts.train_anomaly} training anomalies at {split.shots} shots"


def _of_split(record: Record) -> Iterator[str]:
    """Coordinates and options that the rule does not have, or that the counts contradict."""
    split, counts = record.spec.split, record.counts
    try:
        rule = rules.find_rule(split.rule)
        chosen = parse_split_options(split.options, rule.OPTIONS, split.rule, Options())
    except DataError as error:
        yield f"has a split that cannot be ({error})"
        return
    if split.source_dataset is not None and rule.SUBSET != "source_dataset":
        yield f"has a source dataset under the rule {split.rule}"
    for name in ("known_class", "normal_class"):
        needed = name in rule.COORDINATES
        if (getattr(split, name) is not None) != needed:
            yield f"has {'no' if needed else 'a'} {name.replace('_', ' ')} under the rule {split.rule}"
    if counts and chosen.limit_test is not None and counts.test_normal + counts.test_anomaly > chosen.limit_test:
        yield f"counts more test images than its split option limit_test = {chosen.limit_test}"
    most = None if chosen.contamination else chosen.limit_train
    if counts and most is not None and counts.train_normal > most:
        yield f"counts more training normals than its split option limit_train = {most}"
