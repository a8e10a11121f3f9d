"""Links from the ids and sections that recipes cite to the rows of the page of facts that explain them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_CHAPTER = re.compile(r"^## (.+)$")
_ROW = re.compile(r"^\| ([A-Z]\d+[a-z]?|spec \d+(?:\.\d+)*) \|")
_CITED = re.compile(r"\bspec \d+(?:\.\d+)*|\b[A-Z]\d+[a-z]?\b")


@dataclass(frozen=True)
class FactLinks:
    """The rows of a page of facts: by chapter, what each row explains -> its anchor; `address` is the page's."""

    address: str
    chapters: tuple[dict[str, str], ...]

    def linked(self, text: str, ids: Iterable[str]) -> str:
        """Markdown in which what has a row is a link to it, in the chapter that has most of `ids` where it can.

        Chapters number their sections alike, so that `spec 2` alone does not say which is meant.
        """
        known = set(ids)
        chapters = sorted(self.chapters, key=lambda rows: -len(known & rows.keys()))

        def link(cited: re.Match[str]) -> str:
            name = cited[0]
            anchor = next((rows[name] for rows in chapters if name in rows), None)
            return name if anchor is None else f"[{name}]({self.address}#{anchor})"

        return _CITED.sub(link, text)


def fact_links(page: str, address: str) -> FactLinks:
    """The links that a page of facts in Markdown can be the target of, once `with_anchors` has marked its rows."""
    chapters: list[dict[str, str]] = []
    for line, anchor in _lines_with_anchors(page):
        if _CHAPTER.match(line):
            chapters.append({})
        if anchor:
            chapters[-1][_ROW.match(line)[1]] = anchor  # type: ignore[index]  # a line with an anchor is a row
    return FactLinks(address, tuple(chapters))


def with_anchors(page: str) -> str:
    """The page of facts with an anchor in each row that explains an id or a section."""
    return "\n".join(
        _ROW.sub(rf"| [\1]{{#{anchor}}} |", line) if anchor else line for line, anchor in _lines_with_anchors(page)
    )


def _lines_with_anchors(page: str) -> Iterable[tuple[str, str]]:
    """Each line with its anchor, such as `agad-a12`; empty where it is no row of a chapter."""
    chapter = ""
    for line in page.split("\n"):
        heading, row = _CHAPTER.match(line), _ROW.match(line)
        chapter = heading[1].split()[0].lower() if heading else chapter
        yield line, f"{chapter}-{re.sub(r'[ .]', '-', row[1].lower())}" if row and chapter else ""
