"""Equal bits are asked for on one machine: the same class of numerics on a processor of the same name."""

import msgspec
import pytest

from reports.gates.reference import reference_gate

SLIGHTLY = 1e-6


def on(processor, record):
    return msgspec.structs.replace(record, provenance=msgspec.structs.replace(record.provenance, cpu=processor))


@pytest.mark.parametrize(
    ("processor", "numerics", "status"),
    [
        ("one", "cpu-avx512-threads1", 3),
        ("another", "cpu-avx512-threads1", 0),
        ("one", "cpu-avx512-threads2", 0),
        ("another", "cpu-avx512-threads2", 0),
    ],
)
def test_a_slight_difference_counts_on_the_very_same_machine_alone(record, processor, numerics, status):
    reference = on("one", record(0.75, numerics="cpu-avx512-threads1"))
    found = reference_gate(
        [on(processor, record(0.75 + SLIGHTLY, numerics=numerics))], [reference], versions={"dra": 1}
    )
    assert found.status == status
    assert [pair.same_machine for pair in found.pairs] == [status == 3]


def test_a_run_is_held_to_the_reference_of_its_own_processor(record):
    run = on("one", record(0.75 + SLIGHTLY))
    elsewhere = on("another", record(0.75))
    assert reference_gate([run], [elsewhere, on("one", record(0.75 + SLIGHTLY))], versions={"dra": 1}).status == 0
    assert reference_gate([run], [elsewhere, on("one", record(0.75))], versions={"dra": 1}).status == 3
