"""The importance estimator: scores of the base models foretold, and their weights in the outer loss (spec ahl 5)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.detector import FitContext
from methods.detectors.ahl.params import ImportanceParams
from methods.nn.data.samplers import NORMAL, PSEUDO, SEEN, Indices
from methods.nn.training.optimisers import new_adam

LAYERS = 2
DIRECTIONS = 2
SHARES = {NORMAL: 0.5, PSEUDO: 0.5, SEEN: 1.0}
"""Weight of each label in the released sum of squared errors (spec ahl 5.3)."""
States = tuple[Tensor, Tensor]


class ScoreEstimator(nn.Module):
    """Bidirectional LSTM of two layers over the last epochs' scores; linear layer on its newest output (spec ahl 5)."""

    def __init__(self, tasks: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(tasks, hidden, LAYERS, batch_first=True, bidirectional=True, dropout=dropout)
        self.fc = nn.Linear(DIRECTIONS * hidden, tasks)

    def forward(self, series: Tensor, states: States) -> Tensor:
        """Scores (n, K, T) of K epochs, oldest first, and initial states (4, n, hidden) -> foretold scores (n, T)."""
        outputs, _ = self.lstm(series, states)
        scores: Tensor = self.fc(F.relu(outputs[:, -1]))
        return scores


class Foretelling:
    """Trains an estimator, one Adam step a query set, and foretells scores by it; both on the processor."""

    def __init__(self, estimator: ScoreEstimator, params: ImportanceParams, context: FitContext) -> None:
        self.estimator = estimator
        self.optimiser = new_adam(estimator, lr=params.lr, weight_decay=params.weight_decay)
        self._params = params
        self._context = context

    def train(self, series: Tensor, scores: Tensor, sets: Sequence[Indices], epoch: int) -> Tensor:
        """Steps from `series` (K, n, T) to the `scores` (n, T) of this epoch on each set of rows; the mean loss."""
        self.estimator.train()
        losses = []
        for number, rows in enumerate(sets):
            with self._context.seeded("importance.dropout", epoch, 0, number):
                foretold = self._foretold(series[:, rows], "importance.states", epoch, 0, number)
            loss = F.mse_loss(foretold, scores[rows])
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            losses.append(loss.detach())
        return torch.stack(losses).mean()

    @torch.no_grad()
    def foretell(self, series: Tensor, sets: Sequence[Indices], epoch: int) -> list[Tensor]:
        """The scores (n, T) that follow on `series` (K, n, T), for each set of rows by itself."""
        self.estimator.train(self._params.mode == "train")
        foretold = []
        for number, rows in enumerate(sets):
            with self._context.seeded("importance.dropout", epoch, 1, number):
                foretold.append(self._foretold(series[:, rows], "importance.states", epoch, 1, number))
        return foretold

    def _foretold(self, series: Tensor, stream: str, *step: int) -> Tensor:
        states = self.initial_states(series.shape[1], stream, *step)
        scores: Tensor = self.estimator(series.transpose(0, 1).contiguous(), (states[0], states[1]))
        return scores

    def initial_states(self, count: int, stream: str, *step: int) -> Tensor:
        """Hidden and cell states (2, 4, n, hidden): zero, or uniform in [0, 1), new at each call (F11)."""
        like = next(self.estimator.parameters())
        shape = (2, LAYERS * DIRECTIONS, count, self.estimator.lstm.hidden_size)
        if self._params.state == "zero":
            return like.new_zeros(shape)
        return torch.rand(shape, generator=self._context.generator(stream, *step), dtype=like.dtype)


@dataclass(frozen=True)
class JudgedSamples:
    """Scored samples: labels (n,), the rows of each set in which the estimator sees them, and for each task the rows
    that are in its support set.
    """

    labels: Indices
    sets: tuple[Indices, ...]
    support: tuple[Indices, ...]

    def targets(self, anomaly: float) -> Tensor:
        """0 for normals, `anomaly` for both kinds of anomaly, (n,) float64."""
        return torch.from_numpy(self.labels != NORMAL).double() * anomaly


def double_mean_risk(foretold: Sequence[Tensor], labels: Sequence[Indices], anomaly: float) -> Tensor:
    """The released risk r (T,) of each base model: means over sets summed and divided by counts again (F11b).

    Args:
        foretold: scores (n, T) of each query set.
        labels: labels (n,) of each query set.
        anomaly: target of both kinds of anomaly.
    """
    risk = torch.zeros(foretold[0].shape[1], dtype=torch.float64)
    for label, share in SHARES.items():
        target = 0.0 if label == NORMAL else anomaly
        chosen = [
            (scores.double()[np.flatnonzero(of_set == label)] - target) ** 2
            for scores, of_set in zip(foretold, labels, strict=True)
        ]
        count = sum(map(len, chosen))
        if count:
            means = torch.stack([errors.mean(0) for errors in chosen if len(errors)]).sum(0)
            risk += share * means / count
    return risk


def eq6_risk(foretold: Tensor, samples: JudgedSamples, anomaly: float) -> Tensor:
    """The risk r (T,) of paper eq. 6 from foretold scores (n, T).

    Of base model i: the mean over all samples but the normals of its support set of c (s - y)^2, where c is 1 for an
    anomaly outside that set and else 0.5. Pseudo anomalies count as anomalies (H24).
    """
    errors = (foretold.double() - samples.targets(anomaly)[:, None]) ** 2
    is_normal = torch.from_numpy(samples.labels == NORMAL)
    risks = []
    for task, support in enumerate(samples.support):
        is_support = torch.zeros(len(samples.labels), dtype=torch.bool)
        is_support[torch.from_numpy(support)] = True
        weights = torch.where(is_normal | is_support, 0.5, 1.0).double() * ~(is_normal & is_support)
        count = int((~(is_normal & is_support)).sum())
        risks.append((weights * errors[:, task]).sum() / count)
    return torch.stack(risks)


def importance_weights(risk: Tensor) -> Tensor:
    """exp(-r) / sum exp(-r) over the base models, (T,) float64 (paper eq. 7)."""
    return torch.softmax(-risk, 0)
