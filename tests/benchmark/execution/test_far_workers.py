"""Workers of a cluster that do not see the folders of the call: what they need is checked, what they make comes back."""

import shutil
from concurrent.futures import Future
from dataclasses import replace

import pytest
from running import ONE_RUN

from benchmark.execution.processes import far_fits, far_worker
from benchmark.execution.processes.far_worker import FAR_FOLDER, Needs
from benchmark.execution.processes.handover import ASKED_TO_STOP, Outcome
from benchmark.execution.worker import execute
from methods.backbones.find import WeightsFile
from results.errors import ResultsError
from results.store import Store


class InHere:
    """In place of a cluster: a worker of this process, in the folders of another machine."""

    def __init__(self):
        self.sent = []

    def __call__(self, call, *args, **named):
        self.sent.append(args)
        future = Future()
        future.set_result(call(*args, **named))
        return future


@pytest.fixture
def far(drifting, rows, tmp_path, monkeypatch):
    """A task, and a worker with the same data set in folders of its own."""
    drifting.prepare("one", rows["texture"](60))
    (task,) = drifting.plan(drifting.suite(ONE_RUN)).tasks({"missing"})
    shutil.copytree(drifting.data, tmp_path / "there" / "data")
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "there" / "data"))
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "there" / "cache"))
    monkeypatch.delenv("BENCH_WEIGHTS", raising=False)
    drifting.task, drifting.there = task, tmp_path / "there"
    return drifting


def test_records_and_scores_come_home_and_nothing_stays_there(far):
    key = far.task.runs[0].spec.key
    assert far_fits.bring_home(InHere(), execute, far.task, far.machine).result(60) == Outcome("done")
    assert far.store.get(key).status == "done"
    there = far.store.scores(key).values.tobytes()
    assert not (far.there / "cache" / FAR_FOLDER / far.task.key).exists()
    assert execute(far.task, far.machine, again="all") == Outcome("done")
    assert far.store.scores(key).values.tobytes() == there


def test_a_kept_model_comes_home(far):
    task = replace(far.task, keep=far.task.runs[0].evaluation)
    assert far_fits.bring_home(InHere(), execute, task, far.machine).result(60) == Outcome("done")
    assert far.store.kept_models().keys() == {task.key}


def test_a_failure_is_told_with_its_traceback_at_home(far):
    (far.house.root / "fail").touch()
    outcome = far_fits.bring_home(InHere(), execute, far.task, far.machine).result(60)
    assert outcome.state == "failed"
    traceback = far.store.traceback_path(far.task.runs[0].spec.key)
    assert f"(traceback: {traceback})" in outcome.reason
    assert "a fit that fails" in traceback.read_text()


def test_a_checkpoint_goes_out_comes_home_and_goes_with_the_last(far):
    checkpoint = far.store.checkpoint_path(far.task.key)
    sent = []

    def stopped(task, machine, **named):
        path = Store(machine.store).checkpoint_path(task.key)
        sent.append(path.read_bytes() if path.exists() else None)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"step 3")
        return Outcome("paused", ASKED_TO_STOP)

    for _ in range(2):
        assert far_fits.bring_home(InHere(), stopped, far.task, far.machine).result(60).state == "paused"
    assert sent == [None, b"step 3"]
    assert checkpoint.read_bytes() == b"step 3"
    far_fits.bring_home(InHere(), lambda *_, **__: Outcome("done"), far.task, far.machine).result(60)
    assert not checkpoint.exists()


def test_a_fit_that_another_call_holds_is_not_sent(far):
    worker = InHere()
    with far.store.claim(far.task.key):
        outcome = far_fits.bring_home(worker, execute, far.task, far.machine).result(60)
    assert (outcome.state, worker.sent) == ("busy", [])


