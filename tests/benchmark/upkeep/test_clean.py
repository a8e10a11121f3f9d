"""`bench clean`: what serves nobody goes after a yes; records, datasets and whatever is in use stay."""

import functools
import json
import mmap
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from benchmark.execution.stores import feature_files
from benchmark.paths import Folders
from benchmark.planning.code_digest import code_digest
from benchmark.planning.costs.measured import COSTS
from benchmark.upkeep import cleanup
from protocols.catalogue import data_folder
from protocols.images.store import ImageStore
from results.reference import reference_records
from results.store import Store

OLD = time.time() - 2 * cleanup.OLD_SECONDS


@pytest.fixture
def where(house):
    root = house.root
    return Folders(root / "data", root / "cache", house.results, None, root / "torch" / "hub")


def made(seed, **fit):
    """A record like the packaged ones, of another seed."""
    record = next(reference_records())
    spec = msgspec.structs.replace(record.spec, fit=msgspec.structs.replace(record.spec.fit, seed=seed, **fit))
    return msgspec.structs.replace(record, spec=spec, key=spec.key, fit_key=spec.fit.fit_key, series=spec.series)


def stored(where, size=8):
    """The folder of an image store of the prepared set."""
    before = set((where.cache / "images").glob("[!.]*"))
    ImageStore.open(data_folder.open_dataset(where.data, "tiny"), size=size, cache_dir=where.cache)
    (folder,) = set((where.cache / "images").glob("[!.]*")) - before
    return folder


def write(path, when=OLD):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 100)
    os.utime(path, (when, when))
    return path


def listed(where, **options):
    """What would go, by its first path, with its kind."""
    return {one.files[0]: one.kind for one in cleanup.find_leftovers(where, **options).items}


def cleared(where, **options):
    """Remove all that would go; the reasons of what was left."""
    reasons = [cleanup.clear_item(one, where) for one in cleanup.find_leftovers(where, **options).items]
    return [reason for reason in reasons if reason]


def test_an_image_store_goes_only_when_no_prepared_dataset_can_use_it(where):
    kept, old, half = stored(where, 8), stored(where, 9), stored(where, 10)
    other = stored(where, 11)
    meta = json.loads((old / "meta.json").read_text())
    (old / "meta.json").write_text(json.dumps(meta | {"pillow": "1.0"}))
    (half / "meta.json").unlink()
    (other / "meta.json").write_text(json.dumps(meta | {"dataset": "gone", "dataset_fingerprint": "0" * 64}))
    names = {one.files[0]: one.name for one in cleanup.find_leftovers(where).items}
    assert names.keys() == {old, half, other}
    assert "Pillow 1.0 made it" in names[old]
    assert "not whole" in names[half]
    assert f"not of a dataset in {where.data}" in names[other]
    assert listed(where, stores=True).keys() == {kept, old, half, other}
    assert cleared(where) == []
    assert sorted((where.cache / "images").glob("[!.]*")) == [kept]
    again = ImageStore.open(data_folder.open_dataset(where.data, "tiny"), size=9, cache_dir=where.cache)
    assert len(again.images([data_folder.open_dataset(where.data, "tiny").rows[0].id])) == 1


def test_a_damaged_dataset_keeps_its_image_store(house, where):
    kept = stored(where)
    real = house.root / "data"
    copy = house.root / "own"
    shutil.copytree(real, copy, symlinks=True)
    real.unlink()
    copy.rename(real)
    (real / "tiny" / "manifest.csv").write_text("damaged")
    assert listed(where) == {}
    shutil.rmtree(real / "tiny")
    assert listed(where) == {kept: cleanup.STORE}


BUILD = """
import sys, time
from pathlib import Path
from protocols.io.atomic_folders import claimed_folder
with claimed_folder(Path(sys.argv[1]), "BENCH_CACHE"):
    print("here", flush=True)
    time.sleep(60)
"""


