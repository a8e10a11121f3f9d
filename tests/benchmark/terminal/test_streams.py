"""Closed, full and narrow standard streams: a sentence where one can be read, an exit status that tells it, no traceback."""

import json
import subprocess
import sys

import pytest
import strangers
from PIL import Image

from results.store import Store

LIST = ("methods", "list")
CALLS = {
    "list": LIST,
    "help": ("--help",),
    "json": ("methods", "list", "--json"),
    "table": ("report", "--table", "1"),
    "wrong": ("run", "--suite", "hrad"),
}


def shell(house, redirected, *words, **variables):
    """`bench` by a shell that redirects its streams."""
    return subprocess.run(
        ["bash", "-c", f'exec "$@" {redirected}', "bash", sys.executable, "-m", "benchmark", *map(str, words)],
        env=house.env | variables,
        cwd=house.root,
        capture_output=True,
        timeout=120,
        check=False,
    )


def is_quiet(done):
    return not any(words in done.stdout + done.stderr for words in (b"Traceback", b"Exception ignored", b"lost sys"))


@pytest.mark.parametrize(("redirected", "reason"), [(">/dev/full", b"No space left"), (">&-", b"it is closed")])
@pytest.mark.parametrize("words", [CALLS[name] for name in ("list", "help", "json", "table")], ids=" ".join)
def test_a_result_that_cannot_be_written_is_an_error(house, redirected, reason, words):
    done = shell(house, redirected, *words)
    assert done.returncode == 2
    assert b"cannot write to stdout: " + reason in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("redirected", ["2>/dev/full", "2>&-", "2>&- <&-"])
def test_messages_that_cannot_be_written_are_lost_and_no_more(house, redirected):
    done, wrong = shell(house, redirected, *LIST), shell(house, redirected, *CALLS["wrong"])
    assert (done.returncode, done.stdout) == (0, shell(house, "", *LIST).stdout)
    assert (wrong.returncode, wrong.stdout, wrong.stderr) == (2, b"", b"")


@pytest.mark.parametrize("redirected", [">&- 2>&- <&-", ">/dev/full 2>&1"])
def test_with_no_stream_at_all_the_exit_status_is_left(house, redirected):
    assert [shell(house, redirected, *words).returncode for words in (LIST, CALLS["wrong"])] == [2, 2]


def test_the_files_of_the_gate_are_there_when_nobody_reads_its_lines(house):
    words = (
        "check",
        "--against",
        "reference",
        "--partial",
        "--results",
        "reference",
        "--junit",
        "j.xml",
        "--badge",
        "b",
    )
    shell(house, ">/dev/full", *words)
    assert [(house.root / name).stat().st_size > 0 for name in ("j.xml", "b")] == [True, True]


def test_a_reader_that_leaves_is_no_error(house):
    done = shell(house, "| head -n 1; exit ${PIPESTATUS[0]}", *LIST)
    assert (done.returncode, done.stdout.count(b"\n"), done.stderr) == (0, 1, b"")


@pytest.mark.parametrize("redirected", [">&- 2>&- <&-", ">/dev/full 2>/dev/full"])
def test_runs_are_kept_whatever_becomes_of_the_streams(house, redirected):
    site = house.root / "site"
    strangers.brightest(site)
    words = ("run", "--suite", house.suite, "--method", "bright", "--threads", "1")
    done = shell(house, redirected, *words, PYTHONPATH=strangers.path(site))
    assert done.returncode == 2
    records = list(Store(house.results).records())
    assert [record.status for record in records] == ["done", "done"]


NARROW = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.mark.parametrize("variables", NARROW, ids=[" ".join(map("=".join, one.items())) for one in NARROW])
def test_a_terminal_that_lacks_letters_gets_all_else(house, variables):
    folder = house.root / "grün ∅" / "raw"
    for number, kind in enumerate(("train/good", "test/good", "test/bad")):
        (folder / kind).mkdir(parents=True)
        for one in range(12):
            Image.new("L", (8, 8), number * 80 + one).save(folder / kind / f"{one}.png")
    (house.root / "data").unlink()
    for words in (("data", "adopt", folder, "--name", "mine"), ("data", "adopt", folder / "∄", "--name", "other")):
        done = shell(house, "", *words, **variables)
        assert done.returncode == (2 if "∄" in str(words[2]) else 0), done.stderr
        assert is_quiet(done)
    for words in (("report", "--table", "2", "--results", "reference"), ("data", "list"), ("methods", "show", "dra")):
        done = shell(house, "", *words, **variables)
        assert done.returncode == 0
        assert is_quiet(done)
        assert len(done.stdout) > 500
    shown = shell(house, "", "methods", "list", "--json", **variables)
    assert json.loads(shown.stdout.decode("latin-1"))
