from xml.etree import ElementTree as ET

import pytest

from reports.errors import ReportError
from reports.gates.published import MEAN, ONE_SEED, QUOTED, RERUN, TEST_KINDS, TWIN, published_gate
from reports.gates.published_output import NOT_COMPARABLE_RULE, ONE_RUN_RULE, RULE, published_report
from reports.layouts import layout
from reports.stats.paired import holm_adjusted
from reports.tables import table
from reports.tables.measured import CellValue
from results.metrics import AUROC


def build(records, name="2"):
    return table.build_table(
        layout.auc_layout(name), records, measures=lambda record: {record.spec.method}, versions={"dra": 1}
    )


def seeds(record, *values, **options):
    return [record(value, seed=seed, **options) for seed, value in enumerate(values)]


def cell_tests(gate):
    return [test for test in gate.tests if test.kind == "cell"]


def test_nothing_measured_is_status_4():
    found = published_gate([build([])])
    assert (found.status, found.skipped) == (4, {"missing": 396})
    assert published_report(found).lines == ["not tested: 396 missing", "nothing to compare with the published values"]


def test_good_values_are_status_0(record):
    found = published_gate([build(seeds(record, 0.72, 0.73, 0.74))])
    assert (found.status, [test.id for test in found.tests]) == (0, ["dra:2/dra", "dra:2/hard/elpv/mono/dra/10"])
    told = published_report(found).lines
    assert told[-1] == "1 method, 1 cell tested (alpha 0.1, Holm): none found below published - margin"
    assert told[0].startswith("dra:2: DRA, ten-shot: one cell, no verdict on the table: D -0.001 (")


def test_values_that_fell_are_status_3(record):
    found = published_gate([build(seeds(record, 0.60, 0.61, 0.62))])
    assert found.status == 3
    lines = published_report(found).lines
    assert lines[1].startswith("REGRESSION: dra:2/dra (method, 1 cell): D -0.121 (df = ")
    assert lines[2].startswith("REGRESSION: dra:2/hard/elpv/mono/dra/10: measured 0.610 (n = 3, df = ")


def test_better_values_are_no_regression(record):
    assert published_gate([build(seeds(record, 0.90, 0.91, 0.92))]).status == 0


def test_not_comparable_cells_are_tested_only_on_request(record):
    tables = [build(seeds(record, 0.50, 0.51, 0.52, recipe="quick"))]
    shut = published_gate(tables)
    assert (shut.status, shut.skipped) == (4, {"missing": 395, "not_comparable": 1})
    assert "--include-not-comparable" in published_report(shut).lines[-1]
    opened = published_gate(tables, include_not_comparable=True)
    assert opened.status == 3
    said = published_report(opened).lines
    assert said[0] == "dra:2: DRA, ten-shot: 1 of 30 cells measured, none of them is comparable with the paper."
    assert said[1] == NOT_COMPARABLE_RULE
    assert "(not comparable: recipe quick)" in said[2]


def test_what_is_no_auc_is_never_tested(record):
    gan = {"method": "csi_gan", "dataset": "cifar10", "rule": "one_class", "known_class": None, "shots": None}
    made = [
        record(0.9, normal_class=str(index), history={"fid": [900.0]}, seed=seed, **gan)
        for index in range(10)
        for seed in (0, 1)
    ]
    found = published_gate([build(made, "csi_gan:ablation")], include_not_comparable=True)
    assert [test.name for test in cell_tests(found)] == ["one_class/cifar10/csi_gan"]
    assert found.skipped == {"missing": 3, "not_comparable": 1}


def test_a_cell_that_two_tables_print_is_tested_once(record):
    records = seeds(record, 0.60, 0.61, 0.62)
    found = published_gate([build(records), build(records, "8")])
    assert [test.id for test in found.tests] == ["dra:2/dra", "dra:2/hard/elpv/mono/dra/10"]
    assert found.skipped[TWIN] == 1


def test_a_cell_is_tested_against_the_paper_that_measured_it_first(record):
    records = seeds(record, 0.60, 0.61, 0.62)
    found = published_gate([build(records), build(records, "ahl:8")])
    assert [test.id for test in found.tests] == ["dra:2/dra", "dra:2/hard/elpv/mono/dra/10"]
    assert found.untested[RERUN] == ("ahl:8/hard/elpv/mono/dra/10",)
    assert all(text.startswith("dra:2: ") for text in found.sentences)
    asked = published_gate([build(records, "ahl:8")], include_reruns=True)
    assert [test.id for test in asked.tests] == ["ahl:8/dra", "ahl:8/hard/elpv/mono/dra/10"]
    assert asked.status == 3


