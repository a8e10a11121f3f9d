"""A SLURM cluster of one node on this machine, from Debian's slurm-wlm and munge: own folder, key, socket and ports."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

SECONDS = 30
DAEMONS = ("munged", "slurmctld", "slurmd")
PROCESSORS = 8
"""Of the node, whatever it has."""

SETTINGS = """
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
SlurmUser={user}
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=30
KillWait=20
MinJobAge=60
CompleteWait=0
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 Gres=gpu:4 CPUs={processors} RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES State=UP
PartitionName=gpu Nodes={host} State=UP
"""


def lacking() -> str | None:
    """The reason that no cluster can be started here; None where one can."""
    missing = [name for name in (*DAEMONS, "sbatch") if shutil.which(name, path=_path()) is None]
    if missing:
        return f"no {missing[0]} (Debian: slurm-wlm, munge)"
    return None if os.geteuid() == 0 else "the daemons of SLURM are started as root"


class SlurmCluster:
    """Starts the three daemons in `folder`, a short path; stops them by their process ids, and no others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": _path()}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        host = socket.gethostname().partition(".")[0]
        ports = {"controller": _free_port(), "node": _free_port()}
        values = {"host": host, "folder": self.folder, "user": "root", "processors": PROCESSORS, **ports}
        (self.folder / "slurm.conf").write_text(SETTINGS.format(**values))
        for number in range(4):
            (self.folder / f"gpu{number}").touch()
        (self.folder / "gres.conf").write_text(f"Name=gpu File={self.folder}/gpu[0-3]\n")
        try:
            self._start_all(key)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start_all(self, key: Path) -> None:
        socket_ = self.folder / "munge.socket"
        files = {"socket": socket_, "key-file": key, "pid-file": f"{socket_}.pid", "seed-file": f"{socket_}.seed"}
        words = [f"--{name}={path}" for name, path in (files | {"log-file": f"{socket_}.log"}).items()]
        self.start("munged", "--foreground", "--force", *words)
        _wait_for(socket_.exists, "munged made no socket")
        self.start("slurmctld", "-D")
        self.start("slurmd", "-D")
        self.wait_for_node()

    def wait_for_node(self) -> None:
        """Wait until the controller knows that the node is idle, answers, and has its devices."""
        shown = ("sinfo", "-h", "-o", "%T %G")
        _wait_for(lambda: set(self.ask(*shown).splitlines()) == {"idle gpu:4"}, "the node did not come up")

    def __exit__(self, *_: object) -> None:
        for job in self.ask("squeue", "-h", "-o", "%A").split():
            self.ask("scancel", "--signal=KILL", job)
            self.ask("scancel", job)
        for name in reversed(list(self._daemons)):
            self.stop(name)

    def start(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as log:
            command = [shutil.which(name, path=_path()) or name, *words]
            self._daemons[name] = subprocess.Popen(command, env={**os.environ, **self.env}, stdout=log, stderr=log)

    def stop(self, name: str) -> None:
        daemon = self._daemons.pop(name)
        daemon.terminate()
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def ask(self, *words: str) -> str:
        """What a command of SLURM prints; empty where it fails or does not answer."""
        try:
            done = subprocess.run(
                words, env={**os.environ, **self.env}, capture_output=True, text=True, timeout=30, check=False
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout if done.returncode == 0 else ""


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait_for(condition, what: str) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError(what)
        time.sleep(0.1)
