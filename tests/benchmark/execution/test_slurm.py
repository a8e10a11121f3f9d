"""Jobs of SLURM without a SLURM: what lies in their folder, what an end of a job becomes, and what is refused."""

import shutil
import sys
from concurrent.futures import wait
from types import SimpleNamespace

import pytest
from running import ONE_RUN, wait_for

from benchmark.execution.engines import slurm
from benchmark.execution.executor import EngineRequest
from benchmark.execution.processes import slurm_queue
from benchmark.execution.processes.far_worker import Needs
from benchmark.execution.processes.handover import ASKED_TO_STOP, TIME_IS_OVER, Outcome
from benchmark.execution.processes.pool import WorkerLostError
from benchmark.execution.processes.slurm_job import JobFiles, JobOrder, run_job
from benchmark.execution.processes.slurm_queue import JobState, SlurmError
from benchmark.execution.worker import execute


@pytest.fixture
def order(drifting, rows):
    drifting.prepare("one", rows["texture"](60))
    (task,) = drifting.plan(drifting.suite(ONE_RUN)).tasks({"missing"})
    return JobOrder(task, drifting.machine)


def test_what_a_job_is_given_is_plain_json_and_gives_the_same_task(order, tmp_path):
    files = JobFiles(tmp_path, "0")
    files.write_order(order)
    assert files.read_order() == order
    assert files.read_order().task.key == order.task.key
    assert (tmp_path / "0.json").read_text().startswith('{"task":{')


def test_a_job_leaves_its_outcome_and_is_not_run_twice(order, drifting, tmp_path):
    files = JobFiles(tmp_path, "0")
    files.write_order(order)
    run_job(execute, str(tmp_path), "0")
    run_job(execute, str(tmp_path), "0")
    assert files.read_outcome() == Outcome("done")
    assert len(drifting.fits) == 1
    assert drifting.store.get(order.task.runs[0].spec.key).status == "done"


@pytest.mark.parametrize("is_saved", [True, False])
def test_a_job_that_is_stopped_leaves_no_outcome_but_that_it_saved(is_saved, order, drifting, tmp_path):
    def stopped(task, machine, *, again, failure):
        if is_saved:
            path = drifting.store.checkpoint_path(task.key)
            path.parent.mkdir(parents=True)
            path.touch()
        return Outcome("paused", ASKED_TO_STOP)

    files = JobFiles(tmp_path, "0")
    files.write_order(order)
    files.mark_saved(is_saved=True)
    run_job(stopped, str(tmp_path), "0")
    assert files.read_outcome() is None
    assert files.is_saved == is_saved


