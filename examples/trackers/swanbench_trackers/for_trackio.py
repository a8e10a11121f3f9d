"""Trackio: a run a fit in the project `swanbench`, in a database on this machine (`trackio show`)."""

from collections.abc import Mapping
from typing import Any

import trackio

PROJECT = "swanbench"


class TrackioTracker:
    """Several fits may be at work at the same time, each a run of its own."""

    def __init__(self) -> None:
        self._runs: dict[str, Any] = {}

    def fit_started(self, fit: Any) -> None:
        config = {"method": fit.method, "dataset": fit.dataset, "seed": fit.seed, **fit.params}
        self._runs[fit.key] = trackio.init(project=PROJECT, name=fit.name, config=config)

    def numbers(self, fit: Any, done: int, total: int, values: Mapping[str, float]) -> None:  # noqa: ARG002
        self._runs[fit.key].log({f"live/{name}": value for name, value in values.items()}, step=done)

    def record_finished(self, fit: Any, record: Any) -> None:
        run = self._runs[fit.key]
        for epoch, numbers in enumerate(zip(*record.history.values(), strict=False), 1):
            run.log(dict(zip(record.history, numbers, strict=True)), step=epoch)
        if record.metrics:
            run.log({f"auroc/{record.spec.name}": record.metrics.auroc})

    def fit_finished(self, fit: Any, state: str) -> None:  # noqa: ARG002
        self._runs.pop(fit.key).finish()
