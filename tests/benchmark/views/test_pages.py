"""What pages say beyond their tables: commands that can be typed, reasons in sentences, pictures of what may be shown."""

import base64
import io
import itertools
import shlex

import msgspec
import numpy as np
import pytest
from PIL import Image
from recorded import GENUINE, built, record
from records import make_provenance, make_split
from typing_in import parses

from benchmark.planning.comparability import of_options
from benchmark.views.pages.evidence import evidence_source
from benchmark.views.pages.pictures import MEDICAL, WorstPictures
from benchmark.views.pages.reasons import reason_sentence
from benchmark.views.pages.remaking import fill_command, remake_command
from protocols.catalogue.data_folder import adopt_dataset, open_dataset
from reports.layouts.layout import auc_layout
from reports.tables import table
from results.metrics import computed_metrics
from results.scores import Scores
from results.store import Store


def test_the_runs_of_a_cell_are_made_again_by_one_command():
    command = remake_command([record("mono", seed, 0.7) for seed in range(3)])
    assert command == (
        "bench run --suite hard --method dra --dataset elpv --known-class mono --shots 10 --seed 0,1,2 --recipe official "
        "--precision bf16"
    ).replace("bf16", record("mono", 0, 0.7).spec.fit.precision)
    parses(command)


def test_the_parts_of_a_mean_are_made_again_by_one_command():
    assert "--known-class mono,poly --shots 10 --seed 0 " in remake_command(
        [record("mono", 0, 0.7), record("poly", 0, 0.7)]
    )


def test_what_differs_from_the_recipe_is_in_the_command():
    run = built(
        make_split(options={"deduplicate": True}),
        0,
        0.7,
        method="dra",
        size=64,
        params={"optim.lr": 0.5},
        weights={"resnet18": "9" * 64},
        provenance=make_provenance(weights={"resnet18": "custom:99999999"}),
    )
    words = shlex.split(remake_command([run]))
    pairs = list(itertools.pairwise(words))
    assert ("--set", "dra.optim.lr=0.5") in pairs
    assert ("--split", "deduplicate=true") in pairs
    assert ("--weights", "resnet18=FILE") in pairs


def test_a_training_on_another_split_names_both_seeds():
    run = record("mono", 3, 0.7)
    run = msgspec.structs.replace(run, spec=msgspec.structs.replace(run.spec, split_seed=5))
    assert "--seed 3 --split-seed 5 " in remake_command([run])


def test_a_split_from_a_file_is_asked_for_by_its_file():
    run = built(make_split(options={"split_file": "0123456789abcdef"}), 3, 0.7, method="dra", size=224)
    run = msgspec.structs.replace(run, spec=msgspec.structs.replace(run.spec, split_seed=0))
    command = remake_command([run])
    assert "--seed 3 " in command
    assert "--split-file FILE" in command
    assert "--split " not in command
    assert "--split-seed" not in command
    parses(command)


def test_runs_under_a_rule_without_a_suite_have_no_command():
    assert remake_command([built(make_split(rule="mine"), 0, 0.7, method="dra", size=224)]) == ""


@pytest.mark.parametrize("name", ["dra:1", "dra:2", "dra:3", "dra:9", "agad:5", "csi_gan:1"])
def test_missing_cells_have_commands_that_can_be_typed(name):
    layout = auc_layout(name)
    cells = table.build_table(layout, [], measures=lambda _: (), versions={}).cells
    keys = [key for cell in cells for key in table.lookup_keys(layout, cell)]
    for command in fill_command(layout, keys).split(" && "):
        parses(command)


def test_a_part_of_a_table_is_narrowed_to_what_is_missing():
    layout = auc_layout("2")
    cells = table.build_table(layout, [], measures=lambda _: (), versions={}).cells
    at = {"dataset": "elpv", "known_class": "poly", "method": "dra", "shots": "10"}
    keys = [key for cell in cells if cell.coordinates == at for key in table.lookup_keys(layout, cell)]
    assert fill_command(layout, keys) == (
        "bench run --suite hard --method dra --dataset elpv --known-class poly --shots 10"
    )


