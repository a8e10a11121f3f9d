"""Verdicts on any table: hand-worked numbers, what a table may leave out, and what must not matter."""

import csv
from decimal import Decimal
from math import sqrt

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repository import ROOT
from scipy import stats

from reports.errors import ReportError
from reports.judgement.gate import judgement_gate
from reports.judgement.judge import judge_table
from reports.judgement.output import JUDGEMENT_FORMATS, judgement_json, render_judgement

PUBLISHED = """method,dataset,mean,std,n
a,x,0.812,0.012,3
a,y,0.700,0.020,3
b,x,0.900,0.010,
b,y,0.950,,
"""
MEASURED = """method,dataset,value
a,x,0.811
a,x,0.815
a,x,0.805
a,x,0.809
a,y,0.60
a,y,0.61
a,y,0.62
b,x,0.905
"""


def rows(text):
    return list(csv.DictReader(text.splitlines()))


def judged(published=PUBLISHED, measured=MEASURED, **options):
    return judgement_json(judge_table(rows(published), rows(measured), **options))


def cell(published, measured, **options):
    """The one cell of a table without coordinates, from texts of mean, std and n and of values."""
    lines = rows(f"mean,std,n\n{published}")
    (found,) = judgement_json(judge_table(lines, [{"value": value} for value in measured], **options))["cells"]
    return found


def test_a_cell_by_hand():
    """Published 0.812 +- 0.012 (3 runs), ours 0.811, 0.815, 0.805, 0.809.

    Ours: mean 0.810, squares 1e-6 + 25e-6 + 25e-6 + 1e-6 = 52e-6, variance 52e-6 / 3 = 1.73333e-5, std 0.00416333.
    Errors 1.73333e-5 / 4 = 4.33333e-6 and 1.44e-4 / 3 = 4.8e-5, in all 5.23333e-5, of which the root is 0.00723418.
    Freedom 5.23333e-5^2 / (4.33333e-6^2 / 3 + 4.8e-5^2 / 2) = 2.73878e-9 / 1.158259e-9 = 2.36456; quantile 2.63498.
    Half-width 0.0190619: -0.0210619 to 0.0170619. r = 3.182446 * 0.00416333 * sqrt(1/3 + 1/4) = 0.0101195 holds -0.002.
    """
    found = judged()["cells"][0]
    assert found == {
        "method": "a",
        "dataset": "x",
        "published_mean": 0.812,
        "published_std": 0.012,
        "published_n": 3,
        "mean": pytest.approx(0.810),
        "std": pytest.approx(0.00416333, abs=1e-8),
        "n": 4,
        "difference": pytest.approx(-0.002),
        "low": pytest.approx(-0.0210619, abs=1e-7),
        "high": pytest.approx(0.0170619, abs=1e-7),
        "told": pytest.approx(0.0101195, abs=1e-7),
        "verdict": "consistent",
        "p": 1.0,
        "sees": pytest.approx(found["sees"]),
        "notes": [],
    }


