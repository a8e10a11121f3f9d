"""A judged table as text: what is printed, what is escaped, what the gate says."""

import csv
import json
import re
from html import unescape
from io import StringIO

import pytest

from benchmark.commands import verdict
from reports.errors import ReportError
from reports.judgement.gate import judgement_gate
from reports.judgement.judge import judge_table
from reports.judgement.numbers import number_format, two_digits
from reports.judgement.output import JUDGEMENT_FORMATS, render_judgement

NASTY = 'a|b & 50 % <i>_x_</i> "größer, 大" ![p](q)'


def table(differences, *, std="0.010", column="set", spread=0.001):
    """Published 0.800 in each cell; three runs of ours around 0.8 and the difference."""
    published = [{column: str(at), "mean": "0.800", "std": std, "n": "3"} for at, difference in enumerate(differences)]
    measured = [
        {column: str(at), "value": str(round(0.8 + difference + step * spread, 6))}
        for at, difference in enumerate(differences)
        if difference is not None
        for step in (-1, 0, 1)
    ]
    return published, measured


def judged(differences, *, by=(), margin=0.02, better="higher", **options):
    return judge_table(*table(differences, **options), by=by, margin=margin, better=better)


def test_the_formats_of_the_verb_are_those_of_the_room():
    assert verdict.JUDGEMENT_FORMATS == JUDGEMENT_FORMATS
    with pytest.raises(ReportError, match="no format 'htm': did you mean 'html'"):
        render_judgement(judged([0]), "htm")


def test_a_group_is_one_sentence():
    page = render_judgement(judged([0.001, -0.002, 0.003, 0.0, 0.004, None]), "md")
    sentence = re.search(r"^- (all cells: .*)$", page, re.MULTILINE)[1]
    number = r"[+-]0\.\d{3}"
    assert re.fullmatch(
        rf"all cells: D \+0\.001 \({number} to {number}\), tau 0\.000 \(0 to 0\.\d{{3}}\), 5 of 6 cells: reproduced",
        sentence,
    )
    few = render_judgement(judged([0.001, -0.002]), "md")
    assert re.search(r"\), \(tau 0\.000, 0 to 0\.\d{3}\), 2 of 2 cells: ", few)
    assert "tau in brackets: of fewer than 5 cells" in few
    assert "1 of 1 cell: no verdict on a single cell" in render_judgement(judged([0.001]), "md")
    assert "all cells: nothing to compare, 0 of 1 cell\n" in render_judgement(judged([None]), "md")


def test_a_consistent_cell_says_what_it_can_tell_and_the_legend_what_that_means():
    page = render_judgement(judged([0.01], spread=0.01), "md")
    assert "| consistent ±0.035 |" in page  # 4.302653 * 0.01 * sqrt(2/3)
    assert "as many runs of ours as the paper had would print such a mean" in page
    assert "At ten seeds a true drop of 0.05 still reads consistent in about 27 of 100 cells of DRA's Table 2" in page
    assert "Of a cell: lower" not in page


def test_counts_stand_beside_those_that_would_be_expected():
    page = render_judgement(judged([0.0, -0.2, None]), "md")
    assert re.search(r"^\| lower +\| 1 +\| 0\.\d +\|$", page, re.MULTILINE)
    assert re.search(r"^\| missing +\| 1 +\| – +\|$", page, re.MULTILINE)


def test_csv_is_one_line_a_cell_with_published_texts_as_they_are():
    lines = list(csv.reader(StringIO(render_judgement(judged([0.001, None]), "csv"))))
    assert lines[0] == [
        "set",
        *("published_mean", "published_std", "published_n", "mean", "std", "n"),
        *("difference", "low", "high", "told", "verdict", "p", "sees", "notes"),
    ]
    assert lines[1][:7] == ["0", "0.800", "0.010", "3", "0.801", "0.001", "3"]
    assert lines[2] == ["1", "0.800", "0.010", "3", *[""] * 7, "missing", "", "", ""]


def nasty(form):
    published = [{NASTY: NASTY, "mean": "0.8", "std": "0.1"}, {NASTY: "=1+1", "mean": "0.8", "std": "0.1"}]
    return render_judgement(judge_table(published, [{NASTY: NASTY, "value": "0.8"}], by=[[NASTY]]), form)


