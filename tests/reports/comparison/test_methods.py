"""Two methods on the same test images, two folders run by run: the tests by hand, the pairs, the reasons."""

import csv
import json
from io import StringIO
from itertools import product

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.comparison import folders as compare_folders
from reports.comparison import methods, output
from reports.stats import paired
from reports.tables.measured import CellValue
from results.metrics import METRICS
from results.scores import Scores

LABELS = np.array([0, 0, 1, 1, 1], np.int8)
GOOD = np.array([1.0, 3.0, 2.0, 4.0, 5.0])
BAD = np.array([1.0, 2.0, 1.0, 3.0, 0.0])
AUCS = {"dra": 5 / 6, "devnet": 5 / 12}


def test_delong_by_hand():
    """Two normal images and three anomalies, one tie.

    First: placements of the anomalies 1/2, 1, 1, of the normal images 1, 2/3: AUC 5/6.
    Second: placements of the anomalies 1/4, 1, 0, of the normal images 1/2, 1/3: AUC 5/12.
    Differences over anomalies 1/4, 0, 1: mean 5/12, squares of deviations (4 + 25 + 49) / 144, variance 39/144.
    Differences over normal images 1/2, 1/3: variance 2/144. Variance of the difference: 39/144/3 + 2/144/2 = 14/144.
    z = (5/12) / (sqrt(14)/12) = 5 / sqrt(14) = 1.33631, two-sided p = 0.18145; 1.959964 sqrt(14)/12 = 0.61113.
    """
    found = paired.delong_test(GOOD, BAD, LABELS)
    assert found.difference == pytest.approx(5 / 12, abs=1e-15)
    assert found.p_value == pytest.approx(0.18145, abs=1e-5)
    assert (found.low, found.high) == pytest.approx((5 / 12 - 0.61113, 5 / 12 + 0.61113), abs=1e-5)


@pytest.mark.parametrize("scores", [GOOD, BAD])
def test_equal_scores_do_not_differ(scores):
    found = paired.delong_test(scores, 3 * scores + 1, LABELS)
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_a_difference_without_spread_is_not_tested():
    """Every anomaly is above every normal image for the one, below for the other: no variance, and no proof."""
    found = paired.delong_test(np.arange(5.0), -np.arange(5.0), LABELS)
    assert (found.difference, found.p_value, found.low) == (1, None, None)
    assert paired.delong_test(GOOD[1:], BAD[1:], LABELS[1:]).reason == "a single image of a kind has no spread"


@st.composite
def two_scores(draw):
    sizes = draw(st.integers(2, 12)), draw(st.integers(2, 12))
    labels = np.repeat(np.array([0, 1], np.int8), sizes)
    values = st.lists(st.integers(0, 6).map(float), min_size=len(labels), max_size=len(labels))
    return np.array(draw(values)), np.array(draw(values)), labels


@settings(deadline=None, max_examples=50)
@given(two_scores())
def test_delong_is_antisymmetric_and_counts_pairs(drawn):
    """AUC as the share of pairs in order; the variance as the matrix of DeLong's paper gives it."""
    first, second, labels = drawn
    found, swapped = paired.delong_test(first, second, labels), paired.delong_test(second, first, labels)
    assert swapped.difference == pytest.approx(-found.difference, abs=1e-12)
    assert swapped.p_value == pytest.approx(found.p_value)
    orders = [
        (one[labels == 1][:, None] > one[labels == 0]) + 0.5 * (one[labels == 1][:, None] == one[labels == 0])
        for one in (first, second)
    ]
    assert found.difference == pytest.approx(orders[0].mean() - orders[1].mean(), abs=1e-12)
    if found.low is not None and found.p_value != 1:
        over_anomalies, over_normals = (np.cov([one.mean(axis=axis) for one in orders]) for axis in (1, 0))
        matrix = over_anomalies / orders[0].shape[0] + over_normals / orders[0].shape[1]
        error = np.sqrt(matrix[0, 0] + matrix[1, 1] - 2 * matrix[0, 1])
        assert found.high - found.low == pytest.approx(2 * 1.959963985 * error, rel=1e-6)