def test_a_group_by_hand():
    """Cells a/x (above) and a/y: published 0.700 +- 0.020 (3), ours 0.60, 0.61, 0.62: errors 3.33333e-5 and 1.33333e-4.

    D = (-0.002 - 0.090) / 2 = -0.046. SE = sqrt(5.23333e-5 + 1.66667e-4) / 2 = sqrt(2.19e-4) / 2 = 0.00739932.
    Freedom 2.19e-4^2 / (6.2593e-12 + 1.152e-9 + 5.5556e-10 + 8.88889e-9) = 4.7961e-8 / 1.0602704e-8 = 4.52347.
    tau^2 = 2 * ((4e-6 + 8.1e-3) / 2 - 0.046^2 - 1.095e-4 + 5.475e-5) = 0.0037625, tau = 0.0613392.
    """
    first, second = judged(by=["method"])["groups"]
    assert (first["method"], first["by"], first["cells"]) == ("a", ["method"], 2)
    assert first["difference"] == pytest.approx(-0.046)
    assert first["standard_error"] == pytest.approx(0.00739932, abs=1e-8)
    freedom = 4.7961e-8 / 1.0602704e-8
    assert first["high"] == pytest.approx(-0.046 + stats.t.ppf(0.95, freedom) * 0.00739932, abs=1e-7)
    assert first["tau"] == pytest.approx(0.0613392, abs=1e-7)
    assert first["verdict"] == "lower"
    # Two groups: Holm doubles the smaller p. Two families: alpha is 0.05 in each, and half of it for the smaller p.
    assert first["p"] == pytest.approx(2 * stats.t.cdf(-0.026 / 0.00739932, freedom), abs=1e-6)
    quantiles = stats.t.ppf(1 - 0.05 / 2, freedom) + stats.t.ppf(0.8, freedom)
    assert first["sees"] == pytest.approx(0.02 + quantiles * 0.00739932, abs=1e-6)
    # b/x has one run, which takes the published std: se^2 = 0.010^2 (1 + 1/3).
    assert (second["cells"], second["verdict"], second["tau"]) == (1, None, None)
    assert second["standard_error"] == pytest.approx(0.010 * sqrt(4 / 3))


def test_json_has_these_keys_in_this_order():
    found = judged(by=["method", ["method", "dataset"]])
    assert list(found) == ["verdict_version", "margin", "better", "alpha", "cells", "groups"]
    assert (found["verdict_version"], found["margin"], found["better"], found["alpha"]) == (2, 0.02, "higher", 0.10)
    fields = "published_mean published_std published_n mean std n difference low high told verdict p sees notes"
    assert all(list(one) == ["method", "dataset", *fields.split()] for one in found["cells"])
    fields = "by cells difference standard_error low high tau tau_low tau_high verdict sees p"
    assert [list(one) for one in found["groups"]] == [
        *[["method", *fields.split()]] * 2,
        *[["method", "dataset", *fields.split()]] * 4,
    ]
    (everything,) = judged()["groups"]
    assert list(everything) == fields.split()
    assert everything["by"] == []


def test_what_was_not_measured_is_missing_and_has_no_number():
    found = judged()["cells"][3]
    assert found["verdict"] == "missing"
    assert (found["published_mean"], found["published_std"], found["published_n"]) == (0.95, None, 3)
    numbers = ("mean", "std", "n", "difference", "low", "high", "told", "p", "sees")
    assert [found[name] for name in numbers] == [None] * 9


def test_one_run_takes_the_published_std_in_groups_and_without_one_is_left_out():
    found = cell("0.9,0.01,", ["0.905"])
    assert (found["verdict"], found["n"], found["std"], found["low"]) == ("inconclusive", 1, None, None)
    assert found["notes"][:2] == ["n unknown, taken as 3", "in groups it takes the published std for ours"]
    assert found["p"] is not None
    judgement = judge_table([{"mean": "0.9"}], [{"value": "0.905"}])
    assert judgement.cells[0].notes[2] == "left out of groups: no std on either side"
    (group,) = judgement.groups
    assert (group.left_out, group.verdict, judgement.cells[0].test) == (1, None, None)


def test_a_published_mean_without_std_is_a_constant():
    """Ours 90, 92, 94 against 95: std 2, error 2 / sqrt(3), quantile 2.91999, so -3 +- 3.37170; the paper's counts as one
    run: r = 4.302653 * 2 * sqrt(1 + 1/3) = 9.93655.
    """
    found = cell("95,,5", ["90", "92", "94"], margin=2)
    assert (found["low"], found["told"]) == (pytest.approx(-6.37170, abs=1e-5), pytest.approx(9.93655, abs=1e-5))
    assert found["notes"] == ["no published std: a constant"]
    of_one = cell("95,1.5,1", ["90", "92", "94"], margin=2)
    assert (of_one["low"], of_one["published_std"]) == (found["low"], 1.5)
    assert of_one["notes"] == ["the published n is 1, so its std is not over runs: a constant"]


