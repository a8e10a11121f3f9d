"""Checks that need one core each, two at a time: `side_by_side.py "mypy" "pyright"` runs commands, and fails if one does.

Each command's output is printed when it ends.
"""

import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed


def run_check(command):
    """Exit status and output of a command."""
    done = subprocess.run(
        shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout


def run_checks(commands, workers=2):
    """The commands that failed; the longest should come first."""
    failed = []
    with ThreadPoolExecutor(workers) as pool:
        checks = {pool.submit(run_check, command): command for command in commands}
        for check in as_completed(checks):
            status, output = check.result()
            sys.stdout.write(f"$ {checks[check]}\n{output}\n")
            sys.stdout.flush()
            failed += [checks[check]] * (status != 0)
    return failed


if __name__ == "__main__":
    failures = run_checks(sys.argv[1:])
    sys.exit(f"failed: {'; '.join(failures)}" if failures else 0)
