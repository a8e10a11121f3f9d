"""Clusters whose workers run on hosts that do not see the folders of the call, made of namespaces of this machine."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import hosts
import machines_page
import pytest
from running import scores_of, wait_for

from benchmark.execution.processes.far_worker import FAR_FOLDER

HOST = "elsewhere"
DASK, RAY = (
    pytest.mark.skipif(find_spec(package) is None, reason=f"the extra {name} is not installed")
    for name, package in (("dask", "distributed"), ("ray", "ray"))
)
pytestmark = pytest.mark.slow


@dataclass
class Elsewhere:
    """Processes on another host, which does not see the house, and its folders."""

    house: object
    root: Path
    processes: list = field(default_factory=list)

    @property
    def env(self):
        env = {name: text for name, text in os.environ.items() if not name.startswith("BENCH_")}
        own = {"BENCH_DATA": str(self.root / "data"), "BENCH_CACHE": str(self.root / "cache"), "OMP_NUM_THREADS": "1"}
        return env | own | {"RAY_AUTH_MODE": "disabled"}

    def start(self, *words, network=None, is_here=False):
        words = list(map(str, words)) if is_here else hosts.elsewhere(words, self.house.root, HOST)
        words = network.words(words) if network and not is_here else words
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes.append(
            subprocess.Popen(words, env=self.env, cwd=self.root / "work", start_new_session=True, **quiet)
        )

    def stop(self):
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def prepare(self):
        shutil.copytree(self.house.root / "data" / "tiny", self.root / "data" / "tiny")


@pytest.fixture
def elsewhere(house, tmp_path_factory):
    if not hosts.can_be_elsewhere(house.root):
        pytest.skip("this user cannot make mount namespaces")
    root = tmp_path_factory.mktemp("elsewhere")
    (root / "work").mkdir()
    started = Elsewhere(house, root)
    yield started
    started.stop()


def check(house, elsewhere, finished, engine, address):
    """Without its data set the other host is refused; with it, it gives the same bits and keeps nothing."""
    (command,) = [each for each in machines_page.commands("Dask and Ray") if f"--engine {engine} " in each]
    words = shlex.split(machines_page.typed(command, house, address))[1:]
    lacking = house.bench(*words)
    assert lacking.returncode == 2, lacking.stderr
    assert lacking.stderr.splitlines()[-1].startswith(f"bench: the worker on {HOST} lacks a data set: ")
    elsewhere.prepare()
    done = house.bench(*words)
    assert done.returncode == 0, done.stderr
    assert scores_of(house) == scores_of(finished)
    assert list((elsewhere.root / "cache" / "images").iterdir())
    assert not list((elsewhere.root / "cache" / FAR_FOLDER).iterdir())
    assert not list((house.results / "locks").glob("*.proof"))


@DASK
def test_dask_workers_on_a_host_with_another_network_give_the_same_bits(house, elsewhere, finished):
    if not hosts.can_be_linked():
        pytest.skip("this user cannot make network namespaces")
    file = elsewhere.root / "scheduler.json"
    dask = [sys.executable, "-m"]
    with hosts.Network() as network:
        own = ["--host", network.here, "--port", "0", "--no-dashboard", "--scheduler-file", file]
        elsewhere.start(*dask, "distributed.cli.dask_scheduler", *own, is_here=True)
        wait_for(file.exists)
        address = json.loads(file.read_text())["address"]
        alone = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", network.there]
        elsewhere.start(*dask, "distributed.cli.dask_worker", address, *alone, network=network)
        from distributed import Client

        with Client(address) as client:
            client.wait_for_workers(1)
        check(house, elsewhere, finished, "dask", address)
        elsewhere.stop()
        elsewhere.processes.clear()


@RAY
def test_ray_workers_that_do_not_see_the_folders_give_the_same_bits(house, elsewhere, finished, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray"))
        words = ["--head", "--block", "--port", port, "--node-ip-address", "127.0.0.1", "--num-cpus", "1"]
        more = ["--include-dashboard", "false", "--temp-dir", folder, "--disable-usage-stats"]
        elsewhere.start(sys.executable, "-m", "ray.scripts.scripts", "start", *words, *more)
        wait_for(lambda: answers(port))
        check(house, elsewhere, finished, "ray", f"127.0.0.1:{port}")
        elsewhere.stop()
        elsewhere.processes.clear()


def answers(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
