"""Rates of verdicts where seeds are added after a look: the tables of `docs/settling.md`.

    PYTHONPATH=. python tests/support/settling_rates.py      # some minutes; writes the tables of the page

Simulated papers as in `verdict_rates.py`: the leaf cells of DRA's Table 2, three published runs, ours one after
another. A look judges all runs that a cell has by the product's table of verdicts.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from repository import ROOT
from scipy import special
from verdict_rates import HALF_UNIT, PUBLISHED_RUNS, SEED, leaf_cells, true_stds

from benchmark.planning.costs.budget import Offer, Step, choose_steps
from reports.stats.expected import decision_chances, spread_guess
from reports.stats.sample import Sample
from reports.stats.thresholds import MARGIN, TOLD_QUANTILE, VERDICT_QUANTILE
from reports.stats.verdict import VERDICT_NAMES, verdict_masks

DIFFERENCES = (0.0, -0.01, -0.02, -0.03, -0.05, -0.10)
FIRST, MOST = 3, 10
"""Seeds before the first look, and in all."""
ADDED = (1, 3, 7)
BY_CHOICE = {"half of the time": 0.5, "a quarter of the time": 0.25}
"""Shares of the machine time that seven more seeds of every cell would take."""


class Papers(NamedTuple):
    """Simulated papers: published means and stds, and runs of ours, each (cells, draws) and (cells, draws, runs)."""

    means: np.ndarray
    stds: np.ndarray
    runs: np.ndarray


def papers(difference: float, draws: int) -> Papers:
    generator = np.random.default_rng([SEED, round(1000 * abs(difference))])
    sigma = true_stds(leaf_cells("2"), draws, generator)
    published = generator.normal(0.0, sigma[..., None], (*sigma.shape, PUBLISHED_RUNS))
    ours = generator.normal(difference, sigma[..., None], (*sigma.shape, MOST))
    return Papers(published.mean(-1), np.maximum(published.std(-1, ddof=1), HALF_UNIT), ours)


def verdicts(made: Papers, runs: int) -> np.ndarray:
    """Numbers of the verdicts, as `VERDICT_NAMES` has them, of the first `runs` of ours: (cells, draws)."""
    ours = made.runs[..., :runs]
    a = np.maximum(ours.var(-1, ddof=1), HALF_UNIT**2) / runs
    b = made.stds**2 / PUBLISHED_RUNS
    freedom = (a + b) ** 2 / (a**2 / (runs - 1) + b**2 / (PUBLISHED_RUNS - 1))
    half = special.stdtrit(freedom, VERDICT_QUANTILE) * np.sqrt(a + b)
    told = special.stdtrit(runs - 1, TOLD_QUANTILE) * np.sqrt(a * runs * (1 / PUBLISHED_RUNS + 1 / runs))
    masks = verdict_masks(ours.mean(-1) - made.means, half, told, MARGIN)
    return np.select([masks[name] for name in VERDICT_NAMES], list(range(len(VERDICT_NAMES))))


OPEN = VERDICT_NAMES.index("inconclusive")


def fixed(made: Papers, runs: int) -> tuple[np.ndarray, np.ndarray]:
    """Verdicts of so many seeds that were declared before the first run, and the seeds."""
    return verdicts(made, runs), np.full(made.means.shape, runs)


def one_look(made: Papers) -> tuple[np.ndarray, np.ndarray]:
    """Inconclusive cells of three seeds get seven more, and are judged once again."""
    first = verdicts(made, FIRST)
    return np.where(first == OPEN, verdicts(made, MOST), first), np.where(first == OPEN, MOST, FIRST)


def every_look(made: Papers) -> tuple[np.ndarray, np.ndarray]:
    """A look after every seed from the third one on; a cell stops at its first verdict."""
    words, seeds = verdicts(made, FIRST), np.full(made.means.shape, FIRST)
    for runs in range(FIRST + 1, MOST + 1):
        is_open = words == OPEN
        words = np.where(is_open, verdicts(made, runs), words)
        seeds = np.where(is_open, runs, seeds)
    return words, seeds


def chosen(made: Papers, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Inconclusive cells of three seeds get those that `--settle --budget` chooses, of equal cost, in each draw."""
    words, seeds = verdicts(made, FIRST), np.full(made.means.shape, FIRST)
    by_seeds = {runs: verdicts(made, runs) for runs in range(FIRST + 1, MOST + 1)}
    cells, draws = made.means.shape
    for draw in range(draws):
        offers = [offer for cell in range(cells) if words[cell, draw] == OPEN and (offer := _offer(made, cell, draw))]
        taken = choose_steps(offers, seconds=share * cells * (MOST - FIRST), longest=1.0)
        for cell, number in taken.items():
            seeds[cell, draw] += number
            words[cell, draw] = by_seeds[FIRST + number][cell, draw]
    return words, seeds


