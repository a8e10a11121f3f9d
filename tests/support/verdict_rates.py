"""Rates of verdicts and of the gate on simulated papers: the numbers of `docs/verdict_rates.md` and its pictures.

    PYTHONPATH=. python tests/support/verdict_rates.py docs      # about ten minutes; writes the page and docs/figures

Simulated papers: each leaf cell of DRA's Tables 1 and 2 keeps its printed std s_p as evidence of its true std sigma,
sigma^2 = (d0 s0^2 + 2 s_p^2) / chi^2(d0 + 2), with d0 and s0 of its method by the moments of Smyth (2004, section 6.2),
d0 at most 20 and sigma at most 0.25. The paper's three runs and our n come from N(mu, sigma^2) and
N(mu + difference, sigma^2). What is judged is judged by the product's functions.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from reports.layouts import layout
from reports.stats.families import family_tests
from reports.stats.sample import Errors
from reports.stats.table_verdict import CellDifference, pool, table_verdict
from reports.stats.thresholds import MARGIN, TOLD_QUANTILE, VERDICT_QUANTILE
from reports.stats.verdict import VERDICT_NAMES, verdict_masks

SEED = 20261129
PUBLISHED_RUNS = 3
HALF_UNIT = 0.0005
DIFFERENCES = (0.0, -0.01, -0.02, -0.05, -0.10)
NUMBERS_OF_RUNS = (3, 5, 10, 30)
SCATTERED = ((0.0, 0.0), (-0.01, 0.0), (-0.02, 0.0), (-0.03, 0.0), (-0.05, 0.0), (0.0, 0.02), (0.0, 0.05))
TABLE_WORDS = ("reproduced", "reproduced on average", "close", "higher", "lower", "inconclusive")


class PrintedStd(NamedTuple):
    """A leaf cell of a table and its printed std."""

    coordinates: dict[str, str]
    std: float


class Experiment(NamedTuple):
    """Differences and squared errors of ours and of the paper, each (cells, draws)."""

    difference: np.ndarray
    ours: np.ndarray
    theirs: np.ndarray


def leaf_cells(table: str) -> list[PrintedStd]:
    chosen = layout.auc_layout(table)
    printed = [(cell.coordinates, cell.value) for cell in chosen.published_cells if cell.coordinates in chosen.leaves]
    return [PrintedStd(dict(at), max(value.std, HALF_UNIT)) for at, value in printed if value and value.std is not None]


def prior(stds: np.ndarray) -> tuple[float, float]:
    """Degrees d0 and scale s0^2 of the true variances."""
    logs = np.log(stds**2) - special.digamma(1) + np.log(1)
    excess = logs.var(ddof=1) - special.polygamma(1, 1)
    if excess <= 0:
        return 20.0, float(np.exp(logs.mean()))
    d0 = 2 * optimize.brentq(lambda x: special.polygamma(1, x) - excess, 1e-4, 1e7)
    return min(d0, 20.0), float(np.exp(logs.mean() + special.digamma(d0 / 2) - np.log(d0 / 2)))


def true_stds(cells: Sequence[PrintedStd], draws: int, generator: np.random.Generator) -> np.ndarray:
    """Shape (cells, draws)."""
    by_method = defaultdict(list)
    for cell in cells:
        by_method[cell.coordinates["method"]].append(cell.std)
    priors = {method: prior(np.array(stds)) for method, stds in by_method.items()}
    d0, s0 = np.array([priors[cell.coordinates["method"]] for cell in cells]).T[:, :, None]
    stds = np.array([cell.std for cell in cells])[:, None]
    variances = (d0 * s0 + 2 * stds**2) / generator.chisquare(d0 + 2, (len(cells), draws))
    return np.minimum(np.sqrt(variances), 0.25)


def experiment(sigma: np.ndarray, n: int, difference, scatter: float, generator: np.random.Generator) -> Experiment:
    published = generator.normal(0, sigma / np.sqrt(PUBLISHED_RUNS))
    true = difference + scatter * generator.normal(size=sigma.shape)
    ours = true + generator.normal(0, sigma / np.sqrt(n))

    def error(runs: int) -> np.ndarray:
        variance = sigma**2 * generator.chisquare(runs - 1, sigma.shape) / (runs - 1)
        return np.maximum(variance, HALF_UNIT**2) / runs

    return Experiment(ours - published, error(n), error(PUBLISHED_RUNS))


def cell_shares(made: Experiment, n: int) -> dict[str, float]:
    """Share of each verdict."""
    a, b = made.ours, made.theirs
    freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (PUBLISHED_RUNS - 1))
    half = special.stdtrit(freedom, VERDICT_QUANTILE) * np.sqrt(a + b)
    told = special.stdtrit(n - 1, TOLD_QUANTILE) * np.sqrt(a * n * (1 / PUBLISHED_RUNS + 1 / n))
    return {name: float(mask.mean()) for name, mask in verdict_masks(made.difference, half, told, MARGIN).items()}


def cell_rates(table: str, draws: int = 100) -> dict[tuple[int, float], dict[str, float]]:
    """Shares of verdicts by n and true difference."""
    generator = np.random.default_rng(SEED)
    sigma = true_stds(rows := leaf_cells(table), draws, generator)
    assert rows
    return {
        (n, difference): cell_shares(experiment(sigma, n, difference, 0.0, generator), n)
        for n in NUMBERS_OF_RUNS
        for difference in DIFFERENCES
    }


def table_rates(draws: int = 1500, numbers: Sequence[int] = (3, 5, 10)) -> dict[tuple[int, float, float], Counter]:
    """Counts of verdicts on DRA's 30 ten-shot cells of Table 2; `told` counts tables whose scatter is told from 0."""
    generator = np.random.default_rng(SEED)
    rows = [
        cell for cell in leaf_cells("2") if (cell.coordinates["method"], cell.coordinates["shots"]) == ("dra", "10")
    ]
    rates = {}
    for n in numbers:
        for difference, scatter in SCATTERED:
            made = experiment(true_stds(rows, draws, generator), n, difference, scatter, generator)
            counts = Counter()
            for draw in range(draws):
                judged = table_verdict(differences(made, draw, n, range(len(rows))), MARGIN)
                counts[judged.verdict] += 1
                counts["told"] += judged.told_from_zero
            rates[n, difference, scatter] = counts
    return rates