def test_t_over_seeds_by_hand():
    """0.1, 0.2, 0.3: mean 0.2, error 0.1 / sqrt(3), t = sqrt(12), two degrees of freedom.

    p = 1 - t / sqrt(2 + t^2) = 1 - sqrt(12 / 14) = 0.07418; the quantile is 4.302653, so 0.2 -+ 0.248414.
    """
    found = paired.seeds_test([0.1, 0.2, 0.3])
    assert found.p_value == pytest.approx(0.0741799, abs=1e-7)
    assert (found.low, found.high) == pytest.approx((-0.048414, 0.448414), abs=1e-6)


def test_seeds_that_do_not_vary_prove_nothing():
    assert paired.seeds_test([0.1, 0.1]).p_value is None
    assert paired.seeds_test([0.0, 0.0]).p_value == 1


def test_signed_rank_by_hand():
    """Six of one sign: two of 64. One rank of six against: sums of at least 19 of 21, so the ranks {} and {1}: 4 of 64."""
    assert paired.datasets_test([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).p_value == 2 / 64
    assert paired.datasets_test([-0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).p_value == 4 / 64
    assert paired.datasets_test([0.1] * 6).p_value == 2 / 64


def test_zeros_share_their_ranks():
    """Two zeros take the ranks 1 and 2, half for either sign; the others have 3 to 8, a sum of 33.

    One against, of rank 3: 27. As one-sided: none, or rank 3 alone, either way: 4 of 64. Of three zeros one goes.
    """
    moved = [-0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert paired.datasets_test([0.0, 0.0, *moved]).p_value == 4 / 64
    assert paired.datasets_test([0.0, 0.0, 0.0, *moved]).p_value == 4 / 64


def test_five_datasets_cannot_tell():
    found = paired.datasets_test([0.1, 0.2, 0.3, 0.4, 0.5, 0.0])
    assert found.p_value is None
    assert found.reason == "cannot tell: 5 datasets differ, 6 needed"


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from([-4, -3, -2, -1, 1, 2, 3, 4]), min_size=6, max_size=8))
def test_signed_rank_counts_all_signs(values):
    """Ranks with ties as their mean; every choice of signs is as likely."""
    ranks = [
        np.mean([at + 1 for at, size in enumerate(sorted(map(abs, values))) if size == abs(one)]) for one in values
    ]
    sums = np.array([np.dot(signs, ranks) for signs in product([-1, 1], repeat=len(ranks))])
    expected = np.mean(np.abs(sums) >= abs(np.dot(np.sign(values), ranks)) - 1e-9)
    assert paired.datasets_test([one / 100 for one in values]).p_value == pytest.approx(expected)


def test_holm_by_hand():
    """0.01 times 3, 0.03 times 2, 0.04 no less than the one before; the one without a p value is no hypothesis."""
    tests = [paired.PairedTest("t", 0.1, p_value=p) for p in (0.04, None, 0.01, 0.03)]
    assert [one.p_holm for one in paired.holm_corrected(tests)] == pytest.approx([0.06, None, 0.03, 0.06])
    assert [one.holds for one in paired.holm_corrected(tests)] == [False, False, True, False]


def run(record, method, test="one list", *, auroc=None, options=None, fingerprint=None, **rest):
    """A record whose test list is `test`; AUC and scores as `GOOD` (dra) and `BAD` (devnet) have."""
    made = record(AUCS.get(method, 0.5) if auroc is None else auroc, method=method, **rest)
    split = msgspec.structs.replace(made.spec.split, options=options or {})
    if fingerprint:
        split = msgspec.structs.replace(split, dataset_fingerprint=fingerprint)
    fit = msgspec.structs.replace(made.spec.fit, dataset_fingerprint=split.dataset_fingerprint)
    spec = msgspec.structs.replace(made.spec, fit=fit, test=test, split=split)
    return msgspec.structs.replace(made, spec=spec, key=spec.key, fit_key=fit.fit_key, series=spec.series)


def scores_of(record):
    classes = tuple("normal" if label == 0 else "cut" for label in LABELS)
    return Scores(tuple("abcde"), classes, GOOD if record.spec.method == "dra" else BAD)


def compared(records, a="dra", b="devnet", **options):
    options = {"scores": scores_of, "measures": lambda one: {one.spec.method}, "versions": {}} | options
    return methods.compare_methods(a, b, records, **options)


def test_a_pair_is_tested_on_the_same_images_in_any_order(record):
    def shuffled(one):
        found = scores_of(one)
        order = [3, 0, 4, 1, 2] if one.spec.method == "dra" else range(5)
        ids, classes = (tuple(column[at] for at in order) for column in (found.ids, found.classes))
        return Scores(ids, classes, found.values[list(order)])

    (setting,) = compared([run(record, "dra"), run(record, "devnet")], scores=shuffled).settings
    assert setting.test.p_holm == pytest.approx(0.18145, abs=1e-5)
    assert setting.test.difference == pytest.approx(5 / 12)


def test_swapping_the_methods_flips_every_sign(record):
    records = [run(record, method, f"list {seed}", seed=seed) for method in AUCS for seed in (0, 1)]
    there, back = compared(records), compared(records, "devnet", "dra")
    assert (there.tally, back.tally) == ((1, 0, 0), (0, 0, 1))
    (one,), (two,) = there.settings, back.settings
    assert [pair.test.difference for pair in one.pairs] == [-pair.test.difference for pair in two.pairs]
    assert (one.a.mean, one.b.mean) == (two.b.mean, two.a.mean)


def test_seeds_are_compared_by_t(record):
    def none(_):
        return None

    records = [run(record, "dra", f"list {seed}", seed=seed, auroc=0.6 + 0.1 * seed) for seed in range(3)]
    records += [run(record, "devnet", f"list {seed}", seed=seed, auroc=0.5) for seed in range(3)]
    (setting,) = compared(records, scores=none).settings
    assert (setting.test.test, setting.test.p_value) == ("t", pytest.approx(0.0741799, abs=1e-7))
    assert "DeLong: no scores of dra and devnet" in setting.notes


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"dataset": "carpet"}, "no finished run of devnet on the dataset"),
        ({"fingerprint": "other"}, "devnet was run on other images or labels of the dataset"),
        ({"dataset": "elpv@other"}, "devnet was run on other images or labels of the dataset"),
        ({"rule": "general"}, "no finished run of devnet under the protocol"),
        ({"known_class": "poly"}, "no finished run of devnet with the same class"),
        ({"shots": 1}, "no finished run of devnet with the same labelled anomalies"),
        ({"options": {"limit_test": 9}}, "devnet was run with other split options"),
        ({"seed": 1}, "no finished run of devnet with the same seed"),
        ({"split_seed": 1}, "no finished run of devnet with the same seed"),
        ({"test": "another list"}, "devnet was tested on other images"),
        ({"failed": "boom"}, "no finished run of devnet on the dataset"),
    ],
)
def test_other_test_images_are_never_compared(record, other, reason):
    found = compared([run(record, "dra"), run(record, "devnet", **other)])
    assert found.settings == ()
    assert found.unpaired[0] == methods.UnpairedRuns("dra", reason, (run(record, "dra").spec.name,))
    if "failed" in other:
        assert (found.unpaired[1].method, found.unpaired[1].reason) == ("devnet", "failed")


