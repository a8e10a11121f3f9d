"""TensorBoard: a folder of events a fit, below `tensorboard` in the results folder."""

from collections.abc import Mapping
from typing import Any

from torch.utils.tensorboard import SummaryWriter


class TensorBoardTracker:
    """Curves of the numbers as they come, then the whole history, an epoch a step, and the AUC of each record."""

    def __init__(self) -> None:
        self._writers: dict[str, SummaryWriter] = {}

    def fit_started(self, fit: Any) -> None:
        self._writers[fit.key] = SummaryWriter(str(fit.results / "tensorboard" / fit.name))
        self._writers[fit.key].add_text(
            "params", "\n".join(f"- {name} = {value}" for name, value in fit.params.items())
        )

    def numbers(self, fit: Any, done: int, total: int, values: Mapping[str, float]) -> None:  # noqa: ARG002
        for name, value in values.items():
            self._writers[fit.key].add_scalar(f"live/{name}", value, done)

    def record_finished(self, fit: Any, record: Any) -> None:
        writer = self._writers[fit.key]
        for name, history in record.history.items():
            for epoch, value in enumerate(history, 1):
                writer.add_scalar(f"epoch/{name}", float("nan") if value is None else value, epoch)
        if record.metrics:
            writer.add_scalar("auroc", record.metrics.auroc, 0)
            writer.add_text("record", record.spec.name)

    def fit_finished(self, fit: Any, state: str) -> None:  # noqa: ARG002
        self._writers.pop(fit.key).close()
