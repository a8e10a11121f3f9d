"""What a choice of runs says: a table by cell, what nothing can settle, and the time of all; or the same as JSON."""

import shutil
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any, TextIO

from benchmark.terminal.narrow import NARROWEST
from benchmark.terminal.time_left import forecast_in_words
from benchmark.views.settling.choice import CellRow, Choice
from protocols.text import first_few, plural

NAMED_CELLS = 3
SETTLING_HEADINGS = ("cell", "n", "std", "std from", "a seed", "seeds", "chance", "time")
_FLUSH_LEFT = {"cell", "std from", "seeds"}


def terminal_width(stream: TextIO) -> int | None:
    """Columns of a terminal; None for a pipe or a file, which take lines of any length."""
    return max(shutil.get_terminal_size().columns, NARROWEST) if stream.isatty() else None


def choice_lines(choice: Choice, width: int | None) -> Iterator[str]:
    """Lines for a person in `width` columns (None: as wide as they need to be)."""
    rows = [row for row in choice.rows if row.seeds]
    if rows:
        yield from _table([_texts(row) for row in rows], width)
        yield ""
    sentences = [_counts(choice), *_totals(choice)]
    sentences += [
        f"{plural(len(cells), 'cell')} ({first_few(cells, NAMED_CELLS)}): {reason}"
        for reason, cells in _reasons(choice).items()
    ]
    for sentence in sentences:
        yield from [sentence] if width is None else wrap(sentence, width, subsequent_indent="  ")


def choice_fields(choice: Choice) -> dict[str, Any]:
    """The same for a program; seconds are upper ends of forecasts."""
    return {
        "option": choice.budget.option,
        "budget_seconds": choice.budget.seconds,
        "jobs": choice.budget.jobs,
        "seconds": choice.seconds,
        "expected_decisions": choice.expected,
        "runs_chosen": choice.runs,
        "runs_for_no_verdict": choice.fillers,
        "runs_left": choice.left,
        "fits_of_unknown_time": choice.unknown,
        "cells": [_fields(row) for row in choice.rows],
    }


def _fields(row: CellRow) -> dict[str, Any]:
    prospect = row.outlook.prospect
    return {
        "cell": row.outlook.id,
        "table": row.outlook.table,
        "state": prospect.state,
        "n": prospect.runs,
        "std": prospect.spread.std if prospect.spread else None,
        "std_from": prospect.spread_from or None,
        "seconds_a_seed": row.seed_seconds,
        "split_seeds": list(row.seeds),
        "chance": row.chance,
        "seconds": row.seconds,
        "reason": row.note or None,
    }


def _texts(row: CellRow) -> tuple[str, ...]:
    prospect = row.outlook.prospect
    digits = 3 if prospect.table.layout.scale == 1 else 1
    return (
        row.outlook.id,
        str(prospect.runs),
        f"{prospect.spread.std:.{digits}f}" if prospect.spread else "",
        prospect.spread_from,
        "" if row.seed_seconds is None else forecast_in_words(row.seed_seconds),
        _ranges(row.seeds),
        "" if row.chance is None else f"{row.chance:.0%}",
        forecast_in_words(row.seconds),
    )


def _table(rows: Sequence[Sequence[str]], width: int | None) -> Iterator[str]:
    """One line a cell; where that is too wide, the cell and below it the rest."""
    lines = [SETTLING_HEADINGS, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(SETTLING_HEADINGS))]
    is_narrow = width is not None and sum(widths) + 2 * (len(widths) - 1) > width
    first = 1 if is_narrow else 0
    for number, line in enumerate(lines):
        padded = [
            text.ljust(size) if name in _FLUSH_LEFT else text.rjust(size)
            for name, text, size in zip(SETTLING_HEADINGS, line, widths, strict=True)
        ][first:]
        if is_narrow and number:
            yield line[0]
        yield ("  " * first + "  ".join(padded)).rstrip()


def _counts(choice: Choice) -> str:
    states = [row.outlook.prospect.state for row in choice.rows]
    if not states:
        return "no cell of a paper's table is planned here: nothing can get a verdict"
    decided, never = states.count("decided"), states.count("never")
    parts = [f"{decided} decided" if decided else "", f"{never} that nothing here can settle" if never else ""]
    known = ", ".join(filter(None, parts))
    return f"{plural(len(states), 'cell')}" + (f": {known}, {states.count('open')} open" if known else ", all open")


def _totals(choice: Choice) -> Iterator[str]:
    """Sentences on what was chosen and on what was left."""
    budget = choice.budget
    text = f"chosen: {plural(choice.runs, 'run')}, at most {forecast_in_words(choice.seconds)} of fits and scores"
    if budget.seconds is not None:
        jobs = f" with --jobs {budget.jobs}" if budget.jobs > 1 else ""
        text += f", for a budget of {forecast_in_words(budget.seconds)}{jobs}"
    yield f"{text}; verdicts to be expected: {choice.expected:.1f}"
    if choice.fillers:
        yield f"{plural(choice.fillers, 'chosen run brings', 'chosen runs bring')} no verdict nearer and fill the time"
    if choice.left:
        yield f"missing runs that are left: {choice.left}"
    if choice.left and not choice.runs and not budget.is_settling and not choice.unknown:
        yield "no missing run fits into this time: --plan without --budget says what each takes"
    if choice.unknown:
        yield f"fits of unknown time, none of them chosen: {choice.unknown}; --calibrate measures what they need"


def _reasons(choice: Choice) -> dict[str, list[str]]:
    """Cells by the reason why no run of theirs was chosen, those that are decided by their verdict."""
    reasons: dict[str, list[str]] = {}
    for row in choice.rows:
        if not row.seeds:
            prefix = "decided, " if row.outlook.prospect.state == "decided" else ""
            reasons.setdefault(f"{prefix}{row.note}", []).append(row.outlook.id)
    return reasons


def _ranges(numbers: Sequence[int]) -> str:
    """`0-2,5`: whole numbers in ascending order, neighbours together."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
