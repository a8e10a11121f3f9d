"""What an interrupted preparation noted is taken up only where it is as it was written."""

from protocols.release.resume import ResumeLog

FOUND = ["0" * 64, [8, 8, 3, None]]


def test_a_damaged_line_is_dropped_and_the_others_hold(tmp_path):
    journal = ResumeLog(tmp_path)
    for key in ("a", "b", "c"):
        journal.put(key, FOUND)
    path = tmp_path / "journal.jsonl"
    first, second, third = path.read_bytes().splitlines(keepends=True)
    dropped = 0
    for place in range(len(second) - 1):
        damaged = bytearray(second)
        damaged[place] ^= 1
        path.write_bytes(first + bytes(damaged) + third)
        again = ResumeLog(tmp_path)
        assert again.get("b") in (None, FOUND)
        assert (again.get("a"), again.get("c")) == (FOUND, FOUND)
        dropped += again.get("b") is None
    assert dropped == len(second) - 1
