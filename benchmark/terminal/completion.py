"""Ids for the shell's completion; what lists them is imported only when somebody presses the key."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def _completer(list_ids: Callable[[], Iterable[str]]) -> Completer:
    """Completes the last of ids that commas separate; ids that stand before it are not offered again."""

    def complete(_: click.Context, __: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        head, comma, last = incomplete.rpartition(",")
        given = set(head.split(","))
        return [
            CompletionItem(f"{head}{comma}{name}")
            for name in sorted(list_ids())
            if name.startswith(last) and name not in given
        ]

    return complete


def _methods() -> Iterable[str]:
    from methods.registry import installed

    return installed.methods()


def _datasets() -> Iterable[str]:
    from benchmark.paths import resolve_folders
    from protocols.catalogue import data_folder
    from protocols.datasets.registry import dataset_infos

    return {*dataset_infos(), *data_folder.prepared(resolve_folders().data)}


def _suites() -> Iterable[str]:
    from importlib.resources import files

    named = (entry.name for entry in files("benchmark.suites").iterdir())
    return [name.removesuffix(".toml") for name in named if name.endswith(".toml")]


def _tables() -> Iterable[str]:
    from reports.layouts import layout

    return layout.table_ids()


def _recipes() -> Iterable[str]:
    from methods.registry.params import RECIPES

    return RECIPES


complete_methods, complete_datasets = _completer(_methods), _completer(_datasets)
complete_tables, complete_recipes = _completer(_tables), _completer(_recipes)


class SuiteName(click.ParamType[str]):
    """The id of a suite or the path of a suite file; says which ids there are where none is given, too."""

    name = "TEXT"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        return _completer(_suites)(ctx, param, incomplete)

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:  # noqa: ARG002 - the signature is click's
        return f"Give the path of a suite file, or one of {', '.join(sorted(_suites()))}"
