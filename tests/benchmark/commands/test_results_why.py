"""`bench results why` of runs and cells, and the ways from a table to them."""

import csv
import io
import json
from statistics import mean, stdev

import pytest

from reports.stats.sample import Sample
from reports.stats.thresholds import MARGIN
from reports.stats.verdict import judge
from results.reference import reference_records

MONO = sorted(
    (
        record
        for record in reference_records()
        if record.spec.method == "dra"
        and record.spec.split.known_class == "mono"
        and record.spec.fit.precision == "bf16"
    ),
    key=lambda record: record.spec.fit.seed,
)
CELL = "hard/elpv/mono/dra/10"


@pytest.fixture
def why(bench):
    def ask(name, folder="reference"):
        code, out, err = bench("results", "why", name, "--results", folder)
        return code, " ".join(out.split()), err

    return ask


def test_a_run_is_explained_by_its_cell_counts_losses_and_what_bears_on_it(why):
    record = MONO[0]
    code, out, _ = why(record.spec.name)
    assert code == 0
    loss = record.history["loss"]
    assert f"cell {CELL}: ELPV, Mono, DRA, ten-shot" in out
    assert "published DRA Table 2 (also 3, 8): 0.731±0.021, 3 runs" in out
    aucs = [run.metrics.auroc for run in MONO]
    ours = Sample(mean(aucs), stdev(aucs), len(aucs))
    for printed in (Sample(0.731, 0.021, 3), Sample(0.735, 0.008, 3)):  # DRA's own value, and AHL's rerun
        said = f"{printed.mean}±{printed.std}, 3 runs"
        assert (
            f"Ours: not comparable ({judge(printed, ours, MARGIN).verdict})"
            in out.partition(said)[2].partition("published")[0]
        )
    assert "trained on 1131 normals and 10 anomalies, tested on 377 normals and 402 anomalies" in out
    assert f"loss {loss[0]:.4g} to {loss[-1]:.4g}" in out
    assert "weights resnet18 custom:9400829f: another file than the one that torchvision publishes" in out
    assert "assumption: reference.test_mode = 'redraw_per_batch'" in out
    assert "head.abs = true (D2, D42)" in out


def test_parameters_of_pools_are_no_assumption_of_a_run_that_has_none(why):
    assert MONO[0].spec.fit.pools == {}
    assert "assumption: lag.classes" not in why(MONO[0].spec.name)[1]


def test_a_run_of_another_series_says_that_its_mean_is_made_of_others(why):
    first = next(
        record
        for record in reference_records()
        if record.spec.method == "dra"
        and record.spec.split.known_class == "mono"
        and record.spec.fit.precision == "fp32"
    )
    assert f"this run is not part of that mean, another series stands there: {MONO[0].spec.name}" in why(first.key)[1]
    assert "this run is not part of that mean" not in why(MONO[0].key)[1]


def test_a_cell_names_its_runs_each_of_which_is_explained(why):
    code, out, _ = why(CELL)
    assert code == 0
    for record in MONO:
        assert f"{record.spec.name} {record.metrics.auroc:.4f} loss" in out
    assert why(out.rpartition("bench results why ")[2])[0] == 0


def test_the_cell_of_a_mean_counts_only_the_runs_of_its_subsets(why):
    _, out, _ = why("hard/elpv/mean/dra/10")
    assert "Ours: missing (1 of 2 subsets measured)" in out
    assert "402 anomalies" in out
    assert "705 anomalies" not in out


def test_a_cell_without_runs_says_so(why):
    assert "no run of ours is there: bench run makes one" in why("hard/elpv/mono/devnet/10")[1]


def test_a_run_that_no_paper_prints_says_so(finished, calls_in):
    bench = calls_in(finished.root, **finished.env)
    (name, *_) = [row["name"] for row in finished.listed()]
    code, out, _ = bench("results", "why", name)
    assert code == 0
    assert "no paper prints it" in out
    assert "recipe quick: a small budget, never comparable with the paper" in out
    assert "random: the trunk started from nothing" in out