def differences(made: Experiment, draw: int, n: int, chosen: Sequence[int]) -> list[CellDifference]:
    return [
        CellDifference(
            float(made.difference[cell, draw]),
            Errors(float(made.ours[cell, draw]), n - 1.0, float(made.theirs[cell, draw]), PUBLISHED_RUNS - 1.0),
        )
        for cell in chosen
    ]


def gate_rates(draws: int = 1000, numbers: Sequence[int] = (3, 5, 10), demanded: float = 0.05) -> dict:
    """Counts of exit statuses of `check --see` on Table 2 by n and true drop, and without --see under `alarm`."""
    generator = np.random.default_rng(SEED)
    rows = leaf_cells("2")
    method = np.array([cell.coordinates["method"] for cell in rows])
    dataset = np.array([cell.coordinates["dataset"] for cell in rows])
    groups = [np.flatnonzero(method == name) for name in dict.fromkeys(method)]
    pairs = [
        np.flatnonzero((method == a) & (dataset == b)) for a in dict.fromkeys(method) for b in dict.fromkeys(dataset)
    ]
    members = [groups, [pair for pair in pairs if len(pair) > 1], [np.array([index]) for index in range(len(rows))]]
    rates = {}
    for n in numbers:
        for name, drop in drops(method, dataset).items():
            made = experiment(true_stds(rows, draws, generator), n, drop[:, None], 0.0, generator)
            counts = Counter()
            for draw in range(draws):
                cells = differences(made, draw, n, range(len(rows)))
                families = [[pool([cells[index] for index in member]) for member in family] for family in members]
                tested = family_tests(families, MARGIN)
                alarm = any(test.regressed for family in tested for test in family)
                counts["alarm"] += alarm
                counts[3 if alarm else 4 if any(test.sees > demanded for test in tested[0]) else 0] += 1
            rates[n, name] = counts
    return rates