def test_the_state_of_a_source_comes_home_and_goes_out_with_what_starts_from_it(far, rows):
    for name, shade in (("dark", 20), ("grey", 90)):
        far.prepare(name, rows["texture"](shade))
        shutil.copytree(far.data / name, far.there / "data" / name)
    cross = ONE_RUN.replace('"general"', '"cross_domain"').replace("one = []", 'dark = ["grey"]')
    source, target = far.plan(far.suite(cross)).tasks({"missing"})
    assert source.is_source
    for task in (source, target):
        assert far_fits.bring_home(InHere(), execute, task, far.machine).result(60) == Outcome("done")
    assert far_fits.bring_home(InHere(), execute, source, far.machine).result(60) == Outcome("taken")
    fitted, tuned = far.fits
    assert tuned["start"] == fitted["end"] != 0


@pytest.mark.parametrize("name", ["../outside", "records/aa/other.json", "artefacts/KEY/../../x", "artefacts/KEY/.x"])
def test_a_file_that_is_none_of_the_fit_is_refused(name, far):
    name = name.replace("KEY", far.task.key)
    with pytest.raises(ResultsError, match="no file of its fit"):
        far_fits.take_in(far.store, far.task, ((name, b"x"),))
    assert not list(far.store.root.rglob("*x*"))


def test_a_record_that_cannot_be_read_or_is_of_another_run_is_refused(far):
    execute(far.task, far.machine)
    key = far.task.runs[0].spec.key
    path = far.store.record_path(key)
    name, content = path.relative_to(far.store.root).as_posix(), path.read_bytes()
    path.unlink()
    with pytest.raises(ResultsError, match="that a worker sent"):
        far_fits.take_in(far.store, far.task, ((name, content[:100]),))
    assert not path.exists()
    far_fits.take_in(far.store, far.task, ((name, content),))
    assert far.store.get(key).status == "done"


def test_what_a_worker_lacks_is_one_sentence(far, rows, monkeypatch):
    needs = far_fits.needs_of([far.task])
    assert set(needs.datasets) == {"one"}
    assert far_worker.lacks(needs, None) is None
    assert far_worker.lacks(needs, far.data) is None
    other = replace(needs, datasets={"one": "0" * 64})
    assert "has other images or labels of one (" in far_worker.lacks(other, None)
    assert far_worker.lacks(other, None).endswith("here 000000000000): prepare the same release there")
    weights = Needs(weights={"resnet18": "ab" * 32})
    assert far_worker.lacks(weights, None).endswith(
        "lacks the weights of resnet18 with SHA-256 abababababab: set BENCH_WEIGHTS to them there"
    )
    shutil.rmtree(far.there / "data" / "one")
    assert "lacks a data set: there is no dataset 'one'" in far_worker.lacks(needs, None)


def test_the_weights_of_the_worker_are_found_by_what_they_hold(far, tmp_path, monkeypatch):
    import torch
    from torchvision.models import resnet18

    from methods.backbones import find

    path = tmp_path / "there" / "mine.pth"
    torch.save(resnet18().state_dict(), path)
    file = find.identify(path, cache_dir=tmp_path / "cache")
    monkeypatch.setenv("BENCH_WEIGHTS", str(path))
    called = WeightsFile(file.arch, tmp_path / "here.pth", file.digest, file.label)
    task = replace(far.task, fit=replace(far.task.fit, weights={file.arch: called}))
    assert far_fits.needs_of([task]).weights == {file.arch: file.digest}
    seen = []
    far_fits.bring_home(
        InHere(), lambda task, *_, **__: seen.append(task) or Outcome("done"), task, far.machine
    ).result(60)
    assert seen[0].fit.weights[file.arch].path == path
    assert seen[0].fit.key == task.fit.key


def test_a_worker_that_does_not_share_a_shared_folder_makes_nothing(far):
    with far_fits.proof_in(far.store.root) as proof:
        assert far_worker.shares_folders(proof, far.data)
        assert not far_worker.shares_folders(proof, far.data / "none")
        assert far_worker.execute_sharing(execute, proof, far.task, far.machine) == Outcome("done")
    assert not far_worker.shares_folders(proof, far.data)
    outcome = far_worker.execute_sharing(execute, proof, far.task, far.machine)
    assert outcome.state == "stopped"
    assert f"does not see {far.store.root} and {far.data}: run again" in outcome.reason
