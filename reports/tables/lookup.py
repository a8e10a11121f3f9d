"""Records by method and split: which of several of one key counts, and which stand behind a cell."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from msgspec import structs

from protocols.coordinates import COORDINATE_FIELDS
from protocols.text import near_miss
from protocols.values import ParamValue
from reports.errors import ReportError
from reports.layouts.layout import Source
from reports.tables.measured import (
    GENUINE,
    RECIPE_ORDER,
    STORED_AUROC,
    CellValue,
    Series,
    Stale,
    never_stale,
    series_of,
    weight_labels,
)
from reports.tables.nesting import ScoresDigest, no_scores
from results.maintenance.twins import disagreements
from results.record import Record
from results.spec import SplitDefinition

MeasuredIds = Callable[[Record], Collection[str]]
"""Ids of the detectors and variants that a record measures: the same for all of a series, method and recipe."""

SPLIT_COORDINATES = ("dataset", *COORDINATE_FIELDS)


class LookupKey(NamedTuple):
    """A method under a rule at `SPLIT_COORDINATES`, each a text, empty where a split has none."""

    method: str
    rule: str
    coordinates: tuple[str, ...]

    @property
    def split(self) -> dict[str, str]:
        return dict(zip(SPLIT_COORDINATES, self.coordinates, strict=True))


def source_key(source: Source, coordinates: Mapping[str, str]) -> LookupKey:
    """The key of a cell's runs; coordinates of its source's split come before its own."""
    split = {**coordinates, **source.split}
    return LookupKey(source.method, source.rule, tuple(split.get(name, "") for name in SPLIT_COORDINATES))


def record_key(record: Record, method: str) -> LookupKey:
    """The key of a run as `method`, a prepared variant of a dataset under the dataset's id."""
    return split_key(record.spec.split, method)


def split_key(split: SplitDefinition, method: str) -> LookupKey:
    """The key of the runs of `method` on such splits."""
    dataset = split.dataset.partition("@")[0]
    return LookupKey(method, split.rule, (dataset, *split.coordinate_texts.values()))


class _Valued(NamedTuple):
    """The runs of a cell that failed or have its value, their datasets, and whether a finished one has no value.

    `series` of these runs are made once for the recipe that is wanted and what is said of each of the datasets.
    """

    records: Sequence[Record]
    datasets: Sequence[str]
    lacks_some: bool
    series: dict[tuple[str, ...], list[Series]]


class Lookup:
    """The series of a method on a split definition, found by the coordinates of a cell; of runs that have the value."""

    def __init__(
        self,
        records: Iterable[Record],
        measures: MeasuredIds,
        versions: Mapping[str, int],
        stale: Stale = never_stale,
        value: CellValue = STORED_AUROC,
        scores_digest: ScoresDigest = no_scores,
    ) -> None:
        self.value = value
        self.scores_digest = scores_digest
        self._versions = versions
        self._stale = stale
        self._records: defaultdict[LookupKey, list[Record]] = defaultdict(list)
        self._valued: dict[tuple[LookupKey, str], _Valued] = {}
        keys: dict[tuple[str, str, str], list[LookupKey]] = {}
        for record in latest_records(records):
            claim = record.series, record.spec.method, record.spec.recipe
            if claim not in keys:
                keys[claim] = [record_key(record, method) for method in measures(record)]
            for key in keys[claim]:
                self._records[key].append(record)

    def series(
        self, source: Source, coordinates: Mapping[str, str], other_data: Callable[[str], str] = lambda _: ""
    ) -> list[Series]:
        valued = self._of_source(source, coordinates)
        reasons = {dataset: other_data(dataset) for dataset in valued.datasets}
        said = (source.recipe, *reasons.values())
        if said not in valued.series:
            valued.series[said] = series_of(
                valued.records,
                self._versions,
                stale=self._stale,
                other_data=reasons.__getitem__,
                wanted_recipe=source.recipe,
            )
        return valued.series[said]

    def has_valueless(self, source: Source, coordinates: Mapping[str, str]) -> bool:
        """True where a finished run has no such metric."""
        return self._of_source(source, coordinates).lacks_some

    def _of_source(self, source: Source, coordinates: Mapping[str, str]) -> "_Valued":
        key = source_key(source, coordinates)
        if (key, source.history) not in self._valued:
            value = replace(self.value, history=source.history)
            runs = [(record, value.of(record) is not None) for record in self._records.get(key, [])]
            kept = [record for record, has_value in runs if has_value or record.status == "failed"]
            self._valued[key, source.history] = _Valued(
                records=kept,
                datasets=sorted({record.spec.split.dataset for record in kept}),
                lacks_some=any(record.metrics and not has_value for record, has_value in runs),
                series={},
            )
        return self._valued[key, source.history]

    def values(self, source: Source, coordinate: str) -> list[str]:
        """The values of a split coordinate that a method was run with, under the source's rule and split."""
        splits = [key.split for key in self._records if (key.method, key.rule) == (source.method, source.rule)]
        values = {split[coordinate] for split in splits if source.split.items() <= split.items()}
        return sorted(values, key=lambda text: (len(text), text))


