"""The page `docs/speed.md` and its picture, made of the result files and of what was tried."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from perf.compare import number_text, ratio_text
from perf.ratios import Ratio
from perf.registered import find_part, part_names
from perf.result import MachineResult, stored_results

DOCS = Path(__file__).parents[1] / "docs"
TEXT = Path(__file__).with_name("speed.md")
"""The page without its tables, which stand for `<!-- ratios -->`."""
PLACE = "<!-- ratios -->"
PAGE, PICTURE = DOCS / "speed.md", DOCS / "speed.svg"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "swanbench",
    "svg.fonttype": "none",
    "text.parse_math": False,
}
DRAWN = ("step", "scoring", "authors_way", "peak", "workers", "whole_run", "start_up")
"""Parts of the picture, whose ratios lie within a few powers of ten."""


def page_text(results: Sequence[MachineResult]) -> str:
    """The whole page in Markdown."""
    return TEXT.read_text(encoding="utf-8").replace(PLACE, "\n".join(part_sections(results)).rstrip())


def part_sections(results: Sequence[MachineResult]) -> list[str]:
    """A section for each part that some result has, a row a ratio with a column a machine; then the parts without."""
    lines = []
    for name in part_names():
        having = [result for result in results if name in result.parts]
        if not having:
            continue
        part = find_part(name)
        lines += [f"### {part.TITLE}", "", f"{part.SAYS} (`python -m perf run --only {name}`)", ""]
        lines += [
            f"| | over | {' | '.join(result.name for result in having)} | load |",
            "|---" * (len(having) + 3) + "|",
        ]
        rows = [{(ratio.name, ratio.over): ratio for ratio in result.parts[name]} for result in having]
        for key in dict.fromkeys(key for row in rows for key in row):
            cells = [ratio_text(row[key]) if key in row else "" for row in rows]
            loads = ", ".join(f"{row[key].load:.0f}" for row in rows if key in row)
            lines.append(f"| {key[0]} | {key[1]} | {' | '.join(cells)} | {loads} |")
        lines += ["", f"Measured {'; '.join(measured_text(result, name) for result in having)}.", ""]
    unmeasured = [name for name in part_names() if not any(name in result.parts for result in results)]
    if unmeasured:
        lines += [f"No result yet: {', '.join(f'`{name}`' for name in unmeasured)}.", ""]
    return lines


def measured_text(result: MachineResult, name: str) -> str:
    """The machine with the days and commits of a part."""
    ratios = result.parts[name]
    days, commits = (sorted(set(texts)) for texts in zip(*((r.measured[:10], r.commit) for r in ratios), strict=True))
    return f"on {result.name}, {', '.join(days)}, at {', '.join(commits)}"


def picture(results: Sequence[MachineResult]) -> bytes:
    """Medians and ranges of the drawn parts on a logarithmic axis, a panel a part, a colour a machine; SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    parts = [name for name in DRAWN if any(name in result.parts for result in results)]
    labels = {
        name: list(
            dict.fromkeys(f"{ratio.name} / {ratio.over}" for result in results for ratio in ratios_of(result, name))
        )
        for name in parts
    }
    heights = [len(labels[name]) + 1 for name in parts]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.0, 0.21 * sum(heights) + 0.6), layout="constrained")
        panels = figure.subplots(len(parts), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
        for axes, name in zip(panels, parts, strict=True):
            axes.axvline(1, color="#999999", linewidth=0.8)
            for colour, result in zip(COLOURS, results, strict=False):
                for ratio in ratios_of(result, name):
                    row = labels[name].index(f"{ratio.name} / {ratio.over}")
                    axes.plot([ratio.low, ratio.high], [row, row], color=colour, linewidth=1.5)
                    axes.plot(ratio.median, row, "o", color=colour, markersize=4)
                    place = {"xytext": (0, 3), "textcoords": "offset points", "ha": "center"}
                    axes.annotate(number_text(ratio.median), (ratio.median, row), fontsize=6, **place)
            axes.set_title(find_part(name).TITLE, loc="left", fontsize=9)
            axes.set_yticks(range(len(labels[name])), labels[name], fontsize=7)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
            left, right = axes.get_xlim()
            axes.xaxis.set_minor_formatter("{x:g}" if right < 5 * left else NullFormatter())
            axes.tick_params(axis="x", which="both", labelsize=7)
            axes.invert_yaxis()
        buffer = BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    return buffer.getvalue()


def ratios_of(result: MachineResult, name: str) -> list[Ratio]:
    return result.parts.get(name, [])


def write_page() -> list[Path]:
    """Write both files; returns their paths."""
    results = stored_results()
    PAGE.write_text(page_text(results), encoding="utf-8")
    PICTURE.write_bytes(picture(results))
    return [PAGE, PICTURE]
