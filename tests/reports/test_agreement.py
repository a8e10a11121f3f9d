"""Runs beside reference runs of the same key."""

from xml.etree import ElementTree as ET

import pytest

from reports import agreement_output
from reports.agreement import compare


def test_equal_numbers_are_good_and_the_last_bit_counts_on_one_machine(record):
    references = [record(0.75), record(0.75, seed=1)]
    assert compare(references, references).status == 0
    found = compare([record(0.75), record(0.75 + 1e-16 * 2, seed=1)], references)
    assert (found.status, [pair.differs for pair in found.pairs]) == (3, [False, True])
    assert agreement_output.lines(found)[0].startswith("DIFFERS: hard-elpv-mono-dra-10-s1-")
    assert agreement_output.headline(found) == "2 runs compared with a reference: 1 differs"


@pytest.mark.parametrize("drift", [0.009, -0.009, 0.011, -0.011])
def test_on_another_machine_a_run_may_differ_by_the_tolerance_either_way(record, drift):
    references = [record(0.75, numerics="cpu avx512 torch 2.14")]
    found = compare([record(0.75 + drift)], references)
    assert found.status == (3 if abs(drift) > 0.01 else 0)
    assert compare([record(0.75 + drift)], references, tolerance=0.02).status == 0
    assert "another machine" in agreement_output.lines(found)[0]


def test_the_reference_of_the_same_machine_counts_where_there_are_several(record):
    references = [record(0.70, numerics="cpu avx512 torch 2.14"), record(0.75)]
    assert compare([record(0.75)], references).status == 0
    assert compare([record(0.70)], references).status == 3


def test_a_run_that_fails_now_differs(record):
    found = compare([record(failed="boom\nat line 3")], [record(0.75)])
    assert found.status == 3
    assert ": failed (boom), reference 0.75" in agreement_output.lines(found)[0]


def test_other_keys_are_counted_and_not_compared(record):
    found = compare([record(0.75, version=2)], [record(0.75), record(failed="once", seed=4)])
    assert (found.status, found.skipped) == (4, {"reference without a run": 1, "without a reference": 1})
    assert agreement_output.lines(found) == [
        "not compared: 1 reference without a run, 1 without a reference",
        "nothing to compare: no run has the key of a reference (bench results why says what makes a key)",
    ]


def test_a_run_with_a_leak_of_test_labels_is_never_compared(record):
    run = record(0.75)
    found = compare([run], [run], leaking={run.series})
    assert (found.status, found.skipped) == (4, {"measured with a leak of test labels": 1})


def test_junit_and_summary_say_the_same(record):
    references = [record(0.75), record(0.75, seed=1), record(0.75, seed=2)]
    found = compare([record(0.75), record(0.70, seed=1)], references)
    suites = ET.fromstring(agreement_output.junit(found))
    assert {name: suites.get(name) for name in ("tests", "failures", "skipped", "errors")} == {
        "tests": "3",
        "failures": "1",
        "skipped": "1",
        "errors": "0",
    }
    page = agreement_output.summary(found)
    assert page.startswith("# Check against reference runs: 2 runs compared with a reference: 1 differs\n")
    assert page.count("| differs |") == 1
    assert ET.fromstring(agreement_output.junit(compare([], []))).get("errors") == "1"
