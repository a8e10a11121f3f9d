"""What a method gains on the fits that it starts from: the pairs, the mean, its interval, and the sentence."""

import numpy as np
import pytest
from msgspec import structs
from table_records import make_table_record

from reports.comparison.bases import base_gains, base_remarks
from reports.layouts import layout
from reports.stats.sample import t_quantile
from reports.tables import table
from results.record import Record
from results.scores import Scores

BASE = {0: 0.80, 1: 0.82, 2: 0.81}
GAIN = {0: 0.01, 1: 0.03, 2: 0.02}


def started_from(base, auroc, **changes):
    """A run of AHL on DRA's split, whose fit starts from that of `base`."""
    spec = base.spec
    params = {"base.recipe": "official", **changes}
    fit = structs.replace(spec.fit, detector="ahl_dra", params=params, source=spec.fit.fit_key)
    own = structs.replace(spec, fit=fit, method="ahl_dra", source=spec.fit)
    metrics = structs.replace(base.metrics, auroc=auroc)
    values = {name: getattr(base, name) for name in Record.__struct_fields__}
    return Record(
        **(values | {"key": own.key, "fit_key": fit.fit_key, "series": own.series, "spec": own, "metrics": metrics})
    )


def runs(seeds=(0, 1, 2), known_class="mono", shift=0.0, shots=10):
    bases = [make_table_record(BASE[seed], seed=seed, known_class=known_class, shots=shots) for seed in seeds]
    return [
        *bases,
        *(started_from(base, BASE[seed] + GAIN[seed] + shift) for seed, base in zip(seeds, bases, strict=True)),
    ]


def built(records):
    return table.build_table(
        layout.auc_layout("ahl:8"), records, measures=lambda run: [run.spec.method], versions={"dra": 1, "ahl_dra": 1}
    )


def no_scores(_):
    return None


def test_the_mean_and_the_interval_over_seeds_by_hand():
    """Differences 0.01, 0.03, 0.02: mean 0.02, std 0.01, half-width t(2, 0.975) 0.01 / sqrt 3 = 4.3027 0.0057735."""
    records = runs()
    (gain,) = base_gains(built(records), records, no_scores)
    assert (gain.method, gain.base, gain.seeds, gain.cells, gain.unpaired) == ("ahl_dra", "dra", 3, 1, 0)
    assert gain.test.difference == pytest.approx(0.02, abs=1e-12)
    half = t_quantile(2, 0.975) * 0.01 / 3**0.5
    assert (gain.test.low, gain.test.high) == pytest.approx((0.02 - half, 0.02 + half), abs=1e-9)
    (text,) = base_remarks(built(records), records, no_scores)
    assert text == (
        "AHL (DRA) minus DRA, its base, ten-shot, on the same splits: +0.0200, 95 % interval -0.0048 to +0.0448 "
        "(over seeds), n = 3"
    )


def test_several_cells_are_one_mean_at_each_seed_that_all_have():
    records = [*runs(), *runs((0, 1), known_class="poly", shift=0.02)]
    (gain,) = base_gains(built(records), records, no_scores)
    # Seed 0: (0.01 + 0.03) / 2, seed 1: (0.03 + 0.05) / 2; only one of the cells has seed 2.
    assert (gain.seeds, gain.cells) == (2, 2)
    assert gain.test.difference == pytest.approx(0.03, abs=1e-12)
    assert "n = 2, mean over 2 cells" in base_remarks(built(records), records, no_scores)[0]


def test_each_number_of_labelled_anomalies_has_a_line():
    records = [*runs(), *runs(shots=1)]
    texts = base_remarks(built(records), records, no_scores)
    assert [text.split(", ")[2] for text in texts] == ["ten-shot", "one-shot"]


def test_one_pair_has_delongs_interval():
    labels = np.array([0, 0, 0, 1, 1, 1], np.int8)
    ids, classes = tuple("abcdef"), ("normal",) * 3 + ("mono",) * 3
    values = {"dra": np.array([1.0, 2, 5, 3, 4, 6]), "ahl_dra": np.array([1.0, 2, 3, 4, 5, 6])}
    # Of nine pairs DRA has seven in order; AHL all.
    base = make_table_record(7 / 9)
    records = [base, started_from(base, 1.0)]
    scores = lambda run: Scores(ids=ids, classes=classes, values=values[run.spec.method])  # noqa: E731
    assert scores(base).labels.tolist() == labels.tolist()
    (gain,) = base_gains(built(records), records, scores)
    assert (gain.test.test, gain.seeds) == ("DeLong", 1)
    assert gain.test.difference == pytest.approx(2 / 9, abs=1e-9)
    assert "(DeLong's, over images), n = 1" in base_remarks(built(records), records, scores)[0]


def test_a_base_that_was_not_scored_is_named_with_the_next_step():
    records = [record for record in runs() if record.spec.method == "ahl_dra"]
    (text,) = base_remarks(built(records), records, no_scores)
    assert text == (
        "AHL (DRA) minus DRA, its base, ten-shot: not known, 3 runs of it without a scored base fit; "
        "the command that made its runs with --method dra scores it"
    )
    some = [record for record in runs() if record.spec.fit.seed < 2 or record.spec.method == "ahl_dra"]
    assert base_remarks(built(some), some, no_scores)[0].endswith("n = 2, 1 run of it without a scored base fit")


def test_another_fit_of_the_base_is_no_partner():
    records = runs()
    other = [
        make_table_record(0.9, seed=seed, params={"optim.lr": 1e-3}) if record.spec.method == "dra" else record
        for record in records
        for seed in [record.spec.fit.seed]
    ]
    (gain,) = base_gains(built(other), other, no_scores)
    assert (gain.test, gain.unpaired) == (None, 3)


def test_a_table_without_such_methods_says_nothing():
    records = [record for record in runs() if record.spec.method == "dra"]
    assert base_remarks(built(records), records, no_scores) == []
