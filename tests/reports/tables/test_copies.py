"""Of several records of one key, from as many folders, one counts."""

import itertools

from reports.tables.lookup import latest_records


def test_a_finished_run_counts_before_failed_ones_and_of_finished_ones_the_last(record):
    early = record(0.6, started="2026-01-01T00:00:00Z")
    done = record(0.6, started="2026-02-01T00:00:00Z")
    failed = record(failed="no memory", started="2026-03-01T00:00:00Z")
    again = record(failed="no disk", started="2026-04-01T00:00:00Z")
    assert len({one.key for one in (early, done, failed, again)}) == 1
    for order in itertools.permutations([early, done, failed, again]):
        assert latest_records(order) == [done]
    for order in itertools.permutations([failed, again]):
        assert latest_records(order) == [again]