def test_what_a_paper_quotes_is_never_tested(record):
    records = seeds(record, 0.40, 0.41, 0.42, method="flos")
    found = published_gate([build(records, "ahl:8")], include_reruns=True)
    assert (found.tests, found.untested[QUOTED]) == ((), ("ahl:8/hard/elpv/mono/flos/10",))


def test_a_required_cell_that_is_tested_in_its_own_paper_is_not_missed_in_a_rerun(record):
    tables = [build(seeds(record, 0.72, 0.73, 0.74), name) for name in ("2", "ahl:8")]
    assert published_gate(tables, required=["hard/elpv/mono/dra/10"]).required == ()
    assert published_gate(tables, required=["ahl:8/hard/elpv/mono/dra/10"]).required == (
        f"ahl:8/hard/elpv/mono/dra/10: {RERUN}",
    )


def test_stale_and_failed_cells_are_no_success(record):
    found = published_gate([build([record(version=0), record(known_class="poly", failed="boom")])])
    assert found.status == 3
    assert found.skipped == {"failed": 2, "missing": 393, "stale": 1}
    assert [fault.line for fault in found.faults] == [
        "STALE: dra:2/hard/elpv/mono/dra/10: measured by version 0 of dra, now 1",
        "FAILED: dra:2/hard/elpv/poly/dra/10: seed 0 failed: boom",
        "FAILED: dra:2/hard/elpv/mean/dra/10: seed 0 failed: boom",
    ]
    assert published_report(found).headline == "nothing to compare with the published values; 2 failed, 1 stale"


def test_what_failed_before_or_beside_the_shown_series_counts_and_what_failed_behind_it_does_not(record):
    def status(*others):
        return published_gate([build([*seeds(record, 0.72, 0.73, 0.74), *others])]).status

    assert status() == 0
    assert status(record(seed=3, failed="boom")) == 3
    assert status(record(seed=3, failed="boom", params={"new": 1})) == 3
    assert status(record(seed=3, failed="boom", recipe="quick")) == 0
    assert status(record(seed=3, failed="boom", params={"optim.lr": 5.0}, deviations=["optim.lr = 5"])) == 0
    quick = seeds(record, 0.72, 0.73, 0.74, recipe="quick")
    found = published_gate([build([*quick, record(failed="boom")])], include_not_comparable=True)
    assert found.status == 3


def test_a_failed_cell_that_two_tables_print_fails_once(record):
    records = [record(failed="boom")]
    assert len(published_gate([build(records), build(records, "8")]).faults) == 2  # the leaf and its mean row


def test_what_makes_a_record_stale_may_be_said_from_outside(record):
    records = seeds(record, 0.72, 0.73, 0.74)
    built = table.build_table(
        layout.auc_layout("2"),
        records,
        measures=lambda one: {one.spec.method},
        versions={},
        stale=lambda one: "made by other code" if one.key == records[1].key else "",
    )
    found = published_gate([built])
    assert (found.status, [fault.reason for fault in found.faults]) == (3, ["made by other code"])


def test_one_run_is_tested_with_the_published_std_by_hand(record):
    """Published 0.731 +- 0.021 (3 runs), ours 0.600 once.

    Error 0.021 * sqrt(1 + 1/3) = 0.0242487; t = (0.600 - 0.731 + 0.02) / 0.0242487 = -4.57757 with 2 degrees of freedom.
    The distribution function of t with 2 degrees of freedom is 1/2 + t / (2 sqrt(2 + t^2)) = 0.022279.
    Its quantile is (2p - 1) / sqrt(2p (1 - p)): 3.676580 at 1 - 0.1/3, 1.060660 at 0.8.
    So 0.02 + (3.676580 + 1.060660) * 0.0242487 = 0.134872 is seen, and 0.02 + 3.676580 * 0.0242487 = 0.109152 found.
    """
    found = published_gate([build([record(0.600)])])
    (cell,) = cell_tests(found)
    assert cell.p_value == pytest.approx(0.022279, abs=1e-6)
    assert cell.sees == pytest.approx(0.134872, abs=1e-6)
    assert cell.difference == pytest.approx(-0.131)
    assert found.status == 3
    assert ONE_RUN_RULE in published_report(found).lines
    assert published_gate([build([record(0.731 - 0.1093)])]).status == 3
    assert published_gate([build([record(0.731 - 0.1090)])]).status == 0


