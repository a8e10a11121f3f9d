"""JUnit XML, for a CI that shows test results."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

from protocols.text import printable
from reports.stats.verdict import VERDICT_VERSION


@dataclass(frozen=True, slots=True)
class JUnitCase:
    """One test case; `outcome` None is a good one."""

    group: str
    name: str
    outcome: Literal["failure", "error", "skipped"] | None = None
    message: str = ""
    text: str = ""


def junit_document(title: str, cases: Sequence[JUnitCase], lines: Iterable[str]) -> str:
    """A document of one test suite; `lines` are those that the command printed.

    It is valid by Jenkins' schema (junit-10.xsd of its plug-in xUnit), which counts skipped cases for a suite alone.
    """
    outcomes = [case.outcome for case in cases]
    counts = {
        "tests": len(cases),
        "failures": outcomes.count("failure"),
        "errors": outcomes.count("error"),
        "skipped": outcomes.count("skipped"),
    }
    attributes = {name: str(count) for name, count in counts.items()}
    root = ET.Element("testsuites", {name: text for name, text in attributes.items() if name != "skipped"})
    suite = ET.SubElement(root, "testsuite", {"name": title, **attributes})
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", {"name": "verdict_version", "value": str(VERDICT_VERSION)})
    for case in cases:
        element = ET.SubElement(suite, "testcase", {"classname": _clean(case.group), "name": _clean(case.name)})
        if case.outcome:
            ET.SubElement(element, case.outcome, {"message": _clean(case.message)}).text = _clean(case.text) or None
    ET.SubElement(suite, "system-out").text = _clean("\n".join(lines))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _clean(text: str) -> str:
    """Printable text without the characters that XML cannot hold."""
    plain = re.sub("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
    return printable(plain)
