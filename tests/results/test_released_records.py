"""Records as versions wrote them that somebody may have used: each is read by this one, under the same key and series.

The files are never written anew. A new schema adds one of its own.
"""

from pathlib import Path

import msgspec
import pytest
from repository import ROOT

from results.record import decode_record, encode_record

FILES = ROOT / "tests" / "results" / "data"
PINNED = {
    "schema_1_2026-11-22": (
        "4995c98390bcae34705f210e3e0b32668148b02f6637c0f38d9b3bad430aeee0",
        "47f42531fc13ec4b7f8b30eb8d70ab78fb623290c3c213e0e912c21e3ea41c88",
    ),
    "schema_1_2026-11-28": (
        "6d3f73c6a49a56311c5a0f96cfc37a201caf419208934c91502becada5d560b7",
        "11694b6f70ab721448c4a2e27978887c6974f7dedd7ee90aa19ad841431c6698",
    ),
    "schema_1_2026-11-29": (
        "3767fd8ff009123b9f5ddf96745278d3f3f7c54a6265dfbcf3db35d1ae2946e8",
        "8200ad93c4ae8ef723522e8eec81343065db619b53730e16834be0ab4ae27c74",
    ),
}


@pytest.mark.parametrize("name", PINNED)
def test_a_released_record_keeps_its_key_and_series(name: str) -> None:
    record = decode_record((FILES / f"{name}.json").read_bytes())
    assert (record.key, record.series) == PINNED[name]
    assert decode_record(encode_record(record)) == record


@pytest.mark.parametrize("name", PINNED)
def test_nothing_of_a_released_record_is_dropped(name: str) -> None:
    data = (FILES / f"{name}.json").read_bytes()
    before, after = (msgspec.json.decode(content) for content in (data, encode_record(decode_record(data))))
    assert dropped(before, after) == []


def test_every_released_schema_has_a_file() -> None:
    assert {path.stem for path in FILES.glob("schema_*.json")} == set(PINNED)


@pytest.mark.parametrize("path", sorted((ROOT / "results" / "reference").glob("*.jsonl")), ids=lambda path: path.stem)
def test_nothing_of_the_packaged_index_is_dropped(path: Path) -> None:
    for line in path.read_bytes().splitlines():
        assert dropped(msgspec.json.decode(line), msgspec.json.decode(encode_record(decode_record(line)))) == []


def dropped(before: object, after: object, where: str = "") -> list[str]:
    """The places whose value is there before and another, or gone, after."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [text for key in before for text in dropped(before[key], after.get(key), f"{where}.{key}")]
    return [] if before == after else [where]
