"""`bench run --engine`: the same bits wherever fits run, and nothing that outlives its caller."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from guests import Guests
from running import machine, scores_of, wait_for

from benchmark.execution import provenance
from benchmark.execution.executor import EngineRequest, find_engine
from benchmark.execution.processes.far_fits import needs_of
from benchmark.execution.worker import execute
from benchmark.planning.code_digest import code_digest

DASK, RAY = (
    pytest.mark.skipif(find_spec(package) is None, reason=f"the extra {name} is not installed")
    for name, package in (("dask", "distributed"), ("ray", "ray"))
)
ENGINES = [pytest.param("dask", marks=DASK), pytest.param("ray", marks=RAY)]


def workers_of(house):
    """Processes that were started with the folder of results of this house."""
    wanted = f"BENCH_RESULTS={house.results}".encode()
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            if wanted in (process / "environ").read_bytes().split(b"\0") and state != "Z":
                found.add(int(process.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cluster_of_this_machine_gives_the_same_bits(engine, house, finished):
    done = house.run("--threads", "1", "--engine", engine, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert scores_of(house) == scores_of(finished)
    wait_for(lambda: not workers_of(house))


@pytest.mark.parametrize("engine", ["local", pytest.param("dask", marks=DASK)])
def test_a_worker_starts_with_the_settings_of_malloc_which_come_too_late_afterwards(engine, tmp_path, monkeypatch):
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    opener = find_engine(engine).opener(EngineRequest(1, tmp_path, tmp_path, print, needs_of([])))
    with opener(1) as executor:
        at_start = executor.submit(Path("/proc/self/environ").read_bytes).result().split(b"\0")
    assert b"MALLOC_TRIM_THRESHOLD_=%d" % 2**40 in at_start


@pytest.mark.parametrize("engine", ENGINES)
def test_no_worker_outlives_a_killed_parent(engine, house):
    process = house.start("run", "--suite", house.suite, "--threads", "1", "--engine", engine)
    wait_for(lambda: any((house.results / "locks").glob("*.json")))
    assert len(workers_of(house)) > 1
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not workers_of(house))


@pytest.fixture
def scheduler(house):
    """Address of a Dask scheduler that runs as a process of its own, and a function that starts a worker of it."""
    file = house.root / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": house.env, "cwd": house.root}
    own = ["--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    started = [subprocess.Popen([*command[:-1], command[-1] + "scheduler", *own], **quiet)]

    def start_worker(threads):
        words = ["--nthreads", str(threads), "--no-nanny", "--no-dashboard", "--scheduler-file", str(file)]
        started.append(subprocess.Popen([*command[:-1], command[-1] + "worker", *words], **quiet))

    wait_for(file.exists)
    yield json.loads(file.read_text())["address"], start_worker
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("threads", [pytest.param(count, marks=DASK) for count in (0, 1, 2)])
def test_workers_of_a_dask_cluster_run_one_fit_each(threads, house, scheduler, finished):
    from distributed import Client

    address, start_worker = scheduler
    if threads:
        start_worker(threads)
        with Client(address) as client:
            client.wait_for_workers(1)
    done = house.run("--threads", "1", "--engine", "dask", "--address", address)
    if threads == 1:
        assert done.returncode == 0, done.stderr
        assert scores_of(house) == scores_of(finished)
        return
    assert done.returncode == 2
    assert ("has no workers" if threads == 0 else "start it with --nthreads 1") in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_with_other_code_makes_no_run(tmp_path):
    place = replace(machine(tmp_path, tmp_path, tmp_path / "runs"), code="of another version")
    fit = SimpleNamespace(method="devnet", code=code_digest("methods.detectors.devnet"))
    task = SimpleNamespace(key="a", runs=(), is_for_others=False, fit=fit)
    outcome = execute(task, place)
    assert outcome.state == "stopped"
    assert outcome.reason.endswith("has other code of swanbench: install the same there")
    assert not place.store.exists()
    assert execute(task, replace(place, code=provenance.installed_digest())).state == "taken"


@pytest.fixture
def guests(house, monkeypatch):
    return Guests(house, monkeypatch)


@pytest.fixture
def head(house, monkeypatch):
    """Address of a Ray cluster of one processor that runs as processes of its own, the group `house.head`."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--port", str(port)]
    command += ["--node-ip-address", "127.0.0.1", "--num-cpus", "1", "--include-dashboard", "false"]
    # Ray refuses socket paths of more than 107 characters, which pytest's folders would make.
    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        words = [*command, "--temp-dir", folder, "--disable-usage-stats"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": house.env, "cwd": house.root}
        process = subprocess.Popen(words, start_new_session=True, **quiet)
        house.head = process.pid
        wait_for(lambda: answers(port))
        yield f"127.0.0.1:{port}"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@RAY
def test_a_ray_cluster_by_its_address_gives_the_same_bits(house, head, finished):
    done = house.run("--threads", "1", "--engine", "ray", "--address", head)
    assert done.returncode == 0, done.stderr
    assert scores_of(house) == scores_of(finished)


@RAY
def test_a_ray_cluster_whose_head_is_lost_is_one_sentence(guests, head):
    guests.invite("slow", "time.sleep(60)")
    call = guests.start("slow", "--engine", "ray", "--address", head)
    wait_for(lambda: guests.fits("slow") or call.poll() is not None)
    os.killpg(guests.house.head, signal.SIGKILL)
    _, said = call.communicate(timeout=240)
    assert call.returncode == 1, said
    assert f"stopped: the Ray cluster at {head} is lost" in said
    assert "Traceback" not in said
    assert guests.states == {}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_address_at_which_nothing_listens_is_refused_in_one_line(engine, house):
    done = house.run("--threads", "1", "--engine", engine, "--address", "127.0.0.1:9")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"bench: no {engine.capitalize()} ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("engine", "starts", "error"),
    [
        pytest.param("dask", "distributed.LocalCluster", OSError, marks=DASK),
        pytest.param("ray", "ray.init", OSError, marks=RAY),
        pytest.param("ray", "ray.init", Exception, marks=RAY),
    ],
)
def test_a_cluster_that_cannot_be_started_is_one_line(engine, starts, error, bench, house, monkeypatch):
    def fail(*args, **named):
        raise error("too many open files\nmore")

    monkeypatch.setattr(starts, fail)
    code, _, err = bench("run", "--suite", house.suite, "--method", "devnet", "--engine", engine)
    assert code == 2
    assert err.splitlines()[-1].endswith("on this machine (too many open files): use --engine local")


