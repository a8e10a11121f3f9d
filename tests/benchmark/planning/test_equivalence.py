"""Which methods a record measures: its own, and any other with equal parameters, scored in the same way."""

import pytest
from records import make_record

from benchmark.planning.equivalence import measures

SUITE = """
id = "twins"
title = "DRA where its pseudo anomalies are those of a variant"
rule = "general"
recipe = "official"
methods = ["dra"]
shots = [1]
seeds = [0]
[datasets]
carpet = []
"""


@pytest.fixture
def measured(drifting, rows):
    """For overrides of DRA's parameters the ids of the methods that its run measures."""
    drifting.prepare("carpet", rows["texture"](100))

    def plan(overrides):
        (run,) = drifting.plan(drifting.suite(SUITE), sets={"dra": overrides}).runs
        return measures()(make_record(run.spec, failed="made up"))

    return plan


def test_a_run_measures_its_twin_too(measured):
    assert measured({}) == {"dra", "dra_cutmix"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("evaluation.batch", 7), ("evaluation.order", "ranked"), ("optim.lr", 0.5), ("pseudo.source", "cp_scar")],
)
def test_a_run_that_is_made_or_scored_otherwise_does_not(measured, name, value):
    found = measured({name: value})
    assert "dra" in found
    assert "dra_cutmix" not in found