def test_json_holds_texts_as_they_are_and_csv_no_formula():
    content = json.loads(nasty("json"))
    assert content["cells"][0][NASTY] == content["groups"][0][NASTY] == NASTY
    lines = list(csv.reader(StringIO(nasty("csv"))))
    assert (lines[0][0], lines[1][0], lines[2][0]) == (NASTY, NASTY, "'=1+1")


def test_pages_escape_what_would_be_markup():
    page = nasty("md")
    assert r"a\|b & 50 % &lt;i>\_x\_&lt;/i>" in page
    assert "<i>" not in page
    assert "![p]" not in page
    bars = {re.sub(r"\\\|", "", line).count("|") for line in page.splitlines() if "Published" in line or "0.8±" in line}
    assert bars == {8}
    page = nasty("html")
    assert "<i>" not in page
    assert f"<td>{NASTY}" not in page
    assert NASTY in unescape(page)
    page = nasty("latex")
    assert r"a\textbar{}b \& 50 \% \textless{}i\textgreater{}\_x\_\textless{}/i\textgreater{}" in page
    assert {line.count(" & ") for line in page.replace(r" \& ", " ").splitlines() if "0.8$" in line} == {6}


@pytest.mark.parametrize(
    ("digits", "margin", "numbers", "text"),
    [
        (3, 0.02, [0.8], "0.123"),
        (1, 2.0, [81.2], "0.1"),
        (0, 0.5, [120], "0.12"),
        (0, 0, [120], "0"),
        (17, 0.02, [0.8], "0.123457"),
        (17, 0.02, [81.2], "0.1235"),
        (-3, 1000, [45_000], "0"),
        (0, 1e12, [3e14], "0.123457"),
    ],
)
def test_numbers_have_the_digits_of_the_table_and_one_more_than_the_margin(digits, margin, numbers, text):
    assert number_format(digits, margin, numbers)(0.1234567) == text


def test_a_width_has_two_digits():
    assert [two_digits(width) for width in (0.0504, 123.4, 0.000912)] == ["0.05", "120", "0.00091"]


def test_the_gate_finds_a_loss_in_a_group_and_in_a_cell():
    outcome = judgement_gate(judged([-0.1, 0.0, 0.001]))
    assert outcome.status == 3
    assert outcome.lines[0].startswith("REGRESSION: all cells: D -0.033 (")
    assert outcome.lines[1].startswith("REGRESSION: cell set=0: d -0.100, adjusted p 0.0")
    assert re.search(r", sees a drop of 0\.\d{3} with probability 0\.8$", outcome.lines[1])
    assert outcome.lines[-1] == ("4 tests (alpha 0.1 over 2 families, Holm); 2 regressions beyond the margin of 0.02")


def test_the_gate_passes_what_is_no_loss_and_counts_what_is_missing():
    outcome = judgement_gate(judged([0.1, 0.0, None]))
    assert outcome.status == 0
    assert outcome.lines[-1].endswith("no drop beyond the margin of 0.02 found; 1 cell missing")
    turned = judgement_gate(judged([0.1, 0.0, None], better="lower"))
    assert turned.status == 3
    assert "sees a rise of" in turned.lines[0]


def test_the_gate_that_has_nothing_to_compare_is_not_green():
    outcome = judgement_gate(judged([None, None]))
    assert outcome == (("nothing to compare: measure cells of the published table; 2 cells missing",), 4)


def test_each_group_of_the_first_family_must_see_what_is_demanded():
    judgement = judged([0.0, 0.001, None], by=["set"])
    sees = max(group.test.sees for group in judgement.groups if group.test)
    outcome = judgement_gate(judgement, sees)
    assert outcome.status == 4
    assert outcome.lines[-2] == "not seen: set=2 has nothing to compare"
    judgement = judged([0.0, 0.001], by=["set"])
    assert judgement_gate(judgement, sees).status == 0
    assert judgement_gate(judgement, sees).lines[-1].endswith(f"--see {sees:g} met")
    blind = judgement_gate(judgement, 0.021)
    assert (blind.status, len(blind.lines)) == (4, 4 + 2 + 1)
    assert blind.lines[-1].endswith("; --see 0.021 not met by 2 groups: add runs")
    # A regression says more than what could not be seen.
    assert judgement_gate(judged([-0.1, 0.0]), 0.021).status == 3
