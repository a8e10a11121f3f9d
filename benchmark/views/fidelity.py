"""The page on fidelity: every choice that the papers and their released code leave open or answer differently.

It is written from the recipes, the split options and the datasets, so that it says what the code does.
"""

from collections.abc import Iterable, Mapping

from methods.registry.info import MethodInfo
from methods.registry.params import RECIPES, Param, shown
from protocols.datasets.info import DatasetInfo

INTRODUCTION = """\
# Fidelity

Where a paper is silent, or its text and its released code differ, swanbench makes the choice a hyper-parameter, a
split option or a variant of the data. This page lists all of them; `bench methods fidelity` writes it. *Assumption*
marks what neither the text nor the code says. A method that is *assumed* as a whole is never comparable with its
published numbers. Ids such as D7, A12 or C24 and sections such as `spec 1.12` are explained in [Facts](facts.md).
"""


def fidelity_page(methods: Iterable[MethodInfo], options: Mapping[str, str], datasets: Iterable[DatasetInfo]) -> str:
    """The page in Markdown: one table a detector, then its variants, the split options and the variants of datasets.

    `options` are the split options with what each does.
    """
    listed = list(methods)
    variants = [info for info in listed if info.variant_of]
    parts = [INTRODUCTION]
    for info in listed:
        if not info.variant_of:
            own_variants = [variant for variant in variants if variant.variant_of == info.id]
            parts.append(_detector(info, own_variants))
    parts.append(_table("Splits", ("option", "what it does"), options.items()))
    changed = [(f"`{info.id}@{name}`", text) for info in datasets for name, text in sorted(info.variants.items())]
    parts.append(_table("Variants of datasets", ("dataset", "what differs"), changed))
    differences = [(f"`{info.id}`", info.differences) for info in datasets if info.differences]
    parts.append(_table("Counts that are not the printed ones", ("dataset", "why"), differences))
    return "\n".join(part for part in parts if part)


def _detector(info: MethodInfo, variants: list[MethodInfo]) -> str:
    open_choices = {name: param for name, param in info.params.items() if param.diff or param.assumption}
    lines = [(f"`{name}`", *_values(param), param.expected, _why(param)) for name, param in open_choices.items()]
    heading = f"{info.title} (`{info.id}`, version {info.version})" + (": assumed" if info.assumed else "")
    text = _table(heading, ("hyper-parameter", *RECIPES, "may be", "why"), lines) or f"## {heading}\n"
    for variant in variants:
        settings = ", ".join(f"`{name}` = {shown(value)}" for name, value in variant.overrides.items())
        text += f"\n`{variant.id}` ({variant.title}) sets {settings or 'nothing'}.\n"
    for dataset, block in info.datasets.items():
        settings = ", ".join(f"`{name}` = {shown(value)}" for name, value in block.items())
        text += f"\nOn `{dataset}`: {settings}.\n"
    return text


def _values(param: Param) -> list[str]:
    return [shown(param.value(recipe)) for recipe in RECIPES]


def _why(param: Param) -> str:
    tags = ", ".join(filter(None, [param.diff, "assumption" if param.assumption else None]))
    note = f" {param.note}" if param.note else ""
    return f"{tags} ({param.source}).{note}"


def _table(title: str, head: tuple[str, ...], lines: Iterable[Iterable[str]]) -> str:
    rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    if not rows:
        return ""
    return "\n".join([f"## {title}\n", "| " + " | ".join(head) + " |", "|" + "---|" * len(head), *rows]) + "\n"
