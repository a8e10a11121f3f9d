"""What n counts: splits where the rule draws, trainings where it leaves nothing to draw, copies of a run once."""

from dataclasses import fields

import pytest
from msgspec import structs

from protocols.splits.draw.options import Options
from reports.layouts import layout
from reports.tables import nesting, table
from results.spec import EMPTY_LIST

CLASS = {"rule": "one_class", "known_class": None, "shots": None, "dataset": "cifar10", "normal_class": "0"}


def build(records, name="2", **options):
    return table.build_table(
        layout.auc_layout(name), records, measures=lambda run: {run.spec.method}, versions={}, **options
    )


def cell(built, *coordinates):
    return next(found for found in built.cells if tuple(found.coordinates.values()) == coordinates)


def mono(records, **options):
    return cell(build(records, **options), "elpv", "mono", "dra", "10")


def alone(run):
    """The run of a method that is given no labelled anomalies."""
    spec = structs.replace(run.spec, fit=structs.replace(run.spec.fit, train_normal="n", train_anomaly=EMPTY_LIST))
    return structs.replace(run, key=spec.key, fit_key=spec.fit.fit_key, series=spec.series, spec=spec)


def test_trainings_of_one_split_are_averaged_before_splits_are(record):
    records = [record(0.9 + (seed - 2.5) / 1000, seed=seed, split_seed=0) for seed in range(6)]
    records += [record(0.6, seed=1, split_seed=1), record(0.6, seed=2, split_seed=2)]
    measured = mono(records).measured
    assert measured.mean == pytest.approx(0.7)
    assert (measured.n, measured.counts, len(measured.per_seed)) == (3, "splits", 8)
    assert measured.seed_std == pytest.approx(0.03**0.5)
    assert "8 runs on 3 splits: std of draws 0.2038, of trainings 0.0019" in measured.notes


def test_several_trainings_of_one_draw_do_not_stand_beside_the_paper(record):
    result = mono([record(0.73 + seed / 1000, seed=seed, split_seed=0) for seed in range(3)])
    assert (result.verdict.name, result.verdict.reasons) == ("not_comparable", ("one split only, 3 runs of it",))
    assert result.verdict.would_be == "consistent"
    assert result.measured.counts == "trainings"
    assert mono([record(0.73, seed=0)]).verdict.name == "inconclusive"


def test_a_method_without_anomalies_is_on_one_split_by_rule(record):
    records = [alone(record(0.79 + seed / 1000, seed=seed, method="kdad", shots=None)) for seed in range(3)]
    result = cell(build(records), "elpv", "mono", "kdad", "")
    assert (result.measured.n, result.measured.counts) == (3, "trainings")
    assert "one split by rule: n counts trainings" in result.measured.notes
    assert result.verdict.name != "not_comparable"


def test_a_class_with_fewer_images_than_shots_leaves_nothing_to_draw(record):
    runs = [record(0.73, seed=seed) for seed in range(3)]
    lists = [structs.replace(run.spec.fit, train_normal="n", train_anomaly="all of them") for run in runs]
    few = [
        structs.replace(
            run,
            key=(spec := structs.replace(run.spec, fit=fit, split_seed=0)).key,
            fit_key=fit.fit_key,
            spec=spec,
            counts=structs.replace(run.counts, train_anomaly=7),
        )
        for run, fit in zip(runs, lists, strict=True)
    ]
    assert mono(few).measured.counts == "trainings"
    assert mono(few).verdict.name != "not_comparable"
    enough = [structs.replace(run, counts=structs.replace(run.counts, train_anomaly=10)) for run in few]
    assert mono(enough).verdict.reasons == ("one split only, 3 runs of it",)


def test_lists_are_compared_as_sets(record):
    """Two draws of all ten images of a class in another order are one split; the rule left nothing to draw."""
    apart = [structs.replace(run, spec=same_normals(run)) for run in (record(0.73, seed=seed) for seed in range(2))]
    assert mono(apart).measured.counts == "splits"
    together = [structs.replace(run, anomaly_set="the ten of them", drew_all=True) for run in apart]
    assert (mono(together).measured.counts, mono(together).verdict.name) == ("trainings", "consistent")


def test_an_older_record_of_the_same_list_shares_the_split(record):
    """Its anomalies are an ordered list alone, those of a run of today a set too."""
    older = record(0.70, seed=0)
    trained_again = structs.replace(record(0.74, seed=1, split_seed=0), anomaly_set="ten of both", drew_all=False)
    other_draw = structs.replace(record(0.78, seed=2), anomaly_set="ten others", drew_all=False)
    measured = mono([older, trained_again, other_draw]).measured
    assert (measured.n, measured.counts, measured.mean) == (2, "splits", pytest.approx(0.75))
    assert measured.training_std == pytest.approx(0.04 / 2**0.5)


