"""Tables of suites, which no paper prints: means, places, ranks, settings as columns, tests against a baseline."""

import csv
import json
import re
from dataclasses import replace as replace_table
from functools import partial
from io import StringIO

import pytest
import records
from msgspec.structs import replace

from reports.comparison.baseline import with_baseline
from reports.errors import ReportError
from reports.layouts.suite import SettingColumns, SuiteCell, SuiteLayout, column_order, column_title
from reports.pages import render
from reports.pages.html.build import result_page
from reports.pages.html.output import render_page
from reports.pages.sentences import verdict_sentences
from reports.tables import groups, table

CLASSES = {"elpv": ("mono", "poly"), "aitex": ("cut",)}
METHODS = ("devnet", "dra", "flos")


def at(dataset, known_class, shots="10"):
    names = ("dataset", "source_dataset", "known_class", "normal_class", "shots", "gamma")
    return tuple(zip(names, (dataset, "", known_class, "", shots, ""), strict=True))


def places(methods=METHODS, classes=CLASSES):
    return [
        SuiteCell(method, "hard", at(dataset, name), "hard", at(dataset, name))
        for dataset, names in classes.items()
        for name in names
        for method in methods
    ]


def build(records, methods=METHODS, **options):
    options = {"measures": lambda run: {run.spec.method}, "versions": {}, "titles": {"dra": "DRA"}} | options
    return table.build_table(SuiteLayout("mine", "My parts", places(methods)), records, **options)


def everywhere(record, values, **options):
    """Runs of three seeds of each method at every class, a hundredth apart."""
    return [
        record(value + seed / 100, method=method, dataset=dataset, known_class=name, seed=seed, **options)
        for method, value in values.items()
        for dataset, names in CLASSES.items()
        for name in names
        for seed in range(3)
    ]


def cells(built, method):
    return {
        (cell.coordinates["dataset"], cell.coordinates["known_class"]): cell
        for cell in built.cells
        if cell.coordinates["method"] == method
    }


def test_each_dataset_counts_alike_in_the_mean_and_each_class_in_that_of_a_dataset(record):
    runs = [
        record(0.6, dataset="elpv", known_class="mono"),
        record(0.8, dataset="elpv", known_class="poly"),
        record(0.9, dataset="aitex", known_class="cut"),
    ]
    found = cells(build(runs), "dra")
    assert list(found) == [("elpv", "mono"), ("elpv", "poly"), ("elpv", "mean"), ("aitex", "cut"), ("mean", "mean")]
    assert found["elpv", "mean"].measured.mean == pytest.approx(0.7)
    assert found["mean", "mean"].measured.mean == pytest.approx((0.7 + 0.9) / 2)


@pytest.mark.parametrize(("asked", "shown"), [("official", 0.6), ("paper", 0.7), ("quick", 0.8), ("", 0.6)])
def test_runs_of_the_suites_recipe_stand_before_others_unless_they_are_cut_down(record, asked, shown):
    runs = [
        record(value, dataset="elpv", known_class="mono", recipe=recipe, seed=seed)
        for recipe, value, seeds in (("official", 0.6, 1), ("paper", 0.7, 2), ("quick", 0.8, 3))
        for seed in range(seeds)
    ]
    limit = {"params": {"cut": 1}, "deviations": ["split option limit_test = 20"]}
    cut = record(0.1, known_class="mono", recipe="quick", **limit)
    layout = SuiteLayout("mine", "My parts", [place._replace(recipe=asked) for place in places(["dra"])])
    build = partial(table.build_table, layout, measures=lambda run: {run.spec.method}, versions={})
    assert cells(build([*runs, cut]), "dra")["elpv", "mono"].measured.mean == pytest.approx(shown)
    assert cells(build([*runs[:1], cut]), "dra")["elpv", "mono"].measured.mean == 0.6


def test_a_mean_lacking_a_part_says_so(record):
    found = cells(build([record(0.6, dataset="elpv", known_class="mono")]), "dra")
    assert found["mean", "mean"].measured is None
    assert found["mean", "mean"].verdict.reasons == ("1 of 3 subsets measured",)


def test_best_and_second_are_told_as_printed_and_ties_share(record):
    built = build(everywhere(record, {"devnet": 0.7, "dra": 0.7004, "flos": 0.6}))
    found = groups.table_places(built)
    row = {dict(key)["method"]: place for key, place in found.items() if dict(key)["known_class"] == "mono"}
    assert row == {"devnet": 1, "dra": 1, "flos": 2}


