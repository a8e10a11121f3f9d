"""Published reruns judged by the rules for ours, from the packaged tables alone."""

import pytest

from reports.comparison.reruns import rerun_groups, reruns_table


@pytest.fixture(scope="module")
def groups():
    return {(group.rerun.id, group.name): group for group in rerun_groups()}


def test_every_rerun_of_a_later_paper_has_a_group(groups):
    of_ahl = [
        (table, f"{method}, {shots}")
        for table in ("ahl:7", "ahl:8")
        for method in ("DevNet", "DRA")
        for shots in ("one-shot", "ten-shot")
    ]
    of_qsco = [("qsco:4", f"{method}, {shots}") for method in ("DevNet", "DRA") for shots in ("one-shot", "ten-shot")]
    assert {*groups} == {*of_ahl, *of_qsco, ("qsco:5", "DRA, one-shot"), ("qsco:5", "DRA, ten-shot")}
    assert {group.original for group in groups.values()} == {"DRA"}


def test_the_hard_setting_of_dra_is_reproduced(groups):
    judged = groups["ahl:8", "DRA, ten-shot"].judged
    assert (judged.verdict, judged.pooled.cells) == ("reproduced", 30)
    assert (round(judged.pooled.difference, 4), round(judged.pooled.standard_error, 4)) == (0.0039, 0.0052)
    assert (round(judged.low, 3), round(judged.high, 3), round(judged.tau, 3)) == (-0.005, 0.013, 0.014)


def test_devnet_of_the_general_setting_is_another(groups):
    judged = groups["ahl:7", "DevNet, one-shot"].judged
    assert (judged.verdict, round(judged.pooled.difference, 4)) == ("higher", 0.0489)
    assert (round(judged.pooled.standard_error, 4), round(judged.tau, 2)) == (0.0083, 0.09)


def test_copies_are_in_no_group(groups):
    assert groups["qsco:4", "DRA, one-shot"].judged.pooled.cells == 8 - 2


def test_the_difference_is_the_plain_mean_over_leaf_cells(groups):
    group = groups["qsco:5", "DRA, ten-shot"]
    differences = [0.920 - 0.935, 0.949 - 0.945, 0.700 - 0.733, 0.705 - 0.766, 0.764 - 0.844]
    assert group.judged.pooled.difference == pytest.approx(sum(differences) / 5)
    assert "| Qsco Table 5 | DRA, ten-shot" in reruns_table([group])
