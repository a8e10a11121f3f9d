"""Keys are hashes of what a number depends on: of all of it, and of nothing else."""

import hashlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.spec import PoolPart, canonical, digest


def test_canonical_json_sorts_keys_and_writes_the_shortest_floats():
    assert canonical({"b": 1e-5, "a": [0.1, True, None, "é"]}) == '{"a":[0.1,true,null,"é"],"b":1e-05}'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_json_cannot_hold_is_refused(value):
    with pytest.raises(ValueError):
        canonical({"x": value})


@given(st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text()))
def test_the_digest_does_not_depend_on_the_order_of_keys(mapping):
    backwards = dict(reversed(mapping.items()))
    assert digest(mapping) == digest(backwards)
    assert json.loads(canonical(mapping)) == mapping


def test_the_key_of_a_known_run_never_changes(spec):
    """Frozen: a change here makes every record of every user another run. Raise results.record.SCHEMA then."""
    run = spec()
    fit = (
        '{"dataset_fingerprint":"' + "d" * 64 + '","detector":"dra","params":{"head.abs":true,"heads":"s,p,r,n",'
        '"optim.clip_norm":null,"optim.lr":0.0002},"pools":{},"precision":"fp32","resize":"squash","seed":0,"size":224,'
        '"source":null,"train_anomaly":"' + "b" * 64 + '","train_normal":"' + "a" * 64 + '","version":1,'
        '"weights":{"resnet18":"' + "c" * 64 + '"}}'
    )
    fit_key = hashlib.sha256(fit.encode()).hexdigest()
    assert run.fit.fit_key == fit_key
    whole = f'{{"evaluation":{{"batch":48,"order":"listing"}},"fit":"{fit_key}","test":"{"e" * 64}"}}'
    assert run.key == hashlib.sha256(whole.encode()).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"fit__version": 2},
        {"fit__params": {"optim.lr": 1e-3}},
        {"fit__seed": 1},
        {"fit__size": 448},
        {"fit__precision": "bf16"},
        {"fit__weights": {"resnet18": "random"}},
        {"fit__train_anomaly": "f" * 64},
        {"fit__pools": {"lag": (PoolPart(dataset="lag", fingerprint="f" * 64, images="1" * 64),)}},
        {"fit__resize": "shorter_side"},
        {"fit__source": "f" * 64},
        {"test": "f" * 64},
        {"evaluation": None},
        {"evaluation__batch": 24},
    ],
    ids=str,
)
def test_what_makes_the_number_makes_the_key(spec, change):
    assert spec(**change).key != spec().key


@pytest.mark.parametrize("change", [{"method": "dra_cutmix"}, {"recipe": "paper"}, {"deviations": ["x"]}], ids=str)
def test_names_are_not_hashed_so_twins_are_one_run(spec, change):
    assert spec(**change).key == spec().key


def test_a_series_holds_over_seeds_and_lists_but_not_over_splits_of_another_kind(spec):
    same = spec(fit__seed=7, fit__train_normal="1" * 64, fit__train_anomaly="2" * 64, split_seed=7, test="3" * 64)
    assert same.series == spec().series
    for change in (
        {"split__shots": 1},
        {"split__options": {"deduplicate": True}},
        {"fit__params": {"optim.lr": 1e-3}},
    ):
        assert spec(**change).series != spec().series


def test_the_series_of_a_known_run_never_changes(spec):
    """Frozen: what a split does not have, such as a source, takes no part in its hash."""
    fit = (
        '{"dataset_fingerprint":"' + "d" * 64 + '","detector":"dra","params":{"head.abs":true,"heads":"s,p,r,n",'
        '"optim.clip_norm":null,"optim.lr":0.0002},"pools":{},"precision":"fp32","resize":"squash","size":224,'
        '"source":null,"version":1,"weights":{"resnet18":"' + "c" * 64 + '"}}'
    )
    split = (
        '{"dataset":"elpv","dataset_fingerprint":"' + "d" * 64 + '","gamma":null,"known_class":"mono",'
        '"normal_class":null,"options":{},"rule":"hard","shots":10}'
    )
    whole = f'{{"evaluation":{{"batch":48,"order":"listing"}},"fit":{fit},"split":{split}}}'
    assert spec().series == hashlib.sha256(whole.encode()).hexdigest()


@pytest.mark.parametrize("part", ["dataset", "fingerprint", "images"])
def test_each_part_of_a_pool_makes_the_key(spec, part):
    known = PoolPart(dataset="bottle", fingerprint="1" * 64, images="2" * 64)
    other = msgspec.structs.replace(known, **{part: "3" * 64})
    keys = {spec(fit__pools={"mvtec_ad": parts}).key for parts in ((known,), (other,), (known, other))}
    assert len(keys) == 3


def test_seeds_of_a_source_are_no_part_of_a_series_but_its_parameters_are(spec):
    source = spec().fit
    seeds = {"seed": 5, "train_normal": "7" * 64, "train_anomaly": "8" * 64}

    def fine_tuned(**changes):
        fit = msgspec.structs.replace(source, **changes)
        return spec(fit__source=fit.fit_key, source=fit, split__source_dataset="carpet", split__rule="cross_domain")

    assert fine_tuned(**seeds).key != fine_tuned().key
    assert fine_tuned(**seeds).series == fine_tuned().series
    assert fine_tuned(params={"optim.lr": 1.0}).series != fine_tuned().series
    assert fine_tuned().name == f"cross_domain-carpet-to-elpv-mono-dra-10-s0-{fine_tuned().key[:8]}"


def test_a_run_has_a_readable_name(spec):
    assert spec().name == f"hard-elpv-mono-dra-10-s0-{spec().key[:8]}"
    assert spec(split__shots=None, split__rule="general", split__known_class=None, split_seed=3).name.startswith(
        "general-elpv-dra-s0.3-"
    )


def test_a_name_says_what_is_not_the_recipe_s(spec):
    deviations = [
        "dra.heads = 's,p' (recipe: 's,p,r,n')",
        "dra.img_size = 32 (recipe: 'per_dataset')",
        "split option limit_test = 20",
        "image size 32 (the paper's: 224)",
        "dra.normalise = 'test' lets test labels into the scores",
        "dataset elpv is not the paper's",
    ]
    changed = spec(deviations=deviations)
    assert changed.settings == {"heads": "s,p", "img_size": "32", "limit_test": "20"}
    assert changed.name == f"hard-elpv-mono-dra-10-heads=s,p-img_size=32-limit_test=20-s0-{changed.key[:8]}"
