"""`bench methods check`: a line for each check, a sentence for a plug-in that cannot be checked."""

import json
import sys

import pytest
import strangers
from plugins import forget_installed

SLIP = """
import numpy as np

class Slip:
    def __init__(self, params, context):
        self.params, self.history = params, {}
    def fit(self, data):
        if self.params["slip"] == "raises":
            print("said while it is fitted")
            raise ValueError("no\\nsuch thing")
        if self.params["slip"] == "leaves":
            raise SystemExit(3)
    def score(self, images):
        scores = np.array([images.one(i).mean() for i in range(len(images))])
        if self.params["slip"] == "reads_names":
            scores += len(images.ids[0])
        return scores.astype("f4") if self.params["slip"] == "float32" else scores
    def state(self): return {}
    def load(self, state): ...
"""

RECIPE = """
id = "slip"
title = "Slip"
detector = "slip.detector:Slip"
version = 1
[capabilities]
rules = ["general"]
anomalies = false
independent_scores = true
[params."slip"]
type = "str"
choices = ["none", "raises", "leaves", "reads_names", "float32"]
default = "none"
source = "made up"
"""


@pytest.fixture
def check(tmp_path, monkeypatch, capfd):
    """`bench methods check` in this process, where the plug-in `slip` is installed."""
    from benchmark.cli import status

    def call(*words, recipe=RECIPE, detector=SLIP):
        files = {"slip.toml": recipe, "detector.py": detector}
        strangers.install(tmp_path, "slip", {"swanbench.methods": {"slip": "slip:slip.toml"}}, files)
        monkeypatch.syspath_prepend(tmp_path)
        forget_installed()
        code = status(["methods", "check", *words])
        return code, *capfd.readouterr()

    yield call
    forget_installed()
    for module in [name for name in sys.modules if name.partition(".")[0] == "slip"]:
        del sys.modules[module]


def test_a_line_for_each_check_says_what_it_demands(check):
    code, out, err = check("slip")
    first, *lines, last = out.splitlines()
    assert (code, err) == (0, "")
    assert (first, last) == ("slip, version 1, recipe quick", "slip: all 10 checks hold")
    assert len(lines) == 10
    assert lines[5] == "holds  scores do not read ids: The names of test images change no score."
    assert all(line.startswith("holds  ") and line.endswith(".") for line in lines)


def test_outcomes_are_json_for_programs(check):
    code, out, err = check("slip", "--json", "--set", "slip.slip=float32")
    rows = json.loads(out)["slip"]
    assert (code, err) == (1, "")
    assert [row["outcome"] for row in rows] == ["fails", *["not run"] * 9]
    assert rows[0] == {
        "name": "scores are finite numbers",
        "demand": "Scores of grey and of colour images are float64 of shape (n,), finite, and not all the same.",
        "outcome": "fails",
        "fault": "got float32, not float64",
    }


def test_a_check_that_fails_says_what_was_seen_and_the_others_go_on(check):
    code, out, _ = check("slip", "--set", "slip.slip=reads_names")
    assert code == 1
    assert "fails  scores do not read ids: The names of test images change no score.\n       seen: scores differ" in out
    assert out.count("\nholds  ") == 9
    assert "slip: 1 of 10 checks failed: change slip.detector, then repeat bench methods check slip\n" in out


@pytest.mark.parametrize(
    ("slip", "seen"),
    [
        ("float32", "seen: got float32, not float64\n"),
        ("raises", "seen: ValueError: no such thing ("),
        ("leaves", "seen: SystemExit: 3 ("),
    ],
)
def test_a_detector_without_scores_is_not_checked_further(check, tmp_path, slip, seen):
    code, out, err = check("slip", "--set", f"slip.slip={slip}")
    assert code == 1
    assert seen in out
    if slip != "float32":
        assert f"({tmp_path / 'slip' / 'detector.py'}, line 1" in out
    assert "       9 further checks not run, since this one must hold first\n" in out
    assert "Traceback" not in out + err
    assert "said while" not in out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"detector": "import not_there"}, "ModuleNotFoundError: No module named 'not_there'; repair it"),
        ({"detector": "Slip = 3"}, "has no fit, score, state, load: see methods.detector.Detector; repair it"),
        ({"recipe": RECIPE.replace("version = 1", "version = 0")}, "the plug-in 'slip' cannot be used: slip (slip:"),
        ({"recipe": f'packages = {{ not_there = "not-there" }}\n{RECIPE}'}, "pip install 'not-there'; then repeat"),
    ],
)
def test_a_plug_in_that_cannot_be_loaded_gets_one_sentence(check, changes, said):
    code, out, err = check("slip", **changes)
    assert (code, out) == (1, "")
    assert said in err
    assert err.endswith("then repeat bench methods check slip\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("slip", "slpi"), "unknown method 'slpi': did you mean 'slip'?"),
        (("slip", "--recipe", "qick"), "unknown recipe 'qick': did you mean 'quick'?"),
        (("slip", "--set", "slip.slip=fall"), "the 'slip' parameter of slip must be one of"),
        (("slip", "--set", "slip.slip=none", "--set", "slip.slip=none"), "--set gives slip.slip twice"),
        (("slip", "--size", "99999999"), "not in the range 8<=x<=4096"),
        (("slip", "--set", "devnet.optim.lr=1"), "--set names devnet, which is not checked"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_checked(check, words, said):
    code, out, err = check(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