def test_an_image_store_that_is_being_built_or_is_mapped_or_whose_fits_are_at_work_stays(where):
    folder = stored(where)
    (one,) = cleanup.find_leftovers(where, stores=True).items
    builder = subprocess.Popen([sys.executable, "-c", BUILD, folder], stdout=subprocess.PIPE, text=True)
    try:
        assert builder.stdout.readline() == "here\n"
        found = cleanup.find_leftovers(where, stores=True)
        assert found.items == ()
        assert "a living process is at work on it" in found.remarks[0]
        assert cleanup.clear_item(one, where) == "a living process is at work on it"
    finally:
        builder.kill()
        builder.communicate()
    with (folder / "images.npy").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ):
        assert listed(where, stores=True) == {}
        assert cleanup.clear_item(one, where) == "a process uses it"
    with Store(where.results).claim("f" * 64):
        assert listed(where, stores=True) == {}
        assert cleanup.clear_item(one, where) == "a process uses it"
    assert (folder / "images.npy").exists()
    assert cleanup.clear_item(one, where) is None
    assert not folder.exists()


def test_a_checkpoint_goes_when_its_fit_is_done_since_and_nobody_holds_it(where):
    store = Store(where.results)
    for seed in (0, 1, 2):
        store.put(made(seed))
    done, goes_on, held = (store.checkpoint_path(made(seed).fit_key) for seed in (0, 1, 2))
    missing = store.checkpoint_path("a" * 64)
    for path in (done, held, missing):
        write(path)
    write(goes_on, when=time.time() + 60)
    with store.claim(made(2).fit_key):
        assert listed(where) == {done: cleanup.CHECKPOINT}
        assert cleared(where) == []
    assert {path.name for path in done.parent.iterdir()} == {goes_on.name, held.name, missing.name}
    assert any("unfinished fits stay" in remark for remark in cleanup.find_leftovers(where).remarks)


def test_a_kept_state_goes_only_when_no_run_can_start_from_it(where, monkeypatch):
    once = functools.cache(code_digest)
    monkeypatch.setattr("benchmark.planning.code_digest.code_digest", once)  # seconds each time
    store, folder = Store(where.results), where.results / "fits"
    store.put(made(0, version=0))
    codes = {
        "a" * 64: code_digest("methods.detectors.dra.detector"),
        "b" * 64: "0" * 64,
        made(0).fit_key: code_digest("methods.detectors.dra.detector"),
    }
    codes[made(0, version=0).fit_key] = codes.pop(made(0).fit_key)
    for key, code in codes.items():
        write(folder / f"{key}.pt")
        (folder / f"{key}.json").write_text(json.dumps({"identity": {"code": code}}))
    write(folder / f"{'c' * 64}.pt")
    useless = {"b" * 64, "c" * 64, made(0, version=0).fit_key}
    assert {path.stem for path, kind in listed(where).items() if kind == cleanup.STATE} == useless
    assert {path.stem for path in listed(where, fits=True)} == useless | {"a" * 64}
    assert any("--fits takes them too" in remark for remark in cleanup.find_leftovers(where).remarks)
    assert cleared(where) == []
    assert {path.name for path in folder.iterdir()} == {f"{'a' * 64}.pt", f"{'a' * 64}.json"}


