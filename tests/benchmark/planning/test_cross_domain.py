"""Cross-domain: a source is fitted once and its state kept; each target starts from it and learns from normals alone."""

import hashlib
import json
import signal

import pytest

from benchmark.execution.processes.handover import TIME_IS_OVER, Outcome
from benchmark.execution.scheduler import Queue
from benchmark.execution.stores.image_stores import tasks_with_images
from benchmark.execution.worker import execute
from benchmark.planning.types import Task

CROSS = """
id = "cross"
title = "Three made-up textures"
rule = "cross_domain"
recipe = "official"
methods = ["drift_normal", "drift"]
shots = [10]
seeds = [0]
[datasets]
dark = ["grey", "light"]
grey = ["dark"]
"""

GENERAL = """
id = "all"
title = "The same under the general rule"
rule = "general"
recipe = "official"
methods = ["drift_normal", "drift"]
shots = [10]
seeds = [0]
[datasets]
dark = []
grey = []
light = []
"""


@pytest.fixture
def textures(drifting, rows):
    for name, shade in (("dark", 20), ("grey", 90), ("light", 160)):
        drifting.prepare(name, rows["texture"](shade))
    return drifting


@pytest.fixture
def run(textures):
    """Execute what a plan has to do, one task after another, as the engine would; gives the outcomes."""

    def run(again="never", **request):
        tasks = textures.plan(textures.suite(CROSS), **request).tasks({"missing", "cached", "failed"})
        return [execute(task, textures.machine, again=again).state for task in tasks]

    return run


def by_dataset(plan):
    return {(run.wanted_run.source_dataset, run.wanted_run.dataset): run for run in plan.runs}


def test_the_source_of_a_run_is_the_general_fit_on_it(textures):
    cross = textures.plan(textures.suite(CROSS))
    general = by_dataset(textures.plan(textures.suite(GENERAL), methods=("drift",)))
    runs = [run for run in cross.runs if run.wanted_run.source_dataset]
    assert [(run.wanted_run.source_dataset, run.wanted_run.dataset) for run in runs] == [
        ("grey", "dark"),
        ("light", "dark"),
        ("dark", "grey"),
    ]
    for run in runs:
        source = general[None, run.wanted_run.source_dataset].spec.fit
        assert run.spec.fit.source == source.fit_key
        assert run.spec.source == source
        assert source.source is None
        assert (source.params["epochs"], run.spec.fit.params["epochs"]) == (30, 10)
        assert "finetune.epochs" not in run.spec.fit.params | source.params
        assert run.spec.split.rule == "cross_domain"
        assert run.spec.split.source_dataset == run.wanted_run.source_dataset
        assert run.spec.test == general[None, run.wanted_run.dataset].spec.test, "the target's ten-shot test set"
        assert f"cross_domain-{run.wanted_run.source_dataset}-to-{run.wanted_run.dataset}-drift-10-s0" in run.spec.name


def test_a_method_without_anomalies_beside_it_is_its_general_run(textures):
    beside = [run for run in textures.plan(textures.suite(CROSS)).runs if run.wanted_run.method == "drift_normal"]
    general = textures.plan(textures.suite(GENERAL), methods=("drift_normal",), datasets=("dark", "grey"))
    assert [run.spec for run in beside] == [run.spec for run in general.runs]
    assert {run.spec.split.rule for run in beside} == {"general"}


def test_runs_of_other_seeds_are_one_series_and_of_another_source_another(textures):
    first, second = by_dataset(textures.plan(textures.suite(CROSS), methods=("drift",), datasets=("dark",))).values()
    (other,) = textures.plan(textures.suite(CROSS), methods=("drift",), datasets=("grey",), seeds=(1,)).runs
    (same,) = textures.plan(textures.suite(CROSS), methods=("drift",), datasets=("grey",)).runs
    assert other.spec.fit.source != same.spec.fit.source
    assert other.spec.series == same.spec.series
    assert first.spec.series != second.spec.series


def test_each_target_starts_from_its_sources_state_which_is_made_once(textures, run):
    assert run() == ["done"] * 8
    normals = [fit for fit in textures.fits if "finetune.epochs" in fit["params"]]
    assert normals == []
    sources = {fit["end"]: fit for fit in textures.fits if fit["anomaly"]}
    targets = [fit for fit in textures.fits if fit["start"]]
    assert (len(sources), len(targets), len(textures.fits)) == (3, 3, 8)
    for fit in targets:
        assert fit["start"] in sources
        assert fit["anomaly"] == []
        assert fit["epochs"] == 10
    records = [record for record in textures.store.records() if record.spec.split.source_dataset]
    assert len(records) == 3
    for record in records:
        assert record.counts.train_anomaly == 0
        assert record.counts.test_anomaly == 4
        state = textures.house.results / "fits" / f"{record.spec.fit.source}.pt"
        known = json.loads(state.with_suffix(".json").read_text())
        assert known["sha256"] == hashlib.sha256(state.read_bytes()).hexdigest()
    assert run() == ["taken"] * 8
    assert len(textures.fits) == 8


def test_a_source_that_is_kept_is_not_fitted_again(textures, run):
    run(methods=("drift",))
    before = len(textures.fits)
    assert run(again="all", methods=("drift",)) == ["taken", "done", "taken", "done", "taken", "done"]
    assert [fit["anomaly"] for fit in textures.fits[before:]] == [[], [], []]


