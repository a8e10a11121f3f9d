"""Records of one key with other numbers are named by report, check and compare, whichever of them counts."""

import json

import msgspec
import pytest
from recorded import record

from benchmark.cli import status
from results.reference import reference_records
from results.store import Store


@pytest.fixture
def folders(tmp_path):
    """Two results folders with one run; the second says 0.3456."""
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    made = record("mono", 0, 0.7512)
    here.put(made)
    there.put(msgspec.structs.replace(made, metrics=msgspec.structs.replace(made.metrics, auroc=0.3456)))
    return here.root, there.root


def spoken(words, folders, capfd):
    code = status([*words, *(word for folder in folders for word in ("--results", str(folder)))])
    said = capfd.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("backwards", [False, True])
def test_report_names_the_run_on_stderr_and_on_the_page(folders, capfd, backwards):
    places = folders[::-1] if backwards else folders
    for form in ("md", "html", "latex", "json"):
        _, out, err = spoken(["report", "--table", "2", "--format", form], places, capfd)
        assert "hard-elpv-mono-dra-10-s0-" in err
        assert f"AUC 0.7512, average precision 0.5 in {folders[0]}" in err
        assert f"AUC 0.3456, average precision 0.5 in {folders[1]}" in err
        assert "records of one key with other numbers: " in out
        assert "0.7512" in out
    notes = [
        cell["measured"]["notes"]
        for cell in json.loads(spoken(["report", "--table", "2", "--format", "json"], places, capfd)[1])["cells"]
        if cell["measured"]
    ]
    assert sum("other numbers" in text for note in notes for text in note) == 1


def test_check_names_the_run_in_every_output(folders, tmp_path, capfd):
    pages = tmp_path / "junit.xml", tmp_path / "summary.md"
    _, out, err = spoken(
        ["check", "--against", "published", "--junit", str(pages[0]), "--summary", str(pages[1])], folders, capfd
    )
    for text in (out, *(page.read_text() for page in pages)):
        assert "AUC 0.7512" in text
        assert "AUC 0.3456" in text
    assert "AUC" not in err, "it is said once"


def test_compare_names_the_run(folders, capfd):
    for folder in folders:
        made = record("mono", 0, 0.6)
        spec = msgspec.structs.replace(
            made.spec, method="devnet", fit=msgspec.structs.replace(made.spec.fit, detector="devnet")
        )
        Store(folder).put(
            msgspec.structs.replace(made, spec=spec, key=spec.key, fit_key=spec.fit.fit_key, series=spec.series)
        )
    for form in ("md", "json"):
        code, out, err = spoken(["compare", "dra", "devnet", "--format", form], folders, capfd)
        assert code == 0
        for text in (out, err):
            assert "hard-elpv-mono-dra-10-s0-" in text
            assert "AUC 0.3456" in text
            assert "AUC 0.7512" in text


def test_a_folder_beside_the_packaged_records_is_looked_at_too(tmp_path, capfd):
    packaged = next(iter(reference_records()))
    other = msgspec.structs.replace(packaged.metrics, average_precision=0.1234)
    Store(tmp_path / "runs").put(msgspec.structs.replace(packaged, metrics=other))
    _, _, err = spoken(["report", "--table", "1"], ("reference", tmp_path / "runs"), capfd)
    assert packaged.spec.name in err
    assert "average precision 0.1234" in err


def test_equal_numbers_are_no_news(folders, capfd):
    again = Store(folders[1].parent / "again")
    again.put(next(iter(Store(folders[0]).records())))
    _, out, err = spoken(["report", "--table", "2"], (folders[0], again.root), capfd)
    assert "other numbers" not in out + err


def test_two_folders_that_differ_in_average_precision_alone_say_so(folders, tmp_path, capfd):
    made = next(iter(Store(folders[0]).records()))
    other = Store(tmp_path / "other")
    other.put(msgspec.structs.replace(made, metrics=msgspec.structs.replace(made.metrics, average_precision=0.4321)))
    assert status(["compare", str(folders[0]), str(other.root)]) == 0
    assert "average precision = 0.5 (B: 0.4321)" in capfd.readouterr().out
