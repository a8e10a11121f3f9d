"""History of a cell as text: Markdown with the plot in characters, HTML with it as a picture, CSV and JSON."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from textwrap import fill
from typing import Any

from protocols.text import near_miss, plural, printable, printable_json
from reports.errors import ReportError
from reports.figures.forest import WIDTH, ForestRow, forest_legend, forest_rows, forest_text
from reports.figures.history import CellHistory, HistoryRun, JudgedSource
from reports.figures.plots import draw_forest, has_plots
from reports.stats.thresholds import FEWEST_SOURCES
from reports.stats.verdict import VERDICT_VERSION, Verdict
from reports.stats.words import verdict_words
from reports.tables.measured import measured_fields
from reports.tables.sources import independent_sources, source_fields
from reports.text import csv_text, escape_markdown, page_template

HISTORY_FORMATS = ("md", "html", "csv", "json", "svg")
_COLUMNS = (
    *("kind", "paper", "table", "by", "subset", "split_seed", "seed", "recipe"),
    *("mean", "std", "n", "n_known", "low", "high", "verdict", "note", "run"),
)


def render_history(history: CellHistory, form: str) -> str | bytes:
    """A history in one of `HISTORY_FORMATS`, with a line end at the end.

    Raises:
        ReportError: there is no such format, or matplotlib is not installed for a picture.
    """
    if form == "csv":
        return csv_text(_lines(history))
    if form == "json":
        return printable_json(json.dumps(_json(history), ensure_ascii=False, indent=2, allow_nan=False)) + "\n"
    rows = forest_rows(history)
    if form == "svg":
        return _picture(history, rows)
    if form == "html":
        picture = _picture(history, rows).decode().partition("<svg")[2] if has_plots() else ""
        return printable(
            page_template("history", form).render(
                history=history,
                caption=_caption(history),
                published_title=published_title(history),
                citation=history.layout.paper.citation,
                picture=f"<svg{picture}" if picture else "",
                forest=forest_text(rows, history.layout.scale),
                legend=forest_legend(rows),
                sources=[source_sentence(history, judged) for judged in history.sources],
                against_all=_all_sentence(history),
                runs=_run_sentences(history),
                errata=history_doubts(history),
            )
        )
    if form == "md":
        return _markdown(history, rows)
    raise ReportError(f"no format {form!r}: {near_miss(form, HISTORY_FORMATS)}")


def published_title(history: CellHistory) -> str:
    """The heading of the published values."""
    return "Published values" if history.published_only else "Published values, and ours against them"


def history_doubts(history: CellHistory) -> list[str]:
    """The doubts of the audit that name the cell."""
    doubts = []
    for judged in history.sources:
        source = judged.source
        for doubt in source.layout.errata:
            named = doubt.coordinates.items() - {("protocol", doubt.coordinates.get("protocol", ""))}
            if doubt.printed and named and named <= dict(source.coordinates).items():
                doubts.append(f"{source.name}: printed {doubt.printed}. {doubt.explanation}")
    return doubts


def _picture(history: CellHistory, rows: list[ForestRow]) -> bytes:
    metric = history.layout.metric
    return draw_forest(rows, f"{history.title}: {history.id}", metric, history.layout.scale, "svg")


def _markdown(history: CellHistory, rows: list[ForestRow]) -> str:
    sections = {
        published_title(history): [
            *(source_sentence(history, judged) for judged in history.sources),
            _all_sentence(history),
        ],
        "Runs of ours": _run_sentences(history),
        "On the published values": history_doubts(history),
    }
    text = f"# {escape_markdown(history.id)}\n\n{_wrapped(_caption(history))}\n\n"
    text += f"```text\n{forest_text(rows, history.layout.scale)}```\n\n{_wrapped(forest_legend(rows))}\n"
    for title, sentences in sections.items():
        if sentences:
            text += f"\n## {title}\n\n" + "".join(f"{_wrapped(f'- {sentence}', '  ')}\n" for sentence in sentences)
    return printable(text)


def _wrapped(text: str, indent: str = "") -> str:
    return fill(escape_markdown(text), WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _caption(history: CellHistory) -> str:
    decimals = history.layout.paper.decimals
    text = f"{history.title} ({history.layout.rule(history.first.coordinates)}). {history.layout.metric}"
    return f"{text}." if history.published_only else f"{text}; verdicts at a margin of {history.margin:.{decimals}f}."


def source_sentence(history: CellHistory, judged: JudgedSource) -> str:
    """A published value, who measured it, and the verdict of ours against it."""
    source = judged.source
    value = "±".join(filter(None, [source.value.mean_text, source.value.std_text]))
    also = f" (also {', '.join(source.also)})" if source.also else ""
    runs = f", {source.layout.paper.runs_text}" if source.n else ""
    counts = f" (counts as {source.n})" if source.n and not source.n_known else ""
    kinds = {
        "paper": f"paper, measured by {source.by}",
        "rerun": f"rerun by {source.by}",
        "quoted": f"quoted, measured by {source.by}, no evidence of its own",
    }
    wrong = f"; it prints {source.original}" if source.original else ""
    verdict = f". Ours: {_verdict_words(history, judged.verdict)}" if judged.verdict else ""
    return f"{source.name}{also}: {value}{runs}{counts}; {kinds[source.kind]}{wrong}{verdict}."


def _all_sentence(history: CellHistory) -> str:
    decimals, pooled = history.layout.paper.decimals, history.pooled
    number = len(independent_sources([judged.source for judged in history.sources]))
    if pooled is None:
        return (
            f"All sources: {plural(number, 'independent source')}; a mean over them is told from {FEWEST_SOURCES} on "
            "that print a spread."
        )
    text = (
        f"All sources: random-effects mean over {pooled.sources}: {pooled.mean:.{decimals}f} (90 % interval "
        f"{pooled.low:.{decimals}f} to {pooled.high:.{decimals}f}), spread between sources {pooled.tau:.{decimals}f} "
        "(Paule-Mandel)"
    )
    return f"{text}. Ours: {_verdict_words(history, history.against_all)}." if history.against_all else f"{text}."


def _verdict_words(history: CellHistory, verdict: Verdict) -> str:
    decimals, comparison = history.layout.paper.decimals, verdict.comparison
    if comparison is None:
        reasons = f" ({'; '.join(verdict.reasons)})" if verdict.reasons else ""
        return f"{verdict.name}{reasons}"
    words = verdict_words(comparison, decimals)
    words = f"not comparable ({words})" if verdict.name == "not_comparable" else words
    interval = ""
    if comparison.low is not None and comparison.high is not None:
        interval = f" ({comparison.low:+z.{decimals}f} to {comparison.high:+z.{decimals}f})"
    return f"{words}, d {comparison.difference:+z.{decimals}f}{interval}"


def _run_sentences(history: CellHistory) -> list[str]:
    if history.published_only:
        return []
    sentences = [_run_sentence(history, run) for run in history.runs]
    return [*(sentences or [_nothing(history)]), *(f"{remark}." for remark in history.remarks)]


def _run_sentence(history: CellHistory, run: HistoryRun) -> str:
    value = "no value" if run.value is None else f"{run.value:.{history.layout.paper.decimals + 1}f}"
    parts = [f"recipe {run.recipe}", f"precision {run.precision}" if run.precision else ""]
    parts += ["of a series that tables do not show"] if history.measured and not run.in_tables else []
    comparable = f"not comparable: {'; '.join(run.reasons)}" if run.reasons else "comparable"
    return f"{run.name}: {value} ({', '.join(filter(None, parts))}); {comparable}."


def _nothing(history: CellHistory) -> str:
    coordinates = history.first.coordinates
    if history.layout.source(coordinates) is None:
        return "Nothing of ours measures this cell."
    return "No run of ours is there."


def _lines(history: CellHistory) -> Iterator[list[str]]:
    yield [*_COLUMNS]
    decimals, bounds = history.layout.paper.decimals, {row.label: row for row in forest_rows(history)}
    for judged in history.sources:
        source = judged.source
        row = bounds[f"{source.name}, {source.kind}"]
        yield _line(
            row,
            decimals,
            kind=source.kind,
            paper=source.paper,
            table=source.layout.table,
            by=source.by,
            mean=source.value.mean_text,
            std=source.value.std_text,
            n=str(source.n or ""),
            n_known=str(source.n_known).lower(),
            verdict=judged.verdict.name if judged.verdict else "",
            note=source.value.note,
        )
    for row in bounds.values():
        if row.kind == "pooled" and history.pooled:
            verdict = history.against_all.name if history.against_all else ""
            yield _line(
                row,
                decimals,
                kind="mean",
                mean=f"{row.mean:.{decimals}f}",
                n=str(history.pooled.sources),
                verdict=verdict,
                note=f"spread between sources {history.pooled.tau:.{decimals}f}",
            )
        elif row.kind == "measured" and (measured := history.measured):
            yield _line(
                row,
                decimals,
                kind="measured",
                recipe=measured.recipe,
                mean=f"{measured.mean:.{decimals}f}",
                std="" if measured.seed_std is None else f"{measured.seed_std:.{decimals}f}",
                n=str(measured.n),
                note="; ".join(measured.reasons),
            )
    for run in history.runs:
        yield _line(
            None,
            decimals,
            kind="run",
            subset=run.subset,
            split_seed=str(run.seeds.split_seed),
            seed=str(run.seeds.seed),
            recipe=run.recipe,
            mean="" if run.value is None else repr(run.value),
            note="; ".join(run.reasons),
            run=run.name,
        )


def _line(row: ForestRow | None, decimals: int, **fields: str) -> list[str]:
    if row is not None and row.low is not None and row.high is not None:
        fields |= {"low": f"{row.low:.{decimals}f}", "high": f"{row.high:.{decimals}f}"}
    return [fields.get(name, "") for name in _COLUMNS]


def _json(history: CellHistory) -> dict[str, Any]:
    sources = [
        source_fields(judged.source)
        | {
            "also": list(judged.source.also),
            "unit": judged.source.layout.paper.unit,
            "original": judged.source.original or None,
            "note": judged.source.value.note or None,
            "verdict": _json_verdict(judged.verdict),
        }
        for judged in history.sources
    ]
    return {
        "cell": history.id,
        "title": history.title,
        "metric": history.layout.metric,
        "unit": history.layout.paper.unit,
        "margin": history.margin,
        "verdict_version": VERDICT_VERSION,
        "sources": sources,
        "independent_sources": len(independent_sources([judged.source for judged in history.sources])),
        "mean_over_sources": asdict(history.pooled) if history.pooled else None,
        "against_all": _json_verdict(history.against_all),
        "measured": measured_fields(history.measured) if history.measured else None,
        "runs": [
            run.seeds._asdict()
            | {
                "run": run.name,
                "subset": run.subset or None,
                "recipe": run.recipe,
                "precision": run.precision or None,
                "value": run.value,
                "in_tables": run.in_tables,
                "comparable": not run.reasons,
                "reasons": list(run.reasons),
            }
            for run in history.runs
        ],
        "remarks": list(history.remarks),
        "errata": history_doubts(history),
    }


def _json_verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "verdict": verdict.name,
        "would_be": verdict.would_be,
        "reasons": list(verdict.reasons),
        "comparison": asdict(verdict.comparison) if verdict.comparison else None,
    }
