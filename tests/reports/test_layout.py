import pytest

from reports import layout, published
from reports.errors import ReportError


@pytest.mark.parametrize(
    ("name", "expected"),
    [("dra:1", "dra:1"), ("2", "dra:2"), ("5", "agad:5"), (" AGAD:5 ", "agad:5"), ("8", "dra:8")],
)
def test_names_and_short_forms(name, expected):
    assert layout.resolve(name).id == expected


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("6", "Table 6 of DRA holds no results"),
        ("agad:6", "Table 6 of AGAD holds no results"),
        ("agad:7", "Table 7 of AGAD holds no results"),
        ("dra:5", "Table 5 of DRA is not laid out yet: choose one of dra:1, dra:2"),
        ("csi_gan:ablation", "Table ablation of CSI-GAN is not laid out yet"),
        ("agda:5", "did you mean 'agad:5'?"),
        ("dra:22", "did you mean 'dra:2'?"),
        ("nonsense", "no table 'nonsense': choose one of dra:1"),
        ("", "no table ''"),
    ],
)
def test_wrong_names_are_told_apart(name, said):
    with pytest.raises(ReportError) as caught:
        layout.resolve(name)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", layout.available())
def test_every_layout_fits_its_file(name):
    table = layout.resolve(name)
    entry = table.entry
    assert set(entry.rows + entry.blocks + entry.columns) <= set(entry.coordinates)
    shown = [name for name in entry.coordinates if name in entry.rows + entry.blocks + entry.columns]
    keys = [tuple(dict(place.coordinates)[name] for name in shown) for place in table.places]
    assert len(set(keys)) == len(keys), "two places would be printed in one"
    for place in table.places:
        where = dict(place.coordinates)
        assert table.method(where), where
        assert table.rule(where), where


def test_a_mean_row_names_its_subsets():
    hard = layout.resolve("2").subsets({"dataset": "elpv", "known_class": "mean", "method": "dra", "shots": "1"})
    assert [subset["known_class"] for subset in hard] == ["mono", "poly"]
    at = {"dataset": "mastcam", "known_class": "mean", "method": "dra", "shots": "1"}
    assert len(layout.resolve("2").subsets(at)) == 9
    general = layout.resolve("1").subsets({"dataset": "mvtec_ad", "known_class": "", "method": "dra", "shots": "1"})
    assert len(general) == 15
    assert general[0] == {"dataset": "carpet", "known_class": "", "method": "dra", "shots": "1"}


def test_agad_is_a_mean_over_classes():
    where = {"dataset": "cifar100", "adv_prop": "on", "freeze_bn": "off", "gamma": "0.05"}
    table = layout.resolve("agad:5")
    assert [subset["normal_class"] for subset in table.subsets(where)] == [str(index) for index in range(20)]
    assert table.method(where) == "agad_unet_adv_prop"


@pytest.mark.parametrize("name", ["1", "2", "3", "4", "7", "8"])
def test_printed_mean_rows_are_the_means_of_their_subsets(name):
    """Rounding of printed values allows 0.001; errata names the one cell that the paper has wrong."""
    table = layout.resolve(name)
    values = {place.coordinates: place.value.mean for place in table.places}
    wrong = [one.coordinates for one in published.errata("dra", name) if one.kind == "paper_mean"]
    checked = 0
    for place in table.places:
        where = dict(place.coordinates)
        subsets = [tuple(subset.items()) for subset in table.subsets(where)]
        if len(subsets) == 1 or not all(subset in values for subset in subsets):
            continue
        mean = sum(values[subset] for subset in subsets) / len(subsets)
        excused = any(set(one.items()) - {("protocol", "general")} <= set(where.items()) for one in wrong)
        assert excused or abs(mean - place.value.mean) < 0.00101, where
        checked += 1
    assert checked == {"1": 11, "2": 66, "3": 20, "4": 20, "7": 3, "8": 18}[name]
