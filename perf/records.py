"""Processor time of `bench report` and `bench check` on folders of records, against `import scipy.special`.

Makes records of the runs of Table 2 of DRA that nobody made, half of them on ELPV and comparable with the paper, half
with random weights, in a temporary folder with a cache of its own. Each round starts, one after the other, a Python
that imports scipy.special, `bench report --table 2` and `bench check --against published`, and takes the user time of
each; the first round, whose report verifies every record, is told apart, and so are calls whose statistics are not kept
yet. Prints one line of JSON a number of records: the median ratios of the later rounds, then of the first one and of
calls that compute all statistics (`computed`). The last line is the growth: the time a record in the largest
folder over that in the smallest, beyond an empty folder.

    python perf/records.py --records 500 5000 50000 --repeats 5
"""

import argparse
import functools
import hashlib
import itertools
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmark.planning.fit_params import fit_params
from benchmark.views.derived import RecordDeriver
from methods.backbones.table import genuine_files
from methods.registry import installed
from methods.registry.recipe import EVALUATION, resolve
from protocols.datasets.registry import our_datasets
from protocols.values import ParamValue
from reports.layouts.layout import auc_layout
from reports.stats.kept import STATISTICS
from results.record import Counts, Metrics, Provenance, Record, encode_record
from results.spec import EMPTY_LIST, Evaluation, FitSpec, RunSpec, SplitDefinition
from results.store import Store

BENCH = [sys.executable, "-m", "swanbench"]
COMMANDS = {
    "import": [sys.executable, "-c", "import scipy.special"],
    "report": [*BENCH, "report", "--table", "2", "--results"],
    "check": [*BENCH, "check", "--against", "published", "--results"],
}


