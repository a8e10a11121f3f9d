"""Faults of Dask and Ray clusters."""

import json
import os
import signal
import socket
import subprocess
import sys

from fault_place import AT, KILL, WALK, Faults, must, wait_for

fault = Faults()


@fault("a Dask worker is killed", extra="distributed")
def lost_dask_worker(place):
    place.fault(f"{AT}once() and {KILL}")
    return place.seen(place.run("--engine", "dask"), 0, note="The fit is tried again, from its checkpoint.", alone=True)


@fault("the Dask scheduler is lost", extra="distributed")
def lost_dask_scheduler(place):
    place.fault(AT + "hold()")
    with DaskCluster(place) as cluster:
        call = place.begin("--engine", "dask", "--address", cluster.address)
        place.held(call)
        cluster.processes[0].kill()
        done = place.end(call)
    return place.seen(done, 1, "is lost")


@fault("a plug-in is edited under a living Dask worker", extra="distributed")
def edited_under_dask(place):
    with DaskCluster(place) as cluster:
        there = ["--engine", "dask", "--address", cluster.address]
        must(place.run(*there, seeds="0").status == 0, "the first run failed")
        place.edit_code()
        done = place.run(*there, seeds="1,2")
        place.plug_in.write_text(WALK)
        return place.seen(done, 1, "has other code of walk", again=there)


class DaskCluster:
    """A scheduler and a worker, each a process of its own."""

    def __init__(self, place):
        self.file, self.place, self.processes = place.root / "scheduler.json", place, []

    def __enter__(self):
        own = ["--port", "0", "--no-dashboard"]
        alone = ["--nthreads", "1", "--no-nanny", "--no-dashboard"]
        for name, words in (("scheduler", own), ("worker", alone)):
            command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *words, "--scheduler-file", self.file]
            self.processes.append(quiet(self.place, command))
            wait_for(self.file.exists)
        self.address = json.loads(self.file.read_text())["address"]
        from distributed import Client

        with Client(self.address) as client:
            client.wait_for_workers(1)
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


@fault("a Ray worker is killed", extra="ray")
def lost_ray_worker(place):
    place.fault(f"{AT}once() and {KILL}")
    return place.seen(place.run("--engine", "ray"), 0, note="The fit is tried again, from its checkpoint.", alone=True)


@fault("the head of a Ray cluster is lost", extra="ray")
def lost_ray_head(place):
    place.fault(AT + "hold()")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--head", "--block", "--port", port, "--node-ip-address", "127.0.0.1", "--num-cpus", "1"]
    more = ["--include-dashboard", "false", "--disable-usage-stats", "--temp-dir", place.root / "ray"]
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", *words, *more]
    head = quiet(place, command, start_new_session=True)
    try:
        wait_for(lambda: answers(port))
        call = place.begin("--engine", "ray", "--address", f"127.0.0.1:{port}")
        place.held(call)
        os.killpg(head.pid, signal.SIGKILL)
        done = place.end(call)
    finally:
        for process in place.processes:
            os.kill(process, signal.SIGKILL)
        head.wait()
    return place.seen(done, 1, "is lost")


def answers(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def quiet(place, command, **popen):
    nothing = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(list(map(str, command)), env=place.env, cwd=place.root, **nothing, **popen)
