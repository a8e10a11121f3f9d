"""Verdicts on a method in a table."""

import pytest

from reports.layouts import layout
from reports.pages.sentences import verdict_sentences
from reports.stats.verdict import judge
from reports.tables import groups, table
from reports.tables.filtering import TableFilter, filter_table
from reports.tables.judging import cell_samples

TABLE_2 = layout.auc_layout("2")
PRINTED = {cell.coordinates: cell.value for cell in TABLE_2.published_cells}


def build(records, name="2", **options):
    return table.build_table(
        layout.auc_layout(name), records, measures=lambda run: {run.spec.method}, versions={}, **options
    )


def leaves(method, shots):
    return [at for at in sorted(TABLE_2.leaves) if ("method", method) in at and ("shots", shots) in at]


def runs(record, at, shift=0.0, spread=1.0, seeds=(-1, 0, 1)):
    """Three runs with the printed mean, shifted, and a share of the printed std."""
    options = {name: int(text) if name == "shots" and text else text or None for name, text in at}
    value = PRINTED[at]
    return [
        record(value.mean + shift + sign * spread * value.std, seed=seed, **options) for seed, sign in enumerate(seeds)
    ]


def test_leaves_are_no_means_of_printed_cells():
    assert len(TABLE_2.leaves) == 330
    assert not any(("known_class", "mean") in at for at in TABLE_2.leaves)
    assert not any(("dataset", "mvtec_ad") in at for at in layout.auc_layout("1").leaves)
    assert len(layout.auc_layout("5").leaves) == 54  # means over classes that this table does not print


def test_groups_are_setting_method_and_shots_or_what_the_paper_s_file_says():
    assert TABLE_2.groups == ["method", "shots"]
    assert layout.auc_layout("3").groups == ["protocol", "method", "shots"]
    assert layout.auc_layout("5").groups == ["adv_prop", "freeze_bn"]


def places(built, published):
    """Places of the cells of a block by method, or by what a row names in its place."""
    numbers = groups.row_places(built, built.cells, published=published)
    return {tuple(value for _, value in at): place for at, place in numbers.items()}


def test_places_are_those_of_values_as_they_are_printed(record):
    """Metal nut, scratch, one-shot: DevNet 0.952, FLOS 0.947, DRA 0.909; ten-shot: bent, two of 0.904 and 0.901."""
    built = build([])
    shown = table.Table(
        built.layout, tuple(c for c in built.cells if c.coordinates["shots"] in {"", "1"}), "both", 0.02
    )
    found = places(shown, published=True)
    row = {key[2]: place for key, place in found.items() if key[:2] == ("metal_nut", "scratch")}
    assert row == {"devnet": 1, "flos": 2}
    mean = {key[2]: place for key, place in found.items() if key[:2] == ("metal_nut", "mean")}
    assert mean == {"dra": 1, "devnet": 2, "flos": 2}  # both 0.855


def test_the_place_of_a_measured_value_is_among_measured_ones(record):
    records = [record(0.7004, method="dra"), record(0.6996, method="devnet"), record(0.6, method="flos")]
    built = build(records)
    found = places(built, published=False)
    assert {key[2]: place for key, place in found.items()} == {"dra": 1, "devnet": 1, "flos": 2}
    assert places(build(records[:1]), published=False) == {}
    assert set(places(build(records[:2]), published=False).values()) == {1}


def test_a_place_follows_the_axis_of_the_methods_and_the_sense_of_the_metric():
    by_column = places(build([], "csi_gan:1"), published=True)
    assert {key for key, place in by_column.items() if place == 1} == {
        ("cifar10", "csi_gan"), ("cifar100", "csi_gan"), ("imagenet30", "csi_gan")
    }  # fmt: skip
    ablation = places(build([], "csi_gan:ablation"), published=True)
    assert {key[1] for key, place in ablation.items() if place == 1} == {"csi_gan"}  # FID 54.1 is the lowest
    across = places(build([], "9"), published=True)
    assert across["tile", "carpet", "", "dra", ""] == 1
    assert across["leather", "carpet", "", "dra", ""] == 2
    switches = places(build([], "5"), published=True)
    assert {key[3] for key, place in switches.items() if place == 1} == {"0.00", "0.01", "0.03", "0.05", "0.10"}


