import csv
import json
from io import StringIO

import pytest
from repository import SHARED

from reports.errors import ReportError
from reports.layouts import layout
from reports.pages import facts, render

PUBLISHED = SHARED / "published"
SDD = facts.Facts(
    {"train_normal": 857, "test_normal": 286, "test_anomaly": 54, "anomaly_classes": 1},
    "three quarters of 1143 are 857",
)
ELPV = facts.Facts(
    {"train_normal": 1131, "test_normal": 377, "test_anomaly": 715, "anomaly_classes": 2}, "never printed, all agree"
)


def counted(measured, **options):
    return facts.build_fact_table(layout.find_layout("dra:5"), measured, **options)


def rows(table):
    found = list(csv.DictReader(StringIO(render.render_table(table, "csv"))))
    return {row["dataset"]: row for row in found}


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the audited transcription is not beside this checkout")
@pytest.mark.parametrize(("name", "file"), [("dra:5", "dra_table5"), ("agad:8", "agad_table8")])
def test_csv_repeats_the_audited_facts_verbatim_then_what_is_measured(name, file):
    chosen = layout.find_layout(name)
    found = list(csv.reader(StringIO(render.render_table(facts.build_fact_table(chosen, {}, show="published"), "csv"))))
    shown = [*chosen.entry.coordinates, *chosen.entry.columns]
    assert found[0] == [*shown, *(f"measured_{column}" for column in chosen.entry.measured), "note"]
    with (PUBLISHED / f"{file}.csv").open(newline="") as handle:
        lines = list(csv.DictReader(handle))
    assert set(lines[0]) == {"paper", "table", "transcription", "note", *shown}
    assert [line[: len(shown)] for line in found[1:]] == [[line[column] for column in shown] for line in lines]
    assert all(not any(line[len(shown) :]) for line in found[1:])


def test_counts_stand_beside_the_published_ones():
    found = rows(counted({"sdd": SDD, "elpv": ELPV}))
    assert found["sdd"]["train_normal"] == "594"
    assert found["sdd"]["measured_train_normal"] == "857"
    assert found["sdd"]["note"] == "three quarters of 1143 are 857"
    assert (found["elpv"]["measured_test_anomaly"], found["elpv"]["note"]) == ("715", "")
    assert (found["optical"]["measured_train_normal"], found["optical"]["note"]) == ("", "")


def test_what_differs_is_marked_and_explained():
    text = render.render_table(counted({"sdd": SDD, "elpv": ELPV}), "md")
    assert "| SDD          | texture | 594 / **857** ≠ [1] | 286 / **286** | 54 / **54**   | 1 / **1**       |" in text
    assert "| 1131 / **1131**     |" in text
    assert "- [1] three quarters of 1143 are 857" in text
    assert "- ≠ differs from what the paper prints" in text
    assert "never printed" not in text
    assert "594 contradicts" not in text  # the audit's own sentence stands once, among the errata
    assert "the paper prints 594 train / 286 test, where 857 / 286 is expected" in text


def test_mvtec_ad_is_the_sum_of_its_categories():
    categories = layout.find_layout("dra:5").paper.groups["mvtec_ad"]
    one = facts.Facts({"train_normal": 10, "test_normal": 2, "test_anomaly": 5, "anomaly_classes": 3})
    every = rows(counted(dict.fromkeys(categories, one)))
    assert (every["mvtec_ad"]["measured_train_normal"], every["mvtec_ad"]["measured_anomaly_classes"]) == ("150", "45")
    some = rows(counted(dict.fromkeys(categories[:4], one)))
    assert (some["mvtec_ad"]["measured_train_normal"], some["mvtec_ad"]["note"]) == ("", "4 of 15 are there")
    assert "3629 / – [1] " in render.render_table(counted(dict.fromkeys(categories[:4], one)), "md")


def test_published_sums_of_mvtec_ad_agree_with_the_rows():
    lines = {dict(line.coordinates)["dataset"]: line.facts for line in layout.find_layout("dra:5").lines}
    for column in layout.find_layout("dra:5").entry.measured:
        every = sum(int(lines[name][column]) for name in layout.find_layout("dra:5").paper.groups["mvtec_ad"])
        assert every == int(lines["mvtec_ad"][column])


@pytest.mark.parametrize("show", ["published", "measured", "both"])
def test_show_chooses_the_side(show):
    table = counted({"sdd": SDD}, show=show)
    sdd = rows(table)["sdd"]
    assert sdd["train_normal"] == ("" if show == "measured" else "594")
    assert sdd["measured_train_normal"] == ("" if show == "published" else "857")
    text = render.render_table(table, "md")
    assert ("857 ≠" in text.replace("**", "")) == (show != "published")
    assert ("594 /" in text) == (show == "both")
    found = json.loads(render.render_table(table, "json"))
    (row,) = [row for row in found["rows"] if row["coordinates"] == {"dataset": "sdd"}]
    assert (row["published"] is None) == (show == "measured")
    assert (row["measured"] is None) == (show == "published")


def test_json_of_facts():
    found = json.loads(render.render_table(counted({"sdd": SDD}), "json"))
    assert found["table"] == "dra:5"
    (row,) = [row for row in found["rows"] if row["coordinates"] == {"dataset": "sdd"}]
    assert row["published"]["train_normal"] == "594"
    assert row["measured"] == {
        "train_normal": "857",
        "test_normal": "286",
        "test_anomaly": "54",
        "anomaly_classes": "1",
    }
    assert row["note"] == "three quarters of 1143 are 857"
    assert {one["kind"] for one in found["errata"]} == {"paper_dataset_stat"}


def test_latex_of_facts_marks_what_differs():
    text = render.render_table(counted({"sdd": SDD}), "latex")
    assert r"SDD & texture & 594 & 286 & 54 & 1 \\" in text
    assert r" &  & \textit{857} $\neq$\tnote{1} & \textit{286} & \textit{54} & \textit{1} \\" in text
    assert text.isascii()


def test_size_and_speed_of_agad_s_generators():
    shown = facts.fact_page(
        facts.build_fact_table(layout.find_layout("agad:8"), {"agad_unet": facts.Facts({"params_millions": 7.76})})
    )
    assert shown.blocks[0].columns == ("Parameters (M)", "Inference (ms)")
    unet = shown.blocks[0].rows[1]
    assert unet.labels == ("AGAD, UNet",)
    assert [(cell.published, cell.measured, cell.mark) for cell in unet.cells] == [
        ("7.76", "7.76", ""),
        ("5.41", "", ""),
    ]


def test_facts_are_no_table_of_aucs():
    with pytest.raises(ReportError, match=r"holds no AUCs: print it with bench report --table agad:8"):
        layout.auc_layout("agad:8")
    assert not {"dra:5", "agad:8"} & {*layout.auc_table_ids()}
