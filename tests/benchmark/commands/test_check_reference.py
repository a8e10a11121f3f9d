"""`bench check --against FOLDER|FILE`: a run that is gone, failed or made otherwise never passes."""

import shutil
from xml.etree import ElementTree as ET

import msgspec
import pytest
from recorded import record

from benchmark.cli import status
from results.maintenance.export import json_lines
from results.store import Store


@pytest.fixture
def folders(tmp_path):
    """A results folder and a reference folder with the same two runs."""
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    for store in (here, there):
        for seed in (0, 1):
            store.put(record("mono", seed, 0.7 + seed / 100))
    return here, there


@pytest.fixture
def check(folders, tmp_path, capfd):
    """Run the gate on the two folders: exit status, what it printed, and its pages, in each of which it says the same."""
    here, there = folders

    def call(*words, against=there.root):
        pages = tmp_path / "junit.xml", tmp_path / "summary.md"
        told = ["--results", here.root, "--junit", pages[0], "--summary", pages[1], *words]
        code = status(["check", "--against", str(against), *map(str, told)])
        said = capfd.readouterr()
        return code, said.out + said.err, ET.parse(pages[0]).getroot(), pages[1].read_text()

    return call


def test_no_page_replaces_a_reference_a_run_or_another_page(folders, tmp_path, capfd):
    here, there = folders
    reference, page = tmp_path / "reference.jsonl", tmp_path / "page"
    reference.write_text(json_lines(there.records()))
    kept = reference.read_text()
    run = next((here.root / "records").glob("*/*.json"))
    base = ["check", "--against", str(reference), "--results", str(here.root)]
    for words, said in (
        (("--junit", reference), f"--junit {reference} is that of --against too"),
        (("--summary", run), f"--summary {run} is a file of a run"),
        (("--junit", page, "--summary", page), f"--junit {page} is that of --summary too"),
    ):
        assert status([*base, *map(str, words)]) == 2
        assert said in capfd.readouterr().err
    assert status(["report", "--suite", "hard", "--results", str(here.root), "--output", str(run)]) == 2
    assert reference.read_text() == kept
    assert not page.exists()
    assert len(list(here.records())) == 2
    assert status([*base, "--junit", "/dev/null", "--summary", "/dev/null"]) == 0


def gone(store, seed):
    """Remove the run of a seed; gives its record."""
    old = next(one for one in store.records() if one.spec.fit.seed == seed)
    store.record_path(old.key).unlink()
    return old


def test_all_there_and_equal_passes(check):
    code, said, junit, _ = check()
    assert code == 0
    assert "2 runs compared with a reference: none differs" in said
    assert junit.get("failures") == "0"


def test_a_run_that_is_gone_fails_in_every_output_unless_a_part_is_meant(check, folders):
    name = gone(folders[0], 1).spec.name
    code, said, junit, page = check()
    assert code == 3
    assert f"ABSENT: {name}: " in said
    assert [case.get("name") for case in junit.iter("testcase") if case.find("failure") is not None] == [name]
    assert name in page
    assert check("--partial")[0] == 0


@pytest.mark.parametrize("words", [(), ("--partial",)])
def test_a_counterpart_that_failed_fails_always(check, folders, words):
    old = gone(folders[0], 1)
    folders[0].put(msgspec.structs.replace(old, status="failed", metrics=None, error="no luck\nline 2"))
    code, said, junit, page = check(*words)
    assert code == 3
    assert f"FAILED: {old.spec.name}: no luck\n" in said
    assert junit.get("failures") == "1"
    assert "no luck" in page


