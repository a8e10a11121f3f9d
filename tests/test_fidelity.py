"""docs/fidelity.md says what the recipes, split options and datasets say."""

import re
from dataclasses import fields

from repository import ROOT

from benchmark.views.fidelity import fidelity_page
from methods.registry import installed
from protocols.datasets.registry import dataset_infos
from protocols.splits.draw import options


def own_page() -> str:
    methods = [info for info in installed.methods().values() if info.module.startswith("methods.")]
    return fidelity_page(methods, options.OPTION_DESCRIPTIONS, dataset_infos().values())


def test_the_page_is_the_one_that_the_command_writes():
    assert (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8") == own_page()


def test_every_assumption_and_every_difference_stands_on_the_page():
    text = own_page()
    for info in installed.methods().values():
        for name, param in info.params.items():
            if param.diff or param.assumption:
                assert re.search(rf"\| `{re.escape(name)}` \|.*{re.escape(param.diff or 'assumption')}", text), (
                    info.id,
                    name,
                )


def test_every_split_option_is_described():
    assert {field.name for field in fields(options.Options)} == set(options.OPTION_DESCRIPTIONS)
