"""A paper's claims, recomputed from the cells that it prints and from ours."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean
from typing import Literal

from protocols.text import plural
from reports.layouts.claims import Claim, PaperClaims, claim_rows
from reports.stats.sample import t_quantile
from reports.stats.thresholds import EPSILON, VERDICT_QUANTILE
from reports.tables.judging import cell_samples
from reports.tables.table import Cell, Table
from reports.text import csv_text, escape_markdown, pipe_table

Side = Literal["published", "measured"]
ClaimVerdict = Literal["holds", "differs", "agrees", "not measured"]
CLAIM_WORDS: Mapping[ClaimVerdict, str] = {
    "holds": "holds: rounded, the cells give what the text prints",
    "differs": "differs: they give something else",
    "agrees": "agrees: what the text prints lies within the 90 % interval of ours",
    "not measured": "not measured: not every row has a comparable value of ours",
}
CLAIM_FORMATS = ("md", "csv", "json")
CLAIM_COLUMNS = (
    "claim",
    "printed",
    "published_cells",
    "verdict",
    "rows",
    "measured",
    "low",
    "high",
    "measured_verdict",
)


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """Numbers of a claim from one side; `half` is the half-width of a 90 % interval, None where there is none."""

    numbers: tuple[float, ...]
    rows: int
    half: float | None = None


@dataclass(frozen=True, slots=True)
class JudgedClaim:
    """A claim with what the printed cells give and what ours give; `rows` is how many rows it is about."""

    claim: Claim
    rows: int
    published: ClaimResult
    verdict: ClaimVerdict
    measured: ClaimResult | None
    measured_verdict: ClaimVerdict


def judge_claims(claims: PaperClaims, tables: Mapping[str, Table]) -> list[JudgedClaim]:
    """Recompute each claim; `tables` are those of the paper by their ids, with all records at hand.

    Raises:
        ValueError: a claim is about cells that its table does not print.
    """
    return [_judged(claim, claim_rows(claims.rows[claim.rows], table.layout), table)
            for claim in claims.claims for table in [tables[claim.table]]]  # fmt: skip


def _judged(claim: Claim, rows: Sequence[Mapping[str, str]], table: Table) -> JudgedClaim:
    cells = {tuple(cell.coordinates.items()): cell for cell in table.cells}
    published = _result(claim, rows, cells, table, "published")
    if published is None:
        raise ValueError(f"claim {claim.id} is about cells that table {table.layout.id} does not print")
    measured = _result(claim, rows, cells, table, "measured")
    return JudgedClaim(
        claim=claim,
        rows=len(rows),
        published=published,
        verdict=_printed_verdict(claim, published),
        measured=measured,
        measured_verdict=_measured_verdict(claim, measured, len(rows)),
    )


def _result(
    claim: Claim,
    rows: Sequence[Mapping[str, str]],
    cells: Mapping[tuple[tuple[str, str], ...], Cell],
    table: Table,
    side: Side,
) -> ClaimResult | None:
    """The numbers of a claim over the rows that have all values; None where no row has."""

    def value(row: Mapping[str, str], completion: Mapping[str, str]) -> Cell | None:
        at = tuple((name, {**row, **completion}.get(name, "")) for name in table.layout.entry.coordinates)
        cell = cells.get(at)
        if side == "measured":
            return cell if cell and cell.measured and cell.verdict.name != "not_comparable" else None
        return cell if cell and cell.published else None

    rivals = [{**claim.left, "method": method} for method in claim.others] or [claim.right]
    complete = [
        (left, [cell for cell in others if cell])
        for row in rows
        if (left := value(row, claim.left)) and all(others := [value(row, rival) for rival in rivals])
    ]
    if not complete:
        return None
    gains = [100 * (_mean(left, side) - max(_mean(cell, side) for cell in others)) for left, others in complete]
    gains = [gain / table.layout.scale for gain in gains]
    if claim.kind == "count_above":
        return ClaimResult((float(sum(gain > EPSILON for gain in gains)),), len(complete))
    if claim.kind == "best_range":
        leads = [gain for gain in gains if gain > EPSILON]
        return ClaimResult((min(leads), max(leads)) if leads else (0.0, 0.0), len(complete))
    number = fmean(gains) if claim.kind == "mean_gain" else max(gains)
    half = None
    if side == "measured" and claim.kind == "mean_gain":
        half = _half_width([cell for left, others in complete for cell in (left, *others)], len(complete), table)
    return ClaimResult((number,), len(complete), half)


def _mean(cell: Cell, side: Side) -> float:
    value = cell.published if side == "published" else cell.measured
    if value is None:
        raise ValueError("a claim needs a value")
    return value.mean


def _half_width(cells: Sequence[Cell], rows: int, table: Table) -> float | None:
    """Of the mean over rows of differences of our means, in points; None where a cell has one run."""
    samples = [
        cell_samples(table.layout, cell.published, cell.measured)[1]
        for cell in cells
        if cell.published and cell.measured
    ]
    if len(samples) < len(cells) or not all(sample.has_spread for sample in samples):
        return None
    variances = [sample.mean_variance / table.layout.scale**2 for sample in samples]
    parts = sum(v**2 / sample.freedom for v, sample in zip(variances, samples, strict=True))
    if not parts:
        return 0.0
    quantile = t_quantile(sum(variances) ** 2 / parts, VERDICT_QUANTILE)
    return 100 * quantile * sqrt(sum(variances)) / rows


def _printed_verdict(claim: Claim, result: ClaimResult) -> ClaimVerdict:
    unit = 0.5 * 10.0**-claim.decimals + EPSILON
    exact = claim.kind == "count_above"
    pairs = zip(result.numbers, claim.printed, strict=True)
    return (
        "holds"
        if all(abs(number - printed) <= (EPSILON if exact else unit) for number, printed in pairs)
        else "differs"
    )


def _measured_verdict(claim: Claim, result: ClaimResult | None, rows: int) -> ClaimVerdict:
    if result is None or result.rows < rows:
        return "not measured"
    if result.half is None:
        return _printed_verdict(claim, result)
    return "agrees" if abs(result.numbers[0] - claim.printed[0]) <= result.half + EPSILON else "differs"


def render_claims(judged: Sequence[JudgedClaim], title: str, form: str) -> str:
    """Claims as Markdown, CSV or JSON, with a line end at the end."""
    if form == "json":
        import json

        from protocols.text import printable_json

        content = {"title": title, "claims": [_json(item) for item in judged]}
        return printable_json(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)) + "\n"
    if form == "csv":
        return csv_text([list(CLAIM_COLUMNS), *map(_line, judged)])
    heading = ["Claim", "Printed", "From the printed cells", "", "From ours", ""]
    rows = [
        [
            escape_markdown(item.claim.text),
            _numbers(item.claim.printed, item.claim),
            _numbers(item.published.numbers, item.claim, 1),
            item.verdict,
            _ours(item),
            item.measured_verdict,
        ]
        for item in judged
    ]
    words = {item.verdict for item in judged} | {item.measured_verdict for item in judged}
    legend = "\n".join(f"- {meaning}" for word, meaning in CLAIM_WORDS.items() if word in words)
    notes = "\n".join(f"- {escape_markdown(text)}" for text in _notes(judged))
    return "\n\n".join(filter(None, [f"# {title}", pipe_table(heading, rows), legend, notes])) + "\n"


def _notes(judged: Sequence[JudgedClaim]) -> Iterator[str]:
    yield from (f"{item.claim.text}: {item.claim.note}" for item in judged if item.claim.note)


def _ours(item: JudgedClaim) -> str:
    if item.measured is None:
        return "–"
    half = f" ±{item.measured.half:.1f}" if item.measured.half is not None else ""
    part = f" on {item.measured.rows} of {plural(item.rows, 'row')}" if item.measured.rows < item.rows else ""
    return _numbers(item.measured.numbers, item.claim, 1) + half + part


def _numbers(numbers: Sequence[float], claim: Claim, more: int = 0) -> str:
    """Numbers with the digits of the printed ones; those of cells have one more, which rounding needs."""
    digits = 0 if claim.kind == "count_above" else max(1, claim.decimals) + more
    return " to ".join(f"{number:.{digits}f}" for number in numbers)


def _line(item: JudgedClaim) -> list[str]:
    measured = item.measured
    half = measured.half if measured else None
    low, high = ("", "") if half is None or measured is None else (
        f"{measured.numbers[0] - half:.4f}", f"{measured.numbers[0] + half:.4f}",
    )  # fmt: skip
    return [
        item.claim.id,
        _numbers(item.claim.printed, item.claim),
        _numbers(item.published.numbers, item.claim, 1),
        item.verdict,
        f"{measured.rows if measured else 0} of {item.rows}",
        _numbers(measured.numbers, item.claim, 1) if measured else "",
        low,
        high,
        item.measured_verdict,
    ]


def _json(item: JudgedClaim) -> dict[str, object]:
    measured = item.measured
    return {
        "id": item.claim.id,
        "text": item.claim.text,
        "table": item.claim.table,
        "kind": item.claim.kind,
        "rows": item.rows,
        "printed": item.claim.printed,
        "published": list(item.published.numbers),
        "verdict": item.verdict,
        "measured": list(measured.numbers) if measured else None,
        "measured_rows": measured.rows if measured else 0,
        "half_width": measured.half if measured else None,
        "measured_verdict": item.measured_verdict,
        "note": item.claim.note or None,
    }
