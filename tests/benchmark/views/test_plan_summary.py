"""What a plan says of runs that cannot be made."""

from types import SimpleNamespace

from benchmark.views.plan_summary import say_blocked


def blocked(dataset, method, reason):
    return SimpleNamespace(state="blocked", reason=reason, wanted_run=SimpleNamespace(dataset=dataset, method=method))


def lines(*runs):
    said = []
    say_blocked(SimpleNamespace(runs=runs), said.append)
    return said


def test_reasons_that_name_another_dataset_alone_are_one_cause():
    reason = "{0} is not in /data: get it from mvtec.com/{1}, then 'bench data prepare {0}'"
    runs = [
        blocked(name, method, reason.format(name, "ad"))
        for name in ("carpet", "grid", "tile")
        for method in ("dra", "kdad")
    ]
    assert lines(*runs, blocked("elpv", "dra", reason.format("elpv", "elpv"))) == [
        f"blocked: 6 runs (carpet, grid, tile; dra, kdad): {reason.format('carpet', 'ad')}; likewise 2 other datasets",
        f"blocked: 1 run (elpv; dra): {reason.format('elpv', 'elpv')}",
    ]


def test_a_name_within_another_word_makes_no_cause():
    said = lines(blocked("tile", "dra", "tiles are gone"), blocked("wood", "dra", "woods are gone"))
    assert len(said) == 2
