"""A plug-in's recipe that is nested too deeply takes no other method down."""

import pytest

from methods.errors import MethodError
from methods.registry.recipe import document


def test_a_recipe_that_is_too_deep_is_one_sentence():
    with pytest.raises(MethodError, match=r"^mine\.toml is not TOML: "):
        document("a = " + "[" * 5000, "mine.toml")
