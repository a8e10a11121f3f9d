"""Kept feature maps are those that would be computed, bit for bit; rows survive killed writers, and stay in a limit."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from running import scores_of
from torch import nn

from benchmark.errors import BenchError
from benchmark.execution.processes.handover import Machine
from benchmark.execution.stores import feature_files
from benchmark.execution.stores.digests import tensors_digest
from benchmark.execution.stores.feature_files import (
    FEATURE_DIGESTS,
    FEATURE_META,
    FEATURE_ROWS,
    FeatureFolder,
    feature_limit,
    kept_features,
    map_forms,
)
from benchmark.execution.stores.feature_store import StoredFeatures, feature_source
from methods.backbones.features import ComputedFeatures, FrozenNetwork, computed_maps
from protocols.catalogue.data_folder import open_dataset
from protocols.images.store import ImageStore

MIB = 2**20
FORCED = ("--method", "kdad", "--weights", "random", "--threads", "1", "--force")


class TwoLevels(nn.Module):
    """Two convolutions with stride, channels last; the second map in bfloat16."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.second = nn.Conv2d(1, 8, 3, stride=2), nn.Conv2d(8, 16, 3, stride=2)
        self.requires_grad_(requires_grad=False).to(memory_format=torch.channels_last)

    def forward(self, pixels):
        images = pixels.permute(0, 3, 1, 2)[:, :1].float() / 255
        first = self.first(images).relu()
        return [first, self.second(first).bfloat16()]


@pytest.fixture
def images(prepared, tmp_path):
    dataset = open_dataset(prepared, "tiny")
    store = ImageStore.open(dataset, size=24, cache_dir=tmp_path / "cache")
    return store.images(row.id for row in dataset.rows)


@pytest.fixture
def counting():
    """A frozen network, and the sizes of the batches that it computed."""

    def make(network=None, **changes):
        network, seen = network or TwoLevels(), []

        def maps(pixels):
            seen.append(len(pixels))
            return network(pixels)

        fields = {"network": network, "arch": "two_levels", "layers": ("first", "second"), "transform": "unit"}
        return FrozenNetwork(**(fields | changes), maps=maps), seen

    return make


@pytest.fixture
def source(tmp_path):
    said = []

    def make(limit=64 * MIB, **facts):
        return StoredFeatures(tmp_path / "features", limit, {"code": "1", **facts}, said.append)

    make.said = said
    make.folder = tmp_path / "features"
    return make


def assert_same(maps, expected):
    for level, other in zip(maps, expected, strict=True):
        assert level.dtype == other.dtype
        assert level.stride() == other.stride()
        assert torch.equal(
            level.contiguous().flatten().view(torch.int16), other.contiguous().flatten().view(torch.int16)
        )


def order(*places):
    return np.array(places)


def test_maps_are_the_same_bits_cold_warm_and_mixed(images, counting, source):
    frozen, _ = counting()
    everything = np.arange(len(images))
    expected = computed_maps(frozen, images, everything)
    reader = source().reader(frozen)
    assert_same(reader(images, everything[:4]), [level[:4] for level in expected])
    mixed = order(6, 2, 7, 0, 5)
    assert_same(reader(images, mixed), [level[mixed] for level in expected])
    assert_same(reader(images, order(1, 8)), [level[[1, 8]] for level in expected])
    assert_same(source().reader(frozen)(images, everything), expected)


def test_rows_that_are_there_are_not_computed_again_by_fits_of_other_lists(images, counting, source):
    frozen, seen = counting()
    source().reader(frozen)(images, order(0, 1, 2, 3))
    assert seen == [4, 2]  # the batch, and a pair of it to compare
    seen.clear()
    other = images.select(order(3, 2, 6, 1, 5))
    source().reader(frozen)(other, np.arange(5))
    source().reader(frozen)(other, order(1, 0, 3))
    assert seen == [2]


def test_pixels_of_kept_rows_are_not_read(images, counting, source, monkeypatch):
    frozen, _ = counting()
    expected = source().reader(frozen)(images, order(0, 1, 2))
    monkeypatch.setattr(type(images), "take", lambda *_: pytest.fail("read"))
    assert_same(source().reader(frozen)(images, order(0, 1, 2)), expected)


