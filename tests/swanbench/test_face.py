"""What plug-ins and notebooks import, and what is said where another file takes a package's name."""

import subprocess
import sys

import pytest

import swanbench
from methods.checks import CheckError
from methods.detector import Detector
from results.reference import reference_records


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
    assert set(frame["method"]) == {"dra"}
    assert swanbench.results(tmp_path).empty


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
