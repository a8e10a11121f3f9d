"""A paper of another package: its tables are printed, tested and filled by suites as ours are."""

import csv
import json
from io import StringIO

import pytest
import strangers
from plugins import forget_installed

from results.store import Store

SUITE = """
id = "bright"
title = "The brightest pixel"
rule = "hard"
recipe = "official"
methods = ["bright"]
seeds = [0]
shots = [10]
table = "mine:1"
[datasets]
tiny = ["bar", "dot"]
"""

FACTS = """
[methods]
brightest = "brightly"
small = "devnet"
unet = "agad_unet"
lost = "gone"

[facts.2]
title = "Images"
caption = "Images and classes."
file = "images.csv"
coordinates = ["dataset"]
key = "dataset"
columns = ["test_anomaly", "anomaly_classes"]
measured = ["test_anomaly", "anomaly_classes"]
measured_by = "images"
rows = ["dataset"]
sums = { every = "all" }

[facts.3]
title = "Networks"
caption = "Parameters in millions."
file = "networks.csv"
coordinates = ["method"]
key = "method"
columns = ["params_millions"]
measured = ["params_millions"]
measured_by = "network_parameters"
networks = { recipe = "official", dataset = "tiny", side = 64, channels = 1 }
rows = ["method"]
"""

COUNTS = """
    @classmethod
    def network_parameters(cls, params, side, channels):
        return params["img_size"] * side * side * channels * 1000
"""


@pytest.fixture
def site(house, monkeypatch):
    (house.root / "site").mkdir()
    monkeypatch.syspath_prepend(house.root / "site")
    monkeypatch.setenv("PYTHONPATH", strangers.path(house.root / "site"))
    forget_installed()
    yield house.root / "site"
    forget_installed()


def rows(text, key):
    return {row[key]: row for row in csv.DictReader(StringIO(text))}


def test_a_suite_fills_the_table_of_another_package(house, site, bench):
    strangers.brightest(site)
    strangers.paper(site)
    (house.root / "bright.toml").write_text(SUITE)
    done = house.bench("run", "--suite", "bright.toml", "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert "Table 1 of Mine: AUC in the hard setting" in done.stdout
    aucs = {record.spec.split.known_class: record.metrics.auroc for record in Store(house.results).records()}
    code, out, _ = bench("report", "--table", "mine:1", "--format", "csv")
    assert code == 0
    cells = {(row["known_class"], row["method"]): row for row in csv.DictReader(StringIO(out))}
    assert cells["bar", "brightest"]["measured_mean"] == f"{aucs['bar']:.3f}"
    assert cells["mean", "brightest"]["measured_mean"] == f"{(aucs['bar'] + aucs['dot']) / 2:.3f}"
    assert cells["mean", "theirs"]["published_mean"] == "0.700"
    code, out, err = bench("check", "--against", "published", "--table", "mine:1", "--include-not-comparable")
    assert (code, err) == (3, "")
    assert "REGRESSION: mine:1/hard/tiny/dot/bright" in out


def test_facts_of_another_package_are_measured(site, bench):
    facts = strangers.PAPER.replace('[methods]\nbrightest = "bright"\n', "") + FACTS
    images = "dataset,test_anomaly,anomaly_classes\ntiny,3,2\nevery,3,2\nnowhere,7,1\n"
    networks = "method,params_millions\nbrightest,1.00\nsmall,2.00\nunet,7.70\nlost,8.00\ntheirs,9.00\n"
    strangers.paper(site, paper_toml=facts, images_csv=images, networks_csv=networks)
    strangers.brightest(site, "brightly")
    detector = site / "brightly" / "detector.py"
    detector.write_text(detector.read_text() + COUNTS)
    counted = rows(bench("report", "--table", "mine:2", "--format", "csv")[1], "dataset")
    assert counted["tiny"]["measured_anomaly_classes"] == "2"
    assert counted["every"]["measured_test_anomaly"] == counted["tiny"]["measured_test_anomaly"] != ""
    assert counted["nowhere"]["measured_test_anomaly"] == ""
    _, out, err = bench("report", "--table", "mine:3", "--format", "csv")
    sizes = {name: row["measured_params_millions"] for name, row in rows(out, "method").items()}
    assert sizes == {"brightest": "65.54", "small": "", "unet": sizes["unet"], "lost": "", "theirs": ""}
    assert 7 < float(sizes["unet"]) < 8
    assert "the parameters of lost are not counted: unknown method 'gone'" in err
    listed = json.loads(bench("methods", "sizes")[1])
    assert (list(listed), listed["mine:3"]["brightest"]) == (["agad:8", "mine:3"], 16 * 64 * 64 * 1000)


def test_a_broken_paper_costs_itself_alone_on_the_command_line(house, site, bench):
    strangers.paper(site, values_csv="dataset,method\n")
    (house.root / "bright.toml").write_text(SUITE.replace("bright", "devnet"))
    for words in (
        ("report", "--table", "mine:1"),
        ("check", "--against", "published", "--table", "mine:1"),
        ("run", "--suite", "bright.toml"),
    ):
        code, out, err = bench(*words)
        assert (code, out) == (2, "")
        assert "the plug-in 'mine' cannot be used: values.csv has no column known_class, mean" in err
    assert bench("report", "--table", "2", "--show", "published")[0] == 0
    assert bench("check", "--against", "published")[0] == 4
    assert bench("report", "--help")[0] == 0


def test_help_names_the_tables_of_every_paper(site, bench):
    strangers.paper(site)
    code, out, _ = bench("report", "--help")
    text = " ".join(out.split())
    assert code == 0
    assert (
        "agad:9, ahl:4, ahl:7, ahl:8, csi_gan:1, csi_gan:ablation, qsco:4, qsco:5, mine:1; in short 1, 2, 3, 4, 7, 8, 9 (DRA), 5 (AGAD)."
        in text
    )
    assert "dra:3left, dra:3right, dra:5, agad:4; in place of a table." in text
