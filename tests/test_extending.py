"""What the page on plug-ins and the skill for coding agents say is what the code reads, gives and takes."""

import re
import tomllib
from dataclasses import fields
from typing import get_args

import pytest
import torch
from repository import ROOT
from typing_in import parses

from benchmark.cli import status
from benchmark.scaffolds.packages import package_files, skill_file, skill_text
from methods.backbones.find import RANDOM, WeightsFile
from methods.backbones.table import BACKBONES
from methods.backbones.trunk import build_trunk
from methods.detector import FitContext
from methods.registry import installed, recipe
from methods.registry.info import Capabilities, RecipeBlock
from methods.registry.params import Param
from reports.stats.verdict import CellState

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
KEYS = PAGE.partition("## Keys of a recipe")[2].partition("## A skill")[0]
README_COMMANDS = {
    command
    for kind in ("method", "dataset")
    for command in re.findall(r"(?m)^bench .*$", package_files(kind, "mine")["README.md"])
}


def first_cells(text):
    """The names in code of the first column of the first table in a text."""
    rows = re.search(r"(\|.*\n)+", text).group().splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`(\w+)[^`]*`", row.split("|")[1])]


def second_cells(text, start):
    """The cells of the second column by the first, of the table below `start`."""
    rows = re.search(r"(\|.*\n)+", text.partition(start)[2]).group().splitlines()[2:]
    return {row.split("|")[1].strip(" `"): row.split("|")[2] for row in rows}


def test_the_page_has_every_key_of_a_detector_and_no_other():
    named = first_cells(KEYS.partition("Of a detector:")[2])
    assert sorted(named) == sorted(recipe._DetectorFile.__struct_fields__)


def test_the_page_has_every_capability_and_no_other():
    assert sorted(first_cells(KEYS.partition("`[capabilities]`:")[2])) == sorted(Capabilities.__struct_fields__)


def test_the_page_has_every_key_of_a_parameter_and_no_other():
    named = first_cells(KEYS.partition('`[params."NAME"]`')[2])
    assert sorted(named) == sorted([*Param.__struct_fields__, "nodes"])


def test_the_page_has_every_type_of_a_parameter():
    types = second_cells(KEYS, '`[params."NAME"]`')["type"]
    read = {*get_args(Param.__annotations__["type"]), "backbone"}
    assert set(re.findall(r"`(\w+)`", types)) - {"per_dataset"} == read


def test_the_page_has_every_key_of_a_variant_and_of_a_recipe_block():
    (sentence,) = re.findall(r"It has the keys (.*?of its own)", KEYS, re.DOTALL)
    assert sorted(re.findall(r"`(\w+)`", sentence)) == sorted(recipe._VariantFile.__struct_fields__)
    (sentence,) = re.findall(r"the keys of `\[recipe\.NAME\]` are (.*?)\.\n", KEYS)
    assert sorted(re.findall(r"`(\w+)`", sentence)) == sorted(RecipeBlock.__struct_fields__)


def test_the_page_names_parameters_that_the_harness_reads():
    assert all(f"`{name}`" in KEYS for name in ("img_size", "img_resize", *recipe.EVALUATION))


def test_the_page_says_what_each_name_of_a_context_is():
    named = first_cells(PAGE.partition("## The context of a fit")[2])
    public = {field.name for field in fields(FitContext)} | {name for name in vars(FitContext) if name[0] != "_"}
    assert [name for name in sorted(public) if name not in named] == []


def test_the_variant_of_the_page_is_one(tmp_path):
    (text,) = [block for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if "variant_of" in block]
    (tmp_path / "mine.toml").write_text(package_files("method", "mine")["swanbench_mine/mine.toml"])
    (tmp_path / "mine_deep.toml").write_text(text)
    variant = installed.discover(tmp_path).get("mine_deep")
    assert (variant.variant_of, variant.overrides) == ("mine", {"backbone": "resnet50"})


@pytest.mark.parametrize("arch", [row.id for row in BACKBONES.values() if not row.is_measure])
def test_maps_of_a_backbone_have_the_shapes_of_the_page(arch):
    """Without arithmetic: on the device meta, tensors have shapes alone."""
    row = BACKBONES[arch]
    cell = second_cells(PAGE.partition("### Backbones")[2], "pixels:")[arch]
    named = {node: tuple(map(int, shape)) for node, *shape in re.findall(r"`([\w.]+)` (\d+) × (\d+) × (\d+)", cell)}
    if arch == "dinov2_vits14":
        assert "`blocks.0` to `blocks.11`, each 384 × 16 × 16" in cell
        named = dict.fromkeys(row.taps, (384, 16, 16))
    if row.lacking:
        pytest.skip(row.lacking)
    trunk = build_trunk(arch, WeightsFile(arch, None, RANDOM, RANDOM), tuple(row.taps))
    assert trunk.training
    maps = trunk.to("meta")(torch.empty(1, 3, 224, 224, device="meta"))
    assert named == {node: tuple(level.shape[1:]) for node, level in zip(row.taps, maps, strict=True)}


def test_a_single_node_is_a_list_and_none_is_a_map():
    weights = WeightsFile("resnet18", None, RANDOM, RANDOM)
    images = torch.empty(2, 3, 64, 64, device="meta")
    one = build_trunk("resnet18", weights, ["layer2"]).to("meta")(images)
    assert [tuple(level.shape) for level in one] == [(2, 128, 8, 8)]
    assert build_trunk("resnet18", weights).to("meta")(images).shape == (2, 512, 2, 2)


def test_the_skill_has_the_form_that_coding_agents_load():
    head, body = re.fullmatch(r"---\n(.*?)\n---\n(.*)", skill_text(), re.DOTALL).groups()
    facts = dict(line.split(": ", 1) for line in head.splitlines())
    assert facts.keys() == {"name", "description"}
    assert facts["name"] == skill_file().parent.name == "swanbench"
    assert 0 < len(facts["description"]) <= 1024
    assert len(body.splitlines()) < 200


@pytest.mark.parametrize(
    "command", sorted({*re.findall(r"(?<![\w-])(bench [a-z][^`|#\n(]*)", skill_text()), *README_COMMANDS})
)
def test_a_command_of_the_skill_or_of_a_new_package_can_be_typed(command):
    parses(command)


def test_the_skill_names_every_verdict_and_no_other():
    rows = re.findall(r"^\| (`.*?) \|", skill_text().partition("## Read a verdict")[2], re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)[^`]*`", row)]
    states = [word for part in get_args(CellState) for word in (get_args(part) or [part])]
    assert sorted(named) == sorted(states)


def test_the_skill_is_printed_and_found(tmp_path, capfd):
    assert status(["skill"]) == 0
    assert capfd.readouterr().out == skill_text()
    assert status(["skill", "--path"]) == 0
    assert capfd.readouterr().out == f"{skill_file()}\n"
    assert status(["skill", "--path", "--output", str(tmp_path / "SKILL.md")]) == 2
    assert "leave out --output" in capfd.readouterr().err
    assert status(["skill", "--output", str(tmp_path / "SKILL.md")]) == 0
    assert (tmp_path / "SKILL.md").read_text(encoding="utf-8") == skill_text()


def test_files_of_new_packages_are_toml_where_they_say_so():
    for kind in ("method", "dataset"):
        for path, text in package_files(kind, "mine").items():
            if path.endswith(".toml"):
                assert tomllib.loads(text)
