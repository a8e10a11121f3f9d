"""Records in one piece."""

import csv
import io

import pandas as pd
import pytest
from records import make_provenance

from results.errors import ResultsError
from results.maintenance.export import frame, json_lines, parquet_bytes
from results.record import decode_record


def test_lines_hold_whole_records(spec, record):
    records = [record(spec(fit__seed=seed, split_seed=seed), auroc=0.5 + seed / 7) for seed in (2, 0, 1)]
    text = json_lines(records)
    assert [decode_record(line.encode()) for line in text.splitlines()] == sorted(
        records, key=lambda one: one.spec.name
    )


def test_a_frame_has_one_row_a_run(spec, record):
    table = frame([record(spec(split__shots=None), auroc=1 / 3), record()])
    rows = list(csv.DictReader(io.StringIO(table.to_csv(index=False))))
    assert [(row["shots"], float(row["auroc"])) for row in rows] == [("10", 0.75), ("", 1 / 3)]
    assert list(frame([])) == []


def test_a_frame_holds_what_made_each_number(spec, record):
    made = spec(
        fit__params={"lr": 0.1, "heads": "s,p"},
        split__options={"limit_test": 9},
        deviations=["size 32", "one epoch"],
    )
    provenance = make_provenance(libraries={"torch": "2.9"}, environment={"MKL_CBWR": "AVX2"}, git_dirty=True)
    (row,) = frame([record(made, provenance=provenance, notes=["stopped once"])]).to_dict("records")
    assert (row["param.lr"], row["param.heads"], row["split.limit_test"]) == (0.1, "s,p", 9)
    assert (row["deviations"], row["notes"]) == ("size 32; one epoch", "stopped once")
    assert (row["library.torch"], row["environment"], row["git_dirty"]) == ("2.9", "MKL_CBWR=AVX2", True)
    assert (row["train_normal_images"], row["evaluation_batch"]) == (1131, 48)
    assert row["test_fingerprint"] == made.test


def test_a_parameter_that_a_run_lacks_is_missing_and_its_column_keeps_its_type(spec, record):
    table = frame([record(spec(fit__params={"steps": 2, "on": True})), record(spec(fit__params={"lr": None}))])
    assert str(table["param.steps"].dtype) == "Int64"
    assert str(table["param.on"].dtype) == "boolean"
    assert table["param.steps"].isna().sum() == table["param.on"].isna().sum() == 1
    assert table["param.lr"].isna().all()


def test_values_of_several_types_under_one_name_are_texts(spec, record):
    table = frame([record(spec(fit__params={"size": value})) for value in (2, "per_dataset", True)])
    assert sorted(table["param.size"]) == ["2", "per_dataset", "true"]


def test_parquet_holds_the_frame(spec, record):
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    table = frame([record(spec(fit__seed=seed, fit__params={"lr": seed or None})) for seed in range(3)])
    again = pd.read_parquet(io.BytesIO(parquet_bytes(table)))
    assert list(again) == list(table)
    assert again.to_csv() == table.to_csv()


def test_without_pyarrow_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("results.maintenance.export.find_spec", lambda _: None)
    with pytest.raises(ResultsError, match=r"Parquet needs pyarrow: pip install 'swanbench\[parquet\]', or take"):
        parquet_bytes(pd.DataFrame())