def test_of_two_none_is_second_and_of_one_none_is_best(record):
    assert (
        sorted(groups.table_places(build(everywhere(record, {"devnet": 0.7, "dra": 0.8}))).values())
        == [0] * 10 + [1] * 5
    )
    assert set(groups.table_places(build(everywhere(record, {"dra": 0.8}))).values()) == {0}


def test_a_limited_run_is_neither_best_nor_ranked_beside_whole_ones(record):
    limited = {"deviations": ("split option limit_test = 20",)}
    runs = everywhere(record, {"devnet": 0.7, "flos": 0.6}) + everywhere(record, {"dra": 0.99}, **limited)
    built = build(runs)
    row = {
        dict(key)["method"]: place
        for key, place in groups.table_places(built).items()
        if dict(key)["known_class"] == "mono"
    }
    assert row == {"devnet": 1, "dra": 0, "flos": 0}
    assert all(group.ranking is None for group in groups.table_groups(built))


def test_ranks_are_on_rows_that_all_have_and_of_one_recipe(record):
    runs = everywhere(record, {"devnet": 0.7, "dra": 0.8, "flos": 0.6})
    ranked = {group.coordinates["method"]: group.ranking for group in groups.table_groups(build(runs))}
    assert {name: (found.rank, found.wins, found.rows) for name, found in ranked.items()} == {
        "devnet": (2.0, 0, 3), "dra": (1.0, 3, 3), "flos": (3.0, 0, 3),
    }  # fmt: skip
    assert (
        "DRA, 10 labelled anomalies: 3 of 3 cells measured; mean rank 1.0 of 3 methods measured, 3 of 3 rows won."
        in (verdict_sentences(build(runs)))
    )
    quick = [run for run in runs if run.spec.method != "flos"] + everywhere(record, {"flos": 0.6}, recipe="quick")
    assert all(group.ranking is None for group in groups.table_groups(build(quick)))


def set_to(value):
    return {"params": {"topk": value}, "deviations": (f"dra.topk = {value} (recipe: 10)",)}


def test_each_setting_of_a_method_is_a_column(record):
    runs = [record(0.6, **set_to(1)), record(0.8, **set_to(5)), record(0.7, params={"topk": 10})]
    columns = SettingColumns(runs)
    ids = [columns.column(run) for run in runs]
    assert ids == ["dra[topk=1]", "dra[topk=5]", "dra"]
    assert [column_title(name, {"dra": "DRA"}) for name in ids] == ["DRA, topk = 1", "DRA, topk = 5", "DRA"]
    built = build(runs, ids, measures=columns.measures(lambda run: {run.spec.method}))
    found = [cells(built, name)["elpv", "mono"].measured.mean for name in ids]
    assert found == [0.6, 0.8, 0.7]


def test_a_setting_that_all_runs_of_a_method_share_is_no_column_of_its_own(record):
    columns = SettingColumns([record(0.6, seed=seed, **set_to(1)) for seed in range(2)])
    assert columns.column(record(0.6, **set_to(1))) == "dra"


def test_columns_of_one_method_stand_in_the_order_of_their_values():
    columns = ["dra[lr=10]", "dra[lr=0.5]", "dra[loss=focal]", "dra[lr=2e-4]", "dra", "dra[lr=2;steps=9]"]
    assert sorted(columns, key=column_order) == [
        "dra", "dra[lr=2e-4]", "dra[lr=0.5]", "dra[lr=2;steps=9]", "dra[lr=10]", "dra[loss=focal]",
    ]  # fmt: skip


def test_split_options_make_no_column():
    limited = records.make_record(
        records.make_spec(split__options={"limit_test": 20}, deviations=["split option limit_test = 20"])
    )
    assert SettingColumns([records.make_record(), limited]).column(limited) == "dra"


def against(built, records, baseline="devnet", **options):
    options = {"alone": (), "measures": lambda run: {run.spec.method}} | options
    return with_baseline(built, baseline, records, versions={}, stale=lambda _: "", scores=lambda _: None, **options)


