from statistics import pstdev, stdev

import pytest

from reports.errors import ReportError
from reports.layouts import layout, published
from reports.layouts.papers import PAPERS_FOLDER

ALL_TABLES = [f"dra:{number}" for number in (1, 2, 3, 4, 5, 7, 8, 9)]
ALL_TABLES += [f"agad:{number}" for number in (1, 2, 3, 4, 5, 8, 9)]
ALL_TABLES += ["ahl:4", "ahl:7", "ahl:8", "csi_gan:1", "csi_gan:ablation", "qsco:4", "qsco:5"]
FIGURES = ["dra:3left", "dra:3right", "dra:5"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dra:1", "dra:1"),
        ("2", "dra:2"),
        ("5", "agad:5"),
        (" AGAD:5 ", "agad:5"),
        ("8", "dra:8"),
        ("9", "dra:9"),
        ("dra:5", "dra:5"),
        ("agad:8", "agad:8"),
        ("csi_gan:ablation", "csi_gan:ablation"),
    ],
)
def test_names_and_short_forms(name, expected):
    assert layout.find_layout(name).id == expected


def test_every_table_of_the_papers_is_there():
    assert [name for name in ALL_TABLES if not layout.find_layout(name)] == []
    with pytest.raises(ReportError) as caught:
        layout.find_layout("x:1")
    assert str(caught.value).endswith(f": choose one of {', '.join(ALL_TABLES)}")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("6", "Table 6 of DRA holds no results"),
        ("agad:6", "Table 6 of AGAD holds no results"),
        ("agad:7", "Table 7 of AGAD holds no results"),
        ("dra:5", "Table 5 of DRA: Images of the datasets holds no AUCs: print it with bench report --table dra:5"),
        ("agda:5", "did you mean 'agad:5'?"),
        ("dra:22", "did you mean 'dra:2'?"),
        ("nonsense", "no table 'nonsense': choose one of dra:1"),
        ("", "no table ''"),
    ],
)
def test_wrong_names_are_told_apart(name, said):
    with pytest.raises(ReportError) as caught:
        layout.auc_layout(name)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "table",
    [*map(layout.auc_layout, layout.auc_table_ids()), *map(layout.figure_layout, FIGURES)],
    ids=lambda table: table.title[:40],
)
def test_every_layout_fits_its_file(table):
    entry = table.entry
    shown = entry.rows + entry.blocks + entry.columns
    assert set(shown) <= set(entry.coordinates)
    assert table.published_cells
    keys = [tuple(dict(place.coordinates)[name] for name in shown) for place in table.published_cells]
    assert len(set(keys)) == len(keys), "two places would be printed in one"
    for place in table.published_cells:
        where = dict(place.coordinates)
        source = table.source(where)
        assert source is None or source.rule, where
        shares = sum(subset.share for subset in table.subsets(where)) if source else 1
        assert shares == pytest.approx(1), where


MEASURED = {  # published values that something of ours measures, of all of them
    **{f"dra:{number}": None for number in (1, 2, 3, 4, 7, 8, 9)},
    "agad:1": {"agad"},
    "agad:2": {"agad"},
    "agad:3": set(),
    "agad:4": {"agad_unet", "agad_unet_no_contextual"},
    "agad:5": {"agad_unet", "agad_unet_adv_prop", "agad_unet_freeze_bn", "agad_unet_adv_prop_freeze_bn"},
    "agad:9": {"agad_naive", "agad_unet", "agad_unetpp"},
    "ahl:4": {"kdad", "patchcore"},
    "ahl:7": {"saoe", "mlep", "flos", "devnet", "dra", "ahl_devnet", "ahl_dra"},
    "ahl:8": {"saoe", "mlep", "flos", "devnet", "dra", "ahl_devnet", "ahl_dra"},
    "csi_gan:1": {"csi", "csi_gan"},
    "csi_gan:ablation": {"csi", "csi_gan", "csi_gan_generator_only"},
    "qsco:4": {"devnet", "dra"},
    "qsco:5": {"dra"},
}


@pytest.mark.parametrize("name", layout.auc_table_ids())
def test_methods_of_other_papers_are_measured_by_nothing(name):
    table = layout.auc_layout(name)
    sources = [table.source(dict(place.coordinates)) for place in table.published_cells]
    if MEASURED[name] is None:
        assert all(sources)
    else:
        assert {source.method for source in sources if source} == MEASURED[name]


def test_a_mean_row_names_its_subsets():
    hard = layout.auc_layout("2").subsets({"dataset": "elpv", "known_class": "mean", "method": "dra", "shots": "1"})
    assert [(subset.coordinates["known_class"], subset.share) for subset in hard] == [("mono", 0.5), ("poly", 0.5)]
    at = {"dataset": "mastcam", "known_class": "mean", "method": "dra", "shots": "1"}
    assert len(layout.auc_layout("2").subsets(at)) == 9
    general = layout.auc_layout("1").subsets({"dataset": "mvtec_ad", "known_class": "", "method": "dra", "shots": "1"})
    assert len(general) == 15
    assert general[0].coordinates == {"dataset": "carpet", "known_class": "", "method": "dra", "shots": "1"}