KILLED = """
import os, signal, sys
from pathlib import Path
root = Path(sys.argv[1])
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
"""
KILLED_WRITERS = {
    "record": """
from results.files import write_atomic
os.fsync = die
write_atomic(root / "runs/records/ab" / ("ab" * 32 + ".json"), b"half")
""",
    "checkpoint": """
from benchmark.execution.checkpoints import CheckpointFile
os.replace = die
CheckpointFile(root / "runs/checkpoints" / ("a" * 64 + ".pt"), {}).save({"step": 1})
""",
    "probe": """
from results.store import Store
os.unlink = die
Store(root / "runs").check_writable()
""",
    "progress": """
from benchmark.execution.processes.fit_clock import FitClock
from results.store import Store
progress = Store(root / "runs").progress_path("a" * 64)
progress.parent.mkdir(parents=True)
clock = FitClock(progress, None)
clock.report(0, 2)
os.replace = die
clock.report(2, 2)
""",
    "tracebacks of a crash": """
from benchmark.execution.processes.confine import crashes_told
from results.store import Store
path = Store(root / "runs").crash_path("a" * 64)
path.parent.mkdir(parents=True)
with crashes_told(path):
    die()
""",
    "image store": """
from protocols.io.atomic_folders import claimed_folder, fresh_folder
folder = root / "cache/images" / ("a" * 64)
with claimed_folder(folder, "BENCH_CACHE"), fresh_folder(folder) as building:
    (building / "images.npy").write_bytes(b"half")
    die()
""",
    "note on weights": """
import torch
from methods.backbones.notes import note_contents
torch.save({"weight": torch.zeros(1)}, root / "own.pth")
os.replace = die
note_contents(root / "own.pth", root / "cache/weights" / ("d" * 64 + ".json"))
""",
    "download of weights": """
import msgspec
from methods.backbones.fetch import fetch
from methods.backbones.table import BACKBONES
row = BACKBONES["resnet18"]
file = msgspec.structs.replace(row.genuine[0], url=(root / "tiny.toml").as_uri())
BACKBONES["resnet18"] = msgspec.structs.replace(row, genuine=(file,))
os.fsync = die
fetch("resnet18", root / "torch/hub")
""",
}
OTHERS = {"own.pth"}
"""What a writer of these was given; not its own."""


@pytest.mark.parametrize("writer", KILLED_WRITERS)
def test_what_killed_writers_left_goes_when_it_is_old(writer, house, where):
    """By the names that the writers themselves give: each is killed before it can clear up."""

    def files():
        return {path for path in house.root.rglob("*") if path.is_file() and path.suffix != ".lock"}

    before = files()
    done = subprocess.run([sys.executable, "-c", KILLED + KILLED_WRITERS[writer], house.root], check=False)
    assert done.returncode == -signal.SIGKILL
    left = {path for path in files() - before if path.name not in OTHERS}
    assert left
    assert listed(where) == {}
    for path in left:
        for part in (path, path.parent):
            os.utime(part, (OLD, OLD))
    items = listed(where)
    assert set(items.values()) == {cleanup.TEMPORARY}
    assert all(path in items or path.parent in items for path in left)
    assert cleared(where) == []
    assert not left & files()


CHECK_KILLED = """
from protocols.catalogue.dataset_checks import scratch_folder
with scratch_folder(root / "own_data") as folder:
    (folder / "images.npy").write_bytes(b"half")
    die()
"""


def test_what_a_killed_check_of_a_dataset_left_in_the_data_folder_goes(house, where):
    """In a data folder of its own: that of the house is shared."""
    data = house.root / "own_data"
    data.mkdir()
    subprocess.run([sys.executable, "-c", KILLED + CHECK_KILLED, house.root], check=False)
    (left,) = data.iterdir()
    os.utime(left, (OLD, OLD))
    assert listed(replace(where, data=data)) == {left: cleanup.TEMPORARY}


def test_temporary_files_of_the_living_and_of_other_machines_stay(where):
    host, folder = socket.gethostname(), where.results / "scores" / "ab"
    write(folder / f".x.npz.{host}.{os.getpid()}.01234567")
    foreign = write(folder / f".x.npz.elsewhere.{2**22 - 1}.01234567")
    write(folder / ".mine")
    found = cleanup.find_leftovers(where)
    assert found.items == ()
    assert [remark for remark in found.remarks if str(foreign) in remark] == list(found.remarks)
    assert cleared(where) == []
    assert len(list(folder.iterdir())) == 3


