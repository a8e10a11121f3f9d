"""`bench doctor`: what this machine has, and what hinders runs on it."""

from typing import TYPE_CHECKING, Any

import click

from benchmark.terminal.options import echo_json, json_option, results_option, say

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark.upkeep.diagnosis import Finding


@click.command("doctor", short_help="Say what this machine has, and what hinders runs on it.")
@click.option("--deep", is_flag=True, help="Ask torch too: accelerators, a small calculation, files of weights.")
@results_option
@json_option
@click.pass_context
def command(ctx: click.Context, *, deep: bool, results: "Path | None", as_json: bool) -> None:
    """Versions, processor, folders, weights, datasets, plug-ins and extras; then what to mend.

    Exit status 1 where something hinders runs, 0 where there are warnings at most.
    """
    facts, findings = _examined(results, deep=deep)
    hindrances = sum(finding.hinders for finding in findings)
    if as_json:
        echo_json(facts | {"findings": [{"hinders": finding.hinders, "text": finding.text} for finding in findings]})
    else:
        for line in _lines(facts):
            say(line)
        for finding in sorted(findings, key=lambda finding: not finding.hinders):
            say(f"{'hinders' if finding.hinders else 'warning'}: {finding.text}")
        say(f"{hindrances} to mend before a run" if hindrances else "nothing hinders a run")
    ctx.exit(1 if hindrances else 0)