def test_a_domain_counts_mvtec_ad_once():
    table = layout.figure_layout("dra:3left")
    at = {"dataset": "domain_defect", "known_class": "", "method": "dra2a", "shots": "10"}
    shares = {subset.coordinates["dataset"]: subset.share for subset in table.subsets(at)}
    assert len(shares) == 15 + 4
    assert shares["carpet"] == pytest.approx(1 / 75)
    assert shares["aitex"] == pytest.approx(1 / 5)


def test_bars_of_figure_3_are_the_means_of_the_tables():
    """DRA2A of Table 3 over the domains, as the audit recomputed them: 0.912, 0.796, 0.909."""
    ablation = {
        place.coordinates[1][1]: place.value.mean
        for place in layout.auc_layout("3").published_cells
        if dict(place.coordinates)["method"] == "dra2a" and dict(place.coordinates)["protocol"] == "general"
    }
    figure = layout.figure_layout("dra:3left")
    for place in figure.published_cells:
        where = dict(place.coordinates)
        if where["method"] == "partially_disentangled":
            group = figure.paper.groups[where["dataset"]]
            mean = sum(ablation[dataset] for dataset in group) / len(group)
            assert abs(mean - place.value.mean) < 0.00051, where


def test_figures_take_the_known_classes_of_table_2():
    at = {"dataset": "hyper_kvasir", "known_class": "mean", "method": "dra_bce", "shots": "10"}
    found = [subset.coordinates["known_class"] for subset in layout.figure_layout("dra:5").subsets(at)]
    assert found == ["barretts", "barretts_short_seg", "esophagitis_a", "esophagitis_b_d"]


@pytest.mark.parametrize("name", ["dra:4", "3left", "agad:5", "nonsense"])
def test_wrong_figures_are_told(name):
    with pytest.raises(ReportError, match="no figure"):
        layout.figure_layout(name)


def test_agad_is_a_mean_over_classes():
    where = {"dataset": "cifar100", "adv_prop": "on", "freeze_bn": "off", "gamma": "0.05"}
    table = layout.auc_layout("agad:5")
    assert [subset.coordinates["normal_class"] for subset in table.subsets(where)] == [
        str(index) for index in range(20)
    ]
    assert table.source(where).method == "agad_unet_adv_prop"


def test_kdad_of_table_9_is_that_of_the_general_setting():
    table = layout.auc_layout("9")
    where = {"source_dataset": "", "dataset": "carpet", "known_class": "", "method": "kdad", "shots": ""}
    assert table.source(where) == layout.Source("kdad", "general", {})
    fine_tuned = table.source(where | {"method": "dra", "source_dataset": "grid"})
    assert fine_tuned == layout.Source("dra", "cross_domain", {"shots": "10"})


def test_agad_prints_population_stds_over_classes():
    """Recomputed from the cells of Table 9: 8 of the 12 rows fit with divisor n, none with n - 1 (spec AGAD 1.3)."""
    table = layout.auc_layout("agad:9")
    values = {place.coordinates: place.value for place in table.published_cells}
    fits = {pstdev: 0, stdev: 0}
    for place in table.published_cells:
        where = dict(place.coordinates)
        if where["normal_class"] == "mean":
            cells = [values[tuple(subset.coordinates.items())].mean for subset in table.subsets(where)]
            for spread in fits:
                decimals = len(place.value.std_text.partition(".")[2])
                fits[spread] += f"{spread(cells):.{decimals}f}" == place.value.std_text
    assert list(fits.values()) == [8, 0]


@pytest.mark.parametrize("name", ["1", "2", "3", "4", "7", "8"])
def test_printed_mean_rows_are_the_means_of_their_subsets(name):
    """Rounding of printed values allows 0.001; errata names the one cell that the paper has wrong."""
    table = layout.auc_layout(name)
    values = {place.coordinates: place.value.mean for place in table.published_cells}
    wrong = [
        one.coordinates for one in published.read_errata(PAPERS_FOLDER / "dra", "dra", name) if one.kind == "paper_mean"
    ]
    checked = 0
    for place in table.published_cells:
        where = dict(place.coordinates)
        subsets = [tuple(subset.coordinates.items()) for subset in table.subsets(where)]
        if len(subsets) == 1 or not all(subset in values for subset in subsets):
            continue
        mean = sum(values[subset] for subset in subsets) / len(subsets)
        excused = any(set(one.items()) - {("protocol", "general")} <= set(where.items()) for one in wrong)
        assert excused or abs(mean - place.value.mean) < 0.00101, where
        checked += 1
    assert checked == {"1": 11, "2": 66, "3": 20, "4": 20, "7": 3, "8": 18}[name]
