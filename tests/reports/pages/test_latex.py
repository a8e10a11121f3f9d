"""Tables in LaTeX: the layout of papers, space for it on each kind of page, and macros; compiled where there is a TeX."""

import re
import shutil
import subprocess
from functools import partial

import pytest

from reports.errors import ReportError
from reports.layouts import layout
from reports.pages import facts, render
from reports.pages.latex.grids import fitting_grids
from reports.pages.latex.sizes import FRAMES
from reports.pages.page import GridCell, TableBlock, TableRow
from reports.tables import table
from reports.tables.measured import CellValue
from results.metrics import METRICS, stored_value

NASTY = "x_y & 5 % # ~ ^ \\ {z} $ <b> | * ` é 中 α ﬁ"
CLASSES = {"column": "twocolumn", "text": "onecolumn", "wide": "twocolumn", "landscape": "twocolumn"}
needs_tex = pytest.mark.skipif(
    shutil.which("pdflatex") is None or shutil.which("pdffonts") is None,
    reason="no pdflatex with pdffonts: install texlive-latex-extra and poppler-utils",
)


def build(records, name="2", **options):
    options = {"measures": lambda record: {record.spec.method}, "versions": {"dra": 1}} | options
    return table.build_table(layout.auc_layout(name), records, **options)


def latex(records, name="2", *, width="text", notes=True, **options):
    return render.render_table(build(records, name, **options), "latex", width=width, notes=notes)


def every_class(record, method, dataset):
    rule, gamma = ("labelled_share", "0.00") if method == "agad" else ("one_class", None)
    options = {"known_class": None, "shots": None, "gamma": gamma, "rule": rule, "dataset": dataset, "method": method}
    return [record(0.9 + index / 100, normal_class=str(index), **options) for index in range(10)]


def compiled(body, folder, options="onecolumn"):
    """The log of pdflatex, and the names of the fonts that it used."""
    document = f"\\documentclass[{options}]{{article}}\n\\usepackage{{booktabs,threeparttable,rotating}}\n"
    (folder / "page.tex").write_text(f"{document}\\begin{{document}}\n{body}\n\\end{{document}}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "page.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, encoding="latin-1")
    fonts = subprocess.run(["pdffonts", "page.pdf"], cwd=folder, capture_output=True, text=True, check=True).stdout
    return done.stdout, re.findall(r"\+(\w+)", fonts)


@needs_tex
@pytest.mark.slow
@pytest.mark.parametrize("width", FRAMES)
def test_every_table_fits_its_page_at_seven_points(record, tmp_path, width):
    records = [
        record(0.7 + seed / 100, seed=seed, deviations=[NASTY], method=method)
        for seed in (0, 1)
        for method in ("dra", "kdad")
    ]
    records += [*every_class(record, "agad", "mnist"), *every_class(record, "csi", "cifar10")]
    bodies = [
        latex(records, name, width=width, show=show)
        for name in layout.auc_table_ids()
        for show in ("both", "published")
    ]
    bodies += [
        latex(records, "dra:2", width=width, show="measured"),
        latex(records, "dra:2", width=width, all_sources=True),
    ]
    for name in ("dra:5", "agad:8"):
        built = facts.build_fact_table(layout.find_layout(name), {})
        bodies.append(render.render_table(built, "latex", width=width))
    log, fonts = compiled("\n\\clearpage\n".join(bodies), tmp_path, CLASSES[width])
    assert not re.findall(r"^!.*|.*Float too large.*|Missing character.*|.*multiply.defined.*", log, re.MULTILINE)
    assert [points for points in re.findall(r"Overfull .hbox \((\d+)", log) if int(points) > 20] == []
    sizes = [int(size) for name in fonts for size in re.findall(r"\d+$", name)]
    assert min(sizes) == 7


@pytest.mark.parametrize("show", ["published", "measured", "both"])
def test_latex_is_booktabs_with_balanced_braces_and_columns(record, show):
    text = latex([record(deviations=[NASTY])], show=show, width="wide")
    plain = re.sub(r"\\[{}\\&%]", lambda found: "\n" if found[0] == r"\\" else "", text)
    assert plain.count("{") == plain.count("}")
    assert text.count(r"\toprule") == text.count(r"\bottomrule") >= 1
    for table_text in re.findall(r"\\toprule(.*?)\\bottomrule", plain, re.DOTALL):
        lines = [line for line in table_text.splitlines() if line.count("&") and "multicolumn" not in line]
        assert len({line.count("&") for line in lines}) == 1
    assert text.isascii()
    assert all("%" not in re.sub(r"\\%", "", line) or line.startswith("%") for line in text.splitlines())


def test_measured_values_stand_in_italics_below_published_ones(record):
    text = latex([record()], width="wide")
    assert r"ELPV & Mono & \underline{0.796$\pm$0.002} & 0.599$\pm$0.021 " not in text  # in ten-shot KDAD is the best
    assert r"ELPV & Mono & \textbf{0.796$\pm$0.002} &" in text
    assert re.search(r"^ &  &  &  &  &  &  & \\textit\{0\.750\} \? \\\\$", text, re.MULTILINE)
    assert "below it in italics measured" in text
    assert "Every measured value: seed 0; recipe official; weights resnet18" in text


