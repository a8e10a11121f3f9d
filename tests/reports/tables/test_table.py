import pytest
import records

from reports.errors import ReportError
from reports.layouts import layout
from reports.tables import lookup, measured, table, unplaced_runs

VERSIONS = {"dra": 1, "kdad": 1, "devnet": 1}


ONE_CLASS = {"rule": "one_class", "known_class": None, "shots": None}


def with_fid(value):
    return {**ONE_CLASS, "history": {"loss": [2.0, 1.0], "fid": [99.0, value]}}


def build(records, name="2", **options):
    options = {"measures": lambda record: {record.spec.method}, "versions": VERSIONS} | options
    return table.build_table(layout.auc_layout(name), records, **options)


def cell(built, *coordinates):
    found = [one for one in built.cells if tuple(one.coordinates.values()) == coordinates]
    assert len(found) == 1
    return found[0]


def test_published_beside_the_mean_over_seeds(record):
    built = build([record(0.70, seed=0), record(0.72, seed=1), record(0.77, seed=2)])
    found = cell(built, "elpv", "mono", "dra", "10")
    assert (found.published.mean_text, found.published.std_text) == ("0.731", "0.021")
    # mean (0.70 + 0.72 + 0.77) / 3 = 0.73; sample std sqrt((0.03^2 + 0.01^2 + 0.04^2) / 2) = sqrt(0.0013)
    assert found.measured.mean == pytest.approx(0.73)
    assert found.measured.std == pytest.approx(0.0013**0.5)
    assert found.measured.n == 3
    assert found.verdict.name == "inconclusive"
    assert len(built.cells) == 396


def test_one_seed_has_no_std(record):
    found = cell(build([record()]), "elpv", "mono", "dra", "10")
    assert (found.measured.std, found.measured.n, found.verdict.name) == (None, 1, "inconclusive")


def test_cells_without_records_are_missing(record):
    found = cell(build([record()]), "elpv", "mono", "dra", "1")
    assert (found.measured, found.verdict.name) == (None, "missing")


def test_shots_less_method_fills_its_column(record):
    found = cell(build([record(method="kdad", shots=None)]), "elpv", "mono", "kdad", "")
    assert found.measured.mean == 0.75


def test_a_prepared_variant_of_a_dataset_stands_in_its_row(record):
    built = build([record(dataset="elpv@released")])
    assert cell(built, "elpv", "mono", "dra", "10").measured


def test_other_rules_are_passed_over(record):
    built = build([record(rule="general")])
    assert not built.has_measured


def test_runs_that_differ_in_the_split_seed_only_are_two_runs(record):
    found = cell(build([record(0.7, seed=0), record(0.8, seed=0, split_seed=5)]), "elpv", "mono", "dra", "10")
    assert dict(found.measured.per_seed) == {measured.RunSeeds(0, 0): 0.7, measured.RunSeeds(5, 0): 0.8}


def test_of_two_copies_of_a_run_the_later_one_counts(record):
    old = record(0.6, started="2026-01-01T00:00:00Z")
    new = record(0.8, started="2026-02-01T00:00:00Z")
    for order in ([old, new], [new, old]):
        assert cell(build(order), "elpv", "mono", "dra", "10").measured.mean == 0.8


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"recipe": "quick"}, "recipe quick"),
        ({"weights": "custom:9400829f"}, "weights resnet18 custom:9400829f"),
        ({"weights": "random"}, "weights resnet18 random"),
        ({"deviations": ["SAOE is an assumed method"]}, "SAOE is an assumed method"),
    ],
)
def test_what_is_not_the_paper_s_is_not_comparable(record, options, reason):
    found = cell(build([record(0.5, seed=seed, **options) for seed in range(3)]), "elpv", "mono", "dra", "10")
    assert found.verdict.name == "not_comparable"
    assert found.verdict.reasons == (reason,)
    assert found.verdict.would_be == "lower"


def test_recipe_paper_is_comparable(record):
    assert cell(build([record(recipe="paper")]), "elpv", "mono", "dra", "10").verdict.name == "inconclusive"


def test_equal_runs_under_two_recipes_are_one_series_of_the_better_recipe(record):
    same = {"params": {"recipe_like": ""}}
    built = build([record(seed=0, recipe="quick", **same), record(seed=1, recipe="official", **same)])
    found = cell(built, "elpv", "mono", "dra", "10")
    assert (found.measured.n, found.measured.recipe, found.measured.reasons) == (2, "official", ())


