"""Everything that made a number, as `bench results why` prints it: of a run, or of a cell with its runs."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from textwrap import wrap

from benchmark.planning.equivalence import measures
from methods.registry import installed
from methods.registry.info import MethodInfo
from methods.registry.params import shown
from protocols.text import plural
from reports.figures.history import CellHistory
from reports.figures.history_output import history_doubts, source_sentence
from reports.layouts.cell_ids import run_cell_id
from reports.tables.measured import weight_labels
from reports.tables.sources import published_sources
from results.record import Record
from results.spec import RunSpec

LINE_WIDTH = 80
_OF_POOLS = ("pool.", "lag.")


def printed_cells(record: Record) -> list[str]:
    """Ids of the cells that some paper prints and in which a run stands, that of its own method first."""
    method = record.spec.method
    twins = sorted(measures()(record) - {method})
    printed_ids = set(published_sources().ids)
    return [id_ for name in (method, *twins) if (id_ := run_cell_id(record, name)) in printed_ids]


def run_explanation(record: Record, cells: Sequence[str], history: CellHistory | None, traceback: Path) -> list[str]:
    """Lines on a run: published value and verdict of its cell, what bears on the number, what it was made of.

    `cells` are those in which it stands, `history` is that of the first, `traceback` is where a failed run's lies.
    """
    head = f"AUC {record.metrics.auroc!r}" if record.metrics else f"{record.status}: {record.error}"
    lines = [f"{record.spec.name}: {head}"]
    if history is None:
        lines.append(f"cell {run_cell_id(record, record.spec.method)}: no paper prints it")
    else:
        lines += [f"cell {history.id}: {history.title}", *_published(history), *_place(record, history)]
        lines += _wrapped(f"it stands in {', '.join(cells[1:])} too, by equal parameters") if cells[1:] else []
    lines += run_lines(record)
    if record.status == "failed":
        lines.append(f"traceback {traceback}; bench run ... --retry-failed tries again")
    return lines


def run_lines(record: Record) -> list[str]:
    """Lines on a run alone: counts, losses, what bears on its number, what it was made of."""
    return [*_counts([record]), *_losses(record), *_bearing([record]), *_made_of(record)]


def cell_explanation(history: CellHistory, records: Iterable[Record]) -> list[str]:
    """Lines on a cell: published values and verdicts, each run of ours with its losses, what bears on them all."""
    by_name = {record.spec.name: record for record in records}
    lines = [f"{history.id}: {history.title}", *_published(history)]
    if not history.runs:
        return [*lines, "no run of ours is there: bench run makes one, bench results list names those that there are"]
    for is_shown, title in ((True, "runs in the tables"), (False, "runs that the tables do not show")):
        runs = [run for run in history.runs if run.in_tables == is_shown]
        lines += [title] if runs else []
        width = max((len(run.name) for run in runs), default=0)
        for run in runs:
            value = (
                "; ".join(run.reasons) if run.value is None else f"{run.value:.{history.layout.paper.decimals + 1}f}"
            )
            loss = _first_to_last(by_name[run.name].history.get("loss", []))
            lines.append(f"  {run.name:{width}}  {value}" + (f"  loss {loss}" if loss else ""))
    behind = [by_name[run.name] for run in history.runs if run.in_tables or not history.measured]
    lines += [*_counts(behind), *_bearing(behind)]
    return [*lines, f"more of one run: bench results why {history.runs[0].name}"]


def unprinted_runs(name: str, records: Iterable[Record]) -> list[Record]:
    """Runs of a cell that no paper prints, such as one of data of your own: `hard/mine/dent/dra[topk=5]/10`."""
    before, _, rest = name.partition("[")
    settings, _, after = rest.partition("]")
    wanted = set(filter(None, settings.split(";")))
    if name in published_sources().ids:
        return []
    return [
        record
        for record in records
        if before + after in {run_cell_id(record, method) for method in {record.spec.method, *measures()(record)}}
        and wanted <= {f"{setting}={value}" for setting, value in record.spec.settings.items()}
    ]


def unprinted_explanation(name: str, records: Sequence[Record]) -> list[str]:
    """Lines on these runs of a cell that no paper prints: each with its losses, and what bears on them all."""
    records = sorted(records, key=lambda record: record.spec.name)
    lines = [f"{name}: no paper prints it", "runs"]
    width = max(len(record.spec.name) for record in records)
    for record in records:
        value = f"{record.metrics.auroc:.4f}" if record.metrics else f"{record.status}: {record.error}"
        loss = _first_to_last(record.history.get("loss", []))
        lines.append(f"  {record.spec.name:{width}}  {value}" + (f"  loss {loss}" if loss else ""))
    return [*lines, *_counts(records), *_bearing(records), f"more of one run: bench results why {records[0].spec.name}"]


def _published(history: CellHistory) -> Iterator[str]:
    decimals = history.layout.paper.decimals
    for judged in history.sources:
        yield from _wrapped(f"published {source_sentence(history, judged)}")
    for doubt in history_doubts(history):
        yield from _wrapped(f"on the published value: {doubt}")
    if history.measured:
        measured = history.measured
        std = "" if measured.seed_std is None else f"±{measured.seed_std:.{decimals}f}"
        over = f"over {plural(measured.n, measured.counts.removesuffix('s'))}"
        yield f"measured {measured.mean:.{decimals}f}{std} {over}, margin {history.margin:.{decimals}f}"


def _place(record: Record, history: CellHistory) -> list[str]:
    """A sentence on the run where the mean of its cell is made of others."""
    if not history.measured or any(run.name == record.spec.name and run.in_tables for run in history.runs):
        return []
    names = [run.name for run in history.runs if run.in_tables]
    return _wrapped(f"this run is not part of that mean, another series stands there: {', '.join(names)}")


def _counts(records: Sequence[Record]) -> list[str]:
    counts = {
        f"trained on {count.train_normal} normals and {plural(count.train_anomaly, 'anomaly', 'anomalies')}, tested on "
        f"{count.test_normal} normals and {plural(count.test_anomaly, 'anomaly', 'anomalies')}": None
        for record in records
        if (count := record.counts)
    }
    return [line for text in counts for line in _wrapped(f"counts {text}")]


def _losses(record: Record) -> list[str]:
    """The first and the last of each number in the history of training."""
    parts = [f"{name} {text}" for name, values in record.history.items() if (text := _first_to_last(values))]
    epochs = plural(max(map(len, record.history.values()), default=0), "epoch")
    return _wrapped(f"training, {epochs}, first to last: {'; '.join(parts)}") if parts else []


def _first_to_last(values: Sequence[float | None]) -> str:
    numbers = [value for value in values if value is not None]
    return f"{numbers[0]:.4g} to {numbers[-1]:.4g}" if numbers else ""


def _bearing(records: Sequence[Record]) -> Iterator[str]:
    """Sentences on what may have moved the number away from the paper's, and the choices that were open."""
    infos = installed.methods()
    sentences = dict.fromkeys(
        chain.from_iterable(_deviations(record, infos.get(record.spec.method)) for record in records)
    )
    yield "what bears on the number"
    for sentence in sentences or ("nothing is known to differ from the paper",):
        yield from _wrapped(f"  {sentence}", "    ")
    choices = dict.fromkeys(
        chain.from_iterable(_open_choices(record, infos.get(record.spec.method)) for record in records)
    )
    if choices:
        yield from _wrapped(f"  where text and code of the paper differ or are silent: {'; '.join(choices)}", "    ")
        methods = dict.fromkeys(record.spec.method for record in records)
        yield f"  why each: {', '.join(f'bench methods show {method}' for method in methods)}"


