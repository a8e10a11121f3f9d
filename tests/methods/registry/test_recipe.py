"""Recipe files: what they say, how parameters are resolved, and how wrong ones are refused."""

import fnmatch
import re
import subprocess
import sys

import pytest
from repository import ROOT

from methods.backbones import table
from methods.backbones.table import fitting_backbones
from methods.errors import MethodError
from methods.registry.installed import get, methods
from methods.registry.params import Param
from methods.registry.recipe import RECIPES, parse, parse_assignment, resolve

RECIPE_FILES = ROOT / "methods" / "recipes"

MINE = """
id = "mine"
title = "Mine"
detector = "my_package.mine:Mine"
version = 3

[capabilities]
rules = ["general"]
anomalies = true
independent_scores = true
backbones = ["resnet18", "vgg16"]

[pools]
"pseudo.source" = ["lag"]

[params."optim.lr"]
type = "float"
official = 1
paper = 0.5
quick = 2e-3
above = 0
source = "code"

[params."pseudo.source"]
type = "str"
default = "none_at_all"
choices = ["none_at_all", "lag"]
source = "paper"

[params."heads"]
type = "str"
default = "s,p"
form = "subset:s,p,r"
source = "paper"

[params."clip"]
type = "float"
default = "none"
above = 0
optional = true
source = "code"

[params."low"]
type = "int"
default = 1
min = 0
at_most = "high"
source = "code"

[params."high"]
type = "int"
default = 4
source = "code"

[dataset.brain_mri]
"pseudo.source" = "lag"
"low" = 2

[recipe.quick.dataset.brain_mri]
"low" = 3

[recipe.quick.split]
limit_train = 50
"""

VARIANT = """
id = "mine_low"
title = "Mine, low"
variant_of = "mine"
[overrides]
"low" = 4
"heads" = "p,s"
"""


@pytest.fixture
def mine():
    return parse(MINE, "mine.toml")


def built_in(name):
    return parse((RECIPE_FILES / f"{name}.toml").read_text(encoding="utf-8"), f"{name}.toml")


def refusal(text, detectors=None):
    with pytest.raises(MethodError) as caught:
        parse(text, "mine.toml", detectors)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Resolution


def test_each_recipe_has_its_own_value_and_ints_become_floats(mine):
    values = [resolve(mine, recipe, "elpv", {}).params["optim.lr"] for recipe in RECIPES]
    assert values == [1.0, 0.5, 0.002]
    assert all(type(value) is float for value in values)


def test_later_sources_win_recipe_dataset_recipe_dataset_variant_override(mine):
    low = parse(VARIANT, "low.toml", {"mine": mine})
    assert resolve(mine, "official", "elpv", {}).params["low"] == 1
    assert resolve(mine, "official", "brain_mri", {}).params["low"] == 2
    assert resolve(mine, "quick", "brain_mri", {}).params["low"] == 3
    assert resolve(low, "quick", "brain_mri", {}).params["low"] == 4
    assert resolve(low, "quick", "brain_mri", {"low": 0}).params["low"] == 0


def test_a_prepared_variant_of_a_dataset_takes_the_blocks_of_the_dataset(mine):
    assert resolve(mine, "paper", "brain_mri@released_loader", {}).params["pseudo.source"] == "lag"


def test_changed_is_what_overrides_alone_changed(mine):
    low = parse(VARIANT, "low.toml", {"mine": mine})
    resolved = resolve(low, "official", "brain_mri", {"low": 3, "optim.lr": 1, "heads": "r"})
    assert resolved.changed == {"low": (4, 3), "heads": ("s,p", "r")}


def test_a_subset_is_put_in_the_order_of_its_form(mine):
    assert resolve(mine, "official", "elpv", {"heads": "r, s"}).params["heads"] == "s,r"
    assert parse(VARIANT, "low.toml", {"mine": mine}).overrides["heads"] == "s,p"


@pytest.mark.parametrize("value", ["", "s,s", "x", "s,,p", 3, None])
def test_a_subset_refuses_what_is_none(mine, value):
    with pytest.raises(MethodError, match=r"must be one or more of s,p,r\. Got"):
        resolve(mine, "official", "elpv", {"heads": value})