@pytest.mark.parametrize("damage", ["cut short", "gone", "of other code"])
def test_a_state_that_cannot_be_used_is_made_again(textures, run, damage):
    chosen = {"methods": ("drift",), "datasets": ("grey",)}
    run(**chosen)
    (path,) = (textures.house.results / "fits").glob("*.pt")
    if damage == "cut short":
        path.write_bytes(path.read_bytes()[:-10])
    elif damage == "gone":
        path.unlink()
    else:
        beside = path.with_suffix(".json")
        beside.write_text(beside.read_text().replace('"code": "', '"code": "0'))
    (record,) = textures.store.records()
    assert run(again="all", **chosen) == ["done", "done"]
    assert len(textures.fits) == 4
    assert textures.fits[3] == textures.fits[1]
    assert next(textures.store.records()).metrics == record.metrics


def test_a_target_whose_sources_state_is_not_there_leaves_no_record(textures):
    (task,) = (
        task for task in textures.plan(textures.suite(CROSS), datasets=("grey",)).tasks({"missing"}) if task.source_key
    )
    outcome = execute(task, textures.machine)
    assert outcome.state == "stopped"
    assert "the same command makes it again" in outcome.reason
    assert list(textures.store.records()) == []


@pytest.mark.slow
def test_a_run_is_whole_after_a_kill_between_source_and_target(textures):
    house = textures.house
    words = ("run", "--suite", textures.suite(CROSS), "--dataset", "grey", "--method", "drift", "--threads", "1")
    (house.root / "kill").write_text("")
    killed = house.bench(*words)
    assert killed.returncode == -signal.SIGKILL
    assert [line for line in killed.stderr.splitlines() if line.startswith("decoding")] == [
        "decoding dark at 224 px: 1 of 24",
        "decoding grey at 224 px: 1 of 24",
    ]
    assert [bool(fit["anomaly"]) for fit in textures.fits] == [True]
    again = house.bench(*words, "--jobs", "2")
    assert again.returncode == 0, again.stderr
    assert "1 to run" in again.stderr
    assert "decoding" not in again.stderr
    source, target = textures.fits
    assert target["start"] == source["end"]
    assert "cross_domain-dark-to-grey-drift-10-s0" in again.stderr


def test_a_source_that_fails_fails_its_runs_until_they_are_asked_for_again(textures, run):
    chosen = {"methods": ("drift",), "datasets": ("grey",)}
    (textures.house.root / "fail").write_text("")
    source, target = textures.plan(textures.suite(CROSS), **chosen).tasks({"missing"})
    queue = Queue([source, target])
    queue.end(queue.next(), execute(source, textures.machine))
    trouble = queue.trouble(target)
    assert trouble.state == "failed"
    assert execute(target, textures.machine, failure=trouble.reason).state == "failed"
    (record,) = textures.store.records()
    assert record.status == "failed"
    assert record.error.startswith("the fit that it starts from: RuntimeError: a fit that fails (traceback: ")
    assert "a fit that fails" in textures.store.traceback_path(source.key).read_text()
    assert str(textures.store.traceback_path(source.key)) in textures.store.traceback_path(record.key).read_text()
    assert textures.plan(textures.suite(CROSS), **chosen).count("failed") == 1
    (textures.house.root / "fail").unlink()
    assert run(again="failed", **chosen) == ["done", "done"]
    (record,) = textures.store.records()
    assert record.status == "done"


def test_images_of_a_source_that_cannot_be_read_block_its_targets(textures):
    (textures.data / "dark" / "train" / "good" / "000.png").write_bytes(b"")
    tasks = textures.plan(textures.suite(CROSS), methods=("drift",)).tasks({"missing"})
    said = []

    class Listener:
        def counting(self, what):
            return lambda done, total: None

        def say(self, text):
            pass

        def blocked(self, tasks, reason):
            said.extend((task.fit.dataset, "blocked", reason) for task in tasks)

    ready = tasks_with_images(tasks, textures.data, textures.house.root / "cache", Listener())
    assert [task.fit.dataset for task in ready] == ["grey", "light"], "only the sources of the unreadable target"
    assert {dataset for dataset, _, _ in said} == {"dark", "grey"}
    assert {state for _, state, _ in said} == {"blocked"}
    assert all("000.png" in reason for _, _, reason in said)


def test_tasks_wait_for_their_source_and_share_its_fate(textures):
    tasks = textures.plan(textures.suite(CROSS), methods=("drift",)).tasks({"missing"})
    sources = {task.key: task for task in tasks if task.is_source}
    assert [bool(task.source_key) for task in tasks] == [False, True, False, True, False, True]
    queue = Queue(tasks)
    taken = [queue.next() for _ in range(3)]
    assert taken == list(sources.values())
    assert queue.next() is None
    ends = [Outcome("done"), Outcome("failed", "a bug"), Outcome("paused", TIME_IS_OVER)]
    for task, outcome in zip(taken, ends, strict=True):
        queue.end(task, outcome)
    fates = {}
    while (task := queue.next()) is not None:
        assert isinstance(task, Task)
        trouble = queue.trouble(task)
        fates[list(sources).index(task.source_key)] = trouble and (trouble.state, trouble.reason)
    assert fates == {0: None, 1: ("failed", "the fit that it starts from: a bug"), 2: ("paused", TIME_IS_OVER)}


def test_what_waits_for_a_fit_of_another_call_is_put_off_with_it(textures):
    tasks = textures.plan(textures.suite(CROSS), methods=("drift",)).tasks({"missing"})
    queue = Queue(tasks)
    source = queue.next()
    queue.put_aside(source)
    others = list(iter(queue.next, None))
    assert all(task.is_source for task in others), "no task that waits for a source at work"
    assert source not in others
    queue.put_busy_back()
    assert queue.next() is source
