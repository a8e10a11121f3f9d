"""Pictures of `docs/verdicts.md` and `docs/verdict_rates.md`, drawn from seeds and rates as SVG."""

from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from reports.stats.sample import Sample
from reports.stats.thresholds import MARGIN
from reports.stats.verdict import VERDICT_NAMES, judge

COLOURS = {
    "reproduced": "#009E73",
    "close": "#56B4E9",
    "consistent": "#A6D8C4",
    "higher": "#E69F00",
    "lower": "#D55E00",
    "inconclusive": "#D9D9D9",
}
STYLE: dict[Any, Any] = {
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "swanbench",
    "svg.fonttype": "none",
    "text.parse_math": False,
}


def pictures(cells: dict, gate: dict) -> dict[str, bytes]:
    """All pictures by name."""
    with mpl.rc_context(STYLE):
        return {
            "words": words(),
            "three_runs": three_runs(),
            "prediction": prediction(),
            "readings": readings(),
            "cell_rates": cell_rates(cells),
            "gate_rates": gate_rates(gate),
        }


def drawn(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    return buffer.getvalue()


def words() -> bytes:
    """One example of each word: difference, w (thick) and r (thin) against the margin."""
    examples = [(0.004, 0.004), (0.03, 0.008), (-0.03, 0.008), (-0.016, 0.004), (0.012, 0.02), (-0.03, 0.012)]
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.axvspan(-MARGIN, MARGIN, color="#EEEEEE", zorder=0)
    axes.axvline(0, color="#777777", linewidth=0.8)
    for row, (difference, spread) in enumerate(examples):
        result = judge(Sample(0.8, spread, 3), Sample(0.8 + difference, spread, 3), MARGIN)
        colour = COLOURS[result.verdict] if result.verdict != "inconclusive" else "#777777"
        axes.plot([difference - result.told, difference + result.told], [row, row], color=colour, linewidth=1.2)
        axes.plot([result.low, result.high], [row, row], color=colour, linewidth=5, solid_capstyle="butt")
        axes.plot(difference, row, "o", color="black", markersize=4)
    names = [judge(Sample(0.8, s, 3), Sample(0.8 + d, s, 3), MARGIN).verdict for d, s in examples]
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(
        "ours - published (AUC); thick: 90 % interval, thin: what three runs of ours would print; grey: margin"
    )
    return drawn(figure)


def three_runs() -> bytes:
    """Chance that an equal cell is shown to be equal, by the number of our runs."""
    generator = np.random.default_rng(1)
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.add_subplot()
    numbers = np.array([2, 3, 4, 5, 7, 10, 15, 20, 30, 50])
    for sigma, style in ((0.005, "-"), (0.01, "--"), (0.02, "-."), (0.03, ":")):
        shares = [share_reproduced(sigma, int(n), generator) for n in numbers]
        axes.plot(numbers, shares, f"k{style}", label=f"std over runs {sigma:g}")
    axes.set_xscale("log")
    axes.set_xticks(numbers, [str(n) for n in numbers])
    axes.minorticks_off()
    axes.set_xlabel("runs of ours; the paper has three")
    axes.set_ylabel("reproduced, %")
    axes.set_ylim(0, 100)
    axes.legend(frameon=False)
    return drawn(figure)


def share_reproduced(sigma: float, n: int, generator: np.random.Generator, draws: int = 4000) -> float:
    ours, theirs = generator.normal(0, sigma, (draws, n)), generator.normal(0, sigma, (draws, 3))
    a, b = ours.var(axis=1, ddof=1) / n, theirs.var(axis=1, ddof=1) / 3
    half = stats.t.ppf(0.95, (a + b) ** 2 / (a**2 / (n - 1) + b**2 / 2)) * np.sqrt(a + b)
    return float(100 * (np.abs(ours.mean(axis=1) - theirs.mean(axis=1)) + half < MARGIN).mean())


def prediction() -> bytes:
    """Five runs of ours, the interval of our mean, and what means of three further runs do."""
    generator = np.random.default_rng(5)
    ours = generator.normal(0.80, 0.02, 5)
    result = judge(Sample(0.8, 0.02, 3), Sample(float(ours.mean()), float(ours.std(ddof=1)), 5), MARGIN)
    means = generator.normal(0.80, 0.02, (20_000, 3)).mean(axis=1)
    figure = Figure(figsize=(6.4, 2.8), layout="constrained")
    axes = figure.add_subplot()
    axes.hist(means, bins=80, density=True, color="#D9D9D9")
    top = axes.get_ylim()[1]
    width = stats.t.ppf(0.975, 4) * ours.std(ddof=1) / np.sqrt(5)
    for height, half, label in ((1.18, width, "95 % interval of our mean"), (1.08, result.told, "our mean ± r")):
        axes.plot([ours.mean() - half, ours.mean() + half], [top * height] * 2, color="black", linewidth=2)
        axes.text(ours.mean() + half + 0.002, top * height, label, va="center")
    axes.plot(ours, [-0.04 * top] * 5, "|", color="black", markersize=12)
    axes.set_ylim(-0.1 * top, 1.28 * top)
    axes.set_yticks([])
    axes.spines.left.set_visible(False)
    axes.set_xlabel("AUC; ticks: our five runs, grey: means of three further runs")
    return drawn(figure)


def readings() -> bytes:
    """The same cell if the paper's runs drew three splits, and if they shared one."""
    figure = Figure(figsize=(6.4, 2.4), layout="constrained")
    axes = figure.add_subplot()
    published, ours = Sample(0.800, 0.006, 3), Sample(0.765, 0.014, 5)
    rows = (("three draws", published), ("one draw", published.as_constant))
    axes.axvspan(-MARGIN, MARGIN, color="#EEEEEE", zorder=0)
    axes.axvline(0, color="#777777", linewidth=0.8)
    for row, (_, sample) in enumerate(rows):
        result = judge(sample, ours, MARGIN)
        axes.plot([result.difference - result.told, result.difference + result.told], [row, row], "k", linewidth=1.2)
        axes.plot([result.low, result.high], [row, row], "k", linewidth=5, solid_capstyle="butt")
        axes.text(0.045, row, result.verdict, va="center")
    axes.set_yticks(range(2), [name for name, _ in rows])
    axes.set_ylim(1.6, -0.6)
    axes.set_xlim(-0.11, 0.085)
    axes.set_xlabel("ours - published (AUC); thick: 90 % interval, thin: ± r")
    return drawn(figure)


def cell_rates(rates: dict) -> bytes:
    numbers, differences = (list(dict.fromkeys(key[index] for key in rates)) for index in (0, 1))
    figure = Figure(figsize=(8.4, 3.4), layout="constrained")
    for panel, n in enumerate(numbers):
        axes = figure.add_subplot(1, len(numbers), panel + 1)
        bottom = np.zeros(len(differences))
        for name in VERDICT_NAMES:
            shares = 100 * np.array([rates[n, difference][name] for difference in differences])
            label = name if panel == 0 else None
            axes.bar(range(len(differences)), shares, bottom=bottom, color=COLOURS[name], label=label, width=0.85)
            bottom += shares
        axes.set_xticks(range(len(differences)), [f"{difference:g}" for difference in differences], rotation=60)
        axes.set_title(f"n = {n}", fontsize=10)
        axes.set_yticks([0, 50, 100] if panel == 0 else [])
    figure.supxlabel("true difference", fontsize=10)
    figure.legend(loc="outside upper center", ncols=6, frameon=False)
    return drawn(figure)


def gate_rates(rates: dict) -> bytes:
    numbers, names = (list(dict.fromkeys(key[index] for key in rates)) for index in (0, 1))
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for index, (n, marker) in enumerate(zip(numbers, "os^", strict=False)):
        shares = []
        for name in names:
            counts = rates[n, name]
            shares.append(100 * counts["alarm"] / (counts[0] + counts[3] + counts[4]))
        places = np.arange(len(names)) + 0.2 * (index - 1)
        axes.plot(shares, places, marker, color="black", fillstyle="none" if index else "full", label=f"n = {n}")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.axvline(10, color="#777777", linewidth=0.8, linestyle=":")
    axes.set_xlim(-3, 103)
    axes.set_xlabel("tables with exit status 3, %")
    axes.grid(axis="y", color="#EEEEEE")
    axes.legend(frameon=False, loc="lower right")
    return drawn(figure)