def drops(method: np.ndarray, dataset: np.ndarray) -> dict[str, np.ndarray]:
    """True differences by name, one a cell."""
    dra = method == "dra"
    first = np.arange(len(method)) == np.flatnonzero(dra)[3]
    return {
        "none": 0.0 * dra,
        "0.02 in every cell of DRA": -0.02 * dra,
        "0.05 in every cell of DRA": -0.05 * dra,
        "0.10 in every cell of DRA": -0.10 * dra,
        "0.02 in every cell": np.full(len(method), -0.02),
        "0.05 in every cell": np.full(len(method), -0.05),
        "0.10 of DRA in carpet": -0.10 * (dra & (dataset == "carpet")),
        "0.10 of DRA in ELPV": -0.10 * (dra & (dataset == "elpv")),
        "0.10 in one cell": -0.10 * first,
        "0.30 in one cell": -0.30 * first,
    }


def percent(share: float) -> str:
    return f"{100 * share:.0f}"


def cell_table(table: str, rates: dict) -> str:
    lines = [
        f"| n | true difference | {' | '.join(VERDICT_NAMES)} |",
        f"|---|---|{'---|' * len(VERDICT_NAMES)}",
    ]
    for (n, difference), shares in rates.items():
        lines.append(f"| {n} | {difference:+z.2f} | {' | '.join(percent(shares[name]) for name in VERDICT_NAMES)} |")
    return "\n".join(lines)


def scatter_table(rates: dict) -> str:
    lines = [
        f"| n | true difference | true scatter | {' | '.join(TABLE_WORDS)} | scatter told |",
        f"|---|---|---|{'---|' * (len(TABLE_WORDS) + 1)}",
    ]
    for (n, difference, scatter), counts in rates.items():
        draws = sum(counts[word] for word in TABLE_WORDS)
        shares = [percent(counts[word] / draws) for word in (*TABLE_WORDS, "told")]
        lines.append(f"| {n} | {difference:+z.2f} | {scatter:.2f} | {' | '.join(shares)} |")
    return "\n".join(lines)


def gate_table(rates: dict) -> str:
    lines = [
        "| n | true drop | exit 3 | with `--see 0.05`: exit 0 | exit 3 | exit 4 |",
        "|---|---|---|---|---|---|",
    ]
    for (n, name), counts in rates.items():
        draws = counts[0] + counts[3] + counts[4]
        shares = [percent(counts[status] / draws) for status in ("alarm", 0, 3, 4)]
        lines.append(f"| {n} | {name} | {' | '.join(shares)} |")
    return "\n".join(lines)


PAGE = """# How often each verdict comes

Simulated tables, judged by the functions that judge real ones. Every number is a share in percent, made by
`tests/support/verdict_rates.py` from seed {seed}. A simulated paper has the cells of DRA's Tables 1 and 2 and three runs of each; a
printed std is evidence of the true one (see the script for its prior). *n* is the number of our runs, each on a split of its own.

## Cells of Table 2 ({draws_cells} papers)

{cells_2}

![Shares of verdicts by true difference and number of runs](figures/cell_rates.svg)

## Cells of Table 1

{cells_1}

## A method in a table: DRA's 30 ten-shot cells of Table 2 ({draws_tables} tables each)

True differences scatter between cells with the named std. *Scatter told*: tau is told from 0.

{tables}

## The gate on Table 2 ({draws_gate} tables each)

{gate}

![Share of tables that raise the alarm](figures/gate_rates.svg)
"""


def main(folder: Path, draws_cells: int = 100, draws_tables: int = 1500, draws_gate: int = 1000) -> None:
    """Write the page `verdict_rates.md` and its pictures into a folder of pages."""
    import verdict_pictures

    cells = {table: cell_rates(table, draws_cells) for table in ("1", "2")}
    gate = gate_rates(draws_gate)
    page = PAGE.format(
        seed=SEED,
        draws_cells=draws_cells,
        draws_tables=draws_tables,
        draws_gate=f"{draws_gate:,}",
        cells_1=cell_table("1", cells["1"]),
        cells_2=cell_table("2", cells["2"]),
        tables=scatter_table(table_rates(draws_tables)),
        gate=gate_table(gate),
    )
    (folder / "verdict_rates.md").write_text(page, encoding="utf-8")
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    for name, picture in verdict_pictures.pictures(cells["2"], gate).items():
        (figures / f"{name}.svg").write_bytes(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
