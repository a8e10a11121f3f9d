"""Papers of this package and of others: a broken one costs itself alone, and says why where it is asked for."""

import pytest
import strangers
from msgspec import structs

from reports.errors import ReportError
from reports.layouts import layout, papers
from reports.layouts.paper_check import check_paper
from reports.layouts.papers import our_papers
from reports.pages import render
from reports.tables import table


@pytest.fixture
def site(tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "site"


def toml(old, new):
    assert old in strangers.PAPER
    return {"paper_toml": strangers.PAPER.replace(old, new, 1)}


def values(old, new):
    assert old in strangers.VALUES
    return {"values_csv": strangers.VALUES.replace(old, new, 1)}


def test_papers_of_this_package_stand_in_the_order_of_their_short_forms():
    assert [paper.paper for paper in our_papers()] == ["dra", "agad", "ahl", "csi_gan", "qsco"]
    assert papers.short_forms() == {"DRA": ["1", "2", "3", "4", "7", "8", "9"], "AGAD": ["5"]}


@pytest.mark.parametrize("paper", our_papers(), ids=lambda paper: paper.paper)
def test_a_paper_of_this_package_is_held_to_what_others_are(paper):
    check_paper(structs.replace(paper, short_forms=[]), (papers.PAPERS_FOLDER / paper.paper).name)


def test_a_paper_of_another_package_is_found_by_its_entry_point(site):
    strangers.paper(site)
    assert papers.broken_papers() == {}
    assert layout.auc_table_ids()[-1] == layout.table_ids()[-1] == "mine:1"
    printed = layout.auc_layout(" Mine:1 ")
    mean = dict(printed.published_cells[2].coordinates)
    assert [subset.coordinates["known_class"] for subset in printed.subsets(mean)] == ["bar", "dot"]
    assert [printed.source(dict(place.coordinates)) is None for place in printed.published_cells] == [
        False,
        False,
        False,
        True,
    ]
    text = render.render_table(
        table.build_table(printed, [], measures=lambda _: (), versions={}, show="published"), "md"
    )
    assert "| Tiny    | Mean        | 0.850±0.012 | 0.700  |" in text
    with pytest.raises(ReportError, match="did you mean 'mine:1'"):
        layout.find_layout("mien:1")


def test_doubts_of_another_paper_stand_below_its_table(site):
    strangers.paper(
        site,
        errata_csv="paper,table,dataset,printed,expected,kind,explanation\nmine,1,tiny,0.850,0.851,paper_mean,Odd.\n",
    )
    (doubt,) = layout.auc_layout("mine:1").errata
    assert (doubt.paper, doubt.coordinates, doubt.expected) == ("mine", {"dataset": "tiny"}, "0.851")


def test_a_figure_of_another_paper_is_found(site):
    boxes = (
        '[boxes.2]\ntitle = "Scores"\nmethod = "bright"\nrule = "labelled_share"\ngammas = ["0.05"]\ndatasets = []\n'
    )
    strangers.paper(site, paper_toml=f"{strangers.PAPER}{boxes}")
    assert (layout.figure_ids()[-1], layout.score_figure_ids()[-1]) == ("mine:2", "mine:2")
    assert layout.figure_layout("mine:2").title == "Figure 2 of Mine: Scores"


MEAN = 'when = { known_class = "mean" }, over = "known_class"'
WITHOUT_PARTS = "dataset,known_class,method,mean\ntiny,mean,brightest,0.850\n"
BROKEN = {
    "no toml": (toml("paper", "= paper"), "not valid TOML"),
    "nested too deep": ({"paper_toml": "paper = " + "[" * 9000 + "]" * 9000}, "recursion"),
    "no paper": ({"paper_toml": "paper = 3"}, "Expected `str`"),
    "an unknown key": (toml("runs = 3", "rums = 3"), "unknown field `rums`"),
    "another id": (toml('paper = "mine"', 'paper = "yours"'), "let it be the entry point's name, 'mine'"),
    "a table of two words": (toml("[tables.1]", '[tables."1 a"]'), "matching regex"),
    "short forms": (toml("runs = 3", 'runs = 3\nshort_forms = ["2"]'), "which only papers of swanbench have"),
    "no file": (toml("values.csv", "gone.csv"), "gone.csv cannot be read"),
    "no number": (values("0.800", "o.8"), "'o.8' of tiny, dot, brightest is no number"),
    "no finite number": (values("0.020", "nan"), "'nan' of tiny, dot, brightest is no number"),
    "a lacking column": (values("known_class", "class"), "values.csv has no column known_class"),
    "a lacking value": (values("tiny,dot", "tiny"), "line 3 has 4 values for 5 columns"),
    "a line twice": (values("dot", "bar"), "two lines for tiny, bar, brightest"),
    "a foreign coordinate": (toml('columns = ["method"]', 'columns = ["gamma"]'), "names gamma, which is none"),
    "no dataset": (toml('coordinates = ["dataset", ', "coordinates = ["), "names dataset, which is none"),
    "no rule": (toml('rule = "hard"', ""), "[tables.1] of paper.toml has no rule"),
    "a mean of nothing": ({"values_csv": WITHOUT_PARTS}, "has no parts: tiny, mean, brightest"),
    "no table of facts": (
        toml('rule = "hard"', 'rule = "hard"\nclass_counts = "9"'),
        "names 9, which is none of its facts",
    ),
    "no group": (toml(MEAN, f'{MEAN}, group = "some"'), "names some, which is none of the groups"),
    "a group in itself": (toml(MEAN, 'when = { dataset = "tiny" }, over = "dataset", group = "all"'), "tiny in tiny"),
    "a group of any value": (toml(MEAN, 'over = "dataset", group = "all"'), "with the dataset that stands for it"),
    "no classes": (toml(MEAN, 'over = "normal_class"'), "needs classes.tiny"),
    "no other table": (toml(MEAN, f'{MEAN}, of = "7"'), "names 7, which is none of the tables"),
    "a mean over nothing": (toml(MEAN, 'over = "gamma"'), "names gamma, which is none of the coordinates"),
    "a figure of three": (toml("[tables.1]", "[figures.1]"), "needs one coordinate in rows and one in columns"),
    "odd doubts": ({"errata_csv": "table,printed\n"}, "errata.csv has no column paper, expected, kind, explanation"),
}


@pytest.mark.parametrize(("files", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_paper_costs_itself_alone(site, files, reason):
    strangers.paper(site, **files)
    assert reason in papers.broken_papers()["mine"]
    assert layout.auc_layout("2").id == "dra:2"
    assert not [name for name in layout.table_ids() if name.startswith("mine:")]
    with pytest.raises(ReportError, match="the plug-in 'mine' cannot be used: ") as caught:
        layout.find_layout("mine:1")
    assert reason in str(caught.value)


FACTS = """
[facts.2]
title = "Images"
caption = "Images."
file = "facts.csv"
coordinates = ["dataset"]
key = "dataset"
columns = ["test_anomaly"]
measured = ["test_anomaly"]
measured_by = "images"
rows = ["dataset"]
"""


def test_facts_of_another_paper_are_found(site):
    strangers.paper(site, paper_toml=f"{strangers.PAPER}{FACTS}", facts_csv="dataset,test_anomaly\ntiny,5\n")
    assert layout.find_layout("mine:2").lines[0].facts == {"test_anomaly": "5"}
    assert "mine:2" in layout.table_ids()
    assert "mine:2" not in layout.auc_table_ids()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('key = "dataset"', 'key = "method"', "names method, which is none of its coordinates"),
        ('measured = ["test_anomaly"]', 'measured = ["images"]', "names images, which is none of its columns"),
        ('rows = ["dataset"]', 'rows = ["type"]', "names type"),
        ('rows = ["dataset"]', 'rows = ["dataset"]\nsums = { tiny = "every" }', "names every, which is none of the groups"),
        ('measured_by = "images"', 'measured_by = "network_parameters"', "and networks, or neither"),
        ('measured_by = "images"', 'measured_by = "hand"', "Invalid enum value 'hand'"),
        ('columns = ["test_anomaly"]', 'columns = ["test_anomaly", "type"]', "facts.csv has no column type"),
    ],
)  # fmt: skip
def test_facts_that_do_not_fit_are_told(site, old, new, reason):
    assert old in FACTS
    strangers.paper(
        site, paper_toml=f"{strangers.PAPER}{FACTS.replace(old, new)}", facts_csv="dataset,test_anomaly\ntiny,5\n"
    )
    assert reason in papers.broken_papers()["mine"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("printed", "must name a paper's folder as package:folder"),
        ("nowhere_at_all:paper", "no package nowhere_at_all"),
        ("printed:gone", "is no folder"),
        ("printed:__init__.py", "is no folder"),
        ("printed:empty", "paper.toml of printed:empty cannot be read"),
    ],
)
def test_an_entry_point_that_names_no_paper_is_told(site, value, reason):
    strangers.install(site, "printed", {"swanbench.papers": {"mine": value}}, {"empty/nothing": ""})
    assert reason in papers.broken_papers()["mine"]


def test_a_taken_name_is_told_and_ours_stays(site):
    files = {"paper/paper.toml": strangers.PAPER, "paper/values.csv": strangers.VALUES}
    strangers.install(site, "odd", {"swanbench.papers": {"dra": "odd:paper", "mine": "odd:paper"}}, files)
    strangers.install(site, "even", {"swanbench.papers": {"mine": "even:paper"}}, files)
    assert "is that of a paper of swanbench" in papers.broken_papers()["dra"]
    assert "even:paper and odd:paper have the same name" in papers.broken_papers()["mine"]
    assert layout.find_layout("dra:1").paper.name == "DRA"
