import importlib.util
import re

import pytest

from benchmark.cli import status

FIND_SPEC = importlib.util.find_spec


def without_elpv(name, package=None):
    """As if elpv-dataset were not installed: no images are prepared."""
    return None if name == "elpv_dataset" else FIND_SPEC(name, package)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", without_elpv)
    return tmp_path


@pytest.mark.slow
def test_a_site_has_a_page_a_table_and_no_link_leads_nowhere(empty, capfd):
    assert status(["site", "--output", "site", "--results", "reference"]) == 0
    out, _ = capfd.readouterr()
    files = {path.name: path.read_text(encoding="utf-8") for path in (empty / "site").iterdir()}
    assert out == f"{len(files)} pages in site: open site/index.html\n"
    assert {
        "index.html",
        "detectors.html",
        "datasets.html",
        "dra-2.html",
        "dra-5.html",
        "csi_gan-ablation.html",
    } <= set(files)
    for text in files.values():
        links = re.findall(r'href="([^"#]+)(?:#[^"]*)?"', text)
        assert set(links) <= set(files)
        assert not re.search(r'(src|href)="(http|//|/)', text)
    index = files["index.html"]
    assert len(re.findall(r'<a href="[a-z_]+-\w+\.html">', index)) == len(files) - 3
    assert re.search(r'dra-2\.html.*?<td class="n">\d of 330</td>', index, re.DOTALL)
    assert "not comparable" in index
    assert "CC BY-NC-SA 4.0" in files["datasets.html"]
    assert "PatchCore" in files["detectors.html"]
    assert 'href="index.html"' in files["dra-2.html"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Missing option '--output'"),
        (
            ("--output", "no/such/folder"),
            "--output no/such/folder: No such file or directory; make its parent folder first",
        ),
        (("--output", "file"), "Directory 'file' is a file"),
        (("--output", "site", "--results", "nowhere"), "--results nowhere: there is no such folder"),
    ],
)
def test_what_cannot_be_is_one_sentence(empty, capfd, words, message):
    (empty / "file").write_text("")
    assert status(["site", *words]) == 2
    out, err = capfd.readouterr()
    assert message in err
    assert (out, err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    "words",
    [
        ("report", "--table", "2", "--thumbnails"),
        ("report", "--table", "2", "--format", "csv", "--thumbnails"),
        ("report", "--cell", "hard/elpv/mono/dra/10", "--format", "html", "--thumbnails"),
    ],
)
def test_pictures_are_for_the_page_of_a_table(empty, capfd, words):
    assert status([*words]) == 2
    assert capfd.readouterr().err == (
        "bench: --thumbnails are for the page of a table or suite: add --format html, or leave them out\n"
    )


def test_a_page_of_published_values_needs_no_records(empty, capfd):
    assert status(["report", "--table", "2", "--format", "html", "--show", "published", "--results", "reference"]) == 0
    out, _ = capfd.readouterr()
    assert out.startswith("<!doctype html>")
    assert 'id="cells"' not in out


def test_the_page_of_the_packaged_runs_names_each_with_its_command(empty, capfd):
    assert status(["report", "--table", "2", "--format", "html", "--results", "reference"]) == 0
    out, err = capfd.readouterr()
    assert "bench run --suite hard --method dra --dataset elpv --known-class mono --shots 10 --seed" in out
    assert "Its scores are not at hand" in out
    assert "are estimated from compressed copies" in out
    assert len(out.encode()) < 300_000
    assert len(err.splitlines()) == len(set(err.splitlines()))
