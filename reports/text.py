"""Text of reports: what Markdown and LaTeX read as markup escaped, tables of pipes, CSV, templates of pages."""

import csv
import os
import re
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from protocols.text import csv_cell, printable

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).parent / "templates"

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\char34{}",
        "[": "{[}",  # a row that starts with a bracket would be read as an option of the line before
        "]": "{]}",
        "±": r"$\pm$",
        "‡": r"$\ddagger$",
        "≈": r"$\approx$",
        "∼": r"$\sim$",
        "≠": r"$\neq$",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "–": "--",
        "\n": " ",
    }
)
_MARKDOWN = str.maketrans({"\\": "\\\\", "|": "\\|", "*": "\\*", "`": "\\`", "<": "&lt;", "\n": " "})
_LINK = re.compile(r"!\[|\]\(|\]\[|^\s*\[[^\]]*\]:")
_BRACKET = re.compile(r"[!\[\]]")
_EMPHASIS = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
_ENTITY = re.compile(r"&(?=#?\w+;)")


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return printable(text).translate(_LATEX)


def escape_markdown(text: str) -> str:
    """Text that stands in a cell of a Markdown table as it is; what would be an image or a link is none there."""
    plain = _ENTITY.sub("&amp;", printable(text))
    escaped = _EMPHASIS.sub(lambda run: r"\_" * len(run[0]), plain.translate(_MARKDOWN))
    return _BRACKET.sub(r"\\\g<0>", escaped) if _LINK.search(text) else escaped


def pipe_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table padded so that it can be read in a terminal."""
    widths = [max(len(row[at]) for row in [heading, *rows]) for at in range(len(heading))]
    lines = [heading, ["-" * max(3, width) for width in widths], *rows]
    padded = [" | ".join(text.ljust(max(3, width)) for text, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(f"| {line} |" for line in padded)


def csv_text(lines: Iterable[Sequence[str]]) -> str:
    """Lines of fields as CSV with LF line ends; no field is a formula."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(csv_cell, line) for line in lines)
    return text.getvalue()


def page_formats(name: str) -> tuple[str, ...]:
    """Formats of a kind of page: Markdown, the others that have a template by name, then CSV and JSON for programs."""
    files = os.listdir(TEMPLATES)  # noqa: PTH208 - at every start of the command line
    start, end = f"{name}.", ".j2"
    forms = {file[len(start) : -len(end)] for file in files if file.startswith(start) and file.endswith(end)}
    return ("md", *sorted(forms - {"md"}), "csv", "json")


def page_template(name: str, form: str) -> "Template":
    """The template of a kind of page, `templates/NAME.FORM.j2`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=select_autoescape(["html.j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    if form == "latex":  # braces and per cent signs are LaTeX's own
        environment = environment.overlay(
            variable_start_string="<<", variable_end_string=">>", block_start_string="<%", block_end_string="%>"
        )
    environment.globals["pipe_table"] = pipe_table
    environment.filters["md"] = escape_markdown
    environment.filters["tex"] = escape_latex
    return environment.get_template(f"{name}.{form}.j2")