def test_welch_test_by_hand(record):
    """Ours 0.65, 0.67, 0.69 (mean 0.67, std 0.02) against 0.731 +- 0.021: error 0.0167432, 3.9905 degrees of freedom.

    t = (0.67 - 0.731 + 0.02) / 0.0167432 = -2.44876; p = 0.0354 (between 0.025 at -2.78 and 0.05 at -2.13).
    """
    (cell,) = cell_tests(published_gate([build(seeds(record, 0.65, 0.67, 0.69))]))
    assert cell.p_value == pytest.approx(0.0354, abs=2e-4)


def test_a_drop_in_all_cells_is_found_by_the_method_though_by_few_of_its_cells(record):
    """Ours lies 0.05 below the paper in all 60 cells of DRA, three runs each with just the paper's std."""
    table_2 = layout.auc_layout("2")
    printed = {cell.coordinates: cell.value for cell in table_2.published_cells}
    runs = [
        record(
            printed[at].mean - 0.05 + sign * printed[at].std,
            seed=seed,
            **{name: int(text) if name == "shots" else text for name, text in at if name != "method"},
        )
        for at in sorted(table_2.leaves)
        if ("method", "dra") in at
        for seed, sign in enumerate((-1, 0, 1))
    ]
    gate = published_gate([build(runs)])
    (method,) = gate.of_kind("method")
    assert (gate.status, method.regressed, method.cells) == (3, True, 60)
    assert method.difference == pytest.approx(-0.05)
    cells = cell_tests(gate)
    assert len(cells) == 60
    assert sum(test.regressed for test in cells) < 6


def test_demanded_power_is_exit_status_4(record):
    table_ = build(seeds(record, 0.72, 0.73, 0.74))
    seen = max(test.sees for test in published_gate([table_]).tests if test.kind == "method")
    assert published_gate([table_], demanded=seen + 1e-6).status == 0
    gate = published_gate([table_], demanded=seen - 1e-6)
    assert gate.status == 4
    report = published_report(gate)
    assert any(line.startswith("too little power: dra:2/dra sees a drop of ") for line in report.lines)
    assert "1 method without the power that --see demands" in report.headline
    assert ET.fromstring(report.junit()).get("failures") == "1"


def test_percent_and_fraction_tables_are_tested_alike(record):
    """A demanded drop of 0.05 is 5 points in a table in percent."""
    options = {"dataset": "fashion_mnist", "rule": "labelled_share", "known_class": None, "shots": None}
    records = [
        record(0.9 + 0.001 * seed, seed=seed, normal_class=str(index), gamma="0.05", method="agad_unet", **options)
        for index in range(10)
        for seed in (0, 1, 2)
    ]
    gate = published_gate([build(records, "5")], include_not_comparable=True, demanded=0.05)
    (method,) = gate.of_kind("method")
    assert (method.margin, method.scale) == (2.0, 100.0)
    assert method.sees < 5
    assert not gate.unseeing


def test_one_seed_against_a_value_without_seed_spread_cannot_be_tested(record):
    options = {"dataset": "fashion_mnist", "rule": "labelled_share", "known_class": None, "shots": None}
    records = [record(0.5, normal_class=str(index), gamma="0.05", method="agad_unet", **options) for index in range(10)]
    found = published_gate([build(records, "5")])
    assert found.status == 4
    assert found.skipped == {"missing": 53, ONE_SEED: 1}


def test_holm_steps_down_over_all_tests():
    """Of three: 0.02 times 3, 0.04 times 2, 0.11 times 1, never below the one before and never above 1."""
    assert holm_adjusted([0.11, 0.02, 0.04]) == pytest.approx([0.11, 0.06, 0.08])
    assert holm_adjusted([0.04, 0.04, 0.05]) == pytest.approx([0.12, 0.12, 0.12])
    assert holm_adjusted([0.9, 0.5]) == [1.0, 1.0]
    assert holm_adjusted([]) == []


def test_the_more_cells_the_larger_the_drop_that_one_sees(record):
    mono = seeds(record, 0.72, 0.73, 0.74)
    one = published_gate([build(mono)])
    more = published_gate([build([*mono, *seeds(record, 0.8, 0.8, 0.8, known_class="poly")])])
    first = {test.name: test.sees for test in one.tests}["hard/elpv/mono/dra/10"]
    second = {test.name: test.sees for test in more.tests}["hard/elpv/mono/dra/10"]
    assert second > first > 0.02
    assert [test.kind for test in more.tests] == ["method", "method in a data set", "cell", "cell"]
    assert more.skipped[MEAN] == 1
    told = published_report(more).lines
    assert [line.partition(":")[0] for line in told[-4:-1]] == [
        f"drop seen with probability 0.8, by {kind}" for kind in TEST_KINDS
    ]