@pytest.mark.parametrize(
    ("reason", "parts"),
    [
        ("weights resnet18 random", ["random weights instead of ImageNet's", "tells nothing of the method"]),
        ("weights resnet18 custom:12345678", ["custom:12345678 names their file by the first digits"]),
        ("weights resnet18 custom:9400829f", ["layer4", "are estimated", "up to layer3 are genuine"]),
        ("weights resnet18 of unknown origin", ["Nobody knows"]),
        ("recipe quick", ["small budget"]),
        ("one split only, 3 runs of it", ["one draw of the labelled anomalies"]),
        ("dra.optim.lr = 0.5 (recipe: 0.0002)", ["optim.lr of dra was set to 0.5, where the recipe has 0.0002"]),
        (next(of_options({"deduplicate": True})), ["the option deduplicate = True"]),
        ("image size 64 (the paper's: 224)", ["64 pixels wide, the paper's are 224"]),
        ("dataset mine is not the paper's", ["The data set mine is not one of the paper's"]),
        ("something {new}", ["Something {new}."]),
    ],
)
def test_reasons_are_whole_sentences(reason, parts):
    sentence = reason_sentence(reason)
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    for part in parts:
        assert part in sentence


@pytest.fixture
def shown(tiny_folder, tmp_path):
    """A prepared dataset, and scores that count down over its images."""
    adopt_dataset(tiny_folder, "tiny", tmp_path / "data")
    dataset = open_dataset(tmp_path / "data", "tiny")
    ids, labels = [row.id for row in dataset.rows], [row.label for row in dataset.rows]
    scores = Scores(tuple(ids), tuple(labels), np.arange(len(ids), 0, -1.0))
    run = built(make_split(dataset="tiny", dataset_fingerprint=dataset.fingerprint), 0, 0.7, method="dra", size=32)
    return tmp_path / "data", run, scores


def test_the_worst_images_come_worst_first(shown):
    data, run, scores = shown
    sheet = WorstPictures(data, print)(run, scores)
    normals = [value for value, label in zip(scores.values, scores.classes, strict=True) if label == "normal"]
    anomalies = [value for value, label in zip(scores.values, scores.classes, strict=True) if label != "normal"]
    assert [picture.score for picture in sheet.normals] == sorted(normals, reverse=True)[:6]
    assert [picture.score for picture in sheet.anomalies] == sorted(anomalies)[:6]
    assert {picture.label for picture in sheet.normals} == {"normal"}
    kind, _, data_text = sheet.normals[0].address.partition(",")
    assert kind == "data:image/jpeg;base64"
    assert max(Image.open(io.BytesIO(base64.b64decode(data_text))).size) <= 96
    assert sheet.licence == "of a set whose licence is not known"


def test_images_that_may_not_be_shown_or_are_others_say_why(shown):
    data, run, scores = shown

    def reason(split):
        return WorstPictures(data, print)(built(split, 0, 0.7, method="dra", size=32), scores).reason

    assert reason(make_split(dataset="brain_mri")) == MEDICAL
    assert reason(make_split(dataset="head_ct@variant")) == MEDICAL
    assert reason(make_split(dataset="tiny")) == "No pictures: tiny here is not the data of this run."
    assert reason(make_split(dataset="carpet")).startswith("No pictures: carpet is not in ")
    dataset, worst = open_dataset(data, "tiny"), WorstPictures(data, print)(run, scores).anomalies[0]
    gone = dataset.path(dataset.row(worst.id)).resolve()
    gone.rename(gone.with_name("moved.png"))
    try:
        assert "cannot read" in WorstPictures(data, print)(run, scores).reason
    finally:
        gone.with_name("moved.png").rename(gone)


def test_evidence_has_runs_of_the_table_with_scores_and_explanation(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    store, runs = Store(tmp_path / "runs"), []
    labels = ("normal",) * 5 + ("poly",) * 5
    scores = Scores(tuple(map(str, range(10))), labels, np.arange(10.0))
    for known_class, rule in (("mono", "hard"), (None, "general")):
        run = record("mono", 0, 0.7)
        split = msgspec.structs.replace(run.spec.split, known_class=known_class, rule=rule)
        spec = msgspec.structs.replace(run.spec, split=split, test="a" * 64 if known_class else "b" * 64)
        run = msgspec.structs.replace(
            run, spec=spec, key=spec.key, series=spec.series, metrics=computed_metrics(scores)
        )
        store.put(run, scores)
        runs.append(run)
    built_table = table.build_table(auc_layout("2"), runs, measures=lambda run: {run.spec.method}, versions={})
    given = evidence_source(runs, [tmp_path / "runs"], print, pictures=False).of_table(built_table)
    ((run,),) = given.runs.values()
    assert run.record.key == runs[0].key
    assert run.scores is not None
    assert f"key {run.record.key} = SHA-256 of fit, test list and evaluation" in run.why
    assert [scored.record.spec.split.rule for scored in given.scored] == ["hard", "general"]
    assert GENUINE in " ".join(run.why)
