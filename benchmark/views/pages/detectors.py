"""A page of documentation for each detector, made of its recipe and of the runs at hand."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from benchmark.planning.equivalence import detector_versions, measures
from benchmark.planning.installed import InstalledCode
from benchmark.planning.suite import suite_names
from benchmark.views.pages.fact_links import FactLinks
from benchmark.views.pages.remaking import remake_command
from methods.registry.info import MethodInfo
from methods.registry.params import RECIPES, Param, shown
from protocols.text import plural
from reports.layouts import layout
from reports.layouts.cell_ids import cell_id, run_cell_id
from reports.pages.page import measured_texts
from reports.pages.sentences import cell_words
from reports.tables.lookup import latest_records
from reports.tables.table import Cell, Table, build_table
from reports.text import escape_markdown, pipe_table
from results.record import Record

HEADINGS = (
    "Idea",
    "Recipe",
    "Switches and their sources",
    "Numbers of the history",
    "Measured cells",
    "The commands that made them",
)
"""Headings of every page, in their order."""

_RECIPES_TEXT = (
    "Values of the recipes `official` (the authors' released code), `paper` (the text) and `quick` (a small budget for "
    "two CPU cores, never comparable with a paper). A row in bold differs between the first two."
)
_NOT_EXPLAINED = "The recipe does not say what the numbers of a fit's history are."
_CELL_HEADINGS = ("cell", "recipe", "n", "published", "measured", "verdict", "tables")
_SERIES_HEADINGS = ("cell", "recipe", "precision", "runs", "AUC")


class _CellRow(NamedTuple):
    """A measured cell in words; tables that print the same of it share one."""

    cell: str
    recipe: str
    n: str
    published: str
    measured: str
    verdict: str


@dataclass(frozen=True)
class DetectorPages:
    """Pages of detectors: `methods` are all that are installed, `records` the runs that the pages may show.

    links: to the page of facts; None where a page stands alone.
    """

    methods: Mapping[str, MethodInfo]
    records: Sequence[Record]
    links: FactLinks | None = None

    def detectors(self) -> list[MethodInfo]:
        """The installed detectors, without variants."""
        return [info for info in self.methods.values() if info.variant_of is None]

    def index(self, address: Callable[[str], str]) -> str:
        """A page in Markdown that names all detectors and links to their pages; `address` is a page's, by its id."""
        rows = [
            (
                f"[{escape_markdown(info.title)}]({address(info.id)})",
                f"`{info.id}`",
                ", ".join(map(_words, info.rules)),
                str(sum(variant.variant_of == info.id for variant in self.methods.values())),
                str(len(self._runs(info))),
                escape_markdown(info.summary),
            )
            for info in self.detectors()
        ]
        heading = ("detector", "id", "settings", "variants", "runs", "summary")
        return (
            "# Detectors\n\nEach page is made of the detector's recipe and of the packaged runs when these pages are "
            "built. `bench methods page METHOD` prints one with runs of your own; `bench methods show METHOD` lists a "
            f"recipe.\n\n{pipe_table(heading, rows)}\n"
        )

    def page(self, info: MethodInfo) -> str:
        """The page of a detector, or of a variant, in Markdown; its headings are `HEADINGS`."""
        detector = self.methods[info.variant_of] if info.variant_of else info
        runs = self._runs(detector, info.id if info.variant_of else None)
        parts = (
            _idea(info),
            self._recipe(info),
            self._switches(info),
            _history(info),
            self._cells(runs),
            _commands(info, runs),
        )
        title = f"# {escape_markdown(info.title)} (`{info.id}`)\n"
        sections = (f"## {heading}\n\n{part}\n" for heading, part in zip(HEADINGS, parts, strict=True))
        return "\n".join([title, *sections])

    def _runs(self, info: MethodInfo, method: str | None = None) -> list[Record]:
        """The finished runs of a detector, or of one of its methods, the newest of each key."""
        finished = (record for record in self.records if record.metrics and record.spec.fit.detector == info.id)
        measured_as = measures()
        return [record for record in latest_records(finished) if method is None or method in measured_as(record)]

    def _recipe(self, info: MethodInfo) -> str:
        rows = [(f"`{name}`", *_values(info, name, param)) for name, param in info.params.items()]
        parts = [
            _RECIPES_TEXT,
            pipe_table(("hyper-parameter", *RECIPES), rows) if rows else "It has no hyper-parameters.",
        ]
        for recipe, block in info.recipes.items():
            if block.split:
                parts.append(f"Recipe `{recipe}` sets the split options {_settings(block.split)}.")
            parts += [f"On `{name}`, recipe `{recipe}`: {_settings(values)}." for name, values in block.dataset.items()]
        parts += [f"On `{dataset}`: {_settings(block)}." for dataset, block in info.datasets.items()]
        variants = [variant for variant in self.methods.values() if variant.variant_of == info.id]
        if variants:
            named = [
                (f"`{variant.id}`", escape_markdown(variant.title), _settings(variant.overrides) or "nothing")
                for variant in variants
            ]
            parts.append("Its variants set values that hold in every recipe:")
            parts.append(pipe_table(("variant", "title", "sets"), named))
        return "\n\n".join(parts)

    def _switches(self, info: MethodInfo) -> str:
        if not info.params:
            return "There are none."
        ids = {name for param in info.params.values() for name in (param.diff or "").split(", ")}
        rows = [
            (
                f"`{name}`",
                escape_markdown(_expected(param)),
                self._linked(param.source, ids),
                self._linked(param.diff or "", ids),
                "yes" if param.assumption else "",
                escape_markdown(param.note),
            )
            for name, param in info.params.items()
        ]
        assumed = sum(param.assumption for param in info.params.values())
        where = "The links lead to" if self.links else "docs/facts.md has"
        text = (
            f"`--set {info.id}.NAME=VALUE` changes one; keys hold the resolved values. {assumed} of "
            f"{plural(len(rows), 'hyper-parameter')} {'is' if assumed == 1 else 'are'} by assumption: neither the text "
            f"nor the code says them. {where} what an id or a section stands for."
        )
        return f"{text}\n\n{pipe_table(('hyper-parameter', 'may be', 'source', 'id', 'assumption', 'note'), rows)}"

    def _linked(self, text: str, ids: Iterable[str]) -> str:
        escaped = escape_markdown(text)
        return self.links.linked(escaped, ids) if self.links else escaped

    def _cells(self, runs: Sequence[Record]) -> str:
        if not runs:
            return "Nothing is measured here yet."
        series = {record.series for record in runs}
        tables_of_row: dict[_CellRow, list[str]] = {}
        placed = set[str]()
        for built in self._tables:
            for cell in built.cells:
                if cell.measured and series.issuperset(cell.measured.series):
                    tables_of_row.setdefault(_cell_row(built, cell), []).append(built.layout.id)
                    placed.update(cell.measured.series)
        rows = [(*row, escape_markdown(", ".join(tables))) for row, tables in tables_of_row.items()]
        parts = [
            pipe_table(_CELL_HEADINGS, rows) if rows else "No cell of a paper is measured by these runs.",
            "`bench report --cell CELL` prints the history of a cell."
            + (" [Verdicts](../verdicts.md) says how they are told." if self.links else ""),
        ]
        others = _series_rows(record for record in runs if record.series not in placed)
        if others:
            parts.append("Runs that no such cell shows: other settings, another precision or fewer seeds.")
            parts.append(pipe_table(_SERIES_HEADINGS, others))
        return "\n\n".join(parts)

    @cached_property
    def _tables(self) -> list[Table]:
        """The tables of all papers with these records, built when they are first asked for."""
        measured_as, versions, stale = measures(), detector_versions(), InstalledCode(accept=False).stale
        return [
            build_table(layout.auc_layout(name), self.records, measures=measured_as, versions=versions, stale=stale)
            for name in layout.auc_table_ids()
        ]


