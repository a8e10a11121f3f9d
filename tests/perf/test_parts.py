"""Every part of perf has one form, and those that cost little run with tiny sizes; no test looks at a time."""

import ast

import pytest
from repository import ROOT

from perf.__main__ import main
from perf.ratios import MeasurePlan, seconds_in_turns
from perf.registered import find_part, part_names
from perf.result import read_result

QUICK = MeasurePlan(rounds=1, is_quick=True)


@pytest.mark.parametrize("name", part_names())
def test_a_part_has_title_sentence_and_one_function_of_ratios(name):
    tree = ast.parse((ROOT / "perf" / "parts" / f"{name}.py").read_text(encoding="utf-8"))
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    constants = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert functions.count("measure_ratios") == 1
    assert {"TITLE", "SAYS"} <= constants
    assert ast.get_docstring(tree)


def test_in_a_round_every_way_has_its_turn_and_the_first_round_counts_for_nothing():
    turns, clock = [], iter(range(100))
    ways = {name: lambda name=name: turns.append(name) for name in "ab"}

    def take(work):
        work()
        return next(clock)

    assert seconds_in_turns(ways, MeasurePlan(rounds=2), take) == {"a": [2, 4], "b": [3, 5]}
    assert turns == list("ababab")
    assert seconds_in_turns(ways, QUICK, take) == {"a": [6], "b": [7]}


@pytest.mark.parametrize("name", ["splits", "image_store", "growth"])
def test_a_part_gives_positive_ratios_by_name(name):
    ratios = list(find_part(name).measure_ratios(QUICK))
    assert len({(ratio.name, ratio.over) for ratio in ratios}) == len(ratios) > 2
    assert all(len(ratio.rounds) == 1 and ratio.median > 0 for ratio in ratios)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("step", 16), ("scoring", 14), ("peak", 4)])
def test_parts_of_fits_measure_four_detectors_in_both_precisions(name, count):
    ratios = list(find_part(name).measure_ratios(QUICK))
    assert len(ratios) == count
    assert all(ratio.median > 0 for ratio in ratios)
    assert {word for ratio in ratios for word in ("fp32", "bf16") if word in ratio.name} == {"fp32", "bf16"}


def test_a_measurement_is_printed_and_kept_where_a_file_is_given(tmp_path, capsys):
    main(["run", "--only", "splits", "--quick", "--output", str(tmp_path / "quick.json")])
    kept = read_result(tmp_path / "quick.json")
    assert list(kept.parts) == ["splits"]
    assert f"splits/{kept.parts['splits'][0].name} / hashing the ids: " in capsys.readouterr().out


@pytest.mark.slow
def test_the_part_of_an_accelerator_runs_and_gives_nothing_where_there_is_none(monkeypatch):
    part = find_part("accelerator")
    monkeypatch.setattr(part, "best_device", lambda: part.CPU)
    assert list(part.measure_ratios(MeasurePlan())) == []
    ratios = list(part.measure_ratios(QUICK))
    assert [ratio.over for ratio in ratios] == ["1 at a time", "on the processor"]
    assert all(ratio.median > 0 for ratio in ratios)


def test_an_unknown_part_is_refused_with_those_that_there_are(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["run", "--only", "stp"])
    assert ended.value.code == 2
    assert "there is no part 'stp': known are accelerator, authors_way, engines, growth" in capsys.readouterr().err