def test_columns_std_and_n_may_be_absent():
    (found,) = judgement_json(judge_table([{"mean": "95"}], [{"value": 90}, {"value": 94}]))["cells"]
    assert (found["published_std"], found["published_n"]) == (None, 3)
    assert found["notes"][:2] == ["n unknown, taken as 3", "no published std: a constant"]


def test_a_std_is_at_least_half_a_unit_of_the_last_printed_digit():
    """Both stds are 0, so 0.005: error sqrt(2 * 0.005^2 / 3), quantile of four degrees 2.131847, half-width 0.00870323;
    r = 4.302653 * 0.005 * sqrt(2/3) = 0.0175655. With a third digit it is a tenth of that.
    """
    found = cell("0.90,0.00,3", ["0.9"] * 3)
    assert (found["high"], found["told"]) == (pytest.approx(0.00870323, abs=1e-8), pytest.approx(0.0175655, abs=1e-7))
    assert (found["published_std"], found["std"]) == (0, 0)
    for texts in ("0.900,0.000,3", "0.900,0,3", "0.9,0.000,3", "900e-3,0,3"):
        assert cell(texts, ["0.9"] * 3)["high"] == pytest.approx(0.000870323, abs=1e-9)


def test_runs_of_one_split_are_averaged_first():
    """Splits 0 and 1 have means 0.80 and 0.84: mean 0.82, std 0.02 sqrt(2), two splits; four runs would have said more."""
    published = [{"mean": "0.82", "std": "0.03", "n": "3"}]
    runs = [("0", 0.79), ("0", 0.81), ("1", 0.83), ("1", 0.85)]
    with_splits = [{"split": split, "value": value} for split, value in runs]
    (found,) = judgement_json(judge_table(published, with_splits))["cells"]
    assert (found["n"], found["mean"], found["std"]) == (2, pytest.approx(0.82), pytest.approx(0.02 * sqrt(2)))
    # Moments: within 2e-4 (std 0.014), between 1.6e-3, so of splits (1.6e-3 - 2e-4) / 2 = 7e-4 (std 0.026).
    assert found["notes"][0] == "4 runs on 2 splits: std of splits 0.026, of runs on one split 0.014"
    without = [{"value": value} for _, value in runs]
    assert judgement_json(judge_table(published, without))["cells"][0]["n"] == 4


def test_several_trainings_on_one_split_say_nothing_of_draws():
    published = [{"mean": "0.82", "std": "0.03", "n": "3"}]
    runs = [{"split": "0", "value": value} for value in ("0.80", "0.81", "0.82")]
    (found,) = judgement_json(judge_table(published, runs))["cells"]
    assert (found["verdict"], found["n"], found["std"], found["told"]) == ("inconclusive", 1, None, None)
    assert found["mean"] == pytest.approx(0.81)
    assert found["notes"] == [
        "one split only",
        "in groups it takes the published std for ours",
        "one of our splits tells no spread: at least two",
    ]


def test_an_inconclusive_cell_says_what_would_settle_it():
    def advice(*words, **options):
        found = cell(*words, **options)
        assert found["verdict"] == "inconclusive"
        return found["notes"][-1]

    assert advice("0.700,0.002,3", ["0.70", "0.75"]) == "about 4 runs in all would settle it in 4 of 5 cases"
    # 2.919986 * 20 / sqrt(3) = 33.7
    assert advice("7000,20,3", ["7005", "7020", "6990"], margin=2).endswith("the paper's 3 runs leave ±34")


def test_cells_that_are_better_when_lower_turn_the_gate_round_and_nothing_else():
    higher, lower = judged(by="method"), judged(by="method", better="lower")
    assert [one["verdict"] for one in higher["cells"]] == [one["verdict"] for one in lower["cells"]]
    assert [one["verdict"] for one in higher["groups"]] == [one["verdict"] for one in lower["groups"]]
    assert higher["groups"][0]["p"] < 0.05 < lower["groups"][0]["p"]


