"""Records in the forms of Every Eval Ever (0.3.0) and of the Hugging Face Hub."""

import json
import re
from statistics import stdev

import msgspec
import pytest
from table_records import make_table_record

from benchmark.views.runs.exchange import eval_documents, hub_results
from results.reference import reference_records

RECORDS = [record for record in reference_records() if record.spec.method == "dra"]
"""Packaged runs of one method."""
TOP = {
    *("schema_version", "evaluation_id", "evaluation_timestamp", "retrieved_timestamp", "source_metadata"),
    *("eval_library", "model_info", "evaluation_results"),
}
"""Fields that the schema knows, of which all but the time of the evaluation are required."""
PATH = r"data/swanbench/swanbench/dra/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.json"


@pytest.fixture(scope="module")
def documents():
    return eval_documents(RECORDS, "an institute")


def test_each_run_is_a_document_at_a_path_of_its_own(documents):
    assert len(documents) == len(RECORDS)
    assert [path for path in documents if not re.fullmatch(PATH, path)] == []
    assert documents == eval_documents(RECORDS, "an institute")


def test_a_document_has_the_fields_of_the_schema(documents):
    for record, text in zip(RECORDS, documents.values(), strict=True):
        document = json.loads(text)
        assert set(document) == TOP
        assert document["schema_version"] == "0.3.0"
        assert document["source_metadata"]["source_organization_name"] == "an institute"
        assert {"deployment_type", "model_availability"} <= set(document["model_info"]["additional_details"])
        area, precision = document["evaluation_results"]
        assert area["score_details"]["score"] == record.metrics.auroc
        assert precision["score_details"]["score"] == record.metrics.average_precision
        assert area["source_data"]["source_type"] == "other"
        config = area["metric_config"]
        assert (config["score_type"], config["min_score"], config["max_score"]) == ("continuous", 0, 1)
        assert config["lower_is_better"] is False
        counts = record.counts
        assert area["score_details"]["uncertainty"]["num_samples"] == counts.test_normal + counts.test_anomaly


def test_details_are_texts(documents):
    for text in documents.values():
        document = json.loads(text)
        held = [document["model_info"]["additional_details"], document["eval_library"]["additional_details"]]
        for result in document["evaluation_results"]:
            held += [result["score_details"]["details"], result["source_data"]["additional_details"]]
        assert {type(value) for details in held for value in details.values()} == {str}


def test_a_series_is_one_value_on_the_hub_with_what_it_is_a_mean_of():
    ((path, text),) = hub_results(RECORDS, {"elpv": "owner/elpv"}).items()
    assert path == "dra/.eval_results/swanbench.yaml"
    entries = text.split("- dataset:\n")[1:]
    assert len(entries) == len({record.series for record in RECORDS})
    runs = [run for run in RECORDS if (run.spec.split.rule, run.spec.fit.precision) == ("hard", "bf16")]
    (mono,) = [entry for entry in entries if f"mean of {len(runs)} runs," in entry]
    assert mono.splitlines()[:2] == ['    id: "owner/elpv"', '    task_id: "hard_elpv_mono_10"']
    spread = stdev(run.metrics.auroc for run in runs)
    assert f"std {spread:.4f}; recipe official; weights resnet18 custom:9400829f; bf16" in mono


def test_a_value_on_the_hub_is_a_mean_over_splits_as_in_a_table():
    measured = ((0.7, 0, 0), (0.8, 1, 0), (0.85, 2, 2))
    runs = [make_table_record(value, seed=seed, split_seed=split_seed) for value, seed, split_seed in measured]
    (text,) = hub_results(runs, {"elpv": "owner/elpv"}).values()
    assert f"value: {(0.75 + 0.85) / 2!r}" in text
    assert f"mean of 3 runs on 2 splits, std {stdev([0.75, 0.85]):.4f}" in text


def test_datasets_without_an_id_on_the_hub_are_left_out():
    assert hub_results(RECORDS, {"aitex": "owner/aitex"}) == {}


def test_no_method_of_a_foreign_record_leads_out_of_the_folder():
    spec = msgspec.structs.replace(RECORDS[0].spec, method="../../etc")
    foreign = msgspec.structs.replace(RECORDS[0], spec=spec)
    paths = [*eval_documents([foreign], "x"), *hub_results([foreign], {"elpv": "o/e"})]
    assert [path for path in paths if ".." in path] == []


def export(bench, *words):
    return bench("results", "export", "--results", "reference", *words)


def test_the_command_writes_a_folder(bench, tmp_path):
    folder, every = tmp_path / "collection", list(reference_records())
    code, out, _ = export(bench, "--format", "every-eval-ever", "--output", folder)
    assert (code, out) == (0, f"{len(every)} files written below {folder}\n")
    assert len(list(folder.rglob("*.json"))) == len(every)
    hub = ["--format", "hf-eval-results", "--hub-dataset", "elpv=owner/elpv", "--output", folder]
    methods = {record.spec.method for record in every}
    assert export(bench, *hub)[:2] == (0, f"{len(methods)} files written below {folder}\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--format", "every-eval-ever"], "is a folder of files: give --output DIR"),
        (["--format", "every-eval-ever", "--rows", "images"], "take csv or parquet for --rows images"),
        (["--format", "hf-eval-results", "--output", "x"], "give --hub-dataset DATASET=ID, such as elpv=owner/name"),
        (["--format", "hf-eval-results", "--output", "x", "--hub-dataset", "elpv"], "give --hub-dataset DATASET=ID"),
        (
            ["--format", "hf-eval-results", "--output", "x", "--hub-dataset", "aitex=o/a"],
            "no finished run to export: bench results list has those that there are",
        ),
        (["--format", "every-eval-ever", "--output", "tiny.toml"], "is a file, and --format every-eval-ever writes"),
    ],
)
def test_what_cannot_be_written_is_refused(bench, words, sentence):
    code, out, err = export(bench, *words)
    assert (code, out) == (2, "")
    assert sentence in err