def _examined(results: "Path | None", *, deep: bool) -> "tuple[dict[str, Any], list[Finding]]":
    """Everything that is looked at, as JSON can hold it, and what it means."""
    import platform
    from dataclasses import asdict

    from benchmark import numerics
    from benchmark.paths import resolve_folders
    from benchmark.upkeep import diagnosis, inventory
    from benchmark.upkeep.filesystem import folder_states
    from benchmark.upkeep.memory import machine_limits
    from methods.devices import CPU, DEFAULT_PRECISION

    folders = resolve_folders(results)
    allowed, precision = machine_limits(), DEFAULT_PRECISION
    expected = numerics.expected_numerics_class(precision=precision, threads=1)
    torch = inventory.examine_torch(precision, threads=1) if deep else None
    written = folder_states(folders, results_given=results is not None)
    weights, others, problem = inventory.weights_by_architecture(folders, deep=deep)
    states, plug_ins, requirements = (
        inventory.dataset_states(folders.data),
        inventory.list_plug_ins(),
        inventory.package_requirements(),
    )
    facts = {
        "versions": inventory.library_versions(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": numerics.cpu_name(),
        "instruction_sets": inventory.instruction_sets(),
        "limits": asdict(allowed),
        "precision": precision,
        "native_precision": CPU.native_precision,
        "numerics_class": torch.numerics_class if torch else expected,
        "torch": asdict(torch) if torch else None,
        "folders": [asdict(folder) for folder in written],
        "weights_from": folders.weights,
        "hub": str(folders.hub),
        "weights": [asdict(state) for state in weights],
        "other_weights_files": [asdict(file) for file in others],
        "features": inventory.feature_state(folders.cache),
        "models": inventory.model_state(folders.results),
        "datasets": states,
        "costs": inventory.measured_kinds(folders.cache),
        "plug_ins": [asdict(plug_in) for plug_in in plug_ins],
        "extras": {name: parts for name, parts in requirements.items() if name},
        "lacking_methods": inventory.lacking_methods(),
    }
    findings = [
        *diagnosis.package_findings(requirements, plug_ins),
        *(finding for folder in written for finding in diagnosis.folder_findings(folder)),
        *diagnosis.weights_findings(weights, others, problem, folders.weights),
        *diagnosis.dataset_findings(states),
        *diagnosis.machine_findings(allowed, expected, torch),
        *diagnosis.environment_findings(),
    ]
    return facts, findings


def _lines(facts: dict[str, Any]) -> list[str]:
    """One screen for a person: a word, then what there is."""
    from protocols.text import plural
    from protocols.text import size_in_words as size

    versions = {name: number or "is not installed" for name, number in facts["versions"].items()}
    head = f"swanbench {versions.pop('swanbench')}, python {versions.pop('python')}, {facts['system']}"
    sets = f" ({', '.join(facts['instruction_sets'])})" if facts["instruction_sets"] else ""
    torch, limits = facts["torch"], facts["limits"]
    share = f", the time of {limits['processors']:.1f}" if limits["processors"] < limits["cores"] else ""
    origin = "as torch says" if torch else "expected; --deep asks torch"
    native = facts["native_precision"]
    faster = f", --precision {native} is faster" if native != facts["precision"] else ""
    rows = [
        ("libraries", ", ".join(f"{name} {number}" for name, number in versions.items())),
        ("processor", f"{facts['processor']}{sets}, {limits['cores']} cores{share}"),
        (
            "memory",
            f"{size(limits['memory'])}, {size(limits['free'])} free" if limits["memory"] else "unknown",
        ),
        ("numerics", f"{facts['numerics_class'] or 'unknown'}, trunk in {facts['precision']}{faster} ({origin})"),
        *([("devices", ", ".join(torch["accelerators"]) or "none but the processor")] if torch else []),
        *((folder["name"], _place(folder)) for folder in facts["folders"]),
        ("weights", "; ".join(f"{state['arch']} {', '.join(state['labels']) or 'none'}" for state in facts["weights"])),
        ("", f"from BENCH_WEIGHTS ({facts['weights_from'] or 'not set'}), then {facts['hub']}"),
        *(("", f"passed over: {file['path']}; bench weights list says why") for file in facts["other_weights_files"]),
        ("features", _features(**facts["features"])),
        ("models", f"{facts['models']['models']} kept in the results folder, {size(facts['models']['bytes'])}"),
        ("datasets", _datasets(facts["datasets"])),
        ("costs", f"{plural(facts['costs'], 'kind')} of fits measured, from which bench run --plan foretells times"),
        ("plug-ins", ", ".join(f"{plug_in['name']} ({plug_in['kind']})" for plug_in in facts["plug_ins"]) or "none"),
        ("extras", "; ".join(map(_extra, facts["extras"].items())) or "not known: swanbench is not installed"),
        *(("methods", text) for text in facts["lacking_methods"]),
    ]
    return [head, *(f"{word:10} {text}" for word, text in rows)]


def _place(folder: dict[str, Any]) -> str:
    from protocols.text import size_in_words as size

    state = "" if folder["there"] else ", made at first use"
    system = f" on {folder['system']}" if folder["system"] else ""
    return f"{folder['path']} ({folder['origin']}{state}): {size(folder['free'])} free{system}"


def _features(*, folders: int, bytes: int, limit: int | None) -> str:  # noqa: A002 - as JSON names it
    from protocols.text import plural
    from protocols.text import size_in_words as size

    if limit == 0:
        return "not kept (BENCH_FEATURES_GIB is 0)"
    most = "a size that is not known" if limit is None else size(limit)
    return f"{size(bytes)} of {most} kept in the cache folder, in {plural(folders, 'folder')}"


def _datasets(states: dict[str, str]) -> str:
    by_state: dict[str, list[str]] = {}
    for name, state in states.items():
        by_state.setdefault(state, []).append(name)
    words = {"ready": "ready", "damaged": "damaged", "embedded": "made at first use"}
    parts = [f"{len(names)} {words.get(state, state)}: {_some(names)}" for state, names in by_state.items()]
    return "; ".join(parts) or "none: see bench data list"


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _extra(item: tuple[str, dict[str, bool]]) -> str:
    name, parts = item
    missing = [part for part, installed in parts.items() if not installed]
    return f"{name} lacks {', '.join(missing)}" if missing else f"{name} installed"
