"""What verbs print of a record is derived from what its key is made of."""

import json

import msgspec
import pytest
from records import make_provenance, make_record

from benchmark.execution.worker import execute
from benchmark.views.derived import RecordDeriver, derive_words
from methods.registry import installed
from results.record import Counts, decode_record, encode_record

SUITE = """
id = "words"
title = "Words beside keys"
rule = "{rule}"
recipe = "official"
methods = ["drift"]
seeds = [0]
{labelled}
[datasets]
{datasets}
"""

GENERAL = SUITE.format(rule="general", labelled="shots = [10]", datasets="tiny = []")
SUITES = {
    "general": GENERAL,
    "hard": SUITE.format(rule="hard", labelled="shots = [1, 10]", datasets='tiny = ["cut"]'),
    "one_class": SUITE.format(rule="one_class", labelled="", datasets='cifar10 = ["1"]'),
    "labelled_share": SUITE.format(
        rule="labelled_share", labelled='gammas = ["0.00", "0.50"]', datasets='cifar10 = ["1"]'
    ),
    "cross_domain": SUITE.format(rule="cross_domain", labelled="shots = [10]", datasets='carpet = ["bottle"]'),
}
SETS = (
    {},
    {"dra": {"optim.lr": 0.5, "img_size": 64, "finetune.budget.epochs": 3, "finetune.reset_heads": True}},
    {"dra": {"pseudo.source": "cp_scar"}, "devnet": {"evaluation.batch": 7}, "drift": {"pool": "mvtec_ad"}},
    {"drift": {"epochs": 5, "finetune.epochs": 2, "img_resize": "shorter_side"}, "agad": {"eval_bn": "batch"}},
)


def two_classes(rows):
    return rows["texture"](60) + [(f"test/dot/{number:03}", "dot", "test", 120 + number) for number in range(12)]


def as_left(run):
    """The record that a planned run leaves."""
    split, fit = run.split, run.fit
    return make_record(
        run.spec,
        counts=Counts(
            train_normal=len(fit.train_normal),
            train_anomaly=len(fit.train_anomaly),
            test_normal=len(split.test_normal),
            test_anomaly=len(split.test_anomaly),
        ),
        notes=list(fit.notes),
        provenance=make_provenance(weights={arch: file.label for arch, file in fit.weights.items()}),
    )


@pytest.mark.parametrize("rule", SUITES)
def test_an_honest_record_is_told_as_it_is_whatever_method_recipe_and_setting(rule, drifting, rows):
    drifting.prepare("tiny", two_classes(rows))
    drifting.prepare("cifar10", rows["class_set"]())
    for name, shade in (("carpet", 40), ("bottle", 90)):
        drifting.prepare(name, rows["texture"](shade))
    suite, tell, seen = drifting.suite(SUITES[rule]), RecordDeriver(), set()
    for recipe in ("official", "paper", "quick"):
        for sets in SETS:
            plan = drifting.plan(
                suite,
                recipe,
                methods=tuple(installed.methods()),
                sets=sets,
                precision="fp32",
                split_options={"limit_test": 4} if sets else {},
            )
            for run in (one for one in plan.runs if one.spec):
                record = decode_record(encode_record(as_left(run)))
                found = tell(record)
                assert (found.record, found.corrected, found.odd) == (record, (), "")
                seen.add(record.spec.method)
    assert {"drift"} < seen


@pytest.fixture
def ran(drifting, rows):
    """The record of a run of recipe official with another number of epochs."""
    drifting.prepare("tiny", two_classes(rows))
    (task,) = drifting.plan(drifting.suite(GENERAL), sets={"drift": {"epochs": 5}}).tasks({"missing"})
    assert execute(task, drifting.machine).state == "done"
    (record,) = drifting.store.records()
    return record


def reworded(record, *, split=None, made=None, counts=None, **spec):
    """The record with other words beside its key, its series made anew."""
    own = msgspec.structs.replace
    changed = own(record.spec, split=own(record.spec.split, **(split or {})), **spec)
    return own(
        record,
        spec=changed,
        series=changed.series,
        provenance=own(record.provenance, **(made or {})),
        counts=own(record.counts, **(counts or {})),
    )


EPOCHS = "drift.epochs = 5 (recipe: 30)"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"deviations": []}, f"says recipe official, but its key holds: {EPOCHS}"),
        (
            {"deviations": ["drift.epochs = 29 (recipe: 30)"]},
            "'drift.epochs = 29 (recipe: 30)', but its key holds another",
        ),
        ({"recipe": "finest"}, "its parameters are none that recipe finest of drift has here"),
        ({"made": {"weights": {"resnet18": "genuine:resnet18-f37072fd.pth"}}}, "says weights resnet18 genuine:"),
    ],
)
def test_words_that_the_key_contradicts_are_named_and_derived_everywhere(words, said, ran, drifting, calls_in):
    drifting.store.put(reworded(ran, **words))
    bench = calls_in(drifting.house.root, **drifting.house.env)
    for call in (("list",), ("show", ran.key[:8]), ("why", ran.key[:8]), ("export", "--format", "jsonl")):
        code, out, err = bench("results", *call)
        assert code == 0
        assert said in err
        assert ran.key[:8] in err
        assert "genuine" not in out
        assert "epochs = 29" not in out
        if call[0] in {"show", "why", "export"} and "recipe" not in words:
            assert EPOCHS in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"method": "devnet"}, "says method devnet, but its key holds the detector drift"),
        ({"split": {"shots": 1}}, "counts 10 training anomalies at 1 shots"),
        ({"split": {"shots": None}}, "says no labelled anomalies, but its key holds a list of them"),
        ({"split": {"known_class": "cut"}}, "has a known class under the rule general"),
        ({"split": {"rule": "hard"}}, "has no known class under the rule hard"),
        ({"split": {"rule": "harder"}}, "has a split that cannot be"),
        ({"split": {"source_dataset": "carpet"}}, "says one source dataset"),
        ({"split": {"options": {"limit_train": 3}}}, "more training normals than its split option limit_train = 3"),
        ({"split": {"options": {"limit_test": 3}}}, "more test images than its split option limit_test = 3"),
        ({"split": {"options": {"limitless": True}}}, "has a split that cannot be"),
    ],
)
def test_what_contradicts_the_key_is_named_and_not_counted(words, said, ran, drifting, calls_in):
    drifting.store.put(reworded(ran, **words))
    bench = calls_in(drifting.house.root, **drifting.house.env)
    code, out, err = bench("results", "list", "--json")
    assert (code, json.loads(out)) == (0, [])
    assert said in err
    assert ran.key[:8] in err
    assert bench("results", "verify")[0] == 1


def test_another_release_of_a_known_dataset_is_told(ran):
    said = []
    (record,) = derive_words([reworded(ran, split={"dataset": "elpv"}, deviations=[EPOCHS])], said.append)
    assert any("elpv: release not recognised" in text for text in record.spec.deviations)
    assert len(said) == 1


def test_words_of_many_records_are_one_line_that_names_each(ran):
    said = []
    found = derive_words([reworded(ran, deviations=[]), reworded(ran, deviations=[], split_seed=7)], said.append)
    assert [EPOCHS in one.spec.deviations for one in found] == [True, True]
    assert sum(EPOCHS in text and "-s0-" in text and "-s0.7-" in text for text in said) == 1
