"""MLflow: a run a fit in the experiment `swanbench`, on the server or in the folder that MLFLOW_TRACKING_URI names."""

from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient

EXPERIMENT = "swanbench"


class MLflowTracker:
    """Works with a client and ids of runs, so that several fits may be at work at the same time."""

    def __init__(self) -> None:
        self._client = MlflowClient()
        experiment = self._client.get_experiment_by_name(EXPERIMENT)
        self._experiment = experiment.experiment_id if experiment else self._client.create_experiment(EXPERIMENT)
        self._runs: dict[str, str] = {}

    def fit_started(self, fit: Any) -> None:
        run = self._client.create_run(self._experiment, run_name=fit.name).info.run_id
        self._runs[fit.key] = run
        for name, value in {"method": fit.method, "dataset": fit.dataset, "seed": fit.seed, **fit.params}.items():
            self._client.log_param(run, name, value)

    def numbers(self, fit: Any, done: int, total: int, values: Mapping[str, float]) -> None:  # noqa: ARG002
        for name, value in values.items():
            self._client.log_metric(self._runs[fit.key], f"live.{name}", value, step=done)

    def record_finished(self, fit: Any, record: Any) -> None:
        run = self._runs[fit.key]
        for name, history in record.history.items():
            for epoch, value in enumerate(history, 1):
                if value is not None:
                    self._client.log_metric(run, name, value, step=epoch)
        if record.metrics:
            self._client.log_metric(run, f"auroc.{record.key[:8]}", record.metrics.auroc)
        self._client.set_tag(run, f"record.{record.key[:8]}", record.spec.name)

    def fit_finished(self, fit: Any, state: str) -> None:
        self._client.set_terminated(self._runs.pop(fit.key), "FINISHED" if state == "done" else "FAILED")