def test_one_lacking_image_is_computed_in_a_pair_and_one_alone_as_ever(images, counting, source):
    frozen, seen = counting()
    reader = source().reader(frozen)
    reader(images, order(0, 1, 2))
    seen.clear()
    reader(images, order(0, 4, 2))
    reader(images, order(5))
    reader(images, order(0))
    assert seen == [2, 1, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"network": TwoLevels(seed=1)},
        {"arch": "other"},
        {"layers": ("second", "first")},
        {"transform": "imagenet"},
    ],
)
def test_another_network_layer_or_transform_has_rows_of_its_own(change, images, counting, source):
    source().reader(counting()[0])(images, order(0, 1, 2))
    frozen, seen = counting(**change)
    source().reader(frozen)(images, order(0, 1, 2))
    assert seen == [3, 2]


def test_other_code_numbers_or_images_have_rows_of_their_own(images, counting, source, prepared, tmp_path):
    frozen, seen = counting()
    source().reader(frozen)(images, order(0, 1, 2))
    source(code="2").reader(frozen)(images, order(0, 1, 2))
    source(numerics="other").reader(frozen)(images, order(0, 1, 2))
    dataset = open_dataset(prepared, "tiny")
    larger = ImageStore.open(dataset, size=25, cache_dir=tmp_path / "cache").images(images.ids)
    source().reader(frozen)(larger, order(0, 1, 2))
    assert seen == [3, 2] * 4


def test_maps_that_depend_on_their_batch_are_never_kept(images, counting, source):
    class BatchStatistics(TwoLevels):
        def forward(self, pixels):
            first, second = super().forward(pixels)
            return [first - first.mean(0), second]

    frozen, seen = counting(BatchStatistics())
    for _ in range(2):
        maps = source().reader(frozen)(images, order(0, 1, 2, 3))
        assert_same(maps, computed_maps(frozen, images, order(0, 1, 2, 3)))
    assert seen == [4, 2, 4, 4, 4]
    (kept,) = kept_features(source.folder)
    assert kept.meta.forms == ()


def test_maps_of_one_position_are_kept_in_their_layout(images, counting, source):
    class Pooled(TwoLevels):
        def forward(self, pixels):
            return [level.mean((2, 3), keepdim=True) for level in super().forward(pixels)]

    frozen, _ = counting(Pooled())
    for _ in range(2):
        maps = source().reader(frozen)(images, order(0, 1, 2))
        assert_same(maps, computed_maps(frozen, images, order(0, 1, 2)))
    (kept,) = kept_features(source.folder)
    assert [form.shape for form in kept.meta.forms] == [(8, 1, 1), (16, 1, 1)]


def test_the_digest_is_that_of_every_tensor():
    network = TwoLevels()
    before = tensors_digest(network.state_dict())
    assert before == tensors_digest(TwoLevels().state_dict())
    network.second.bias[3] += 1
    assert tensors_digest(network.state_dict()) != before