def test_an_optional_parameter_may_be_none_in_words(mine):
    assert resolve(mine, "official", "elpv", {}).params["clip"] is None
    assert resolve(mine, "official", "elpv", {"clip": 2}).changed == {"clip": (None, 2.0)}


def test_negative_zero_is_zero_so_that_keys_agree():
    param = Param(type="float", source="code", default=0)
    assert str(param.accept(-0.0)) == "0.0"


def test_a_parameter_may_not_exceed_the_one_that_bounds_it(mine):
    with pytest.raises(MethodError, match=r"'low' parameter of mine must be at most 'high', which is 2\. Got 3"):
        resolve(mine, "official", "elpv", {"low": 3, "high": 2})


def test_pools_and_backbones_follow_the_resolved_parameters(mine):
    assert mine.pools(resolve(mine, "official", "elpv", {}).params) == ()
    assert mine.pools(resolve(mine, "official", "brain_mri", {}).params) == ("lag",)
    assert mine.backbones(resolve(mine, "official", "elpv", {}).params) == ("resnet18", "vgg16")
    dra = built_in("dra")
    assert dra.backbones(resolve(dra, "official", "elpv", {}).params) == ("resnet18",)


def test_split_options_belong_to_one_recipe(mine):
    assert mine.split("quick") == {"limit_train": 50}
    assert mine.split("official") == {}


def test_a_parameter_without_effect_is_left_out_and_cannot_be_set():
    dra = built_in("dra")
    plain, scar, mix = (
        resolve(dra, "official", "elpv", {"pseudo.source": source}).params.keys()
        for source in ("cutmix", "cp_scar", "cp_mix")
    )
    assert not any(name.startswith(("cp_scar.", "cp_mix.")) for name in plain)
    assert {name.partition(".")[0] for name in scar - plain} == {"cp_scar"}
    assert mix - scar == {"cp_mix.mode"}
    text = r"^dra\.cp_scar\.angle has no effect where pseudo\.source = 'cutmix': leave it out, or change that too$"
    with pytest.raises(MethodError, match=text):
        resolve(dra, "official", "elpv", {"cp_scar.angle": 3})
    assert (
        resolve(dra, "official", "elpv", {"cp_scar.angle": 3, "pseudo.source": "cp_mix"}).params["cp_scar.angle"] == 3
    )


@pytest.mark.parametrize("variant", [False, True])
def test_a_package_that_a_method_needs_and_that_is_not_there_is_named_with_the_way_to_it(variant):
    needing = parse('packages = { json = "a", no_such_thing = "mine[fast]" }\n' + MINE, "mine.toml")
    info = parse(VARIANT, "low.toml", {"mine": needing}) if variant else needing
    assert info.lacking() == f"{info.id} needs the package no_such_thing: pip install 'mine[fast]'"


def test_a_method_lacks_nothing_where_its_packages_are_there_or_it_needs_none(mine):
    assert mine.lacking() is None
    assert parse('packages = { json = "a" }\n' + MINE, "mine.toml").lacking() is None


def test_a_dotted_package_is_refused_as_finding_it_would_import_its_parent():
    assert "mine.toml: Expected `str` matching regex" in refusal('packages = { "os.path" = "a" }\n' + MINE)
    assert "of length >= 1" in refusal('packages = { json = "" }\n' + MINE)


