"""`bench verdict`: two CSV files of any field, from the command line."""

import json
import subprocess
import sys

import pytest

from benchmark.cli import status

HEAVY = {"torch", "sklearn", "pandas", "scipy.stats", "PIL", "rich", "joblib"}
OTHER_ROOMS = ("methods.detectors", "methods.nn", "protocols.datasets", "protocols.images", "protocols.catalogue")
LISTING = """
import sys
from benchmark.cli import status
code = status(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""
PUBLISHED = "method,set,mean,std,n\n" + "".join(f"{name},{at},0.800,0.010,3\n" for name in "ab" for at in range(5))
MEASURED = "method,set,value\n" + "".join(
    f"{name},{at},{0.8 - loss + step:.3f}\n"
    for name, loss in (("a", 0), ("b", 0.1))
    for at in range(5)
    for step in (-0.002, 0, 0.002)
)


@pytest.fixture
def verdict(tmp_path, monkeypatch, capfd):
    """Calls the verb in a folder with two files: exit status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "P.csv").write_text(PUBLISHED)
    (tmp_path / "M.csv").write_text(MEASURED)

    def call(*words):
        code = status(["verdict", "--published", "P.csv", "--measured", "M.csv", *map(str, words)])
        return code, *capfd.readouterr()

    return call


def test_nothing_heavy_and_no_dataset_or_detector_is_loaded(verdict, tmp_path):
    words = ["verdict", "--published", "P.csv", "--measured", "M.csv", "--format", "html", "--gate", "--by", "method"]
    done = subprocess.run(
        [sys.executable, "-c", LISTING, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    loaded = done.stderr.splitlines()[-1].split()
    assert HEAVY.isdisjoint(loaded)
    assert [name for name in loaded if name.startswith(OTHER_ROOMS)] == []


def test_the_function_of_the_face_loads_nothing_heavy():
    program = (
        "import sys, swanbench\n"
        "found = swanbench.judge_table([{'mean': '0.8', 'std': '0.01'}], [{'value': 0.8}, {'value': 0.81}])\n"
        "print(found.cells[0].verdict, *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    word, *loaded = done.stdout.split()
    assert word in {"consistent", "inconclusive"}
    assert HEAVY.isdisjoint(loaded)


def test_sentences_come_first_and_the_gate_last(verdict):
    code, out, err = verdict("--by", "method", "--by", "method,set", "--gate")
    lines = out.splitlines()
    assert (code, err, lines[0]) == (3, "", "# M.csv beside P.csv")
    assert lines[2].startswith("- method=a: D +0.000 (")
    assert lines[2].endswith("5 of 5 cells: reproduced")
    assert lines[3].endswith("5 of 5 cells: lower")
    assert lines[-1] == "22 tests (alpha 0.1 over 3 families, Holm); 11 regressions beyond the margin of 0.02"


def test_json_is_alone_on_stdout_beside_the_gate(verdict):
    code, out, err = verdict("--format", "json", "--by", "method", "--gate", "--better", "lower")
    content = json.loads(out)
    assert (code, content["better"], len(content["cells"]), len(content["groups"])) == (0, "lower", 10, 2)
    assert err.splitlines()[-1].endswith("no rise beyond the margin of 0.02 found")


def test_a_page_in_a_file_leaves_stdout_to_the_gate(verdict, tmp_path):
    code, out, err = verdict("--format", "csv", "--output", "made.csv", "--gate", "--margin", "0.2", "--see", "0.25")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].endswith("; no drop beyond the margin of 0.2 found; --see 0.25 met")
    assert (tmp_path / "made.csv").read_text().count("\n") == 11
    assert verdict("--output", "none/made.md")[0] == 2


def test_what_no_group_can_see_is_a_failure_only_where_it_is_demanded(verdict):
    assert verdict("--margin", "0.2", "--gate")[0] == 0
    code, out, _ = verdict("--margin", "0.2", "--gate", "--see", "0.201")
    assert code == 4
    assert "not seen: all cells sees a drop of 0.2" in out


def test_runs_that_are_none_leave_nothing_to_compare(verdict, tmp_path):
    (tmp_path / "M.csv").write_text("method,set,value\n")
    code, out, _ = verdict("--gate")
    assert code == 4
    assert "all cells: nothing to compare, 0 of 10 cells" in out
    assert out.endswith("nothing to compare: measure cells of the published table; 10 cells missing\n")
    assert verdict()[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--see", "0.05"), "--see is a demand on the gate: add --gate"),
        (("--gate", "--see", "nan"), "--see nan: give a finite number above 0"),
        (("--margin", "-1"), "the margin must be a finite number of at least 0, not -1.0: give another"),
        (("--margin", "inf"), "the margin must be a finite number of at least 0, not inf: give another"),
        (("--margin", "x"), "--margin"),
        (("--by", "methd"), "by methd: there is no such coordinate column: did you mean 'method'?"),
        (("--by", "method,,set"), "empty entry"),
        (("--format", "pdf"), "--format"),
        (("--published", "none.csv"), "none.csv is not there: name a CSV file"),
        (("--measured", "."), ". is a folder: name a CSV file"),
        (("--measured", "P.csv"), "P.csv has no column value"),
        (("--output", "P.csv"), "--output P.csv is that of --published too: give another file"),
        (("--output", "M.csv"), "--output M.csv is that of --measured too: give another file"),
    ],
)
def test_what_was_typed_wrong_is_one_line(verdict, words, said):
    code, out, err = verdict(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


@pytest.mark.parametrize("form", ["md", "latex", "html", "csv", "json"])
def test_no_control_character_of_a_file_is_passed_on(verdict, tmp_path, form):
    bad = "\x1b[31m\u202e"
    for name in ("P.csv", "M.csv"):
        content = (tmp_path / name).read_text()
        (tmp_path / name).write_text(content.replace("a,0", f"a{bad},0").replace("method", f"method{bad}"))
    code, out, err = verdict("--format", form, "--gate")
    assert code == 3
    assert not set(bad) & {"\x1b", "\u202e"} & set(out + err)
