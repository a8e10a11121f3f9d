"""The shell completes ids: the protocol that click's scripts speak, in a process of its own."""

import os
import subprocess
import sys

import pytest
from repository import ROOT


def completed(*words):
    """What `bench WORDS<TAB>` offers in bash; the last word is the one that is begun."""
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "COMP_WORDS": " ".join(("bench", *words)),
        "COMP_CWORD": str(len(words)),
    }
    command = [sys.executable, "-m", "benchmark"]
    done = subprocess.run(
        command, env=env | {"_BENCH_COMPLETE": "bash_complete"}, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (("run", "--suite", "har"), ["hard"]),
        (("run", "--method", "frozen_l"), ["frozen_logistic"]),
        (("run", "--method", "dra,devn"), ["dra,devnet"]),
        (("run", "--dataset", "elp"), ["elpv"]),
        (("run", "--recipe", "off"), ["official"]),
        (("report", "--table", "ahl:7"), ["ahl:7"]),
        (("report", "--suite", "labels_h"), ["labels_hard"]),
        (("methods", "show", "kd"), ["kdad"]),
        (("data", "prepare", "elp"), ["elpv"]),
    ],
)
def test_an_id_that_is_begun_is_completed(words, some):
    assert completed(*words) == some


def test_an_id_that_is_given_is_not_offered_again():
    assert "dra,dra" not in completed("run", "--method", "dra,dra")
    assert "dra,dra_cutmix" in completed("run", "--method", "dra,dra")