# Refusals


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("optim.lr", -1, "must be a float above 0. Got -1 instead: bench methods show dra"),
        ("optim.lr", 0, "must be a float above 0. Got 0 instead"),
        ("optim.lr", float("inf"), "must be a float above 0. Got inf instead"),
        ("optim.lr", float("nan"), "must be a float above 0. Got nan instead"),
        ("optim.lr", True, "must be a float above 0. Got true instead"),
        ("optim.lr", "fast", "must be a float above 0. Got 'fast' instead"),
        ("optim.lr", "none", "must be a float above 0. Got 'none' instead"),
        ("optim.clip_norm", 0, "must be a float above 0 or none. Got 0 instead"),
        ("topk.rate", 1.5, "must be a float above 0 and of at most 1. Got 1.5 instead"),
        ("batch.pseudo_prob", 2, "must be a float from 0 to 1. Got 2 instead"),
        ("budget.steps", 2.0, "must be an int of at least 1. Got 2.0 instead"),
        ("budget.steps", 10**400, "must be an int of at least 1. Got 1000"),
        ("head.abs", 1, "must be true or false. Got 1 instead"),
        ("pyramid.n_scales", 4, "must be an int from 1 to 3. Got 4 instead"),
        ("img_size", "big", "must be an int from 32 to 1024 or 'per_dataset'. Got 'big' instead"),
        ("topk.rounding", "up", "must be one of 'floor', 'round', 'ceil'. Got 'up' instead"),
        (
            "pseudo.source",
            ["lag"],
            "must be one of 'cutmix', 'cp_scar', 'cp_mix', 'mvtec_ad', 'lag'. Got ['lag'] instead",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_what_it_must_be(name, value, text):
    with pytest.raises(MethodError, match=re.escape(f"the '{name}' parameter of dra {text}")):
        resolve(built_in("dra"), "official", "elpv", {name: value})


def test_an_unknown_parameter_or_recipe_gets_a_near_miss(mine):
    with pytest.raises(MethodError, match=r"mine has no parameter 'optim.lrr': did you mean 'optim.lr'\?"):
        resolve(mine, "official", "elpv", {"optim.lrr": 1})
    with pytest.raises(MethodError, match="mine has no parameter 'zzz': see bench methods show mine"):
        resolve(mine, "official", "elpv", {"zzz": 1})
    with pytest.raises(MethodError, match=r"unknown recipe 'offical': did you mean 'official'\?"):
        resolve(mine, "offical", "elpv", {})
    with pytest.raises(MethodError, match="unknown recipe 'zzz': it is official, paper or quick"):
        resolve(mine, "zzz", "elpv", {})


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('title = "Mine"', 'titel = "Mine"', "mine.toml: unknown key 'titel': did you mean 'title'?"),
        ('title = "Mine"', "", "mine.toml: Object missing required field `title`"),
        ("version = 3", "version = 0", "mine.toml: Expected `int` >= 1 - at `$.version`"),
        ('"my_package.mine:Mine"', '"my_package.mine"', "mine.toml: Expected `str` matching regex"),
        ('id = "mine"', 'id = "Mine"', "mine.toml: Expected `str` matching regex"),
        ("above = 0\nsource", "abov = 0\nsource", "[params.\"optim.lr\"]: unknown key 'abov': did you mean 'above'?"),
        ("paper = 0.5\n", "", '[params."optim.lr"]: recipe paper has no value: give paper or default'),
        ("paper = 0.5", "paper = -1", '[params."optim.lr"]: recipe paper must have a float above 0, got -1'),
        (
            'default = "s,p"',
            'default = "q"',
            "[params.\"heads\"]: recipe official must have one or more of s,p,r, got 'q'",
        ),
        ('source = "paper"', "", "Object missing required field `source`"),
        ('at_most = "high"', 'at_most = "hihg"', "at_most = 'hihg': did you mean 'high'?"),
        ("anomalies = true", "anomaly = true", "mine.toml, [capabilities]: unknown key 'anomaly'"),
        ('"pseudo.source" = ["lag"]', '"pseudo.source" = ["lagg"]', '[pools] "pseudo.source": each value must be'),
        ('"pseudo.source" = "lag"', '"pseudo.sorce" = "lag"', "mine.toml, [dataset.brain_mri]: mine has no parameter"),
        (
            'at_most = "high"',
            'only_where = { "pool" = ["lag"] }',
            "[params.\"low\"] only_where 'pool': name a parameter, and values among its choices",
        ),
        ('"low" = 3', '"low" = -3', "[recipe.quick.dataset.brain_mri]: the 'low' parameter of mine must be"),
        ("[recipe.quick.split]", "[recipe.quik.split]", "[recipe.quik]: did you mean 'quick'?"),
        ('id = "mine"', "id = ", "mine.toml is not TOML: "),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(old, new, text):
    assert old in MINE
    assert text in refusal(MINE.replace(old, new, 1))


def test_a_variant_needs_a_detector_and_parameters_that_it_has(mine):
    low = parse(VARIANT, "low.toml", {"mine": mine})
    assert (low.id, low.detector_id, low.variant_of, low.detector) == ("mine_low", "mine", "mine", mine.detector)
    assert "variant_of = 'mine' is no detector: name the id of a detector" in refusal(VARIANT)
    assert "did you mean 'mine'?" in refusal(VARIANT.replace('of = "mine"', 'of = "mne"'), {"mine": mine})
    again = VARIANT.replace('id = "mine_low"', 'id = "mine_lower"').replace('of = "mine"', 'of = "mine_low"')
    assert "is no detector: did you mean 'mine'?" in refusal(again, {"mine": mine, "mine_low": low})
    assert "[overrides]: mine_low has no parameter 'lwo'" in refusal(VARIANT.replace('"low"', '"lwo"'), {"mine": mine})


# Assignments on the command line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dra.optim.lr=1e-3", ("dra", "optim.lr", 1e-3)),
        ("dra.budget.steps = 4", ("dra", "budget.steps", 4)),
        ("dra.head.abs=false", ("dra", "head.abs", False)),
        ("dra.heads=s,p", ("dra", "heads", "s,p")),
        ("dra.heads='s,p'", ("dra", "heads", "s,p")),
        ("dra.optim.clip_norm=none", ("dra", "optim.clip_norm", "none")),
        ("mine.path=a=b", None),
        ("dra", None),
        ("dra.optim.lr", None),
        ("dra=3", None),
        (".lr=3", None),
        ("dra.optim.lr=", None),
        ("dra.optim.lr=[1, 2]", None),
        ("dra.optim.lr=2020-01-01", None),
        ("dra.optim.lr=1\nother=2", None),
        ("dra.optim.lr='", None),
    ],
)
def test_an_assignment_is_method_parameter_and_toml_value_or_is_refused(text, expected):
    if expected is not None:
        assert parse_assignment(text) == expected
        return
    with pytest.raises(MethodError, match=r"--set takes .* Got "):
        parse_assignment(text)


