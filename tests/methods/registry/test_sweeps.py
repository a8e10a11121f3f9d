"""Several values after `--set`: each is a run, unless the parameter takes the text as it is."""

import pytest

from methods.errors import MethodError
from methods.registry import installed
from methods.registry.sweeps import parse_setting


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("dra.optim.lr=0.1", "optim.lr", (0.1,)),
        ("dra.optim.lr=1e-3,1e-4", "optim.lr", (1e-3, 1e-4)),
        ("dra.budget.steps=1, 5 ,10", "budget.steps", (1, 5, 10)),
        ("dra.heads=s,p", "heads", ("s,p",)),
        ('dra.heads="s,p","r,n"', "heads", ("s,p", "r,n")),
        ("dra.heads='s,p',s", "heads", ("s,p", "s")),
        ('dra.heads="s,p"', "heads", ("s,p",)),
        ("dra.head.abs=true,false", "head.abs", (True, False)),
        ("dra.backbone=resnet18,resnet50", "backbone", ("resnet18", "resnet50")),
    ],
)
def test_values_are_parted_where_the_parameter_takes_one(text, name, values):
    assert parse_setting(text, installed.methods()) == ("dra", name, values)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dra.optim.lr=0.1,0.1", "has a value twice: give each once"),
        ("dra.optim.lr=0.1,", "with one value"),
        ("dra.optim.lr=[0.1,0.2]", "with one value"),
        ("dra=1,2", "METHOD.PARAM=VALUE"),
    ],
)
def test_what_is_no_list_of_values_is_refused(text, said):
    with pytest.raises(MethodError, match=said):
        parse_setting(text, installed.methods())
