"""Runs beside reference runs of the same key."""

from xml.etree import ElementTree as ET

import msgspec
import pytest

from reports.gates.reference import ComparedMetric, reference_gate
from reports.gates.reference_output import reference_report

ELSEWHERE = "cpu avx512 torch 2.14"


def compared(records, references, **options):
    return reference_gate(records, references, **{"versions": {"dra": 1}} | options)


def with_precision(record, value):
    return msgspec.structs.replace(record, metrics=msgspec.structs.replace(record.metrics, average_precision=value))


def test_equal_numbers_pass_and_the_last_bit_counts_on_one_machine(record):
    references = [record(0.75), record(0.75, seed=1)]
    same = compared(references, references)
    assert same.status == 0
    assert reference_report(same).lines[0].startswith("equal: hard-elpv-mono-dra-10-s0-")
    found = compared([record(0.75), record(0.75 + 1e-16 * 2, seed=1)], references)
    assert (found.status, [pair.differs for pair in found.pairs]) == (3, [False, True])
    assert reference_report(found).lines[0].startswith("DIFFERS: hard-elpv-mono-dra-10-s1-")
    assert reference_report(found).headline == "2 runs compared with a reference: 1 differs"


@pytest.mark.parametrize("drift", [0.009, -0.009, 0.011, -0.011])
def test_on_another_machine_a_run_may_differ_by_the_tolerance_either_way(record, drift):
    references = [record(0.75, numerics=ELSEWHERE)]
    found = compared([record(0.75 + drift)], references)
    assert found.status == (3 if abs(drift) > 0.01 else 0)
    assert compared([record(0.75 + drift)], references, tolerance=0.02).status == 0
    line = reference_report(found).lines[0]
    assert line.startswith("DIFFERS: " if abs(drift) > 0.01 else "within 0.01: ")
    assert "another machine" in line


@pytest.mark.parametrize("numerics", ["cpu avx2 torch 2.14", ELSEWHERE])
def test_a_difference_in_average_precision_alone_names_that_metric(record, numerics):
    found = compared([with_precision(record(0.75), 0.4321)], [with_precision(record(0.75, numerics=numerics), 0.5)])
    assert found.status == 3
    told = reference_report(found).lines[0]
    assert "average precision measured 0.4321, reference 0.5" in told
    assert "AUC" not in told
    assert "0.4321 (0.5000)" in reference_report(found).summary()
    (failure,) = ET.fromstring(reference_report(found).junit()).iter("failure")
    assert "average precision measured 0.4321" in failure.get("message")


def test_the_reference_of_the_same_machine_counts_where_there_are_several(record):
    references = [record(0.70, numerics=ELSEWHERE), record(0.75)]
    assert compared([record(0.75)], references).status == 0
    assert compared([record(0.70)], references).status == 3


def test_a_run_must_agree_with_every_reference_that_counts(record):
    assert compared([record(0.75)], [record(0.75), record(0.76)]).status == 3
    elsewhere = [record(0.75, numerics=ELSEWHERE), record(0.77, numerics=ELSEWHERE)]
    found = compared([record(0.755)], elsewhere)
    assert (found.status, found.pairs[0].numbers[0].reference) == (3, 0.77)


def test_each_of_two_runs_of_one_key_is_compared_and_equal_ones_once(record):
    found = compared([record(0.75), record(0.75), record(0.76)], [record(0.75)])
    assert (found.status, len(found.pairs), len(found.differing)) == (3, 2, 1)


@pytest.mark.parametrize("partial", [False, True])
def test_a_run_that_fails_now_is_no_success(record, partial):
    found = compared([record(failed="boom\nat line 3")], [record(0.75)], partial=partial)
    assert found.status == 3
    assert reference_report(found).lines[0].startswith("FAILED: hard-elpv-mono-dra-10-s0-")
    assert reference_report(found).lines[0].endswith(": boom")
    assert reference_report(found).headline == "no run compared with a reference: 1 failed"


def test_a_run_that_failed_elsewhere_and_is_done_here_counts_as_done(record):
    assert compared([record(failed="boom"), record(0.75)], [record(0.75)]).status == 0


def test_a_reference_without_a_run_is_a_fault_unless_a_part_is_meant(record):
    references = [record(0.75), record(0.75, seed=1), record(failed="once", seed=4)]
    found = compared([record(0.75)], references)
    assert found.status == 3
    assert [(fault.kind, fault.name) for fault in found.faults] == [("absent", references[1].spec.name)]
    part = compared([record(0.75), record(0.75, seed=9)], references, partial=True)
    assert (part.status, part.faults) == (0, ())
    skipped = {"reference that failed itself": 1, "reference without a run": 1, "without a reference": 1}
    assert part.skipped == skipped
    assert compared([], references, partial=True).status == 4