class Cluster:
    """A cluster whose jobs do nothing: tests say what they leave and which state they are in."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.states, self.said, self.cancelled, self.arrays = folder, {}, [], [], []
        for name, seconds in (("GATHER_SECONDS", 0.02), ("LOOK_SECONDS", 0.005), ("ASK_SECONDS", 0.0)):
            monkeypatch.setattr(slurm, name, seconds)
        monkeypatch.setattr(slurm_queue, "job_states", self.job_states)
        monkeypatch.setattr(slurm_queue, "cancel_jobs", self.cancel_jobs)
        engine = SimpleNamespace(say=self.said.append, array=lambda *_: Array(self))
        folder.mkdir(parents=True)
        self.executor = slurm._SlurmExecutor(engine, folder, "name", 3)

    def job_states(self, name):
        if isinstance(self.states, Exception):
            raise self.states
        return dict(self.states)

    def cancel_jobs(self, ids):
        self.cancelled += ids
        self.states |= {id_: JobState("CANCELLED", 0, "None") for id_ in ids}


class Array:
    """In place of submitit's executor."""

    def __init__(self, cluster):
        self.cluster, self.jobs = cluster, []

    def batch(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        number = len(self.cluster.arrays) + 1
        self.cluster.arrays.append(len(self.jobs))
        for place, job in enumerate(self.jobs):
            job.job_id = f"{number}_{place}"
            self.cluster.states[job.job_id] = JobState("RUNNING", 0, "None")

    def submit(self, *_):
        self.jobs.append(SimpleNamespace())
        return self.jobs[-1]


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    made = Cluster(tmp_path / "runs" / "slurm" / "token", monkeypatch)
    yield made
    made.executor.close()


def submitted(cluster, order, count=1):
    """Calls that come together, since the thread that submits them waits for the last."""
    with cluster.executor._lock:
        futures = [cluster.executor.submit(execute, order.task, order.machine) for _ in range(count)]
    wait_for(lambda: sum(cluster.arrays) == count)
    return futures


def test_fits_that_come_together_are_one_array_and_their_folder_goes_with_the_last(cluster, order):
    futures = submitted(cluster, order, 3)
    for name in range(3):
        JobFiles(cluster.folder, str(name)).write_outcome(Outcome("done", notes=("n",)))
    assert [future.result(60) for future in futures] == [Outcome("done", notes=("n",))] * 3
    assert (cluster.arrays, cluster.said) == ([3], ["SLURM job 1: 3 fits"])
    cluster.executor.close()
    assert not cluster.folder.parent.exists()


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("CANCELLED", "somebody cancelled its job 1_0: the same command tries again, from its checkpoint"),
        ("TIMEOUT", "the time of its job 1_0 was over: give --slurm time=HH:MM:SS more, then run again"),
        ("OUT_OF_MEMORY", "its job 1_0 had too little memory: give --slurm mem=SIZE more, then run again"),
        ("DEADLINE", "its job 1_0 met its deadline"),
    ],
)
def test_the_end_of_a_job_is_told_and_its_log_is_kept(state, said, cluster, order):
    (future,) = submitted(cluster, order)
    cluster.states = {"1_0": JobState(state, 0, "None")}
    outcome = future.result(60)
    assert outcome.state == "stopped"
    assert outcome.reason.startswith(said)
    assert str(cluster.folder) in outcome.reason
    cluster.executor.close()
    assert cluster.folder.exists()


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ({"1_0": JobState("NODE_FAIL", 0, "None")}, None),
        ({"1_0": JobState("FAILED", -11, "NonZeroExitCode")}, -11),
        ({"1_0": JobState("COMPLETED", 0, "None")}, None),
        ({}, None),
        ({"1_0": JobState("PENDING", 0, "launch_failed_requeued_held")}, None),
    ],
)
def test_a_job_that_is_lost_is_a_lost_worker(states, code, cluster, order):
    (future,) = submitted(cluster, order)
    cluster.states = states
    with pytest.raises(WorkerLostError) as lost:
        future.result(60)
    assert lost.value.code == code


def test_an_end_is_believed_when_it_is_seen_twice(cluster, order, monkeypatch):
    (future,) = submitted(cluster, order)
    asked = []

    def once(_):
        asked.append(1)
        return {} if len(asked) == 1 else {"1_0": JobState("RUNNING", 0, "None")}

    monkeypatch.setattr(slurm_queue, "job_states", once)
    wait([future], 0.2)
    assert not future.done()
    JobFiles(cluster.folder, "0").write_outcome(Outcome("done"))
    assert future.result(60) == Outcome("done")


@pytest.mark.parametrize("state", ["PREEMPTED", "FAILED", "TIMEOUT", "COMPLETED"])
def test_a_fit_that_saved_goes_on_in_another_job(state, cluster, order):
    (future,) = submitted(cluster, order)
    files = JobFiles(cluster.folder, "0")
    files.mark_saved(is_saved=True)
    cluster.states = {"1_0": JobState(state, 0, "None")}
    wait_for(lambda: cluster.arrays == [1, 1])
    files.write_outcome(Outcome("done"))
    assert future.result(60) == Outcome("done")
    assert cluster.arrays == [1, 1]


