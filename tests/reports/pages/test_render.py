import csv
import json
import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from repository import SHARED

import reports
from reports.errors import ReportError
from reports.layouts import layout
from reports.layouts.errata import as_sentence
from reports.pages import page, render
from reports.tables import table

PUBLISHED = SHARED / "published"
TAIL = ["published_mean", "published_std", "measured_mean", "measured_std", "n", "verdict"]
NASTY = "x_y & 5 % # ~ ^ \\ {z} $ <b> | * `"


def build(records, name="2", **options):
    options = {"measures": lambda record: {record.spec.method}, "versions": {"dra": 1}} | options
    return table.build_table(layout.auc_layout(name), records, **options)


def rows(text):
    return list(csv.reader(StringIO(text)))


LAYOUTS = [
    *map(layout.auc_layout, layout.auc_table_ids()),
    *map(layout.figure_layout, ["dra:3left", "dra:3right", "dra:5"]),
]
COUNTS = {
    "Table 1 of DRA": 264,
    "Table 2 of DRA": 396,
    "Table 3 of DRA": 150,
    "Table 4 of DRA": 105,
    "Table 7 of DRA": 72,
    "Table 8 of DRA": 108,
    "Table 9 of DRA": 25,
    "Table 1 of AGAD": 281,
    "Table 2 of AGAD": 96,
    "Table 3 of AGAD": 38,
    "Table 4 of AGAD": 30,
    "Table 5 of AGAD": 54,
    "Table 9 of AGAD": 162,
    "Table 4 of AHL": 26,
    "Table 7 of AHL": 336,
    "Table 8 of AHL": 504,
    "Table 4 of Qsco": 48,
    "Table 5 of Qsco": 20,
    "Table 1 of CSI-GAN": 15,
    "Ablation table of CSI-GAN": 5,
    "Figure 3 (left) of DRA": 9,
    "Figure 3 (right) of DRA": 12,
    "Figure 5 of DRA": 12,
}


def published_only(chosen):
    return table.build_table(chosen, [], measures=lambda _: (), versions={}, show="published")


@pytest.mark.parametrize("chosen", LAYOUTS, ids=lambda chosen: chosen.title.partition(":")[0])
def test_csv_of_published_values_has_one_line_a_cell(chosen):
    found = rows(render.render_table(published_only(chosen), "csv"))
    assert len(found) == COUNTS[chosen.title.partition(":")[0]] + 1
    assert found[0] == [*chosen.entry.coordinates, *TAIL]
    assert all(line[-4:] == ["", "", "", ""] and line[-6] for line in found[1:])


def test_csv_headers():
    assert rows(render.render_table(build([], "2"), "csv"))[0] == ["dataset", "known_class", "method", "shots", *TAIL]
    assert rows(render.render_table(build([], "5"), "csv"))[0] == ["dataset", "adv_prop", "freeze_bn", "gamma", *TAIL]
    nine = ["source_dataset", "dataset", "known_class", "method", "shots", *TAIL]
    assert rows(render.render_table(build([], "9"), "csv"))[0] == nine
    ablation = rows(render.render_table(build([], "csi_gan:ablation"), "csv"))
    assert ablation[0] == ["dataset", "method", "metric", *TAIL]
    assert ablation[-1] == ["cifar10", "csi_gan", "fid", "54.1", "", "", "", "", "missing"]


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the audited transcription is not beside this checkout")
@pytest.mark.parametrize("chosen", LAYOUTS, ids=lambda chosen: chosen.title.partition(":")[0])
def test_csv_repeats_the_audited_values_verbatim(chosen):
    """All rows of the file that hold a value, in its order; columns left out hold one value only, or remarks."""
    with (PUBLISHED / chosen.entry.file).open(newline="") as handle:
        lines = [line for line in csv.DictReader(handle) if line["mean"]]
    lines = [line for line in lines if line["table"] == (chosen.entry.lines or line["table"])]
    coordinates = chosen.entry.coordinates
    wanted = [[line[column] for column in coordinates] + [line["mean"], line["std"]] for line in lines]
    assert [line[:-4] for line in rows(render.render_table(published_only(chosen), "csv"))[1:]] == wanted
    left_out = lines[0].keys() - {*coordinates, "mean", "std", "transcription", "note"}
    if chosen.id != "agad:5":
        assert {column: len({line[column] for line in lines}) for column in left_out} == dict.fromkeys(left_out, 1)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the audited transcription is not beside this checkout")
