"""What is wrong with two CSV files, in one sentence each; and what is not wrong with them."""

import pytest

from reports.errors import ReportError
from reports.judgement.judge import judge_sources
from reports.judgement.sources import read_source

PUBLISHED = "method,set,mean,std,n\na,x,0.8,0.01,3\nb,x,0.9,0.01,3\n"
MEASURED = "method,set,value\na,x,0.8\na,x,0.81\nb,x,0.9\n"


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """Judges two files of these contents, P.csv and M.csv; None: there is no such file."""
    monkeypatch.chdir(tmp_path)

    def judge(published=PUBLISHED, measured=MEASURED, **options):
        sources = []
        for name, content in (("P.csv", published), ("M.csv", measured)):
            file = tmp_path / name
            if content is not None:
                file.write_bytes(content if isinstance(content, bytes) else content.encode())
            sources.append(file.relative_to(tmp_path))
        return judge_sources(*map(read_source, sources), **options)

    return judge


WRONG = {
    "no file": ({"published": None}, "P.csv is not there: name a CSV file"),
    "empty": ({"published": ""}, "P.csv is empty: its first line must name the columns"),
    "empty lines": ({"measured": "\n\r\n"}, "M.csv is empty: its first line must name the columns"),
    "heading alone": (
        {"published": "mean\n"},
        "P.csv has no line below its heading: give a line for each published cell",
    ),
    "latin": (
        {"measured": MEASURED.replace("a", "ä").encode("latin-1")},
        "M.csv is not UTF-8: save it as CSV in UTF-8",
    ),
    "utf-16": ({"measured": MEASURED.encode("utf-16")}, "M.csv is not UTF-8: save it as CSV in UTF-8"),
    "semicolons": (
        {"published": PUBLISHED.replace(",", ";").replace("0.", "0,")},
        "P.csv is separated by semicolons: save it with commas",
    ),
    "tabs": ({"measured": MEASURED.replace(",", "\t")}, "M.csv is separated by tabs: save it with commas"),
    "ragged": (
        {"measured": MEASURED + "a,x,0,82\n"},
        "M.csv: line 5 has 4 values for 3 columns: quote texts that hold commas, and write decimals with a point",
    ),
    "short": ({"published": PUBLISHED + "c,x\n"}, "P.csv: line 4 has 2 values for 5 columns"),
    "open quote": ({"measured": MEASURED + '"a,x,1\n'}, "M.csv is no CSV file (unexpected end of data after line 4)"),
    "column without a name": ({"published": PUBLISHED.replace("set", " ")}, "P.csv has a column without a name"),
    "column twice": ({"published": PUBLISHED.replace("set", "method")}, "P.csv has two columns method"),
    "no mean": ({"published": PUBLISHED.replace("mean", "Mean")}, "P.csv has no column mean: did you mean 'Mean'?"),
    "no value": (
        {"measured": MEASURED.replace("value", "auc")},
        "M.csv has no column value: its first line must name it",
    ),
    "other coordinates": (
        {"measured": MEASURED.replace("set", "data")},
        "all but value, split) must be the same, and only P.csv has set and only M.csv has data: add, rename or remove",
    ),
    "a split as a coordinate": (
        {"published": PUBLISHED.replace("set", "split"), "measured": MEASURED.replace("set", "split")},
        "only P.csv has split: ",
    ),
    "name of the output": (
        {"published": PUBLISHED.replace("set", "notes"), "measured": MEASURED.replace("set", "notes")},
        "P.csv: the column notes has a name of the output: rename it in both files",
    ),
    "name of a group's output": (
        {"published": PUBLISHED.replace("set", "tau"), "measured": MEASURED.replace("set", "tau")},
        "P.csv: the column tau has a name of the output: rename it in both files",
    ),
    "cell twice": (
        {"published": PUBLISHED + "a,x,0.7,,\n"},
        "P.csv: 1 cell is there before, line 4 (method=a, set=x): keep one line a cell, or add a column that tells them",
    ),
    "unknown cells": (
        {"measured": MEASURED + "".join(f"c,{at},1\n" for at in range(5))},
        "5 runs have coordinates that P.csv does not have, line 5 (method=c, set=0); line 6 (method=c, set=1); line 7",
    ),
    "more than three unknown cells": (
        {"measured": MEASURED + "".join(f"c,{at},1\n" for at in range(5))},
        "line 7 (method=c, set=2); and 2 more: mend them, or add such a cell to P.csv",
    ),
    "after a text of two lines": (
        {"published": PUBLISHED + '"d\ne",x,0.8,,\n', "measured": MEASURED + '"d\ne",x,0.8\nc,x,1\n'},
        "M.csv: 1 run has coordinates that P.csv does not have, line 7 (method=c, set=x)",
    ),
    "no number": (
        {"measured": MEASURED + 'a,x,"0,8"\n'},
        "M.csv: line 5, column value: '0,8' is no number: give a number",
    ),
    "other digits": ({"measured": MEASURED + "a,x,1_0\n"}, "M.csv: line 5, column value: '1_0' is no number"),
    "not finite": ({"measured": MEASURED + "a,x,-inf\n"}, "M.csv: line 5, column value: '-inf' is not finite"),
    "not a number": ({"published": PUBLISHED + "c,x,0.8,NaN,3\n"}, "P.csv: line 4, column std: 'NaN' is not finite"),
    "too large": ({"measured": MEASURED + "a,x,1e999\n"}, "M.csv: line 5, column value: '1e999' is larger than 1e+300"),
    "empty mean": ({"published": PUBLISHED + "c,x,,,\n"}, "P.csv: line 4, column mean: it is empty: give a number"),
    "negative std": ({"published": PUBLISHED + "c,x,1,-0.1,3\n"}, "P.csv: line 4, column std: '-0.1' is below 0"),
    "no runs": ({"published": PUBLISHED + "c,x,1,0.1,0\n"}, "P.csv: line 4, column n: '0' is no number of runs"),
    "half a run": ({"published": PUBLISHED + "c,x,1,0.1,2.5\n"}, "P.csv: line 4, column n: '2.5' is no number of runs"),
    "empty split": (
        {"measured": "method,set,split,value\na,x,,0.8\n"},
        "M.csv: line 2, column split: it is empty: name the split of each run",
    ),
    "unknown group": ({"by": ["metod"]}, "by metod: there is no such coordinate column: did you mean 'method'?"),
    "infinite margin": ({"margin": float("inf")}, "the margin must be a finite number of at least 0, not inf"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_sentence(judged, case):
    options, message = WRONG[case]
    with pytest.raises(ReportError) as caught:
        judged(**options)
    assert message in str(caught.value)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ReportError, match="is a folder: name a CSV file"):
        read_source(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\n\n").encode(),
        lambda text: text.replace("method,set,", "method, set ,").rstrip("\n").encode(),
    ],
    ids=["mark at the start", "CRLF", "empty lines", "spaces in the heading"],
)
def test_what_spreadsheets_write_is_read(judged, change):
    plain, found = judged(), judged(change(PUBLISHED), change(MEASURED))
    assert found.columns == ("method", "set")
    assert found.cells == plain.cells


def test_coordinates_are_texts_as_they_stand(judged):
    text = 'größer, "大"'
    cell = '"größer, ""大""",01'
    found = judged(f"method,set,mean\n{cell},0.8\n", f"method,set,value\n{cell},0.8\n")
    assert found.cells[0].entry.coordinates == (text, "01")
    with pytest.raises(ReportError, match=r"line 3 \(method=.*, set=1\)"):
        judged(f"method,set,mean\n{cell},0.8\n", f"method,set,value\n{cell},0.8\n{cell[:-2]}1,0.8\n")


def test_a_file_of_runs_with_a_heading_alone_leaves_every_cell_missing(judged):
    assert judged(measured="method,set,value\n").missing == 2


def test_numbers_may_have_spaces_signs_and_exponents(judged):
    found = judged("mean,std,n\n +8.0e-1 ,.02, 3.0\n", "value\n 0.8\n+.8\n")
    (cell,) = found.cells
    assert (cell.entry.mean, cell.entry.std, cell.entry.n, cell.sample.mean) == (0.8, 0.02, 3, 0.8)
