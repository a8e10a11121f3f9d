"""Coverage of each room by the tests: `python tests/support/coverage_rooms.py COVERAGE.json`.

The file is what `pytest --cov --cov-branch --cov-report=json` leaves. A room is a folder of the product, such as
`benchmark/commands`. What runs in processes that tests start is not counted.
"""

import json
import sys
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class RoomCoverage(NamedTuple):
    """Numbers of statements and branches of a room, and how many of them were run."""

    statements: int = 0
    statements_run: int = 0
    branches: int = 0
    branches_run: int = 0

    def __add__(self, other: "RoomCoverage") -> "RoomCoverage":  # type: ignore[override]
        return RoomCoverage(*(a + b for a, b in zip(self, other, strict=True)))


def main(report: Path) -> None:
    """Print the table."""
    sys.stdout.write("".join(f"{line}\n" for line in table(rooms(json.loads(report.read_text(encoding="utf-8"))))))


def rooms(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> dict[str, RoomCoverage]:
    """Coverage by room, sorted, of a JSON report of coverage."""
    found: dict[str, RoomCoverage] = {}
    for name, file in report["files"].items():
        room, numbers = str(PurePosixPath(name.replace("\\", "/")).parent), file["summary"]
        own = RoomCoverage(
            numbers["num_statements"],
            numbers["covered_lines"],
            numbers.get("num_branches", 0),
            numbers.get("covered_branches", 0),
        )
        found[room] = found.get(room, RoomCoverage()) + own
    return dict(sorted(found.items()))


def table(found: dict[str, RoomCoverage]) -> list[str]:
    """The lines of a Markdown table, the sum last."""
    lines = ["| room | statements | run | branches | run |", "|---|---:|---:|---:|---:|"]
    for room, numbers in [*found.items(), ("all", sum(found.values(), RoomCoverage()))]:
        shares = share(numbers.statements_run, numbers.statements), share(numbers.branches_run, numbers.branches)
        lines.append(f"| {room} | {numbers.statements} | {shares[0]} | {numbers.branches} | {shares[1]} |")
    return lines


def share(part: int, whole: int) -> str:
    """A share in whole per cent, rounded down, so that 100 % is all; a dash of nothing."""
    return f"{100 * part // whole} %" if whole else "-"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