@pytest.mark.parametrize("chosen", LAYOUTS, ids=lambda chosen: chosen.title.partition(":")[0])
def test_values_that_were_not_read_in_one_source_are_footnoted(chosen):
    with (PUBLISHED / chosen.entry.file).open(newline="") as handle:
        lines = [line for line in csv.DictReader(handle) if line["mean"]]
    lines = [line for line in lines if line["table"] == (chosen.entry.lines or line["table"])]
    doubtful = [line for line in lines if line.get("transcription", "exact") != "exact"]
    shown = page.table_page(published_only(chosen))
    cells = [cell for block in shown.blocks for row in block.rows for cell in row.cells if cell.published]
    once = len({line["shots"] for line in lines if "shots" in line} - {""}) <= 1  # else KDAD stands in two blocks
    assert not once or sum(bool(cell.notes) for cell in cells) == len(doubtful)
    for line in doubtful:
        assert f"{page.ORIGINS[line['transcription']]}. {as_sentence(line['note'])}" in shown.notes


def test_csv_of_measured_values(record):
    records = [record(value, seed=seed) for seed, value in enumerate([0.7, 0.72, 0.77])]
    both = rows(render.render_table(build(records), "csv"))
    line = ["elpv", "mono", "dra", "10", "0.731", "0.021", "0.730", "0.036", "3", "inconclusive"]
    assert line in both
    assert ["elpv", "poly", "dra", "10", "0.800", "0.064", "", "", "", "missing"] in both
    measured = rows(render.render_table(build(records, show="measured"), "csv"))
    assert [*line[:4], "", "", *line[6:]] in measured
    assert "\r" not in render.render_table(build(records), "csv")


def test_json_is_complete(record):
    found = json.loads(render.render_table(build([record(0.7123456789, weights="random")]), "json"))
    cells = {tuple(cell["coordinates"].values()): cell for cell in found["cells"]}
    assert len(cells) == 396
    cell = cells["elpv", "mono", "dra", "10"]
    assert cell["published"]["mean"] == 0.731
    assert cell["published"]["printed_mean"] == "0.731"
    assert cell["measured"]["mean"] == 0.7123456789
    name = record(0.7123456789, weights="random").spec.name
    assert cell["measured"]["seeds"] == [{"split_seed": 0, "seed": 0, "value": 0.7123456789, "runs": [name]}]
    assert (cell["verdict"], cell["would_be"]) == ("not_comparable", "inconclusive")
    assert cell["reasons"] == ["weights resnet18 random"]
    assert cells["elpv", "poly", "saoe", "1"]["published"]["transcription"] == "restored"
    assert found["errata"]


def test_json_of_published_values_holds_nothing_measured(record):
    found = json.loads(render.render_table(build([record()], show="published"), "json"))
    assert all(cell["measured"] is None and cell["verdict"] is None for cell in found["cells"])