class TestBestSeries:
    """Comparable first, then official, paper, quick, then most splits, then runs; others are counted in a note."""

    def shown(self, records):
        return cell(build(records), "elpv", "mono", "dra", "10").measured

    def test_comparable_before_more_seeds(self, record):
        others = [record(0.1, seed=seed, weights="custom:9400829f") for seed in range(5)]
        found = self.shown([*others, record(0.9, recipe="paper")])
        assert found.mean == 0.9
        assert "1 other series not shown" in found.notes

    def test_official_before_paper(self, record):
        papers = [record(0.1, seed=seed, recipe="paper") for seed in range(5)]
        assert self.shown([*papers, record(0.9)]).mean == 0.9

    def test_paper_before_quick_among_those_that_are_not_comparable(self, record):
        quick = [record(0.1, seed=seed, recipe="quick") for seed in range(5)]
        assert self.shown([*quick, record(0.9, recipe="paper", weights="random")]).mean == 0.9

    def test_most_seeds_among_equals(self, record):
        few = [record(0.1, seed=0, params={"optim.lr": 0.1})]
        many = [record(0.9, seed=seed) for seed in range(2)]
        assert self.shown([*few, *many]).mean == 0.9

    def test_more_splits_before_more_trainings_of_fewer(self, record):
        trainings = [record(0.1, seed=seed, split_seed=0, params={"optim.lr": 0.1}) for seed in range(3)]
        draws = [record(0.9, seed=seed) for seed in range(2)]
        for extra in ([], [record(0.1, seed=3, split_seed=0, params={"optim.lr": 0.1})]):
            assert self.shown([*trainings, *extra, *draws]).mean == 0.9

    @pytest.mark.parametrize(
        "deviation",
        ["split option limit_train = 20", "split option limit_test = 20", "dra.img_size = 32 (recipe: 'per_dataset')"],
    )
    def test_whole_before_cut_down_whatever_recipe_and_seeds(self, record, deviation):
        smoke = [record(0.1, seed=seed, params={"cut": 1}, deviations=[deviation]) for seed in range(5)]
        assert self.shown([*smoke, record(0.9, recipe="quick")]).mean == 0.9
        assert self.shown(smoke).mean == pytest.approx(0.1)

    def test_the_recipe_as_it_stands_before_one_with_other_parameters(self, record):
        other = {"params": {"optim.lr": 0.1}, "deviations": ["dra.optim.lr = 0.1 (recipe: 0.0002)"]}
        others = [record(0.1, seed=seed, weights="random", **other) for seed in range(5)]
        assert self.shown([*others, record(0.9, weights="random")]).mean == 0.9

    def test_current_before_stale(self, record):
        stale = [record(0.1, seed=seed, version=0) for seed in range(3)]
        assert self.shown([*stale, record(0.9, recipe="quick")]).mean == 0.9


def test_recipe_and_where_choose(record):
    records = [record(0.9), record(0.6, recipe="quick"), record(0.4, params={"optim.lr": 0.1})]
    assert cell(build(records, recipe="quick"), "elpv", "mono", "dra", "10").measured.mean == 0.6
    assert cell(build(records, params={"optim.lr": 0.1}), "elpv", "mono", "dra", "10").measured.mean == 0.4
    assert not build([record(params={"flag": 1})], params={"flag": True}).has_measured


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("seed", 1),
        ("split_seed", 3),
        ("precision", "fp32"),
        ("size", 448),
        ("img_size", 448),
        ("img_resize", "none"),
        ("evaluation.batch", 7),
        ("limit_test", 20),
        ("weights", "random"),
    ],
)
def test_where_reaches_what_a_run_is_told_by(fact, value):
    changes = {
        "seed": {"fit__seed": 1}, "split_seed": {"split_seed": 3}, "precision": {"fit__precision": "fp32"},
        "size": {"fit__size": 448}, "img_size": {"fit__size": 448}, "img_resize": {"fit__resize": "none"},
        "evaluation.batch": {"evaluation__batch": 7}, "limit_test": {"split__options": {"limit_test": 20}},
        "weights": {},
    }  # fmt: skip
    usual = records.make_spec(records.make_fit(precision="bf16"))
    labels = {"resnet18": "genuine:resnet18-f37072fd.pth"}, {"resnet18": "random" if fact == "weights" else "genuine:x"}
    plain, other = (
        records.make_record(spec, provenance=records.make_provenance(weights=weights))
        for spec, weights in zip((usual, records.make_spec(usual.fit, **changes[fact])), labels, strict=True)
    )
    assert lookup.chosen_records([plain, other], None, {fact: value}) == [other]
    assert lookup.record_facts(plain)["weights"] == "genuine"