def latest_records(records: Iterable[Record]) -> list[Record]:
    """One record a key: of several a finished one, and of these the one made last, which notes the others' numbers."""
    groups: dict[str, list[Record]] = {}
    for record in sorted(records, key=_preference):
        groups.setdefault(record.key, []).append(record)
    return [_with_disagreements(group) if len(group) > 1 else group[0] for group in groups.values()]


def _with_disagreements(group: Sequence[Record]) -> Record:
    """The last of several records of one key; a note says where they hold other numbers."""
    origins = [
        f"({record.provenance.numerics_class}, started {record.provenance.started})"
        if record.provenance
        else "(nobody knows where)"
        for record in group
    ]
    last = group[-1]
    notes = [f"{text}; the last counts" for text in disagreements(zip(group, origins, strict=True))]
    return structs.replace(last, notes=[*last.notes, *notes]) if notes else last


def _preference(record: Record) -> tuple[bool, str]:
    return record.status == "done", record.provenance.started if record.provenance else ""


def chosen_records(records: list[Record], recipe: str | None, facts: Mapping[str, ParamValue]) -> list[Record]:
    """The records of a recipe (None: of any) of which all these facts are so; see `record_facts`.

    Raises:
        ReportError: unknown recipe, or a fact that no record has.
    """
    if recipe is not None and recipe not in RECIPE_ORDER:
        raise ReportError(f"no recipe {recipe!r}: {near_miss(recipe, RECIPE_ORDER)}")
    if recipe is None and not facts:
        return records
    names = {name for record in records for name in record_facts(record)} if facts else set()
    for name in facts:
        if records and name not in names:
            raise ReportError(
                f"no record has a hyper-parameter, split option or fact {name!r}: "
                f"{near_miss(name, names, 'see bench methods show and bench splits show --help')}"
            )
    return [record for record in records if recipe in {None, record.spec.recipe} and has_facts(record, facts)]


def has_facts(record: Record, facts: Mapping[str, ParamValue]) -> bool:
    """True where all these facts are so of a run; None stands for one that it does not have."""
    own_facts = record_facts(record) if facts else {}
    return all(_is_same(own_facts.get(name), value) for name, value in facts.items())


def record_facts(record: Record) -> dict[str, ParamValue]:
    """Facts that a run can be chosen by: hyper-parameters, split options, seeds, precision, size and weights.

    An option that a split was made without has no entry. Weights are `genuine`, or as their label has them.
    """
    spec = record.spec
    labels = [label if not label.startswith(GENUINE) else GENUINE[:-1] for label in _weights(record)]
    evaluation: dict[str, ParamValue] = {}
    if spec.evaluation:
        evaluation = {"evaluation.order": spec.evaluation.order, "evaluation.batch": spec.evaluation.batch}
    return {
        "img_size": spec.fit.size,
        "img_resize": spec.fit.resize,
        **evaluation,
        **spec.fit.params,
        **spec.split.options,
        "seed": spec.fit.seed,
        "split_seed": spec.split_seed,
        "precision": spec.fit.precision,
        "size": spec.fit.size,
        "weights": ",".join(labels) or None,
    }


def _weights(record: Record) -> list[str]:
    """Labels of the weights of a run, each once."""
    return list(dict.fromkeys(text.partition(" ")[2] for text in weight_labels(record)))


def _is_same(first: ParamValue, second: ParamValue) -> bool:
    return first == second and isinstance(first, bool) == isinstance(second, bool)