def test_markdown_of_the_whole_table(record):
    text = render.render_table(build([record(0.72, recipe="quick")]), "md")
    assert text.startswith("# Table 2 of DRA: AUC in the hard setting, by known class\n")
    assert re.search(r"\| 0\.731±0\.021 / \*\*0\.720\*\* \(\?\) \[\d+\] \|", text)
    assert "| 0.787±0.005 / –" in text
    assert (
        "- [4] seed 0; recipe quick; weights resnet18 genuine:resnet18-f37072fd.pth; precision bf16. Not comparable"
        in text
    )
    assert "- ( ) not comparable with the paper; in brackets the verdict that it would have" in text
    doubt = "Metal nut, Scratch, DRA, one-shot: the paper marks this value as second best, but flos 0.947 is second."
    assert f"- {doubt} Blue mark on DRA 0.909; FLOS 0.947 is higher.\n" in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_markdown_tables_are_rectangular_and_have_every_row():
    text = render.render_table(build([], "2"), "md")
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert len(tables) == 2  # one-shot and ten-shot
    for found in tables:
        lines = found.splitlines()
        assert len(lines) == 2 + 36
        assert len({len(line) for line in lines}) == 1
        assert {line.count("|") for line in lines} == {9}  # two labels, KDAD and five methods


def test_markdown_of_the_measured_part_is_short(record):
    text = render.render_table(build([record()]).measured_part(), "md")
    assert "carpet" not in text.lower()
    assert "one-shot" not in text
    assert "| ELPV    | Mono        | 0.731±0.021 / **0.750** ? [1] |" in text
    assert "No cell is measured." in render.render_table(build([]).measured_part(), "md")


def test_columns_stand_in_the_order_of_the_paper():
    text = render.render_table(build([], "5"), "md")
    assert re.search(r"\| 0\.00 +\| 0\.01 +\| 0\.03 +\| 0\.05 +\| 0\.10 +\|\n", text)
    assert re.search(r"\| Fashion-MNIST \| on +\| on +\| – / – +\| 100\.0±0\.00 / –", text)


def test_words_for_failed_and_stale(record):
    failed = render.render_table(build([record(failed="boom")]), "md")
    assert re.search(r"0\.731±0\.021 / failed \[\d+\]", failed)
    assert "seed 0 failed: boom" in failed
    stale = render.render_table(build([record()], versions={"dra": 2}), "md")
    assert re.search(r"0\.731±0\.021 / \*\*0\.750\*\* stale \[\d+,\d+\]", stale)


def test_footnotes_join_with_commas_in_every_format(record):
    built = build([record()], versions={"dra": 2})
    assert re.search(r"stale \[\d+,\d+\]", render.render_table(built, "md"))
    restored = [record(method="saoe", known_class="poly", shots=1), record(weights="random")]
    assert r"\tnote{1,2}" in render.render_table(build(restored), "latex")


def test_markdown_escapes_what_people_wrote(record):
    text = render.render_table(build([record(deviations=[NASTY])]), "md")
    assert "x_y & 5 % # ~ ^ \\\\ {z} $ &lt;b> \\| \\* \\`" in text


def test_classes_stand_in_their_order_with_the_mean_last():
    text = render.render_table(build([], "agad:9"), "md")
    found = re.findall(r"^\| (\d+|Mean) ", text.partition("## CIFAR-100")[2], re.MULTILINE)
    assert found == [*map(str, range(20)), "Mean"]


def test_table_9_has_kdad_first_and_the_sources_in_one_order():
    text = render.render_table(build([], "9"), "md")
    assert re.search(r"\| KDAD +\| DRA, Carpet +\| DRA, Grid +\| DRA, Leather +\| DRA, Tile +\| DRA, Wood +\|", text)
    assert re.search(r"\| Carpet +\| 0\.774 / – +\| – / – +\| 0\.833 / – ", text)


def test_fid_is_said_to_be_no_auc():
    text = render.render_table(build([], "csi_gan:ablation"), "md")
    assert text.startswith("# Ablation table of CSI-GAN: Networks, mean over the ten classes of CIFAR-10\n")
    assert "FID: lower is better" in text
    assert "FID is no AUC and gets no verdict" in text


def test_added_method_is_printed_last(record):
    built = build([record(), record(0.6, method="mine")], added_methods=["mine"])
    last = ["elpv", "mono", "mine", "10", "", "", "0.600", "", "1", "no_published_value"]
    assert rows(render.render_table(built, "csv"))[-1] == last
    assert "| mine " in render.render_table(built, "md")


