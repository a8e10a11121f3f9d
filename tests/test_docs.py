"""What the pages of documentation tell people to type or copy works, and what they claim is so."""

import re
import sys
import tomllib
from collections import defaultdict
from importlib.metadata import EntryPoint
from runpy import run_path
from statistics import fmean
from types import SimpleNamespace

import fault_table
import numpy as np
import page_outputs
import pytest
import settling_rates
import split_pictures
import strangers
import verdict_pictures
import verdict_rates
from pictures import save_picture
from repository import ROOT
from typing_in import parses

from benchmark.cli import status
from benchmark.execution.listeners.trackers import TRACKER_GROUP, TrackedFit, Trackers
from benchmark.planning.suite import load_suite
from methods.registry import installed
from protocols.catalogue import data_folder, recognition
from protocols.datasets.registry import DATASET_GROUP, dataset_info
from protocols.splits.draw.ranking import first_ids, rank
from reports.comparison import reruns
from reports.judgement.entries import CELL_FIELDS, GROUP_FIELDS
from reports.layouts import layout, papers
from reports.stats.verdict import Sample, judge
from results import reference

PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
COMMANDS = sorted(
    {found for page in PAGES.values() for found in re.findall(r"(?<![\w-])(bench [a-z][^`|&#\n]*)", page)}
)


def code(page, language):
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)


@pytest.mark.parametrize("text", [text for text in COMMANDS if " " in text and ". " not in text])
def test_a_command_can_be_typed(text):
    parses(text)


def test_anybody_can_draw_a_split_from_the_page_alone():
    space: dict = {}
    exec(code("splits", "python")[0], space)
    ids = [f"images/cell{number:04d}.png" for number in range(300)]
    assert space["rank"]("elpv", "anomaly", "3", ids[0]) == rank("elpv", "anomaly", "3", ids[0])
    assert space["draw"]("elpv", "anomaly", "3", ids, 10) == first_ids("elpv", "anomaly", "3", ids, 10)


def test_three_runs_against_three_prove_equivalence_once_in_fifty():
    assert "in one of fifty attempts" in PAGES["verdicts"]
    draw, proven = np.random.default_rng(0), 0
    for _ in range(3000):
        ours, theirs = draw.normal(0.8, 0.02, (2, 3))
        samples = [Sample(float(side.mean()), float(side.std(ddof=1)), 3) for side in (theirs, ours)]
        proven += judge(*samples, 0.02).verdict == "reproduced"
    assert 0.01 < proven / 3000 < 0.03


def rows_of(page, heading):
    """Rows of the first table below a heading as lists of texts."""
    below = PAGES[page].partition(f"## {heading}")[2]
    table = re.search(r"(\|.*\n)+", below).group().splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table[2:]]


@pytest.mark.parametrize(("table", "heading"), [("1", "Cells of Table 1"), ("2", "Cells of Table 2")])
def test_the_rates_of_the_page_are_those_of_the_rules(table, heading):
    """Forty papers beside the page's hundred: shares of some 10,000 cells agree within three points."""
    rates = verdict_rates.cell_rates(table, 40)
    rows = rows_of("verdict_rates", heading)
    assert [(int(row[0]), float(row[1])) for row in rows] == list(rates)
    for row, shares in zip(rows, rates.values(), strict=True):
        assert [float(cell) for cell in row[2:]] == pytest.approx([100 * share for share in shares.values()], abs=3)


def test_the_rates_of_later_seeds_are_those_of_the_rules():
    """Forty papers beside the page's 400, of the same seed but other draws: shares of 13,200 cells within two points."""
    table = re.search(r"(\|.*\n)+", PAGES["settling"].partition(settling_rates.START)[2]).group().splitlines()
    rows = {
        (row[0], float(row[1])): row[3:]
        for row in ([cell.strip() for cell in line.strip("|").split("|")] for line in table[2:])
    }
    rates = settling_rates.rates(draws=40)
    assert rows.keys() == rates.keys()
    for place, shares in rates.items():
        assert [float(cell) for cell in rows[place]] == pytest.approx(
            [shares[word] for word in settling_rates.VERDICT_NAMES], abs=2
        )


