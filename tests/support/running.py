"""What tests of runs in processes of their own share."""

import time

from benchmark.execution.processes.handover import Machine
from results.store import Store

ONE_RUN = """
id = "made"
title = "One run of a made-up detector"
rule = "general"
recipe = "official"
methods = ["drift"]
shots = [10]
seeds = [0]
[datasets]
one = []
"""
"""A suite."""


def scores_of(house):
    """AUC and the bytes of the scores by key."""
    store = Store(house.results)
    return {
        record.key: (record.metrics.auroc, store.scores(record.key).values.tobytes())
        for record in store.records()
        if record.status == "done"
    }


def wait_for(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.05)


def machine(data, cache, store):
    """What `bench run` tells its workers of itself."""
    return Machine(
        data=data,
        cache=cache,
        store=store,
        threads=1,
        device="cpu",
        package_version="0",
        git_commit=None,
        git_dirty=None,
    )
