"""Pages of detectors: fixed headings, what recipes and records say, links that lead somewhere."""

import re
from runpy import run_path

import pytest
from recorded import record
from repository import ROOT

from benchmark.cli import status
from benchmark.views.pages.detectors import HEADINGS, DetectorPages
from benchmark.views.pages.fact_links import fact_links, with_anchors
from methods.registry import installed
from methods.registry.recipe import parse
from results.reference import reference_records
from results.store import Store

FACTS = """\
## First

| section | what it says |
|---|---|
| spec 2 | One. |

| id | what |
|---|---|
| D7 | Batches. |

## Second part

| section | what it says |
|---|---|
| spec 2 | Two. |
| spec 2.10 | Ten. |
| A1 | Scale. |
"""


@pytest.fixture(scope="module")
def pages():
    facts = (ROOT / "docs" / "facts.md").read_text(encoding="utf-8")
    return DetectorPages(installed.methods(), list(reference_records()), fact_links(facts, "../facts.md"))


def section(text, heading):
    return text.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def test_every_page_has_the_headings_in_their_order(pages):
    for info in installed.methods().values():
        assert re.findall(r"^## (.*)$", pages.page(info), re.MULTILINE) == list(HEADINGS)


def test_a_page_has_every_hyper_parameter_with_its_values_and_sources(pages):
    info = installed.get("dra")
    recipe, switches = (section(pages.page(info), heading) for heading in HEADINGS[1:3])
    for name in info.params:
        assert f"| `{name}`" in recipe
        assert f"| `{name}`" in switches
    assert re.search(r"\| `optim.lr` +\| \*\*`0.0002`\*\* +\| \*\*`0.001`\*\* +\| `0.0002` ", recipe)
    assert re.search(r"\| `optim.lr` .*official: code; paper: 4.1 +\| \[D5\]\(../facts.md#dra-d5\)", switches)
    assert re.search(r"\| `lag.classes` .*\| \[D24\]\(../facts.md#dra-d24\) +\| yes ", switches)
    assert "On `brain_mri`: `pseudo.source` = `'lag'`." in recipe


def test_the_anchor_of_every_link_stands_on_the_page_of_facts(pages):
    anchors = set(
        re.findall(
            r"^\| \[[^]]+\]{#([^}]+)} \|", with_anchors((ROOT / "docs" / "facts.md").read_text("utf-8")), re.MULTILINE
        )
    )
    linked = {
        anchor for info in pages.detectors() for anchor in re.findall(r"\(\.\./facts\.md#([^)]+)\)", pages.page(info))
    }
    assert len(linked) > 100
    assert linked <= anchors


def test_every_id_that_a_recipe_cites_is_a_link(pages):
    for info in pages.detectors():
        switches = section(pages.page(info), "Switches and their sources")
        for param in info.params.values():
            for name in (param.diff or "").split(", "):
                assert f"[{name}](../facts.md#" in switches or not name


def test_a_section_leads_to_the_chapter_of_the_ids_beside_it():
    links = fact_links(FACTS, "facts.md")
    assert links.linked("paper; spec 2", {"A1"}) == "paper; [spec 2](facts.md#second-spec-2)"
    assert links.linked("spec 2", {"D7"}) == "[spec 2](facts.md#first-spec-2)"
    assert links.linked("spec 2.10, spec 2.1, D7", ()) == (
        "[spec 2.10](facts.md#second-spec-2-10), spec 2.1, [D7](facts.md#first-d7)"
    )
    assert "| [A1]{#second-a1} | Scale. |" in with_anchors(FACTS)


def test_the_measured_cells_are_those_of_the_packaged_records(pages):
    text = pages.page(installed.get("dra"))
    cells = section(text, "Measured cells")
    for name in {packaged.spec.split.rule for packaged in reference_records()}:
        assert f"`{name}/elpv/" in cells
    assert "not comparable" in cells
    commands = re.findall(r"```sh\n(bench run [^\n]*)\n```", section(text, "The commands that made them"))
    series = {packaged.series for packaged in reference_records() if packaged.spec.fit.detector == "dra"}
    assert len(commands) == len(series)


def test_a_detector_without_runs_says_so_and_names_the_command_that_makes_some():
    text = DetectorPages(installed.methods(), []).page(installed.get("kdad"))
    assert section(text, "Measured cells").strip() == "Nothing is measured here yet."
    assert "bench run --suite general --method kdad\n" in text
    assert "facts.md#" not in text


def test_the_command_prints_the_page_with_runs_of_ones_own(tmp_path, capfd):
    store = Store(tmp_path / "runs")
    for seed, auroc in enumerate((0.7, 0.72)):
        store.put(record("mono", seed, auroc))
    assert status(["methods", "page", "dra", "--results", str(tmp_path / "runs")]) == 0
    cells = section(capfd.readouterr().out, "Measured cells")
    assert re.search(r"\| `hard/elpv/mono/dra/10` +\| official \| 2 +\| 0.731±0.021 \| \*\*0.710\*\*±0.014 ", cells)
    assert status(["methods", "page", "drx"]) == 2
    assert "did you mean 'dra'" in capfd.readouterr().err


def test_a_page_of_a_method_of_somebody_else_is_made_of_its_recipe_alone():
    recipe = (
        'id = "mine"\ntitle = "Mine | yours"\nsummary = "A summary."\ndetector = "never_there:Mine"\nversion = 1\n'
        "[capabilities]\nrules = ['general']\nanomalies = true\nindependent_scores = true\n"
    )
    info = parse(recipe, "mine.toml")
    text = DetectorPages({"mine": info}, []).page(info)
    assert text.startswith("# Mine \\| yours (`mine`)\n")
    assert section(text, "Numbers of the history").strip() == (
        "The recipe does not say what the numbers of a fit's history are."
    )
    assert section(text, "Switches and their sources").strip() == "There are none."


def test_the_documentation_has_a_page_of_each_detector_in_its_navigation(tmp_path):
    gone = tmp_path / "detectors" / "gone.md"
    gone.parent.mkdir()
    gone.write_text("A detector that is no more.")
    run_path(str(ROOT / "docs" / "made_pages.py"))["write_pages"](tmp_path)
    ids = {info.id for info in installed.methods().values() if info.variant_of is None}
    assert {path.stem for path in gone.parent.glob("*.md")} == ids | {"index"}
    listed = (gone.parent / "index.md").read_text("utf-8").partition("```{toctree}\n:hidden:\n\n")[2]
    assert set(listed.removesuffix("\n```\n").split("\n")) == ids