def test_one_look_more_keeps_the_errors_that_the_page_promises():
    """Where nothing differs, at most four cells in 100 are called different after one look; at the margin no more than
    5 in 100 are called reproduced, however often one looks.
    """
    rates = settling_rates.rates(draws=40)
    once = rates["one look at three, open cells to ten", 0.0]
    assert once["higher"] + once["lower"] < 5
    assert all(shares["reproduced"] < 5 for (_, difference), shares in rates.items() if difference <= -0.02)


def test_chances_that_are_foretold_come_true():
    """Of some 220 open cells the share decided has a standard error of 0.03: three of them, and what the prior misses."""
    for chance, share in settling_rates.foretold(0.0, draws=1).values():
        assert share == pytest.approx(chance, abs=0.12)


def test_the_rates_of_methods_are_those_of_the_rules():
    """150 tables beside the page's 1,500 at three runs: three standard errors are 13 points."""
    rates = verdict_rates.table_rates(150, (3,))
    rows = {
        (int(row[0]), float(row[1]), float(row[2])): row[3:] for row in rows_of("verdict_rates", "A method in a table")
    }
    for place, counts in rates.items():
        shares = [100 * counts[word] / 150 for word in (*verdict_rates.TABLE_WORDS, "told")]
        assert [float(cell) for cell in rows[place]] == pytest.approx(shares, abs=13)


def test_the_rates_of_the_gate_are_those_of_the_rules():
    """100 tables beside the page's 1,000 at three runs: three standard errors are 16 points."""
    rates = verdict_rates.gate_rates(100, (3,))
    rows = {(int(row[0]), row[1]): row[2:] for row in rows_of("verdict_rates", "The gate on Table 2")}
    for place, counts in rates.items():
        assert [float(cell) for cell in rows[place]] == pytest.approx(
            [counts[status] for status in ("alarm", 0, 3, 4)], abs=16
        )


def test_the_pictures_of_the_pages_can_be_made_again():
    named = set(re.findall(r"figures/(\w+)\.svg", PAGES["splits"] + PAGES["verdicts"] + PAGES["verdict_rates"]))
    rates = {"cells": verdict_rates.cell_rates("2", 1), "gate": verdict_rates.gate_rates(2, (3, 5, 10))}
    made = verdict_pictures.pictures(rates["cells"], rates["gate"]) | {"splits": split_pictures.picture()}
    assert set(made) == named == {path.stem for path in (ROOT / "docs" / "figures").glob("*.svg")}
    for name in ("words", "three_runs", "prediction", "readings", "splits"):
        assert made[name].startswith(b"<?xml")


def test_the_page_of_table_2_is_built_with_the_documentation(tmp_path):
    made = run_path(str(ROOT / "docs" / "made_pages.py"))
    made["write_table_page"](tmp_path)
    page = (tmp_path / made["RESULT_PAGE"]).read_text(encoding="utf-8")
    assert f'href="{made["RESULT_PAGE"]}' in PAGES["pages"]
    assert "hard-elpv-mono-dra-10-s0-30403168" in page
    assert "are estimated from compressed copies" in page


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on the path for the package of the page, which stays imported in no other test."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield folder
    for module in ("my_package", "my_package.bolts"):
        sys.modules.pop(module, None)


@pytest.mark.parametrize("value", ["my_package:bolts.toml", "my_package.bolts:DATASETS"])
def test_the_dataset_of_the_page_can_be_prepared(tmp_path, site, monkeypatch, value):
    facts = code("extending", "toml")[1]
    mapping = "from protocols.datasets.fact_files import parse_facts\nfrom msgspec.structs import replace\n"
    mapping += f"FACTS = parse_facts({facts!r}, 'bolts.toml')['bolts']\n"
    mapping += "DATASETS = {'bolts': replace(FACTS, prepare=prepare, digest='')}\n"
    strangers.install(
        site, "my_package", {}, {"bolts.toml": facts, "bolts.py": code("extending", "python")[0] + mapping}
    )
    point = EntryPoint("bolts", value, DATASET_GROUP)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda *, group: [point])
    for name in ("ok", "bent", "rusty"):
        for number in range(4):
            pixels = np.full((8, 8), 10 * number + len(name), dtype=np.uint8)
            save_picture(tmp_path / "raw" / name / f"{number:03d}.png", pixels)
    info = dataset_info("bolts")
    assert "my_package.bolts" not in sys.modules or value.endswith("DATASETS")
    bolts = data_folder.prepare(tmp_path / "data", "bolts", tmp_path / "raw")
    assert [row.id for row in bolts.rows][:2] == ["bent/000.png", "bent/001.png"]
    assert bolts.labels == ("bent", "rusty") == info.known_classes
    assert "where the release has" in recognition.release_doubts(info, bolts)[0]