def test_a_job_that_slurm_starts_again_is_waited_for(cluster, order):
    (future,) = submitted(cluster, order)
    JobFiles(cluster.folder, "0").mark_saved(is_saved=True)
    cluster.states = {"1_0": JobState("PENDING", 0, "BeginTime")}
    wait([future], 0.2)
    assert not future.done()
    assert cluster.arrays == [1]
    JobFiles(cluster.folder, "0").write_outcome(Outcome("done"))
    assert future.result(60) == Outcome("done")


@pytest.mark.parametrize(("is_saved", "reason"), [(True, ASKED_TO_STOP), (False, TIME_IS_OVER)])
def test_a_call_that_stops_cancels_its_jobs_and_hears_what_they_saved(is_saved, reason, cluster, order):
    futures = submitted(cluster, order, 2)
    for name in range(2):
        JobFiles(cluster.folder, str(name)).mark_saved(is_saved=is_saved)
    assert cluster.executor.ask_to_stop()
    assert [future.result(60) for future in futures] == [Outcome("paused", reason)] * 2
    assert cluster.cancelled == ["1_0", "1_1"]


def test_only_the_job_that_is_over_its_time_is_cancelled(cluster, order):
    first, second = submitted(cluster, order, 2)
    cluster.executor.end(first)
    assert first.result(60) == Outcome("paused", TIME_IS_OVER)
    assert not second.done()
    JobFiles(cluster.folder, "1").write_outcome(Outcome("done"))
    assert second.result(60) == Outcome("done")


def test_a_controller_that_answers_again_in_time_is_not_lost(cluster, order, monkeypatch):
    (future,) = submitted(cluster, order)
    cluster.states = SlurmError("no answer")
    wait([future], 0.2)
    assert not future.done()
    monkeypatch.setattr(slurm, "LOST_SECONDS", 0.0)
    with pytest.raises(slurm.SchedulerLostError):
        future.result(60)
    assert "SLURM fails (no answer)" in cluster.executor.lost


def test_a_thread_that_meets_an_unforeseen_error_lets_no_call_wait(cluster, order):
    (future,) = submitted(cluster, order)
    cluster.states = ValueError("unforeseen")
    with pytest.raises(slurm.SchedulerLostError, match="unforeseen"):
        future.result(60)


def test_a_full_disk_is_why_no_job_can_be_given(cluster, order):
    shutil.rmtree(cluster.folder)
    cluster.folder.touch()
    with pytest.raises(OSError):
        cluster.executor.submit(execute, order.task, order.machine)
    assert cluster.executor.lost.startswith(f"cannot write {cluster.folder}/0.json: ")
    cluster.folder.unlink()


def test_jobs_that_wait_long_are_told_once(cluster, order, monkeypatch):
    monkeypatch.setattr(slurm, "STILL_PENDING_SECONDS", 0.0)
    (future,) = submitted(cluster, order)
    cluster.states = {"1_0": JobState("PENDING", 0, "Resources")}
    wait_for(lambda: len(cluster.said) == 2)
    wait([future], 0.2)
    JobFiles(cluster.folder, "0").write_outcome(Outcome("done"))
    future.result(60)
    assert cluster.said == ["SLURM job 1: 1 fit", "SLURM lets 1 job wait: Resources"]


def test_the_script_of_a_job_has_its_options_and_its_environment(tmp_path):
    pytest.importorskip("submitit")
    options = {"partition": "gpu", "time": "4:00:00", "gres": "gpu:1"}
    opened = slurm.opener(EngineRequest(2, tmp_path, tmp_path, print, Needs(), options=options))
    (tmp_path / "srun").touch(mode=0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        text = opened.array(tmp_path / "a b", "named", 5)._make_submission_file_text("command", "uid")
    lines = set(text.splitlines())
    assert {f"#SBATCH --{line}" for line in ("partition=gpu", "time=4:00:00", "gres=gpu:1", "requeue")} <= lines
    assert {
        "#SBATCH --cpus-per-task=2",
        "#SBATCH --job-name=named",
        "#SBATCH --signal=USR2@60",
        "export OMP_NUM_THREADS=2",
    } <= lines
    assert "--cpus-per-task=2 command" in text
    assert not any("wckey" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "sbatch: error: invalid partition specified: x\nallocation failure: Invalid",
            "invalid partition specified: x",
        ),
        ("allocation failure: Invalid qos", "Invalid qos"),
        ("", "without a reason"),
    ],
)
def test_the_reason_is_the_first_error_that_slurm_prints(text, reason):
    assert slurm_queue.reason_of(text) == reason


