"""`bench run --engine slurm` on a real SLURM of one node: the same bits, and what a job loses that is stopped or lost."""

import os
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import machines_page
import pytest
import slurm_cluster
from guests import Guests
from running import scores_of, wait_for

from benchmark.execution.engines import slurm

LACKING = "the extra slurm is not installed" if find_spec("submitit") is None else slurm_cluster.lacking()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(LACKING is not None, reason=str(LACKING))]

STEPS, HELD = 6, 3
WALK = f"""
held = self.context.checkpoint.load()
for step in range(held["step"] if held else 0, {STEPS}):
    with (ROOT / "steps").open("a") as file:
        file.write(f"{{step}}\\n")
    while step == {HELD} and not (ROOT / "go").exists():
        time.sleep(0.05)
        if self.context.deadline is not None:
            break
    else:
        self.context.checkpoint.save({{"step": step + 1}})
    if self.context.deadline is not None and time.monotonic() >= self.context.deadline:
        self.context.checkpoint.save({{"step": step}})
        raise DeadlineReached("stopped")
"""
"""A fit that waits in its fourth step, which it begins again where it is stopped there."""


@pytest.fixture(scope="module")
def cluster():
    with tempfile.TemporaryDirectory(prefix="slurm") as folder, slurm_cluster.SlurmCluster(Path(folder)) as started:
        yield started


@pytest.fixture
def guests(house, cluster, monkeypatch):
    for name, value in cluster.env.items():
        monkeypatch.setenv(name, value)
    return Guests(house, monkeypatch)


def started(guests, name, *more):
    """A call whose fit waits in its step, and the id of its job."""
    call = guests.start(name, "--engine", "slurm", *more)
    wait_for(lambda: HELD in steps(guests) or call.poll() is not None)
    return call, job_ids()[0]


def steps(guests):
    file = guests.house.root / "steps"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def job_ids():
    words = ["squeue", "--me", "--noheader", "--array", "--states=RUNNING,PENDING", "--format=%i"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()


def go_on(guests, call):
    (guests.house.root / "go").touch()
    _, said = call.communicate(timeout=240)
    return said


def test_an_array_of_jobs_gives_the_same_bits_and_leaves_nothing_behind(guests, finished):
    house = guests.house
    done = house.run("--threads", "1", "--engine", "slurm", "--slurm", "time=10")
    assert done.returncode == 0, done.stderr
    assert scores_of(house) == scores_of(finished)
    assert [line for line in done.stderr.splitlines() if line.startswith("SLURM job")] == [
        f"SLURM job {done.stderr.split('SLURM job ')[1].split(':')[0]}: 4 fits"
    ]
    assert not (house.results / slurm.JOBS_FOLDER).exists()


def test_a_requeued_job_goes_on_from_its_checkpoint(guests):
    guests.invite("walk", WALK)
    call, job = started(guests, "walk")
    subprocess.run(["scontrol", "requeue", job], check=True)
    wait_for(lambda: "PENDING" in state_of(job))
    subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], check=True)
    said = go_on(guests, call)
    assert call.returncode == 0, said
    assert steps(guests) == [0, 1, 2, 3, 3, 4, 5]
    assert guests.states == {"walk": ("done", None)}


def state_of(job):
    return subprocess.run(["scontrol", "show", "job", job], check=True, capture_output=True, text=True).stdout


def test_a_job_whose_time_ends_goes_on_in_another(guests):
    """SLURM sends this signal before the end; here somebody does."""
    guests.invite("walk", WALK)
    call, job = started(guests, "walk")
    subprocess.run(["scancel", "--signal=USR2", job], check=True)
    wait_for(lambda: job_ids() not in ([], [job]))
    said = go_on(guests, call)
    assert call.returncode == 0, said
    assert said.count("SLURM job") == 2
    assert steps(guests) == [0, 1, 2, 3, 3, 4, 5]


def test_a_cancelled_job_is_told_and_costs_itself_only(guests):
    guests.invite("walk", WALK)
    guests.invite("quick")
    call, _ = started(guests, "walk,quick")
    wait_for(lambda: len(job_ids()) == 1)
    job = job_ids()[0]
    subprocess.run(["scancel", job], check=True)
    _, said = call.communicate(timeout=240)
    assert call.returncode == 1
    assert f"somebody cancelled its job {job}: the same command tries again, from its checkpoint" in said
    assert "Traceback" not in said
    assert guests.states == {"quick": ("done", None)}
    (guests.house.root / "go").touch()
    done = guests.run("walk,quick", "--engine", "slurm")
    assert done.returncode == 0, done.stderr
    assert steps(guests) == [0, 1, 2, 3, 3, 4, 5]