def test_an_exact_rerun_is_reproduced_and_says_so_in_a_sentence(record):
    records = [run for at in leaves("dra", "10") for run in runs(record, at)]
    built = build(records)
    (group,) = groups.table_groups(built)
    assert group.coordinates == {"method": "dra", "shots": "10"}
    assert (group.cells, group.measured, group.judged.pooled.cells) == (30, 30, 30)
    assert group.judged.verdict == "reproduced"
    assert group.judged.pooled.difference == pytest.approx(0, abs=1e-9)
    assert sum(group.counts.values()) == 30
    assert sum(group.expected.values()) == pytest.approx(30)
    (sentence,) = verdict_sentences(built)
    assert sentence.startswith("DRA, ten-shot: reproduced: D ")
    assert "; 30 of 30 cells measured; verdicts (expected if all were equal): " in sentence


def test_counts_are_those_of_the_cells(record):
    built = build([run for at in leaves("dra", "10")[:8] for run in runs(record, at, shift=0.01)])
    (group,) = groups.table_groups(built)
    names = [
        judge(*cell_samples(TABLE_2, cell.published, cell.measured), 0.02).verdict
        for cell in groups.leaf_cells(built)
        if cell.measured
    ]
    assert dict(group.counts) == {name: names.count(name) for name in set(names)}


def test_a_drop_of_five_hundredths_reads_lower(record):
    built = build([run for at in leaves("dra", "10") for run in runs(record, at, shift=-0.05)])
    (group,) = groups.table_groups(built)
    assert (group.judged.verdict, round(group.judged.pooled.difference, 6)) == ("lower", -0.05)


def test_what_is_not_comparable_is_counted_and_not_judged(record):
    first, second = leaves("dra", "10")[:2]
    quick = [record(run.metrics.auroc, seed=run.spec.fit.seed, recipe="quick",
                    **dict(list(run.spec.split.coordinate_texts.items())[:0]), dataset="elpv")
             for run in runs(record, first)]  # fmt: skip
    built = build([*quick, *runs(record, second)])
    (group,) = groups.table_groups(built)
    assert (group.measured, group.judged.pooled.cells) == (2, 1)
    assert "1 not comparable" in verdict_sentences(built)[0]
    alone = build(quick)
    assert groups.table_groups(alone)[0].judged is None
    assert verdict_sentences(alone) == [
        "DRA, ten-shot: 1 of 30 cells measured, none of them is comparable with the paper."
    ]


def test_a_cell_of_one_run_takes_the_published_std_and_is_marked(record):
    built = build([run for at in leaves("dra", "10")[:6] for run in runs(record, at, seeds=(0,))])
    (group,) = groups.table_groups(built)
    assert (group.borrowed, group.judged.pooled.cells) == (6, 6)
    stds = [PRINTED[at].std for at in leaves("dra", "10")[:6]]
    assert group.judged.pooled.standard_error == pytest.approx(sum(4 / 3 * std**2 for std in stds) ** 0.5 / 6)
    assert "6 of one run, with the published std" in verdict_sentences(built)[0]


def test_a_cell_of_one_run_beside_a_constant_is_left_out(record):
    options = {"dataset": "fashion_mnist", "rule": "labelled_share", "known_class": None, "shots": None}
    records = [record(0.9, normal_class=str(index), gamma="0.05", method="agad_unet", **options) for index in range(10)]
    (group,) = groups.table_groups(build(records, "5"))
    assert (group.left_out, group.judged) == (1, None)


def test_a_part_of_a_table_is_judged_as_the_whole(record):
    built = build([run for at in leaves("dra", "10")[:4] for run in runs(record, at)])
    assert verdict_sentences(built.measured_part()) == verdict_sentences(built)
    assert "; 4 of 30 cells measured; " in verdict_sentences(built)[0]


def test_ranks_and_wins_are_compared_on_the_same_rows(record):
    """On three cells DRA is made the worst of three methods where the paper has it first."""
    places = [dict(at) for at in leaves("dra", "10") if ("dataset", "carpet") in at][:3]
    records = []
    for method, value in (("devnet", 0.9), ("flos", 0.8), ("dra", 0.7)):
        for at in places:
            records += [record(value, seed=seed, **{**at, "method": method, "shots": 10}) for seed in range(3)]
    by_method = {group.coordinates["method"]: group.ranking for group in groups.table_groups(build(records))}
    assert by_method["dra"] == groups.Ranking(3.0, 1.0, 0, 3, 3, 3)
    assert (by_method["devnet"].rank, by_method["devnet"].wins) == (1.0, 3)
    assert "mean rank 3.0 (the paper's 1.0) of 3 methods, 0 (the paper's 3) of 3 rows won" in " ".join(
        verdict_sentences(build(records))
    )