@DASK
def test_a_dask_worker_that_took_the_place_of_a_killed_one_dies_with_the_parent_too(house):
    """Nannies of Dask start another worker where one was killed."""
    process = house.start("run", "--suite", house.suite, "--threads", "1", "--engine", "dask")
    wait_for(lambda: any((house.results / "locks").glob("*.json")))
    first = workers_of(house)
    os.kill(max(first - {process.pid}), signal.SIGKILL)
    wait_for(lambda: workers_of(house) - first)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not workers_of(house), seconds=60)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--address", "here:1"), "give --engine dask or ray with it"),
        (("--engine", "dask", "--address", "here:1"), "with --address give --threads too"),
        (("--engine", "spark"), "'spark' is not one of"),
    ],
)
def test_an_address_needs_an_engine_and_threads(words, said, bench, house):
    code, _, err = bench("run", "--suite", house.suite, *words)
    assert code == 2
    assert said in err
    assert not house.results.exists()


@pytest.mark.parametrize(("engine", "package"), [("dask", "distributed"), ("ray", "ray"), ("slurm", "submitit")])
def test_an_engine_that_is_not_installed_is_named_with_its_extra(engine, package, bench, house, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = bench("run", "--suite", house.suite, "--method", "devnet", "--threads", "1", "--engine", engine)
    assert code == 2
    assert err.splitlines()[-1].endswith(f"pip install 'swanbench[{engine}]'")