def test_a_fit_that_is_killed_is_tried_again_from_its_checkpoint(guests):
    guests.invite("walk", WALK)
    call, job = started(guests, "walk")
    os.kill(guests.fits("walk")[0], signal.SIGKILL)
    wait_for(lambda: job_ids() not in ([], [job]))
    said = go_on(guests, call)
    assert call.returncode == 0, said
    assert steps(guests) == [0, 1, 2, 3, 3, 4, 5]


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_call_cancels_its_jobs(sent, status, guests):
    guests.invite("walk", WALK)
    call, _ = started(guests, "walk")
    os.kill(call.pid, sent)
    _, said = call.communicate(timeout=60)
    assert call.returncode == status, said
    assert "Traceback" not in said
    wait_for(lambda: not job_ids())
    assert guests.states == {}


def test_the_jobs_of_a_killed_call_go_on_and_the_same_command_takes_them_up(guests):
    guests.invite("walk", WALK)
    call, _ = started(guests, "walk")
    call.kill()
    call.communicate()
    second = guests.start("walk", "--engine", "slurm")
    (guests.house.root / "go").touch()
    _, said = second.communicate(timeout=240)
    assert second.returncode == 0, said
    assert steps(guests) == list(range(STEPS))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["partition=nowhere"], "SLURM would not take these jobs (invalid partition specified: nowhere)"),
        (["mem=lots"], "SLURM would not take these jobs (Invalid --mem specification)"),
    ],
)
def test_what_slurm_refuses_is_one_sentence_before_any_job(words, said, guests):
    guests.invite("quick")
    done = guests.run("quick", "--engine", "slurm", *(word for each in words for word in ("--slurm", each)))
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]


IMPATIENT = """
import sys
from benchmark.cli import status
from benchmark.execution.engines import slurm
slurm.LOST_SECONDS = 1.0
sys.exit(status(sys.argv[1:]))
"""


def test_a_lost_controller_is_told_and_what_its_jobs_leave_counts(guests, cluster):
    guests.invite("walk", WALK)
    words = [sys.executable, "-c", IMPATIENT, *guests.words("walk"), "--engine", "slurm"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    call = subprocess.Popen(words, env=guests.house.env, cwd=guests.house.root, **pipes)
    wait_for(lambda: HELD in steps(guests) or call.poll() is not None)
    cluster.stop("slurmctld")
    try:
        _, said = call.communicate(timeout=120)
    finally:
        (guests.house.root / "go").touch()
        cluster.start("slurmctld", "-D")
    assert call.returncode == 1, said
    assert "stopped: SLURM fails (" in said
    assert "the same command takes up what they leave" in said
    assert "Traceback" not in said
    wait_for(lambda: guests.states == {"walk": ("done", None)})
    assert steps(guests) == list(range(STEPS))
    cluster.wait_for_node()  # which the next test wants, and a controller that starts anew has not at once


def shell(command, house, environment):
    words = ["bash", "-euo", "pipefail", "-c", machines_page.typed(command, house)]
    return subprocess.run(words, cwd=house.root, env=environment, capture_output=True, text=True, check=False)


def test_the_lab_of_the_page_gets_its_runs(guests, finished):
    house, environment = guests.house, machines_page.bench_on_path(guests.house)
    planned, ran, reported = (
        shell(command, house, environment)
        for command in machines_page.commands("A lab with four GPU machines and a queue")
    )
    assert (planned.returncode, ran.returncode, reported.returncode) == (0, 0, 0), planned.stderr + ran.stderr
    assert "4 runs" in planned.stdout + planned.stderr
    assert "SLURM job" in ran.stderr
    assert scores_of(SimpleNamespace(results=house.root / "shared" / "runs")) == scores_of(finished)
    assert "| " in reported.stdout


def test_the_tasks_of_the_page_are_a_job_array(guests, finished):
    house, environment = guests.house, machines_page.bench_on_path(guests.house)
    for command in machines_page.commands("With another scheduler"):
        done = shell(command, house, environment)
        assert done.returncode == 0, done.stderr
    wait_for(lambda: not job_ids(), seconds=240)
    assert scores_of(SimpleNamespace(results=house.root / "shared" / "runs")) == scores_of(finished)
