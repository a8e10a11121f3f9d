"""A precision is asked of detectors that take one; the key of any other holds fp32 whatever is asked for."""

import pytest

from methods import devices

SUITE = """
id = "precise"
title = "Two detectors, of which one takes a precision"
rule = "general"
recipe = "official"
methods = ["dra", "drift"]
shots = [1]
seeds = [0]
[datasets]
carpet = []
"""


@pytest.fixture
def fits(drifting, rows):
    """For a precision the fit of each method as it is planned."""
    drifting.prepare("carpet", rows["texture"](100))

    def plan(precision):
        runs = drifting.plan(drifting.suite(SUITE), precision=precision).runs
        assert {run.state for run in runs} == {"missing"}
        return {run.wanted_run.method: run.spec.fit for run in runs}

    return plan


def test_runs_that_name_no_precision_compute_in_fp32_where_bf16_is_native_too(fits, monkeypatch):
    monkeypatch.setattr(devices, "cpu_flags", lambda: devices.NATIVE_BF16)
    assert fits(None)["dra"].precision == "fp32"


def test_a_detector_without_the_capability_is_given_fp32_and_keeps_its_key(fits):
    full, half = fits("fp32"), fits("bf16")
    assert [found["drift"].precision for found in (full, half)] == ["fp32", "fp32"]
    assert full["drift"].fit_key == half["drift"].fit_key


def test_one_with_the_capability_is_given_what_is_asked_for_under_keys_of_their_own(fits):
    full, half = fits("fp32"), fits("bf16")
    assert [found["dra"].precision for found in (full, half)] == ["fp32", "bf16"]
    assert full["dra"].fit_key != half["dra"].fit_key