def _idea(info: MethodInfo) -> str:
    facts = [
        f"Settings: {', '.join(map(_words, info.rules))}.",
        "It learns from labelled anomalies." if info.anomalies else "It is given no labelled anomalies.",
    ]
    if info.capabilities.backbones:
        facts.append(f"Trunk: {', '.join(info.capabilities.backbones)}.")
    if not info.independent_scores:
        facts.append("The score of an image depends on its batch.")
    if info.assumed:
        facts.append("The sources say too little: the whole method is an assumption, never comparable with a paper.")
    facts += [f"It needs the package {name}: `pip install '{pip}'`." for name, pip in info.packages.items()]
    parts = [escape_markdown(text) for text in (info.summary, info.citation) if text]
    return "\n\n".join([*parts, f"{' '.join(facts)} Version {info.version}, `{info.detector}`."])


def _history(info: MethodInfo) -> str:
    if not info.history:
        return _NOT_EXPLAINED
    rows = [(f"`{name}`", escape_markdown(meaning)) for name, meaning in info.history.items()]
    text = "`bench results curves RUN` draws them. Where nothing else is said, there is one an epoch."
    return f"{text}\n\n{pipe_table(('name', 'what it is'), rows)}"


def _commands(info: MethodInfo, runs: Sequence[Record]) -> str:
    parts = []
    for series_runs in _by_series(runs):
        command = remake_command(series_runs)
        if command:
            parts.append(
                f"`{run_cell_id(series_runs[0], series_runs[0].spec.method)}`, {plural(len(series_runs), 'run')}:"
            )
            parts.append(f"```sh\n{command}\n```")
    if any("=FILE" in part for part in parts):
        parts.append("FILE stands for weights that are no published file.")
    if parts:
        return "\n\n".join(parts)
    suite = next((rule for rule in info.rules if rule in suite_names()), None)
    if suite is None:
        return "None has been run yet."
    command = f"bench run --suite {suite} --method {info.id}"
    return f"None has been run yet. This one makes the first runs:\n\n```sh\n{command}\n```"