def test_progress_of_a_killed_fit_and_broken_downloads_go_but_not_those_at_work(where):
    locks = where.results / "locks"
    dead, living = write(locks / f"{'a' * 64}.json"), write(locks / f"{'b' * 64}.json")
    download = write(where.hub / "checkpoints" / "resnet18-f37072fd.pth.abcd_123")
    genuine = write(where.hub / "checkpoints" / "resnet18-f37072fd.pth")
    young = write(where.hub / "checkpoints" / "vgg16-397923af.pth.abcd_123", when=time.time())
    remembered = write(where.cache / "weights" / f"{'d' * 64}.json")
    with Store(where.results).claim("b" * 64):
        assert listed(where) == {
            dead: cleanup.TEMPORARY,
            download: cleanup.TEMPORARY,
            remembered: cleanup.NOTE,
        }
        assert cleared(where) == []
        assert living.exists()
    assert genuine.exists()
    assert young.exists()


def test_nothing_goes_without_a_yes_and_records_and_data_never(bench, house, where):
    store = Store(house.results)
    store.put(made(0))
    write(store.scores_path(made(0).key))
    write(store.traceback_path("a" * 64))
    write(house.results / "set_aside" / "x.json")
    write(store.artefacts_path("b" * 64) / "grid.png")
    folder = stored(where)
    keep = {path for top in (house.results, where.data) for path in top.rglob("*") if path.is_file()}
    code, out, err = bench("clean", "--stores")
    assert (code, folder.exists()) == (0, True)
    assert "image store     tiny at 8 px, squash" in out
    assert "in all" in out
    assert err == "nothing is removed: --yes removes what is listed\n"
    code, out, _ = bench("clean", "--stores", "--json")
    assert [(row["kind"], row["removed"]) for row in json.loads(out)] == [("image store", False)]
    code, out, _ = bench("clean", "--stores", "--yes")
    assert (code, folder.exists()) == (0, False)
    assert "removed 1 of 1: " in out
    assert all(path.exists() for path in keep)
    assert bench("clean", "--stores") == (0, "there is nothing to clean\n", "")


def test_measured_costs_stay_with_a_word_until_they_are_asked_for(bench, house, where):
    cost = write(where.cache / COSTS / f"{'c' * 32}.jsonl")
    code, out, err = bench("clean", "--yes")
    assert (code, out, cost.exists()) == (0, "there is nothing to clean\n", True)
    assert err.startswith("measured costs of fits stay, plans foretell times from them (")
    assert "costs      1 kind of fits measured" in bench("doctor")[1]
    code, out, _ = bench("clean", "--costs", "--yes")
    assert (code, cost.exists()) == (0, False)
    assert "removed 1 of 1: " in out
    assert "costs      0 kinds of fits measured" in bench("doctor")[1]


@pytest.mark.parametrize(("typed", "goes"), [(b"y\n", True), (b"n\n", False), (b"\n", False)])
def test_a_person_at_a_terminal_is_asked(house, where, typed, goes):
    note = write(where.cache / "weights" / f"{'d' * 64}.json")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmark", "clean"],
        env=house.env,
        cwd=house.root,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, typed)
    said = b""
    try:
        while chunk := os.read(ours, 4096):
            said += chunk
    except OSError:
        pass  # the other end is closed: all was read
    assert process.wait(timeout=60) == 0
    os.close(ours)
    assert b"Remove these? [y/N]" in said
    assert note.exists() is not goes


def test_a_folder_that_is_not_there_is_one_line(bench):
    code, out, err = bench("clean", "--results", "none")
    assert (code, out) == (2, "")
    assert err == "bench: --results none: there is no such folder\n"


def feature_maps(where, code):
    """A folder of eight rows of 64 KiB, of which one is written, and what holds it."""
    parent = where.cache / feature_files.FEATURES
    folder = feature_files.FeatureFolder(parent, {"code": code, "network": "vgg16", "layers": "pool2"}, 8, 2**30)
    folder.create(feature_files.map_forms([("float32", (16384,), (1,), 65536)]))
    assert folder.write(np.array([3]), [np.ones((1, 65536), np.uint8)])
    return folder


