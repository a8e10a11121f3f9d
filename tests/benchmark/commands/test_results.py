"""`bench results list | show | why | export` of the records that come with the package."""

import csv
import io
import json

import pytest

from results.reference import read_reference_lines, reference_records

RECORDS = list(reference_records())
FIRST_OF_SERIES = list({record.series: record for record in reversed(RECORDS)}.values())


def test_the_packaged_records_are_listed(bench):
    code, out, _ = bench("results", "list", "--results", "reference", "--json")
    assert code == 0
    assert {row["key"]: row["auroc"] for row in json.loads(out)} == {r.key: r.metrics.auroc for r in RECORDS}


@pytest.mark.parametrize("record", FIRST_OF_SERIES, ids=lambda record: record.spec.name)
def test_a_packaged_record_of_each_series_is_shown_and_explained(record, bench):
    code, out, _ = bench("results", "show", record.key[:12], "--results", "reference")
    assert (code, json.loads(out)["key"]) == (0, record.key)
    code, out, _ = bench("results", "why", record.spec.name, "--results", "reference")
    assert code == 0
    assert out.startswith(f"{record.spec.name}: AUC {record.metrics.auroc!r}")
    assert f"code digest {record.provenance.code_digest}" in out


def test_the_packaged_records_can_be_exported_and_read_again(bench):
    code, out, _ = bench("results", "export", "--format", "jsonl", "--results", "reference")
    assert code == 0
    assert sorted(read_reference_lines(out.encode(), "exported"), key=lambda r: r.key) == sorted(
        RECORDS, key=lambda r: r.key
    )


def test_images_are_exported_with_their_scores(finished, calls_in):
    bench = calls_in(finished.root, **finished.env)
    code, out, _ = bench("results", "export", "--rows", "images")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert {row["run"] for row in rows} == {row["name"] for row in finished.listed()}
    assert {row["label"] for row in rows if row["class"] == "normal"} == {"0"}
    assert {row["label"] for row in rows if row["class"] != "normal"} == {"1"}


def test_parquet_goes_to_a_file(bench, tmp_path):
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    import pandas as pd

    file = tmp_path / "runs.parquet"
    code, out, _ = bench("results", "export", "--format", "parquet", "--results", "reference", "--output", file)
    assert (code, out) == (0, "")
    assert sorted(pd.read_parquet(file)["key"]) == sorted(record.key for record in RECORDS)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--format", "jsonl", "--rows", "images"), "--format jsonl holds whole records: take csv or parquet"),
        (("--rows", "images", "--metric", "fpr_at_95_tpr"), "images hold no FPR at 95 % TPR: take --format csv and"),
    ],
)
def test_an_export_that_cannot_be_is_refused(bench, words, sentence):
    code, out, err = bench("results", "export", "--results", "reference", *words)
    assert (code, out) == (2, "")
    assert sentence in err


def test_a_name_that_is_near_is_offered(bench):
    name = RECORDS[0].spec.name
    code, _, err = bench("results", "why", name[:-1] + "x", "--results", "reference")
    assert code == 2
    assert f"in reference: did you mean '{name}'?" in err