def test_a_condition_that_no_record_can_meet_names_the_nearest(record):
    with pytest.raises(ReportError, match="split option or fact 'weigths': did you mean 'weights'"):
        build([record()], params={"weigths": "random"})


def test_wrong_choices_are_told(record):
    with pytest.raises(ReportError, match="no recipe 'offical': did you mean 'official'"):
        build([record()], recipe="offical")
    with pytest.raises(ReportError, match=r"hyper-parameter, split option or fact 'optim.lt': did you mean 'optim.lr'"):
        build([record()], params={"optim.lt": 1})
    for margin in (-0.1, 2.0, float("nan")):
        with pytest.raises(ReportError, match="margin"):
            build([record()], margin=margin)


def test_mean_row_uses_only_seeds_that_every_subset_has(record):
    mono = [record(value, seed=seed) for seed, value in enumerate([0.7, 0.8])]
    poly = [record(value, seed=seed, known_class="poly") for seed, value in enumerate([0.6, 0.5, 0.9])]
    found = cell(build([*mono, *poly]), "elpv", "mean", "dra", "10").measured
    # seed 0: (0.7 + 0.6) / 2, seed 1: (0.8 + 0.5) / 2; seed 2 lacks mono
    assert list(found.per_seed.values()) == pytest.approx([0.65, 0.65])
    assert found.std == pytest.approx(0.0)
    assert found.n == 2


def test_mean_row_lacking_a_subset_or_a_seed_says_so(record):
    found = cell(build([record()]), "elpv", "mean", "dra", "10")
    assert (found.verdict.name, found.verdict.reasons) == ("missing", ("1 of 2 subsets measured",))
    found = cell(build([record(seed=0), record(seed=1, known_class="poly")]), "elpv", "mean", "dra", "10")
    assert (found.verdict.name, found.verdict.reasons) == ("missing", ("no seed that every subset has",))


def test_mean_row_of_unlike_recipes_says_so(record):
    found = cell(build([record(), record(known_class="poly", recipe="quick")]), "elpv", "mean", "dra", "10")
    assert "mixes recipes official and quick" in found.measured.notes
    assert found.verdict.name == "not_comparable"


def test_mvtec_row_of_table_1_is_the_mean_of_its_categories(record):
    categories = layout.auc_layout("1").paper.groups["mvtec_ad"]
    records = [
        record(0.5 + index / 100, dataset=name, rule="general", known_class=None)
        for index, name in enumerate(categories)
    ]
    found = cell(build(records, "1"), "mvtec_ad", "", "dra", "10").measured
    assert found.mean == pytest.approx(0.57)  # 0.5 + (0 + ... + 14) / 15 / 100
    assert len(found.series) == 15


def test_failed_runs(record):
    found = cell(build([record(failed="out of luck\nline 2")]), "elpv", "mono", "dra", "10")
    assert (found.verdict.name, found.verdict.reasons) == ("failed", ("seed 0 failed: out of luck",))
    assert found.measured is None
    beside = cell(build([record(seed=0), record(seed=1, failed="boom")]), "elpv", "mono", "dra", "10")
    assert beside.verdict.name == "inconclusive"
    assert "seed 1 failed: boom" in beside.measured.notes
    whole = build([record(), record(known_class="poly", failed="boom")])
    assert cell(whole, "elpv", "mean", "dra", "10").verdict.name == "failed"


def test_older_method_version_is_stale_and_shown(record):
    found = cell(build([record(0.7)], versions={"dra": 2}), "elpv", "mono", "dra", "10")
    assert found.verdict.name == "stale"
    assert found.verdict.reasons == ("measured by version 1 of dra, now 2",)
    assert found.measured.mean == 0.7


def test_a_failed_run_of_today_beats_a_stale_result(record):
    built = build([record(version=1), record(version=2, failed="boom")], versions={"dra": 2})
    assert cell(built, "elpv", "mono", "dra", "10").verdict.name == "failed"


def test_detector_that_is_not_installed_is_not_stale(record):
    assert cell(build([record()], versions={}), "elpv", "mono", "dra", "10").verdict.name == "inconclusive"


def test_mixed_code_and_numerics_are_noted(record):
    built = build([record(seed=0), record(seed=1, code="beef", numerics="cpu amx torch 2.14")])
    notes = cell(built, "elpv", "mono", "dra", "10").measured.notes
    assert notes == (
        "mixes 2 code versions (c0de; beef)",
        "mixes 2 numerics classes (cpu avx2 torch 2.14; cpu amx torch 2.14)",
    )


