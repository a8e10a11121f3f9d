"""A checkpoint and a kept state belong to one fit, one class of numerics and one state of the code, and serve no other."""

import dataclasses

import pytest
import torch

from benchmark.execution.checkpoints import CheckpointFile, KeptState, StateFile
from benchmark.execution.worker import execute

SUITE = """
id = "general_tiles"
title = "General"
rule = "general"
recipe = "official"
methods = ["drift_normal"]
shots = [10]
seeds = [0]
[datasets]
tiles = []
"""
IDENTITY = {"fit_key": "f", "numerics": "cpu-avx2-threads1", "code": "c"}


@pytest.fixture
def own_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("threads", "variables", "fits"), [(1, {}, 1), (2, {}, 2), (1, {"MKL_CBWR": "COMPATIBLE"}, 2)])
@pytest.mark.usefixtures("own_threads")
def test_a_kept_fit_is_scored_again_in_its_own_class_of_numerics_alone(
    drifting, rows, monkeypatch, threads, variables, fits
):
    drifting.prepare("tiles", rows["texture"](30))
    (task,) = drifting.plan(drifting.suite(SUITE)).tasks({"missing"})
    assert execute(task, drifting.machine).state == "done"
    (record,) = drifting.store.records()
    drifting.store.record_path(record.key).unlink()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert execute(task, dataclasses.replace(drifting.machine, threads=threads)).state == "done"
    (again,) = drifting.store.records()
    assert len(drifting.fits) == fits
    assert (again.provenance.numerics_class == record.provenance.numerics_class) == (fits == 1)


@pytest.mark.parametrize("part", IDENTITY)
def test_a_checkpoint_of_another_fit_class_or_code_is_dropped_and_said(tmp_path, part):
    path, said = tmp_path / "fit.pt", []
    CheckpointFile(path, IDENTITY).save({"step": 3})
    assert CheckpointFile(path, IDENTITY, said.append).load() == {"step": 3}
    assert said == []
    assert CheckpointFile(path, IDENTITY | {part: "other"}, said.append).load() is None
    assert not path.exists()
    assert len(said) == 1


@pytest.mark.parametrize("part", IDENTITY)
def test_a_kept_state_of_another_fit_class_or_code_is_not_used(tmp_path, part):
    StateFile(tmp_path, "f", IDENTITY).save(KeptState({"w": torch.arange(3.0)}, {"loss": [0.5]}, 1.0))
    assert StateFile(tmp_path, "f", IDENTITY).load() is not None
    assert StateFile(tmp_path, "f", IDENTITY | {part: "other"}).load() is None