def test_a_cell_in_which_no_drop_could_be_found_says_so(record):
    values = seeds(record, 0.2, 0.8, dataset="carpet", known_class="hole", method="flos", shots=1)
    found = published_gate([build(values)])
    said = published_report(found).lines
    (line,) = [text for text in said if "hard/carpet/hole/flos/1: " in text]
    assert line.startswith("no drop could be found: dra:2/hard/carpet/hole/flos/1: measured 0.500 (n = 2, df = ")
    assert line.endswith("sees a drop of none")
    assert said[-1].endswith("none found below published - margin; in 1 cell no drop could have been found")
    assert ET.fromstring(published_report(found).junit()).find("testsuite").get("skipped") == "2"


def test_no_line_calls_anything_good(record):
    tables = [build([*seeds(record, 0.72, 0.73, 0.74), *seeds(record, 0.2, 0.9, known_class="poly")])]
    found = published_gate(tables)
    for text in (
        "\n".join(published_report(found).lines),
        published_report(found).summary(),
        published_report(found).junit(),
    ):
        assert "good" not in text
        assert RULE in text


@pytest.mark.parametrize("alpha", [0, 0.5, -1])
def test_alpha_is_checked(alpha):
    with pytest.raises(ReportError, match="alpha"):
        published_gate([], alpha=alpha)


def test_junit_is_well_formed_whatever_the_texts_hold(record):
    records = seeds(record, 0.5, 0.5, 0.5, deviations=['dra.x = "<&>\x00\x1b\uffff"'])
    found = published_gate([build(records)], include_not_comparable=True)
    root = ET.fromstring(published_report(found).junit().encode())
    assert root.attrib == {"tests": "3", "failures": "2", "errors": "0"}
    assert all('dra.x = "<&>"' in failure.text for failure in root.iter("failure"))
    assert [case.get("name") for case in root.iter("testcase")] == ["dra", "hard/elpv/mono/dra/10", "missing"]
    (version,) = root.iter("property")
    assert version.attrib == {"name": "verdict_version", "value": "2"}


def test_junit_of_nothing_is_not_green():
    root = ET.fromstring(published_report(published_gate([build([])])).junit().encode())
    assert root.get("errors") == "1"
    assert [error.get("message") for error in root.iter("error")] == ["nothing to compare with the published values"]


def test_summary_is_markdown_with_the_result_first(record):
    text = published_report(published_gate([build(seeds(record, 0.60, 0.61, 0.62))])).summary()
    assert text.startswith("# Check against the published values: 1 method, 1 cell tested (alpha 0.1, Holm): 2 found")
    cells = [cell.strip() for row in text.splitlines() if "| cell " in row for cell in row.split("|")]
    assert cells[1:8] == ["cell", "dra:2/hard/elpv/mono/dra/10", "1", "0.731", "0.610", "3", "-0.121"]
    assert text.endswith("\n")


@pytest.mark.parametrize(("better", "status"), [("higher", 0), ("lower", 3)])
def test_the_gate_asks_which_value_is_the_better_one(record, better, status):
    """A made-up paper prints the metric: far above the published 0.731 is a regression where lower is better."""
    value = CellValue(AUROC._replace(better=better), lambda run: run.metrics.auroc)
    built = table.build_table(
        layout.auc_layout("2"),
        seeds(record, 0.90, 0.91, 0.92),
        measures=lambda _: {"dra"},
        versions={"dra": 1},
        value=value,
    )
    found = published_gate([built])
    (cell,) = cell_tests(found)
    assert found.status == status
    assert cell.largest_drop == pytest.approx(0.731 if better == "higher" else 1 - 0.731)
    assert cell.difference == pytest.approx(0.179)
    assert not cell.blind


def test_what_no_paper_prints_is_nothing_to_compare(record):
    found = published_gate([], unpublished="FPR at 95 % TPR")
    assert found.status == 4
    said = "nothing to compare, no paper prints FPR at 95 % TPR: leave out --metric, or name runs with --against"
    assert published_report(found).lines == [said]
    assert said in published_report(found).junit()
    assert said in published_report(found).summary()
