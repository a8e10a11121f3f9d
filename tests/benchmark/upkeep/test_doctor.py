"""`bench doctor`: what it finds is what is there, and it is 1 exactly where something hinders a run."""

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys

import pytest
import strangers

from benchmark import numerics
from benchmark.cli import status
from benchmark.paths import Folders
from benchmark.upkeep import diagnosis, inventory
from benchmark.upkeep.filesystem import FolderState, file_system, folder_states
from benchmark.upkeep.memory import MachineLimits, machine_limits
from methods.backbones.notes import NOTE_VERSION

LISTING = """
import json, sys
from benchmark.cli import status
code = status(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]))
"""

QUIET = dict.fromkeys((*diagnosis.THREADS, *diagnosis.BINDING, *numerics.ARITHMETIC), "")


def alone(house, *words, **variables):
    """`bench doctor` in a process of its own that knows the modules it loaded: stdout but the last line, and that."""
    done = subprocess.run(
        [sys.executable, "-c", LISTING, "doctor", *map(str, words)],
        env=house.env | QUIET | variables,
        cwd=house.root,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    *lines, last = done.stdout.splitlines()
    return "\n".join(lines), *json.loads(last)


@pytest.fixture
def examined(house, monkeypatch, capfd):
    """Call `bench doctor --json` in this process; gives exit status, facts, and texts: those that hinder, and all."""
    monkeypatch.chdir(house.root)

    def call(*words, **variables):
        for name, value in (house.env | QUIET | variables).items():
            monkeypatch.setenv(name, value)
        code = status(["doctor", "--json", *map(str, words)])
        out, err = capfd.readouterr()
        assert err == ""
        found = json.loads(out)
        return code, found, *texts(found)

    return call


def texts(found):
    said = found["findings"]
    return [one["text"] for one in said if one["hinders"]], [one["text"] for one in said]


@pytest.fixture
def weighted(house):
    """A house in whose cache a file of weights is known as a ResNet-18."""
    folder = house.root / "weights"
    folder.mkdir()
    (folder / "mine.pth").write_bytes(b"tensors")
    digest = hashlib.sha256(b"tensors").hexdigest()
    note = house.root / "cache" / "weights" / f"{digest}.json"
    note.parent.mkdir(parents=True)
    note.write_text(json.dumps({"version": NOTE_VERSION, "arch": "resnet18", "problem": ""}))
    return house


def test_a_machine_with_weights_and_room_is_well_and_torch_is_not_asked(weighted):
    out, code, modules = alone(weighted, "--json", BENCH_WEIGHTS="weights")
    found = json.loads(out)
    hindrances, said = texts(found)
    assert (code, hindrances) == (0, [])
    assert not {"torch", "sklearn", "pandas", "scipy"} & set(modules)
    assert found["versions"]["python"] == sys.version.split()[0]
    assert all(found["versions"].values())
    assert found["limits"]["cores"] == numerics.cores()
    assert [(one["name"], one["origin"]) for one in found["folders"]] == [
        ("data", "BENCH_DATA"),
        ("cache", "BENCH_CACHE"),
        ("results", "BENCH_RESULTS"),
    ]
    assert all(one["writable"] and one["free"] > 0 for one in found["folders"])
    assert found["folders"][2]["there"] is False
    assert found["weights"][0]["arch"] == "resnet18"
    assert found["weights"][0]["labels"][0].startswith("custom:")
    assert "dra" in found["weights"][0]["needed_by"]
    assert found["datasets"]["tiny"] == "ready"
    assert any("counts as not comparable" in text for text in said)
    assert not (weighted.root / "runs").exists()


def test_without_weights_only_quick_runs_which_is_said_and_hinders_nothing(house, examined):
    code, _, hindrances, said = examined("--results", house.root)
    assert (code, hindrances) == (0, [])
    assert sum("only recipe quick" in text and "bench weights fetch resnet18" in text for text in said) == 1


def test_what_hinders_is_named_with_its_next_step(house, examined):
    (house.root / "own").mkdir()
    shutil.copytree(house.root / "data" / "tiny", house.root / "own" / "tiny", symlinks=True)
    (house.root / "own" / "tiny" / "manifest.csv").write_text("damaged")
    (house.root / "runs").write_text("mine")
    code, found, hindrances, _ = examined(BENCH_WEIGHTS="nowhere", BENCH_DATA="own")
    assert code == 1
    assert found["datasets"]["tiny"] == "damaged"
    for said in (
        "BENCH_WEIGHTS names nowhere, which is not there",
        "tiny is damaged: bench data verify tiny",
        "runs is a file: choose another with --results",
    ):
        assert any(said in text for text in hindrances), said
    assert (house.root / "runs").read_text() == "mine"


def test_a_file_that_only_torch_can_tell_is_named_and_not_taken_for_none(weighted, examined):
    (weighted.root / "weights" / "other.pth").write_bytes(b"other tensors")
    (weighted.root / "weights" / "mine.pth").unlink()
    code, _, _, said = examined(BENCH_WEIGHTS="weights")
    assert code == 0
    assert sum("other.pth was not looked into yet" in text for text in said) == 1


def test_a_false_genuine_file_hinders(weighted, examined):
    (weighted.root / "weights" / "resnet18-f37072fd.pth").write_bytes(b"not that")
    code, _, hindrances, _ = examined(BENCH_WEIGHTS="weights")
    assert code == 1
    assert "is not the file that its name says" in hindrances[0]


def test_variables_that_change_threads_or_numbers_are_told(weighted, examined):
    set_ = {"OMP_NUM_THREADS": "1", "OMP_PROC_BIND": "true", "MKL_CBWR": "COMPATIBLE", "SECRET_TOKEN": "hidden"}
    code, found, _, said = examined(BENCH_WEIGHTS="weights", **set_)
    assert code == 0
    assert [any(text.startswith(f"{name}={value} is set") for text in said) for name, value in set_.items()] == [
        True,
        True,
        True,
        False,
    ]
    assert "hidden" not in json.dumps(found)


def test_plug_ins_are_listed_and_a_broken_one_is_told_with_its_reason(weighted):
    site = weighted.root / "site"
    info = site / "odd-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "odd").mkdir()
    (site / "odd" / "__init__.py").write_text("")
    (site / "odd" / "suite.toml").write_text("id = 3")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[swanbench.methods]\nodd = odd:none.toml\n[swanbench.datasets]\nodder = odd:NONE\n"
        "[swanbench.suites]\noddest = odd:suite.toml\n[swanbench.papers]\noddity = odd:paper\n"
    )
    out, code, _ = alone(weighted, "--json", BENCH_WEIGHTS="weights", PYTHONPATH=strangers.path(site))
    found = json.loads(out)
    assert code == 0
    mine = {one["name"]: one["problem"] for one in found["plug_ins"] if one["name"].startswith("odd")}
    assert mine.keys() == {"odd", "odder", "oddest", "oddity"}
    assert all(mine.values())
    assert sum("is left out" in text for text in texts(found)[1]) == 4


