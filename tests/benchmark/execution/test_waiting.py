"""A fit that another call has in hand: whose it is, is said, no worker is started, and records are taken when there."""

import os
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import strangers

from benchmark.execution.processes.handover import WORKER_NUMBER
from results.store import Store

LOOKS_SECONDS = 4.0
"""Time in which a call that waits looks several times whether a claim is free."""


@pytest.fixture
def guest(house, monkeypatch):
    strangers.brightest(house.root / "site")
    monkeypatch.setenv("PYTHONPATH", strangers.path(house.root / "site"))
    house.words = ("run", "--suite", house.suite, "--method", "bright", "--known-class", "dot", "--threads", "1")
    return house


@pytest.fixture
def known_record(guest, furnished):
    """The record of the one run of the guest, which is taken out of the results folder."""
    furnished(guest, "bright", lambda: guest.bench(*guest.words))
    (record,) = Store(guest.results).records()
    Store(guest.results).record_path(record.key).unlink()
    return record


@contextmanager
def held_up(guest, fit_key):
    """A call that waits for a claim of this process, and what it has said so far."""
    with Store(guest.results).claim(fit_key) as mine:
        assert mine
        call = guest.start(*guest.words)
        watch = threading.Timer(120, call.kill)
        watch.start()
        said = []
        for line in call.stderr:
            said.append(line)
            if "held by" in line:
                break
        yield call, "".join(said)
    watch.cancel()


def workers_of(call):
    """Worker processes of a call that are there."""
    children = Path(f"/proc/{call.pid}/task/{call.pid}/children").read_text().split()
    variable = f"{WORKER_NUMBER}=".encode()
    return [child for child in children if variable in Path(f"/proc/{child}/environ").read_bytes()]


@pytest.mark.slow
def test_whose_claim_a_fit_waits_for_is_said_once_and_the_fit_is_made_when_it_is_free(guest, known_record):
    with held_up(guest, known_record.fit_key) as (call, said):
        until = time.monotonic() + LOOKS_SECONDS
        while time.monotonic() < until:
            assert workers_of(call) == []
            time.sleep(0.05)
    _, rest = call.communicate(timeout=60)
    assert call.returncode == 0
    assert f"held by process {os.getpid()} on {socket.gethostname()} of user " in said
    assert (said + rest).count("held by") == 1
    assert "done: " in rest
    assert [one.key for one in Store(guest.results).records()] == [known_record.key]


@pytest.mark.slow
def test_a_record_that_comes_ends_the_waiting_although_its_claim_is_still_held(guest, known_record):
    with held_up(guest, known_record.fit_key) as (call, _):
        Store(guest.results).put(known_record)
        _, rest = call.communicate(timeout=60)
    assert call.returncode == 0
    assert "taken: " in rest


@pytest.mark.slow
def test_what_is_to_be_made_anew_is_not_taken_from_a_record_of_before(guest, known_record):
    guest.words += ("--force",)
    Store(guest.results).put(known_record)
    with held_up(guest, known_record.fit_key) as (call, _):
        time.sleep(LOOKS_SECONDS)
        assert call.poll() is None
    assert call.communicate(timeout=60)[1].count("taken: ") == 1