def test_a_run_that_measures_both_is_no_pair(record):
    found = compared([run(record, "dra")], measures=lambda one: {"dra", "devnet"})
    assert found.settings == ()
    assert found.unpaired[0].reason == "measures devnet too, with equal parameters"


def test_a_method_without_anomalies_stands_beside_any_number_of_them(record):
    records = [run(record, "kdad", shots=None), run(record, "dra", shots=1), run(record, "dra", shots=10)]
    assert compared(records, "kdad", "dra").settings == ()
    found = compared(records, "kdad", "dra", alone={"kdad"})
    assert [setting.split.shots for setting in found.settings] == [1, 10]
    assert "kdad is given no labelled anomalies" in found.settings[0].notes
    assert found.unpaired == ()


def test_rules_with_the_same_lists_are_one_for_a_method_without_anomalies(record):
    rest = {"known_class": None, "normal_class": "3", "shots": None}
    records = [run(record, "csi", rule="one_class", **rest)]
    records.append(run(record, "agad", rule="labelled_share", gamma="0.05", **rest))
    found = compared(records, "csi", "agad", alone={"csi"})
    assert [(setting.split.rule, setting.split.gamma) for setting in found.settings] == [("labelled_share", "0.05")]


def test_another_recipe_is_compared_and_said(record):
    (setting,) = compared([run(record, "dra", recipe="quick"), run(record, "devnet")]).settings
    assert [note.split(",")[0] for note in setting.notes[:2]] == ["dra: recipe quick", "devnet: recipe official"]


