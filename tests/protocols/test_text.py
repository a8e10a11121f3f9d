import json

import pytest

from protocols.text import csv_cell, printable, printable_json, printable_line

ODD = "\x1b]0;title\x07\x1b[31m\r\x00\x7f\x9b2J\u202e\u2066\u200f\u2028\udc80"


def test_what_a_terminal_acts_on_is_shown_and_all_other_text_stays() -> None:
    assert printable("\x1b[31m") == "\\x1b[31m"
    assert printable("a\u202eb\udc9b") == "a\\u202eb\\udc9b"
    assert all(character.isprintable() for character in printable(ODD))
    plain = "é ± – 日本語 \N{NO-BREAK SPACE} 🦢\n\tindented"
    assert printable(plain) == plain
    assert printable_line("a\nb\tc") == "a b c"


def test_json_keeps_its_content() -> None:
    value = {"text": ODD, "other": "é\n\t🦢\U000e0001"}
    text = printable_json(json.dumps(value, ensure_ascii=False, indent=2))
    assert all(character.isprintable() or character == "\n" for character in text)
    assert json.loads(text) == value


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_a_formula_becomes_text(text: str) -> None:
    assert csv_cell(text)[0] not in "=+-@\t\r＝"
    assert printable(text) in csv_cell(text)


@pytest.mark.parametrize("text", ["", "-0.5", "+0.25", "1e-3", "-1e-05", "elpv", "0.75±0.01", "-inf"])
def test_numbers_and_words_are_no_formulas(text: str) -> None:
    assert csv_cell(text) == text
