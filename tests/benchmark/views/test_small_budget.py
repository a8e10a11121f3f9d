"""What is said after runs of recipe `quick`."""

import msgspec
import pytest
from recorded import GENUINE, built, record

from benchmark.views.runs.small_budget import budget_sentences


def quick(weights):
    made = record("mono", 0, 0.5, recipe="quick")
    provenance = msgspec.structs.replace(made.provenance, weights={"resnet18": weights})
    return msgspec.structs.replace(made, provenance=provenance)


def test_steps_and_random_weights_are_named_with_two_commands():
    assert budget_sentences([quick("random")] * 2, "quick") == [
        "These AUCs say little of the methods: training took 50 steps instead of 600, and",
        "resnet18 started from random weights, not from ImageNet's. No number of recipe",
        "quick is comparable with a paper's.",
        "2 commands lead to a number that is, in hours rather than minutes:",
        "  bench weights fetch resnet18",
        "  bench run --suite quick --recipe official",
    ]


def test_methods_of_several_budgets_are_a_range():
    devnet = built(
        record("mono", 0, 0.5).spec.split, 0, 0.5, recipe="quick", method="devnet", size=224, provenance=None
    )
    assert "training took 50 steps instead of 600 to 1000" in " ".join(
        budget_sentences([quick(GENUINE), devnet], "quick")
    )


def test_genuine_weights_need_no_command():
    lines = budget_sentences([quick(GENUINE)], "mine.toml", " --dataset mine")
    assert "random" not in " ".join(lines)
    assert lines[-2:] == [
        "1 command leads to a number that is, in hours rather than minutes:",
        "  bench run --suite mine.toml --dataset mine --recipe official",
    ]


def test_low_values_are_not_excused_without_a_cause():
    small = msgspec.structs.replace(quick(GENUINE).spec, method="unknown")
    lines = budget_sentences([msgspec.structs.replace(quick(GENUINE), spec=small)], "mine.toml")
    assert lines[0] == "No number of recipe quick is comparable with a paper's."


@pytest.mark.parametrize("records", [[], [record("mono", 0, 0.7)], [record("mono", 0, 0.7, recipe="paper")]])
def test_nothing_is_said_of_other_recipes(records):
    assert budget_sentences(records, "hard") == []


def test_a_run_of_the_suite_ends_with_it(finished):
    said = finished.first.stderr
    assert "training took 2 steps instead of 600 to 1000, and resnet18 started from random" in " ".join(said.split())
    assert f"  bench weights fetch resnet18\n  bench run --suite {finished.suite} --recipe official\n" in said