def test_the_suite_of_the_page_can_be_read(tmp_path):
    text = code("extending", "toml")[2]
    (tmp_path / "bolts_hard.toml").write_text(text, encoding="utf-8")
    suite = load_suite(str(tmp_path / "bolts_hard.toml"))
    assert (suite.id, suite.datasets) == ("bolts_hard", {"bolts": ("bent", "rusty")})


def test_the_paper_of_the_page_is_a_table_of_published_and_measured_cells(site, capfd):
    files = {"bolted/paper.toml": code("extending", "toml")[3], "bolted/table1.csv": code("extending", "csv")[0]}
    points = tomllib.loads(code("extending", "toml")[0])["project"]["entry-points"]["swanbench.papers"]
    strangers.install(site, "my_package", {"swanbench.papers": points}, files)
    assert papers.broken_papers() == {}
    assert status(["report", "--table", "bolted:1", "--show", "published"]) == 0
    assert "| Bolts   | Mean        | 0.778±0.019 | 0.907±0.007 | 0.877  |" in capfd.readouterr().out
    printed = layout.auc_layout("bolted:1")
    sources = {
        source.method for place in printed.published_cells if (source := printed.source(dict(place.coordinates)))
    }
    assert sources == {"devnet", "mine"}


def test_the_page_of_measured_values_holds_every_packaged_series():
    on_page = run_path(str(ROOT / "docs" / "made_pages.py"))["filled"]("measured", PAGES["measured"])
    assert "<!-- tables -->" not in on_page
    by_series = defaultdict(list)
    for record in reference.reference_records():
        by_series[record.series].append(record)
    for records in by_series.values():
        by_split = defaultdict(list)
        for record in records:
            by_split[record.spec.split_seed].append(record.metrics.auroc)
        mean = f"**{fmean(map(fmean, by_split.values())):.3f}"
        listed = [f"{record.spec.name} " in on_page for record in records]
        assert mean in on_page or all(listed)


@pytest.mark.parametrize("words", re.findall(r"`bench (report --cell [^`]+)`", PAGES["sources"]))
def test_a_history_on_the_page_is_what_the_command_prints(words, capfd):
    assert status(words.split()) == 0
    assert f"````text\n{capfd.readouterr().out}````" in PAGES["sources"]


@pytest.mark.parametrize("words", [words for words, _ in page_outputs.BLOCK.findall(PAGES["doubt"])])
def test_the_walk_of_a_doubter_prints_what_the_page_says(words):
    (text,) = [text for command, text in page_outputs.BLOCK.findall(PAGES["doubt"]) if command == words]
    assert page_outputs.printed(words) == text


def test_the_published_reruns_on_the_page_are_judged_by_the_rules():
    assert f"\n{reruns.reruns_table(reruns.rerun_groups())}\n" in PAGES["sources"]


def test_the_page_of_faults_has_a_row_for_each_that_its_script_makes():
    rows = re.findall(r"^\| (.+?) \| .+ \|$", PAGES["faults"], re.MULTILINE)
    assert rows == ["fault", *fault_table.FAULTS]


def test_the_made_up_table_of_the_page_gets_the_verdicts_of_the_page(tmp_path, monkeypatch, capfd):
    for name, content in zip(("published", "measured"), code("any_table", "csv"), strict=True):
        (tmp_path / f"{name}.csv").write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (command,) = code("any_table", "sh")
    assert status(command.split()[1:]) == 3
    assert [capfd.readouterr().out] == code("any_table", "text")


def test_the_python_of_the_page_prints_what_the_page_says(capsys):
    exec(code("any_table", "python")[0], {})
    assert f"which prints `{capsys.readouterr().out.strip()}`" in PAGES["any_table"]


