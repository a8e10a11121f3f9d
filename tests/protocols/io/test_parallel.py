import threading

import pytest

from protocols.io.parallel import parallel


def test_results_keep_the_order_of_the_items() -> None:
    first_may_go = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            first_may_go.wait(5)
        if item == 3:
            first_may_go.set()
        return -item

    assert list(parallel(work, range(100), 4)) == [-item for item in range(100)]


def test_few_items_are_under_way_at_once() -> None:
    taken = []

    def items() -> object:
        for item in range(10_000):
            taken.append(item)
            yield item

    results = parallel(lambda item: item, items(), 2)  # type: ignore[arg-type]
    assert next(results) == 0
    assert len(taken) < 100
    results.close()


def test_the_first_error_stops_the_rest() -> None:
    done = []

    def work(item: int) -> None:
        if item == 5:
            raise ValueError(item)
        done.append(item)

    with pytest.raises(ValueError, match="5"):
        list(parallel(work, range(10_000), 2))
    assert len(done) < 200