def test_ties_share_a_rank_and_a_win(record):
    at = dict(leaves("dra", "10")[0])
    records = [
        record(0.8, seed=seed, **{**at, "method": method, "shots": 10}) for method in ("dra", "flos") for seed in (0, 1)
    ]
    rankings = [group.ranking for group in groups.table_groups(build(records))]
    assert [(ranking.rank, ranking.wins) for ranking in rankings] == [(1.5, 0.5), (1.5, 0.5)]


def test_cells_that_share_a_fit_directly_or_by_way_of_others_are_one_cluster():
    names = groups.shared_fits([frozenset("ab"), frozenset("c"), frozenset("bd"), frozenset("d"), frozenset()])
    assert names == ["0", "1", "0", "0", "4"]


def test_another_metric_has_no_sentences(record):
    from reports.tables.measured import CellValue
    from results.metrics import METRICS

    value = CellValue(METRICS["average_precision"], lambda run: run.metrics.average_precision)
    assert verdict_sentences(build([record()], value=value)) == []


def test_a_method_that_the_paper_lacks_is_counted_and_ranked_among_what_is_measured(record):
    """Third, second and first on three cells beside DRA and DevNet; the paper's own ranks stay as they are."""
    places = [dict(at) for at in leaves("dra", "10") if ("dataset", "carpet") in at][:3]
    values = {"dra": (0.8, 0.8, 0.7), "devnet": (0.9, 0.7, 0.6), "mine": (0.6, 0.75, 0.9)}
    made = [
        record(numbers[index], seed=seed, **{**at, "method": method, "shots": 10})
        for method, numbers in values.items()
        for index, at in enumerate(places)
        for seed in range(3)
    ]
    built = build(made, added_methods=["mine"], titles={"mine": "My own"})
    added = groups.table_groups(built)[-1]
    assert (added.unpublished, added.measured, added.cells, added.judged) == (3, 3, 30, None)
    assert verdict_sentences(built)[-1] == (
        "My own, ten-shot: 3 of 30 cells measured, no published value; mean rank 2.0 of 3 methods measured, "
        "1 of 3 rows won."
    )
    assert verdict_sentences(built)[:-1] == verdict_sentences(build([run for run in made if run.spec.method != "mine"]))


def test_ranks_of_other_recipes_are_not_told(record):
    at = dict(leaves("dra", "10")[0])
    made = [record(0.8, **{**at, "method": name, "shots": 10}, recipe=recipe) for name, recipe in
            (("dra", "official"), ("mine", "quick"))]  # fmt: skip
    assert groups.table_groups(build(made, added_methods=["mine"]))[-1].ranking is None


def test_a_filter_keeps_verdicts_of_the_whole_and_leaves_out_sentences_of_what_is_hidden(record):
    built = build([run for method in ("dra", "devnet") for at in leaves(method, "10")[:4] for run in runs(record, at)])
    shown = filter_table(built, TableFilter({"method": ("dra",)}))
    assert {cell.coordinates["method"] for cell in shown.cells} == {"dra"}
    assert verdict_sentences(shown) == [text for text in verdict_sentences(built) if text.startswith("DRA")]


def test_a_method_without_shots_passes_every_filter_of_shots(record):
    shown = filter_table(build([]), TableFilter({"shots": ("1",), "dataset": ("elpv",)}))
    assert {(cell.coordinates["method"], cell.coordinates["shots"]) for cell in shown.cells} == {
        ("kdad", ""), *((name, "1") for name in ("devnet", "flos", "saoe", "mlep", "dra")),
    }  # fmt: skip


def test_a_method_is_found_by_its_own_id_too(record):
    """Figure 5 of DRA prints five references, which is DRA itself."""
    built = table.build_table(layout.figure_layout("dra:5"), [], measures=lambda _: (), versions={})
    printed = {cell.coordinates["method"] for cell in filter_table(built, TableFilter({"method": ("dra",)})).cells}
    assert printed == {"dra_nr5", "dra_dev"} & {cell.coordinates["method"] for cell in built.cells}


@pytest.mark.parametrize(("has_anomalies", "shots"), [(True, {"1", "10"}), (False, {""})])
def test_a_forced_method_has_a_column_without_records(record, has_anomalies, shots):
    built = build([], forced_methods={"mine": has_anomalies})
    forced = [cell for cell in built.cells if cell.coordinates["method"] == "mine"]
    assert {cell.coordinates["shots"] for cell in forced} == shots
    assert len(forced) == len(shots) * len({(at["dataset"], at["known_class"]) for at in map(dict, PRINTED)})
    assert not any(cell.measured or cell.published for cell in forced)
    assert groups.table_groups(built) == []
