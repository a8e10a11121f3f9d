"""Result of a gate as text: lines for a terminal, JUnit XML for a CI, a page in Markdown for its summary."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from reports.gates.annotations import github_command
from reports.gates.junit import JUnitCase, junit_document

BADGE_COLOURS = {0: "brightgreen", 3: "red", 4: "lightgrey"}
"""By the gate's exit status, as shields.io names colours."""


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

    def annotations(self) -> list[str]:
        """Workflow commands of GitHub Actions: an error for each case that is none, a warning for each skipped one."""
        levels = {"failure": "error", "error": "error", "skipped": "warning"}
        return [
            github_command(levels[case.outcome], f"{case.group}: {case.name}", case.message or case.text)
            for case in self.cases
            if case.outcome
        ]

    def badge(self, status: int, label: str) -> str:
        """JSON of the endpoint that shields.io draws a badge from; `status` is the gate's exit status."""
        outcomes = [case.outcome for case in self.cases]
        held, failed = outcomes.count(None), outcomes.count("failure")
        unsettled = "too little power" if held + failed else "nothing compared"
        message = {0: f"{held} of {held} hold", 3: f"{failed} of {held + failed} fail", 4: unsettled}[status]
        content = {"schemaVersion": 1, "label": label, "message": message, "color": BADGE_COLOURS[status]}
        return json.dumps({**content, "isError": status == 3}) + "\n"

    def summary(self) -> str:
        return "\n\n".join([f"# {self.title}: {self.headline}", *self.paragraphs]) + "\n"