def test_of_several_series_those_of_one_recipe_are_taken(record):
    records = [run(record, "dra", recipe="quick"), run(record, "dra"), run(record, "devnet", recipe="quick")]
    found = compared(records)
    (setting,) = found.settings
    assert {pair.a.spec.recipe for pair in setting.pairs} == {"quick"}
    assert "1 other series not compared" in setting.notes
    assert found.unpaired[0].reason == "of a series that is not compared: choose with --recipe or --where"


def test_an_older_version_is_compared_last_and_said(record):
    records = [run(record, "dra"), run(record, "devnet")]
    (setting,) = compared(records, versions={"dra": 2}).settings
    assert "dra: measured by version 1 of dra, now 2" in setting.notes
    current = run(record, "dra", version=2, recipe="quick")
    (setting,) = compared([*records, current], versions={"dra": 2}).settings
    assert setting.pairs[0].a == current


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (lambda one: Scores(("x", *one.ids[1:]), one.classes, one.values), "of other images than the records say"),
        (lambda one: Scores(one.ids, one.classes[::-1], one.values), "of other images than the records say"),
        (lambda one: Scores(one.ids, one.classes, -one.values), "do not give the AUCs of the records"),
    ],
)
def test_scores_that_fit_no_record_are_not_tested(record, spoilt, reason):
    def scores(one):
        return spoilt(scores_of(one)) if one.spec.method == "dra" else scores_of(one)

    (setting,) = compared([run(record, "dra"), run(record, "devnet")], scores=scores).settings
    assert setting.test.difference == pytest.approx(5 / 12)
    assert setting.test.p_value is None
    assert any(reason in note for note in setting.notes)


def test_datasets_are_the_means_of_their_settings(record):
    records = [
        run(record, method, dataset=f"set{at}", known_class=known, auroc=0.5 + shift * (method == "dra"))
        for method in AUCS
        for at in range(6)
        for known, shift in (("mono", 0.01 * at + 0.01), ("poly", 0.1))
    ]
    found = compared(records, scores=lambda _: None)
    (family,) = found.families
    assert (family.rule, family.labels["shots"], family.settings, family.tally) == ("hard", 10, 12, (6, 0, 0))
    assert family.datasets["set3"] == pytest.approx(0.07)
    assert (family.test.p_value, family.test.p_holm) == (2 / 64, 2 / 64)


