"""Checkpoints and kept states that are not as they were written are dropped and named, and the fit is made anew."""

import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark.execution.checkpoints import CheckpointFile, KeptState, StateFile
from benchmark.execution.worker import execute
from results.store import Store

SUITE = """
id = "one"
title = "One fit"
rule = "general"
recipe = "quick"
methods = ["devnet"]
shots = [1]
seeds = [0]
[datasets]
grey = []
"""
SMALL = {"img_size": 32, "budget.epochs": 1, "budget.steps": 3, "batch.size": 6, "batch.seen": 2}
CROSS = """
id = "cross"
title = "From one texture to another"
rule = "cross_domain"
recipe = "official"
methods = ["drift"]
shots = [10]
seeds = [0]
[datasets]
dark = ["grey"]
"""


@pytest.fixture
def textures(drifting, rows):
    for name, shade in (("dark", 20), ("grey", 90)):
        drifting.prepare(name, rows["texture"](shade))
    return drifting


@pytest.fixture
def task(textures):
    """One fit of DevNet."""
    request = {"recipe": "quick", "sets": {"devnet": SMALL}, "precision": "fp32"}
    (task,) = textures.plan(textures.suite(SUITE), **request).tasks({"missing"})
    return task


@pytest.fixture
def paused(textures, task):
    """The checkpoint of that fit, which was stopped after its first step."""
    assert execute(task, replace(textures.machine, seconds=0.0)).state == "paused"
    return textures.store.checkpoint_path(task.key)


@pytest.fixture(scope="module")
def known():
    """Scores by key, found once for all tests."""
    return {}


@pytest.fixture
def whole(textures, task, known):
    """The scores of that fit if nothing interrupts it."""
    key = task.runs[0].spec.key
    if key not in known:
        elsewhere = replace(textures.machine, store=textures.house.root / "elsewhere")
        assert execute(task, elsewhere).state == "done"
        known[key] = Store(elsewhere.store).scores(key).values
    return known[key]


def scores(textures, task):
    return textures.store.scores(task.runs[0].spec.key).values


def flip(path, place, bit=0x80):
    data = bytearray(path.read_bytes())
    data[place] ^= bit
    path.write_bytes(data)


def stored(path):
    """What torch wrote into a checkpoint."""
    return torch.load(io.BytesIO(path.read_bytes().partition(b"\n")[2]), weights_only=True)


def rewritten(path, change):
    """The checkpoint with another state and a digest that matches it."""
    held = stored(path)
    change(held["state"])
    CheckpointFile(path, held["identity"]).save(held["state"])


def test_a_fit_goes_on_from_a_sound_checkpoint_without_a_word(textures, task, paused, whole):
    outcome = execute(task, textures.machine)
    assert (outcome.state, outcome.notes) == ("done", ())
    assert (scores(textures, task) == whole).all()


def test_a_flipped_bit_of_a_weight_drops_the_checkpoint(textures, task, paused, whole):
    weight = max((value for value in stored(paused)["state"]["model"].values() if value.ndim == 1), key=len)
    flip(paused, paused.read_bytes().index(weight.numpy().tobytes()) + 3)
    outcome = execute(task, textures.machine)
    assert outcome.state == "done"
    (note,) = outcome.notes
    assert note.startswith(f"the checkpoint {paused} is damaged")
    assert note.endswith("it is dropped, the fit starts anew")
    assert (scores(textures, task) == whole).all()


