"""Effect of one setting: runs that agree in split, seed and everything else, paired.

Settings are of five kinds: parameters, precision, weights, image size, split options. Runs that differ in one kind
alone are a pair; test lists may differ where a split option does.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from reports.layouts.cell_ids import run_cell_id
from reports.stats.paired import PairedTest, seeds_test
from reports.tables.measured import RunSeeds, weight_labels
from results.record import Record
from results.spec import canonical


@dataclass(frozen=True, slots=True)
class DeviationEffect:
    """AUC under `second` minus that under `first`, which differ in one kind of setting, by seeds, in a cell.

    `test` has the mean with its 95 % interval; None for one pair.
    """

    cell: str
    kind: str
    first: str
    second: str
    differences: Mapping[RunSeeds, float]
    test: PairedTest | None


def deviation_effects(records: Iterable[Record]) -> list[DeviationEffect]:
    """The effects that finished runs tell, by cell and setting; of runs with one key the last counts."""
    found: dict[tuple[str, str, str, str], dict[RunSeeds, float]] = {}
    for group in _alike(records):
        for pair in combinations(group, 2):
            kinds = [kind for kind, value_of in SETTINGS.items() if value_of(pair[0]) != value_of(pair[1])]
            if len(kinds) == 1:
                (kind,) = kinds
                first, second = sorted(pair, key=lambda record: _words(record, kind))
                words = _difference(first, second, kind)
                spec = first.spec
                effect = found.setdefault((run_cell_id(first, spec.method), kind, *words), {})
                effect[RunSeeds(spec.split_seed, spec.fit.seed)] = _auroc(second) - _auroc(first)
    return [
        DeviationEffect(*of, dict(sorted(pairs.items())), seeds_test([*pairs.values()]) if len(pairs) > 1 else None)
        for of, pairs in sorted(found.items())
    ]


def _alike(records: Iterable[Record]) -> Iterable[list[Record]]:
    """Groups of finished runs of one detector, dataset, rule, place in it, and seeds."""
    groups: dict[tuple[object, ...], list[Record]] = {}
    for record in {record.key: record for record in records if record.metrics is not None}.values():
        spec = record.spec
        at = (spec.split.dataset_fingerprint, spec.split.rule, *spec.split.coordinate_texts.values())
        groups.setdefault((spec.fit.detector, spec.method, at, spec.split_seed, spec.fit.seed), []).append(record)
    return groups.values()


SETTINGS: Mapping[str, Callable[[Record], object]] = {
    "parameters": lambda record: canonical(record.spec.fit.params),
    "precision": lambda record: record.spec.fit.precision,
    "weights": lambda record: canonical(record.spec.fit.weights),
    "image size": lambda record: (record.spec.fit.size, record.spec.fit.resize),
    "split options": lambda record: canonical(record.spec.split.options),
}


def _words(record: Record, kind: str) -> str:
    """A setting in words; parameters as their recipe."""
    fit = record.spec.fit
    return {
        "parameters": record.spec.recipe,
        "precision": fit.precision,
        "weights": ", ".join(weight_labels(record)),
        "image size": f"{fit.size} px, {fit.resize}",
        "split options": ", ".join(f"{name} = {value}" for name, value in record.spec.split.options.items()) or "none",
    }[kind]


def _difference(first: Record, second: Record, kind: str) -> tuple[str, str]:
    """Both settings in words: the parameters that differ, where their recipe is one."""
    words = _words(first, kind), _words(second, kind)
    if words[0] != words[1]:
        return words
    ours, theirs = first.spec.fit.params, second.spec.fit.params
    names = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    one, other = (", ".join(f"{name} = {params.get(name)}" for name in names) for params in (ours, theirs))
    return one, other


def _auroc(record: Record) -> float:
    assert record.metrics is not None  # noqa: S101 - the groups hold finished runs alone
    return record.metrics.auroc
