"""What a run says of its progress where stderr is no terminal."""

import json
from types import SimpleNamespace

import pytest

from benchmark.execution import progress
from results.store import Store


@pytest.fixture
def fit(tmp_path, monkeypatch, capsys):
    """A progress of one fit out of two; call it with (done, seconds since the start) for the line that it says."""
    store = Store(tmp_path)
    store.progress_path("a").parent.mkdir()
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock.now))
    shown = progress.RunProgress(store, [SimpleNamespace(key=key, name=key) for key in "ab"], None)

    def at(done, seconds):
        clock.now = float(seconds)
        store.progress_path("a").write_text(json.dumps({"done": done, "total": 100}))
        shown.tick()
        return capsys.readouterr().err

    return at


def test_the_time_left_counts_what_is_still_to_do(fit):
    assert fit(0, 0) == ""
    assert fit(20, 100) == "10% of all fits done, about 15 min 0 s left\n"


def test_the_time_left_does_not_count_what_a_checkpoint_held(fit):
    fit(80, 1)
    assert fit(90, 100) == "45% of all fits done, about 18 min 20 s left\n"


def test_a_fit_that_starts_anew_for_want_of_a_checkpoint_counts_from_there(fit):
    fit(80, 1)
    fit(0, 2)
    assert fit(20, 100) == "10% of all fits done, about 15 min 0 s left\n"