def test_it_is_printed_in_every_format(record):
    records = [run(record, method, f"list {seed}", seed=seed) for method in AUCS for seed in (0, 1)]
    records.append(run(record, "dra", dataset="carpet"))
    found = compared(records)
    text = output.render_comparison(found, "md")
    assert "dra: 1 win, 0 draws and 0 losses over 1 setting; at 0.05 after Holm none of them is left." in text
    assert "- 1 of dra: no finished run of devnet on the dataset" in text
    assert "| hard     | elpv    | mono  | 10    | 0    | 0.8333 | 0.4167 | +0.4167 " in text
    first, second = csv.DictReader(StringIO(output.render_comparison(found, "csv")))
    assert (first["auc_a"], first["seed"], second["seed"]) == (repr(5 / 6), "0", "1")
    assert float(first["p_holm"]) == pytest.approx(2 * float(first["p"]))
    assert json.loads(output.render_comparison(found, "json"))["settings"][0]["runs"][1]["auc_b"] == 5 / 12


def fpr_of(record):
    """Made up: dra has fewer false alarms; a run of seed 2 has no such number."""
    if record.spec.fit.seed == 2:
        return None
    return {"dra": 0.25, "devnet": 0.5}[record.spec.method] + record.spec.fit.seed / 100


FPR = CellValue(METRICS["fpr_at_95_tpr"], fpr_of)


def test_the_method_with_the_lower_value_wins_where_lower_is_better(record):
    records = [run(record, method, f"list {seed}", seed=seed) for method in AUCS for seed in (0, 1)]
    found = compared(records, value=FPR)
    (setting,) = found.settings
    assert (setting.a.mean, setting.b.mean) == (pytest.approx(0.255), pytest.approx(0.505))
    assert setting.test.difference == pytest.approx(-0.25)
    assert (found.tally, found.families[0].tally) == ((1, 0, 0), (1, 0, 0))
    assert {pair.test.p_value for pair in setting.pairs} == {None}
    assert "DeLong: it is for the AUC on all test images alone" in setting.notes
    assert methods._FEW not in setting.notes
    text = output.render_comparison(found, "md")
    assert (
        "FPR at 95 % TPR of dra minus FPR at 95 % TPR of devnet on the same test images, 2 pairs of runs. Lower" in text
    )
    assert output.DELONG not in text
    first = next(csv.DictReader(StringIO(output.render_comparison(found, "csv"))))
    assert (first["fpr_at_95_tpr_a"], first["fpr_at_95_tpr_b"]) == ("0.25", "0.5")
    assert json.loads(output.render_comparison(found, "json"))["settings"][0]["runs"][1]["fpr_at_95_tpr_a"] == 0.26


def test_runs_without_the_metric_have_no_partner(record):
    found = compared([run(record, "dra", seed=2), run(record, "devnet", seed=2)], value=FPR)
    assert found.settings == ()
    assert [one.reason for one in found.unpaired] == ["without FPR at 95 % TPR"] * 2
    one_sided = CellValue(FPR.metric, lambda one: fpr_of(one) if one.spec.method == "dra" else None)
    found = compared([run(record, "dra"), run(record, "devnet")], value=one_sided)
    assert [one.reason for one in found.unpaired] == [
        "the run of devnet is without FPR at 95 % TPR",
        "without FPR at 95 % TPR",
    ]


def test_folders_show_the_metric_that_each_holds(record):
    runs = [run(record, "dra"), run(record, "dra", seed=2)]
    values = FPR, CellValue(FPR.metric, lambda one: fpr_of(one) and 0.75)
    found = compare_folders.compare_folders(
        "here", "there", (runs, runs), scores=(scores_of, lambda _: None), values=values
    )
    rows = list(csv.DictReader(StringIO(output.render_comparison(found, "csv"))))
    assert [(row["fpr_at_95_tpr_a"], row["fpr_at_95_tpr_b"]) for row in rows] == [("0.25", "0.75"), ("", "")]
    assert "| 0.2500 | 0.7500 | -0.5000 " in output.render_comparison(found, "md")
    changed = compare_folders.compare_folders(
        "here", "there", (runs[:1], [run(record, "dra", version=2)]), scores=(scores_of, scores_of), values=values
    )
    assert changed.changed[0].test.difference == -0.5
    assert "FPR at 95 % TPR of A minus FPR at 95 % TPR of B" in output.render_comparison(changed, "md")


