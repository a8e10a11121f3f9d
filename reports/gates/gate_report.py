"""Result of a gate as text: lines for a terminal, JUnit XML for a CI, a page in Markdown for its summary."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.gates.junit import JUnitCase, junit_document


@dataclass(frozen=True, slots=True)
class GateReport:
    """All texts of a gate against one `side`: `headline` in one line, `paragraphs` in Markdown below it.

    Without anything to compare `cases` has an error, so that a CI which reads the XML alone is not green.
    """

    side: str
    title: str
    headline: str
    lines: Sequence[str]
    cases: Sequence[JUnitCase]
    paragraphs: Sequence[str]

    def junit(self) -> str:
        return junit_document(f"bench check --against {self.side}", self.cases, self.lines)

    def summary(self) -> str:
        return "\n\n".join([f"# {self.title}: {self.headline}", *self.paragraphs]) + "\n"
