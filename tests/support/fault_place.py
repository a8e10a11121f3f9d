"""A folder in which a fault is made: a made-up dataset, a plug-in detector that meets the fault, and calls of `bench`."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import strangers
from guests import RECIPE
from pictures import save_picture

STEPS, SEEDS = 8, 3
SECONDS = 300

WALK = """
import ctypes
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import torch

from methods.detector import DeadlineReached

ROOT = Path(os.environ["FAULTS"])


class Detector:
    # A walk of random steps: a step that is left out, made twice or taken from other bits changes every score.
    def __init__(self, params, context):
        self.context, self.history = context, {}
        self.weights = torch.zeros(256, dtype=torch.float64)

    def fit(self, data):
        begun = 0
        if held := self.context.checkpoint.load():
            begun, self.weights = held["step"], held["weights"]
        for step in range(begun, STEPS):
            self.meet(step)
            with (ROOT / "steps").open("a") as file:
                file.write(f"{self.context.seed} {step}\\n")
            pixels = torch.from_numpy(np.array(data.normal.one(step))).double().mean(-1).flatten() / 255
            draw = torch.randn(256, generator=self.context.generator("walk", step), dtype=torch.float64)
            self.weights = 0.9 * self.weights + pixels * draw
            self.context.checkpoint.save({"step": step + 1, "weights": self.weights})
            self.context.progress(step + 1, STEPS)
            if self.context.deadline is not None and time.monotonic() >= self.context.deadline:
                raise DeadlineReached("stopped")

    def meet(self, step):
        fault = ROOT / "fault"
        if fault.exists():
            exec(fault.read_text(), globals() | {"seed": self.context.seed, "step": step, "context": self.context})

    def score(self, images):
        weights = self.weights.numpy()
        return np.array([images.one(i).max() + images.one(i).mean(-1).ravel() @ weights / 255 for i in range(len(images))])

    def state(self):
        return {"weights": self.weights}

    def load(self, state):
        self.weights = state["weights"]


def once():
    try:
        (ROOT / "met").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def hold(until=lambda: False):
    (ROOT / "reached").touch()
    while not (ROOT / "go").exists() and not until():
        time.sleep(0.05)


def fill(folder):
    with (folder / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1000))


