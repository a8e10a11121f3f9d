"""The house as numbers: `python tests/support/rooms.py` prints what each room imports, its size, and how names are kept.

A report, not a gate: entries and lines of each room, circles and arrows that go up, public names that are defined more
than once, bindings without a noun, docstrings that start with a question word.
"""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from statistics import median, quantiles

from repository import ROOT

PACKAGES = ("protocols", "results", "methods", "reports", "benchmark", "swanbench")
"""From the lowest up."""
INDEXES = {
    *("benchmark/commands", "benchmark/commands/results_verbs", "benchmark/suites"),
    *("benchmark/execution/engines", "methods/recipes", "methods/detectors"),
    *("protocols/datasets/facts", "protocols/preparations", "protocols/splits/rules", "reports/papers", "design"),
    "results/log",
}
"""Folders whose entries have one form; they may be longer than a dozen."""
PRESCRIBED = {
    "command",
    "prepare",
    "lists",
    "opener",
    "main",
    "COORDINATES",
    "OPTIONS",
    "SUBSET",
    "kept_as",
    "LIKE",
}
"""Names that an index folder asks each of its files to have."""
NOUNLESS = frozenset(
    [
        "found",
        "one",
        "place",
        "known",
        "where",
        "seen",
        "own",
        "kept",
        "made",
        "there",
        "asked",
        "left",
        "other",
        "here",
        "said",
        "given",
        "taken",
        "wanted",
        "shown",
    ]
)
QUESTIONS = ("What", "How", "Whether", "Why", "Where", "Which", "Who", "When")


def modules() -> dict[str, ast.Module]:
    """Every module of the product by its dotted name."""
    files = chain.from_iterable((ROOT / package).rglob("*.py") for package in PACKAGES)
    return {dotted(file): ast.parse(file.read_text(encoding="utf-8")) for file in sorted(files)}


def dotted(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    """A sub-package, or a module that lies in its package itself."""
    return ".".join(module.split(".")[:2])


def imports(tree: ast.Module, known: set[str]) -> Iterator[str]:
    """The modules of the product that a module imports, at the top or later."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


def room_arrows(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    arrows: dict[str, set[str]] = defaultdict(set)
    for module, tree in trees.items():
        arrows[room_of(module)] |= {room_of(other) for other in imports(tree, set(trees))} - {room_of(module)}
    return arrows


def circles(arrows: dict[str, set[str]]) -> list[str]:
    """Pairs of rooms that reach each other."""

    def reached(start: str) -> set[str]:
        rooms, waiting = set(), [start]
        while waiting:
            for room in arrows.get(waiting.pop(), set()) - rooms:
                rooms.add(room)
                waiting.append(room)
        return rooms

    reach = {room: reached(room) for room in arrows}
    return sorted(f"{a} <-> {b}" for a in arrows for b in reach[a] if a < b and a in reach.get(b, set()))


def upward(arrows: dict[str, set[str]]) -> list[str]:
    """Arrows from a lower package to a higher one."""
    level = {package: number for number, package in enumerate(PACKAGES)}
    pairs = ((room, other) for room, others in arrows.items() for other in others)
    return sorted(f"{a} -> {b}" for a, b in pairs if level[a.split(".")[0]] < level[b.split(".")[0]])


def crowded() -> list[str]:
    """Folders with more than a dozen entries."""
    folders = [folder for package in PACKAGES for folder in (ROOT / package, *(ROOT / package).rglob("*"))]
    counts = {
        folder.relative_to(ROOT).as_posix(): sum(
            not entry.name.startswith(("__", "py.typed")) for entry in folder.iterdir()
        )
        for folder in folders
        if folder.is_dir() and folder.name != "__pycache__"
    }
    return [f"{folder} {count}" for folder, count in counts.items() if count > 12 and folder not in INDEXES]


def public_names(trees: dict[str, ast.Module]) -> Counter[str]:
    """How many modules define each public name at their top level."""
    counts: Counter[str] = Counter()
    for tree in trees.values():
        counts.update({name for node in tree.body for name in defined(node) if not name.startswith("_")} - PRESCRIBED)
    return counts


def defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def bindings(trees: dict[str, ast.Module]) -> Iterator[str]:
    """Every name that is bound inside a function: parameters, assignments, loop variables."""
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.arg):
                yield node.arg
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def questions(trees: dict[str, ast.Module]) -> Iterator[str]:
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node) or ""
                if text.startswith(QUESTIONS):
                    yield f"{module}: {text.splitlines()[0]}"


def main() -> None:
    trees = modules()
    arrows = room_arrows(trees)
    lines = [
        len((ROOT / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8").splitlines())
        for name in trees
        if (ROOT / f"{name.replace('.', '/')}.py").is_file()
    ]
    for room in sorted(arrows):
        print(f"{room}: {', '.join(sorted(arrows[room])) or 'nothing'}")  # noqa: T201
    names, words, asking = public_names(trees), Counter(bindings(trees)), list(questions(trees))
    twice = {name: count for name, count in names.items() if count > 1}
    nounless = {word: count for word, count in words.items() if word in NOUNLESS}
    for text in (
        f"circles: {', '.join(circles(arrows)) or 'none'}; arrows up: {', '.join(upward(arrows)) or 'none'}",
        f"folders with more than a dozen entries: {', '.join(crowded()) or 'none'}",
        f"{len(lines)} modules: median {median(lines):.0f} lines, 90th percentile {quantiles(lines, n=10)[-1]:.0f}, longest {max(lines)}",
        f"public names defined more than once: {len(twice)} of {len(names)} ({len(twice) / len(names):.1%}): {', '.join(sorted(twice))}",
        f"bindings without a noun: {sum(nounless.values())} of {words.total()} ({sum(nounless.values()) / words.total():.1%}): {nounless}",
        f"docstrings that start with a question word: {len(asking)}",
    ):
        print(text)  # noqa: T201


if __name__ == "__main__":
    main()
