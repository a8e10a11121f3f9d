"""Doubts of the audit in whole sentences, each laid at the right door."""

import pytest

from reports.layouts import layout
from reports.layouts.errata import erratum_sentences
from reports.layouts.papers import our_papers
from reports.layouts.published import Erratum


def sentences(name):
    chosen = layout.find_layout(name)
    return [erratum_sentences(erratum, chosen.paper) for erratum in chosen.errata]


def test_a_slip_of_our_transcription_is_not_laid_at_the_paper_s_door():
    slips = [text for text in sentences("dra:2") if "OCR text repeats" in text or "OCR text skipped" in text]
    assert len(slips) == 3
    assert slips[0].startswith(
        "AITEX, Broken end, DevNet, one-shot: a slip of our first transcription, not of the paper: it had 0.552±0.006, "
        "the paper prints 0.712±0.069. The OCR text repeats the KDAD cell;"
    )
    chosen = layout.auc_layout("dra:3")
    ours = [erratum_sentences(erratum, chosen.paper) for erratum in chosen.errata if erratum.kind.startswith("ocr_")]
    assert len(ours) == 2
    assert all("a slip of our first transcription, not of the paper: a " in text for text in ours)


def test_a_misprint_of_the_paper_names_both_values():
    (text,) = sentences("dra:7")
    assert text.startswith(
        "MVTec AD, Deep SAD, ten-shot: the paper prints 0.830, its own cells give 0.8312. Printed 0.830;"
    )


@pytest.mark.parametrize("name", layout.table_ids())
def test_every_doubt_is_whole_sentences_without_names_of_files(name):
    for text in sentences(name):
        subject, _, rest = text.partition(": ")
        assert "_" not in subject
        assert rest
        assert text.endswith(".")
        assert "+-" not in text
        assert ".csv" not in text


def test_a_figure_has_no_doubts_of_the_table_of_its_number():
    assert layout.find_layout("dra:5").errata
    assert layout.figure_layout("dra:5").errata == ()


def test_a_kind_of_another_paper_is_printed_beside_what_is_expected():
    paper = our_papers()[0]
    doubt = Erratum("mine", "1", {}, "0.850", "0.851", "typo", "odd")
    assert erratum_sentences(doubt, paper) == "The whole table: the paper prints 0.850, where 0.851 is expected. Odd."
    silent = Erratum("mine", "1", {"dataset": "sdd"}, "", "", "note", "no shots are given.")
    assert erratum_sentences(silent, paper).endswith(": No shots are given.")
