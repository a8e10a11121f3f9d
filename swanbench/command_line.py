"""The command `bench`, also called `swanbench`: says which file is in the way before anything else is imported."""

import sys

from swanbench.shadows import ShadowedError, refuse_shadows


def main() -> None:
    """Run the command line and leave with its exit status; 2 where a package of ours is hidden by another file."""
    try:
        refuse_shadows()
    except ShadowedError as error:
        sys.stderr.write(f"bench: {error}\n")
        sys.exit(2)
    from benchmark.cli import main as command

    command()