def test_unknown_format_is_told():
    with pytest.raises(ReportError, match="no format 'latx': did you mean 'latex'"):
        render.render_table(build([]), "latx")


def test_reports_load_nothing_heavy():
    """Importing all of reports loads no template engine and no numbers library; a whole report loads no scipy.stats."""
    program = """
import sys
from reports.pages import render
from reports.comparison import folders, methods, output
from reports.figures import boxes, plots
from reports.gates import published, published_output, reference, reference_output, required
from reports.layouts import layout
from reports.pages import facts, page
from reports.tables import table, unplaced_runs
print(sorted({"jinja2", "matplotlib", "numpy", "scipy", "torch", "sklearn", "pandas"} & set(sys.modules)))
built = table.build_table(layout.auc_layout("2"), [], measures=lambda record: (), versions={})
for form in render.TABLE_FORMATS:
    render.render_table(built, form)
from reports.stats import verdict
verdict.judge(verdict.Sample(0.7, 0.1, 3), verdict.Sample(0.7, 0.1, 3), 0.02)
print(sorted({"scipy.stats", "torch", "sklearn", "pandas"} & set(sys.modules)))
"""
    environment = os.environ | {"PYTHONPATH": str(Path(reports.__file__).parents[1])}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]


def test_each_cell_of_json_has_its_sources(record):
    content = json.loads(render.render_table(build([record(0.7)]), "json"))
    at = {"dataset": "elpv", "known_class": "mean", "method": "dra", "shots": "10"}
    (cell,) = [cell for cell in content["cells"] if cell["coordinates"] == at]
    assert cell["sources"] == [
        {"paper": "dra", "table": "2", "kind": "paper", "by": "DRA", "mean": 0.766, "std": 0.029, "n": 3, "n_known": True},
        {
            "paper": "ahl", "table": "8", "kind": "rerun", "by": "AHL's authors, DRA's first author among them",
            "mean": 0.771, "std": 0.005, "n": 3, "n_known": True,
        },
        {
            "paper": "qsco", "table": "5", "kind": "rerun", "by": "Qsco's authors, another laboratory",
            "mean": 0.705, "std": 0.050, "n": 3, "n_known": False,
        },
    ]  # fmt: skip
    hidden = json.loads(render.render_table(build([record(0.7)], show="measured"), "json"))
    assert {len(cell["sources"]) for cell in hidden["cells"]} == {0}


@pytest.mark.parametrize("form", ["md", "html", "latex"])
def test_columns_of_other_papers_stand_behind_the_method(record, form):
    records = [record(0.70 + 0.002 * seed, seed=seed) for seed in range(5)]
    text = render.render_table(build(records, all_sources=True), form)
    assert "DRA, by AHL" in text
    assert "SAOE, by AHL" not in text
    assert "DRA, by Qsco" in text
    notes = text.count("The number of runs behind this published value is not known: it counts as three")
    assert notes == text.count("DRA, by Qsco") if form == "latex" else notes == 1  # each float has its own notes
    assert "by AHL" not in render.render_table(build(records), form)


def test_a_column_of_another_paper_has_our_verdict_against_it(record):
    records = [record(0.70 + 0.002 * seed, seed=seed) for seed in range(5)]
    built = build(records, all_sources=True)
    (block,) = [block for block in page.table_page(built).blocks if block.title == "ten-shot"]
    (row,) = [row for row in block.rows if row.labels == ("ELPV", "Mono")]
    texts = dict(zip(block.columns, row.cells, strict=True))
    assert (texts["DRA"].published, texts["DRA"].measured) == ("0.731±0.021", "0.704±0.003")
    assert (texts["DRA, by AHL"].published, texts["DRA, by AHL"].measured) == ("0.735±0.008", "")
    assert texts["DRA, by AHL"].mark == "↓"
    assert texts["DRA"].mark != "↓"
    assert any(line.startswith("↓") for line in page.table_page(built).legend)
