"""Runs that differ in one setting alone are pairs; what differs in two tells nothing of either."""

from statistics import fmean, stdev

import pytest
import records

from reports.comparison.deviations import deviation_effects


def run(auroc, seed=0, split_seed=None, recipe="official", **changes):
    split_seed = seed if split_seed is None else split_seed
    spec = records.make_spec(fit__seed=seed, split_seed=split_seed, recipe=recipe, **changes)
    return records.make_record(spec, auroc)


def test_a_pair_of_precisions_a_seed():
    found = deviation_effects(
        [run(value, seed, fit__precision=precision) for seed, (low, high) in enumerate([(0.5, 0.6), (0.7, 0.65)])
         for precision, value in (("bf16", low), ("fp32", high))]
    )  # fmt: skip
    (effect,) = found
    assert (effect.kind, effect.first, effect.second) == ("precision", "bf16", "fp32")
    differences = list(effect.differences.values())
    assert differences == pytest.approx([0.1, -0.05])
    assert effect.test.difference == pytest.approx(fmean(differences))
    # t with one degree of freedom: 12.706 at 0.975
    reach = 12.7062 * stdev(differences) / 2**0.5
    assert effect.test.high == pytest.approx(fmean(differences) + reach, rel=1e-4)


def test_one_pair_has_no_interval():
    (effect,) = deviation_effects([run(0.5, fit__precision="bf16"), run(0.6, fit__precision="fp32")])
    assert effect.test is None


def test_two_settings_at_once_other_seeds_and_other_splits_are_no_pair():
    base = run(0.5, fit__precision="bf16")
    assert deviation_effects([base, run(0.6, fit__precision="fp32", fit__size=64)]) == []
    assert deviation_effects([base, run(0.6, seed=1, fit__precision="fp32")]) == []
    assert deviation_effects([base, run(0.6, split_seed=3, fit__precision="fp32")]) == []
    assert deviation_effects([base, run(0.6, split__known_class="other", fit__precision="fp32")]) == []
    assert deviation_effects([base, base]) == []


def test_parameters_are_named_where_one_recipe_has_both():
    params = run(0.5).spec.fit.params
    name = next(iter(params))
    changed = {**params, name: 17}
    (effect,) = deviation_effects([run(0.5), run(0.7, fit__params=changed)])
    assert (effect.kind, {effect.first, effect.second}) == (
        "parameters",
        {f"{name} = {params[name]}", f"{name} = 17"},
    )
    (effect,) = deviation_effects([run(0.5), run(0.7, recipe="paper", fit__params=changed)])
    assert (effect.first, effect.second) == ("official", "paper")
    assert effect.differences == {(0, 0): pytest.approx(0.2)}
