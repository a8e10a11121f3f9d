"""The page on what reproduces says of every measured cell one of three things, and what is still open."""

from runpy import run_path
from statistics import fmean, stdev

import msgspec
import pytest
import records
from repository import ROOT
from table_records import make_table_record

from benchmark.planning.equivalence import detector_versions, measures
from benchmark.planning.suite import load_suite
from benchmark.views.runs.reproduction import (
    PRECISION_BOUND,
    RunQueue,
    load_queue,
    precision_differences,
    reproduction_page,
)
from methods.devices import DEFAULT_PRECISION
from reports.comparison.deviations import deviation_effects
from reports.stats.sample import std_interval
from results.reference import reference_records

SUITE = ROOT / "results" / "reference" / "campaign" / "elpv_hard.toml"


@pytest.fixture
def page():
    def build(runs, suites=(), hours=None):
        queue = RunQueue(suites, hours or {})
        text = reproduction_page(list(runs), queue, measures=measures(), versions=detector_versions())
        return dict(part.split("\n\n", 1) for part in text.removeprefix("## ").split("\n\n## "))

    return build


def test_the_page_of_the_docs_has_every_packaged_cell_and_the_campaign():
    page = (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")
    built = run_path(str(ROOT / "docs" / "made_pages.py"))["filled"]("reproduction", page)
    outcomes = built[built.index("## Reproduces") : built.index("## Draws and trainings")]
    cells = {line.split("`")[1] for line in outcomes.splitlines() if line.startswith("| `")}
    assert {"hard/elpv/mono/dra/10", "general/elpv/dra/10"} <= cells
    assert load_suite(str(SUITE)).title in built


def test_without_records_nothing_is_claimed(page):
    sections = page([], [load_suite(str(SUITE))])
    assert {sections[name] for name in ("Reproduces", "Does not", "Cannot be said")} == {"No cell."}
    assert sections["Draws and trainings"] == "No cell has two runs."
    assert sections["One setting changed"] == "No two runs differ in one setting alone."
    rows = [line for line in sections["Still open"].splitlines() if "| dra " in line]
    assert [cell.strip() for cell in rows[0].strip("|").split("|")][2:] == ["0", "10", "not measured", "–"]


def test_hours_are_estimated_where_no_fit_tells_them_and_a_run_of_two_suites_counts_once(page):
    hard = load_suite(str(SUITE))
    text = page([], [hard, load_suite(str(SUITE.with_name("ahl_elpv_hard.toml")))], {"dra": 1.5})["Still open"]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[4:]]
    assert rows[0] == [hard.title, "dra", "0", "10", "1.5 (estimated)", "15"]
    assert [row[1] for row in rows] == ["dra", "devnet", "ahl_dra", "ahl_devnet"]


def test_the_packaged_queue_has_every_suite_of_its_folder_and_hours_of_every_method(page):
    queue = load_queue(SUITE.with_name("queue.toml"))
    files = [load_suite(str(file)).id for file in SUITE.parent.glob("*.toml") if file.name != "queue.toml"]
    assert sorted(suite.id for suite in queue.suites) == sorted(files)
    assert "not measured" not in page(list(reference_records()), queue.suites, queue.hours)["Still open"]


def test_what_is_made_is_open_no_more_and_tells_the_hours(page):
    made = list(reference_records())
    sections = page(made, [load_suite(str(SUITE))])
    (row,) = [line for line in sections["Still open"].splitlines() if "| dra " in line]
    _, _, done, missing, hours, total = (cell.strip() for cell in row.strip("|").split("|"))
    assert int(done) + int(missing) == 10
    assert int(done) >= 4
    assert float(total) == pytest.approx(int(missing) * float(hours), abs=1 + 0.05 * int(missing))


def test_each_run_of_the_queue_stands_with_its_machine(page):
    packaged = [record for record in reference_records() if record.spec.method == "dra"]
    made = page(packaged, [load_suite(str(SUITE))])["Made"]
    hard = [record for record in packaged if record.spec.split.rule == "hard" and not record.spec.split.options]
    shown = [record for record in hard if record.spec.split_seed == record.spec.fit.seed]
    assert made.count("`hard-elpv-mono-dra") == len(shown) >= 8
    blocks = made.split("numerics class ")[1:]
    for record in shown:
        (block,) = (block for block in blocks if f"`{record.spec.name}`" in block)
        assert block.startswith(f"`{record.provenance.numerics_class}`")
        assert f"| {record.metrics.auroc:.3f} |" in block
    assert "`general-elpv" not in made


def test_runs_of_one_draw_tell_trainings_apart(page):
    packaged = [
        record
        for record in reference_records()
        if (record.spec.method, record.spec.split.rule, record.spec.fit.precision) == ("dra", "hard", "bf16")
    ]
    record = packaged[0]
    fit = msgspec.structs.replace(record.spec.fit, seed=record.spec.fit.seed + 100)
    spec = msgspec.structs.replace(record.spec, fit=fit)
    again = records.make_record(spec, 0.9, provenance=record.provenance, counts=record.counts)
    rows = [line for line in page([*packaged, again])["Draws and trainings"].splitlines() if "`" in line]
    assert "–" not in rows[0]
    *_, runs, _, training, _, _ = (cell.strip() for cell in rows[0].strip("|").split("|"))
    std = stdev([0.9, record.metrics.auroc])
    low, high = std_interval(std, int(runs) - len(packaged))
    assert training == f"{std:.3f} ({low:.3f} to {high:.3f})"


def test_scatter_is_told_for_each_precision_beside_the_series_that_a_table_shows(page):
    rows = page(list(reference_records()))["Draws and trainings"].splitlines()
    cells = [tuple(cell.strip() for cell in row.split("|")[1:3]) for row in rows if "`" in row]
    assert {("`hard/elpv/mono/dra/10`", "bf16"), ("`hard/elpv/mono/dra/10`", "fp32")} <= {*cells}
    assert len({*cells}) == len(cells)


def test_runs_compute_in_fp32_by_default_until_twins_agree_on_another_precision():
    differences = precision_differences(deviation_effects(reference_records()))["bf16", "fp32"]
    assert abs(fmean(differences)) <= PRECISION_BOUND or DEFAULT_PRECISION == "fp32"


@pytest.mark.parametrize(
    ("differences", "said"),
    [
        ((0.05, -0.05, 0.02), "all 3 pairs of all cells: mean difference +0.007 (-0.121 to +0.134), within 0.01."),
        ((0.05, 0.03), "all 2 pairs of all cells: mean difference +0.040 (-0.087 to +0.167), not within 0.01."),
    ],
)
def test_precisions_are_compared_over_all_cells(page, differences, said):
    pairs = []
    for known_class, values in (("mono", differences[:1]), ("poly", differences[1:])):
        for seed, difference in enumerate(values):
            twin = make_table_record(0.6, known_class=known_class, seed=seed)
            fit = msgspec.structs.replace(twin.spec.fit, precision="fp32")
            spec = msgspec.structs.replace(twin.spec, fit=fit)
            pairs += [twin, records.make_record(spec, 0.6 + difference, provenance=twin.provenance)]
    assert f"fp32 against bf16, {said}" in page(pairs)["One setting changed"]
