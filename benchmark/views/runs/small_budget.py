"""Sentences after a run of recipe `quick`: why its numbers are none of the paper's, and the way to real ones."""

from collections.abc import Iterable
from textwrap import wrap

from methods.errors import MethodError
from methods.registry import installed
from methods.registry.recipe import resolve
from protocols.text import plural
from protocols.values import ParamValue
from reports.tables.measured import weight_labels
from results.record import Record


def budget_sentences(records: Iterable[Record], suite: str, filters: str = "") -> list[str]:
    """Lines on the finished quick runs among the records; none where there are none.

    `suite` and `filters` are the suite and the options as they were given, for the command with the authors' budget.
    """
    quick = [record for record in records if record.spec.recipe == "quick" and record.metrics]
    if not quick:
        return []
    labels = sorted({label for record in quick for label in weight_labels(record)})
    random = [label.removesuffix(" random") for label in labels if label.endswith(" random")]
    causes = [*_budgets(quick), *(f"{arch} started from random weights, not from ImageNet's" for arch in random)]
    commands = [f"bench weights fetch {arch}" for arch in random] + [
        f"bench run --suite {suite}{filters} --recipe official"
    ]
    because = f"These AUCs say little of the methods: {', and '.join(causes)}. " if causes else ""
    lead = plural(len(commands), "command leads", "commands lead")
    return [
        *wrap(f"{because}No number of recipe quick is comparable with a paper's.", 80),
        f"{lead} to a number that is, in hours rather than minutes:",
        *(f"  {command}" for command in commands),
    ]


def _budgets(records: Iterable[Record]) -> list[str]:
    """`training took 50 steps instead of 600 to 1000`, where the methods count steps."""
    pairs = [pair for record in records if (pair := _steps(record)) and pair[0] < pair[1]]
    few, usual = ({pair[side] for pair in pairs} for side in (0, 1))
    return [f"training took {_range(few)} steps instead of {_range(usual)}"] if pairs else []


def _range(numbers: set[int]) -> str:
    return " to ".join(str(number) for number in sorted({min(numbers), max(numbers)}))


def _steps(record: Record) -> tuple[int, int] | None:
    """Training steps of a run and of the official recipe; None where the method counts none."""
    spec = record.spec
    info = installed.methods().get(spec.method)
    try:
        usual = resolve(info, "official", spec.split.dataset, {}).params if info else {}
    except MethodError:
        return None
    few, many = _product(spec.fit.params), _product(usual)
    return (few, many) if few and many else None


def _product(params: dict[str, ParamValue]) -> int | None:
    epochs, steps = params.get("budget.epochs"), params.get("budget.steps")
    return epochs * steps if isinstance(epochs, int) and isinstance(steps, int) else None
