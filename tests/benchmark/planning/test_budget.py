"""What is chosen within a time: never more than fits, never worth less with more time, always the same."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.planning.costs.budget import Offer, Step, choose_steps


@st.composite
def offers(draw):
    """Up to six offers of up to five steps, whose value need not rise."""
    steps = st.tuples(st.floats(0.5, 20.0), st.floats(0.0, 1.0))
    listed = draw(st.lists(st.lists(steps, min_size=1, max_size=5), max_size=6))
    return [
        Offer(name, tuple(Step(seconds, seconds, value) for seconds, value in made)) for name, made in enumerate(listed)
    ]


def seconds_of(listed, taken):
    return sum(step.seconds for offer in listed for step in offer.steps[: taken.get(offer.name, 0)])


def value_of(listed, taken):
    return sum(offer.steps[taken[offer.name] - 1].value for offer in listed if offer.name in taken)


@given(offers(), st.floats(0.0, 100.0))
@settings(max_examples=200, deadline=None)
def test_the_budget_is_never_exceeded(listed, budget):
    taken = choose_steps(listed, seconds=budget, longest=budget)
    assert seconds_of(listed, taken) <= budget * (1 + 1e-6)
    assert taken == choose_steps(listed, seconds=budget, longest=budget)


@given(offers(), st.floats(0.0, 100.0), st.floats(0.0, 100.0))
@settings(max_examples=300, deadline=None)
def test_more_time_is_never_worth_less(listed, first, second):
    less, more = sorted((first, second))
    values = [value_of(listed, choose_steps(listed, seconds=time, longest=time)) for time in (less, more)]
    assert values[0] <= values[1] + 1e-6


@given(offers(), st.floats(1.0, 60.0))
@settings(max_examples=100, deadline=None)
def test_at_most_one_increment_lies_between_it_and_the_best_choice(listed, budget):
    """The first increment that does not fit lifts a choice by ratio above what fractions of steps could reach."""
    few = listed[:4]
    choices = itertools.product(*(range(len(offer.steps) + 1) for offer in few))
    every = [{offer.name: number for offer, number in zip(few, numbers, strict=True) if number} for numbers in choices]
    best = max(value_of(few, taken) for taken in every if seconds_of(few, taken) <= budget)
    greedy = value_of(few, choose_steps(few, seconds=budget, longest=budget))
    largest = max((step.value for offer in few for step in offer.steps), default=0.0)
    assert greedy <= best + 1e-6
    assert best <= greedy + largest + 1e-6


def test_steps_that_are_worth_more_together_stand_together():
    """The first seed alone decides nothing: 0 of 1 s, then 0.9 of 2 s: 0.45 a second, before 0.3 of another."""
    late = Offer("late", (Step(1.0, 1.0, 0.0), Step(1.0, 1.0, 0.9)))
    early = Offer("early", (Step(1.0, 1.0, 0.3),))
    assert choose_steps([early, late], seconds=2.0, longest=2.0) == {"late": 2}
    assert choose_steps([early, late], seconds=1.5, longest=1.5) == {"early": 1}
    assert choose_steps([early, late], seconds=3.0, longest=3.0) == {"early": 1, "late": 2}


def test_steps_behind_the_best_value_are_not_taken():
    falling = Offer("falling", (Step(1.0, 1.0, 0.5), Step(1.0, 1.0, 0.4), Step(1.0, 1.0, 0.5)))
    assert choose_steps([falling], seconds=10.0, longest=10.0) == {"falling": 1}


def test_a_fit_that_is_longer_than_the_whole_call_is_passed_over_whatever_the_jobs():
    """Four at a time have 4 s of machine time, but no fit of 2 s ends within 1 s."""
    wide = Offer("wide", (Step(2.0, 2.0, 0.9),))
    assert choose_steps([wide], seconds=4.0, longest=1.0) == {}
    assert choose_steps([wide], seconds=4.0, longest=2.0) == {"wide": 1}


@pytest.mark.parametrize("order", [1, -1])
def test_equal_offers_are_taken_in_their_order(order):
    twins = [Offer(name, (Step(1.0, 1.0, 0.5),)) for name in ("a", "b")][::order]
    assert list(choose_steps(twins, seconds=1.0, longest=1.0)) == [twins[0].name]