def test_feature_maps_of_other_code_go_and_with_stores_all(where):
    ours, other = feature_maps(where, code_digest("methods.detectors.kdad")), feature_maps(where, "0" * 64)
    other.close()
    ours.close()
    leftovers = cleanup.find_leftovers(where)
    (item,) = leftovers.items
    assert item.files == (other.folder,)
    assert item.name == f"vgg16 at pool2 (no detector has the code that made it): {other.folder}"
    assert 65536 <= item.size < 2 * 65536
    (remark,) = leftovers.remarks
    assert remark.endswith("KiB): --stores takes them too")
    assert listed(where, stores=True) == {ours.folder: cleanup.FEATURES, other.folder: cleanup.FEATURES}
    assert cleanup.clear_item(item, where) is None
    assert not other.folder.exists()
    assert ours.folder.exists()


def test_feature_maps_in_use_stay(where):
    used = feature_maps(where, "0" * 64)
    (item,) = cleanup.find_leftovers(where).items
    assert cleanup.clear_item(item, where) == "a living process is at work on it"
    assert used.present(np.array([2, 3])).tolist() == [False, True]


def test_kept_models_stay_while_a_record_is_of_their_fit_unless_they_are_named(where):
    store, record = Store(where.results), made(1)
    store.put(record)
    model, orphan = write(store.model_path(record.fit_key)), write(store.model_path("e" * 64))
    assert listed(where) == {orphan: "kept model"}
    assert (
        "kept models stay, bench score needs them (100 B): --models takes them too"
        in cleanup.find_leftovers(where).remarks
    )
    assert listed(where, models=True) == {model: "kept model", orphan: "kept model"}
    store.record_path("f" * 64).parent.mkdir()
    store.record_path("f" * 64).write_text("{")
    assert listed(where) == {}
    assert cleared(where, models=True) == []
    assert store.kept_models() == {}


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """A path on which the queue of SLURM answers for a job of that name what a test says."""

    def answer(**lines):
        (tmp_path / "bin").mkdir(exist_ok=True)
        file = tmp_path / "bin" / "squeue"
        file.write_text(
            f"#!{sys.executable}\nimport sys\n"
            "[name] = [word[7:] for word in sys.argv if word.startswith('--name=')]\n"
            f"sys.stdout.write({lines!r}.get(name.removeprefix('swanbench-'), ''))\n"
        )
        file.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    return answer


def test_files_of_slurm_jobs_go_when_all_are_over_and_nobody_cleans_what_it_cannot_ask_for(where, squeue, monkeypatch):
    folders = [where.results / "slurm" / name for name in ("aa", "bb", "cc")]
    for folder in folders:
        write(folder / "0.json")
        os.utime(folder, (OLD, OLD))
    squeue(aa="1_0|COMPLETED|0|None|", bb="2_0|FAILED|256|None|\n2_1|PENDING|0|Resources|")
    assert listed(where) == dict.fromkeys((folders[0], folders[2]), cleanup.TEMPORARY)
    os.utime(folders[2])
    assert cleared(where) == []
    assert sorted((where.results / "slurm").iterdir()) == folders[1:]
    os.utime(folders[2], (OLD, OLD))
    monkeypatch.setenv("PATH", str(where.results))
    leftovers = cleanup.find_leftovers(where)
    assert not leftovers.items
    assert f"files of SLURM jobs stay, squeue cannot be run: No such file or directory: {folders[1]}" in str(leftovers)
    monkeypatch.setattr(os, "getuid", lambda: folders[1].stat().st_uid + 1)
    assert f"files of SLURM jobs of another user stay: {folders[2]}" in str(cleanup.find_leftovers(where))
