"""What runs read of a dataset is looked at before they start: damaged image stores, replaced files."""

import os
import shutil
from dataclasses import replace

import msgspec
import pytest

from benchmark.execution.stores.image_stores import tasks_with_images
from benchmark.execution.worker import execute

SUITE = """
id = "one"
title = "One fit"
rule = "general"
recipe = "official"
methods = ["drift"]
shots = [1]
seeds = [0]
[datasets]
grey = []
"""


class Listener:
    """Takes what `with_images` says and how tasks end."""

    def __init__(self):
        self.said, self.ended = [], []

    def say(self, text):
        self.said.append(text)

    def counting(self, what):
        return lambda done, total: None

    def blocked(self, tasks, reason):
        self.ended.extend(("blocked", reason) for _ in tasks)


@pytest.fixture
def texture(drifting, rows):
    drifting.prepare("grey", rows["texture"](90))
    return drifting


@pytest.fixture
def task(texture):
    (task,) = texture.plan(texture.suite(SUITE)).tasks({"missing"})
    return task


@pytest.fixture
def looked(texture, task):
    """Looks at the images as `bench run` does before any fit."""

    def look():
        listener = Listener()
        ready = tasks_with_images([task], texture.data, texture.house.root / "cache", listener)
        return ready, listener

    return look


@pytest.fixture
def array(texture, looked):
    assert len(looked()[0]) == 1
    (path,) = (texture.house.root / "cache").rglob("images.npy")
    return path


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(("place", "words"), [(-1, "1 of 24 images"), (3, "another header")])
def test_a_damaged_store_is_made_again_and_said_before_any_fit(looked, array, place, words):
    whole = array.read_bytes()
    flip(array, place)
    ready, listener = looked()
    assert len(ready) == 1
    (line,) = listener.said
    assert "decoded images of grey" in line
    assert words in line
    assert array.read_bytes() == whole
    assert looked()[1].said == []


def test_pixels_that_change_after_that_look_are_in_no_record(texture, task, array, looked):
    flip(array, -1)
    outcome = execute(task, texture.machine)
    assert outcome.state == "blocked"
    assert "the same command makes it again" in outcome.reason
    assert list(texture.store.records()) == []
    looked()
    assert execute(task, texture.machine).state == "done"


def test_a_worker_that_finds_a_header_damaged_makes_the_store_again_and_says_so(texture, task, array):
    flip(array, 3)
    outcome = execute(task, texture.machine)
    assert outcome.state == "done"
    assert ["damaged and made again" in note for note in outcome.notes] == [True]


def test_replaced_files_block_a_fit_although_their_store_is_there(texture, looked, array):
    folder = texture.data / "grey"
    shutil.copy(folder / "train/good/000.png", folder / "test/cut/003.png")
    ready, listener = looked()
    assert ready == []
    ((state, reason),) = listener.ended
    assert state == "blocked"
    assert "1 of 24 images of grey changed since it was prepared" in reason
    assert "test/cut/003.png" in reason


@pytest.mark.slow
def test_bench_run_says_what_it_made_again_and_refuses_what_was_replaced(drifting, tiny_folder, calls_in):
    raw = shutil.copytree(tiny_folder, drifting.house.root / "raw")
    bench = calls_in(drifting.house.root, **drifting.house.env)
    assert bench("data", "adopt", raw, "--name", "grey")[0] == 0
    run = ("run", "--suite", drifting.suite(SUITE), "--threads", "1", "--set", "drift.img_size=16", "--seed")
    code, _, said = bench(*run, "0")
    assert (code, "made again" in said) == (0, False)
    (before,) = drifting.store.records()

    (array,) = (drifting.house.root / "cache").rglob("images.npy")
    flip(array, -1)
    os.utime(raw / "test/dot/000.png")
    code, _, said = bench(*run, "0", "--force")
    assert code == 0
    assert "decoded images of grey at 16 px are damaged and made again" in said
    (after,) = drifting.store.records()
    assert after.metrics == before.metrics

    shutil.copy(raw / "train/good/000.png", raw / "test/dot/000.png")
    code, _, said = bench(*run, "1")
    assert code == 1
    assert "1 of 44 images of grey changed since it was prepared" in said
    assert f"{drifting.data / 'grey' / 'test/dot/000.png'} is not the image that the manifest describes" in said
    assert "bench data verify grey" in said
    assert len(list(drifting.store.records())) == 1


def test_where_two_sizes_have_no_room_the_one_that_fits_is_made(texture, task, monkeypatch):
    small, large = (
        replace(task, fit=replace(task.fit, spec=msgspec.structs.replace(task.fit.spec, size=size)))
        for size in (16, 512)
    )
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**20))
    listener = Listener()
    assert tasks_with_images([large, small], texture.data, texture.house.root / "cache", listener) == [small]
    ((state, reason),) = listener.ended
    assert state == "blocked"
    assert "MiB are free: free some, or set BENCH_CACHE to another folder" in reason