@pytest.mark.parametrize("words", [(), ("--partial",)])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda fit: {"params": fit.params | {"optim.lr": 0.5}}, "parameter optim.lr = 0.5 (reference: "),
        (lambda fit: {"size": 64}, "parameter img_size = 64 (reference: 224)"),
        (lambda fit: {"precision": "bf16"}, "precision = bf16 (reference: fp32)"),
        (lambda fit: {"train_normal": "b" * 64}, "list of training normals = bbbbbbbb (reference: aaaaaaaa)"),
        (lambda fit: {"weights": {"resnet18": "e" * 64}}, "weights resnet18 = eeeeeeee (reference: f37072fd)"),
    ],
)
def test_another_key_of_the_same_run_fails_always_and_says_what_differs(check, folders, change, told, words):
    old = gone(folders[0], 1)
    fit = msgspec.structs.replace(old.spec.fit, **change(old.spec.fit))
    spec = msgspec.structs.replace(old.spec, fit=fit)
    folders[0].put(msgspec.structs.replace(old, spec=spec, key=spec.key, fit_key=fit.fit_key, series=spec.series))
    code, said, junit, page = check(*words)
    assert code == 3
    assert f"OTHER KEY: {old.spec.name}: same run, other key (hard-elpv-mono-dra-10-" in said
    assert f"-{spec.key[:8]}): {told}" in said
    assert told in junit.find(".//failure").get("message")
    assert told in page


def test_a_recipe_chooses_among_runs_and_references(check, folders):
    for store in folders:
        store.put(record("mono", 2, 0.7, recipe="quick"))
    gone(folders[0], 1)
    assert check("--recipe", "quick")[0] == 0
    assert check("--recipe", "official")[0] == 3
    assert status(["check", "--against", str(folders[1].root), "--recipe", "quik"]) == 2


@pytest.mark.parametrize("words", [(), ("--partial",)])
def test_a_record_that_cannot_be_read_fails_whichever_side_it_is_on(check, folders, words):
    here, there = folders
    damaged = there.record_path(gone(here, 1).key)
    damaged.write_text("{}")
    for _ in range(2):
        code, said, *_ = check(*words)
        assert code == 3
        assert f"UNREADABLE: {damaged}: is not a readable record" in said
    assert damaged.exists()  # a reference is not set aside
    shutil.rmtree(there.root)
    shutil.copytree(here.root, there.root)
    here.record_path(next(iter(here.records())).key).write_text("{}")
    for _ in range(2):  # the first call sets it aside
        code, said, *_ = check(*words)
        assert code == 3
        assert f"UNREADABLE: {here.root}" in said


def test_two_numbers_of_one_key_among_the_references_are_told_and_no_choice(check, folders, tmp_path):
    records = list(folders[1].records())
    other = msgspec.structs.replace(records[0].metrics, auroc=0.9)
    file = tmp_path / "both.jsonl"
    file.write_text(json_lines([*records, msgspec.structs.replace(records[0], metrics=other)]))
    code, said, _, page = check(against=file)
    assert code == 3
    told = f"run {records[0].spec.name} has records of one key with other numbers: AUC {records[0].metrics.auroc!r}"
    assert told in said
    assert told in page


def test_two_numbers_of_one_key_in_two_results_folders_are_told_and_both_compared(check, folders, tmp_path):
    first = next(iter(folders[0].records()))
    third = Store(tmp_path / "third")
    third.put(msgspec.structs.replace(first, metrics=msgspec.structs.replace(first.metrics, auroc=0.9)))
    for order in ((third.root, folders[0].root), (folders[0].root, third.root)):
        code, said, *_ = check(*(word for place in order for word in ("--results", place)))
        assert code == 3
        assert f"AUC 0.9, average precision 0.5 in {third.root}" in said


@pytest.mark.parametrize(
    ("required", "code"), [("seed 0", 0), ("seed 1", 3), ("hard/elpv/mono/dra/10", 0), ("hard/elpv/poly/dra/10", 3)]
)
def test_what_is_required_must_be_there_even_where_a_part_is_meant(check, folders, tmp_path, required, code):
    names = {f"seed {one.spec.fit.seed}": one.spec.name for one in folders[1].records()}
    gone(folders[0], 1)
    file = tmp_path / "required"
    file.write_text(names.get(required, required) + "\n")
    found, said, *_ = check("--partial", "--require", file)
    assert found == code
    assert ("ABSENT: " in said) == bool(code)
