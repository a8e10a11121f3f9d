"""Published sources of a cell across papers: what each is, who measured it, and which of them are evidence."""

import csv

import pytest

from reports.layouts import layout, papers
from reports.layouts.papers import PAPERS_FOLDER
from reports.tables import table
from reports.tables.sources import independent_sources, pooled_sources, published_sources


@pytest.fixture(scope="module")
def index():
    return published_sources()


def kinds(sources):
    return [(source.paper, source.layout.table, source.kind) for source in sources]


def test_a_cell_knows_its_sources(index):
    sources = index.of("hard/elpv/mean/dra/10")
    assert kinds(sources) == [("dra", "2", "paper"), ("ahl", "8", "rerun"), ("qsco", "5", "rerun")]
    assert [source.value.mean_text for source in sources] == ["0.766", "0.771", "0.705"]
    assert [(source.n, source.n_known) for source in sources] == [(3, True), (3, True), (3, False)]
    assert sources[0].also == ("3", "8")
    assert sources[2].by == "Qsco's authors, another laboratory"


def test_quotes_are_no_evidence(index):
    sources = index.of("general/carpet/flos/10")
    assert kinds(sources) == [("dra", "1", "paper"), ("ahl", "7", "quoted")]
    assert (sources[1].by, sources[1].original) == ("DRA", "")
    assert independent_sources(sources) == [sources[0]]


@pytest.mark.parametrize("dataset", ["head_ct", "hyper_kvasir"])
def test_copies_of_a_rerun_are_quotes(index, dataset):
    paper, rerun, copy = index.of(f"general/{dataset}/dra/1")
    assert [source.kind for source in (paper, rerun, copy)] == ["paper", "rerun", "quoted"]
    assert (copy.value.mean_text, copy.value.std_text) == (rerun.value.mean_text, rerun.value.std_text)
    assert copy.by == rerun.by == "AHL's authors, DRA's first author among them"
    assert "copied" in copy.value.note


def test_quotes_have_the_digits_of_the_paper_but_for_the_errata(index):
    wrong = {
        cell: (source.paper, source.original)
        for cell in index.ids
        for source in index.of(cell)
        if source.kind == "quoted" and source.original
    }
    assert wrong == {
        "general/sdd/mlep/10": ("ahl", "0.983±0.013"),
        "general/sdd/kdad": ("ahl", "0.888±0.005"),
        "general/mvtec_ad/kdad": ("ahl", "0.861±0.009"),
    }
    doubts = [(doubt.coordinates["dataset"], doubt.coordinates["method"]) for doubt in _doubts("ahl", "misquote")]
    assert doubts == [("sdd", "kdad"), ("mvtec_ad", "kdad"), ("sdd", "mlep")]


def _doubts(paper, kind):
    names = [name for name in layout.auc_table_ids() if name.startswith(f"{paper}:")]
    return [doubt for name in names for doubt in layout.auc_layout(name).errata if doubt.kind == kind]


def test_three_hundred_and_sixty_cells_are_quoted_class_by_class(index):
    quoted = [
        source
        for cell in index.ids
        for source in index.of(cell)
        if source.layout.id in {"ahl:7", "ahl:8"} and source.kind == "quoted"
    ]
    assert len(quoted) == 360


def test_a_value_that_a_paper_prints_in_two_tables_is_one_source(index):
    for cell in index.ids:
        sources = index.of(cell)
        digits = [(source.paper, source.value.mean_text, source.value.std_text) for source in sources]
        assert len(digits) == len(set(digits)), cell
        assert len(independent_sources(sources)) <= len({source.paper for source in sources})


def test_three_sources_have_a_mean(index):
    assert pooled_sources(index.of("hard/elpv/mono/dra/10"), 1.0) is None
    pooled = pooled_sources(index.of("hard/elpv/mean/dra/10"), 1.0)
    assert (pooled.sources, round(pooled.mean, 4), round(pooled.tau, 4)) == (3, 0.7549, 0.0278)
    percent = pooled_sources(index.of("hard/elpv/mean/dra/10"), 100.0)
    assert percent.mean == pytest.approx(100 * pooled.mean)
    assert percent.tau == pytest.approx(100 * pooled.tau)


def test_a_copy_is_marked_in_the_transcription():
    with (PAPERS_FOLDER / "qsco" / "qsco.csv").open(newline="") as file:
        noted = {
            (row["dataset"], row["method"], row["shots"]) for row in csv.DictReader(file) if "copied" in row["note"]
        }
    declared = papers.find_paper("qsco").tables["4"].quoted
    assert {(rule.when["dataset"], rule.when["method"], rule.when["shots"]) for rule in declared} == noted


def test_an_unknown_number_of_runs_counts_as_three_and_is_said():
    paper = papers.find_paper("qsco")
    assert (paper.runs, paper.counted_runs, paper.runs_text) == ("unknown", 3, "an unknown number of runs")


def test_the_errata_of_later_papers():
    found = {
        name: [(doubt.kind, doubt.coordinates["dataset"]) for doubt in layout.auc_layout(name).errata]
        for name in ("ahl:4", "ahl:7", "ahl:8", "qsco:4")
    }
    assert found == {
        "ahl:4": [("misquote", "sdd"), ("misquote", "mvtec_ad")],
        "ahl:7": [("misquote", "sdd"), ("look", "head_ct")],
        "ahl:8": [("paper_mean", "mastcam")],
        "qsco:4": [("copy", "head_ct"), ("copy", "hyper_kvasir")] * 2,
    }


def test_patchcore_measures_the_reference_points_of_ahl(record):
    runs = [
        record(
            0.78 + 0.001 * seed,
            method="patchcore",
            dataset="aitex",
            known_class=None,
            shots=None,
            rule="general",
            seed=seed,
        )
        for seed in range(3)
    ]
    built = table.build_table(
        layout.auc_layout("ahl:4"), runs, measures=lambda run: [run.spec.method], versions={"patchcore": 1}
    )
    (cell,) = [cell for cell in built.cells if cell.measured]
    assert (cell.coordinates["dataset"], cell.coordinates["method"]) == ("aitex", "patchcore")
    assert cell.published.std is None
    assert cell.verdict.comparison.difference == pytest.approx(0.781 - 0.783)


def test_every_method_of_ahls_table_is_measured_by_one_of_ours():
    printed = layout.auc_layout("ahl:8")
    unmeasured = {
        cell["method"]
        for cell in (dict(line.coordinates) for line in printed.published_cells)
        if not printed.source(cell)
    }
    assert unmeasured == set()
