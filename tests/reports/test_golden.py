"""Five tables in each format: their text stays as it is committed, and all formats hold the same values."""

import csv
import json
import re
from io import StringIO
from typing import NamedTuple

import pytest
from golden_tables import GOLDEN_FORMATS, GOLDEN_TABLES, golden_file, golden_table, golden_text

from reports.pages import render


class PrintedCell(NamedTuple):
    """Where a value stands on a page, and what stands there: texts, empty where nothing does."""

    block: str
    labels: tuple[str, ...]
    column: str
    published: str
    measured: str


@pytest.mark.parametrize("form", GOLDEN_FORMATS)
@pytest.mark.parametrize("name", GOLDEN_TABLES)
def test_a_page_is_the_committed_one(name, form):
    """After a change that is meant: `python tests/support/golden_tables.py`, and look at the difference."""
    assert golden_text(name, form) == golden_file(name, form).read_text(encoding="utf-8")


def number(text):
    """A printed value without marks of Markdown and of mixed code; a dash is none."""
    plain = re.sub(r"[*‡\\]", "", text).strip()
    return "" if plain in {"–", "--"} else plain


def cells_of_markdown(text):
    for part in re.split(r"^## ", text.partition("\n## Measured cells")[0], flags=re.MULTILINE):
        lines = [re.split(r" *\| *", line.strip("| ")) for line in part.splitlines() if line.startswith("|")]
        title = part.partition("\n")[0] if not part.startswith("#") else ""
        for line in lines[2:]:
            texts = [(head, cell) for head, cell in zip(lines[0], line, strict=True)]
            width = sum(" / " not in cell for _, cell in texts)
            for head, cell in texts[width:]:
                published, measured = cell.split(" / ")
                value = re.match(r"\*\*([^*]+)\*\*", measured)
                yield PrintedCell(
                    title,
                    tuple(cell for _, cell in texts[:width]),
                    head,
                    number(published),
                    number(value[1]) if value else "",
                )


def plain_latex(text):
    text = re.sub(r"\\tnote\{[^}]*\}", "", text)
    while text != (inner := re.sub(r"\\(?:textbf|textit|underline)\{([^{}]*)\}", r"\1", text)):
        text = inner
    return text.replace(r"$\pm$", "±").replace(r"\&", "&").replace("--", "–")


def cells_of_latex(text, blocks):
    """Of each float a line of published values, and below it, where its labels are empty, the measured ones.

    A float that is not of one block has none of their names in its caption, or a line of them above the headings.
    """
    for part in text.split(r"\begin{threeparttable}")[1:]:
        caption = re.search(r"\\caption\{(.*)\}", part)[1]
        title = next((block for block in blocks if f", {block}" in caption), "")
        lines = [
            plain_latex(line[: -len(r" \\")]).split(" & ")
            for line in part.splitlines()
            if line.endswith(r" \\") and "multicolumn" not in line
        ]
        width = re.search(r"fill\}\}(l+)", part)[1].count("l")
        names = [""] * width
        for line, below in zip(lines[1:], [*lines[2:], [""]], strict=True):
            if not any(line[:width]):
                continue
            names = [label.strip() or name for label, name in zip(line[:width], names, strict=True)]
            own = below if not any(label.strip() for label in below[:width]) else [""] * len(line)
            labels = [name for head, name in zip(lines[0], names, strict=False) if head != "$|C|$"]
            for head, published, measured in zip(
                lines[0][width:], line[width:], [*own, *[""] * len(line)][width:], strict=False
            ):
                value = re.match(r"[\d.]+(±[\d.]+)?", measured.strip())
                yield PrintedCell(title, tuple(labels), head, number(published), value[0] if value else "")


def cells_of_lines(built, lines):
    """Cells of CSV or JSON, which name coordinates: as the table labels them."""
    entry = built.layout.entry
    for at, published, measured in lines:
        block, column = (
            [built.label(name, at[name]) for name in names if at[name]] for names in (entry.blocks, entry.columns)
        )
        labels = tuple(built.label(name, at[name]) for name in entry.rows)
        yield PrintedCell(", ".join(block), labels, ", ".join(column), published, measured)


def cells_of_html(text, built):
    """Cells of the page, each of which names its place in the table by a number."""

    def value(cell, side):
        found = re.search(rf'class="{side}"[^>]*>(?:<\w+>)?(\d[^<]*)<', cell)
        return number(found[1]) if found else ""

    lines = [
        (built.cells[int(place)].coordinates, value(cell, "p"), value(cell, "m"))
        for place, cell in re.findall(r'<td data-n="(\d+)"[^>]*>(.*?)</td>', text, re.DOTALL)
    ]
    return cells_of_lines(built, lines)


def with_std(mean, std):
    return f"{mean}±{std}" if std else mean


def cells_of_csv(text, built):
    lines = [
        (
            row,
            with_std(row["published_mean"], row["published_std"]),
            with_std(row["measured_mean"], row["measured_std"]),
        )
        for row in csv.DictReader(StringIO(text))
    ]
    return cells_of_lines(built, lines)


def cells_of_json(text, built):
    paper = built.layout.paper
    stds = paper.decimals if paper.std_decimals is None else paper.std_decimals

    def texts(cell):
        published, measured = cell["published"], cell["measured"]
        printed = with_std(published["printed_mean"], published["printed_std"] or "") if published else ""
        if not measured:
            return printed, ""
        std = "" if measured["std"] is None else f"{measured['std']:.{stds}f}"
        return printed, with_std(f"{measured['mean']:.{paper.decimals}f}", std)

    return cells_of_lines(built, [(cell["coordinates"], *texts(cell)) for cell in json.loads(text)["cells"]])


@pytest.mark.parametrize("name", GOLDEN_TABLES)
def test_all_formats_hold_the_same_values(name):
    built = golden_table(name)
    wanted = set(cells_of_csv(render.render_table(built, "csv"), built))
    blocks = {cell.block for cell in wanted} - {""}
    readers = {
        "md": cells_of_markdown,
        "latex": lambda text: cells_of_latex(text, blocks),
        "html": lambda text: cells_of_html(text, built),
        "json": lambda text: cells_of_json(text, built),
    }
    assert {*readers, "csv"} == {*GOLDEN_FORMATS}
    for form, reader in readers.items():
        cells = {cell for cell in reader(render.render_table(built, form)) if cell.published or cell.measured}
        # A method without shots stands in every block of a page, and once in CSV and JSON.
        shared = {cell[1:] for cell in wanted if not cell.block}
        found = {cell._replace(block="") if cell[1:] in shared else cell for cell in cells}
        assert found == wanted, form
    assert sum(bool(cell.measured) for cell in wanted) >= 1
