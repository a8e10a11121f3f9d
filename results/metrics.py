"""AUROC and average precision from scores, in numpy alone: the second opinion on what a record says."""

import numpy as np

from results.record import Metrics
from results.scores import Scores


def recomputed(scores: Scores) -> Metrics:
    """The metrics of the scores: anomalies are the positive class, ties count one half.

    AUROC is the share of pairs of an anomaly and a normal image in which the anomaly has the higher score; average
    precision the mean, over the anomalies, of the precision at their score.
    There must be some of each.
    """
    is_anomaly = scores.labels.astype(bool)
    steps, place = np.unique(scores.values, return_inverse=True)
    anomalies, normals = (np.bincount(place[of], minlength=len(steps)) for of in (is_anomaly, ~is_anomaly))
    n_anomalies, n_normals = int(anomalies.sum()), int(normals.sum())
    lower = np.cumsum(normals) - normals
    pairs = (anomalies * (lower + normals / 2)).sum()
    found, passed = (np.cumsum(counts[::-1])[::-1] for counts in (anomalies, normals))
    return Metrics(
        auroc=float(pairs / (n_anomalies * n_normals)),
        average_precision=float((anomalies * found / (found + passed)).sum() / n_anomalies),
    )
