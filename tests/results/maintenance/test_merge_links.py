"""A results folder of somebody else may hold links: none is followed, and what is left for one is said."""

import os

import numpy as np
import pytest
from records import make_record, make_spec, make_split

from results.maintenance.merging import Merger
from results.scores import Scores
from results.store import Store

SCORES = Scores(ids=("b", "a"), classes=("normal", "mono"), values=np.array([0.25, 0.75]))


def made(seed=0):
    spec = make_spec(
        split=make_split(rule="general", known_class=None), evaluation=None, recipe="quick", fit__seed=seed
    )
    return make_record(spec, 1.0, average_precision=1.0)


def no_differences(_record, _scores):
    return ()


def any_model(_path):
    pass


@pytest.fixture
def source(tmp_path):
    """A folder with one run, its scores and an artefact."""
    store = Store(tmp_path / "source")
    store.put(made(), SCORES)
    artefact = store.artefacts_path(made().fit_key) / "maps" / "grid.png"
    artefact.parent.mkdir(parents=True)
    artefact.write_bytes(b"picture")
    return store


def moved_and_linked(path, elsewhere):
    """Put a link in the place of a file or folder, which leads to it elsewhere."""
    elsewhere.mkdir(exist_ok=True)
    path.rename(elsewhere / path.name)
    path.symlink_to(elsewhere / path.name)


def linked(source):
    record = made()
    folder = source.artefacts_path(record.fit_key)
    return {
        "record": source.record_path(record.key),
        "folder of records": source.record_path(record.key).parent,
        "records": source.root / "records",
        "scores": source.scores_path(record.key),
        "folder of scores": source.root / "scores",
        "artefacts": source.root / "artefacts",
        "artefacts of the fit": folder,
        "folder of artefacts": folder / "maps",
        "artefact": folder / "maps" / "grid.png",
    }


KINDS = (
    *("record", "folder of records", "records", "scores", "folder of scores"),
    *("artefacts", "artefacts of the fit", "folder of artefacts", "artefact"),
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dry_run", [False, True])
def test_nothing_comes_through_a_link_and_the_link_is_named(tmp_path, source, kind, dry_run):
    path = linked(source)[kind]
    moved_and_linked(path, tmp_path / "private")
    target = Store(tmp_path / "target")
    (step,) = Merger(target, no_differences, any_model, dry_run=dry_run).merge_source(source.root)
    assert (step.state, step.troubled) == ("unreadable", True)
    assert f"{path} is a link" in f"{step.name} {step.reason}" or "is a link, which is not followed" in step.reason
    assert not [file for file in target.root.rglob("*") if file.is_file() and file.suffix != ".lock"]


def test_a_traceback_that_is_a_link_is_not_copied(tmp_path, source):
    import msgspec

    failed = msgspec.structs.replace(made(1), status="failed", metrics=None, error="RuntimeError: it broke")
    source.put(failed)
    (tmp_path / "secret").write_text("private words")
    trace = source.traceback_path(failed.key)
    trace.parent.mkdir()
    trace.symlink_to(tmp_path / "secret")
    target = Store(tmp_path / "target")
    steps = {step.name: step.state for step in Merger(target, no_differences, any_model).merge_source(source.root)}
    assert sorted(steps.values()) == ["new", "unreadable"]
    assert not target.traceback_path(failed.key).exists()


def test_the_folder_that_was_named_may_be_a_link_itself(tmp_path, source):
    (tmp_path / "link").symlink_to(source.root)
    target = Store(tmp_path / "target")
    assert [step.state for step in Merger(target, no_differences, any_model).merge_source(tmp_path / "link")] == ["new"]
    assert (target.artefacts_path(made().fit_key) / "maps" / "grid.png").read_bytes() == b"picture"


def test_a_record_that_is_no_file_is_not_waited_for(tmp_path, source):
    record = source.record_path(made().key)
    record.unlink()
    os.mkfifo(record)
    (step,) = Merger(Store(tmp_path / "target"), no_differences, any_model).merge_source(source.root)
    assert step.state == "unreadable"
    assert "is not a file" in step.reason


def test_an_artefact_too_large_or_too_deep_is_named_and_not_read(tmp_path, source):
    folder = source.artefacts_path(made().fit_key)
    with (folder / "bomb.png").open("wb") as file:
        file.truncate(9 << 30)
    (step,) = Merger(Store(tmp_path / "target"), no_differences, any_model).merge_source(source.root)
    assert "bomb.png has 9216 MiB" in step.reason
    (folder / "bomb.png").unlink()
    (folder / "/".join(["d"] * 40)).mkdir(parents=True)
    (step,) = Merger(Store(tmp_path / "target"), no_differences, any_model).merge_source(source.root)
    assert "folders more than 32 deep" in step.reason
