"""Stored runs of a plug-in whose code was edited since: told wherever they are used, and stale."""

import re

import pytest
from guests import Guests

from results.store import Store


@pytest.fixture
def guests(house, monkeypatch, furnished):
    made = Guests(house, monkeypatch)

    def work():
        made.invite("toy")
        assert made.run("toy").returncode == 0

    furnished(house, "toy", work)
    return made


def edit(guests, before="float(images.one(i).max())", after="-float(images.one(i).max())"):
    code = guests.site / "toy" / "__init__.py"
    text = code.read_text()
    assert before in text
    code.write_text(text.replace(before, after))


def test_runs_of_unchanged_code_are_cached(guests):
    done = guests.run("toy")
    assert done.returncode == 0
    assert "all cached" in done.stderr
    assert "other code" not in done.stderr + done.stdout


def test_an_edited_plug_in_is_stale_in_plan_run_report_check_and_export(guests):
    (before,) = Store(guests.house.results).records()
    edit(guests)
    plan = guests.run("toy", "--plan")
    assert re.search(r"^stale +general-tiny-toy-s0", plan.stdout, re.MULTILINE)
    done = guests.run("toy")
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert "--accept-stale-code" in done.stderr
    assert "stale" in done.stdout
    (after,) = Store(guests.house.results).records()
    assert after == before, "it is not made again by itself"
    bench = guests.house.bench
    checked = bench("check", "--against", guests.house.results)
    assert checked.returncode == 3
    assert "STALE" in checked.stdout
    assert bench("check", "--against", guests.house.results, "--accept-stale-code").returncode == 0
    assert "1 of 1 record left out" in bench("results", "export").stderr
    assert "toy" in bench("results", "export", "--accept-stale-code").stdout


def test_stale_runs_count_where_a_person_says_so(guests):
    edit(guests)
    done = guests.run("toy", "--accept-stale-code")
    assert done.returncode == 0
    assert "stale" not in done.stdout


def test_force_makes_stale_runs_anew(guests):
    edit(guests)
    assert guests.run("toy", "--force").returncode == 0
    assert guests.run("toy").returncode == 0


def test_code_that_the_detector_imports_of_its_package_counts_too(guests):
    package = guests.site / "toy"
    (package / "helper.py").write_text("FACTOR = 1\n")
    edit(guests, "import torch\n", "import torch\nfrom toy.helper import FACTOR\n")
    assert guests.run("toy", "--force").returncode == 0
    (package / "helper.py").write_text("FACTOR = 2\n")
    assert guests.run("toy").returncode == 1


def test_the_record_names_the_package_of_a_plug_in(guests):
    (record,) = Store(guests.house.results).records()
    assert record.provenance.libraries["toy"] == "1.0"


def test_code_that_is_edited_while_it_runs_is_noticed(house, monkeypatch):
    guests = Guests(house, monkeypatch)
    guests.invite("toy", "source = Path(__file__); source.write_text(source.read_text() + '# edited')")
    assert guests.run("toy").returncode == 0
    (record,) = Store(house.results).records()
    assert record.notes == ["the code of toy was edited while this run was made"]
    assert guests.run("toy").returncode == 1, "the code that ran is not the one that is installed"


def test_a_worker_that_holds_other_code_than_was_planned_makes_no_run(house, monkeypatch):
    """One worker makes both runs; the first edits the code of the second after that was planned."""
    guests = Guests(house, monkeypatch)
    guests.invite("second")
    guests.invite("first", "source = Path(__file__).parents[1] / 'second' / '__init__.py'; source.write_text('# new')")
    done = guests.run("first,second")
    assert done.returncode == 1
    assert "other code of second than this call was planned with" in done.stderr
    assert [record.spec.method for record in Store(house.results).records()] == ["first"]


def test_records_of_our_own_detectors_are_noted_once_and_count(finished, tmp_path, bench):
    copy = Store(tmp_path / "copy")
    for record in Store(finished.results).records():
        text = copy.record_path(record.key)
        text.parent.mkdir(parents=True, exist_ok=True)
        made = Store(finished.results).record_path(record.key).read_text()
        text.write_text(made.replace(record.provenance.code_digest, "0" * 64))
    code, out, err = bench("check", "--against", finished.results, "--results", copy.root)
    assert code == 0, out + err
    assert err.count("4 runs were made by other code than is installed now") == 1