@pytest.mark.parametrize("partial", [False, True])
def test_another_key_at_the_same_place_is_always_a_fault_and_says_what_differs(record, partial):
    near, far = record(0.75, params={"optim.lr": 0.5}), record(0.75, params={"optim.lr": 0.5, "more": 1}, version=2)
    found = compared([far, near], [record(0.75)], partial=partial, versions={})
    assert found.status == 3
    (fault,) = found.faults
    assert fault.kind == "other key"
    told = f"same run, other key ({near.spec.name}): parameter optim.lr = 0.5 (reference: 0.0002)"
    assert fault.reason == told
    assert told in ET.fromstring(reference_report(found).junit()).find(".//failure").get("message")
    assert "other key" in reference_report(found).summary()


def test_the_run_of_one_reference_is_not_another_key_of_the_next(record):
    references = [record(0.75), record(0.75, params={"optim.lr": 0.5})]
    found = compared(references[:1], references, partial=True)
    assert (found.status, found.skipped) == (0, {"reference without a run": 1})


def test_a_stale_run_is_no_success(record):
    assert compared([record(0.75)], [record(0.75)], versions={"dra": 2}).status == 3
    found = compared([record(0.75)], [record(0.75)], stale=lambda _: "made by other code")
    assert (found.status, found.faults[0].reason) == (3, "made by other code")


def test_a_run_with_a_leak_of_test_labels_is_never_compared(record):
    run = record(0.75)
    found = compared([run], [run], leaking={run.series})
    assert (found.status, found.skipped) == (4, {"measured with a leak of test labels": 1})


def test_junit_and_summary_say_the_same(record):
    references = [record(0.75), record(0.75, seed=1), record(0.75, seed=2)]
    found = compared([record(0.75), record(0.70, seed=1)], references)
    suites = ET.fromstring(reference_report(found).junit())
    counts = {"tests": "3", "failures": "2", "errors": "0"}
    assert suites.attrib == counts
    assert counts.items() <= suites.find("testsuite").attrib.items()
    page = reference_report(found).summary()
    assert page.startswith("# Check against reference runs: 2 runs compared with a reference: 1 differs; 1 absent\n")
    assert page.count("| differs |") == 1
    assert f"| absent | {references[2].spec.name} |" in page
    assert ET.fromstring(reference_report(compared([], [])).junit()).get("errors") == "1"


def fpr(of_measured, of_reference):
    """The gate's metric where a run has these numbers by seed."""
    sides = [
        lambda record, by_seed=by_seed: by_seed.get(record.spec.fit.seed) for by_seed in (of_measured, of_reference)
    ]
    return [ComparedMetric("FPR at 95 % TPR", *sides)]


def test_another_metric_is_compared_alone_and_named(record):
    runs = [record(0.6, seed=seed) for seed in (0, 1)]
    references = [record(0.7, seed=seed) for seed in (0, 1)]
    equal = compared(runs, references, metrics=fpr({0: 0.25, 1: 0.5}, {0: 0.25, 1: 0.5}))
    assert equal.status == 0
    assert "compared: FPR at 95 % TPR of each run" in reference_report(equal).lines[-2]
    differs = compared(runs, references, metrics=fpr({0: 0.25, 1: 0.5}, {0: 0.25, 1: 0.6}))
    assert (differs.status, len(differs.differing)) == (3, 1)
    assert "FPR at 95 % TPR measured 0.5, reference 0.6" in reference_report(differs).lines[0]
    assert "Compared: FPR at 95 % TPR of each run" in reference_report(differs).summary()


def test_a_reference_without_it_is_counted_and_a_run_that_lost_it_is_a_fault(record):
    runs = [record(seed=seed) for seed in (0, 1)]
    counted = compared(runs, runs, metrics=fpr({0: 0.25, 1: 0.5}, {0: 0.25}))
    assert (counted.status, len(counted.pairs)) == (0, 1)
    assert counted.skipped["reference without FPR at 95 % TPR"] == 1
    for partial in (True, False):
        lost = compared(runs, runs, metrics=fpr({0: 0.25}, {0: 0.25, 1: 0.5}), partial=partial)
        assert (lost.status, len(lost.pairs)) == (3, 1)
        assert reference_report(lost).lines[0] == (
            f"ABSENT: {runs[1].spec.name}: its run has no FPR at 95 % TPR, its reference has: run it again with --force"
        )
    none = compared(runs, runs, metrics=fpr({0: 0.25}, {}))
    assert none.status == 4
    assert "no reference run has FPR at 95 % TPR" in reference_report(none).headline
