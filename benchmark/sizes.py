"""Sizes of files in words."""


def in_words(size: int) -> str:
    """`size` bytes with a unit that a person reads at a glance, such as `391.2 MiB`."""
    value, units = float(size), ["B", "KiB", "MiB", "GiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{size} B" if units[0] == "B" else f"{value:.1f} {units[0]}"
