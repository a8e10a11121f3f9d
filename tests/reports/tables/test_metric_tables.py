"""Tables of another metric than the paper prints: its values in the places of the AUCs, and nothing published."""

import csv
import json
from io import StringIO

import pytest

from reports.errors import ReportError
from reports.figures import plots
from reports.layouts import layout
from reports.pages.render import render_table
from reports.tables import table
from reports.tables.measured import CellValue
from results.metrics import AUROC, METRICS

FPR = METRICS["fpr_at_95_tpr"]
ELPV = {"dataset": "elpv", "known_class": "mono", "method": "dra", "shots": "10"}


def build(records, name="2", metric=FPR, number=lambda record: record.metrics.auroc / 2, **options):
    options = {"measures": lambda record: {record.spec.method}, "versions": {}} | options
    return table.build_table(layout.auc_layout(name), records, value=CellValue(metric, number), **options)


def cell(built, **at):
    (found,) = [one for one in built.cells if at.items() <= one.coordinates.items()]
    return found


def test_its_mean_over_seeds_stands_where_the_auc_stood_and_nothing_is_published(record):
    built = build([record(0.5, seed=0), record(0.7, seed=1)])
    found = cell(built, **ELPV)
    assert dict(found.measured.per_seed) == {(0, 0): 0.25, (1, 1): 0.35}
    assert (found.measured.mean, found.measured.test_std) == (pytest.approx(0.3), None)
    assert (found.published, found.verdict.name, found.verdict.comparison) == (None, "missing", None)
    assert len(built.cells) == 396
    assert [place for place in built.cells if place.measured] == [found]


def test_title_caption_and_columns_name_it_with_its_unit(record):
    built = build([record(0.5)])
    page = render_table(built, "md")
    assert page.startswith("# FPR at 95 % TPR, laid out as Table 2 of DRA: AUC in the hard setting")
    caption = "FPR at 95 % TPR as a fraction, lower is better. Measured mean±std over seeds; no published value."
    assert caption in page
    assert "**0.250**" in page
    assert "0.731" not in page
    assert " / " not in page.partition("## Measured cells")[0]
    assert "| no published value |" in page
    (row,) = [row for row in csv.DictReader(StringIO(render_table(built, "csv"))) if row["fpr_at_95_tpr_mean"]]
    assert (row["fpr_at_95_tpr_mean"], row["published_mean"], row["verdict"]) == ("0.250", "", "")
    content = json.loads(render_table(built, "json"))
    assert (content["metric"], content["unit"], content["show"]) == (
        "FPR at 95 % TPR as a fraction, lower is better",
        "fraction",
        "measured",
    )
    assert {one["published"] for one in content["cells"]} == {None}
    assert "in percent" in render_table(build([], "csi_gan:1"), "md")


def test_the_default_is_the_number_that_the_record_holds(record):
    plain = {"measures": lambda record: {record.spec.method}, "versions": {}}
    made = [record(0.5, seed=0), record(0.72, seed=1)]
    for form in ("md", "csv", "json", "latex", "html"):
        own = build(made, metric=AUROC, number=lambda record: record.metrics.auroc)
        assert render_table(own, form) == render_table(table.build_table(layout.auc_layout("2"), made, **plain), form)


def test_percent_is_for_fractions_only(record):
    runs = [
        record(
            0.8,
            method="csi_gan",
            dataset="cifar10",
            rule="one_class",
            known_class=None,
            shots=None,
            normal_class=str(at),
        )
        for at in range(10)
    ]
    at = {"dataset": "cifar10", "method": "csi_gan"}
    assert cell(build(runs, "csi_gan:1"), **at).measured.mean == pytest.approx(40)
    counted = build(runs, "csi_gan:1", FPR._replace(id="loss", title="loss", unit="nats"))
    assert cell(counted, **at).measured.mean == pytest.approx(0.4)
    assert (counted.metric, counted.unit) == ("Loss in nats, lower is better", "nats")


def test_it_takes_the_column_of_the_auc_and_other_numbers_have_none(record):
    """The ablation of CSI-GAN prints AUROC and FID side by side."""
    built = build([], "csi_gan:ablation")
    assert {one.coordinates["metric"] for one in built.cells} == {"fpr_at_95_tpr"}
    assert len(built.cells) == 3
    run = {"method": "csi_gan", "dataset": "cifar10", "rule": "one_class", "known_class": None, "shots": None}
    runs = [record(0.8, normal_class=str(at), history={"fid": [90.0]}, **run) for at in range(10)]
    page = render_table(build(runs, "csi_gan:ablation").measured_part(), "md")
    assert "| FPR at 95 % TPR |" in page.partition("\n## ")[0]
    assert "FID |" not in page
    assert "**40.0**" in page


def test_a_run_without_it_is_left_out_and_a_cell_without_any_says_so(record):
    def number(run):
        return None if run.spec.fit.seed == 1 else 0.25

    both = [record(seed=0), record(seed=1)]
    part = cell(build(both, number=number), **ELPV).measured
    assert (list(part.per_seed), part.notes[-1]) == ([(0, 0)], "a run has no FPR at 95 % TPR")
    empty = cell(build([record(seed=1)], number=number), **ELPV)
    assert (empty.measured, empty.verdict.name) == (None, "missing")
    assert empty.verdict.reasons == ("a run has no FPR at 95 % TPR",)


def test_a_run_worse_than_chance_is_noted(record):
    remark = "a run has an FPR at 95 % TPR above 0.95"
    for number, noted in ((0.96, True), (0.95, False), (0.4, False)):
        made = cell(build([record(0.5)], number=lambda _, value=number: value), **ELPV)
        assert (remark in made.measured.notes) == noted


def test_no_paper_has_it_to_be_shown_alone():
    with pytest.raises(ReportError, match=r"Table 2 of DRA.* has no FPR at 95 % TPR: leave out --metric"):
        build([], show="published")


def test_a_figure_has_it_on_its_axis(record):
    pytest.importorskip("matplotlib", reason="the extra plots is not installed")
    chosen = layout.figure_layout("dra:5")
    built = table.build_table(
        chosen, [], measures=lambda _: (), versions={}, value=CellValue(FPR, lambda record: record.metrics.auroc)
    )
    picture = plots.draw_dots(built, "svg").decode()
    assert ">FPR at 95 % TPR as a fraction, lower is better<" in picture
    assert ">published<" not in picture


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_a_verdict_names_the_side_whichever_is_the_better_one(record, better):
    """A made-up paper prints the metric: ours is above the published 0.731."""
    metric = AUROC._replace(better=better)
    runs = [record(0.9 + at / 1000, seed=at) for at in range(3)]
    found = cell(build(runs, metric=metric, number=lambda run: run.metrics.auroc), **ELPV)
    assert found.verdict.name == "higher"
