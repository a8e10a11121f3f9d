"""`run --audit-selection` and `report --selection`: what the best epoch on the test images would be worth."""

import csv
import json
from io import StringIO

import pytest
from msgspec import UNSET, structs

from benchmark.paths import AUDITS_FOLDER
from reports.comparison.selection import render_selection, selection_audits
from results.store import Store


@pytest.fixture(scope="module")
def audited(new_house):
    """A house with one audited run of DevNet, of two epochs, and no other; for reading only."""
    house = new_house("audited")
    words = ("--method", "devnet", "--known-class", "dot", "--seed", "0", "--threads", "1", "--audit-selection")
    house.done = house.run(*words)
    assert house.done.returncode == 0, house.done.stderr
    return house


def test_an_audited_run_is_printed_and_stands_in_no_table_and_no_list(audited, bench):
    assert "would print" in audited.done.stdout
    (record,) = Store(audited.results / AUDITS_FOLDER).records()
    assert len(record.audit) == len(record.history["loss"])
    assert record.audit[-1] == record.metrics.auroc
    assert record.provenance.test_evaluations == len(record.audit) + 1
    assert list(Store(audited.results).records()) == []
    code, out, _ = bench("results", "list", "--results", audited.results / AUDITS_FOLDER)
    assert "devnet" not in out
    code, out, err = bench("report", "--table", "1", "--results", audited.results / AUDITS_FOLDER, "--format", "csv")
    assert code == 0
    assert "1 audit of selection not counted" in err
    code, out, _ = bench("check", "--against", "published", "--results", audited.results / AUDITS_FOLDER)
    assert code == 4


def test_a_second_audit_is_cached_and_an_ordinary_run_is_not(audited):
    words = ("--method", "devnet", "--known-class", "dot", "--seed", "0", "--threads", "1")
    assert "1 run: all cached" in audited.run(*words, "--audit-selection").stderr
    assert "1 missing" in audited.run(*words, "--plan").stdout


def test_a_detector_that_cannot_be_scored_between_epochs_says_so(house):
    done = house.bench(
        "run", "--suite", house.suite, "--method", "deep_sad", "--weights", "random", "--audit-selection"
    )
    assert done.returncode == 2
    assert "Deep SAD cannot be scored between epochs" in done.stderr


def test_formats_of_the_report_hold_the_same(audited, bench):
    where = ("--results", audited.results)
    said = {form: bench("report", "--selection", *where, "--format", form)[1] for form in ("md", "csv", "json")}
    (line,) = csv.DictReader(StringIO(said["csv"]))
    (entry,) = json.loads(said["json"])
    assert {name: str(value) for name, value in entry.items() if name != "aurocs"} == line
    assert entry["best"] == max(entry["aurocs"])
    assert f"{entry['gap']:.4f}" in said["md"]
    assert bench("report", "--selection", "--format", "latex")[0] == 2
    assert bench("report", "--selection", "--table", "1")[0] == 2


def test_last_best_and_gap_by_hand(audited):
    (record,) = Store(audited.results / AUDITS_FOLDER).records()

    (audit,) = selection_audits([structs.replace(record, audit=[0.5, 0.75, 0.75, 0.6])])
    assert (audit.last, audit.best, audit.best_epoch, audit.gap) == (0.6, 0.75, 2, pytest.approx(0.15))
    assert selection_audits([structs.replace(record, audit=UNSET)]) == []
    assert "would print 0.750 here, 0.150 more." in render_selection([audit], "md")
    assert "No run was audited" in render_selection([], "md")
