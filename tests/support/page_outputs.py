"""Commands on a page of the docs with what they print: `python tests/support/page_outputs.py` writes them anew."""

import contextlib
import io
import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "doubt.md"
BLOCK = re.compile(r"```sh\nbench (.*?)\n```\n\n```text\n(.*?)```", re.DOTALL)


def printed(words):
    """Stdout of `bench WORDS`, which must go well."""
    from benchmark.cli import status

    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert status(words.split()) == 0
    return out.getvalue()


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        BLOCK.sub(lambda block: f"```sh\nbench {block[1]}\n```\n\n```text\n{printed(block[1])}```", page),
        encoding="utf-8",
    )