def test_alpha_is_shared_by_the_families_that_differ():
    assert judge_table(rows(PUBLISHED), rows(MEASURED)).families == ((),)
    by = ["method", ["method"], ["dataset", "method"], ["method", "dataset"]]
    judgement = judge_table(rows(PUBLISHED), rows(MEASURED), by=by)
    assert judgement.families == (("method",), ("dataset", "method"))
    # The smallest p of the cells lies between 0.10 / 3 and 0.10 / 2 at other alphas: its test says which was taken.
    assert sorted(one.test.regressed for one in judgement.cells if one.test) == [False, False, True]
    for families, other in ((2, judge_table(rows(PUBLISHED), rows(MEASURED))), (3, judgement)):
        error, freedom = 0.01290994, 2.77778e-8 / 9.44444e-9
        quantiles = stats.t.ppf(1 - 0.10 / families / 3, freedom) + stats.t.ppf(0.8, freedom)
        assert other.cells[1].test.sees == pytest.approx(0.02 + quantiles * error, abs=1e-5)


def test_counts_that_would_be_expected_add_up_to_the_measured_cells():
    judgement = judge_table(rows(PUBLISHED), rows(MEASURED))
    assert sum(judgement.expected.values()) == pytest.approx(3)
    assert judgement.expected["inconclusive"] >= 1
    assert (judgement.counts["lower"], judgement.counts["consistent"], judgement.missing) == (1, 1, 1)


@pytest.mark.parametrize("power", [-200, -12, -3, 2, 6, 12, 200])
def test_the_unit_of_a_table_does_not_matter(power):
    def times(text):
        return str(Decimal(text).scaleb(power)) if text else text

    def scaled(lines):
        numbers = ("mean", "std", "value")
        return [{name: times(text) if name in numbers else text for name, text in line.items()} for line in lines]

    factor = 10.0**power
    plain = judged(by="method")
    found = judgement_json(
        judge_table(scaled(rows(PUBLISHED)), scaled(rows(MEASURED)), by="method", margin=0.02 * factor)
    )
    for name in ("cells", "groups"):
        assert [one["verdict"] for one in found[name]] == [one["verdict"] for one in plain[name]]
        for one, other in zip(found[name], plain[name], strict=True):
            assert (one["p"] or 0) == pytest.approx(other["p"] or 0)
            for number in ("difference", "low", "sees"):
                if other[number] is not None:
                    assert one[number] / factor == pytest.approx(other[number])


def test_negative_numbers_and_a_margin_of_zero_are_numbers():
    found = cell("-3.10,0.05,3", ["-3.5", "-3.6", "-3.55"], margin=0)
    assert (found["verdict"], found["difference"]) == ("lower", pytest.approx(-0.45))


@settings(max_examples=30, deadline=None)
@given(
    order=st.permutations(range(8)),
    columns=st.permutations(["method", "dataset", "mean", "std", "n"]),
    ours=st.permutations(["method", "dataset", "value"]),
)
def test_neither_the_order_of_runs_nor_that_of_columns_matters(order, columns, ours):
    published = [{name: line[name] for name in columns} for line in rows(PUBLISHED)]
    runs = rows(MEASURED)
    measured = [{name: runs[at][name] for name in ours} for at in order]
    found = judgement_json(judge_table(published, measured, by=[["method"], ["dataset"]]))
    assert found == judged(by=["method", "dataset"])


