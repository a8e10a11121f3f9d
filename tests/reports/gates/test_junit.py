"""The gate's files for a CI: JUnit XML by Jenkins' schema, annotations, badges."""

import json
import xml.etree.ElementTree as ET

import pytest

from reports.gates.annotations import github_command
from reports.gates.gate_report import GateReport
from reports.gates.junit import JUnitCase, junit_document

CASES = [
    JUnitCase("cell", "good"),
    JUnitCase("cell", "bad, worse", "failure", "50 % lower\nby far", "long text"),
    JUnitCase("not tested", "missing", "skipped", "3 cells"),
    JUnitCase("check", "something to compare", "error", "nothing"),
]
ALLOWED = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id", "package"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "time", "classname", "group"}, {"skipped", "error", "failure", "system-out", "system-err"}),
    "skipped": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "failure": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}
"""Attributes and children of each element by junit-10.xsd of Jenkins' plug-in xUnit."""
REQUIRED = {
    "testsuite": {"name", "tests", "failures", "errors"},
    "testcase": {"name"},
    "property": {"name", "value"},
}


def report(cases):
    return GateReport("published", "Gate", "a headline", ["a line"], cases, [])


def test_every_element_is_allowed_by_the_schema_of_jenkins():
    root = ET.fromstring(junit_document("gate", CASES, ["a", "b"]))
    elements = list(root.iter())
    assert {element.tag for element in elements} == ALLOWED.keys()
    for element in elements:
        attributes, children = ALLOWED[element.tag]
        assert REQUIRED.get(element.tag, set()) <= element.attrib.keys() <= attributes
        assert {child.tag for child in element} <= children


def test_each_case_that_is_not_good_is_annotated():
    assert report(CASES).annotations() == [
        "::error title=cell%3A bad%2C worse::50 %25 lower%0Aby far",
        "::warning title=not tested%3A missing::3 cells",
        "::error title=check%3A something to compare::nothing",
    ]


def test_a_text_cannot_start_a_command_of_its_own():
    command = github_command("error", "a::b", "x\n::stop-commands::token\r")
    assert "\n" not in command
    assert command.startswith("::error title=a%3A%3Ab::x%0A::stop-commands")


@pytest.mark.parametrize(
    ("status", "cases", "message", "colour"),
    [
        (0, [CASES[0]] * 3, "3 of 3 hold", "brightgreen"),
        (3, [CASES[0], CASES[1]], "1 of 2 fail", "red"),
        (4, [CASES[2], CASES[3]], "nothing compared", "lightgrey"),
        (4, [CASES[0], CASES[1]], "too little power", "lightgrey"),
    ],
)
def test_a_badge_says_how_many_hold(status, cases, message, colour):
    badge = json.loads(report(cases).badge(status, "numbers"))
    expected = {"schemaVersion": 1, "label": "numbers", "message": message, "color": colour, "isError": status == 3}
    assert badge == expected
