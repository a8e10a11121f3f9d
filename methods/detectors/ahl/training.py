"""Collaborative differentiable learning: the epochs of AHL, one task a training step (spec ahl 4)."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from methods.detector import FitContext
from methods.detectors.ahl.adaptation import (
    BaseModel,
    BatchLoss,
    MapBatch,
    adapted,
    flattened,
    query_gradient,
    shaped,
)
from methods.detectors.ahl.batches import MeanMaps, SetRows, SetSampler, map_batch
from methods.detectors.ahl.features import MapTable
from methods.detectors.ahl.heads import AHLHeads
from methods.detectors.ahl.importance import (
    Foretelling,
    JudgedSamples,
    ScoreEstimator,
    double_mean_risk,
    eq6_risk,
    importance_weights,
)
from methods.detectors.ahl.params import AHLParams
from methods.detectors.ahl.tasks import MetaTask
from methods.detectors.dra.detector import LevelMaps
from methods.nn.data.samplers import Indices
from methods.nn.training.loop import Optimisers
from methods.nn.training.losses import Criterion
from methods.nn.training.optimisers import new_adam

SCORED = 256
"""Stored maps that are scored at a time."""


class CollaborativeState(nn.Module):
    """Everything that a checkpoint holds but moments of optimisers.

    Heads, estimator, each task's outer gradient (T, P) of the epoch at work, the gradient (P,) that waits for its step
    (P: values of the learned parameters),
    scores (n, T) of this epoch and (K, n, T) of those before, oldest first.
    """

    def __init__(
        self, heads: AHLHeads, estimator: ScoreEstimator | None, tasks: int, samples: int, length: int
    ) -> None:
        super().__init__()
        self.heads = heads
        self.estimator = estimator
        like = flattened(heads.learned().values())
        self.task_gradients: Tensor
        self.register_buffer("task_gradients", like.new_zeros(tasks, len(like)))
        self.pending: Tensor
        self.register_buffer("pending", like.new_zeros(len(like)))
        dtype = like.dtype if estimator is None else next(estimator.parameters()).dtype
        self.scores: Tensor
        self.register_buffer("scores", torch.zeros(samples, tasks, dtype=dtype))
        self.series: Tensor
        self.register_buffer("series", torch.zeros(length, samples, tasks, dtype=dtype))


class CollaborativeTraining:
    """The steps of a fit: each adapts one task's base model and takes its query loss, the last of an epoch the rest."""

    def __init__(
        self,
        heads: AHLHeads,
        table: MapTable,
        tasks: Sequence[MetaTask],
        params: AHLParams,
        context: FitContext,
    ) -> None:
        self._table = table
        self._params = params
        self._context = context
        self._sets = [(SetRows(task.support, table), SetRows(task.query, table)) for task in tasks]
        self.references = MeanMaps(table, params.reference, context) if heads.reads_references else None
        self.rows, self.samples = judged_samples(self._sets, table, params.importance.data)
        self._foretelling = self._new_foretelling()
        estimator = self._foretelling.estimator if self._foretelling else None
        count = len(self.rows) if self._foretelling else 0
        self.state = CollaborativeState(heads, estimator, len(tasks), count, params.importance.length)
        self.loss = BatchLoss(heads, Criterion(params.loss.score_loss, params.loss.unused_focal, context))
        self._optimiser = new_adam(heads, lr=params.outer.lr, weight_decay=params.outer.weight_decay)

    def _new_foretelling(self) -> Foretelling | None:
        importance, tasks = self._params.importance, len(self._sets)
        if importance.kind == "none":
            return None
        with self._context.seeded("importance"):
            estimator = ScoreEstimator(tasks, importance.hidden or tasks, importance.dropout)
        return Foretelling(estimator, importance, self._context)

    @property
    def tasks(self) -> int:
        """Tasks, which are the steps of an epoch."""
        return len(self._sets)

    @property
    def optimisers(self) -> Optimisers:
        optimisers: Optimisers = {"outer": self._optimiser}
        return {**optimisers, "estimator": self._foretelling.optimiser} if self._foretelling else optimisers

    def train_step(self, step: int) -> Mapping[str, Tensor]:
        """One task of an epoch; its losses by name."""
        epoch, task = divmod(step, self.tasks)
        is_late = self._params.outer.when == "next_epoch_start"
        if is_late and task == 0 and epoch:
            self._outer_step(epoch)
        losses = self._learn_task(epoch, task)
        if task == self.tasks - 1:
            losses |= self._close_epoch(epoch)
            if not is_late:
                self._outer_step(epoch)
        return losses

    def _learn_task(self, epoch: int, task: int) -> dict[str, Tensor]:
        steps, passes = self._params.budget_steps, self._params.inner.passes
        support, query = (self._batches(epoch, task, side) for side in (0, 1))
        model = adapted(self.state.heads.learned().values(), support, steps, self.loss, self._params.inner)
        # The released loop draws query batches after each pass and uses the last ones.
        last_pass = range((passes - 1) * steps, passes * steps)
        gradient, query_loss = query_gradient(model, map(query, last_pass), self.loss)
        self.state.task_gradients[task] = flattened(model.outer_gradient(gradient))
        if self._foretelling:
            self.state.scores[:, task] = self.base_scores(model, epoch, task).to(self.state.scores)
        return {"loss": query_loss / steps, "inner_first": model.first_loss, "inner_last": model.last_loss}

    def _batches(self, epoch: int, task: int, side: int) -> Callable[[int], MapBatch]:
        """The batches of a support (0) or query (1) set in one epoch, by their index."""
        size = self._params.batch_size
        sampler = SetSampler(self._sets[task][side], size, f"batch.e{epoch}.t{task}.{side}", self._context)
        first = ((epoch * self.tasks + task) * 2 + side) * self._params.inner.passes * self._params.budget_steps

        def batch(index: int) -> MapBatch:
            rows, labels = sampler.draw(index)
            number = first + index
            references = self._mean_maps("batch", number)
            return map_batch(self._table, rows, labels, references, number)

        return batch

    def _mean_maps(self, stream: str, number: int) -> LevelMaps | None:
        return self.references.for_batch(stream, number) if self.references else None

    @torch.no_grad()
    def base_scores(self, model: BaseModel, epoch: int, task: int) -> Tensor:
        """Scores (n,) float64 of all judged samples under a base model, by the statistics of the heads (H18)."""
        heads = self.state.heads
        named = dict(zip(heads.learned(), model.parameters, strict=True))
        heads.eval()
        parts = []
        for rows, number in self._scored_parts(epoch, task):
            references = self._mean_maps("scores", number)
            scores = functional_call(heads, named, (self._table.take(rows), references))
            parts.append(heads.total(scores).cpu())
        heads.train()
        return torch.cat(parts)

    def _scored_parts(self, epoch: int, task: int) -> list[tuple[Indices, int]]:
        """Rows that are scored together, with the number of their references: one draw a query set and base model."""
        number = (epoch * self.tasks + task) * (self.tasks + 1)
        by_set = self._params.importance.data == "query_sets"
        sets = [query.rows for _, query in self._sets] if by_set else [self.rows]
        return [
            (rows[start : start + SCORED], number + position)
            for position, rows in enumerate(sets)
            for start in range(0, len(rows), SCORED)
        ]

    def _close_epoch(self, epoch: int) -> dict[str, Tensor]:
        """Factors of the tasks, the estimator's step where there is one, and the gradient for the outer step."""
        device = self.state.pending.device
        factors = torch.full((self.tasks,), 1 / self.tasks, dtype=torch.float64)
        numbers: dict[str, Tensor] = {}
        if self._foretelling:
            weights, numbers = self._importance(epoch, self._foretelling)
            if weights is not None:
                floor = self._params.importance.floor
                factors = floor + (1 - floor) * weights
                numbers |= {"factor_min": factors.min(), "factor_max": factors.max()}
        self.state.pending.copy_(factors.to(self.state.pending) @ self.state.task_gradients)
        numbers["gradient_norm"] = self.state.pending.norm()
        return {name: value.detach().to(device, self.state.pending.dtype) for name, value in numbers.items()}

    def _importance(self, epoch: int, foretelling: Foretelling) -> tuple[Tensor | None, dict[str, Tensor]]:
        """Weights of the base models, where they are due, and the estimator's loss; this epoch joins the series."""
        importance, state, sets = self._params.importance, self.state, self.samples.sets
        is_due, weights = epoch >= importance.start, None
        numbers: dict[str, Tensor] = {}
        if is_due and importance.predict == "before_training":
            weights = self._weights(foretelling, epoch)
        if epoch >= importance.length:
            numbers["estimator"] = foretelling.train(state.series, state.scores, sets, epoch)
        if is_due and importance.predict == "after_training":
            weights = self._weights(foretelling, epoch)
        if epoch < importance.length:
            state.series[epoch] = state.scores
        else:
            state.series.copy_(torch.cat([state.series[1:], state.scores[None]]))
        return weights, numbers

    def _weights(self, foretelling: Foretelling, epoch: int) -> Tensor:
        importance, samples = self._params.importance, self.samples
        anomaly = 1.0 if importance.target == "label" else self._params.loss.margin
        if importance.reduction == "double":
            foretold = foretelling.foretell(self.state.series, samples.sets, epoch)
            return importance_weights(
                double_mean_risk(foretold, [samples.labels[rows] for rows in samples.sets], anomaly)
            )
        (foretold_all,) = foretelling.foretell(self.state.series, [np.arange(len(samples.labels))], epoch)
        return importance_weights(eq6_risk(foretold_all, samples, anomaly))

    def _outer_step(self, epoch: int) -> None:
        """Clip the waiting gradient and move the unified parameters by Adam, at the rate of `epoch`.

        Parameters whose gradient is 0 shrink by weight decay.
        """
        gradients = shaped(self.state.pending, self.state.heads.learned())
        named = dict(self.state.heads.named_parameters())
        for name, value in named.items():
            value.grad = gradients[name] if name in gradients else torch.zeros_like(value)
        for group in self._optimiser.param_groups:
            group["lr"] = self._params.outer.rate(epoch)
        if self._params.outer.clip_norm is not None:
            nn.utils.clip_grad_norm_(named.values(), self._params.outer.clip_norm)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)


def judged_samples(
    sets: Sequence[tuple[SetRows, SetRows]], table: MapTable, data: str
) -> tuple[Indices, JudgedSamples]:
    """The rows of a table whose scores the estimator learns from, and what it knows of them (H23).

    "query_sets": the images of each query set, one as often as it is in one. "training_set": each normal, seen and
    pseudo anomaly once; the estimator takes its steps on those of each query set.
    """
    if data == "query_sets":
        rows = np.concatenate([query.rows for _, query in sets])
        labels = np.concatenate([query.labels for _, query in sets])
        ends = np.cumsum([len(query.rows) for _, query in sets])
        parts = tuple(np.arange(end - len(query.rows), end) for end, (_, query) in zip(ends, sets, strict=True))
    else:
        rows = np.arange(len(table))
        labels = table.labels
        parts = tuple(query.rows for _, query in sets)
    support = tuple(np.flatnonzero(np.isin(rows, part.rows)) for part, _ in sets)
    return rows, JudgedSamples(labels, parts, support)
