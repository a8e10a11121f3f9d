"""Options of `bench run`: which go together, and those of a call as somebody typed them."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from benchmark.errors import BenchError
from benchmark.terminal.options import each_once
from methods.devices import Device, best_device, parse_device
from protocols.text import near_miss
from protocols.values import ParamValue

WITH_ADDRESS = ("dask", "ray")
"""Engines that take --address."""
SLURM_OPTIONS = (
    "account", "begin", "comment", "constraint", "deadline", "exclude", "gpus", "gpus-per-node", "gpus-per-task",
    "gres", "hint", "licenses", "mail-type", "mail-user", "mem", "mem-per-cpu", "mem-per-gpu", "nice", "nodelist",
    "partition", "prefer", "priority", "qos", "reservation", "time", "time-min", "tmp", "wckey",
)  # fmt: skip
"""Options of sbatch that --slurm passes on."""
OF_THE_ENGINE = {
    "cpus-per-task": "give --threads, the cores of one job",
    "array": "the fits that can start are one array; --jobs says how many run at once",
    **dict.fromkeys(("nodes", "ntasks", "ntasks-per-node"), "a fit runs as one process, on one node"),
    **dict.fromkeys(("output", "error", "job-name", "requeue", "no-requeue", "signal", "wrap"), "the engine sets it"),
}
"""Options of sbatch that follow from others, with what to do instead."""


def check_choice(options: dict[str, Any]) -> None:
    """Refuse options that mean nothing together; raises BenchError."""
    if options["form"] != "text" and not options["plan_only"]:
        raise BenchError(f"--format {options['form']} is a form of a plan: give --plan with it")
    if options["form"] == "tasks" and (options["as_json"] or options["settle"] or options["budget"]):
        raise BenchError("--format tasks names every missing fit: leave out --json, --settle and --budget")
    if (options["shard"] or options["fits"]) and (options["settle"] or options["budget"]):
        raise BenchError("--settle and --budget choose among all fits: leave out --shard and --fit")
    if options["as_json"] and not options["plan_only"]:
        raise BenchError("--json prints a plan: give --plan with it, or see bench results list --json for runs")
    name = "--settle" if options["settle"] else "--budget"
    if not (options["settle"] or options["budget"]):
        return
    for other, text in (("force", "--force"), ("retry_failed", "--retry-failed"), ("audit", "--audit-selection")):
        if options[other]:
            raise BenchError(f"{name} chooses among missing runs: leave out {text}, or give it without {name}")


def check_engine(options: dict[str, Any]) -> None:
    is_slurm = options["engine"] == "slurm"
    if options["slurm"] and not is_slurm:
        raise BenchError("--slurm is an option of SLURM's jobs: give --engine slurm with it")
    parse_slurm_options(options["slurm"])
    if options["address"] is not None and options["engine"] not in WITH_ADDRESS:
        raise BenchError("--address says where a cluster is: give --engine dask or ray with it")
    if is_slurm and options["threads"] is None:
        raise BenchError("with --engine slurm give --threads too: the cores of one job")
    if options["address"] is not None and options["threads"] is None:
        raise BenchError("with --address give --threads too: the cores of one of its workers")


def parse_slurm_options(texts: Sequence[str]) -> dict[str, str]:
    """The options of `--slurm OPTION=VALUE`, by name; raises BenchError."""
    options: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().removeprefix("--").replace("_", "-")
        if name in OF_THE_ENGINE:
            raise BenchError(f"--slurm {name}: {OF_THE_ENGINE[name]}")
        if name not in SLURM_OPTIONS:
            raise BenchError(f"--slurm {text}: no option '{name}'; {near_miss(name, SLURM_OPTIONS)}")
        if not value.isprintable():
            raise BenchError(f"--slurm {name}: its value holds a line break or such: leave that out")
        if not equals or not value.strip():
            raise BenchError(f"--slurm {text}: give a value too, as in --slurm {name}=VALUE")
        if name in options:
            raise BenchError(f"--slurm {name} is given twice: keep one")
        options[name] = value.strip()
    return options


def due_states(options: dict[str, Any]) -> set[Any]:
    """The states of runs that are due."""
    states = {"missing"}
    if options["retry_failed"] or options["force"]:
        states.add("failed")
    if options["force"]:
        states |= {"cached", "stale"}
    return states


def runs_elsewhere(options: dict[str, Any]) -> bool:
    """True where fits run on other machines than this one."""
    return options["address"] is not None or options["engine"] == "slurm"


def chosen_device(options: dict[str, Any]) -> Device:
    """The device that --device names, whose own name takes its place; one that is to be used here must be here."""
    name, precision, is_here = options["device"], options["precision"], not runs_elsewhere(options)
    if name == "auto" and not is_here:
        raise BenchError("--device auto looks at this machine: name the device of the machines on which fits run")
    if name != "auto" and "auto" in name.split(","):
        raise BenchError("--device auto is no part of a list: give it alone, or numbered devices such as cuda:0,cuda:1")
    device = best_device() if name == "auto" else parse_device(name)
    if precision == "bf16" and not device.traits.bf16:
        raise BenchError(f"device '{device}' does not compute in bf16: give --precision fp32")
    missing = device.missing() if is_here else None
    if missing:
        raise BenchError(f"no device '{name}' on this machine, {missing}: give --device cpu, or run where one is")
    options["device"] = str(device)
    return device


def parse_settings(
    texts: tuple[str, ...],
) -> tuple[dict[str, dict[str, ParamValue]], dict[str, dict[str, tuple[ParamValue, ...]]]]:
    """The first value of each `--set` by method and parameter, and all values where it has several."""
    from methods.registry import installed
    from methods.registry.sweeps import parse_setting

    parsed = [parse_setting(text, installed.methods() if "," in text else {}) for text in texts]
    shown = ((f"{method}.{name}", values[0] if len(values) == 1 else values) for method, name, values in parsed)
    each_once("--set", shown)
    sets: dict[str, dict[str, ParamValue]] = {}
    sweeps: dict[str, dict[str, tuple[ParamValue, ...]]] = {}
    for method, name, values in parsed:
        sets.setdefault(method, {})[name] = values[0]
        if len(values) > 1:
            sweeps.setdefault(method, {})[name] = values
    return sets, sweeps


def given_words(context: click.Context, leave_out: Collection[str]) -> list[str]:
    """The options that the command line gave, in their order in the help, without the parameters `leave_out`."""
    words: list[str] = []
    for param in context.command.get_params(context):
        name = param.name or ""
        is_given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if is_given and name not in leave_out and isinstance(param, click.Option):
            words += _words(param, context.params[name])
    return words


def _words(option: click.Option, value: Any) -> list[str]:
    name = option.opts[0]
    if option.is_flag:
        return [name]
    if option.multiple:
        return [word for one in value for word in (name, str(one))]
    if isinstance(value, tuple):
        return [name, ",".join(map(str, value))]
    if isinstance(value, float):
        return [name, f"{Decimal(repr(value)):f}s"]
    return [name, str(value.absolute() if isinstance(value, Path) else value)]