def test_the_baseline_is_tested_over_seeds_with_holm_over_all_rows(record):
    shifts = {"mono": (0.10, 0.11, 0.12), "poly": (0.0, 0.2, -0.2), "cut": (-0.10, -0.11, -0.12)}
    runs = everywhere(record, {"devnet": 0.7}) + [
        record(0.7 + seed / 100 + shift, dataset=dataset, known_class=name, seed=seed)
        for dataset, names in CLASSES.items()
        for name in names
        for seed, shift in enumerate(shifts[name])
    ]
    tested = against(build(runs), runs)
    tests = {dict(key)["known_class"]: test for key, test in tested.baseline.tests.items()}
    assert tests["mono"].difference == pytest.approx(0.11)
    # t = 0.11 / (0.01 / sqrt(3)) = 19.05 with 2 degrees of freedom: p = 0.00274, times 3 tests after Holm
    assert (tests["mono"].p_value, tests["mono"].p_holm) == pytest.approx((0.00274, 0.00823), abs=1e-5)
    assert tests["poly"].p_holm == pytest.approx(1.0)
    assert "2 datasets differ, 6 needed" in tests["mean"].reason
    assert "against devnet: better on 1 of 3 rows, worse on 1 (after Holm 1 and 1 hold)" in verdict_sentences(tested)[1]
    page = render.render_table(tested, "md")
    assert "| **0.820±0.020** ↑ [" in page
    assert "| 0.600±0.000 ↓ [" in page
    assert "t: p 0.0027, after Holm 0.0082" in page
    line = next(row for row in csv.DictReader(StringIO(render.render_table(tested, "csv"))) if row["method"] == "dra")
    assert (line["baseline"], line["test"], line["place"]) == ("devnet", "t", "1")
    assert float(line["difference"]) == pytest.approx(0.11)
    content = json.loads(render.render_table(tested, "json"))
    assert content["baseline"] == "devnet"
    assert [cell["test"]["test"] for cell in content["cells"] if cell["test"]] == ["t", "t", "t", "signed rank"]


def test_tests_are_on_the_runs_that_the_table_shows(record):
    """A smoke test of both methods has more seeds and is not shown: the difference is that of the whole runs."""
    smoke = {"deviations": ("split option limit_test = 20",), "params": {"cut": 1}}
    runs = everywhere(record, {"devnet": 0.5, "dra": 0.9}, **smoke)
    runs += [
        record(value, method=method, dataset="elpv", known_class="mono", recipe="quick")
        for method, value in {"devnet": 0.7, "dra": 0.8}.items()
    ]
    tests = against(build(runs), runs).baseline.tests
    of_mono = next(test for key, test in tests.items() if dict(key)["known_class"] == "mono")
    assert of_mono.difference == pytest.approx(0.1)


def test_a_method_without_anomalies_is_tested_beside_any_number_of_them(record):
    runs = everywhere(record, {"devnet": 0.7}) + everywhere(record, {"kdad": 0.6}, shots=None)
    runs = [replace(run, spec=replace(run.spec, test=f"test {run.spec.split.known_class}")) for run in runs]
    alone = [
        place._replace(column="kdad", split=at(dict(place.split)["dataset"], dict(place.split)["known_class"], ""))
        for place in places(["devnet"])
    ]
    alone = [place._replace(kept=place.split) for place in alone]
    built = table.build_table(
        SuiteLayout("mine", "My parts", [*places(["devnet"]), *alone]),
        runs,
        measures=lambda run: {run.spec.method},
        versions={},
    )
    tests = against(built, runs, alone=("kdad",)).baseline.tests
    assert {dict(key)["method"] for key in tests} == {"kdad"}
    assert [test.difference for test in tests.values()] == pytest.approx([-0.1] * 4)
    assert "ranked among those with 10 labelled anomalies" in verdict_sentences(built)[1]


def test_a_baseline_without_a_column_or_partner_is_refused(record):
    runs = everywhere(record, {"dra": 0.8})
    with pytest.raises(ReportError, match=r"--baseline dar: no measured column of .*: did you mean 'dra'"):
        against(build(runs), runs, "dar")
    with pytest.raises(ReportError, match=r"--baseline dra: no other column .* on the same test images"):
        against(build(runs), runs, "dra")


@pytest.mark.parametrize(
    ("form", "best", "second", "other"),
    [
        ("md", "| **0.810±0.010** [1]", "| *0.710±0.010* [1]", "| 0.610±0.010 [1]"),
        ("html", "<strong>0.810±0.010</strong>", "<u>0.710±0.010</u>", ">0.610±0.010<"),
        ("latex", r"\textbf{0.810$\pm$0.010}", r"\underline{0.710$\pm$0.010}", r"& 0.610$\pm$0.010"),
        ("csv", "0.810,0.010,3,1,", "0.710,0.010,3,2,", "0.610,0.010,3,,"),
        ("json", '"place": 1', '"place": 2', '"place": null'),
    ],
)
def test_best_and_second_stand_out_in_every_format(record, form, best, second, other):
    text = render.render_table(build(everywhere(record, {"devnet": 0.7, "dra": 0.8, "flos": 0.6})), form)
    assert all(part in text for part in (best, second, other))
    assert "Not comparable" not in text