def test_a_damaged_row_is_computed_again_and_mended(images, counting, source):
    frozen, seen = counting()
    expected = source().reader(frozen)(images, order(0, 1, 2))
    (kept,) = kept_features(source.folder)
    place = images.rows[1] * kept.meta.row_bytes + 5
    with (kept.folder / FEATURE_ROWS).open("r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 255]))
    seen.clear()
    for _ in range(2):
        assert_same(source().reader(frozen)(images, order(0, 1, 2)), expected)
    assert seen == [2]


@pytest.mark.parametrize("name", ["meta.json", FEATURE_ROWS, FEATURE_DIGESTS])
def test_a_folder_that_is_not_whole_is_made_anew(name, images, counting, source):
    frozen, _ = counting()
    expected = source().reader(frozen)(images, order(0, 1, 2))
    (kept,) = kept_features(source.folder)
    os.truncate(kept.folder / name, 7)
    gone = counting()
    assert_same(source().reader(gone[0])(images, order(0, 1, 2)), expected)
    assert gone[1] == [3, 2]
    assert not source.said


@pytest.mark.parametrize("name", [FEATURE_ROWS, FEATURE_DIGESTS])
def test_a_link_in_the_place_of_a_file_is_never_written_through(name, images, counting, source, tmp_path):
    expected = source().reader(counting()[0])(images, order(0, 1, 2))
    (kept,) = kept_features(source.folder)
    other = tmp_path / "mine"
    other.write_bytes(bytes((kept.folder / name).stat().st_size))
    (kept.folder / name).unlink()
    (kept.folder / name).symlink_to(other)
    assert_same(source().reader(counting()[0])(images, order(0, 1, 2)), expected)
    assert not any(other.read_bytes())
    assert not (kept.folder / name).is_symlink()


@pytest.mark.parametrize("field", ["strides", "dtype", "start"])
def test_forms_that_changed_since_are_not_read_by(field, images, counting, source):
    expected = source().reader(counting()[0])(images, order(0, 1, 2))
    (kept,) = kept_features(source.folder)
    content = json.loads((kept.folder / FEATURE_META).read_bytes())
    form = content["forms"][0]
    form["strides"][1:] = form["strides"][:0:-1]
    changed = {"strides": form["strides"], "dtype": "system", "start": -64}
    (kept.folder / FEATURE_META).write_text(json.dumps(content | {"forms": [form | {field: changed[field]}]}))
    again, seen = counting()
    assert_same(source().reader(again)(images, order(0, 1, 2)), expected)
    assert seen == [3, 2]


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_what_else_lies_in_the_place_of_a_folder_makes_way_and_a_link_alone(kind, images, counting, source, tmp_path):
    expected = source().reader(counting()[0])(images, order(0, 1, 2))
    (kept,) = kept_features(source.folder)
    other = tmp_path / "other"
    kept.folder.rename(other) if kind == "dangling" else shutil.rmtree(kept.folder)
    if kind == "file":
        kept.folder.write_text("mine")
    else:
        kept.folder.symlink_to(other)
    if kind == "link":
        other.mkdir()
        (other / "mine").touch()
    if kind == "dangling":
        shutil.rmtree(other)
    again, seen = counting()
    assert_same(source().reader(again)(images, order(0, 1, 2)), expected)
    assert seen == [3, 2]
    assert not source.said
    assert not list(source.folder.glob(".*.tmp"))
    assert (other / "mine").exists() == (kind == "link")


WRITER = """
import os, signal, sys
from pathlib import Path
import numpy as np
from benchmark.execution.stores.feature_files import FeatureFolder, map_forms
folder = FeatureFolder(Path(sys.argv[1]), {"a": "b"}, 8, 2**30)
folder.create(map_forms([("float32", (4096,), (1,), 4 * 4096)]))
rows, write = np.arange(8), os.pwrite
def killed(*given):
    write(*given)
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
os.pwrite = killed
assert folder.write(rows, [np.repeat(rows[:, None], 4 * 4096, 1).astype(np.uint8)])
"""


def write_elsewhere(folder, end):
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder), end])


def test_of_a_writer_that_was_killed_no_half_row_counts(tmp_path):
    killed = write_elsewhere(tmp_path, "killed")
    assert killed.wait(60) == -signal.SIGKILL
    folder = FeatureFolder(tmp_path, {"a": "b"}, 8, 2**30)
    assert not folder.present(np.arange(8)).any()
    assert write_elsewhere(tmp_path, "whole").wait(60) == 0
    assert folder.present(np.arange(8)).all()