def test_auc_below_one_half_is_marked(record):
    assert "a run has an AUC below 0.5" in cell(build([record(0.4)]), "elpv", "mono", "dra", "10").measured.notes


def test_standard_error_of_the_test_set_stands_beside(record):
    found = cell(build([record(0.731)]), "elpv", "mono", "dra", "10").measured
    assert (found.test_normal, found.test_anomaly) == (377, 402)
    assert found.test_std == pytest.approx(0.0178, abs=1e-4)


def test_a_record_may_measure_several_printed_methods(record):
    built = build([record(dataset="carpet", known_class="cut")], "4", measures=lambda _: {"dra", "dra_cutmix"})
    assert cell(built, "carpet", "cut", "dra_cutmix", "10").measured


def test_agad_prints_the_population_std_over_classes_and_keeps_that_over_seeds(record):
    """Spec: classes with runs 90, 92, 94 and 80, 80, 83 give 86.5 +- 5.5 (sample std would be 7.778)."""
    first = measured.series_of([record(value, seed=seed) for seed, value in enumerate([0.90, 0.92, 0.94])], {})
    other = [record(value, seed=seed, known_class="poly") for seed, value in enumerate([0.80, 0.80, 0.83])]
    both = [first[0], measured.series_of(other, {})[0]]
    found = measured.average_series(both, [0.5, 0.5], scale=100.0, spread_over="classes", notes=())
    assert (found.mean, found.std) == (pytest.approx(86.5), pytest.approx(5.5))
    # per seed 85, 86, 88.5: sample std sqrt((1.5^2 + 0.5^2 + 2^2) / 2)
    assert found.seed_std == pytest.approx(3.25**0.5)


def test_agad_cell_is_in_percent_and_compared_with_a_constant(record):
    records = [
        record(0.9 + index / 100, seed=seed, dataset="fashion_mnist", rule="labelled_share", known_class=None,
               normal_class=str(index), shots=None, gamma="0.05", method="agad_unet")
        for index in range(10)
        for seed in range(2)
    ]  # fmt: skip
    found = cell(build(records, "5"), "fashion_mnist", "off", "off", "0.05")
    assert found.measured.mean == pytest.approx(94.5)
    assert found.verdict.comparison.margin == 2.0
    assert found.verdict.name == "lower"  # no seed spread of ours, 5.5 below 100
    assert found.measured.test_std is None


def test_published_only_leaves_measured_values_out(record):
    built = build([record()], show="published")
    assert not built.has_measured
    assert len(built.cells) == 396


def test_measured_part_keeps_rows_and_columns_with_values(record):
    part = build([record(), record(method="kdad", shots=None, known_class="poly")]).measured_part()
    assert {tuple(one.coordinates.values()) for one in part.cells} == {
        ("elpv", known, method, shots) for known in ("mono", "poly") for method, shots in (("kdad", ""), ("dra", "10"))
    }


def test_a_method_that_the_paper_lacks_gets_cells_of_its_own(record):
    built = build([record(), record(0.6, method="mine")], added_methods=["mine", "dra"])
    assert len(built.cells) == 397
    added = built.cells[-1]
    assert tuple(added.coordinates.values()) == ("elpv", "mono", "mine", "10")
    assert (added.published, added.measured.mean, added.verdict.comparison) == (None, 0.6, None)


def classes(record, method, dataset, values, **options):
    options = {"rule": "one_class", "known_class": None, "shots": None} | options
    return [
        record(value, method=method, dataset=dataset, normal_class=str(index), **options)
        for index, value in enumerate(values)
    ]


def test_table_9_looks_at_source_and_target(record):
    cross = {"rule": "cross_domain", "known_class": None, "dataset": "tile"}
    built = build(
        [
            *(record(0.90 + seed / 100, seed=seed, source_dataset="wood", **cross) for seed in range(3)),
            record(0.99, source_dataset="carpet", shots=1, **cross),
            record(0.8, method="kdad", dataset="tile", rule="general", known_class=None, shots=None),
        ],
        "9",
    )
    found = cell(built, "wood", "tile", "", "dra", "")
    # 0.90, 0.91, 0.92 against the constant 0.955: t interval -0.045 +- 2.92 * 0.01 / sqrt(3) = -0.062 to -0.028, but
    # one more run of ours may lie 4.3027 * 0.01 * sqrt(1 + 1/3) = 0.0497 off
    assert found.measured.mean == pytest.approx(0.91)
    assert found.verdict.comparison.low == pytest.approx(-0.06186, abs=1e-5)
    assert (found.verdict.name, found.verdict.comparison.told) == ("inconclusive", pytest.approx(0.04968, abs=1e-5))
    assert cell(built, "carpet", "tile", "", "dra", "").measured is None  # ten shots are asked for
    assert cell(built, "", "tile", "", "kdad", "").measured.mean == 0.8
    assert sum(bool(one.measured) for one in built.cells) == 2


