"""A device that this machine lacks is told once, when the runs are planned; torch is loaded for it alone."""

import json
import subprocess
import sys

import pytest
import torch

ABSENT = [f"cuda:{torch.cuda.device_count() + 7}", *(() if torch.cuda.is_available() else ("cuda", "cuda:0"))]


@pytest.mark.parametrize("device", ABSENT)
@pytest.mark.parametrize("plan", [("--plan",), ()], ids=["plan", "run"])
def test_an_absent_device_is_wrong_input(bench, house, device, plan):
    code, out, err = bench("run", "--suite", "tiny.toml", "--device", device, *plan)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"no device '{device}' on this machine" in err
    assert not house.results.exists()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_device_is_there_as_far_as_torch_counts(bench, monkeypatch, count):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    planned = [
        bench("run", "--suite", "tiny.toml", "--device", name, "--plan") for name in ("cuda", "cuda:0", "cuda:1")
    ]
    assert [code for code, _, _ in planned] == [0 if number < count else 2 for number in (0, 0, 1)]
    assert all(err.count("cuda") == (code > 0) for code, _, err in planned)


def test_a_device_of_a_cluster_is_not_looked_for_here(bench, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    cluster = ("--engine", "dask", "--address", "tcp://127.0.0.1:1", "--threads", "1")
    code, out, _ = bench("run", "--suite", "tiny.toml", "--device", "cuda", *cluster, "--plan")
    assert code == 0
    assert "4 missing" in out


def test_auto_in_a_list_is_refused(bench):
    for text in ("auto,auto", "cuda:0,auto"):
        code, _, err = bench("run", "--suite", "tiny.toml", "--device", text, "--plan")
        assert (code, "auto is no part of a list" in err) == (2, True)


def test_auto_is_the_accelerator_that_is_here_or_the_processor(bench, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert bench("run", "--suite", "tiny.toml", "--device", "auto", "--plan")[0] == 0
    code, _, err = bench("run", "--suite", "tiny.toml", "--device", "cuda:0,cuda:1", "--plan")
    assert (code, "no device 'cuda:0,cuda:1' on this machine" in err) == (2, True)
    cluster = ("--engine", "dask", "--address", "tcp://127.0.0.1:1", "--threads", "1")
    code, _, err = bench("run", "--suite", "tiny.toml", "--device", "auto", *cluster, "--plan")
    assert (code, err.count("\n")) == (2, 1)
    assert "name the device of the machines on which fits run" in err


def test_the_processor_is_planned_for_without_torch(house):
    code = "import json, sys; from benchmark.cli import status; code = status(sys.argv[1:]); print(json.dumps([code, 'torch' in sys.modules]))"
    words = ("run", "--suite", house.suite, "--device", "cpu", "--plan")
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        env=house.env,
        cwd=house.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [0, False]


def test_a_precision_that_a_device_lacks_is_refused_before_it_is_looked_for(bench):
    code, out, err = bench("run", "--suite", "tiny.toml", "--device", "mps", "--precision", "bf16")
    assert (code, out) == (2, "")
    assert "device 'mps' does not compute in bf16: give --precision fp32" in err
