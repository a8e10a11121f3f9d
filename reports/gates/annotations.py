"""Lines that GitHub Actions shows beside a run."""

from protocols.text import printable


def github_command(level: str, title: str, message: str) -> str:
    """A workflow command such as `::error title=T::M`; a line end, `%` and, in the title, `:` and `,` are escaped."""
    return f"::{level} title={_escaped(title, ',:')}::{_escaped(message)}"


def _escaped(text: str, special: str = "") -> str:
    plain = printable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    for character in special:
        plain = plain.replace(character, f"%{ord(character):02X}")
    return plain
