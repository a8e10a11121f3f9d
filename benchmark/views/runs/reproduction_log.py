"""Reproduction log: the runs of bundles counted by cell, as a page of the documentation prints them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean
from typing import NamedTuple

from protocols.text import plural
from reports.layouts.cell_ids import run_cell_id
from reports.text import escape_markdown, pipe_table
from results.maintenance.bundles import Bundle, machine_name
from results.record import Record, decode_record

_CELL_HEADING = (
    "cell",
    "runs",
    "made by",
    "AUC: mean (lowest to highest)",
    "same run again",
)
_BUNDLE_HEADING = ("bundle", "by", "runs", "machines", "SHA-256")


class _LoggedRun(NamedTuple):
    """A run that somebody attested; a person is the same whatever the case of the letters."""

    record: Record
    auroc: float
    person: str
    machine: str


def _logged_runs(bundle: Bundle) -> Iterator[_LoggedRun]:
    """The runs of a bundle, believed: it was verified when it was accepted."""
    person = " ".join(bundle.attestation.by.split()).casefold()
    for run in bundle.attestation.runs:
        record = decode_record(bundle.record_data(run))
        yield _LoggedRun(record, run.auroc, person, machine_name(record))


def log_page(bundles: Sequence[Bundle]) -> str:
    """Markdown of a sentence on all runs, of a table with a row a cell, and of one with a row a bundle."""
    by_cell: dict[str, list[_LoggedRun]] = defaultdict(list)
    for run in (run for bundle in bundles for run in _logged_runs(bundle)):
        by_cell[run_cell_id(run.record, run.record.spec.method)].append(run)
    everything = [run for runs in by_cell.values() for run in runs]
    cells = pipe_table(_CELL_HEADING, [_cell_row(name, runs) for name, runs in sorted(by_cell.items())])
    counts = f"{plural(len(everything), 'run')} of {plural(len(by_cell), 'cell')} {_makers(everything)}."
    return f"{counts}\n\n{cells}\n\n{pipe_table(_BUNDLE_HEADING, [_bundle_row(bundle) for bundle in bundles])}\n"


def _makers(runs: Iterable[_LoggedRun]) -> str:
    """`by 2 people on 3 machines`; machines of one model count once a person."""
    machines = {(run.person, run.machine) for run in runs}
    people = {person for person, _ in machines}
    return f"by {plural(len(people), 'person', 'people')} on {plural(len(machines), 'machine')}"


def _cell_row(name: str, runs: Sequence[_LoggedRun]) -> list[str]:
    by_series: dict[str, list[_LoggedRun]] = defaultdict(list)
    for run in runs:
        by_series[run.record.series].append(run)
    series = "; ".join(sorted(_series_text(runs) for runs in by_series.values()))
    return [f"`{name}`", str(len(runs)), _makers(runs), series, _repeat_text(runs)]


def _series_text(runs: Sequence[_LoggedRun]) -> str:
    """AUC of the runs of a series, one made several times as their mean, and what the runs have in common."""
    values = [fmean(group) for group in _by_key(runs)]
    spec, provenance = runs[0].record.spec, runs[0].record.provenance
    weights = [f"{arch} {label}" for arch, label in provenance.weights.items()] if provenance else []
    numerics = {run.record.provenance.numerics_class for run in runs if run.record.provenance}
    mixed = [f"{len(numerics)} numerics classes"] if len(numerics) > 1 else []
    setting = escape_markdown(", ".join([spec.recipe, spec.fit.precision, *weights, *spec.deviations, *mixed]))
    spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
    return f"{fmean(values):.3f}{spread} of {plural(len(values), 'run')}, {setting}"


def _repeat_text(runs: Sequence[_LoggedRun]) -> str:
    """The number of runs that were made several times, and how far their AUCs are apart."""
    apart = [max(group) - min(group) for group in _by_key(runs) if len(group) > 1]
    return f"{plural(len(apart), 'run')}, at most {max(apart):.3f} apart" if apart else "–"


def _by_key(runs: Sequence[_LoggedRun]) -> list[list[float]]:
    by_key: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        by_key[run.record.key].append(run.auroc)
    return list(by_key.values())


def _bundle_row(bundle: Bundle) -> list[str]:
    attestation = bundle.attestation
    by, machines = escape_markdown(attestation.by), escape_markdown(", ".join(attestation.machines))
    return [f"`{bundle.origin}`", by, str(len(attestation.runs)), machines, f"`{bundle.digest}`"]
