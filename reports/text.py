"""Text of reports: what Markdown and LaTeX read as markup escaped, tables of pipes, CSV, templates of pages."""

import csv
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from protocols.text import csv_cell, printable

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).parent / "templates"
LATEX_FORMATS = ("latex", "macros")
PICTURE_FORMATS = ("svg", "png")

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
        "\n": " ",
    }
)
# fmt: off
_LATEX_SYMBOLS = {
    "±": r"\pm", "×": r"\times", "÷": r"\div", "·": r"\cdot", "−": "-", "∞": r"\infty", "√": r"\surd", "°": r"^\circ",
    "≈": r"\approx", "∼": r"\sim", "≠": r"\neq", "≤": r"\leq", "≥": r"\geq", "∈": r"\in", "∑": r"\sum", "¬": r"\neg",
    "↑": r"\uparrow", "↓": r"\downarrow", "→": r"\rightarrow", "←": r"\leftarrow", "‡": r"\ddagger", "†": r"\dagger",
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\epsilon", "ζ": r"\zeta", "η": r"\eta",
    "θ": r"\theta", "ι": r"\iota", "κ": r"\kappa", "λ": r"\lambda", "μ": r"\mu", "µ": r"\mu", "ν": r"\nu", "ξ": r"\xi",
    "π": r"\pi", "ρ": r"\rho", "σ": r"\sigma", "ς": r"\varsigma", "τ": r"\tau", "υ": r"\upsilon", "φ": r"\phi",
    "χ": r"\chi", "ψ": r"\psi", "ω": r"\omega", "Γ": r"\Gamma", "Δ": r"\Delta", "Θ": r"\Theta", "Λ": r"\Lambda",
    "Ξ": r"\Xi", "Π": r"\Pi", "Σ": r"\Sigma", "Υ": r"\Upsilon", "Φ": r"\Phi", "Ψ": r"\Psi", "Ω": r"\Omega",
}
_LATEX_TEXTS = {
    "–": "--", "—": "---", "‘": "`", "’": "'", "“": "``", "”": "''", "„": ",,", "…": r"\ldots{}", "•": r"\textbullet{}",
    "\u00a0": "~", "\u2009": r"\,", "\u202f": r"\,", "\u200b": "", "\u00ad": r"\-", "‐": "-", "\u2011": "-",
    "§": r"\S{}", "¶": r"\P{}", "©": r"\copyright{}", "®": r"\textregistered{}", "™": r"\texttrademark{}", "¿": "?`",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}", "¡": "!`",
    "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "ȷ": r"\j{}", "£": r"\pounds{}",
}
_LATEX_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c", "\u0331": "b",
}
# fmt: on
_MARKDOWN = str.maketrans({"\\": "\\\\", "|": "\\|", "*": "\\*", "`": "\\`", "<": "&lt;", "\n": " "})
_LINK = re.compile(r"!\[|\]\(|\]\[|^\s*\[[^\]]*\]:")
_BRACKET = re.compile(r"[!\[\]]")
_EMPHASIS = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
_ENTITY = re.compile(r"&(?=#?\w+;)")


def escape_latex(text: str) -> str:
    """ASCII that LaTeX prints as the text stands; a character that pdfTeX's fonts lack is printed as its code point."""
    composed = unicodedata.normalize("NFC", printable(text))
    return "".join(
        character.translate(_LATEX) if character.isascii() else _latex_character(character) for character in composed
    )


def _latex_character(character: str) -> str:
    if character in _LATEX_TEXTS:
        return _LATEX_TEXTS[character]
    if character in _LATEX_SYMBOLS:
        return f"${_LATEX_SYMBOLS[character]}$"
    base, *marks = list(unicodedata.normalize("NFD", character))
    if marks and base.isascii() and _LATEX_ACCENTS.keys() >= {*marks}:
        letter = base.translate(_LATEX)
        for mark in marks:
            letter = f"\\{_LATEX_ACCENTS[mark]}{{{letter}}}"
        return letter
    plain = unicodedata.normalize("NFKC", character).replace("\u2044", "/")
    is_raised = unicodedata.decomposition(character).startswith(("<super>", "<sub>"))
    return plain.translate(_LATEX) if plain.isascii() and not is_raised else f"{{[}}U+{ord(character):04X}{{]}}"


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
    if form in LATEX_FORMATS:  # braces, per cent and number signs are LaTeX's own
        environment = environment.overlay(
            variable_start_string="<<",
            variable_end_string=">>",
            block_start_string="<%",
            block_end_string="%>",
            comment_start_string="<#",
            comment_end_string="#>",
        )
    environment.globals["pipe_table"] = pipe_table
    environment.filters["md"] = escape_markdown
    environment.filters["tex"] = escape_latex
    return environment.get_template(f"{name}.{form}.j2")
