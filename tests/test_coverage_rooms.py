"""The table of coverage by room: sums of its files, and no share that looks better than it is."""

import json

import coverage_rooms

NUMBERS = ("num_statements", "covered_lines", "num_branches", "covered_branches")


def report(**files):
    return {
        "files": {
            name.replace("__", "/") + ".py": {"summary": dict(zip(NUMBERS, numbers, strict=False))}
            for name, numbers in files.items()
        }
    }


def test_files_are_summed_by_room_and_shares_rounded_down(tmp_path, capsys):
    path = tmp_path / "coverage.json"
    files = {
        "results__store": (200, 199, 10, 5),
        "benchmark__commands__run": (30, 30, 8, 8),
        "benchmark__commands__data": (10, 0, 2, 1),
        "benchmark__errors": (3, 3, 0, 0),
    }
    path.write_text(json.dumps(report(**files)))
    coverage_rooms.main(path)
    assert capsys.readouterr().out.splitlines() == [
        "| room | statements | run | branches | run |",
        "|---|---:|---:|---:|---:|",
        "| benchmark | 3 | 100 % | 0 | - |",
        "| benchmark/commands | 40 | 75 % | 10 | 90 % |",
        "| results | 200 | 99 % | 10 | 50 % |",
        "| all | 243 | 95 % | 20 | 70 % |",
    ]


def test_a_report_without_branches_has_none():
    found = coverage_rooms.rooms(report(results__store=(4, 2)))
    assert found == {"results": coverage_rooms.RoomCoverage(4, 2, 0, 0)}
