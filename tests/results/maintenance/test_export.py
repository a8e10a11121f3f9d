"""Records in one piece."""

import csv
import io

from results.maintenance.export import frame, json_lines
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
