"""Makes every fault that the page `docs/faults.md` tells of, looks at what is left, and prints the page.

    python tests/support/fault_table.py > docs/faults.md
    python tests/support/fault_table.py NAME...      # these faults alone: their rows

Each fault is made in a folder of its own, with a plug-in whose every step counts. Raises WrongError where something is
lost, or is wrong without a word. Takes about twenty minutes on two busy cores; needs Linux, root for what is mounted, and
the extras dask and ray for what is lost of clusters.
"""

import os
import platform
import re
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import faults_here
import faults_of_clusters
from fault_place import SEEDS, Place, WrongError, must

FAULTS = faults_here.fault | faults_of_clusters.fault

PAGE = """# Faults

What `bench run` does when a machine, a file or a guest fails. Each row was seen: `tests/support/fault_table.py` makes the fault
with a plug-in detector of three runs of eight steps each, a checkpoint after every step, looks at what is left, lets the next call
make what is missing, and compares every score, AUROC and average precision with those of runs without any fault. It stops where one
differs by a bit, where more is made again than the row tells, where a failed record stands that should not, where `bench results verify`
finds a difference afterwards, where a traceback is shown, or where a sentence that is due is missing. So behind every row stand, at
its end, three sound runs of three.

Two hosts are two host names on one machine here (`unshare -u`), a file system without locks is one on which `flock` is refused, and a
clock that jumps is Python's `time.time`; disks, modes, memory, signals and clusters are real.

The exit statuses are those of the call that meets the fault (a signal where it ended by one), then of the next call.

| fault | what happened | what was lost | exit status |
|---|---|---|---|
"""
FOOT = """
Seen with swanbench {swanbench} (SHA-256 of its code {code}) on {cpu}, {cores} cores, Linux {kernel}; Python {python}, torch {torch}{others}.
"""


def main(names: list[str]) -> None:
    """Print the page, or the rows of some faults."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        sound = Place(Path(folder, "sound"))
        must(sound.run().status == 0, "runs without a fault failed")
        whole = sound.made()
        must(len({str(one) for one in whole.values()}) == SEEDS, "the runs do not differ")
        made = [pool.submit(row, name, Path(folder, f"{k}"), whole) for k, name in enumerate(names or FAULTS)]
        rows = "".join(one.result() for one in made)
    sys.stdout.write(rows if names else PAGE + rows + foot())


def row(name: str, folder: Path, whole: dict) -> str:
    """Make a fault in a folder; its row."""
    place = Place(folder, whole)
    try:
        seen = FAULTS[name](place)
    except Exception as error:
        raise WrongError(f"{name}: {error}") from error
    finally:
        for process in place.processes:
            os.kill(process, signal.SIGKILL)
    happened = re.sub(r"([_*<>|])", r"\\\1", seen.happened)
    made = f"| {name} | {happened} | {seen.lost} | {seen.status} |\n"
    sys.stderr.write(made)
    return made


def foot() -> str:
    from benchmark import numerics
    from benchmark.execution import provenance

    others = [f", {name} {version(name)}" for name in ("distributed", "ray") if find_spec(name)]
    return FOOT.format(
        swanbench=version("swanbench"),
        code=provenance.installed_digest()[:8],
        cpu=numerics.cpu_name(),
        cores=os.cpu_count(),
        kernel=platform.release(),
        python=platform.python_version(),
        torch=version("torch"),
        others="".join(others),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
