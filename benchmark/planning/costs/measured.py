"""Measured costs of fits, kept in the cache of the machine that made them, one line of JSON a run."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from results.files import make_folder
from results.record import Record
from results.spec import FitSpec, digest

COSTS = "costs"
"""Folder of these files in the cache."""


class FitCost(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of one fit on `train` images and of scoring `test` images with it; the peak memory of its process in MiB.

    `run` is the key of its record. A fit that was stopped has none; its `fit_s` is what its own steps foretold of the
    whole. Of one that was calibrated, a few steps were measured on images of `calibrated_px` a side, and scaled.
    """

    run: str | None
    numerics_class: str
    train: int
    test: int
    fit_s: float
    score_s: float
    memory_mib: float
    calibrated_px: int | None = None


def cost_kind(spec: FitSpec, *, cpu: str, device: str, threads: int) -> str:
    """Digest of what a fit's cost depends on beside the images: detector, parameters, size, precision, machine."""
    machine = [cpu, device.partition(":")[0], threads]
    return digest([*machine, spec.detector, spec.params, spec.size, spec.resize, spec.precision])[:32]


def record_cost(record: Record) -> tuple[str, FitCost] | None:
    """Kind and cost of a finished run; None where its record does not tell them."""
    made_by, counts = record.provenance, record.counts
    if record.status != "done" or made_by is None or counts is None or "fit_s" not in record.timings:
        return None
    return cost_kind(record.spec.fit, cpu=made_by.cpu, device=made_by.device, threads=made_by.threads), FitCost(
        run=record.key,
        numerics_class=made_by.numerics_class,
        train=counts.train_normal + counts.train_anomaly,
        test=counts.test_normal + counts.test_anomaly,
        fit_s=record.timings["fit_s"],
        score_s=record.timings.get("score_s", 0.0),
        memory_mib=record.peak_memory_mib or 0.0,
    )


def keep_cost(cache: Path, kind: str, cost: FitCost) -> None:
    """Add a cost to those of its kind. No run is lost where that cannot be written."""
    with contextlib.suppress(OSError):
        make_folder(cache / COSTS)
        with _file(cache, kind).open("ab", buffering=0) as handle:
            handle.write(msgspec.json.encode(cost) + b"\n")


def kept_costs(cache: Path, kind: str) -> Iterator[FitCost]:
    """The costs of a kind, the oldest first; a line that is damaged is passed over."""
    try:
        lines = _file(cache, kind).read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        with contextlib.suppress(msgspec.DecodeError):
            yield msgspec.json.decode(line, type=FitCost)


def cost_files(cache: Path) -> list[Path]:
    """The files of costs, one a kind of fit, in the order of their names."""
    return sorted((cache / COSTS).glob("[!.]*.jsonl"))


def _file(cache: Path, kind: str) -> Path:
    return cache / COSTS / f"{kind}.jsonl"
