"""The suite that `tox -e regression` runs, beside the file that it is compared with."""

import shlex
from importlib.resources import files

import pytest
from repository import ROOT

from results import reference
from results.reference import REGRESSION_FILE, read_reference_lines, reference_records

pytest.importorskip("elpv_dataset", reason="the images of ELPV are not installed")


def packaged():
    return list(read_reference_lines((files(reference) / REGRESSION_FILE).read_bytes(), REGRESSION_FILE))


def test_its_command_plans_the_runs_of_the_file(house):
    """A detector whose version was raised asks for a new file: `bench results export --format jsonl`."""
    line = next(line for line in (ROOT / "tox.ini").read_text().splitlines() if "--suite regression" in line)
    words = shlex.split(line.replace("{env_tmp_dir}", str(house.root)))[1:]
    done = house.bench(*words, "--plan")
    assert done.returncode == 0, done.stderr
    planned = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("missing")}
    assert planned == {record.spec.name for record in packaged()}
    assert len(planned) == 6


def test_no_table_shows_its_runs():
    assert {record.key for record in packaged()}.isdisjoint(record.key for record in reference_records())