def allocate(size):
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (in_use + size // 2, before[1]))
    try:
        torch.zeros(size, dtype=torch.uint8)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
""".replace("range(begun, STEPS)", f"range(begun, {STEPS})").replace("(step + 1, STEPS)", f"(step + 1, {STEPS})")

SITE = """
import errno
import fcntl
import os
import time
from pathlib import Path

real, root = time.time, Path(os.environ["FAULTS"])
time.time = lambda: real() + (float((root / "clock").read_text()) if (root / "clock").exists() else 0.0)
if (root / "lockless").exists():
    def refuse(descriptor, operation):
        raise OSError(errno.ENOSYS, "no locks here")
    fcntl.flock = refuse
"""
"""Imported by every process as it starts: a clock that jumps when it is told to, and a file system without locks."""


class WrongError(Exception):
    """Something was lost, or wrong without a word."""


def must(right: object, text: object) -> None:
    if not right:
        raise WrongError(str(text))


def wait_for(condition, seconds: float = SECONDS) -> None:
    until = time.monotonic() + seconds
    while not condition():
        must(time.monotonic() < until, "waited too long")
        time.sleep(0.05)


@dataclass(frozen=True)
class Done:
    """How a call of `bench` ended, and all that it said."""

    status: int
    text: str

    def line(self, words: str) -> str:
        """The line that says so."""
        found = [line for line in self.text.splitlines() if words in line]
        must(found, f"nothing says '{words}':\n{self.text}")
        return found[0]


@dataclass(frozen=True)
class Seen:
    """What a fault did: a row of the table."""

    happened: str
    lost: str
    status: str


Fault = Callable[["Place"], Seen]
AT = "if seed == 1 and step == 3: "
KILL = "os.kill(os.getpid(), signal.SIGKILL)"


class Faults(dict[str, Fault]):
    """Those of a module, by what is done."""

    def __call__(self, name: str, extra: str | None = None) -> Callable[[Fault], Fault]:
        """Put the function below into the list; `extra` is a module that it needs."""

        def add(make: Fault) -> Fault:
            missing = Seen(f"Not run here: {extra} is not installed.", "", "")
            self[name] = make if extra is None or find_spec(extra) else lambda _: missing
            return make

        return add


@dataclass
class Place:
    """Three runs of one method, one a seed, whose scores without any fault are `whole`."""

    root: Path
    whole: dict = field(default_factory=dict)

    def __post_init__(self):
        self.results, self.site = self.root / "runs", self.root / "site"
        self.plug_in = self.site / "walk" / "__init__.py"
        info = self.site / "walk-1.0.dist-info"
        for folder in (self.plug_in.parent, info):
            folder.mkdir(parents=True)
        self.plug_in.write_text(WALK)
        (self.plug_in.parent / "walk.toml").write_text(RECIPE.format(name="walk"))
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: walk\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[swanbench.methods]\nwalk = walk:walk.toml\n")
        (self.site / "sitecustomize.py").write_text(SITE)
        self.draw()
        must(self.adopt().status == 0, "the dataset cannot be made")

    @property
    def env(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BENCH")}
        folders = {f"BENCH_{name.upper()}": str(self.root / name) for name in ("data", "cache")}
        own = {"BENCH_RESULTS": str(self.results), "PYTHONPATH": strangers.path(self.site), "FAULTS": str(self.root)}
        rest = {"PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1", "COLUMNS": "400", "RAY_AUTH_MODE": "disabled"}
        return kept | folders | own | rest

    def draw(self):
        """Stripes with noise as normals, some with a bright square as anomalies."""
        draw = np.random.default_rng(0)
        for name, count in {"train/good": 12, "test/good": 8, "test/dot": 14}.items():
            for number in range(count):
                pixels = np.tile(np.where(np.arange(16) % 4 < 2, 90, 160), (16, 1))[..., None]
                pixels = pixels + draw.integers(-20, 20, (16, 16, 3))
                if name == "test/dot":
                    pixels[5:9, 5:9] += 60
                save_picture(self.root / "raw" / name / f"{number:03}.png", pixels.astype(np.uint8))

    def adopt(self):
        return self.bench("data", "adopt", self.root / "raw", "--name", "tiny")

    def start(self, *words, under=(), **popen):
        """Call `bench`, maybe `under` another command."""
        command = [*under, sys.executable, "-m", "benchmark", *words]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen([*map(str, command)], env=self.env, cwd=self.root, text=True, **streams, **popen)

    def end(self, call):
        text, _ = call.communicate(timeout=SECONDS)
        must("Traceback" not in text, text)
        return Done(call.returncode, text)

    def bench(self, *words, **how):
        return self.end(self.start(*words, **how))

    def begin(self, *more, seeds="0,1,2", **how):
        words = ["--suite", "general", "--recipe", "quick", "--precision", "fp32", "--threads", "1"]
        return self.start("run", *words, "--dataset", "tiny", "--method", "walk", "--seed", seeds, *more, **how)

    def run(self, *more, **how):
        return self.end(self.begin(*more, **how))

    def fault(self, text=None):
        """What the detector does at each step; nothing by default."""
        for name in ("fault", "go", "reached", "met"):
            (self.root / name).unlink(missing_ok=True)
        if text:
            (self.root / "fault").write_text(text)

    def edit_code(self):
        """Let the plug-in give other scores."""
        self.plug_in.write_text(WALK.replace("return np.array([", "return -np.array(["))

    def held(self, call):
        """Wait until a fit holds still."""
        wait_for(lambda: (self.root / "reached").exists() or call.poll() is not None)
        must(call.poll() is None, "the call ended too early")

    def go(self):
        (self.root / "go").touch()

    @property
    def steps(self):
        """How many steps were made so far, of all fits."""
        path = self.root / "steps"
        return len(path.read_text().splitlines()) if path.exists() else 0

    @property
    def processes(self):
        """Those of this place that live."""
        mark, found = f"FAULTS={self.root}".encode(), set()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                state = (process / "stat").read_text().rpartition(")")[2].split()[0]
                if mark in (process / "environ").read_bytes().split(b"\0") and state != "Z":
                    found.add(int(process.name))
            except OSError:
                continue
        return found

    def records(self):
        """Those that can be read, by their paths."""
        found = {}
        for path in sorted(self.results.glob("records/*/*.json")):
            try:
                found[path] = json.loads(path.read_text())
            except ValueError:
                continue
        return found

    def made(self):
        """AUC, average precision and the bytes of the scores of each finished run, by key."""
        found = {}
        for path, record in self.records().items():
            if record["status"] == "done":
                with np.load(self.results / "scores" / path.parent.name / f"{path.stem}.npz") as scores:
                    values = {name: scores[name].tobytes() for name in scores.files}
                found[path.stem] = (record["metrics"]["auroc"], record["metrics"]["average_precision"], values)
        return found

    def kept(self):
        """How many runs are there, each as it is without a fault."""
        made = self.made()
        must(all(self.whole[key] == one for key, one in made.items()), "a record has other numbers")
        return len(made)

    def failed(self):
        return sum(record["status"] == "failed" for record in self.records().values())

    def seen(self, done, status, says="", *, failed=0, again=(), note="", look=True, alone=False, steps=1):
        """Look at how a call ended with a fault, let the next one make what is missing, and look at all numbers.

        `again` are the options of the next call, `look` says whether records are to be right before it, and `alone`
        that there is nothing for it to do. At most so many `steps` may be made again.
        """
        must(done.status == status, f"exit status {done.status}, not {status}:\n{done.text}")
        line = done.line(says) if says else ""
        kept = self.kept() if look else None
        must(self.failed() == failed, f"{self.failed()} failed records, not {failed}:\n{done.text}")
        must(not alone or kept == SEEDS, f"{kept} runs are there:\n{done.text}")
        self.fault()
        after = self.run(*again)
        must(after.status == 0, f"the next call: {after}")
        must(self.kept() == SEEDS, f"{self.kept()} runs are there after the next call")
        must(self.bench("results", "verify").status == 0, "the records do not verify")
        repeated = self.steps - STEPS * SEEDS
        must(0 <= repeated <= steps, f"{repeated} steps were made again:\n{done.text}\n{after.text}")
        must(not alone or "all cached" in after.text, after)
        stands = f"{kept} of {SEEDS} runs are done{f', {failed} has a failed record' if failed else ''}."
        said = f"“{self.plain(line)}”" if line else ""
        happened = " ".join(filter(None, [said, note, stands if look and not alone else ""]))
        lost = f"{repeated} of {STEPS * SEEDS} steps, made again" if repeated else "nothing"
        name = signal.Signals(-status).name if status < 0 else str(status)
        then = "" if alone else ", then 0" + (f" with `{self.plain(' '.join(again))}`" if again else "")
        return Seen(happened, lost, name + then)

    def plain(self, line):
        """A line without what is different each time."""
        line = line.strip().replace(str(self.root.resolve()), "").replace(str(self.root), "")
        line = re.sub(r"[0-9a-f]{64}", "KEY", line)
        line = re.sub(r"process \d+", "process N", line)
        line = re.sub(r"since [\d-]+ [\d:]+\+00:00", "since TIME", line)
        return re.sub(r"(tcp://)?\d+\.\d+\.\d+\.\d+:\d+", "ADDRESS", line).replace(os.uname().nodename, "HOST")
