"""What others include in their CI: its shell steps run here on real results; nothing unpinned, no text of an input in a script."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from recorded import record
from repository import ROOT

from results.store import Store

yaml = pytest.importorskip("yaml", reason="needs PyYAML, which the extra docs brings")
ACTION = ROOT / ".github" / "actions" / "check" / "action.yml"
WORKFLOW = ROOT / ".github" / "workflows" / "reproduction.yml"
TEMPLATE = ROOT / "examples" / "ci" / "gitlab.yml"
FILES = [ACTION, *sorted((ROOT / ".github" / "workflows").glob("*.yml")), TEMPLATE]


def read(file):
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def steps(file):
    content = read(file)
    return content["runs"]["steps"] if file == ACTION else [s for job in content["jobs"].values() for s in job["steps"]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_actions_of_others_are_pinned_by_commit(file):
    used = re.findall(r"uses: (\S+)", re.sub(r"(?m)^ *#.*$", "", file.read_text(encoding="utf-8")))
    assert [name for name in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name)] == []


@pytest.mark.parametrize("file", FILES[:-1], ids=lambda file: file.name)
def test_no_script_holds_the_text_of_an_input(file):
    assert [step["name"] for step in steps(file) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("name", ["publish.yml", "audit.yml"])
def test_tools_that_see_a_release_or_the_lock_are_pinned_and_files_that_they_read_are_there(name):
    scripts = [step["run"] for step in steps(WORKFLOW.with_name(name)) if "run" in step]
    installed = [word for text in scripts if " pip install " in text for word in text.split(" pip install ")[1].split()]
    assert installed
    assert [word for word in installed if not re.fullmatch(r"[a-z-]+==[0-9.]+", word)] == []
    locks = re.findall(r"requirements/\S+", " ".join(scripts))
    assert locks
    assert all((ROOT / lock).is_file() for lock in locks)


def test_the_workflow_may_read_the_repository_and_nothing_else():
    content = read(WORKFLOW)
    assert content["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in content["jobs"].values())


@pytest.fixture
def shell(tmp_path):
    """Run a step's script by bash as a runner does, with `bench` on the path: exit status, output, files."""
    (tmp_path / "bin").mkdir()
    bench = tmp_path / "bin" / "bench"
    bench.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m benchmark "$@"\n')
    bench.chmod(0o755)
    base = {
        "PATH": f"{bench.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "BENCH_CACHE": str(tmp_path / "cache"),
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "step.md"),
    }

    def call(script, **variables):
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
        done = subprocess.run(command, env=base | variables, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return call


def step_named(file, name):
    (step,) = [step for step in steps(file) if step.get("name") == name]
    return step["run"]


@pytest.fixture
def runs(tmp_path):
    """Three seeds of a cell at its published value, and a fourth that failed if asked."""

    def build(*noises):
        store = Store(tmp_path / "runs")
        for seed, noise in enumerate(noises):
            store.put(record("mono", seed, 0.731 + noise))
        return store.root

    return build


@pytest.mark.parametrize(("noises", "status"), [((-0.01, 0.0, 0.01), 0), ((-0.31, -0.3, -0.29), 3)])
def test_the_step_of_the_action_checks_annotates_and_writes_its_files(shell, runs, tmp_path, noises, status):
    variables = {"RESULTS": str(runs(*noises)), "AGAINST": "published", "OPTIONS": "--table 2"}
    code, said = shell(step_named(ACTION, "Check"), **variables)
    assert code == status, said
    assert ("::error title=" in said) == (status == 3)
    outputs = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    assert json.loads(Path(outputs["badge"]).read_text())["color"] == {0: "brightgreen", 3: "red"}[status]
    assert Path(outputs["junit"]).read_text().startswith("<?xml")
    assert (tmp_path / "step.md").read_text().startswith("# ")


def test_the_workflow_and_the_template_check_alike(shell, runs, tmp_path):
    folder = str(runs(-0.01, 0.0, 0.01))
    variables = {"RESULTS": folder, "BENCH_RESULTS": folder, "AGAINST": "published"}
    code, said = shell(step_named(WORKFLOW, "Check"), OPTIONS="--table 2", **variables)
    assert code == 0, said
    assert (tmp_path / ".bench" / "report" / "junit.xml").exists()
    lines = [
        line for line in read(TEMPLATE)[".swanbench"]["script"] if "pip install" not in line and "bench run" not in line
    ]
    (tmp_path / ".bench" / "report" / "junit.xml").unlink()
    code, said = shell("\n".join(lines), CHECK_OPTIONS="--table 2", **variables)
    assert code == 0, said
    assert (tmp_path / ".bench" / "report" / "junit.xml").exists()


def test_a_wrong_option_is_told_and_fails_the_step(shell, runs):
    variables = {"RESULTS": str(runs(0.0)), "AGAINST": "published", "OPTIONS": "--table 99"}
    code, said = shell(step_named(ACTION, "Check"), **variables)
    assert code == 2
    assert "99" in said


def test_an_option_is_no_command(shell, runs, tmp_path):
    variables = {"RESULTS": str(runs(0.0)), "AGAINST": "published", "OPTIONS": f"--table $(touch {tmp_path}/owned)"}
    assert shell(step_named(ACTION, "Check"), **variables)[0] == 2
    assert not (tmp_path / "owned").exists()