DAMAGE = {
    "a weight has another shape": lambda state: state["model"].update(dict.fromkeys(state["model"], torch.zeros(5, 5))),
    "an optimiser is missing": lambda state: state.pop("optimisers"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_checkpoint_that_its_detector_does_not_take_costs_no_run(textures, task, paused, whole, kind):
    rewritten(paused, DAMAGE[kind])
    outcome = execute(task, textures.machine)
    assert outcome.state == "done"
    (note,) = outcome.notes
    assert f"the checkpoint {paused} does not fit its detector" in note
    assert (scores(textures, task) == whole).all()
    assert not paused.exists()


def test_a_fit_that_fails_by_itself_fails_once(textures, task, paused, monkeypatch):
    import methods.nn.training.loop

    tries = []

    def breaks(self):
        tries.append(self._context.checkpoint.load() is not None)
        raise RuntimeError("broken by itself")

    monkeypatch.setattr(methods.nn.training.loop.TrainingLoop, "run", breaks)
    outcome = execute(task, textures.machine)
    assert (outcome.state, tries) == ("failed", [True, False])
    outcome = execute(task, textures.machine, again="failed")
    assert (outcome.state, tries) == ("failed", [True, False, False])


def test_no_flipped_bit_of_a_checkpoint_is_taken_up(tmp_path):
    identity = {"fit_key": "a"}
    state = {"weights": torch.arange(6.0), "step": 3, "history": {"loss": [1.0, 0.5]}}
    path = tmp_path / "fit.pt"
    CheckpointFile(path, identity).save(state)
    for place in np.linspace(0, path.stat().st_size - 1, 60, dtype=int):
        CheckpointFile(path, identity).save(state)
        flip(path, place, 1)
        said = []
        file = CheckpointFile(path, identity, said.append)
        assert (file.load(), file.is_loaded, path.exists(), len(said)) == (None, False, False, 1)


@pytest.mark.parametrize("left", [b"", b"\n", b"torn", b"a" * 64 + b"\n"])
def test_a_checkpoint_of_another_form_is_dropped_and_named(tmp_path, left):
    path = tmp_path / "fit.pt"
    path.write_bytes(left)
    said = []
    assert CheckpointFile(path, {}, said.append).load() is None
    assert str(path) in said[0]
    assert not path.exists()


def test_a_checkpoint_as_an_older_version_wrote_it_is_dropped_and_named(tmp_path):
    path = tmp_path / "fit.pt"
    torch.save({"identity": {}, "state": {"step": 1}, "seconds": 1.0}, path)
    said = []
    assert CheckpointFile(path, {}, said.append).load() is None
    assert "of an older version" in said[0]


def kept_state(root, said=None):
    return StateFile(root, "abc", {"code": "1"}, (said if said is not None else []).append)


@pytest.mark.parametrize("ending", [".pt", ".json"])
def test_no_flipped_bit_of_a_kept_state_is_taken_up(tmp_path, ending):
    kept_state(tmp_path).save(KeptState({"w": torch.arange(6.0)}, {"loss": [1.25, 0.5]}, 12.5))
    path = kept_state(tmp_path).path.with_suffix(ending)
    sound = path.read_bytes()
    for place in range(0, len(sound), max(1, len(sound) // 150)):
        flip(path, place, 1)
        said = []
        assert kept_state(tmp_path, said).load() is None
        (note,) = said
        assert note.startswith(f"the kept state {tmp_path / 'fits' / 'abc.pt'} is damaged")
        assert note.endswith("the fit is made anew")
        path.write_bytes(sound)
    assert kept_state(tmp_path).load().history == {"loss": [1.25, 0.5]}


def test_a_damaged_state_of_a_source_is_made_anew_and_that_is_said(textures):
    source, target = textures.plan(textures.suite(CROSS)).tasks({"missing"})
    assert execute(source, textures.machine).state == "done"
    path = textures.store.root / "fits" / f"{source.key}.pt"
    flip(path, -1)
    outcome = execute(source, textures.machine)
    assert outcome.state == "done"
    assert [str(path) in note and "made anew" in note for note in outcome.notes] == [True]
    assert execute(source, textures.machine).notes == ()
    assert execute(target, textures.machine).state == "done"
    assert [fit["start"] == 0 for fit in textures.fits] == [True, True, False]


def test_a_kept_state_that_its_detector_does_not_take_is_made_anew(textures):
    general = SUITE.replace("devnet", "drift_normal").replace("quick", "official")
    (task,) = textures.plan(textures.suite(general)).tasks({"missing"})

    def again():
        shutil.rmtree(textures.store.root / "records", ignore_errors=True)
        return execute(task, textures.machine)

    assert [again().state, again().state, len(textures.fits)] == ["done", "done", 1]
    sound = scores(textures, task)
    path = textures.store.root / "fits" / f"{task.key}.json"
    identity = json.loads(path.read_text())["identity"]
    StateFile(textures.store.root, task.key, identity).save(KeptState({"other": torch.zeros(1)}, {}, 1.0))
    outcome = again()
    assert outcome.state == "done"
    assert "cannot be loaded (KeyError: 'level'): the fit is made anew" in outcome.notes[0]
    assert (scores(textures, task) == sound).all()
    assert (again().notes, len(textures.fits)) == ((), 2)
