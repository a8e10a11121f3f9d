"""`bench check --against published`: what failed, is stale or is gone is no success, and the words promise nothing."""

import re
from xml.etree import ElementTree as ET

import msgspec
import pytest
from recorded import record

from benchmark.cli import status
from results.maintenance.export import json_lines
from results.store import Store

MONO = "hard/elpv/mono/dra/10"
POLY = "hard/elpv/poly/dra/10"


@pytest.fixture
def store(tmp_path):
    """Three seeds of DRA on ELPV, known class mono, around the published 0.731."""
    found = Store(tmp_path / "runs")
    for seed, noise in enumerate((-0.01, 0.0, 0.01)):
        found.put(record("mono", seed, 0.731 + noise))
    return found


@pytest.fixture
def check(store, tmp_path, capfd):
    """Run the gate on Table 2: exit status, what it printed, JUnit XML and summary."""

    def call(*words):
        pages = tmp_path / "junit.xml", tmp_path / "summary.md"
        told = ["--results", store.root, "--junit", pages[0], "--summary", pages[1], *words]
        code = status(["check", "--against", "published", "--table", "2", *map(str, told)])
        said = capfd.readouterr()
        return code, said.out + said.err, ET.parse(pages[0]).getroot(), pages[1].read_text()

    return call


def failed(*place):
    return msgspec.structs.replace(record(*place, 0.5), status="failed", metrics=None, error="no luck\nline 2")


@pytest.mark.parametrize("place", [("poly", 0), ("mono", 3)], ids=["cell", "seed"])
def test_a_failed_run_is_no_success_beside_cells_that_pass(store, check, place):
    assert check()[0] == 0
    store.put(failed(*place))
    code, said, junit, page = check()
    assert code == 3
    told = f"FAILED: dra:2/hard/elpv/{place[0]}/dra/10: seed {place[1]} failed: no luck\n"
    assert told in said
    assert f"dra:2/hard/elpv/{place[0]}/dra/10" in [case.get("name") for case in junit.iter("testcase")]
    assert int(junit.get("failures")) >= 1
    assert "no luck" in page


def test_a_stale_cell_is_no_success_beside_cells_that_pass(store, check):
    old = record("poly", 0, 0.8)
    fit = msgspec.structs.replace(old.spec.fit, version=0)
    spec = msgspec.structs.replace(old.spec, fit=fit)
    store.put(msgspec.structs.replace(old, spec=spec, key=spec.key, fit_key=fit.fit_key, series=spec.series))
    code, said, junit, page = check()
    assert code == 3
    assert f"STALE: dra:2/{POLY}: measured by version 0 of dra" in said
    assert junit.get("failures") == "2"  # the cell and the mean row over it
    assert "| stale" in page


def test_a_record_that_cannot_be_read_is_no_success(store, check):
    store.record_path(next(iter(store.records())).key).write_text("{}")
    for _ in range(2):  # the first call sets it aside
        code, said, *_ = check()
        assert code == 3
        assert "UNREADABLE: " in said
    for path in store.root.glob("set_aside/*"):
        path.unlink()
    assert check()[0] == 0


@pytest.mark.parametrize("name", [MONO, f"dra:2/{MONO}", f"dra:8/{MONO}", "a run"])
def test_what_is_required_and_there_passes(store, check, tmp_path, name):
    (tmp_path / "required").write_text(
        f"# the gate\n\n{next(iter(store.records())).spec.name if ' ' in name else name}\n"
    )
    assert check("--require", tmp_path / "required")[0] == 0


