"""The parts by name."""

import importlib
import pkgutil
from typing import Protocol, cast

from perf import parts
from perf.ratios import MeasurePlan, Ratios


class Part(Protocol):
    """A module of `perf.parts`: its title, a sentence on what it measures, and its ratios."""

    TITLE: str
    SAYS: str

    def measure_ratios(self, plan: MeasurePlan) -> Ratios: ...


def part_names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(parts.__path__))


def find_part(name: str) -> Part:
    return cast("Part", importlib.import_module(f"perf.parts.{name}"))
