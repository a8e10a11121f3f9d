"""Cells of a plan's tables with the runs that can be added to each, split seed by split seed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmark.planning.equivalence import detector_versions, measures, spec_measures
from benchmark.planning.installed import InstalledCode
from benchmark.planning.types import Plan, PlannedRun
from benchmark.views.derived import derive_words
from benchmark.views.metric_values import scores_digest, scores_finder
from methods.backbones.find import WeightsFile
from reports.layouts.cell_ids import cell_id
from reports.layouts.layout import Layout
from reports.tables.lookup import Lookup, LookupKey, split_key
from reports.tables.measured import COMPARABLE_RECIPES, GENUINE
from reports.tables.prospects import CellProspect, table_prospects
from reports.tables.table import Cell, Table, build_tables, lookup_keys
from results.store import Store


@dataclass(frozen=True)
class SeedStep:
    """The missing runs of a cell with one split seed; `adds` is by how much they raise its n."""

    split_seed: int
    runs: tuple[PlannedRun, ...]
    adds: int


@dataclass(frozen=True)
class CellOutlook:
    """A cell with its id and table, what runs can do for it, and the steps by which they can be added."""

    id: str
    table: str
    prospect: CellProspect
    steps: tuple[SeedStep, ...]

    @property
    def name(self) -> str:
        """The id with the table in front."""
        return f"{self.table}/{self.id}"


def plan_outlooks(
    plan: Plan, layouts: Sequence[Layout], store: Store, code: InstalledCode, warn: Callable[[str], None]
) -> list[CellOutlook]:
    """The leaf cells of these tables that the plan has runs of, each once; of several tables' cells the first counts.

    Cells hold what the plan's own series measured, with whatever seeds: a verdict of other settings is another one.
    """
    planned = _runs_by_key(plan)
    tables = build_tables(layouts, _lookup(plan, store, code, warn))
    outlooks: dict[tuple[LookupKey, ...], CellOutlook] = {}
    for table in tables:
        for prospect in table_prospects(table, partial(_planned_reasons, planned)):
            keys = tuple(lookup_keys(table.layout, prospect.cell))
            id_ = cell_id(table.layout, prospect.cell.coordinates)
            steps = tuple(_steps(prospect.cell, [planned[key] for key in keys]))
            outlooks.setdefault(keys, CellOutlook(id_, table.layout.id, prospect, steps))
    return list(outlooks.values())


def _lookup(plan: Plan, store: Store, code: InstalledCode, warn: Callable[[str], None]) -> Lookup:
    """The records of the plan's series."""
    series = {run.spec.series for run in plan.runs if run.spec}
    records = derive_words((record for record in store.records() if record.series in series), warn)
    digest = partial(scores_digest, scores_finder([store], warn))
    return Lookup(records, measures(), detector_versions(), code.stale, scores_digest=digest)


def _runs_by_key(plan: Plan) -> Mapping[LookupKey, list[PlannedRun]]:
    """The runs that are not blocked, by each cell that they measure."""
    measured_ids = spec_measures()
    runs: defaultdict[LookupKey, list[PlannedRun]] = defaultdict(list)
    for run in plan.runs:
        if run.spec is not None:
            for method in measured_ids(run.spec):
                runs[split_key(run.spec.split, method)].append(run)
    return runs


def _planned_reasons(planned: Mapping[LookupKey, list[PlannedRun]], table: Table, cell: Cell) -> list[str] | None:
    """Why the planned runs of a cell will not be comparable; None where a subset of it has none."""
    keys = list(lookup_keys(table.layout, cell))
    if not keys or any(key not in planned for key in keys):
        return None
    first = [planned[key][0] for key in keys]
    return list(dict.fromkeys(text for run in first for text in _reasons(table.layout, cell, run)))


def _reasons(layout: Layout, cell: Cell, run: PlannedRun) -> Iterator[str]:
    if run.spec is None or run.fit is None:
        return
    if run.spec.recipe not in COMPARABLE_RECIPES:
        yield f"recipe {run.spec.recipe}"
    other_data = layout.other_data(cell.coordinates, run.spec.split.dataset)
    if other_data:
        yield other_data
    yield from (f"weights {file.arch} {file.label}" for file in _files(run) if not file.label.startswith(GENUINE))
    yield from run.spec.deviations


def _files(run: PlannedRun) -> Iterable[WeightsFile]:
    return run.fit.weights.values() if run.fit else ()


def _steps(cell: Cell, subsets: Sequence[Sequence[PlannedRun]]) -> Iterator[SeedStep]:
    """Split seeds with missing runs, in the order of the plan; those of which a subset cannot be run are left out."""
    measured = cell.measured if cell.verdict.name != "stale" else None
    split_seeds_held = {seeds.split_seed for seeds in measured.per_seed} if measured else set()
    counts_trainings = measured is not None and measured.counts == "trainings" and not measured.reasons
    for split_seed in dict.fromkeys(run.wanted_run.split_seed for runs in subsets for run in runs):
        of_seed = [[run for run in runs if run.wanted_run.split_seed == split_seed] for runs in subsets]
        every = [run for runs in of_seed for run in runs]
        missing = {run.spec.key: run for run in every if run.state == "missing" and run.spec}
        if not missing or not all(of_seed) or any(run.state in {"failed", "stale"} for run in every):
            continue
        trainings = len({run.wanted_run.seed for run in missing.values()})
        adds = trainings if counts_trainings else int(split_seed not in split_seeds_held)
        yield SeedStep(split_seed, tuple(missing.values()), adds)
