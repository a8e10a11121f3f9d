"""The class of numerics holds all that may change the bits of a run of one key."""

import pytest

from benchmark import numerics

ASKED = {"device": "cpu", "precision": "fp32", "threads": 1}


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    for name in numerics.ARITHMETIC:
        monkeypatch.delenv(name, raising=False)


def found(**changes):
    return numerics.numerics_class(**(ASKED | changes))


def test_fits_with_other_numbers_of_threads_are_of_other_classes():
    assert len({found(threads=threads) for threads in (1, 2, 12)}) == 3
    assert found() == found()


@pytest.mark.parametrize("module", ["torch", "PIL"])
def test_versions_count_up_to_their_second_number(module, monkeypatch):
    before = found()
    for version, same in (("91.7.0", False), ("91.7.3", True), ("91.8.3", False)):
        monkeypatch.setattr(f"{module}.__version__", version)
        assert (found() == before) == same
        before = found()


@pytest.mark.parametrize("name", numerics.ARITHMETIC)
def test_a_variable_that_chooses_other_kernels_counts_where_it_is_set(name, monkeypatch):
    plain = found()
    monkeypatch.setenv(name, "1")
    one = found()
    monkeypatch.setenv(name, "2")
    assert len({plain, one, found()}) == 3


def test_processors_with_matrix_units_take_other_kernels_in_bf16_alone(monkeypatch):
    monkeypatch.setattr(numerics, "cpu_flags", lambda: {"avx2", "fma"})
    without = found(precision="bf16"), found()
    monkeypatch.setattr(numerics, "cpu_flags", lambda: {"avx2", "fma", "amx_bf16"})
    assert found(precision="bf16") != without[0]
    assert found() == without[1]
