"""NAME=VALUE on the command line: one reader, the same for parameters, split options and conditions."""

import pytest

from benchmark.errors import BenchError
from benchmark.terminal.options import parse_options
from benchmark.views.records import parse_conditions
from methods.registry.params import assignment

VALUES = {
    "x=1": 1,
    "x = 1e-3": 1e-3,
    "x=true": True,
    "x='a b'": "a b",
    "x=per_dataset": "per_dataset",
    "x=s,p,r": "s,p,r",
    "x=none": "none",
    "optim.lr=2": 2,
}
REFUSED = ["x", "x=", "=1", "x=[1, 2]", "x={a = 1}", "x=2020-01-01", "x=a b", "x=1\ny=2", ""]


@pytest.mark.parametrize(("text", "value"), VALUES.items())
def test_the_value_is_one_of_toml_or_a_bare_word(text, value):
    name, found = assignment(text)
    assert (name, found) == (text.partition("=")[0].strip(), value)
    assert type(found) is type(value)


@pytest.mark.parametrize("text", REFUSED)
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="one value"):
        assignment(text)
    with pytest.raises(BenchError, match="such as --split limit_test=100"):
        parse_options((text,), deduplicate=False)
    with pytest.raises(BenchError, match=r"such as --where optim\.lr=1e-3"):
        parse_conditions([text])


def test_split_options_are_joined_with_the_short_form():
    assert parse_options(("limit_test=5",), deduplicate=True) == {"deduplicate": True, "limit_test": 5}
    with pytest.raises(BenchError, match="--split gives deduplicate twice, true and false: give it once"):
        parse_options(("deduplicate=false",), deduplicate=True)


def test_a_condition_knows_none_from_the_text_of_that_name():
    assert parse_conditions(["a=none", "b='none'", "c=1"]) == {"a": None, "b": "none", "c": 1}
