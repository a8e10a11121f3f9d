"""Commands of the page "On several machines", as they are typed in a test: its small suite, no GPU, one thread."""

import re
import sys

from repository import ROOT

PAGE = (ROOT / "docs" / "machines.md").read_text(encoding="utf-8")


def commands(heading):
    """The commands of the blocks below a heading, in order."""
    section = re.split(r"^## ", PAGE.partition(f"## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return [line for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL) for line in block.splitlines()]


def typed(command, house, *addresses):
    """A command for a shell in the house, the words that start with an address's scheme or host replaced by it."""
    small = " ".join(["--suite", str(house.suite), *map(str, house.small)])
    for pattern, text in (
        (r"--suite hard", small),
        (r"--device cuda", "--device cpu"),
        (r"--threads \d+", "--threads 1"),
        (r"--cpus-per-task=\d+", "--cpus-per-task=1"),
        *((r"(?<=--address )\S+", address) for address in addresses),
    ):
        command = re.sub(pattern, text, command)
    return command


def bench_on_path(house):
    """The environment of a shell in which `bench` is that of these sources."""
    program = house.root / "bin" / "bench"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m benchmark "$@"\n')
    program.chmod(0o755)
    return {**house.env, "PATH": f"{program.parent}:{house.env['PATH']}"}