def made_records(count: int) -> Iterator[Record]:
    """`count` finished runs, each with a seed of its own; every second one is comparable."""
    places = [dict(leaf) for leaf in sorted(auc_layout("dra:2").leaves)]
    comparable = [at for at in places if at["dataset"] == "elpv" and not installed.get(at["method"]).assumed]
    drawn = random.Random(0)  # noqa: S311 - numbers for a measurement
    for seed, half in zip(range(count), itertools.cycle([comparable, places]), strict=False):
        yield made_record(half[seed // 2 % len(half)], seed, drawn.uniform(0.6, 0.9), genuine=half is comparable)


@functools.cache
def official_params(method: str, dataset: str) -> dict[str, ParamValue]:
    return resolve(installed.get(method), "official", dataset, {}).params


def made_record(at: dict[str, str], seed: int, auroc: float, *, genuine: bool) -> Record:
    """A run at the coordinates of a printed cell, with the parameters of the official recipe."""
    info, name = installed.get(at["method"]), at["dataset"]
    params = official_params(info.id, name)
    archs = info.backbones(params)
    weights = {row.id: file for row, file in reversed(list(genuine_files())) if row.id in archs}
    release = our_datasets()[name].releases[""][0]
    shots = int(at["shots"]) if at["shots"] else None
    split = SplitDefinition(
        dataset=name,
        dataset_fingerprint=release.fingerprint or fingerprint(name),
        rule="hard",
        known_class=at["known_class"],
        shots=shots,
    )
    size = params.get("img_size")
    fit = FitSpec(
        detector=info.detector_id,
        version=info.version,
        params=fit_params(params),
        dataset_fingerprint=split.dataset_fingerprint,
        train_normal=fingerprint(f"normal {seed}"),
        train_anomaly=fingerprint(f"anomaly {seed}") if shots else EMPTY_LIST,
        size=size if isinstance(size, int) else 224,
        resize="squash",
        pools={},
        weights={arch: file.sha256 if genuine else "random" for arch, file in weights.items()},
        precision="fp32",
        seed=seed,
    )
    order, batch = (params.get(name) for name in EVALUATION)
    spec = RunSpec(
        fit=fit,
        test=fingerprint(f"test {seed}"),
        evaluation=None if info.scores_independently(params) else Evaluation(order=str(order), batch=batch),
        method=info.id,
        recipe="official",
        split=split,
        split_seed=seed,
    )
    return Record(
        key=spec.key,
        fit_key=fit.fit_key,
        series=spec.series,
        spec=spec,
        status="done",
        metrics=Metrics(auroc=auroc, average_precision=auroc),
        counts=Counts(train_normal=100, train_anomaly=shots or 0, test_normal=30, test_anomaly=30),
        timings={"fit": 60.0, "score": 1.0},
        history={"loss": [1 / (epoch + 1) for epoch in range(30)]},
        provenance=Provenance(
            package_version="0.1.0",
            git_commit=None,
            git_dirty=None,
            code_digest="f" * 64,
            numerics_class="cpu",
            weights={arch: f"genuine:{file.name}" if genuine else "random" for arch, file in weights.items()},
            device="cpu",
            cpu="one",
            libraries={"torch": "2.6.0", "numpy": "2.2.0"},
            threads=1,
            started="2026-01-01T00:00:00+00:00",
            test_evaluations=1,
        ),
    )


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_records(folder: Path, count: int) -> None:
    """Write made records, each with the words that its key says, such as that it is not on the paper's data."""
    store, derive = Store(folder), RecordDeriver()
    for record in (derive(made).record for made in made_records(count)):
        path = store.record_path(record.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_record(record))


def user_seconds(command: list[str], cache: Path) -> float:
    """User time of a command in a process of its own, which may use one thread; it must run as it should."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    environment = os.environ | {"BENCH_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 3, 4}:  # the gate may find a regression, or nothing to compare
        raise SystemExit(done.stderr)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def measured(folder: Path, cache: Path, repeats: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """User seconds of each command, the first round apart by its place; then of those that compute all statistics."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    computed: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(repeats + 1):
        for name, command in COMMANDS.items():
            seconds[name].append(user_seconds([*command, str(folder)], cache))
    for _ in range(repeats):
        for name, command in COMMANDS.items():
            shutil.rmtree(cache / STATISTICS, ignore_errors=True)
            computed[name].append(user_seconds([*command, str(folder)], cache))
    return seconds, computed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, nargs="+", default=[500, 5000, 50000])
    parser.add_argument("--repeats", type=int, default=5, help="rounds after the first, in which records are verified")
    options = parser.parse_args()
    medians: dict[int, dict[str, float]] = {}
    for count in [0, *sorted(options.records)]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name, "runs")
            (folder / "records").mkdir(parents=True)
            write_records(folder, count)
            seconds, computed = measured(folder, Path(name, "cache"), options.repeats)
        medians[count] = {name: statistics.median(taken[1:]) for name, taken in seconds.items()}
        unit = medians[count]["import"]
        ratios = {name: round(medians[count][name] / unit, 2) for name in ("report", "check")}
        first = {name: round(seconds[name][0] / unit, 2) for name in ("report", "check")}
        anew = {name: round(statistics.median(computed[name]) / unit, 2) for name in ("report", "check")}
        line = {"records": count, "import": round(unit, 3), **ratios, "first": first, "computed": anew}
        print(json.dumps(line), flush=True)
    print(json.dumps({"growth": growth(medians)}))


def growth(medians: dict[int, dict[str, float]]) -> dict[str, float | None]:
    """Units a record of the largest folder over those of the smallest one, each beyond an empty folder; 1 is linear."""
    counts = sorted(medians)[1:]
    found: dict[str, float | None] = {}
    for name in ("report", "check"):
        empty = medians[0][name] / medians[0]["import"]
        units = [(medians[count][name] / medians[count]["import"] - empty) / count for count in counts]
        found[name] = round(units[-1] / units[0], 2) if units[0] > 0 else None
    return found


if __name__ == "__main__":
    main()
