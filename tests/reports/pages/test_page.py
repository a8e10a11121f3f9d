"""The page of a table: what it says, that it is safe whatever names say, and that it is small."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from reports.layouts import layout
from reports.pages import render
from reports.pages.html.build import json_element, result_page
from reports.pages.html.evidence import PageEvidence, Picture, PictureSheet, RunEvidence
from reports.pages.html.output import render_page
from reports.tables import table
from results.scores import Scores

HOSTILE = "</script><img onerror=alert(1) src=x>"


def build(records, name="2", **options):
    options = {"measures": lambda record: {record.spec.method}, "versions": {"dra": 1}} | options
    return table.build_table(layout.auc_layout(name), records, **options)


def evidence(records, *, scores=None, pictures=None, why=("made by hand",), **fields):
    runs = {}
    for run in records:
        lines = (*why, f"seed {run.spec.fit.seed}")
        runs.setdefault(run.series, []).append(RunEvidence(run, lines, scores, pictures))
    return PageEvidence(runs=runs, remake=lambda made: f"bench run {len(made)}", **fields)


def made_scores(*classes):
    labels = ("normal",) * 40 + tuple(name for name in classes for _ in range(30))
    values = np.arange(len(labels), dtype=np.float64) % 37 + 5 * np.arange(len(labels)) / len(labels)
    return Scores(tuple(f"image{number}" for number in range(len(labels))), labels, values)


class Elements(HTMLParser):
    """Elements of a page with their attributes; complains of those that are not closed in order."""

    VOID = ("br", "meta", "input", "img", "link")

    def __init__(self, text):
        super().__init__()
        self.open, self.elements = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def ids(self):
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


@pytest.fixture
def five(record):
    return [record(0.70 + 0.01 * seed, seed=seed) for seed in range(5)]


def test_every_link_has_its_place_and_every_place_one_name(five):
    page = Elements(render_page(build(five), evidence(five, scores=made_scores("poly"))))
    links = [attributes["href"].removeprefix("#") for attributes in page.of("a")]
    assert len(links) > 20
    assert set(links) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_a_measured_cell_leads_to_its_panel_and_to_its_runs(five):
    page = result_page(build(five), evidence(five))
    (panel,) = page.cells
    assert (panel.anchor, panel.id, panel.title) == (
        "hard/elpv/mono/dra/10",
        "hard/elpv/mono/dra/10",
        "ELPV, Mono, DRA, ten-shot",
    )
    assert [(line.seeds, line.value) for line in panel.runs][:2] == [("0", "0.7000"), ("1", "0.7100")]
    assert [line.key for line in panel.runs] == [run.key for run in five]
    assert {line.anchor for line in panel.runs} == {run.anchor for run in page.runs}
    assert panel.command == "bench run 5"
    assert dict(panel.numbers)["Published, AHL Table 8, rerun"] == "0.735±0.008"
    assert dict(panel.numbers)["Ours"] == "0.720±0.016 (5 splits)"


def test_why_a_cell_does_not_count_is_said_in_whole_sentences(record):
    records = [record(0.6, seed=seed, weights="custom:9400829f") for seed in range(2)]
    given = evidence(records, explain=lambda reason: f"Sentence on {reason}.")
    (panel,) = result_page(build(records), given).cells
    assert panel.sentences[:2] == (
        "This number does not count beside the paper's:",
        "Sentence on weights resnet18 custom:9400829f.",
    )
    assert panel.verdict.name == "not_comparable"
    assert panel.verdict.words.startswith("not comparable (would be ")


def test_a_comparable_cell_says_so(five):
    (panel,) = result_page(build(five), evidence(five)).cells
    assert (
        panel.sentences[0] == "Recipe, weights, data and image size are the paper's, so this number counts beside it."
    )


def test_a_failed_cell_has_a_panel_with_its_error(record):
    page = result_page(build([record(failed="out of memory")]))
    panel = next(panel for panel in page.cells if panel.id == "hard/elpv/mono/dra/10")
    assert (panel.verdict.name, panel.sentences[0]) == ("failed", "Seed 0 failed: out of memory.")
    assert 'href="#hard/elpv/mono/dra/10">why</a>' in render_page(build([record(failed="out of memory")]))


def test_a_mean_names_the_runs_of_each_part(record):
    records = [record(0.7, seed=0), record(0.8, seed=0, known_class="poly")]
    panels = {panel.id: panel for panel in result_page(build(records), evidence(records)).cells}
    lines = panels["hard/elpv/mean/dra/10"].runs
    assert [(line.value, bool(line.key)) for line in lines] == [("0.7500", False), ("0.7000", True), ("0.8000", True)]


def test_lines_that_runs_share_stand_once(five):
    page = result_page(build(five), evidence(five))
    (settings,) = page.settings
    assert (settings.lines, settings.runs) == (("made by hand",), 5)
    assert [run.own for run in page.runs] == [(f"seed {seed}",) for seed in range(5)]
    assert {run.settings for run in page.runs} == {settings.anchor}


def test_runs_that_the_table_does_not_count_are_named_too(record):
    shown, other, failed = record(0.7), record(0.6, params={"optim.lr": 1.0}), record(seed=1, failed="no memory")
    given = evidence([shown], runs_at=lambda keys: [shown, other, failed] if "mono" in keys[0].coordinates else [])
    (panel,) = [panel for panel in result_page(build([shown]), given).cells if panel.id == "hard/elpv/mono/dra/10"]
    weights = "resnet18 genuine:resnet18-f37072fd.pth"
    assert [(line.name, line.value, line.remark) for line in panel.runs] == [
        (shown.spec.name, "0.7000", ""),
        (other.spec.name, "0.6000", f"not counted here: recipe official, bf16, {weights}"),
        (failed.spec.name, "–", "failed"),
    ]


def test_a_run_alone_says_all_of_itself(record):
    (run,) = result_page(build([record()]), evidence([record()])).runs
    assert (run.own, run.settings) == (("made by hand", "seed 0"), "")


def test_missing_cells_have_the_command_that_runs_them(five):
    asked = []

    def fill(table_layout, keys):
        asked.append((table_layout.id, len(keys), {key.method for key in keys}))
        return "bench run --all-of-it"

    page = result_page(build(five), PageEvidence(fill=fill))
    by_group = {line.group: line for line in page.missing}
    assert (by_group["DRA, ten-shot"].missing, by_group["DRA, ten-shot"].cells) == (29, 30)
    assert by_group["DRA, one-shot"].command == "bench run --all-of-it"
    assert ("dra:2", 29, {"dra"}) in asked


def test_counts_stand_beside_what_would_be_expected(five):
    page = result_page(build(five))
    (line,) = page.counts
    assert (line.group, line.measured, line.cells, line.comparable) == ("DRA, ten-shot", 1, 30, 1)
    assert sum(int(count) for count, _ in line.counts) == 1
    assert sum(float(expected) for _, expected in line.counts) == pytest.approx(1, abs=0.2)


def test_a_verdict_is_a_colour_a_mark_and_a_word(five):
    text = render_page(build(five))
    assert re.search(
        r'<span class="chip consistent"[^>]*><span aria-hidden="true">∼</span> consistent ±0\.\d{3}</span>', text
    )


def test_methods_of_plug_ins_are_ranked_with_the_papers(record):
    records = [
        record(value + 0.01 * row, method=method, known_class=known_class)
        for row, known_class in enumerate(("mono", "poly"))
        for method, value in (("mine", 0.9), ("dra", 0.7))
    ]
    built = build(records, versions={}, added_methods=["mine"], titles={"mine": "My Method"})
    charts = {chart.title: chart for chart in result_page(built).rankings}
    assert charts["Our means, ten-shot"].methods == ("My Method", "DRA")
    assert charts["Our means, ten-shot"].wins == (("", "2"), ("0", ""))
    assert len(charts["Published means, one-shot"].methods) == 6


def test_data_that_the_script_reads_are_those_of_the_csv(five):
    built = build(five)
    page = Elements(render_page(built))
    data = json.loads(re.search(r'id="data">(.*?)</script>', render_page(built), re.DOTALL)[1])
    assert data["coordinates"] == ["dataset", "known_class", "method", "shots"]
    lines = render.render_table(built, "csv").splitlines()[1:]
    assert [",".join(cell) for cell in data["cells"]] == lines
    numbered = [int(attributes["data-n"]) for attributes in page.of("td") if "data-n" in attributes]
    assert set(numbered) == set(range(len(data["cells"])))


@pytest.mark.parametrize("text", [HOSTILE, "<!--<script>", '"><svg onload=alert(1)>', "a\u2028b&lt;"])
def test_json_in_a_page_cannot_end_its_element(text):
    element = json_element({"name": text})
    assert not re.search(r"[<>&]", element)
    assert json.loads(element)["name"] == text


def test_hostile_names_stay_texts(record):
    records = [
        record(0.7, seed=0, deviations=[HOSTILE], notes=[HOSTILE], method=HOSTILE, dataset="elpv"),
        record(
            0.7,
            seed=1,
            deviations=[HOSTILE],
            failed=None,
            code=HOSTILE,
            numerics=HOSTILE,
            history={HOSTILE: [1.0, 0.5]},
        ),
    ]
    sheet = PictureSheet((Picture("data:image/jpeg;base64,AA", HOSTILE, HOSTILE, 0.5),), (), HOSTILE, HOSTILE)
    given = evidence(records, scores=made_scores(HOSTILE), pictures=sheet, why=(HOSTILE,))
    built = build(records, added_methods=[HOSTILE], titles={HOSTILE: HOSTILE})
    text = render_page(built, given)
    page = Elements(text)
    assert len(page.of("script")) == 2
    assert {attributes["src"] for attributes in page.of("img")} == {"data:image/jpeg;base64,AA"}
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "&lt;/script&gt;&lt;img" in text


def test_a_page_asks_for_nothing_from_elsewhere(five):
    text = render_page(build(five), evidence(five, scores=made_scores("poly")))
    addresses = [
        value
        for _, attributes in Elements(text).elements
        for name, value in attributes.items()
        if name in {"src", "href"}
    ]
    assert not [address for address in addresses if not address.startswith("#")]
    assert "url(" not in text
    assert "@import" not in text


def test_table_2_with_its_own_elpv_runs_is_below_300_kb(record):
    """Ten seeds of both classes with scores and losses of 30 epochs, as much as the package's own campaign may hold."""
    history = {name: [1 / (epoch + 1) for epoch in range(30)] for name in ("loss", "lr")}
    records = [
        record(0.7, seed=seed, known_class=name, history=history) for seed in range(10) for name in ("mono", "poly")
    ]
    why = [f"  parameter.{number} = {number}" for number in range(60)]
    text = render_page(build(records), evidence(records, scores=made_scores("poly"), why=why))
    assert len(text.encode()) < 300_000


def test_published_values_alone_make_a_page_without_empty_parts():
    page = Elements(render_page(build([], show="published")))
    assert {"table", "methods", "notes"} <= set(page.ids)
    assert not {"forests", "cells", "runs", "seen"} & set(page.ids)


@pytest.mark.parametrize("name", layout.auc_table_ids())
def test_every_table_has_a_page(name):
    page = Elements(render_page(build([], name)))
    assert page.of("h1")


def test_another_metric_is_shown_without_verdicts(record):
    from reports.tables.measured import CellValue
    from results.metrics import METRICS

    value = CellValue(METRICS["average_precision"], lambda run: run.metrics.average_precision)
    text = render_page(build([record()], value=value), evidence([record()]))
    assert "Average precision" in text
    assert 'class="chip' not in text
