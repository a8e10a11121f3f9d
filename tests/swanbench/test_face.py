"""What plug-ins and notebooks import, and what is said where another file takes a package's name."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import swanbench
from benchmark.cli import status
from benchmark.errors import BenchError
from methods.checks import CheckError
from methods.detector import Detector
from reports.errors import ReportError
from reports.stats.sample import Sample
from reports.stats.thresholds import MARGIN
from reports.stats.verdict import judge
from results.reference import reference_records
from results.scores import Scores
from results.store import Store


def test_every_name_of_the_face_is_there():
    assert swanbench.Detector is Detector
    assert {name for name in dir(swanbench) if getattr(swanbench, name) is None} == set()
    with pytest.raises(AttributeError, match="swanbench has no 'Detektor'"):
        _ = swanbench.Detektor


def test_the_face_is_quick_to_import():
    program = (
        "import sys, swanbench; print(sorted({'torch', 'numpy', 'pandas', 'click', 'msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_results_are_a_data_frame_with_one_row_a_run(tmp_path):
    frame = swanbench.results("reference")
    assert len(frame) == len(list(reference_records()))
    assert set(frame["method"]) == {record.spec.method for record in reference_records()}
    assert swanbench.results(tmp_path).empty


def test_results_are_the_rows_of_the_export(capfd, tmp_path):
    assert status(["results", "export", "--results", "reference", "--output", str(tmp_path / "runs.csv")]) == 0
    exported = pd.read_csv(tmp_path / "runs.csv", dtype=str, keep_default_na=False)
    frame = swanbench.results(source="reference")
    assert list(frame) == list(exported)
    assert list(frame["key"]) == list(exported["key"])
    assert capfd.readouterr().err.count("warn") == 0


def test_results_of_several_folders_are_one_frame(tmp_path):
    stores = [Store(tmp_path / name) for name in "ab"]
    for store, record in zip(stores, reference_records(), strict=False):
        store.put(record)
    folders = [store.root for store in stores]
    assert len(swanbench.results(folders)) == len(swanbench.results(*folders)) == 2
    assert len(swanbench.results(folders[0])) == 1


def test_a_folder_that_is_not_there_is_named(tmp_path):
    for frame in (swanbench.results, swanbench.scores, lambda folder: swanbench.cells("2", folder)):
        with pytest.raises(BenchError, match="^" + re.escape(f"{tmp_path}/nowhere: there is no such folder: give a")):
            frame(tmp_path / "nowhere")


def test_scores_have_a_row_an_image(tmp_path):
    first, second, *_ = reference_records()
    store = Store(tmp_path)
    for record in (first, second):
        store.put(record, Scores(("a", "b"), ("normal", "bent"), np.array([0.25, 0.5])))
    frame = swanbench.scores(tmp_path)
    assert list(frame) == ["run", "key", "id", "class", "label", "score"]
    assert len(frame) == 4
    assert swanbench.scores(tmp_path, run=second.spec.name[:-3]).to_dict("records") == [
        {"run": second.spec.name, "key": second.key, "id": id_, "class": name, "label": label, "score": score}
        for id_, name, label, score in (("a", "normal", 0, 0.25), ("b", "bent", 1, 0.5))
    ]


def test_runs_without_scores_are_counted_in_a_warning():
    total = len(list(reference_records()))
    with pytest.warns(UserWarning, match=f"no scores of {total} of {total} runs are stored: give the results folder"):
        assert swanbench.scores("reference").empty


def test_cells_have_a_row_a_cell_of_the_table():
    frame = swanbench.cells("2", "reference")
    assert len(frame[frame["published_mean"].notna()]) == 396
    (cell,) = frame[(frame["n"] > 0) & (frame["method"] == "dra")].to_dict("records")
    runs = [record for record in reference_records() if record.spec.name in cell["runs"].split()]
    assert (cell["dataset"], cell["known_class"], cell["published_mean"]) == ("elpv", "mono", 0.731)
    assert cell["n"] == len(runs)
    assert cell["measured_mean"] == pytest.approx(np.mean([run.metrics.auroc for run in runs]))
    assert cell["verdict"] == "not_comparable"
    published = Sample(cell["published_mean"], cell["published_std"], 3)
    ours = Sample(cell["measured_mean"], cell["measured_std"], len(runs))
    assert cell["would_be"] == judge(published, ours, MARGIN).verdict


def test_cells_of_a_table_that_is_none_say_so():
    with pytest.raises(ReportError, match="no table 'twelve'"):
        swanbench.cells("twelve", "reference")


def test_a_detector_is_checked_through_the_face(monkeypatch):
    monkeypatch.setattr("methods.checks.CHECKS", [lambda case: _refuse()])
    with pytest.raises(CheckError, match="devnet: "):
        swanbench.check_detector(swanbench.get_method("devnet"))


def _refuse():
    raise CheckError("refused")


@pytest.mark.parametrize(
    ("file", "name", "package"),
    [
        ("results.py", "results", "results"),
        ("methods/__init__.py", "Detector", "methods"),
        ("protocols.py", "DatasetInfo", "protocols"),
        ("benchmark.py", "__version__", "benchmark"),
    ],
)
def test_a_file_beside_a_script_that_hides_a_package_is_named(tmp_path, file, name, package):
    hiding = tmp_path / file
    hiding.parent.mkdir(exist_ok=True)
    hiding.write_text("")
    script = tmp_path / "mine.py"
    script.write_text(f"import swanbench\nfrom swanbench import {name}\nprint({name})\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert f"{hiding} stands in the way of its package {package}: rename it" in done.stderr


def test_a_file_that_hides_nothing_needed_does_no_harm(tmp_path):
    (tmp_path / "results.py").write_text("")
    (tmp_path / "reports").mkdir()  # a folder that is no package gives way to ours
    script = tmp_path / "mine.py"
    script.write_text("import swanbench\nprint(swanbench.MethodError.__name__)\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "MethodError\n"


@pytest.mark.parametrize("verb", [["doctor"], ["report", "--table", "2"], ["--help"]])
def test_the_command_line_names_the_file_that_hides_a_package(tmp_path, verb):
    (tmp_path / "results.py").write_text("")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from swanbench.command_line import main; main()"
    done = subprocess.run([sys.executable, "-c", program, *verb], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert f"{tmp_path / 'results.py'} stands in the way" in done.stderr