def test_a_page_ranks_methods_on_classes_and_never_on_their_means(record):
    runs = everywhere(record, {"devnet": 0.7, "dra": 0.8, "flos": 0.6})
    (chart,) = result_page(build(runs)).rankings
    (group, *_) = groups.table_groups(build(runs))
    assert f"3 methods on {group.ranking.rows} rows" in chart.sentence
    assert chart.wins[0] == ("", "3", "3")
    quick = everywhere(record, {"flos": 0.6}, recipe="quick")
    assert result_page(build([*runs[:-9], *quick])).rankings == ()


def test_a_page_names_columns_of_one_method_in_full(record):
    runs = [
        record(0.6 + value / 100, known_class=name, **set_to(value)) for value in (1, 5) for name in ("mono", "poly")
    ]
    columns = SettingColumns(runs)
    ids = ["dra[topk=1]", "dra[topk=5]"]
    titles = {name: column_title(name, {"dra": "A Method of Many Words"}) for name in ids}
    built = build(runs, ids, measures=columns.measures(lambda run: {run.spec.method}), titles=titles)
    (chart,) = result_page(built).rankings
    assert all(f"{title}</text>" in chart.picture for title in titles.values())


def test_a_suite_is_no_citation(record):
    text = render.render_table(build(everywhere(record, {"devnet": 0.7, "dra": 0.8, "flos": 0.6})), "latex")
    caption = r"\caption{My parts, 10 labelled anomalies. AUC. Mean$\pm$std over seeds. Best value in bold, second best underlined.}"
    assert caption in text


def test_the_first_caption_says_what_later_floats_set_apart(record):
    titles = {name: f"{name} with many words in its name" for name in METHODS}
    runs = everywhere(record, {"devnet": 0.6, "dra": 0.8, "flos": 0.7})
    text = render.render_table(build(runs, titles=titles), "latex", width="column")
    first, *further = text.split("\\end{table}")
    assert "textbf" not in first
    assert any("textbf" in part for part in further)
    assert "Best value in bold, second best underlined." in first


def test_runs_are_named_in_every_format(record):
    runs = everywhere(record, {"devnet": 0.7, "dra": 0.8})
    built = replace_table(build(runs), names_runs=True)
    name = runs[0].spec.name
    texts = {form: render.render_table(built, form) for form in ("md", "html", "latex", "csv", "json")}
    assert [form for form, text in texts.items() if name not in text.replace(r"\_", "_")] == []


def test_a_page_saves_the_lines_of_the_csv(record):
    built = build(everywhere(record, {"devnet": 0.7, "dra": 0.8, "flos": 0.6}))
    data = json.loads(re.search(r'id="data">(.*?)</script>', render_page(built), re.DOTALL)[1])
    assert [data["fields"], *data["cells"]] == list(csv.reader(StringIO(render.render_table(built, "csv"))))
    first = data["cells"][0]
    assert [first[data["columns"][name]] for name in ("mean", "n", "place")] == ["0.710", "3", "2"]


def test_macros_keep_names_apart(record):
    names = ("ölfleck", "ülfleck")
    runs = [record(0.6, known_class=names[0]), record(0.7, known_class=names[1])]
    cells = places(["dra"], {"elpv": names})
    built = table.build_table(
        SuiteLayout("mine", "My parts", cells), runs, measures=lambda run: {run.spec.method}, versions={}
    )
    text = render.render_table(built, "macros")
    assert r"{hard}{elpv}{ölfleck}{dra}{10}{0.600}" in text
    assert r"{hard}{elpv}{ülfleck}{dra}{10}{0.700}" in text


def test_two_cells_of_one_macro_are_refused(record):
    names = ("deep scratch", "deep%scratch")
    runs = [record(0.6, known_class=name) for name in names]
    built = table.build_table(
        SuiteLayout("mine", "My parts", places(["dra"], {"elpv": names})),
        runs,
        measures=lambda run: {run.spec.method},
        versions={},
    )
    with pytest.raises(ReportError, match="one name for hard/elpv/deep scratch/dra/10 and hard/elpv/deep%scratch/dra"):
        render.render_table(built, "macros")
