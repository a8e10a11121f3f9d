"""The reproduction log: accepted bundles are as attested, and their runs are counted by cell."""

import re
from runpy import run_path

import pytest
import records
from repository import ROOT

from benchmark.views.runs.bundle_verifier import BundleVerifier
from benchmark.views.runs.reproduction_log import log_page
from results.log.accepted import accepted_bundles
from results.maintenance.bundles import bundle_bytes, decode_bundle

ACCEPTED = list(accepted_bundles())


def bundle(by, *runs, name="a.zip"):
    return decode_bundle(bundle_bytes(by, [(record, b"scores") for record in runs]), name)


def run(auroc, cpu="one", seed=0, numerics="cpu", **changes):
    provenance = records.make_provenance(cpu=cpu, weights={"resnet18": "custom:cccccccc"}, numerics_class=numerics)
    return records.make_record(records.make_spec(fit__seed=seed, **changes), auroc, provenance=provenance)


def rows(page):
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in page.splitlines() if "`" in line]


def test_the_log_has_the_runs_of_this_project():
    assert "swanbench_project.zip" in [one.origin for one in ACCEPTED]


@pytest.mark.parametrize("accepted", ACCEPTED, ids=lambda accepted: accepted.origin)
def test_an_accepted_bundle_is_as_attested_and_small(accepted, tmp_path):
    verified = list(BundleVerifier(tmp_path, lambda _: None)(accepted))
    assert [(one.name, one.reasons) for one in verified if one.state != "verified"] == []
    assert (ROOT / "results" / "log" / accepted.origin).stat().st_size < 10**6


def test_the_page_counts_every_accepted_bundle_and_cell():
    page = (ROOT / "docs" / "reproduction_log.md").read_text(encoding="utf-8")
    built = run_path(str(ROOT / "docs" / "made_pages.py"))["filled"]("reproduction_log", page)
    assert log_page(ACCEPTED) in built
    for accepted in ACCEPTED:
        assert f"`{accepted.digest}`" in built
    assert re.search(r"`hard/elpv/mono/dra/10` +\| \d+ +\| by \d+ (person|people) on \d+ machines", built)


def test_people_and_machines_of_a_cell_are_counted_once():
    page = log_page(
        [
            bundle("Ada", run(0.5), run(0.7, seed=1, cpu="two"), name="a.zip"),
            bundle("ada ", run(0.6, seed=2), name="b.zip"),
            bundle("Bob", run(0.9, seed=3), run(0.8, split__known_class="poly"), name="c.zip"),
        ]
    )
    assert page.startswith("5 runs of 2 cells by 2 people on 3 machines.\n")
    mono, poly, *bundles = rows(page)
    assert mono[:3] == ["`hard/elpv/mono/dra/10`", "4", "by 2 people on 3 machines"]
    assert mono[3] == "0.675 (0.500 to 0.900) of 4 runs, official, fp32, resnet18 custom:cccccccc"
    assert poly[:3] == ["`hard/elpv/poly/dra/10`", "1", "by 1 person on 1 machine"]
    assert [row[:4] for row in bundles] == [
        ["`a.zip`", "Ada", "2", "one, two"],
        ["`b.zip`", "ada", "1", "one"],
        ["`c.zip`", "Bob", "2", "one"],
    ]


def test_a_run_made_again_counts_as_its_mean_and_says_how_far_apart_it_is():
    page = log_page([bundle("Ada", run(0.5), run(0.9, seed=1)), bundle("Bob", run(0.6, cpu="two"))])
    ((_, count, makers, aucs, again), *_) = rows(page)
    assert (count, makers) == ("3", "by 2 people on 2 machines")
    assert aucs.startswith("0.725 (0.550 to 0.900) of 2 runs, ")
    assert again == "1 run, at most 0.100 apart"


def test_runs_that_may_not_be_averaged_stand_beside_each_other():
    page = log_page([bundle("Ada", run(0.5), run(0.6, fit__precision="bf16"))])
    ((_, count, _, aucs, again), *_) = rows(page)
    assert (count, again) == ("2", "–")
    assert aucs == (
        "0.500 of 1 run, official, fp32, resnet18 custom:cccccccc; 0.600 of 1 run, official, bf16, resnet18 custom:cccccccc"
    )


def test_a_mean_over_several_numerics_classes_says_so():
    page = log_page([bundle("Ada", run(0.5), run(0.6, seed=1, numerics="amx"))])
    assert rows(page)[0][3].endswith("fp32, resnet18 custom:cccccccc, 2 numerics classes")


def test_the_name_of_somebody_is_plain_text_on_the_page():
    page = log_page([bundle("![x](http://y) <b>|_me_", run(0.5))])
    assert "<b>" not in page
    assert r"\_me\_" in page
    assert len(rows(page)[1]) == 5