@pytest.mark.parametrize("name", ["9", "csi_gan:1", "agad:9"])
def test_an_exact_hit_on_values_without_a_seed_spread_is_reproduced(record, name):
    chosen = layout.auc_layout(name)
    assert {place.value.std if chosen.std == "runs" else None for place in chosen.published_cells} == {None}
    exact = [
        *(
            one
            for seed, shift in enumerate([-1e-4, 0, 1e-4])
            for one in [
                *classes(record, "csi", "cifar10", [0.943 + shift] * 10, seed=seed),
                *classes(record, "agad_unet", "mnist", [0.76 + shift], seed=seed, rule="labelled_share", gamma="0.00"),
                record(0.93 + shift, seed=seed, dataset="carpet", source_dataset="tile", rule="cross_domain",
                       known_class=None),
            ]
        )
    ]  # fmt: skip
    found = [one for one in build(exact, name).cells if one.measured]
    assert [(one.measured.n, one.verdict.name) for one in found] == [(3, "reproduced")]
    assert abs(found[0].verdict.comparison.difference) < 1e-9


def test_one_class_cell_of_agad_has_no_spread_over_classes(record):
    options = {"rule": "labelled_share", "gamma": "0.00"}
    made = [one for seed in range(2) for one in classes(record, "agad", "mnist", [0.98], seed=seed, **options)]
    found = cell(build(made, "agad:1"), "mnist", "0", "agad", "0.00").measured
    assert (found.std, found.seed_std, found.n) == (None, 0.0, 2)


def test_agad_by_class_and_in_the_mean(record):
    values = [0.9 + index / 100 for index in range(10)]
    built = build(classes(record, "agad", "mnist", values, rule="labelled_share", gamma="0.00"), "agad:1")
    assert cell(built, "mnist", "9", "agad", "0.00").measured.mean == pytest.approx(99)
    mean = cell(built, "mnist", "mean", "agad", "0.00").measured
    # 90 to 99: mean 94.5, population variance (10^2 - 1) / 12
    assert (mean.mean, mean.std) == (pytest.approx(94.5), pytest.approx(8.25**0.5))
    assert cell(built, "mnist", "mean", "anogan", "0.00").measured is None


def test_deep_sad_of_agad_s_table_is_not_ours(record):
    made = classes(record, "deep_sad", "mnist", [0.9] * 10, rule="labelled_share", gamma="0.01")
    assert not build(made, "agad:2").has_measured


def test_csi_gan_prints_the_spread_over_seeds(record):
    made = [one for seed in range(2) for one in classes(record, "csi", "cifar10", [0.9 + seed / 50] * 10, seed=seed)]
    found = cell(build(made, "csi_gan:1"), "cifar10", "csi").measured
    assert (found.mean, found.std) == (pytest.approx(91), pytest.approx(2**0.5))
    assert cell(build(made, "csi_gan:ablation"), "cifar10", "csi", "auroc").measured


def test_fid_is_measured_by_no_auc(record):
    built = build(classes(record, "csi_gan", "cifar10", [0.9] * 10), "csi_gan:ablation", added_methods=["mine"])
    assert [tuple(one.coordinates.values()) for one in built.cells if one.measured] == [("cifar10", "csi_gan", "auroc")]
    assert cell(built, "cifar10", "csi_gan", "fid").verdict.name == "missing"


def test_fid_is_the_mean_over_classes_of_what_the_runs_measured_last(record):
    made = [
        record(
            0.4,
            method="csi_gan",
            dataset="cifar10",
            normal_class=str(index),
            seed=seed,
            **with_fid(50.0 + index + seed),
        )
        for index in range(10)
        for seed in range(2)
    ]
    found = cell(build(made, "csi_gan:ablation"), "cifar10", "csi_gan", "fid")
    # mean of 50 to 59 is 54.5 with seed 0 and 55.5 with seed 1; sample std of the two is sqrt(1 / 2)
    assert (found.measured.mean, found.measured.std) == (pytest.approx(55), pytest.approx(0.5**0.5))
    assert found.measured.test_std is None
    assert (found.verdict.name, found.verdict.would_be) == ("not_comparable", None)
    assert found.verdict.reasons == ("it is no AUC",)
    auroc = cell(build(made, "csi_gan:ablation"), "cifar10", "csi_gan", "auroc").measured
    assert auroc.mean == pytest.approx(40)


