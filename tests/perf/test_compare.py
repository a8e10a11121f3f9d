"""`python -m perf compare`: a ratio moved where no round of one result lies among those of the other."""

import subprocess
import sys

import msgspec
import pytest
from repository import ROOT

from perf.compare import compare_ratios, comparison_text, number_text, ratio_text
from perf.ratios import Ratio
from perf.result import MachineResult, read_result, write_result


def ratio(*rounds, name="dra bf16", over="its trunk"):
    return Ratio(name=name, over=over, rounds=rounds, load=1.0, measured="2026-11-29T20:00+00:00", commit="f" * 10)


def result(*ratios, processor="AMD EPYC", **changes):
    fields = {
        "schema": 1,
        "processor": processor,
        "cores": 2,
        "precision": "fp32",
        "kernels": "fp32",
        "numerics": "cpu-avx512-torch2.14-threads1-pillow13.0",
        "versions": {"torch": "2.14.1+cu130"},
        "parts": {"step": list(ratios)},
    }
    return MachineResult(**fields | changes)


@pytest.mark.parametrize(
    ("before", "after", "movement"),
    [
        ((1.0, 1.1, 1.2), (1.21, 1.3, 1.4), "higher"),
        ((1.0, 1.1, 1.2), (0.7, 0.8, 0.99), "lower"),
        ((1.0, 1.1, 1.2), (1.2, 1.3, 1.4), "within its spread"),  # the ranges touch
        ((1.0, 1.1, 3.0), (1.5, 1.6, 1.7), "within its spread"),
        ((1.0,), (2.0, 2.1), "one round only"),
        ((1.0, 1.1), (9.0,), "one round only"),
    ],
)
def test_a_ratio_moved_where_the_rounds_do_not_mix(before, after, movement):
    assert compare_ratios(ratio(*before), ratio(*after)) == movement


def test_a_comparison_counts_what_moved_and_names_what_only_one_has():
    before = result(ratio(1.0, 1.1), ratio(2.0, 2.1, name="kdad bf16"), ratio(5.0, 5.5, name="gone"))
    after = result(ratio(1.5, 1.7), ratio(2.05, 2.2, name="kdad bf16"), ratio(3.0, 3.1, name="new"))
    lines = comparison_text(before, after).splitlines()
    assert lines[2] == "| step/dra bf16 over its trunk | 1.05 (1.00-1.10) | 1.60 (1.50-1.70) | x 1.52 | higher |"
    assert lines[3].endswith("| x 1.04 | within its spread |")
    assert lines[5:] == [
        "1 of 2 ratios moved beyond their own spread.",
        "Only before: step/gone over its trunk.",
        "Only after: step/new over its trunk.",
    ]


def test_a_comparison_of_two_machines_says_so():
    text = comparison_text(result(ratio(1.0, 1.1)), result(ratio(1.0, 1.1), processor="Intel Xeon"))
    assert "The machines differ: AMD EPYC (cpu-avx512" in text


def test_the_median_of_an_even_number_of_rounds_is_the_mean_of_the_middle_two():
    assert ratio(1.0, 4.0, 2.0, 3.0).median == 2.5
    assert ratio_text(ratio(1.0, 4.0, 2.0, 3.0)) == "2.50 (1.00-4.00)"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01234, "0.0123"), (1, "1.00"), (12.34, "12.3"), (99.96, "100"), (123.4, "123"), (1234, "1,234")],
)
def test_a_number_has_three_digits(value, text):
    assert number_text(value) == text


def test_a_ratio_that_is_measured_again_replaces_itself_alone(tmp_path):
    path = tmp_path / "machine.json"
    first = result(ratio(1.0, 1.1), ratio(3.0, name="kdad bf16"))
    write_result(path, msgspec.structs.replace(first, parts={**first.parts, "peak": first.parts["step"]}))
    write_result(path, result(ratio(2.0, 2.1), ratio(4.0, name="new")))
    rounds = {name: [one.rounds for one in ratios] for name, ratios in read_result(path).parts.items()}
    assert rounds == {"peak": [(1.0, 1.1), (3.0,)], "step": [(2.0, 2.1), (3.0,), (4.0,)]}


def test_a_file_of_another_machine_is_left_alone(tmp_path):
    path = tmp_path / "machine.json"
    write_result(path, result(ratio(1.0)))
    with pytest.raises(SystemExit, match="of another machine or other versions: give --output another name"):
        write_result(path, result(ratio(2.0), processor="Intel Xeon"))
    assert read_result(path).parts["step"][0].rounds == (1.0,)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        (b"{}", "is no result of perf"),
        (b"\xff", "is no result of perf"),
        (msgspec.json.encode(result(ratio(1.0), schema=2)), "has schema 2, this is 1"),
    ],
)
def test_a_file_that_is_no_result_is_named_in_a_sentence(tmp_path, content, words):
    path = tmp_path / "machine.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit, match=words):
        read_result(path)


def test_the_name_of_a_result_says_processor_precision_and_torch():
    assert result(ratio(1.0)).name == "amd-epyc-fp32-torch2.14.1"
    elsewhere = result(ratio(1.0), precision="bf16", kernels="avx512_bf16")
    assert elsewhere.name == "amd-epyc-avx512_bf16-torch2.14.1"  # on every machine that reads it


def test_the_command_compares_two_files(tmp_path):
    for name, value in (("a", 1.0), ("b", 2.0)):
        write_result(tmp_path / f"{name}.json", result(ratio(value, value + 0.1)))
    command = [sys.executable, "-m", "perf", "compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "1 of 1 ratios moved beyond their own spread." in done.stdout
    missing = subprocess.run([*command[:-1], "absent.json"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert missing.returncode == 1
    assert missing.stderr.startswith("absent.json cannot be read (No such file or directory): give a file")
