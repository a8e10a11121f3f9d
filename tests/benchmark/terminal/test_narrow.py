"""Tables on a terminal that is too narrow for them, and on one that is not."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest
from recorded import record

from results.store import Store


@pytest.fixture
def on_terminal(tmp_path):
    """Gives stdout of `bench` on a terminal of so many columns."""

    def run(columns, *words):
        parent, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        env = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmark", *map(str, words)],
            stdout=child,
            stderr=subprocess.DEVNULL,
            env={**env, "BENCH_DATA": str(tmp_path / "data"), "TERM": "xterm"},
        )
        os.close(child)
        parts = []
        while True:
            try:
                part = os.read(parent, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            parts.append(part)
        os.close(parent)
        assert process.wait() == 0
        return b"".join(parts).decode().replace("\r\n", "\n")

    return run


@pytest.fixture
def runs(tmp_path):
    store = Store(tmp_path / "runs")
    for seed in range(2):
        store.put(record("mono", seed, 0.6 + seed / 100, weights="custom:9400829f"))
        store.put(record("poly", seed, 0.8 + seed / 100))
    return store.root


def widest(text):
    return max(map(len, text.splitlines()))


def test_what_was_measured_is_a_list_that_fits(on_terminal, runs):
    out = on_terminal(80, "report", "--table", "2", "--results", runs)
    assert widest(out) <= 80
    lines = out.splitlines()
    place = lines.index("ELPV")
    assert lines[place + 1].startswith("  Mono  DRA  0.731±0.021 / 0.605±0.007 (↓) [")
    assert lines[place + 2].startswith("  Poly  DRA  0.800±0.064 / 0.805±0.007 ∼")
    words = " ".join(out.split())
    assert "- ( ) not comparable with the paper; in brackets the verdict that it would have" in words
    assert "Not comparable: weights resnet18 custom:9400829f" in words
    assert "the same command with --output FILE writes it" in words


def test_published_values_stand_in_tables_of_fewer_columns(on_terminal):
    out = on_terminal(80, "report", "--table", "2", "--show", "published")
    assert widest(out) <= 80
    heads = [line for line in out.splitlines() if line.startswith("| Dataset")]
    assert len(heads) > 2
    assert {"KDAD", "DevNet", "FLOS", "SAOE", "MLEP", "DRA"} <= {word for line in heads for word in line.split()}
    assert out.count("0.731±0.021") == 1


def test_a_terminal_that_is_wide_enough_gets_the_table_itself(on_terminal, runs, tmp_path):
    file = tmp_path / "table.md"
    on_terminal(80, "report", "--table", "2", "--results", runs, "--output", file)
    wide = file.read_text()
    tables = max(len(line) for line in wide.splitlines() if line.startswith("|"))
    assert on_terminal(tables, "report", "--table", "2", "--results", runs) == wide
    assert on_terminal(tables - 1, "report", "--table", "2", "--results", runs) != wide


def test_formats_for_programs_are_the_same_on_a_terminal(on_terminal, runs, tmp_path):
    file = tmp_path / "table.csv"
    words = ["report", "--table", "2", "--results", runs, "--format", "csv"]
    on_terminal(80, *words, "--output", file)
    assert on_terminal(80, *words) == file.read_text()
