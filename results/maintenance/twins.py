"""Records of one key: they should hold the same numbers, and where they do not, a person must know."""

from collections.abc import Iterable, Iterator

from results.metrics import STORED_METRICS
from results.record import Metrics, Record


def disagreements(held: Iterable[tuple[Record, str]]) -> Iterator[str]:
    """One sentence a key with finished records of other numbers; `held` are records, each with where it was found."""
    groups: dict[str, list[tuple[Record, str]]] = {}
    for record, place in held:
        if record.metrics is not None:
            groups.setdefault(record.key, []).append((record, place))
    for group in groups.values():
        # a number is told at the last place that has it: of several records the last counts
        places = {metrics: place for record, place in group if (metrics := record.metrics)}
        if len(places) > 1:
            ordered = sorted(places.items(), key=lambda one: one[0] == group[-1][0].metrics)
            told = "; ".join(f"{_numbers(metrics)} {place}" for metrics, place in ordered)
            yield f"run {group[0][0].spec.name} has records of one key with other numbers: {told}"


def _numbers(metrics: Metrics) -> str:
    return ", ".join(f"{metric.title} {getattr(metrics, metric.id)!r}" for metric in STORED_METRICS)
