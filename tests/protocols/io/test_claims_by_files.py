"""A folder that another process builds, on a file system without locks: whose claim it is and which file to remove."""

import socket
import subprocess
import sys
import threading

CLAIM = """
import errno, fcntl, os, sys, warnings
from pathlib import Path
from protocols.io.atomic_folders import claimed_folder

def refuse(descriptor, operation):
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

fcntl.flock = refuse
warnings.simplefilter("ignore")
with claimed_folder(Path(sys.argv[1]), "BENCH_DATA", lambda text: print(text, flush=True)):
    print("mine", flush=True)
    sys.stdin.read()
"""


def start(folder):
    words = [sys.executable, "-c", CLAIM, str(folder)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    watch = threading.Timer(60, process.kill)
    watch.start()
    line = process.stdout.readline()
    watch.cancel()
    return process, line


def test_a_claim_left_by_another_machine_is_named_with_its_file(tmp_path):
    holder, said = start(tmp_path / "mine")
    assert said == "mine\n"
    holder.kill()
    holder.communicate()
    lock = tmp_path / ".mine.lock"
    lock.write_text(lock.read_text().replace(socket.gethostname(), "node-7f9c"))
    waiting, said = start(tmp_path / "mine")
    assert f"process {holder.pid} on node-7f9c" in said
    assert f"remove {lock}" in said
    lock.unlink()
    watch = threading.Timer(60, waiting.kill)
    watch.start()
    assert waiting.stdout.readline() == "mine\n"
    watch.cancel()
    waiting.communicate("")
    assert waiting.returncode == 0