def test_two_draws_that_happen_to_be_equal_are_no_rule(record):
    """One of fifty anomalies, drawn by two seeds: once in fifty it is the same one, and we hold one draw."""
    runs = [structs.replace(run, spec=same_normals(run)) for run in (record(0.73, seed=seed) for seed in range(2))]
    alike = [structs.replace(run, anomaly_set="the one of fifty", drew_all=False) for run in runs]
    assert mono(alike).verdict.reasons == ("one split only, 2 runs of it",)
    unknown = [structs.replace(run, anomaly_set="the one of fifty") for run in runs]
    assert mono(unknown).verdict.reasons == ("one split only, 2 runs of it",)


def same_normals(run):
    return structs.replace(run.spec, fit=structs.replace(run.spec.fit, train_normal="n"))


def test_copies_of_one_run_count_once_and_are_named(record):
    copies = [record(0.73, seed=seed, split_seed=0) for seed in range(3)]
    own = record(0.75, seed=5)
    result = mono([*copies, own], scores_digest=lambda run: "same" if run.spec.split_seed == 0 else run.key)
    assert result.measured.n == 2
    assert "2 of 4 runs are copies (same images, same scores) and do not count" in result.measured.notes
    others = mono([*copies, own], scores_digest=lambda run: run.key)
    assert not any("copies" in note for note in others.measured.notes)


def test_without_scores_equal_numbers_and_losses_are_a_copy_but_for_perfect_ones(record):
    def notes(auroc, losses=(0.1, 0.1)):
        runs = [record(auroc, seed=seed, split_seed=0, history={"loss": [loss]}) for seed, loss in enumerate(losses)]
        return mono(runs).measured.notes

    assert any("copies" in note for note in notes(0.73))
    assert not any("copies" in note for note in notes(0.73, (0.1, 0.2)))
    assert not any("copies" in note for note in notes(1.0))


def test_a_method_without_chance_on_a_fixed_split_is_exact(record):
    runs = [alone(record(0.8, seed=seed, split_seed=0, method="kdad", shots=None)) for seed in range(3)]
    result = cell(build(runs, scores_digest=lambda _: "same"), "elpv", "mono", "kdad", "")
    assert (result.measured.exact, result.measured.n) == (True, 1)
    assert "one split by rule and no chance in the method: its value is exact" in result.measured.notes
    assert result.verdict.comparison.told == 0
    assert result.verdict.advice == ""


@pytest.mark.parametrize("options", [{"limit_train": 20}, {"option_to_come": 3}, {"deduplicate": True, "new": 1}])
def test_drawing_options_leave_the_rule_something_to_draw(record, options):
    def limited(run):
        spec = structs.replace(run.spec, split=structs.replace(run.spec.split, options=options))
        return structs.replace(run, spec=spec, series=spec.series)

    runs = [limited(alone(record(0.8, seed=seed, split_seed=0, method="kdad", shots=None))) for seed in range(2)]
    assert cell(build(runs), "elpv", "mono", "kdad", "").verdict.reasons == ("one split only, 2 runs of it",)


def test_options_that_draw_nothing_leave_a_split_fixed_by_its_rule(record):
    def with_option(run, name):
        spec = structs.replace(run.spec, split=structs.replace(run.spec.split, options={name: "released"}))
        return structs.replace(run, spec=spec, series=spec.series)

    assert {field.name for field in fields(Options)} > nesting.DRAWLESS_OPTIONS
    for name in nesting.DRAWLESS_OPTIONS:
        runs = [
            with_option(alone(record(0.8, seed=seed, split_seed=0, method="kdad", shots=None)), name)
            for seed in range(2)
        ]
        assert nesting.is_fixed_by_rule(runs)


def test_one_score_for_all_images_is_marked_as_an_auc_below_one_half_is(record):
    counts = record(0.5).counts
    share = counts.test_anomaly / (counts.test_anomaly + counts.test_normal)
    run = record(0.5)
    flat = structs.replace(run, metrics=structs.replace(run.metrics, average_precision=share))
    assert flat.has_one_score
    assert not run.has_one_score
    assert "a run gave all images one score" in mono([flat]).measured.notes
    assert "a run has an AUC below 0.5" in mono([record(0.4)]).measured.notes