def folders(ours, theirs, scores=(scores_of, scores_of)):
    return compare_folders.compare_folders("here", "there", (ours, theirs), scores=scores)


def test_runs_of_one_key_are_compared_score_by_score(record):
    def nudged(one):
        found = scores_of(one)
        return Scores(found.ids, found.classes, found.values + np.array([0, 0, 0, 0, 1e-12]))

    runs = [run(record, "dra"), run(record, "devnet")]
    assert folders(runs, runs).count("equal") == 2
    found = folders(runs[:1], runs[:1], (scores_of, nudged))
    assert (found.count("differs"), found.twins[0].largest) == (1, pytest.approx(1e-12, rel=1e-3))
    assert folders(runs, runs, (scores_of, lambda _: None)).count("unscored") == 2
    other = msgspec.structs.replace(runs[0], metrics=msgspec.structs.replace(runs[0].metrics, auroc=0.1))
    assert folders(runs[:1], [other], (scores_of, lambda _: None)).count("differs") == 1
    failed = msgspec.structs.replace(runs[0], status="failed", metrics=None)
    assert folders([failed], runs[:1]).twins[0].notes[0] == "failed in A"


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"version": 2}, "version = 1 (B: 2)"),
        ({"params": {"optim.lr": 0.5}}, "parameter optim.lr = 0.0002 (B: 0.5)"),
        ({"params": {"new": True}}, "parameter new = absent (B: true)"),
        ({"weights": "custom:1"}, "weights resnet18 = digest o (B: digest o)"),
        (
            {"options": {"limit_test": 9}, "test": "another list"},
            "split option limit_test = absent (B: 9); test list = one list (B: another )",
        ),
        ({"fingerprint": "other"}, "manifest of the dataset = manifest (B: other)"),
        ({"test": "another list"}, "test list = one list (B: another )"),
    ],
)
def test_another_key_is_explained(record, other, why):
    found = folders([run(record, "dra")], [run(record, "dra", **other)])
    assert found.twins == found.only_a == found.only_b == ()
    assert "; ".join(found.changed[0].why) == why
    assert (found.changed[0].test is None) == ("test" in other)


def test_the_nearest_run_of_a_place_is_its_partner(record):
    ours = [run(record, "dra", recipe="quick")]
    near = run(record, "dra", recipe="quick", params={"optim.lr": 0.5})
    far = run(record, "dra", params={"optim.lr": 0.5})
    elsewhere = run(record, "dra", seed=7)
    found = folders(ours, [far, near, elsewhere])
    assert [one.b for one in found.changed] == [near]
    assert found.only_b == (far, elsewhere)


def test_folders_are_printed_in_every_format(record):
    ours = [run(record, "dra"), run(record, "devnet"), run(record, "dra", seed=1)]
    theirs = [run(record, "dra"), run(record, "devnet", version=2), run(record, "devnet", seed=2)]
    found = folders(ours, theirs)
    text = output.render_comparison(found, "md")
    assert "- 1 run of one key in both: 1 equal bit for bit" in text
    assert "- [1] version = 1 (B: 2)" in text
    unscored = output.render_comparison(folders(ours, theirs, (scores_of, lambda _: None)), "md")
    assert "- [2] DeLong: no scores of B" in unscored
    rows = list(csv.DictReader(StringIO(output.render_comparison(found, "csv"))))
    assert [row["result"] for row in rows] == ["equal", "other_key", "only_a", "only_b"]
    assert rows[0]["largest"] == "0.0"
    assert json.loads(output.render_comparison(found, "json"))["other_key"][0]["differs"] == ["version = 1 (B: 2)"]