def _deviations(record: Record, info: MethodInfo | None) -> Iterator[str]:
    spec = record.spec
    if spec.recipe == "quick":
        yield "recipe quick: a small budget, never comparable with the paper"
    if info and info.assumed:
        yield f"{info.title} is assumed as a whole: its authors released no code"
    for label in weight_labels(record):
        yield f"weights {label}: {_weights_meaning(label)}"
    yield from (f"deviation: {text}" for text in spec.deviations)
    yield from (f"note: {text}" for text in record.notes)
    if record.has_one_score:
        yield "note: all images have one score: it tells nothing of the method"
    for name, param in info.params.items() if info else ():
        if param.assumption and _is_used(name, record):
            yield f"assumption: {name} = {shown(spec.fit.params[name])} ({param.source}). {param.note}".rstrip()


def _weights_meaning(label: str) -> str:
    _, _, kind = label.partition(" ")
    if kind.startswith("genuine:"):
        return "the file that torchvision publishes, as in the paper"
    if kind.startswith("custom:"):
        return "another file than the one that torchvision publishes, so the trunk started elsewhere than the paper's"
    if kind == "random":
        return "the trunk started from nothing, the paper's from ImageNet weights: expect a far lower AUC"
    return "nobody knows which file they were"


def _open_choices(record: Record, info: MethodInfo | None) -> Iterator[str]:
    for name, param in info.params.items() if info else ():
        if param.diff and not param.assumption and _is_used(name, record):
            yield f"{name} = {shown(record.spec.fit.params[name])} ({param.diff})"


