"""Other files that take the name of one of our packages: a `results.py` beside a script hides ours from it."""

import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGE_NAMES = ("benchmark", "methods", "protocols", "reports", "results")


class ShadowedError(ImportError):
    """Another file has the name of one of our packages; the text is one sentence with a next step."""


def shadows() -> dict[str, str]:
    """The files that Python finds in place of our packages, by the package's name."""
    home = Path(__file__).resolve().parents[1]
    shadowing_files = {}
    for name in PACKAGE_NAMES:
        try:
            spec = find_spec(name)
        except ValueError:  # a module without a spec, such as a script's own __main__ put under that name
            spec = None
        file = spec.origin if spec else getattr(sys.modules.get(name), "__file__", None)
        if file is None or Path(file).resolve().parent != home / name:
            shadowing_files[name] = file or "nothing at all"
    return shadowing_files


def refuse_shadows(cause: Exception | None = None) -> None:
    """Raise ShadowedError where a package of ours would not be found; `cause` is the error that it led to."""
    shadowing_files = shadows()
    if shadowing_files:
        files = " and ".join(
            f"{file} stands in the way of its package {name}" for name, file in shadowing_files.items()
        )
        raise ShadowedError(
            f"swanbench cannot be used here, {files}: rename it, or move it away from the script"
        ) from cause
