"""Each worker process has a number among those at work, by which it takes its device."""

import os
import time

import pytest
from guests import Guests

from benchmark.execution.processes.handover import WORKER_NUMBER
from benchmark.execution.processes.pool import WorkerLostError, Workers
from results.store import Store


def test_workers_at_work_have_different_numbers_and_who_replaces_one_has_its_number():
    workers = Workers(2, {})
    try:
        workers.submit(time.sleep, 600)
        assert workers.submit(os.getenv, WORKER_NUMBER).result() == "1"
        with pytest.raises(WorkerLostError):
            workers.submit(os._exit, 3).result()
        assert workers.submit(os.getenv, WORKER_NUMBER).result() == "1"
    finally:
        workers.close(kill=True)


TWO_DEVICES = """
import torch

torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: 2
torch.cuda.get_device_name = lambda device: f"Made Up {device}"
"""
WAIT = """
(ROOT / self.context.device).touch()
while len(list(ROOT.glob("cuda:*"))) < 2:
    time.sleep(0.05)
"""


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cuda:1,cuda:0", "auto"])
def test_fits_at_the_same_time_compute_on_devices_of_their_own_and_records_say_so(device, house, monkeypatch):
    guests = Guests(house, monkeypatch)
    for name in ("one", "two"):
        guests.invite(name, WAIT)
    (guests.site / "sitecustomize.py").write_text(TWO_DEVICES)
    done = guests.run("one,two", "--jobs", "2", "--device", device, "--max-time", "120s")
    assert done.returncode == 0, done.stderr
    told = {record.provenance.device: record.provenance.numerics_class for record in Store(house.results).records()}
    assert {device: text.split("-")[:2] for device, text in told.items()} == {
        "cuda:0": ["cuda", "made_up_0"],
        "cuda:1": ["cuda", "made_up_1"],
    }