def _cell_row(table: Table, cell: Cell) -> _CellRow:
    measured = cell.measured
    if measured is None:
        raise ValueError("a row needs a measured cell")
    mean, std = measured_texts(table, measured)
    percent = " %" if table.unit == "percent" else ""
    published = cell.published
    printed = f"{published.mean_text}±{published.std_text}" if published and published.std_text else ""
    reasons = f"; not comparable: {'; '.join(measured.reasons)}" if measured.reasons else ""
    return _CellRow(
        cell=f"`{cell_id(table.layout, cell.coordinates)}`",
        recipe=measured.recipe,
        n=str(measured.n),
        published=(printed or (published.mean_text if published else "")) + (percent if published else ""),
        measured=f"**{mean}**{f'±{std}' if std else ''}{percent}",
        verdict=escape_markdown(cell_words(table, cell, table.layout.paper.decimals) + reasons),
    )


def _series_rows(runs: Iterable[Record]) -> list[tuple[str, ...]]:
    return [
        (
            f"`{run_cell_id(series_runs[0], series_runs[0].spec.method)}`",
            series_runs[0].spec.recipe,
            series_runs[0].spec.fit.precision,
            str(len(series_runs)),
            ", ".join(f"{record.metrics.auroc:.3f}" for record in series_runs if record.metrics),
        )
        for series_runs in _by_series(runs)
    ]


def _by_series(runs: Iterable[Record]) -> list[list[Record]]:
    """Runs by series, in the order of their cells and recipes."""
    series: dict[str, list[Record]] = {}
    for record in runs:
        series.setdefault(record.series, []).append(record)
    return sorted(map(_by_seed, series.values()), key=_series_order)


def _by_seed(runs: Iterable[Record]) -> list[Record]:
    return sorted(runs, key=lambda record: (record.spec.split_seed, record.spec.fit.seed))


def _series_order(runs: Sequence[Record]) -> tuple[str, str, str, str]:
    spec = runs[0].spec
    return run_cell_id(runs[0], spec.method), spec.recipe, spec.fit.precision, runs[0].series


def _values(info: MethodInfo, name: str, param: Param) -> Iterator[str]:
    """The value in each recipe, in bold where the text and the code differ; a variant's own value in all of them."""
    values = [info.overrides.get(name, param.value(recipe)) for recipe in RECIPES]
    differ = values[0] != values[1]
    for recipe, value in zip(RECIPES, values, strict=True):
        text = f"`{shown(value)}`"
        yield f"**{text}**" if differ and recipe != "quick" else text


def _expected(param: Param) -> str:
    conditions = (
        f"only where {switch} is {' or '.join(map(shown, values))}" for switch, values in param.only_where.items()
    )
    return "; ".join([param.expected, *conditions])


def _settings(values: Mapping[str, object]) -> str:
    return ", ".join(f"`{name}` = `{shown(value)}`" for name, value in values.items())


def _words(name: str) -> str:
    return name.replace("_", " ")