def test_a_unique_beginning_of_a_name_is_that_run(why):
    name = MONO[0].spec.name
    assert why(name[:-4])[1].startswith(f"{name}: AUC")


def test_a_beginning_that_several_have_lists_them(why):
    code, out, err = why("hard-elpv-mono-dra-10-s0")
    assert (code, out) == (2, "")
    names = sorted(record.spec.name for record in reference_records() if "mono-dra-10-s0-" in record.spec.name)
    assert (
        err == f"bench: 'hard-elpv-mono-dra-10-s0' is the beginning of 2 runs, give more of one: {', '.join(names)}\n"
    )


def test_an_empty_name_is_no_run(why):
    code, _, err = why("")
    assert code == 2
    assert "no run ''" in err


def test_a_cell_that_is_nearly_one_is_offered(why):
    code, _, err = why("hard/elpv/mono/drra/10")
    assert code == 2
    assert "did you mean 'hard/elpv/mono/dra/10'?" in err


@pytest.mark.parametrize("form", ["md", "latex", "html", "csv", "json"])
def test_a_table_names_the_runs_of_its_cells(bench, form):
    code, out, _ = bench("report", "--table", "2", "--runs", "--format", form, "--results", "reference")
    assert code == 0
    assert [record.spec.name for record in MONO if record.spec.name not in out.replace("{}", "")] == []


def test_the_runs_of_csv_and_json_stand_beside_their_cell(bench):
    _, out, _ = bench("report", "--table", "2", "--runs", "--format", "csv", "--results", "reference")
    rows = [row for row in csv.DictReader(io.StringIO(out)) if row["runs"] and row["method"] == "dra"]
    assert [(row["known_class"], row["runs"].split()) for row in rows] == [("mono", [r.spec.name for r in MONO])]
    _, out, _ = bench("report", "--table", "2", "--format", "json", "--results", "reference")
    measured = [cell for cell in json.loads(out)["cells"] if cell["measured"]]
    (cell,) = [cell for cell in measured if cell["coordinates"]["method"] == "dra"]
    assert [seed["runs"] for seed in cell["measured"]["seeds"]] == [[record.spec.name] for record in MONO]


@pytest.mark.parametrize("words", [("--cell", CELL), ("--table", "dra:5")])
def test_runs_are_named_in_tables_of_aucs_alone(bench, words):
    code, _, err = bench("report", *words, "--runs")
    assert code == 2
    assert "--runs" in err
    assert "leave it out" in err


def test_an_unknown_verb_of_results_is_nearly_one(bench):
    code, _, err = bench("results", "wy")
    assert (code, err) == (2, "bench: unknown verb 'wy': did you mean 'why'?\n")


def test_a_cell_of_data_of_ones_own_names_its_runs(finished):
    (run,) = [run for run in finished.listed() if (run["method"], run["known_class"]) == ("dra", "dot")]
    for name in ("hard/tiny/dot/dra/10", "hard/tiny/dot/dra[img_size=32]/10"):
        done = finished.bench("results", "why", name)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{name}: no paper prints it\nruns\n  {run['name']}  {run['auroc']:.4f}")
        assert f"more of one run: bench results why {run['name']}" in done.stdout
    missing = finished.bench("results", "why", "hard/tiny/dot/dra[img_size=64]/10")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "no cell 'hard/tiny/dot/dra[img_size=64]/10'" in missing.stderr


def test_a_name_without_its_digest_is_that_run_though_longer_names_begin_with_it(why):
    name = "general-elpv-dra-10-s1"
    alike = [record.spec.name for record in reference_records() if record.spec.name.startswith(name)]
    assert {found.rpartition("-")[0] for found in alike} == {name, f"{name}.0"}
    code, out, _ = why(name)
    assert code == 0
    assert f"{name}.0" not in out.partition("\n")[0]