# Our own files


@pytest.mark.parametrize("name", ["dra", "devnet"])
def test_every_parameter_says_where_it_comes_from_and_why_recipes_differ(name):
    for param_name, param in built_in(name).params.items():
        differs = param.value("official") != param.value("paper")
        assert param.note or not (differs or param.assumption), param_name


@pytest.mark.parametrize("name", ["dra", "devnet"])
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("dataset", ["elpv", "brain_mri", "head_ct", "hyper_kvasir"])
def test_every_recipe_resolves(name, recipe, dataset):
    info = built_in(name)
    assert resolve(info, recipe, dataset, {}).changed == {}
    medical = dataset != "elpv"
    assert info.pools(resolve(info, recipe, dataset, {}).params) == (("lag",) if medical and name == "dra" else ())


def test_dra_recipes_hold_the_values_of_the_difference_table():
    dra = built_in("dra")
    official, paper, quick = (resolve(dra, recipe, "elpv", {}).params for recipe in RECIPES)
    differing = {name: (official[name], paper[name]) for name in official if official[name] != paper[name]}
    assert differing == {
        "optim.lr": (2e-4, 1e-3),  # D5
        "optim.weight_decay": (1e-5, 1e-2),  # D5
        "optim.schedule": ("step10_start", "step10_end"),  # D6
        "reference.mode": ("redraw", "fixed"),  # D9
        "reference.test_mode": ("redraw_per_batch", "fixed_after_training"),  # D61
        "evaluation.order": ("listing", "ranked"),
    }
    differing = {name: quick[name] for name in official if official[name] != quick[name]}
    assert differing == {  # spec 1.12
        "img_size": 128,
        "budget.epochs": 5,
        "budget.steps": 10,
        "batch.size": 24,
        "batch.seen": 8,
        "optim.schedule": "constant",
        "evaluation.order": "ranked",
    }


def test_devnet_recipes_are_the_authors_implementation_and_a_quick_one():
    devnet = built_in("devnet")
    official, paper, quick = (resolve(devnet, recipe, "elpv", {}).params for recipe in RECIPES)
    assert official == paper
    assert (official["budget.epochs"], official["batch.seen"], official["optim.schedule"]) == (50, 24, "step10_end")
    assert (quick["batch.size"], quick["batch.seen"], quick["optim.schedule"]) == (24, 12, "constant")


