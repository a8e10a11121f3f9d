"""Packages that `bench methods new` and `bench data new` write, installed as their users would: built by pip."""

import os
import subprocess
import sys

import strangers


def call(*words, cwd, path, **variables):
    """A process of this Python in a folder, with what lies in `path` installed."""
    env = {**os.environ, "PYTHONPATH": strangers.path(path), "BENCH_WEIGHTS": "", "COLUMNS": "200", **variables}
    return subprocess.run(
        [sys.executable, *map(str, words)],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def install(folder, site):
    """Build the package in `folder` and put it into `site`, from what is here already."""
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--no-compile", "--target", site)
    done = call("-m", "pip", "install", *options, folder, cwd=folder, path=site, PIP_DISABLE_PIP_VERSION_CHECK="1")
    assert done.returncode == 0, done.stdout + done.stderr


def tidy(folder):
    """Fail where the code of a package is not as ruff, by its own settings and those of ours, has it."""
    for words in (("format", "--check"), ("check", "--select", "ALL", "--ignore", ",".join(OUR_EXCEPTIONS))):
        done = call("-m", "ruff", *words, "--no-cache", ".", cwd=folder, path=folder)
        assert done.returncode == 0, done.stdout


OUR_EXCEPTIONS = ("ANN", "COM812", "CPY", "D", "EM", "FBT", "INP", "N812", "S101", "TRY003")
