"""`bench run`: what is missing is run once, what is stored is not; processes come and go, records stay."""

import platform
import shutil
import signal
from pathlib import Path

import pytest
from running import scores_of, wait_for

from benchmark.execution.engines.local import Local
from results.store import Store


def descendants(pid):
    """Process ids below `pid`, read from /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(stat.parent.name)] = int(fields[1])
    found, layer = [], {pid}
    while layer:
        layer = {child for child, parent in parents.items() if parent in layer}
        found.extend(layer)
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other habits")
def test_a_worker_keeps_the_memory_that_a_step_frees_for_the_next_one():
    def page_faults():
        import resource

        counts = []
        for _ in range(5):
            b"x" * 2**26  # 16,384 pages, freed at once
            counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
        return counts[-1] - counts[0]

    with Local(threads=1)(1) as executor:
        assert executor.submit(page_faults).result() < 1000


def test_a_run_ends_with_its_table_and_leaves_complete_records(finished):
    assert "4 runs: 0 cached, 4 to run, 0 blocked" in finished.first.stderr
    table = [line.split(" | ") for line in finished.first.stdout.splitlines() if line.startswith("| tiny")]
    assert finished.first.stdout.startswith("# Suite tiny: My own parts\n")
    assert [row[1].strip() for row in table] == ["bar", "dot", "Mean"]
    rows = finished.listed()
    names = {"key", "fit_key", "method", "dataset", "known_class", "shots", "seed", "status", "auroc"}
    assert all(names <= row.keys() for row in rows)
    assert [row["name"].partition("-10-")[0] for row in rows] == [
        "hard-tiny-bar-devnet",
        "hard-tiny-bar-dra",
        "hard-tiny-dot-devnet",
        "hard-tiny-dot-dra",
    ]
    assert all("-batch.seen=" in row["name"] and "-img_size=32-" in row["name"] for row in rows)
    shown = [cell.strip("* |").partition(" ")[0].strip("*") for row in table[:2] for cell in row[2:]]
    assert shown == [f"{row['auroc']:.3f}" for row in rows]
    records = list(Store(finished.results).records())
    assert len(records) == 4
    for record in records:
        assert record.status == "done"
        assert (record.counts.train_normal, record.counts.train_anomaly) == (14, 10)
        assert (record.counts.test_normal, record.counts.test_anomaly) == (6, 12)
        assert record.provenance.threads == 1
        assert record.provenance.weights == {"resnet18": "random"}
        assert len(record.provenance.code_digest) == 64
        assert len(record.history["loss"]) == 1
        assert {"fit_s", "score_s"} <= record.timings.keys()
        scores = Store(finished.results).scores(record.key)
        assert len(scores.ids) == 18
        known = record.spec.split.known_class
        assert not any(f"/{known}/" in image for image in scores.ids)


def test_the_same_suite_again_runs_nothing(finished):
    again = finished.run("--threads", "1")
    assert again.returncode == 0
    assert "4 runs: all cached, 0 to run, 0 blocked" in again.stderr
    assert again.stdout == finished.first.stdout


def test_the_same_seed_gives_the_same_bits_in_other_processes_and_at_other_jobs(finished, house):
    done = house.run("--threads", "1", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert scores_of(house) == scores_of(finished)


@pytest.mark.slow
def test_a_forced_run_gives_the_same_bits_again(finished, house):
    shutil.copytree(finished.results, house.results)
    before = scores_of(house)
    again = house.run("--threads", "1", "--method", "devnet", "--known-class", "dot", "--force")
    assert "1 to run" in again.stderr
    assert scores_of(house) == before
    assert len(before) == 4


@pytest.mark.slow
def test_a_fit_paused_by_max_time_goes_on_from_its_checkpoint_to_the_same_bits(finished, house):
    words = ("--threads", "1", "--method", "dra", "--known-class", "dot")
    paused = house.run(*words, "--max-time", "0.01s")
    assert paused.returncode == 0, paused.stderr
    assert "paused: hard-tiny-dot-dra-10-batch.seen=2-" in paused.stderr
    assert len(list((house.results / "checkpoints").iterdir())) == 1
    assert scores_of(house) == {}
    again = house.run(*words)
    assert again.returncode == 0, again.stderr
    (key,) = scores_of(house)
    assert scores_of(house)[key] == scores_of(finished)[key]
    assert list((house.results / "checkpoints").iterdir()) == []


@pytest.mark.slow
def test_a_failed_run_stops_no_other_and_is_skipped_until_asked_for(house):
    bad = ("--set", "dra.optim.lr=1e15", "--known-class", "dot")
    first = house.run(*bad)
    assert first.returncode == 1
    assert {(row["method"], row["status"]) for row in house.listed()} == {("devnet", "done"), ("dra", "failed")}
    assert "Traceback" not in first.stderr
    again = house.run(*bad)
    assert again.returncode == 1
    assert "1 failed before and is skipped" in again.stderr
    retried = house.run(*bad, "--retry-failed")
    assert "1 to run" in retried.stderr
    assert retried.returncode == 1


@pytest.mark.slow
def test_two_calls_on_one_folder_do_every_run_once(house):
    first = house.start("run", "--suite", house.suite, *house.small, "--threads", "1")
    second = house.start("run", "--suite", house.suite, *house.small, "--threads", "1")
    outputs = [process.communicate(timeout=300) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    made = [line.split()[1] for _, err in outputs for line in err.splitlines() if line.startswith("done: ")]
    assert len(made) == 4
    assert sorted(made) == sorted(record.spec.name for record in Store(house.results).records())
    assert outputs[0][0] == outputs[1][0]


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_stopping_the_parent_leaves_no_worker_and_costs_only_the_run_at_work(house, sent, status):
    slow = ["dra.budget.steps=100000" if word == "dra.budget.steps=2" else word for word in house.small]
    # A shell lets what it starts in the background ignore Ctrl-C; Python's handler becomes the default in a child.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    parent = house.start("run", "--suite", house.suite, *slow, "--threads", "1", "--known-class", "bar")
    signal.signal(signal.SIGINT, before)
    try:
        wait_for(lambda: len(scores_of(house)) == 1 and any((house.results / "locks").glob("*.json")))
        workers = descendants(parent.pid)
        assert workers
        parent.send_signal(sent)
        _, said = parent.communicate(timeout=60)
        assert parent.returncode == status
        wait_for(lambda: not any(is_alive(pid) for pid in workers), seconds=20)
    finally:
        parent.kill()
        parent.communicate()
    assert "Traceback" not in said
    kept = scores_of(house)
    again = house.run("--threads", "1", "--known-class", "bar")
    assert again.returncode == 0, again.stderr
    assert "2 runs: 1 cached, 1 to run" in again.stderr
    assert kept.items() <= scores_of(house).items()