DIFFERENCES = {
    "D2": ["head.abs"],
    "D3": ["loss.reference"],
    "D4": ["loss.margin"],
    "D5": ["optim.lr", "optim.weight_decay"],
    "D6": ["optim.schedule"],
    "D7": ["batch.seen", "batch.pseudo_prob"],
    "D8": ["optim.clip_norm"],
    "D9": ["reference.mode"],
    "D9b": ["reference.pseudo"],
    "D10": ["reference.augment"],
    "D11": ["reference.detach"],
    "D12": ["reference.joint_forward"],
    "D14": ["reference.size"],
    "D15": ["g_r.conv_block"],
    "D17": ["g_n.abs"],
    "D18": ["topk.rate", "topk.rounding"],
    "D19": ["pyramid.resample"],
    "D20": ["img_size"],
    "D21": ["augment.rotation"],
    "D22": ["cutmix.*"],
    "D23": ["pseudo.resample_source"],
    "D24": ["lag.classes"],
    "D25": ["pool.exclude"],
    "D41": ["heads"],
    "D61": ["reference.test_mode"],
}
"""Differences of paper and code by their numbers in the specification of DRA, with the parameters that it names."""


@pytest.mark.parametrize(("row", "name"), [(row, name) for row, names in DIFFERENCES.items() for name in names])
def test_every_difference_of_the_specification_that_names_a_parameter_of_dra_is_in_its_file(row, name):
    params = [param for key, param in built_in("dra").params.items() if fnmatch.fnmatchcase(key, name)]
    assert any(row in (param.diff or "").split(", ") for param in params)


def test_reading_recipes_needs_neither_torch_nor_numpy():
    code = (
        "import sys; from methods.registry import installed, recipe; from methods.backbones import find\n"
        "recipe.resolve(installed.get('dra'), 'official', 'elpv', {})\n"
        "print([m for m in ('torch', 'numpy', 'sklearn', 'scipy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Backbones


def with_backbone(nodes):
    return MINE + f'[params."backbone"]\ntype = "backbone"\ndefault = "vgg16"\nsource = "code"\n{nodes}\n'


def test_a_backbone_is_a_network_of_the_table_that_has_its_nodes():
    anything = parse(with_backbone(""), "mine.toml")
    assert anything.params["backbone"].choices == fitting_backbones()
    assert resolve(anything, "official", "elpv", {"backbone": "resnet50"}).params["backbone"] == "resnet50"
    pools = parse(with_backbone('nodes = ["features.4", "features.30"]'), "mine.toml")
    assert pools.params["backbone"].choices == ("vgg16",)
    with pytest.raises(MethodError, match="the 'backbone' parameter of mine must be one of 'vgg16'"):
        resolve(pools, "official", "elpv", {"backbone": "resnet50"})


@pytest.mark.parametrize("nodes", ['["layer9"]', '["layer1", "features.4"]', '"layer1"', "[1]"])
def test_nodes_that_no_network_has_are_refused_by_the_parameter(nodes):
    assert refusal(with_backbone(f"nodes = {nodes}")).startswith('mine.toml, [params."backbone"] nodes: ')


def test_every_detector_of_ours_takes_what_fits_it():
    choices = {info.id: info.params["backbone"].choices for info in methods().values() if "backbone" in info.params}
    assert choices.pop("kdad") == ("vgg16",)
    assert choices.pop("patchcore") == fitting_backbones(["layer1", "layer2", "layer3"])
    assert set(choices) >= {"dra", "devnet", "saoe", "flos", "mlep", "minns", "deep_sad", "dra_non_disentangled"}
    assert set(choices.values()) == {fitting_backbones()}


def test_a_backbone_whose_package_is_not_installed_is_told_with_the_extra(monkeypatch):
    monkeypatch.setattr(table, "find_spec", lambda _: None)
    dra = get("dra")
    params = resolve(dra, "official", "elpv", {"backbone": "dinov2_vits14"}).params
    assert dra.lacking(params) == "dinov2_vits14 needs timm: pip install 'swanbench[timm]'"
    assert dra.lacking(resolve(dra, "official", "elpv", {}).params) is None
