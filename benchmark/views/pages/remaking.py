"""Commands that make runs: those behind a cell again, and those that a table still lacks."""

import functools
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmark.errors import BenchError
from benchmark.planning.inputs.fit_params import fit_params
from benchmark.planning.suite import Suite, load_suite, suite_names
from methods.errors import MethodError
from methods.registry import installed
from methods.registry.base import resolve_base
from methods.registry.params import shown
from methods.registry.recipe import resolve
from protocols.coordinates import COORDINATE_FIELDS
from protocols.splits.draw.options import SPLIT_FILE
from reports.layouts.layout import Layout
from reports.tables.lookup import LookupKey
from results.record import Record
from results.store import Store


def remake_command(records: Sequence[Record]) -> str:
    """The command that makes these runs of one method again.

    FILE stands for weights that are no published file, and for a split that was drawn elsewhere. Empty where
    no suite has their rule.
    """
    first = records[0].spec
    if first.split.rule not in suite_names():
        return ""
    seeds = {record.spec.fit.seed for record in records}
    split_seeds = {record.spec.split_seed for record in records}
    words = ["bench", "run", "--suite", first.split.rule, "--method", first.method]
    words += ["--dataset", _joined(record.spec.split.dataset for record in records)]
    for name in COORDINATE_FIELDS:
        texts = [record.spec.split.coordinate_texts[name] for record in records]
        words += [_option(name), _joined(texts)] if any(texts) else []
    words += ["--seed", _joined(map(str, sorted(seeds)))]
    is_filed = SPLIT_FILE in first.split.options
    if not is_filed and any(record.spec.split_seed != record.spec.fit.seed for record in records):
        words += ["--split-seed", _joined(map(str, sorted(split_seeds)))]
    words += ["--recipe", first.recipe]
    for assignment in dict.fromkeys(text for record in records for text in _assignments(record)):
        words += ["--set", assignment]
    for name, value in first.split.options.items():
        words += ["--split-file", "FILE"] if is_filed else ["--split", f"{name}={shown(value)}"]
    words += [word for text in dict.fromkeys(map(_weights, records)) for word in text]
    return shlex.join([*words, *_precision(records[0])])


def refuse_unkept(record: Record, store: Store, folder: Path | None) -> None:
    """Raise BenchError, with the command that keeps one, where no model of a run is kept; `folder` is as --results has
    it.
    """
    if store.model_path(record.fit_key).is_file():
        return
    name = record.spec.name
    if record.status == "failed":
        raise BenchError(f"{name} failed, so that it has no model: bench results why {record.key[:8]} says more")
    words = ["--keep-models", *([] if folder is None else ["--results", shlex.quote(str(folder))])]
    remade = remake_command([record])
    command = f"'{remade} {' '.join(words)}'" if remade else "the command that made it, with --keep-models,"
    raise BenchError(f"no model of {name} is kept in {store.root}: {command} makes its fit again and keeps it")


def fill_command(layout: Layout, keys: Sequence[LookupKey]) -> str:
    """The command that makes the runs of missing cells of a table; empty where no suite has their rule."""
    rules = dict.fromkeys(key.rule for key in keys)
    suites = {rule: _suite_of(layout.id, rule) for rule in rules}
    commands = [
        _fill(suite, [key for key in keys if key.rule == rule]) for rule, suite in suites.items() if suite is not None
    ]
    return " && ".join(commands)


def _fill(suite: Suite, keys: Sequence[LookupKey]) -> str:
    splits = [key.split for key in keys]
    datasets = list(dict.fromkeys(split["dataset"] for split in splits))
    words = ["bench", "run", "--suite", suite.id, "--method", _joined(key.method for key in keys)]
    words += [] if {*datasets} >= {*suite.datasets} else ["--dataset", _joined(datasets)]
    for name, field in COORDINATE_FIELDS.items():
        values = [split[name] for split in splits if split[name]]
        if values and (field.role == "labels" or (field.role == "subset" and len(datasets) == 1)):
            words += [_option(name), _joined(values)]
    return shlex.join(words)


@functools.cache
def _suite_of(table: str, rule: str) -> Suite | None:
    """The suite that fills a table under a rule, else the one that is named like the rule."""
    suites = [load_suite(name) for name in suite_names()]
    of_table = [suite for suite in suites if suite.table == table and suite.rule == rule]
    return next(iter(of_table), next((suite for suite in suites if suite.id == rule), None))


def _assignments(record: Record) -> Iterable[str]:
    """Parameters that are not the recipe's, which `--set` gives."""
    spec = record.spec
    try:
        params = resolve(installed.get(spec.method), spec.recipe, spec.split.dataset, {}).params
    except MethodError:
        return
    usual = fit_params(params, fine_tuned=spec.is_fine_tuned)
    for name, value in sorted(spec.fit.params.items()):
        if name in usual and usual[name] != value:
            yield f"{spec.method}.{name}={shown(value)}"
    size = params.get("img_size")
    is_set = spec.fit.size != size if isinstance(size, int) else "img_size" in spec.settings
    if is_set and spec.fit.size:
        yield f"{spec.method}.img_size={spec.fit.size}"
    yield from _base_assignments(record)


def _base_assignments(record: Record) -> Iterable[str]:
    """Parameters of the base fit that are neither its recipe's nor the method's own."""
    spec, info = record.spec, installed.get(record.spec.method)
    if info.base is None or spec.source is None:
        return
    try:
        base = resolve_base(info, spec.fit.params, installed.methods(), spec.split.dataset, {})
    except (MethodError, KeyError):
        return
    usual = fit_params(base.resolved.params)
    for name, value in sorted(spec.source.params.items()):
        if name in usual and usual[name] != value and name not in info.base.shared:
            yield f"{base.info.id}.{name}={shown(value)}"


def _weights(record: Record) -> tuple[str, ...]:
    """The option that gives weights which are not found by themselves."""
    labels = record.provenance.weights if record.provenance else {}
    if "random" in labels.values():
        return "--weights", "random"
    custom = [arch for arch, label in labels.items() if not label.startswith("genuine:")]
    return tuple(word for arch in custom for word in ("--weights", f"{arch}=FILE"))


def _precision(record: Record) -> list[str]:
    info = installed.methods().get(record.spec.method)
    return ["--precision", record.spec.fit.precision] if info is None or info.takes_precision else []


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _joined(texts: Iterable[str]) -> str:
    return ",".join(dict.fromkeys(text for text in texts if text))
