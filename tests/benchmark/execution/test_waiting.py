"""A fit that another call has in hand: whose it is, is said, and its records are taken when they are there."""

import os
import socket
import threading

import pytest
import strangers

from results.store import Store


@pytest.fixture
def guest(house, monkeypatch):
    strangers.brightest(house.root / "site")
    monkeypatch.setenv("PYTHONPATH", strangers.path(house.root / "site"))
    house.words = ("run", "--suite", house.suite, "--method", "bright", "--known-class", "dot", "--threads", "1")
    return house


@pytest.mark.slow
def test_whose_claim_a_fit_waits_for_is_said_once_and_the_fit_is_made_when_it_is_free(guest):
    guest.bench(*guest.words)
    (record,) = Store(guest.results).records()
    Store(guest.results).record_path(record.key).unlink()
    with Store(guest.results).claim(record.fit_key) as mine:
        assert mine
        waiting = guest.start(*guest.words)
        watch = threading.Timer(120, waiting.kill)
        watch.start()
        lines = []
        for line in waiting.stderr:
            lines.append(line)
            if "held by" in line:
                break
    _, rest = waiting.communicate(timeout=60)
    watch.cancel()
    assert waiting.returncode == 0
    text = "".join(lines) + rest
    assert f"held by process {os.getpid()} on {socket.gethostname()} of user " in text
    assert text.count("held by") == 1
    assert [one.key for one in Store(guest.results).records()] == [record.key]