def test_the_screen_says_it_in_lines_and_the_last_one_is_the_verdict(weighted):
    out, code, _ = alone(weighted, BENCH_WEIGHTS="weights")
    assert code == 0
    lines = out.splitlines()
    assert len(lines) < 40
    assert lines[0].startswith("swanbench ")
    words = [line.split()[0] for line in lines]
    wanted = ["libraries", "processor", "memory", "numerics", "data", "cache", "results", "weights", "datasets"]
    assert [word for word in words if word in wanted] == wanted
    assert lines[-1] == "nothing hinders a run"


def test_the_class_of_numerics_that_is_expected_is_the_one_that_torch_says():
    for precision in numerics.PRECISIONS:
        said = inventory.examine_torch(precision, 3)
        assert said.numerics_class == numerics.expected_numerics_class(precision=precision, threads=3)
        assert said.trouble == ""


READ_ONLY = """
import os, sys
import platformdirs  # the other user may not be able to read where it lies
from benchmark import paths
from benchmark.upkeep import diagnosis, filesystem, inventory, memory
os.setgid(65534); os.setuid(65534)
for place in filesystem.folder_states(paths.resolve_folders(), results_given=False):
    print(place.name, place.writable, [one.hinders for one in diagnosis.folder_findings(place)])
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
def test_folders_of_somebody_else_are_found_out(open_folder):
    for name in ("data", "cache", "results"):
        (open_folder / name).mkdir(mode=0o755)
    names = {f"BENCH_{name.upper()}": str(open_folder / name) for name in ("data", "cache")}
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY],
        env=os.environ | names | {"BENCH_RESULTS": str(open_folder / "results" / "new")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines() == ["data False [False]", "cache False [True]", "results False [True]"]


def place(name="results", **changes):
    fields = {
        "name": name,
        "path": "/x",
        "origin": "default",
        "there": True,
        "is_file": False,
        "writable": True,
        "free": 10 * diagnosis.LITTLE,
        "system": "ext4",
        "locks": True,
    }
    return FolderState(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "hinders", "said"),
    [
        ({"system": "nfs4"}, False, "bench results merge"),
        ({"system": "fuse.sshfs", "name": "cache"}, False, "set BENCH_CACHE to another on a local disk"),
        ({"locks": False}, True, "locks do not work"),
        ({"free": 2**30}, False, "1.0 GiB: make some, or choose another with --results"),
        ({"free": 2**20}, True, "1.0 MiB free: make room"),
    ],
)
def test_what_a_folder_is_blamed_for(changes, hinders, said):
    (one,) = diagnosis.folder_findings(place(**changes))
    assert one.hinders is hinders
    assert said in one.text


def test_a_good_folder_is_blamed_for_nothing():
    assert list(diagnosis.folder_findings(place())) == []


def test_locks_and_the_file_system_of_a_results_folder_are_tried(tmp_path):
    where = Folders(tmp_path / "data", tmp_path / "cache", tmp_path, None, tmp_path)
    found = {one.name: one for one in folder_states(where, results_given=True)}
    assert (found["results"].locks, found["results"].origin) == (True, "--results")
    assert (found["data"].locks, found["data"].there) == (None, False)
    assert list(tmp_path.iterdir()) == []
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 0:1 / / rw - ext4 /dev/a rw\n"
        f"2 1 0:2 / {tmp_path} rw shared:1 - nfs4 host:/x rw\n"
        f"3 1 0:3 / {tmp_path}/a\\040b rw - cifs //host/y rw\n"
    )
    (tmp_path / "a b").mkdir()
    assert file_system(tmp_path, mounts) == "nfs4"
    assert file_system(tmp_path / "a b", mounts) == "cifs"
    assert file_system(tmp_path.parent, mounts) == "ext4"


def test_memory_and_processors_are_those_that_a_container_allows(tmp_path):
    for path, text in {
        "proc/meminfo": "MemTotal:       16777216 kB\nMemAvailable:    8388608 kB\n",
        "proc/self/cgroup": "0::/box/inner\n",
        "sys/fs/cgroup/box/memory.max": f"{4 * 2**30}\n",
        "sys/fs/cgroup/box/memory.current": f"{3 * 2**30}\n",
        "sys/fs/cgroup/box/inner/memory.max": "max\n",
        "sys/fs/cgroup/box/cpu.max": "50000 100000\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    found = machine_limits(tmp_path)
    assert found == MachineLimits(4 * 2**30, 2**30, numerics.cores(), 0.5)
    assert [one.text for one in diagnosis.machine_findings(found, None, None)] == [
        "1.0 GiB of memory are free: end other programs, and run with --jobs 1",
    ]


def test_limits_of_the_first_version_of_control_groups_count_too(tmp_path):
    for path, text in {
        "proc/meminfo": "MemTotal:       16777216 kB\nMemAvailable:    8388608 kB\n",
        "proc/self/cgroup": "4:memory:/box\n1:cpu,cpuacct:/box\n0::/\n",
        "sys/fs/cgroup/memory/box/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2**30}\n",
        "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    found = machine_limits(tmp_path)
    assert (found.memory, found.processors) == (2**30, float(numerics.cores()))
    assert not math.isnan(found.free)


def test_extras_and_requirements_are_read_from_the_package_s_own_metadata(monkeypatch):
    lines = ["click>=8.1", "no-such-thing>=1", "msgspec>=0.19; extra == 'fast'", 'nothing[x]>=2; extra == "slow"']
    monkeypatch.setattr(inventory, "metadata", lambda _: type("Found", (), {"get_all": lambda *_: lines})())
    asked = inventory.package_requirements()
    assert asked == {
        "": {"click": True, "no-such-thing": False},
        "fast": {"msgspec": True},
        "slow": {"nothing": False},
    }
    (one,) = diagnosis.package_findings(asked, ())
    assert one.hinders
    assert one.text == "no-such-thing is not installed: pip install swanbench brings it"
