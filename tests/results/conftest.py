import pytest
import records


@pytest.fixture
def spec():
    return records.make_spec


@pytest.fixture
def record():
    return records.make_record
