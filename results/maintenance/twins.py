"""Records of one key that hold different numbers."""

from collections.abc import Iterable, Iterator

from results.metrics import STORED_METRICS
from results.record import Metrics, Record


def disagreements(held: Iterable[tuple[Record, str]]) -> Iterator[str]:
    """One sentence a key with finished records of other numbers; `held` are records, each with its location."""
    groups: dict[str, list[tuple[Record, str]]] = {}
    for record, location in held:
        if record.metrics is not None:
            groups.setdefault(record.key, []).append((record, location))
    for group in groups.values():
        # numbers are told at their last location: of several records the last counts
        locations = {metrics: location for record, location in group if (metrics := record.metrics)}
        if len(locations) > 1:
            ordered = sorted(locations.items(), key=lambda pair: pair[0] == group[-1][0].metrics)
            told = "; ".join(f"{_numbers(metrics)} {location}" for metrics, location in ordered)
            yield f"run {group[0][0].spec.name} has records of one key with other numbers: {told}"


def _numbers(metrics: Metrics) -> str:
    return ", ".join(f"{metric.title} {getattr(metrics, metric.id)!r}" for metric in STORED_METRICS)
