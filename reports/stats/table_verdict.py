"""Verdict on many cells together: their mean difference from the paper, and the scatter between cells beyond chance."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple

from reports.stats.kept import kept
from reports.stats.sample import Errors, t_quantile
from reports.stats.thresholds import FEWEST_CELLS, SCATTER_ALPHA, VERDICT_QUANTILE, rounding_tolerance

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

SCATTER_DRAWS = 2000

TableVerdictName = Literal["reproduced", "reproduced on average", "higher", "lower", "close", "inconclusive"]


class CellDifference(NamedTuple):
    """Measured minus published of a cell, with its squared errors. Cells of one `fit` share their errors."""

    difference: float
    errors: Errors
    fit: str | None = None


class Pooled(NamedTuple):
    """Mean difference D of `cells` cells, its standard error, and Satterthwaite's degrees of freedom."""

    cells: int
    difference: float
    standard_error: float
    freedom: float


@dataclass(frozen=True, slots=True)
class TableVerdict:
    """Verdict on a group of cells (design section 8), values in the unit of its table; None for a single cell.

    low, high: 90 % interval of the mean difference. tau: scatter of the true differences beyond chance, with its 90 %
    interval; None for a single cell. told_from_zero: no more than one table in twenty without such scatter shows it.
    """

    verdict: TableVerdictName | None
    pooled: Pooled
    low: float
    high: float
    margin: float
    tau: float | None = None
    tau_low: float | None = None
    tau_high: float | None = None
    told_from_zero: bool = False

    @property
    def is_small(self) -> bool:
        """True for too few cells to say much of their scatter: it stands in brackets."""
        return self.pooled.cells < FEWEST_CELLS


def pool(cells: Sequence[CellDifference]) -> Pooled:
    """The mean difference of at least one cell. Errors of cells that share a fit are added, not their squares."""
    clusters: dict[str | int, list[Errors]] = {}
    for number, cell in enumerate(cells):
        clusters.setdefault(number if cell.fit is None else cell.fit, []).append(cell.errors)
    total, weighted = 0.0, 0.0
    for errors in clusters.values():
        for part, freedom in (
            ([error.ours for error in errors], min(error.ours_freedom for error in errors)),
            ([error.theirs for error in errors], min(error.theirs_freedom for error in errors)),
        ):
            shared = sum(map(sqrt, part)) ** 2
            total += shared
            weighted += shared**2 / freedom
    mean = sum(cell.difference for cell in cells) / len(cells)
    return Pooled(len(cells), mean, sqrt(total) / len(cells), total**2 / weighted if weighted else inf)


def table_verdict(cells: Sequence[CellDifference], margin: float, draws: int = SCATTER_DRAWS) -> TableVerdict:
    """Judge at least one cell together; the interval of the scatter comes from `draws` seeded parametric draws."""
    pooled = pool(cells)
    half = t_quantile(pooled.freedom, VERDICT_QUANTILE) * pooled.standard_error if pooled.standard_error else 0.0
    low, high = pooled.difference - half, pooled.difference + half
    if len(cells) == 1:
        return TableVerdict(None, pooled, low, high, margin)
    tau, tau_low, tau_high, told = scatter_interval(tuple(cells), draws)
    uniform = tau <= margin + rounding_tolerance(margin, tau) or not told
    name = _verdict_name(pooled.difference, half, margin, uniform=uniform)
    return TableVerdict(name, pooled, low, high, margin, tau, tau_low if told else 0.0, tau_high, told)


@kept
def scatter_interval(cells: tuple[CellDifference, ...], draws: int) -> tuple[float, float, float, bool]:
    """Tau of at least two cells, its 90 % interval by seeded draws, and whether it is told from 0."""
    scatter = Scatter(cells)
    tau = scatter.tau
    chance = scatter.draws(0.0, draws)
    told = tau > 0 and float((chance >= tau).mean()) <= SCATTER_ALPHA
    made = scatter.draws(tau, draws)
    made.sort()
    low, high = (float(made[round(share * (draws - 1))]) for share in (0.05, 0.95))
    return tau, low, high, told


class Scatter:
    """Scatter of true differences beyond chance, by the unweighted method of moments; of at least two cells."""

    def __init__(self, cells: Sequence[CellDifference]) -> None:
        import numpy as np

        names = [str(number) if cell.fit is None else f"fit {cell.fit}" for number, cell in enumerate(cells)]
        order = {name: index for index, name in enumerate(dict.fromkeys(names))}
        # Cells of one fit stand side by side, so that a cluster is a range of columns.
        ordered = [cell for _, cell in sorted(zip(names, cells, strict=True), key=lambda pair: order[pair[0]])]
        self._sizes = np.bincount([order[name] for name in names])
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._differences = np.array([cell.difference for cell in ordered])
        errors = [cell.errors for cell in ordered]
        # Row 0 are our squared errors, row 1 the published ones.
        self._errors = np.array([[error.ours for error in errors], [error.theirs for error in errors]])
        freedoms = np.array([[error.ours_freedom for error in errors], [error.theirs_freedom for error in errors]])
        self._freedoms = freedoms[:, self._starts]

    @property
    def tau(self) -> float:
        return float(self._tau(self._differences, self._errors))

    def draws(self, scatter: float, number: int) -> "Floats":
        """Scatter of `number` tables made with this true scatter; the seed is a digest of the cells and the scatter."""
        import numpy as np

        inputs = (self._differences, self._errors.ravel(), self._freedoms.ravel(), self._sizes, [scatter, number])
        seed = int.from_bytes(hashlib.sha256(np.concatenate(inputs).tobytes()).digest()[:8], "big")
        generator = np.random.default_rng(seed)
        shape = (number, len(self._sizes))
        made = self._differences.mean() + scatter * generator.normal(size=(number, len(self._differences)))
        noisy = np.empty((2, *made.shape))
        for side, (errors, freedoms) in enumerate(zip(self._errors, self._freedoms, strict=True)):
            made += np.repeat(generator.normal(size=shape), self._sizes, axis=1) * np.sqrt(errors)
            exact = ~np.isfinite(freedoms)
            finite = np.where(exact, 1.0, freedoms)
            factors = generator.chisquare(finite, shape) / finite
            factors[:, exact] = 1.0
            noisy[side] = np.repeat(factors, self._sizes, axis=1) * errors
        return self._tau(made, noisy)

    def _tau(self, differences: "Floats", errors: "Floats") -> "Floats":
        """Over the last axis; `errors` has one more axis in front, for ours and the published ones."""
        import numpy as np

        cells = differences.shape[-1]
        of_clusters = np.add.reduceat(np.sqrt(errors), self._starts, axis=-1) ** 2
        of_mean = of_clusters.sum(axis=(0, -1)) / cells**2
        own = errors.sum(axis=0).mean(axis=-1)
        beyond = (differences**2).mean(-1) - differences.mean(-1) ** 2 - own + of_mean
        scatter: Floats = np.sqrt(np.maximum(0, cells / (cells - 1) * beyond))
        return scatter


def _verdict_name(difference: float, half: float, margin: float, *, uniform: bool) -> TableVerdictName:
    size, tolerance = abs(difference), rounding_tolerance(margin, difference)
    if size + half < margin - tolerance:
        return "reproduced" if uniform else "reproduced on average"
    if size <= half + tolerance:
        return "inconclusive"
    if size <= margin + tolerance:
        return "close"
    return "higher" if difference > 0 else "lower"