@pytest.mark.parametrize("name", [POLY, f"dra:2/{POLY}"])
def test_what_is_required_and_there_but_not_tested_is_named(store, check, tmp_path, name):
    store.put(record("poly", 0, 0.1, weights="custom:9400829f"))
    (tmp_path / "required").write_text(f"{MONO}\n{name}\n")
    code, said, _, page = check("--require", tmp_path / "required")
    assert code == 0
    told = f"required and there, but not tested: dra:2/{POLY}: not comparable"
    assert said.count("required and there") == said.count(told) == 1
    assert told in page


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (POLY, "required; nothing measures it"),
        (f"dra:2/{POLY}", "required; nothing measures it"),
        (f"dra:1/{MONO}", f"did you mean 'dra:8/{MONO}'?"),
        ("hard/elpv/mean/dra/10", "required; 1 of 2 subsets measured"),
        ("hard/elpv/mno/dra/10", f"did you mean '{MONO}'?"),
        ("general/mine/toy", "neither a run of this name nor a cell of this id"),
        ("hard-elpv-mono-dra-10-s9-00000000", "neither a run of this name nor a cell of this id"),
    ],
)
def test_what_is_required_and_absent_is_named_and_fails(check, tmp_path, name, told):
    (tmp_path / "required").write_text(f"{MONO}\n{name}\n")
    code, said, junit, page = check("--require", tmp_path / "required")
    assert code == 3
    (line,) = [line for line in said.splitlines() if line.startswith("ABSENT: ")]
    assert name in line
    assert told in line
    assert [case.get("classname") for case in junit.iter("testcase") if case.find("failure") is not None] == ["absent"]
    assert told.replace("'", "") in page.replace("'", "")


@pytest.mark.parametrize("form", ["jsonl", "folder"])
def test_required_records_are_looked_up_by_their_keys(store, check, tmp_path, form):
    wanted = Store(tmp_path / "wanted")
    for seed in (0, 1, 2):
        wanted.put(record("mono", seed, 0.1))  # the numbers are not what is asked for
    place = tmp_path / "wanted.jsonl" if form == "jsonl" else wanted.root
    if form == "jsonl":
        place.write_text(json_lines(wanted.records()))
    assert check("--require", place)[0] == 0
    store.record_path(next(iter(store.records())).key).unlink()
    code, said, *_ = check("--require", place)
    assert code == 3
    assert said.count("ABSENT: hard-elpv-mono-dra-10-s") == 1
    store.put(failed("mono", 0))
    store.put(failed("mono", 1))
    assert check("--require", place)[0] == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "there is no such file"),
        (b"", "names nothing"),
        (b"# only words\n", "names nothing"),
        (b'{"schema": 1}\n', "required:1 is not a readable record"),
        (b"\xff\xfe\n", "cannot be read"),
    ],
)
def test_a_file_that_requires_nothing_readable_is_wrong_input(store, tmp_path, text, told, capfd):
    file = tmp_path / "required"
    if text is not None:
        file.write_bytes(text)
    assert status(["check", "--against", "published", "--results", str(store.root), "--require", str(file)]) == 2
    said = capfd.readouterr().err
    assert said.startswith("bench: --require ")
    assert told in said
    assert said.count("\n") == 1


def test_the_words_say_what_could_have_been_found(store, check):
    code, said, _, page = check()
    assert code == 0
    line = next(line for line in said.splitlines() if MONO in line)
    assert re.search(r"\(n = 3, df = [0-9.]+\).*sees a drop of 0\.[01][0-9]+$", line)
    store.record_path(record("mono", 2, 0.0).key).unlink()
    for seed, auroc in enumerate((0.99, 0.3)):  # so far apart that no drop could be found
        store.put(record("mono", seed, auroc))
    code, said, junit, page = check()
    line = next(line for line in said.splitlines() if MONO in line)
    assert line.startswith("no drop could be found: ")
    assert not re.search(r"\bgood\b", said + page + ET.tostring(junit, encoding="unicode"))
    assert code == 0


def test_a_demand_that_is_no_number_is_refused(bench):
    code, out, err = bench("check", "--against", "published", "--see", "nan")
    assert (code, out) == (2, "")
    assert "--see nan: give the drop that each method's test must see" in err
