"""What others wrote into records, recipes and names of files is shown, never acted on: by a terminal, a page or a
spreadsheet.
"""

import csv
import io
import json
import re
from xml.etree import ElementTree as ET

import msgspec
import pytest
from plugins import forget_installed
from records import make_fit, make_provenance, make_record, make_spec, make_split

from benchmark.cli import status
from results.record import Counts, Metrics, Record
from results.store import Store

BAD = "\x1b]0;title\x07\x1b[31mred\x9b2J\u202e ![x](http://127.0.0.1/x.png) <img src=x> =1\nall good: reproduced"
FORMULA = '=HYPERLINK("http://127.0.0.1","x")'


def made(method, dataset="elpv", *, seed=0, auroc=0.75, status_="done", text=BAD, **spec):
    fit = make_fit(detector=method, params={"loss.kind": text}, seed=seed)
    split = make_split(dataset=dataset, rule="general", known_class=None)
    run = make_spec(
        fit,
        split,
        **{
            "test": f"{seed:064}",
            "evaluation": None,
            "method": method,
            "split_seed": seed,
            "deviations": [text],
            **spec,
        },
    )
    provenance = make_provenance(
        package_version=text,
        git_commit=text,
        git_dirty=True,
        code_digest=text,
        numerics_class=text,
        weights={"resnet18": f"custom:{text}"},
        device=text,
        cpu=text,
        libraries={text: text},
        started=text,
    )
    return make_record(
        run,
        auroc,
        failed=text if status_ == "failed" else None,
        counts=Counts(train_normal=9, train_anomaly=10, test_normal=9, test_anomaly=9),
        provenance=provenance,
        notes=[text],
        timings={text: 1.0},
    )


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A results folder of somebody else, in this process' variables."""
    store = Store(tmp_path / "runs")
    for seed in range(2):
        store.put(made("devnet", seed=seed))
        store.put(made("dra", seed=seed, auroc=0.8))
    store.put(made("dra", seed=2, status_="failed"))
    store.put(made(f"dra{BAD}", f"elpv{BAD}"))
    store.put(made(FORMULA, FORMULA, text=FORMULA))
    monkeypatch.setenv("BENCH_RESULTS", str(store.root))
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    return store


def control(text):
    return {character for character in text if not (character.isprintable() or character in "\n\t")}


VERBS = [
    ("results", "list"),
    ("results", "list", "--json"),
    ("results", "export"),
    ("results", "export", "--format", "jsonl"),
    *(("report", "--table", "1", "--format", form) for form in ("md", "latex", "html", "csv", "json")),
    ("check", "--against", "published"),
    ("check", "--against", "published", "--include-not-comparable"),
    *(("compare", "devnet", "dra", "--format", form) for form in ("md", "csv", "json")),
]


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_no_verb_passes_control_characters_on(foreign, capfd, words):
    status(list(words))
    out, err = capfd.readouterr()
    assert not control(out + err)
    assert out + err


def test_a_record_is_explained_and_shown_safely(foreign, capfd):
    for record in list(foreign.records()):
        assert status(["results", "why", record.key]) == 0
        out, err = capfd.readouterr()
        assert not control(out + err)
        assert "\\x1b[31m" in out or record.spec.method == FORMULA
        assert not [line for line in out.splitlines() if line.startswith("all good")]
        assert status(["results", "show", record.key]) == 0
        out, err = capfd.readouterr()
        assert not control(out + err)
        shown = msgspec.json.decode(out, type=Record)
        assert (shown.key, shown.status, shown.error, shown.metrics) == (
            record.key,
            record.status,
            record.error,
            record.metrics,
        )
        assert shown.notes == record.notes
        assert shown.spec.split == record.spec.split


def test_pages_hold_no_image_link_or_tag_of_a_record(foreign, capfd):
    assert status(["report", "--table", "1"]) == 0
    page, _ = capfd.readouterr()
    assert "http://127.0.0.1/x.png" in page
    assert not re.search(r"(?<!\\)!\[|(?<!\\)\]\(|<img", page)
    assert status(["report", "--table", "1", "--format", "html"]) == 0
    page, _ = capfd.readouterr()
    assert "http://127.0.0.1/x.png" in page
    assert "<img" not in page
    assert status(["report", "--table", "1", "--format", "latex"]) == 0
    page, _ = capfd.readouterr()
    assert r"\textbackslash{}x1b" in page