def test_two_writers_at_once_leave_whole_rows(tmp_path):
    writers = [write_elsewhere(tmp_path, "whole") for _ in range(2)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    folder = FeatureFolder(tmp_path, {"a": "b"}, 8, 2**30)
    assert folder.present(np.arange(8)).all()
    assert [int(folder.read(row, folder.meta.forms[0])[0]) for row in range(8)] == list(range(8))


@pytest.fixture
def filled(tmp_path):
    """Makes a folder of four rows of 64 KiB each, under a limit of 640 KiB for all, used at a time."""

    def fill(name, used):
        folder = FeatureFolder(tmp_path, {"name": name}, 4, 10 * 65536)
        if folder.meta is None:
            folder.create(map_forms([("float32", (16384,), (1,), 65536)]))
        stored = folder.write(np.arange(4), [np.full((4, 65536), 7, np.uint8)])
        os.utime(folder.folder / "meta.json", (used, used))
        return folder, stored

    return fill


def test_the_least_recently_used_folder_makes_room(filled, tmp_path):
    old, _ = filled("old", 1000)
    recent, _ = filled("recent", 2000)
    old.close()
    recent.close()
    new, stored = filled("new", 3000)
    assert stored
    assert not old.folder.exists()
    assert recent.folder.exists()
    assert new.present(np.arange(4)).all()
    assert sum(kept.size for kept in kept_features(tmp_path)) <= 10 * 65536


def test_a_folder_in_use_is_never_removed_and_rows_without_room_are_not_kept(filled):
    old, _ = filled("old", 1000)
    recent, _ = filled("recent", 2000)
    new, stored = filled("new", 3000)
    assert not stored
    assert not new.present(np.arange(4)).any()
    assert old.present(np.arange(4)).all()
    assert recent.present(np.arange(4)).all()


def test_a_full_disk_keeps_nothing(filled, monkeypatch):
    usage = feature_files.shutil.disk_usage("/")
    free = feature_files.DISK_RESERVE
    monkeypatch.setattr(feature_files.shutil, "disk_usage", lambda _: usage._replace(free=free))
    assert not filled("any", 1000)[1]


def test_without_locks_maps_are_computed_and_that_is_said_once(images, counting, source, monkeypatch):
    def refused(*_):
        raise OSError(95, "Operation not supported")

    frozen, seen = counting()
    monkeypatch.setattr(fcntl, "flock", refused)
    reader = source().reader(frozen)
    for _ in range(2):
        reader(images, order(0, 1, 2))
    assert seen == [3, 3]
    assert source.said == [f"feature maps are computed, not kept, in {source.folder}: Operation not supported"]


def test_the_limit_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("BENCH_FEATURES_GIB", "0.5")
    assert feature_limit() == 2**29
    for wrong in ("much", "-1", "nan"):
        monkeypatch.setenv("BENCH_FEATURES_GIB", wrong)
        with pytest.raises(BenchError, match=f"BENCH_FEATURES_GIB is '{wrong}': give the GiB"):
            feature_limit()


@pytest.mark.parametrize(("limit", "device", "kept"), [(MIB, "cpu", True), (0, "cpu", False), (MIB, "cuda", False)])
def test_maps_are_kept_on_the_processor_alone(limit, device, kept, tmp_path):
    folders = dict.fromkeys(("data", "cache", "store"), tmp_path)
    rest = {"threads": 1, "package_version": "0", "git_commit": None, "git_dirty": None}
    machine = Machine(**folders, **rest, device=device, feature_bytes=limit)
    assert isinstance(feature_source(machine, {}, print), StoredFeatures if kept else ComputedFeatures)


def kdad(house, *words, **variables):
    """Runs of KDAD; their scores by key, and the results folder that they went to."""
    house.results.mkdir(exist_ok=True)
    settings = ("img_size=32", "max_steps=2", "budget.epochs=1", "batch.size=4", "evaluation.batch=4")
    sets = [word for setting in settings for word in ("--set", f"kdad.{setting}")]
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", "run", "--suite", str(house.suite), *FORCED, *sets, *words],
        env=house.env | variables,
        cwd=house.root,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return scores_of(house)


@pytest.mark.slow
def test_a_run_has_the_same_scores_without_rows_with_new_and_kept_ones_and_in_two_processes(house):
    words = ("--precision", "fp32", "--seed", "0,1", "--known-class", "bar")
    without = kdad(house, *words, BENCH_FEATURES_GIB="0")
    features = house.root / "cache" / feature_files.FEATURES
    assert not features.exists()
    assert kdad(house, *words, "--jobs", "2") == without
    folders = {kept.folder for kept in kept_features(features)}
    assert len(folders) == 2  # random weights are of a seed
    written = {path: path.read_bytes() for folder in folders for path in folder.iterdir()}
    assert kdad(house, *words) == without
    assert {path: path.read_bytes() for folder in folders for path in folder.iterdir()} == written


def test_a_limit_that_is_no_number_is_refused(house):
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("BENCH_FEATURES_GIB", "lots")
        done, planned, doctor = house.run(), house.run("--plan"), house.bench("doctor")
    for call in (done, planned):
        assert call.returncode == 2
        assert "BENCH_FEATURES_GIB is 'lots': give the GiB" in call.stderr
        assert "Traceback" not in call.stderr
    assert "BENCH_FEATURES_GIB is 'lots': give the GiB" in doctor.stdout
    assert "datasets" in doctor.stdout
