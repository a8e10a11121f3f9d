"""Words of a record, derived anew from what its key is made of.

Only a record's fit, test list and evaluation are hashed. Its recipe, deviations and weights labels are words beside
them: here they are derived again, so that no verb prints a word that the key contradicts.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from benchmark.planning import comparability
from benchmark.planning.inputs import pools
from benchmark.planning.inputs.fit_params import FINE_TUNING, fit_params
from benchmark.views.contradictions import contradiction
from methods.backbones import find
from methods.errors import MethodError
from methods.registry import installed
from methods.registry.base import resolve_base
from methods.registry.info import MethodInfo
from methods.registry.params import PER_DATASET, shown
from methods.registry.recipe import EVALUATION, Resolved, resolve
from protocols.catalogue import recognition
from protocols.datasets.info import DatasetInfo
from protocols.datasets.naming import base_id
from protocols.datasets.registry import dataset_infos
from protocols.values import ParamValue
from results.record import Record
from results.spec import EMPTY_LIST, RunSpec


class DerivedRecord(NamedTuple):
    """A record with its words derived; `corrected` are those that were others, `odd` is why it cannot be counted."""

    record: Record
    corrected: tuple[str, ...] = ()
    odd: str = ""


def derive_words(records: Iterable[Record], warn: Callable[[str], None]) -> list[Record]:
    """The records as their keys have them; `warn` is told of words that were others, and of records left out."""
    derive, derived = RecordDeriver(), []
    corrected: defaultdict[str, list[str]] = defaultdict(list)
    for record in records:
        derived_record = derive(record)
        if derived_record.odd:
            warn(f"{_named(record)} {derived_record.odd}: it was edited or damaged, and is not counted")
            continue
        for text in derived_record.corrected:
            corrected[text].append(_named(record))
        derived.append(derived_record.record)
    for text, names in corrected.items():
        warn(f"{', '.join(names)}: edited, or of another recipe file: {text}; reports go by the key")
    return derived


def _named(record: Record) -> str:
    return f"record {record.key[:8]} ({record.spec.name})"


@dataclass(frozen=True)
class _Words:
    """Words that the key of a record gives; `corrected` and `odd` as of a `DerivedRecord`."""

    labels: Mapping[str, str]
    reasons: Sequence[str]
    corrected: tuple[str, ...] = ()
    odd: str = ""


class RecordDeriver:
    """Derives the words of records by the methods and datasets that are installed, once for all that claim the same."""

    def __init__(self) -> None:
        self._methods = installed.methods()
        self._datasets = dataset_infos()
        self._known: dict[tuple[object, ...], _Words] = {}
        self._recipes: dict[str, Resolved | None] = {}

    def __call__(self, record: Record) -> DerivedRecord:
        claim = _claim(record)
        words = self._known.get(claim)
        if words is None:
            words = self._known[claim] = self._words(record)
        if words.odd:
            return DerivedRecord(record, odd=words.odd)
        pool_notes = [*_pool_notes(record)] if record.spec.fit.pools else []
        if not words.corrected and not pool_notes:
            return DerivedRecord(record)
        provenance = record.provenance and msgspec.structs.replace(record.provenance, weights=dict(words.labels))
        spec = msgspec.structs.replace(record.spec, deviations=list(words.reasons))
        derived = msgspec.structs.replace(record, spec=spec, provenance=provenance, notes=[*record.notes, *pool_notes])
        return DerivedRecord(derived, words.corrected)

    def contradictions(self, record: Record) -> list[str]:
        """Sentences on what a record says otherwise than its key; empty where it says nothing else."""
        derived = self(record)
        return [derived.odd] if derived.odd else list(derived.corrected)

    def _words(self, record: Record) -> _Words:
        spec = record.spec
        info = self._methods.get(spec.method)
        odd = contradiction(record, info, self._datasets)
        if odd:
            return _Words({}, (), odd=odd)
        labels = {arch: find.label(arch, digest) for arch, digest in spec.fit.weights.items()}
        labels_said = record.provenance.weights if record.provenance else labels
        corrected = [
            f"it says weights {arch} {labels_said.get(arch, 'none')}, but its key holds {labels.get(arch, 'none')}"
            for arch in sorted({**labels, **labels_said})
            if labels.get(arch) != labels_said.get(arch)
        ]
        reasons, about = self._deviations(spec, info)
        return _Words(labels, reasons, (*corrected, *about))

    def _deviations(self, spec: RunSpec, info: MethodInfo | None) -> tuple[list[str], list[str]]:
        """The deviations of a run, and sentences on those that its record says otherwise.

        Of a version of the method that is not installed its recipe is not known: the record's own words stay, since
        such a run is stale, or from the future.
        """
        if info is None or spec.fit.version < info.version:
            return spec.deviations, []
        resolved = self._resolved(spec, info) if spec.fit.version == info.version else None
        if resolved is None:
            text = f"its parameters are none that recipe {spec.recipe} of {info.id} has here"
            return ([*spec.deviations, text], [text]) if text not in spec.deviations else (spec.deviations, [])
        derived = list(dict.fromkeys(self._derived(spec, info, resolved)))
        false = [text for text in spec.deviations if _is_false(text, spec, resolved)]
        lacking = [text for text in derived if text not in spec.deviations]
        reasons = [text for text in spec.deviations if text not in false] + lacking
        says = f"it says recipe {spec.recipe}"
        return reasons, [
            *(f"{says} and '{text}', but its key holds another value" for text in false),
            *(f"{says}, but its key holds: {text}" for text in lacking),
        ]

    def _derived(self, spec: RunSpec, info: MethodInfo, resolved: Resolved) -> Iterator[str]:
        """Deviations as planning would say them, except for the number of images in the dataset."""
        fit, split = spec.fit, spec.split
        yield from comparability.of_method(info.id, info, resolved)
        if info.base is not None:
            yield from self._of_base(spec, info, resolved)
        yield from comparability.of_options(split.options)
        default = self._default_size(split.dataset)
        if spec.recipe != "quick" and default is not None:
            yield from comparability.of_size(fit.size, resolved, default)
        for pool, parts in fit.pools.items():
            lacking = pools.lacking_categories(pool, resolved.params, split.dataset, len(parts))
            if lacking:
                yield lacking
        for part in (part for parts in fit.pools.values() for part in parts):
            yield from self._release(base_id(part.dataset), part.dataset, part.fingerprint, spec.deviations)
        yield from self._data(split.dataset, fit.dataset_fingerprint, spec.deviations)
        if spec.source is not None and split.source_dataset is not None:
            yield from self._data(split.source_dataset, spec.source.dataset_fingerprint, spec.deviations)

    def _of_base(self, spec: RunSpec, info: MethodInfo, resolved: Resolved) -> Iterator[str]:
        """Parameters of the base fit that are not its recipe's."""
        held = spec.source.params if spec.source else {}
        try:
            base = resolve_base(info, resolved.params, self._methods, spec.split.dataset, held)
        except MethodError:
            base = None
        if base is None or spec.source is None or fit_params(base.resolved.params) != held:
            yield "the parameters of its base fit are none that the base has here"
        elif spec.source.version != base.info.version:
            yield f"its base fit is of {base.info.id} version {spec.source.version}, {base.info.version} is installed"
        else:
            yield from comparability.of_method(base.info.id, base.info, base.resolved)

    def _data(self, name: str, fingerprint: str, deviations: list[str]) -> Iterator[str]:
        if name not in self._datasets:
            yield f"dataset {name} is not the paper's"
        yield from self._release(name, name, fingerprint, deviations)

    def _release(self, dataset: str, name: str, fingerprint: str, deviations: list[str]) -> Iterator[str]:
        """That a manifest is of no known release; the reasons that a record gives were seen in the data."""
        info = self._datasets.get(dataset)
        if info is not None and not recognition.may_be_known(info, name, fingerprint):
            start = f"{name}: {recognition.UNKNOWN}"
            text = f"{start}, since its manifest is {fingerprint[:8]}"
            yield next((text for text in deviations if text.startswith(start)), text)

    def _resolved(self, spec: RunSpec, info: MethodInfo) -> Resolved | None:
        """The recipe with what the key holds in its place; None where the method cannot have these parameters."""
        fit, source = spec.fit, spec.source and spec.source.params
        form = fit.size, fit.resize, spec.evaluation
        claim = repr((info.id, spec.recipe, spec.split.dataset, fit.params, source, form))
        if claim not in self._recipes:
            self._recipes[claim] = self._resolved_anew(spec, info)
        return self._recipes[claim]

    def _resolved_anew(self, spec: RunSpec, info: MethodInfo) -> Resolved | None:
        try:
            usual = resolve(info, spec.recipe, spec.split.dataset, {}).params
            held = _held(spec, info, usual) | self._image_form(spec, usual)
            resolved = resolve(info, spec.recipe, spec.split.dataset, held)
        except MethodError:
            return None
        own_params = fit_params(resolved.params, fine_tuned=spec.is_fine_tuned)
        return resolved if own_params == spec.fit.params else None

    def _image_form(self, spec: RunSpec, usual: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
        """Size and resampling of the images, where they are not the recipe's."""
        size, resize = usual.get("img_size"), usual.get("img_resize") or "squash"
        expected = size if isinstance(size, int) else self._default_size(spec.split.dataset)
        form: dict[str, ParamValue] = {}
        if "img_size" in usual and spec.fit.size not in {0, expected} and expected is not None:
            form["img_size"] = spec.fit.size
        if resize != spec.fit.resize:
            form["img_resize"] = spec.fit.resize
        return form

    def _default_size(self, dataset: str) -> int | None:
        """The paper's size of a dataset; None of one that is not known, since it depends on its images."""
        info: DatasetInfo | None = self._datasets.get(base_id(dataset))
        return info.image_size if info else None


def _claim(record: Record) -> tuple[object, ...]:
    """All that the words of a record are derived from: its series, which the key bears out, and what it says beside."""
    spec = record.spec
    labels = tuple(record.provenance.weights.items()) if record.provenance else None
    has_anomalies = spec.fit.train_anomaly != EMPTY_LIST
    return record.series, spec.method, spec.recipe, tuple(spec.deviations), labels, has_anomalies, record.counts


def _held(spec: RunSpec, info: MethodInfo, usual: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    """The parameters that a key holds, by the names under which they are given."""
    held = dict(spec.fit.params)
    if spec.source is not None and spec.is_fine_tuned:
        for name in (name for name in info.params if name.startswith(FINE_TUNING)):
            plain = name.removeprefix(FINE_TUNING)
            own_value = held.get(plain if plain in held else name)
            if plain in held:
                held[plain] = spec.source.params.get(plain)
            if usual.get(name) is not None or own_value != held.get(plain):
                held[name] = own_value
    if spec.evaluation is not None:
        scored: tuple[ParamValue, ...] = (spec.evaluation.order, spec.evaluation.batch)
        held |= {name: value for name, value in zip(EVALUATION, scored, strict=True) if name in info.params}
    return held


def _is_false(text: str, spec: RunSpec, resolved: Resolved) -> bool:
    """True where a deviation says of a parameter another value than the key holds."""
    name, equals, rest = text.removeprefix(f"{spec.method}.").partition(" = ")
    value = spec.fit.size if name == "img_size" else resolved.params.get(name, PER_DATASET)
    is_hashed = name in spec.fit.params or name == "img_size" or (spec.evaluation is not None and name in EVALUATION)
    return bool(
        equals
        and text.startswith(f"{spec.method}.")
        and is_hashed
        and not (rest == shown(value) or rest.startswith(f"{shown(value)} "))
    )


def _pool_notes(record: Record) -> Iterator[str]:
    """A note on each pool in the key of which the record has none."""
    for pool, parts in record.spec.fit.pools.items():
        names = ", ".join(part.dataset for part in parts)
        if not any(text.startswith(f"pool {pool}: ") and text.endswith(f" images of {names}") for text in record.notes):
            yield f"pool {pool}: images of {names}"
