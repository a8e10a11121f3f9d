import pytest
from table_records import make_table_record


@pytest.fixture
def record():
    return make_table_record
