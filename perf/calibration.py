"""Calibration beside the steps that it foretells: what `bench run --calibrate` scales from small images over what steps
at the full size tell of the same fit, in one process, sizes in turn.

    python perf/calibration.py dra,devnet,flos,mlep --threads 1 --rounds 3      # ELPV, recipe official, random weights

Prints ratios only: 1 is exact, 2 foretells twice the time.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from benchmark.execution.processes.calibration import SMALL_PX, KindOfFit, measure_steps, scaled_cost
from benchmark.paths import Folders
from benchmark.planning.plan import plan
from benchmark.planning.suite import Selection, load_suite
from benchmark.planning.types import RunRequest
from protocols.catalogue import data_folder
from results.store import Store


def planned_fits(methods, precision, folder):
    """A fit of each method on ELPV in the general setting, and the channels of its images."""
    folders = Folders(folder / "data", folder / "cache", folder / "runs", None, folder / "hub")
    data_folder.open_dataset(folders.data, "elpv")
    request = RunRequest(weights=("random",), precision=precision)
    selection = Selection(methods=methods, datasets=("elpv",), seeds=(0,), coordinates={"shots": (10,)})
    planned = plan(load_suite("general"), selection, request, folders=folders, store=Store(folders.results))
    channels = data_folder.open_dataset(folders.data, "elpv").channels
    return [task.fit for task in planned.tasks({"missing"})], channels


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", type=lambda text: tuple(text.split(",")))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fits, channels = planned_fits(options.methods, options.precision, Path(folder))
    for fit in fits:
        size = fit.spec.size
        sizes = (*(px for px in SMALL_PX if px < size), size)
        ratios = {name: [] for name in ("small", "both", "score")}
        for _ in range(options.rounds):
            rows = [measure_steps(KindOfFit(fit, channels, None, px, options.threads, "cpu")) for px in sizes]
            whole = rows[-1]
            one, two = (scaled_cost(rows[:count], size, train=1) for count in (1, len(rows) - 1))
            ratios["small"].append(one.fit_s / whole.fit_s)
            ratios["both"].append(two.fit_s / whole.fit_s)
            ratios["score"].append(one.score_s / whole.score_s if whole.score_s else float("nan"))
        text = ", ".join(
            f"{name} {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
            for name, values in ratios.items()
        )
        print(f"{fit.method} {fit.spec.precision} at {size} px, over steps of that size: {text}", flush=True)


if __name__ == "__main__":
    main()
