import os
import time

import pytest

from results import index
from results.store import Store


@pytest.fixture
def old(monkeypatch):
    """Every file counts as old enough, and one new record is worth an index."""
    monkeypatch.setattr(index, "SETTLED_NS", -1)
    monkeypatch.setattr(index, "FEWEST_NEW", 1)


@pytest.fixture
def folder(tmp_path, record, spec):
    store = Store(tmp_path / "runs")
    for seed in range(3):
        store.put(record(spec(fit__seed=seed)))
    return tmp_path / "runs"


def indexed(folder, warn=lambda _: None):
    return list(Store(folder, warn, indexes=folder.parent / "indexes").records())


def decoded(monkeypatch):
    """The files whose content is decoded from now on."""
    from results import store

    seen = []
    decode = store.decode_record
    monkeypatch.setattr(store, "decode_record", lambda data: seen.append(data) or decode(data))
    return seen


@pytest.mark.usefixtures("old")
def test_unchanged_records_are_not_decoded_again_and_are_the_same(folder, monkeypatch):
    plain = list(Store(folder).records())
    assert indexed(folder) == plain
    seen = decoded(monkeypatch)
    assert indexed(folder) == plain
    assert not seen


@pytest.mark.usefixtures("old")
def test_an_edited_record_is_noticed_though_size_and_time_of_change_are_as_before(folder):
    indexed(folder)
    path = min(folder.glob("records/??/*.json"))
    before, state = path.read_bytes(), path.stat()
    with path.open("r+b") as file:
        file.write(before.replace(b'"seed": ', b'"seed":1'))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    told = []
    assert len(indexed(folder, told.append)) == 2
    assert "edited or damaged" in told[0]


@pytest.mark.usefixtures("old")
def test_a_record_that_is_gone_or_new_or_under_another_key_is_noticed(folder, record, spec):
    indexed(folder)
    first, second, _ = sorted(folder.glob("records/??/*.json"))
    first.unlink()
    second.rename(second.with_name("f" * 64 + ".json"))
    Store(folder).put(record(spec(fit__seed=3)))
    told = []
    assert len(indexed(folder, told.append)) == 2
    assert "lies under another key" in told[0]


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_damaged_index_is_not_believed(folder, place, monkeypatch):
    plain = indexed(folder)
    (file,) = (folder.parent / "indexes").iterdir()
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    seen = decoded(monkeypatch)
    assert indexed(folder) == plain
    assert len(seen) == 3


@pytest.mark.usefixtures("old")
def test_an_index_of_other_code_is_not_believed(folder, monkeypatch):
    plain = indexed(folder)
    monkeypatch.setattr(index.msgspec, "__version__", "0.0")
    seen = decoded(monkeypatch)
    assert indexed(folder) == plain
    assert len(seen) == 3


@pytest.mark.usefixtures("old")
def test_an_index_that_cannot_be_kept_is_no_error(folder):
    (folder.parent / "indexes").write_text("a file")
    assert len(indexed(folder)) == 3


def test_files_that_changed_just_now_are_not_kept(folder, monkeypatch):
    monkeypatch.setattr(index, "FEWEST_NEW", 1)
    now = time.time_ns()
    monkeypatch.setattr(index.time, "time_ns", lambda: now)
    indexed(folder)
    assert not (folder.parent / "indexes").exists()
    monkeypatch.setattr(index.time, "time_ns", lambda: now + 3 * 10**9)
    indexed(folder)
    assert len(list((folder.parent / "indexes").iterdir())) == 1


def test_few_records_are_not_worth_an_index(folder, monkeypatch):
    monkeypatch.setattr(index, "SETTLED_NS", -1)
    indexed(folder)
    assert not (folder.parent / "indexes").exists()