def test_a_published_rerun_gets_the_verdict_that_the_design_states():
    """AHL's runs of DRA beside DRA's own, hard, ten-shot, cells that are no means; three runs with the printed mean and std.

    As `verdict_rates.py reruns` has it: D +0.0039 (-0.0049 to +0.0127), SE 0.0052, tau 0.014 (0.000 to 0.031).
    """
    names = ("dataset", "known_class")

    def cells(file):
        lines = rows((ROOT / "reports" / "papers" / file).read_text(encoding="utf-8"))
        kept = [line for line in lines if (line["method"], line["shots"]) == ("dra", "10")]
        return [line for line in kept if line["known_class"] != "mean" and line["dataset"] != "mvtec_ad"]

    published = [{name: line[name] for name in (*names, "mean", "std")} for line in cells("dra/dra_table2.csv")]
    measured = [
        {name: line[name] for name in names} | {"value": Decimal(line["mean"]) + step * Decimal(line["std"])}
        for line in cells("ahl/ahl_table8.csv")
        for step in (-1, 0, 1)
    ]
    (group,) = judgement_json(judge_table(published, measured))["groups"]
    assert (group["cells"], group["verdict"], group["tau_low"]) == (30, "reproduced", 0)
    numbers = ("difference", "low", "high", "standard_error")
    assert [round(group[name], 4) for name in numbers] == [0.0039, -0.0049, 0.0127, 0.0052]
    assert (round(group["tau"], 3), round(group["tau_high"], 3)) == (0.014, 0.031)


NUMBERS = st.one_of(
    st.integers(-1000, 1000).map(str),
    st.decimals(-1, 1, places=3).map(str),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300).map(repr),
)
SPREADS = st.one_of(st.just(""), NUMBERS.map(lambda text: text.lstrip("-")))


@settings(max_examples=60, deadline=None)
@given(
    published=st.lists(
        st.tuples(NUMBERS, SPREADS, st.sampled_from(["", "1", "2", "3", "100"])), min_size=1, max_size=4
    ),
    measured=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), NUMBERS), max_size=12),
    margin=st.sampled_from([0, 1e-300, 0.02, 5, 1e300]),
    by=st.sampled_from([[], ["cell"]]),
)
def test_any_numbers_make_a_page_in_every_format_and_a_gate(published, measured, margin, by):
    cells = [{"cell": str(at), "mean": mean, "std": std, "n": n} for at, (mean, std, n) in enumerate(published)]
    runs = [{"cell": str(at % len(published)), "split": str(split), "value": value} for at, split, value in measured]
    judgement = judge_table(cells, runs, margin=margin, by=by)
    assert all(render_judgement(judgement, form) for form in JUDGEMENT_FORMATS)
    assert judgement_gate(judgement).status in {0, 3, 4}


def test_data_frames_are_rows_too(tmp_path):
    for name, text in (("published", PUBLISHED), ("measured", MEASURED)):
        (tmp_path / name).write_text(text)
    published, measured = (pd.read_csv(tmp_path / name) for name in ("published", "measured"))
    found = judgement_json(judge_table(published, measured, by="method"))
    assert [one["verdict"] for one in found["cells"]] == [one["verdict"] for one in judged()["cells"]]
    assert found["cells"][3]["notes"] == ["n unknown, taken as 3", "no published std: a constant"]
    assert {one["verdict"] for one in judgement_json(judge_table(published, measured[:0]))["cells"]} == {"missing"}
    assert judge_table(published, []).missing == 4


@pytest.mark.parametrize(
    ("published", "measured", "options", "message"),
    [
        (["mean"], [], {}, "published must be rows of columns and values: give a list of dicts or a data frame"),
        ([], [], {}, "published has no column mean: its first line must name it"),
        ([{"mean": 1}, {"mean": 1, "n": 3}], [], {}, "published: row 2 has other columns than row 1"),
        ([{"mean": 1}], [{"value": None}], {}, "measured: row 1, column value: it is empty"),
        ([{"mean": 1}], [{"value": 1}], {"margin": -1}, "margin must be a finite number of at least 0, not -1"),
        (
            [{"mean": 1}],
            [{"value": 1}],
            {"margin": float("nan")},
            "margin must be a finite number of at least 0, not nan",
        ),
        ([{"mean": 1}], [{"value": 1}], {"better": "up"}, "better must be higher or lower, not 'up'"),
    ],
)
def test_what_is_wrong_with_rows_is_said_in_one_sentence(published, measured, options, message):
    with pytest.raises(ReportError, match=message):
        judge_table(published, measured, **options)