@pytest.mark.parametrize(("status", "code"), [("768", 3), ("35584", -11), ("9", -9), ("0", 0), ("N/A", 0)])
def test_an_exit_status_is_read_as_wait_gives_it(status, code):
    assert slurm_queue._exit_code(status) == code


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A path on which the commands of SLURM do what a test says."""

    def write(**texts):
        folder = tmp_path / "commands"
        folder.mkdir()
        for name, text in texts.items():
            (folder / name).write_text(f"#!{sys.executable}\nimport sys\n{text}\n")
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return write


def test_states_are_read_from_squeue(commands):
    commands(squeue="print('1_0|RUNNING|0|None|\\n1_1|FAILED|256|NonZeroExitCode|')")
    assert slurm_queue.job_states("x") == {
        "1_0": JobState("RUNNING", 0, "None"),
        "1_1": JobState("FAILED", 1, "NonZeroExitCode"),
    }


def test_a_node_that_is_down_for_now_is_no_refusal(commands):
    commands(sbatch="sys.exit('allocation failure: Required node not available (down, drained or reserved)')")
    slurm_queue.check_job({}, 1)


def test_a_command_that_is_not_there_or_fails_is_a_reason(commands):
    commands(scancel="sys.exit('scancel: error: no')")
    with pytest.raises(SlurmError, match="squeue cannot be run: No such file"):
        slurm_queue.job_states("x")
    with pytest.raises(SlurmError, match="scancel: error: no"):
        slurm_queue.cancel_jobs(["1"])


RUN = ("--method", "devnet", "--engine", "slurm", "--threads", "1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--slurm", "time=5"), "--slurm is an option of SLURM's jobs: give --engine slurm with it"),
        (("--engine", "slurm"), "with --engine slurm give --threads too: the cores of one job"),
        ((*RUN, "--address", "here:1"), "--address says where a cluster is: give --engine dask or ray with it"),
        ((*RUN, "--slurm", "partitoin=gpu"), "--slurm partitoin=gpu: no option 'partitoin'; did you mean 'partition'?"),
        ((*RUN, "--slurm", "time"), "--slurm time: give a value too, as in --slurm time=VALUE"),
        ((*RUN, "--slurm", "time=5", "--slurm", "--time=6"), "--slurm time is given twice: keep one"),
        ((*RUN, "--slurm", "cpus_per_task=4"), "--slurm cpus-per-task: give --threads, the cores of one job"),
        ((*RUN, "--slurm", "nodes=2"), "--slurm nodes: a fit runs as one process, on one node"),
        ((*RUN, "--slurm", "comment=a\nb"), "its value holds a line break"),
    ],
)
def test_wrong_options_of_jobs_are_one_sentence(words, said, bench, house):
    code, _, err = bench("run", "--suite", house.suite, *words)
    assert code == 2
    assert said in err
    assert not house.results.exists()


def test_a_machine_without_sbatch_is_told(bench, house, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setattr(slurm.shutil, "which", lambda _: None)
    code, _, err = bench("run", "--suite", house.suite, *RUN)
    assert code == 2
    assert err.splitlines()[-1].startswith("bench: no sbatch on the path")
    assert not (house.results / slurm.JOBS_FOLDER).exists()


def test_a_device_that_only_the_nodes_have_is_planned_for(bench, house):
    code, _, err = bench("run", "--suite", house.suite, *RUN, "--device", "cuda", "--plan")
    assert code == 0, err
    assert not house.results.exists()
