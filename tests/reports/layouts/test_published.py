import csv

import pytest
from repository import SHARED

from reports.layouts import published
from reports.layouts.papers import PAPERS_FOLDER

PUBLISHED = SHARED / "published"
DRA = ["dataset", "known_class", "method", "shots"]

FILES = {
    "dra/dra_table1.csv": 264,
    "dra/dra_table2.csv": 396,
    "dra/dra_table3.csv": 150,
    "dra/dra_table4.csv": 105,
    "dra/dra_table7.csv": 72,
    "dra/dra_table8.csv": 108,
    "agad/agad_table5.csv": 54,
}


def test_audited_counts_of_values():
    counts = {
        file: sum(place.value is not None for place in published.read_cells(PAPERS_FOLDER / file, DRA[:1]))
        for file in FILES
    }
    assert counts == FILES


def test_a_value_keeps_its_printed_text_and_its_order():
    places = published.read_cells(PAPERS_FOLDER / "dra" / "dra_table2.csv", DRA)
    assert places[0].coordinates == (("dataset", "carpet"), ("known_class", "color"), ("method", "kdad"), ("shots", ""))
    value = places[0].value
    assert (value.mean_text, value.std_text) == ("0.787", "0.005")
    assert (value.mean, value.std) == (0.787, 0.005)


def test_a_dash_has_no_value_and_a_missing_std_is_none():
    assert published.read_cells(PAPERS_FOLDER / "agad" / "agad_table5.csv", ["dataset"])[0].value is None
    assert published.read_cells(PAPERS_FOLDER / "dra" / "dra_table9.csv", ["dataset"])[0].value.std is None


def test_transcription_is_kept():
    found = [
        place.value
        for place in published.read_cells(PAPERS_FOLDER / "agad" / "agad_table5.csv", ["dataset"])
        if place.value
    ]
    assert sum(value.transcription == "inferred" for value in found) == 7
    restored = [
        place.value
        for place in published.read_cells(PAPERS_FOLDER / "dra" / "dra_table2.csv", DRA)
        if place.value.transcription == "restored"
    ]
    assert len(restored) == 3
    assert all(value.note for value in restored)


def test_errata_of_a_table():
    found = published.read_errata(PAPERS_FOLDER / "dra", "dra", "7")
    assert [(one.kind, one.printed, one.expected) for one in found] == [("paper_mean", "0.830", "0.8312")]
    assert found[0].coordinates == {"protocol": "general", "dataset": "mvtec_ad", "method": "deep_sad", "shots": "10"}


def test_audit_notes_come_with_the_package():
    assert "Kinds in errata.csv" in (PAPERS_FOLDER / "AUDIT.md").read_text(encoding="utf-8")


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the audited transcription is not beside this checkout")
def test_package_data_is_the_audited_transcription():
    # Beside the transcription lie doubts about DRA alone; those about later papers are the package's own.
    doubts = {PAPERS_FOLDER / paper / "errata.csv" for paper in ("ahl", "qsco")}
    packaged = sorted({*PAPERS_FOLDER.rglob("*.csv")} - doubts, key=lambda path: path.name)
    assert [path.name for path in packaged] == sorted(path.name for path in PUBLISHED.glob("*.csv"))
    for path in packaged:
        with (PUBLISHED / path.name).open(newline="") as ours, path.open(newline="") as theirs:
            assert list(csv.reader(ours)) == list(csv.reader(theirs)), path.name