def test_compared_folders_hold_no_image_or_link_of_a_record(foreign, tmp_path, capfd):
    other = Store(tmp_path / "other")
    for record in foreign.records():
        if record.metrics:
            metrics = Metrics(auroc=record.metrics.auroc / 2, average_precision=0.5)
            other.put(msgspec.structs.replace(record, metrics=metrics))
    for form in ("md", "csv", "json"):
        status(["compare", str(foreign.root), str(other.root), "--format", form])
        out, err = capfd.readouterr()
        assert not control(out + err)
        assert form != "md" or not re.search(r"(?<!\\)!\[|(?<!\\)\]\(|<img", out)
    pages = [tmp_path / "junit.xml", tmp_path / "summary.md"]
    status(["check", "--against", str(other.root), "--junit", str(pages[0]), "--summary", str(pages[1])])
    out, err = capfd.readouterr()
    texts = [path.read_text() for path in pages]
    assert not control("".join([out, err, *texts]))
    assert ET.fromstring(texts[0]).tag == "testsuites"
    assert not re.search(r"(?<!\\)!\[|(?<!\\)\]\(|<img", texts[1])


def test_exports_hold_no_formula_and_keep_numbers(foreign, capfd):
    assert status(["results", "export"]) == 0
    out, _ = capfd.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 7
    for row in rows:
        assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert {row["method"] for row in rows} >= {f"'{FORMULA}"}
    assert {row["auroc"] for row in rows} == {"0.75", "0.8", ""}
    assert {row["shots"] for row in rows} == {"10"}
    assert status(["results", "export", "--format", "jsonl"]) == 0
    out, _ = capfd.readouterr()
    assert {json.loads(line)["spec"]["method"] for line in out.splitlines()} >= {FORMULA, f"dra{BAD}"}


def test_names_of_files_and_archives_are_shown_safely(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    folder = tmp_path / "own\x1b[31m"
    for name in ("train/good", "test/good", "test/dent\x9b"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a\x1b]0;t\x07.png").write_bytes(b"no image")
    archive = tmp_path / "release\x1b[2J.zip"
    archive.write_bytes(b"PK\x05\x06 no archive")
    for words in (
        ("data", "adopt", folder, "--name", "own"),
        ("data", "adopt", folder, "--name", "own\x1b[31m"),
        ("data", "prepare", "brain_mri", "--source", archive),
        ("data", "show", "el\x1bpv"),
        ("run", "--suite", "general", "--dataset", "el\x1bpv", "--plan"),
        ("report", "--table", "\x1b[31m"),
        ("\x1b[31m",),
    ):
        assert status(list(map(str, words))) == 2
        out, err = capfd.readouterr()
        assert not control(out + err)
        assert err.count("\n") == 1


RECIPE = """
id = "garish"
title = "Garish \\u001b[31m"
summary = "A \\u001b]0;title\\u0007 \\u009b2J"
citation = "no\\u001bbody"
detector = "garish:Detector"
version = 1

[capabilities]
rules = ["general"]
anomalies = false
independent_scores = true

[params."img_size"]
type = "size"
default = 32
source = "own \\u001b choice"
note = "a \\u001b[31m note"
"""


def test_the_recipe_of_a_plug_in_is_shown_safely(tmp_path, monkeypatch, capfd):
    info = tmp_path / "garish-1.0.dist-info"
    info.mkdir()
    (tmp_path / "garish").mkdir()
    (tmp_path / "garish" / "garish.toml").write_text(RECIPE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: garish\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[swanbench.methods]\nloud = garish:garish.toml\n")
    monkeypatch.syspath_prepend(tmp_path)
    forget_installed()
    try:
        for words in (["list"], ["list", "--json"], ["show", "garish"], ["show", "garish", "--json"]):
            assert status(["methods", *words]) == 0
            out, err = capfd.readouterr()
            assert not control(out + err)
            assert "garish" in out.lower()
    finally:
        forget_installed()
