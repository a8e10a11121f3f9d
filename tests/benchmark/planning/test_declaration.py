"""Margin, seeds and groups are written down before the first run, and another margin later is told."""

import json

from benchmark.planning.declaration import DECLARED_FOLDER, undeclared_margins

RUN = ("--method", "devnet", "--known-class", "dot", "--threads", "1")


def test_the_first_run_declares_and_a_later_one_changes_nothing(house):
    assert house.run(*RUN, "--seed", "0").returncode == 0
    (path,) = (house.results / DECLARED_FOLDER).glob("*.json")
    first = path.read_bytes()
    content = json.loads(first)
    assert (content["margin"], content["seeds"], content["verdict_version"]) == (0.02, [[0, 0]], 2)
    assert house.run(*RUN, "--seed", "0,1").returncode == 0
    assert path.read_bytes() == first


def test_a_plan_declares_nothing(house):
    assert house.run(*RUN, "--plan").returncode == 0
    assert not (house.results / DECLARED_FOLDER).exists()


def test_another_margin_is_told_by_report_and_check(finished, bench):
    words = ("--results", finished.results, "--margin", "0.05")
    for command in (("report", "--table", "2", "--format", "csv"), ("check", "--against", "published")):
        _, _, err = bench(*command, *words)
        assert "margin 0.05 is not the 0.02 that " in err
    _, _, err = bench("report", "--table", "2", "--format", "csv", "--results", finished.results)
    assert "margin" not in err


def test_what_is_no_declaration_is_passed_over(tmp_path):
    (tmp_path / DECLARED_FOLDER).mkdir()
    (tmp_path / DECLARED_FOLDER / "odd.json").write_text("{")
    assert list(undeclared_margins([tmp_path], 0.05)) == []