def _is_used(name: str, record: Record) -> bool:
    """True for a hyper-parameter of the run, but not for one of pools where the fit has none."""
    return name in record.spec.fit.params and bool(record.spec.fit.pools or not name.startswith(_OF_POOLS))


def _made_of(record: Record) -> list[str]:
    """The parts of the key, then code, machine and times."""
    spec, fit = record.spec, record.spec.fit
    lines = [
        f"key {record.key} = SHA-256 of fit, test list and evaluation",
        f"fit {record.fit_key}",
        f"  detector {fit.detector} version {fit.version}, recipe {spec.recipe}, seed {fit.seed}",
        f"  {fit.precision}, {fit.size} px ({fit.resize})",
        *(f"  {name} = {value}" for name, value in sorted(fit.params.items())),
        f"data {spec.split.dataset} {spec.split.dataset_fingerprint}",
        f"  split {spec.split.rule}, seed {spec.split_seed}, options {spec.split.options or 'none'}",
        f"  training normals {fit.train_normal}",
        f"  training anomalies {fit.train_anomaly}",
        f"  test list {spec.test}",
        "evaluation "
        + (
            f"{spec.evaluation.order} order, batches of {spec.evaluation.batch}"
            if spec.evaluation
            else "independent of batch and order"
        ),
        *(f"weights {arch} {digest}" for arch, digest in fit.weights.items()),
        *(f"pool {pool}: {part.dataset} {part.fingerprint}" for pool, parts in fit.pools.items() for part in parts),
        *([f"starts from the fit {fit.source} {_source_words(spec)}"] if fit.source else []),
    ]
    if provenance := record.provenance:
        lines += [
            f"made by swanbench {provenance.package_version}, commit {provenance.git_commit or 'unknown'}"
            + (" (changed since)" if provenance.git_dirty else ""),
            f"  code digest {provenance.code_digest}",
            f"  numerics class {provenance.numerics_class}, {provenance.cpu}, started {provenance.started}",
            "  " + ", ".join(f"{name} {version}" for name, version in provenance.libraries.items()),
        ]
    return [*lines, *(f"time {name} {seconds:.1f}" for name, seconds in record.timings.items())]


def _source_words(spec: RunSpec) -> str:
    if spec.is_fine_tuned or spec.source is None:
        return f"on {spec.split.source_dataset}"
    return f"of {spec.source.detector} version {spec.source.version} on the same images, seed {spec.source.seed}"


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    return wrap(text, LINE_WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
