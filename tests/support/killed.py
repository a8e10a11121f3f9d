"""Work that is killed at every step at which it touches the disk, twice, and then done: `killed.py WORK ARGUMENT...`.

Steps are calls of the functions of `os` below. Each attempt is a process of its own. Prints what each story left.
"""

import json
import os
import shutil
import signal
import sys
import threading
import traceback
from pathlib import Path

from protocols.catalogue import data_folder
from protocols.datasets import manifest
from protocols.images import store

STEPS = ("mkdir", "rename", "replace", "link", "symlink", "fsync", "unlink", "rmdir", "truncate")


def prepared(data, name, source):
    data_folder.prepare(Path(data), name, Path(source), jobs=2)


def stored(cache, dataset, size):
    store.ImageStore.open(manifest.read_manifest(Path(dataset), "set"), size=int(size), cache_dir=Path(cache), jobs=2)


def attempt(work, arguments, last_step):
    """Do the work in a child that kills itself at its step `last_step` (0: never); the steps it took, -1 if killed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        taken, lock = [0], threading.Lock()

        def counting(function):
            def call(*args, **kwargs):
                with lock:
                    taken[0] += 1
                    if taken[0] == last_step:
                        os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)

            return call

        for step in STEPS:
            setattr(os, step, counting(getattr(os, step)))
        status = 1
        try:
            work(*arguments)
            os.write(write, str(taken[0]).encode())
            status = 0
        except Exception:
            traceback.print_exc()
            raise
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read) as result:
        text = result.read()
    _, status = os.waitpid(child, 0)
    assert text or os.WIFSIGNALED(status), "the attempt failed by itself"
    return int(text) if text else -1


def state(root):
    """The visible files below the folder and what is in them."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.name.endswith(".lock")]
    shown = [path for path in files if not any(part.startswith(".") for part in path.relative_to(root).parts)]
    return {str(path.relative_to(root)): path.read_bytes() for path in shown if path.name != "source.json"}


def stories(work, root, arguments, count):
    total = attempt(work, [root, *arguments], 0)
    expected = state(Path(root))
    points = sorted({1 + total * number // count for number in range(count)} | {total})
    for first in points:
        shutil.rmtree(root)
        partly, ends = [], []
        for last_step in (first, first // 2 + 1):
            ends.append(attempt(work, [root, *arguments], last_step))
            left = state(Path(root)) if Path(root).exists() else {}
            partly.append(left not in ({}, expected))
        ends.append(attempt(work, [root, *arguments], 0))
        hidden = [str(path) for path in Path(root).rglob(".*") if not path.name.endswith(".lock")]
        hidden += [str(path) for path in Path(root).rglob("*.tmp")]
        yield {"point": first, "ends": ends, "partly": partly, "same": state(Path(root)) == expected, "left": hidden}


if __name__ == "__main__":
    job, base, count, *words = sys.argv[1:]
    work = {"prepared": prepared, "stored": stored}[job]
    json.dump(list(stories(work, base, words, int(count))), sys.stdout)