def test_the_caption_says_what_is_shown_once(record):
    text = latex([record()], width="wide")
    (caption, further) = re.findall(r"\\caption\{(.*)\}\n", text)
    assert caption.startswith("AUC in the hard setting, by known class, one-shot. AUC. Published mean")
    assert caption.count("Table") == 1
    assert r"(Table 2 of DRA, \swanbenchcite{dra}{Ding, Pang, Shen: Catching Both" in caption
    assert further == "AUC in the hard setting, by known class, ten-shot, continued."
    assert re.findall(r"\\label\{(.*)\}", text) == ["tab:dra-2", "tab:dra-2-2"]
    figure = table.build_table(layout.figure_layout("dra:5"), [], measures=lambda _: (), versions={})
    assert r"\label{tab:dra-figure_5}" in render.render_table(figure, "latex")
    precision = METRICS["average_precision"]
    other = render.render_table(
        build([record()], value=CellValue(precision, partial(stored_value, precision))), "latex"
    )
    assert r"\label{tab:dra-2-average_precision}" in other


def test_data_sets_are_named_once_and_ruled(record):
    text = latex([], show="published", width="wide")
    assert len(re.findall(r"^Carpet & Color", text, re.MULTILINE)) == 2
    assert len(re.findall(r"^ & Cut &", text, re.MULTILINE)) == 2
    assert text.count(r"\midrule") == 2 * 6


def test_the_number_of_anomaly_classes_has_a_column():
    text = latex([], "1", show="published", width="wide")
    assert r"Dataset & $|C|$ & KDAD" in text
    assert re.search(r"^AITEX & 12 & ", text, re.MULTILINE)
    assert "$|C|$" not in latex([], "2", show="published")


def test_blocks_stand_beside_each_other_where_they_fit(record):
    records = [
        record(0.7 + shots / 100, method=method, shots=shots) for method in ("dra", "devnet") for shots in (1, 10)
    ]
    records.append(record(0.6, method="kdad", shots=None))
    part = build(records).measured_part()
    text = render.render_table(part, "latex", width="wide")
    assert r"& & & \multicolumn{2}{c}{one-shot} & \multicolumn{2}{c}{ten-shot} \\" in text
    assert "Dataset & Known class & KDAD & DevNet & DRA & DevNet & DRA " in text
    assert text.count(r"\caption") == 1
    narrow = render.render_table(part, "latex", width="column")
    assert "multicolumn" not in narrow
    assert (
        re.findall(r"^Dataset & .*", narrow, re.MULTILINE)
        == [
            r"Dataset & Known class & KDAD & DevNet \\",
            r"Dataset & Known class & DRA \\",
        ]
        * 2
    )


def test_narrow_columns_share_a_float_whatever_the_wide_ones_take():
    names = ["a method with a name of many words", *"bcdefghi"]
    row = TableRow(("elpv",), tuple(GridCell(measured="0.700±0.010") for _ in names))
    (grids,) = fitting_grids([TableBlock("", ("Dataset",), tuple(names), (row,))], FRAMES["text"].width)
    assert [[column.heading for column in grid.columns] for grid in grids] == [names[:4], names[4:]]
    assert all(grid.width <= FRAMES["text"].width for grid in grids)


def test_notes_stand_in_the_float_of_their_cells_or_nowhere(record):
    records = [record(0.7), record(0.8, known_class="poly", weights="random")]
    text = latex(records, width="wide")
    notes = re.findall(r"^\\item\[(\d)\] (seed.*)", text, re.MULTILINE)
    assert [number for number, _ in notes] == ["1", "2", "3"]  # mono, poly and their mean
    assert re.search(r"\\textit\{0\.800\} \(\?\)\\tnote\{2\}", text)
    bare = latex(records, width="wide", notes=False)
    assert r"\item[" not in bare
    assert "\\tnote{" not in bare
    assert "blue mark" not in bare
    assert r"\item ? inconclusive: these runs cannot tell" in bare


def test_macros_name_each_measured_cell_once(record):
    records = [record(0.70, seed=0), record(0.72, seed=1), record(0.6, method="kdad", shots=None)]
    text = render.render_table(build(records), "macros")
    assert r"\swanbenchdefine{hard}{elpv}{mono}{dra}{10}{0.710$\pm$0.014}" in text
    assert r"\swanbenchdefine{hard}{elpv}{mono}{kdad}{}{0.600}" in text
    assert text.count(r"\swanbenchdefine{hard}") == 2
    fid = render.render_table(
        build(
            [
                record(
                    0.9,
                    history={"fid": [50.0]},
                    method="csi",
                    rule="one_class",
                    dataset="cifar10",
                    known_class=None,
                    shots=None,
                    normal_class=str(index),
                )
                for index in range(10)
            ],
            "csi_gan:1",
        ),
        "macros",
    )
    assert r"\swanbenchdefine{one_class}{cifar10}{}{csi}{}{90.0}" in fid


def test_macros_of_facts_are_refused():
    with pytest.raises(
        ReportError, match=r"Table 5 of DRA: .* holds no AUCs, for which macros are: choose --format latex"
    ):
        render.render_table(facts.build_fact_table(layout.find_layout("dra:5"), {}), "macros")


@needs_tex
def test_a_macro_prints_its_value_and_an_unknown_one_is_an_error_with_its_name(record, tmp_path):
    macros = render.render_table(build([record(0.70), record(0.8, dataset="metal_nut", known_class="bent")]), "macros")
    known = r"\section{At \swanbench{hard}{elpv}{mono}{dra}{10}} \swanbench{hard}{metal_nut}{bent}{dra}{10}"
    log, _ = compiled(macros + macros + known, tmp_path)
    assert "!" not in log
    text = subprocess.run(
        ["pdftotext", "page.pdf", "-"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "At 0.700" in text
    assert "0.800" in text
    log, _ = compiled(macros + r"\swanbench{hard}{elpv}{mono}{dro}{10}", tmp_path)
    assert "! Package swanbench Error: No measured value of hard/elpv/mono/dro/10." in log
