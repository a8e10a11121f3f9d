"""Worth of choosing the best epoch on the test images: last epoch, best epoch and the gap of audited runs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from msgspec import UNSET

from protocols.text import plural, printable_json
from reports.text import csv_text, escape_markdown, pipe_table
from results.record import Record

SELECTION_FORMATS = ("md", "csv", "json")
SELECTION_COLUMNS = ("run", "method", "dataset", "recipe", "seed", "epochs", "last", "best", "best_epoch", "gap")
EXPLANATION = (
    "The test images were scored after every epoch. A paper that reports the best epoch prints the column Best; the "
    "last epoch is what a fixed budget gives. No table and no gate counts these runs."
)


@dataclass(frozen=True, slots=True)
class SelectionAudit:
    """Test AUROCs of a run after each epoch, as fractions; at least one."""

    name: str
    method: str
    dataset: str
    recipe: str
    seed: int
    aurocs: tuple[float, ...]

    @property
    def last(self) -> float:
        return self.aurocs[-1]

    @property
    def best(self) -> float:
        return max(self.aurocs)

    @property
    def best_epoch(self) -> int:
        """The first epoch, from 1, with the best AUROC."""
        return self.aurocs.index(self.best) + 1

    @property
    def gap(self) -> float:
        return self.best - self.last


def selection_audits(records: Iterable[Record]) -> list[SelectionAudit]:
    """The audits among finished records, by name."""
    audits = [
        SelectionAudit(
            name=record.spec.name,
            method=record.spec.method,
            dataset=record.spec.split.dataset,
            recipe=record.spec.recipe,
            seed=record.spec.fit.seed,
            aurocs=tuple(record.audit),
        )
        for record in records
        if record.metrics and record.audit is not UNSET and record.audit
    ]
    return sorted(audits, key=lambda audit: audit.name)


def render_selection(audits: Sequence[SelectionAudit], form: str) -> str:
    """Audits in one of `SELECTION_FORMATS`, with a line end at the end."""
    if form == "json":
        content = [
            dict(zip(SELECTION_COLUMNS, _fields(audit), strict=True)) | {"aurocs": audit.aurocs} for audit in audits
        ]
        return printable_json(json.dumps(content, ensure_ascii=False, indent=2)) + "\n"
    if form == "csv":
        return csv_text([list(SELECTION_COLUMNS), *([str(value) for value in _fields(audit)] for audit in audits)])
    rows = [
        [
            escape_markdown(audit.name),
            audit.recipe,
            str(len(audit.aurocs)),
            f"{audit.last:.4f}",
            f"{audit.best:.4f}",
            str(audit.best_epoch),
            f"{audit.gap:.4f}",
        ]
        for audit in audits
    ]
    if not rows:
        return "No run was audited: bench run --audit-selection makes one.\n"
    table = pipe_table(["Run", "Recipe", "Epochs", "Last", "Best", "Best epoch", "Gap"], rows)
    summary = "\n".join(f"- {text}" for text in _summaries(audits))
    return f"# Worth of selecting the epoch on the test images\n\n{EXPLANATION}\n\n{summary}\n\n{table}\n"


def _summaries(audits: Sequence[SelectionAudit]) -> Iterable[str]:
    """One sentence a method, dataset and recipe."""
    groups: dict[tuple[str, str, str], list[SelectionAudit]] = {}
    for audit in audits:
        groups.setdefault((audit.method, audit.dataset, audit.recipe), []).append(audit)
    for (method, dataset, recipe), group in groups.items():
        last, best, gap = (fmean(getattr(audit, name) for audit in group) for name in ("last", "best", "gap"))
        spread = f" (std {stdev(audit.gap for audit in group):.3f})" if len(group) > 1 else ""
        place = f"{escape_markdown(method)} on {escape_markdown(dataset)}, recipe {recipe}, {plural(len(group), 'run')}"
        yield (
            f"{place}: last epoch {last:.3f}; a paper that reports the best epoch would print {best:.3f} here, "
            f"{gap:.3f} more{spread}."
        )


def _fields(audit: SelectionAudit) -> tuple[str | int | float, ...]:
    place = (audit.name, audit.method, audit.dataset, audit.recipe, audit.seed, len(audit.aurocs))
    return (*place, audit.last, audit.best, audit.best_epoch, audit.gap)