def test_fid_lacks_the_classes_whose_runs_did_not_measure_it(record):
    made = [
        record(method="csi_gan", dataset="cifar10", normal_class=str(index), **(with_fid(50.0) if index else ONE_CLASS))
        for index in range(10)
    ]
    found = cell(build(made, "csi_gan:ablation"), "cifar10", "csi_gan", "fid")
    assert (found.measured, found.verdict.reasons) == (None, ("9 of 10 subsets measured",))


def test_cifar100_of_csi_gan_is_comparable_on_the_shifted_list_only(record):
    plain = classes(record, "csi", "cifar100", [0.9] * 20)
    shifted = classes(record, "csi", "cifar100@csi_code", [0.8] * 20)
    found = cell(build(plain, "csi_gan:1"), "cifar100", "csi")
    assert found.verdict.name == "not_comparable"
    assert found.verdict.reasons == ("the paper's superclasses of CIFAR-100 are those of cifar100@csi_code",)
    both = cell(build([*plain, *shifted], "csi_gan:1"), "cifar100", "csi")
    assert (both.measured.mean, both.verdict.name) == (pytest.approx(80), "inconclusive")


def test_a_figure_s_domain_is_the_mean_over_datasets_not_over_categories(record):
    figure = layout.figure_layout("dra:3left")
    values = dict.fromkeys(figure.paper.groups["mvtec_ad"], 0.5) | dict.fromkeys(
        ["aitex", "sdd", "elpv", "optical"], 1.0
    )
    made = [record(value, dataset=name, rule="general", known_class=None) for name, value in values.items()]
    built = table.build_table(figure, made, measures=lambda _: {"dra"}, versions={})
    found = cell(built, "domain_defect", "", "fully_disentangled", "10")
    assert found.measured.mean == pytest.approx((0.5 + 4) / 5)
    assert found.verdict.name == "inconclusive"


def test_an_added_method_stands_beside_in_class_tables_but_not_under_switches(record):
    share = {"rule": "labelled_share", "gamma": "0.05"}
    made = classes(record, "mine", "fashion_mnist", [0.9] * 10, **share)
    added = [tuple(one.coordinates.values()) for one in build(made, "agad:2", added_methods=["mine"]).cells[-1:]]
    assert added == [("fashion_mnist", "mean", "mine", "0.05")]
    assert not build(made, "agad:4", added_methods=["mine"]).has_measured
    cross = record(method="mine", dataset="wood", source_dataset="tile", rule="cross_domain", known_class=None)
    added = build([cross], "9", added_methods=["mine"]).cells[-1]
    assert tuple(added.coordinates.values()) == ("tile", "wood", "", "mine", "10")


def test_runs_elsewhere_are_those_that_no_cell_shows(record):
    shown = record(dataset="tile", source_dataset="wood", rule="cross_domain", known_class=None)
    apart = record(dataset="tile", source_dataset="bottle", rule="cross_domain", known_class=None)
    built = build([shown, apart], "9")
    assert unplaced_runs.unplaced_runs(built, [shown, apart], lambda record: {record.spec.method}) == [apart]


def test_a_method_of_ones_own_stands_by_its_title_and_a_printed_one_by_the_papers(record):
    built = build(
        [record(), record(0.6, method="mine")], added_methods=["mine"], titles={"mine": "My method", "dra": "no"}
    )
    assert [built.label("method", name) for name in ("mine", "dra", "nobody")] == ["My method", "DRA", "nobody"]
    assert built.measured_part().label("method", "mine") == "My method"


def test_methods_that_the_table_does_not_print_are_named(record):
    """A variant that is a twin of a printed method stands in the printed column."""
    records = [
        record(),
        record(method="mine"),
        record(method="dra_twin"),
        record(method="failing", failed="boom"),
        record(method="another"),
    ]

    def measures(run):
        return {"dra_twin", "dra"} if run.spec.method == "dra_twin" else {run.spec.method}

    assert table.unprinted_methods(layout.auc_layout("2"), records, measures) == ["another", "mine"]
