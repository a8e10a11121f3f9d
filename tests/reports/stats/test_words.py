from typing import get_args

from reports.stats.table_verdict import TableVerdictName
from reports.stats.verdict import VERDICT_NAMES
from reports.stats.words import GROUP_MEANINGS, MARKS, MEANINGS


def test_each_word_has_a_mark_and_a_meaning_that_starts_with_it():
    assert MARKS.keys() == MEANINGS.keys() == set(VERDICT_NAMES)
    assert len(set(MARKS.values())) == len(MARKS)
    assert GROUP_MEANINGS.keys() == set(get_args(TableVerdictName))
    assert all(text.startswith(f"{name}") for name, text in (*MEANINGS.items(), *GROUP_MEANINGS.items()))