def _offer(made: Papers, cell: int, draw: int) -> Offer:
    runs = made.runs[cell, draw, :FIRST]
    ours = Sample(float(runs.mean()), max(float(runs.std(ddof=1)), HALF_UNIT), FIRST)
    theirs = Sample(float(made.means[cell, draw]), float(made.stds[cell, draw]), PUBLISHED_RUNS)
    numbers = tuple(range(1, MOST - FIRST + 1))
    spread = spread_guess(theirs, ours)
    assert spread is not None
    chances = decision_chances(theirs, ours, spread, MARGIN, HALF_UNIT, numbers, 300)
    return Offer(cell, tuple(Step(1.0, 1.0, chance) for chance in chances))


WAYS = {
    "three seeds, declared": partial(fixed, runs=FIRST),
    "ten seeds, declared": partial(fixed, runs=MOST),
    "one look at three, open cells to ten": one_look,
    "a look after every seed from three to ten": every_look,
}


def rates(
    ways=WAYS, differences: Sequence[float] = DIFFERENCES, draws: int = 400
) -> dict[tuple[str, float], dict[str, float]]:
    """Shares of verdicts in percent by way and true difference; `seeds`: mean number of a cell."""
    shares = {}
    for difference in differences:
        made = papers(difference, draws)
        for name, way in ways.items():
            words, seeds = way(made)
            counts = Counter(words.ravel().tolist())
            shares[name, difference] = {
                word: 100 * counts[number] / words.size for number, word in enumerate(VERDICT_NAMES)
            } | {"seeds": float(seeds.mean())}
    return shares


def choice_rates(draws: int = 12) -> dict[tuple[str, float], dict[str, float]]:
    ways = {f"--settle with {name}": partial(chosen, share=share) for name, share in BY_CHOICE.items()}
    return rates(ways, (0.0, -0.02, -0.05), draws)


def foretold(difference: float, draws: int = 3) -> dict[int, tuple[float, float]]:
    """By seeds added to the inconclusive cells of three: the mean chance that is foretold, and the share decided."""
    made = papers(difference, 400)
    first = verdicts(made, FIRST)
    places = [(cell, draw) for draw in range(draws) for cell in range(len(first)) if first[cell, draw] == OPEN]
    chances = {place: [step.value for step in _offer(made, *place).steps] for place in places}
    shares = {}
    for number in ADDED:
        words = verdicts(made, FIRST + number)
        decided = [float(words[place] != OPEN) for place in places]
        shares[number] = float(np.mean([chances[place][number - 1] for place in places])), float(np.mean(decided))
    return shares


def foretold_table(draws: int = 3) -> str:
    lines = ["| true difference | seeds added | foretold | decided |", "|---|---|---|---|"]
    for difference in (0.0, -0.05):
        for number, (chance, share) in foretold(difference, draws).items():
            lines.append(f"| {difference:+.2f} | {number} | {100 * chance:.0f} | {100 * share:.0f} |")
    return "\n".join(lines)


def table(shares: dict[tuple[str, float], dict[str, float]]) -> str:
    """The rates as a Markdown table."""
    head = ("seeds of a cell", "true difference", "mean n", *VERDICT_NAMES)
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for (way, difference), row in sorted(shares.items(), key=lambda item: -item[0][1]):
        numbers = [f"{row[word]:.1f}" for word in VERDICT_NAMES]
        mean = f"{row['seeds']:.1f}"
        lines.append(f"| {' | '.join([way, f'{difference:+.2f}', mean, *numbers])} |")
    return "\n".join(lines)


PAGE = ROOT / "docs" / "settling.md"
FORETOLD = (
    "Chances as they are foretold at three seeds, and what then came, in percent of the open cells of three papers:"
)
START, END = "<!-- rates -->", "<!-- end of rates -->"


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(START)
    behind = rest.split(END)[1]
    parts = [table(rates()), "What a budget chooses:", table(choice_rates()), FORETOLD, foretold_table()]
    tables = "\n\n".join(parts)
    PAGE.write_text(f"{before}{START}\n\n{tables}\n\n{END}{behind}", encoding="utf-8")