def test_no_packaged_supervised_run_beats_the_nearest_neighbour_as_the_page_says():
    assert "no supervised run so far beats a nearest neighbour on frozen features" in PAGES["faq"]
    runs = list(reference.reference_records())
    nearest = {run.spec.test: run.metrics.auroc for run in runs if run.spec.method == "frozen_nearest"}
    supervised = [run for run in runs if run.spec.split.shots is not None and run.spec.test in nearest]
    assert {"dra", "ahl_dra", "frozen_logistic"} <= {run.spec.method for run in supervised}
    assert [run.spec.name for run in supervised if run.metrics.auroc > nearest[run.spec.test]] == []


def test_the_page_names_each_field_of_the_json_of_any_table():
    section = PAGES["any_table"].partition("## For programs")[2]
    assert [name for name in (*CELL_FIELDS, *GROUP_FIELDS) if f"`{name}`" not in section] == []


def test_every_id_and_section_that_a_recipe_cites_is_explained():
    """By chapter of the page, since sections of the papers' notes share numbers."""
    chapters = dict(re.findall(r"^## (.*)\n((?:(?!^## ).*\n)*)", PAGES["facts"], re.MULTILINE))
    chapter_of = {"agad": "AGAD", "csi": "CSI and CSI-GAN", "csi_gan": "CSI and CSI-GAN"}
    cited = 0
    for info in installed.methods().values():
        text = chapters[chapter_of.get(info.variant_of or info.id, "DRA and the methods beside it")]
        for param in info.params.values():
            names = re.findall(r"\b[ACD]\d+b?\b", param.diff or "") + re.findall(r"spec \d+(?:\.\d+)*", param.source)
            missing = [name for name in names if f"| {name} |" not in text]
            assert missing == [], info.id
            cited += len(names)
    assert cited > 300
    ahl = [info for info in installed.methods().values() if info.base is not None]
    for param in (param for info in ahl for param in info.params.values()):
        names = re.findall(r"\bH\d+\b", param.diff or "") + re.findall(r"spec ahl \d+(?:\.\d+)*", param.source)
        assert [name for name in names if f"| {name} |" not in chapters["AHL"]] == []
    on_the_page = set(re.findall(r"\b[ACD]\d+b?\b", PAGES["fidelity"]))
    assert [name for name in sorted(on_the_page) if f"| {name} |" not in PAGES["facts"]] == []


def test_the_tracker_of_the_page_is_one(capsys):
    space: dict = {}
    exec(code("track_runs", "python")[0], space)
    fit = TrackedFit("f" * 64, "fit-tiny-dra-0", "dra", "tiny", 7, {"heads": "s"}, ROOT)
    group = Trackers({"printer": space["Printer"]()}, ROOT, pytest.fail)
    planned = SimpleNamespace(
        key=fit.key, name=fit.name, method="dra", dataset="tiny", spec=SimpleNamespace(seed=7, params=fit.params)
    )
    group.see(planned, {"done": 1, "total": 2, "loss": 0.5})
    group.finish(planned, "done", list(reference.reference_records())[:1])
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "fit fit-tiny-dra-0 of dra on tiny seed 7 {'heads': 's'}"
    assert lines[1] == "step 1 of 2 {'loss': 0.5}"
    assert lines[2].startswith("AUC 0.")
    assert lines[3:] == ["over: done"]


def test_the_pages_on_trackers_and_maps_name_all_that_there_are():
    points = tomllib.loads((ROOT / "examples" / "trackers" / "pyproject.toml").read_text())["project"]["entry-points"]
    assert [row[0] for row in rows_below("track_runs")] == [f"`{name}`" for name in points[TRACKER_GROUP]]
    named = " ".join(row[0] for row in rows_below("use_a_detector"))
    mapped = {
        info.detector_id
        for info in installed.methods().values()
        if not info.lacking() and hasattr(installed.load(info), "maps")
    }
    assert {name for name in mapped if f"`{name}`" not in named} == set()
    others = {info.detector_id for info in installed.methods().values()} - mapped - {"patchcore"}
    assert {name for name in others if f"`{name}`" in named} == set()


def rows_below(page):
    """Rows of the first table of a page as lists of texts."""
    table = re.search(r"(\|.*\n)+", PAGES[page]).group().splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table[2:]]
