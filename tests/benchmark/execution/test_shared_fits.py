"""Detectors without anomalies: one fit a dataset and seed, one record a test list; and what else a fit is made of."""

import pytest

from benchmark.execution import checkpoints
from benchmark.execution.checkpoints import CheckpointFile, KeptState, StateFile
from benchmark.execution.worker import execute

HARD = """
id = "hard_colours"
title = "Hard"
rule = "hard"
recipe = "official"
methods = ["drift_normal"]
shots = [1, 10]
seeds = [0]
[datasets]
tiles = ["crack", "stain"]
"""

GENERAL = HARD.replace('rule = "hard"', 'rule = "general"').replace('["crack", "stain"]', "[]")


@pytest.fixture
def tiles(drifting, rows):
    images = rows["texture"](30) + [(f"test/stain/{i:03}", "stain", "test", 120 + i) for i in range(12)]
    drifting.prepare(
        "tiles", [(id_, label.replace("cut", "crack"), split, value) for id_, label, split, value in images]
    )
    return drifting


def test_all_test_lists_of_both_rules_share_one_fit_without_shots(tiles):
    hard, general = tiles.plan(tiles.suite(HARD)), tiles.plan(tiles.suite(GENERAL))
    runs = [*hard.runs, *general.runs]
    assert len({run.spec.fit.fit_key for run in runs}) == 1
    assert len({run.spec.key for run in runs}) == 3
    assert {run.spec.split.shots for run in runs} == {None}
    assert [len(plan.tasks({"missing"})) for plan in (hard, general)] == [1, 1]
    assert [len(task.runs) for task in hard.tasks({"missing"})] == [2]


@pytest.mark.parametrize("shots", [(1,), (5,), (1, 10, 30)])
def test_they_pass_every_filter_of_shots(tiles, shots):
    assert len(tiles.plan(tiles.suite(HARD), shots=shots).runs) == 2


def test_a_suite_run_later_scores_the_fit_that_is_kept(tiles):
    (task,) = tiles.plan(tiles.suite(HARD)).tasks({"missing"})
    assert execute(task, tiles.machine).state == "done"
    (other,) = tiles.plan(tiles.suite(GENERAL)).tasks({"missing"})
    assert execute(other, tiles.machine).state == "done"
    assert len(tiles.fits) == 1
    records = {record.spec.split.rule: record for record in tiles.store.records()}
    assert records["general"].history == records["hard"].history != {}
    assert records["general"].timings["fit_s"] == records["hard"].timings["fit_s"]
    assert records["general"].counts.train_anomaly == 0
    execute(other, tiles.machine, again="all")
    assert len(tiles.fits) == 2, "--force fits again"
    assert next(iter(tiles.store.records())).metrics == next(iter(records.values())).metrics


def test_a_large_state_is_not_kept_for_later_suites(tiles, monkeypatch):
    monkeypatch.setattr("benchmark.execution.worker.REUSED_MIB", 1e-9)
    (task,) = tiles.plan(tiles.suite(HARD)).tasks({"missing"})
    execute(task, tiles.machine)
    (other,) = tiles.plan(tiles.suite(GENERAL)).tasks({"missing"})
    execute(other, tiles.machine)
    assert len(tiles.fits) == 2
    assert list((tiles.house.results / "fits").glob("*")) == [] or not (tiles.house.results / "fits").exists()


def test_a_detector_with_anomalies_keeps_no_state(tiles):
    (task,) = tiles.plan(tiles.suite(GENERAL), methods=("drift",), shots=(10,)).tasks({"missing"})
    assert execute(task, tiles.machine).state == "done"
    assert not (tiles.house.results / "fits").exists()


def test_sizes_and_resampling_are_resolved_by_the_plan_and_are_no_parameters(tiles):
    def fit(**sets):
        return tiles.plan(tiles.suite(GENERAL), methods=("drift",), shots=(10,), sets={"drift": sets}).runs[0].spec

    assert (fit().fit.size, fit().fit.resize) == (224, "squash")
    cut = fit(img_size=64, img_resize="shorter_side")
    assert (cut.fit.size, cut.fit.resize) == (64, "shorter_side")
    assert "image size 64 (the paper's: 224)" in cut.deviations
    whole = fit(img_resize="none", img_size=64)
    assert (whole.fit.size, whole.fit.resize) == (0, "none")
    assert not [text for text in whole.deviations if text.startswith("image size")]
    assert not {"img_size", "img_resize"} & whole.fit.params.keys()
    assert len({spec.fit.fit_key for spec in (fit(), cut, whole)}) == 3


def test_images_that_keep_their_size_reach_the_detector_as_they_are(tiles):
    (task,) = tiles.plan(
        tiles.suite(GENERAL), methods=("drift",), shots=(10,), sets={"drift": {"img_resize": "none"}}
    ).tasks({"missing"})
    assert execute(task, tiles.machine).state == "done"
    assert tiles.fits[0]["shape"] == [6, 8, 8, 1]


def test_a_checkpoint_carries_the_seconds_of_all_sittings(tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: clock[0])
    first = CheckpointFile(tmp_path / "fit.pt", {"fit_key": "a"})
    assert first.load() is None
    clock[0] += 30
    first.save({"step": 1})
    clock[0] += 5  # lost: nothing was saved after
    second = CheckpointFile(tmp_path / "fit.pt", {"fit_key": "a"})
    assert second.load() == {"step": 1}
    assert second.seconds == 30
    clock[0] += 7
    second.save({"step": 2})
    third = CheckpointFile(tmp_path / "fit.pt", {"fit_key": "a"})
    third.load()
    assert third.seconds == 37
    other = CheckpointFile(tmp_path / "fit.pt", {"fit_key": "b"})
    assert (other.load(), other.seconds) == (None, 0.0)


def test_a_kept_state_is_given_back_bit_by_bit_and_to_its_own_fit_only(tmp_path):
    import torch

    state = {"w": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3)}
    file = StateFile(tmp_path, "abc", {"code": "1"})
    assert file.load() is None
    file.save(KeptState(state, {"loss": [1.0, 0.5]}, 12.5))
    kept = file.load()
    assert all(torch.equal(kept.state[name], value) for name, value in state.items())
    assert (dict(kept.history), kept.seconds) == ({"loss": [1.0, 0.5]}, 12.5)
    assert torch.load(file.path, weights_only=True).keys() == state.keys()
    assert StateFile(tmp_path, "abc", {"code": "2"}).load() is None
    file.path.write_bytes(file.path.read_bytes() + b"x")
    assert file.load() is None
