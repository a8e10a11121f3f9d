"""Groups of verbs: one verb, one file of a package, imported only when it is typed."""

import os
from importlib import import_module
from types import ModuleType
from typing import Any

import click

from protocols.text import near_miss


class Verbs(click.Group):
    """Finds its verbs by listing a package, which it is given as `verbs`, and imports only the one that was typed."""

    def __init__(self, *args: Any, verbs: ModuleType, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._package = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        # pkgutil or pathlib would take longer to load than all the rest of this file
        files = (file for folder in self._package.__path__ for file in os.listdir(folder))  # noqa: PTH208
        return sorted(file.removesuffix(".py") for file in files if file.endswith(".py") and not file.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"{self._package.__name__}.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            raise click.UsageError(
                f"unknown verb '{args[0]}': "
                f"{near_miss(args[0], self.list_commands(ctx), f'see {ctx.command_path} --help')}",
                ctx,
            )
        return super().resolve_command(ctx, args)
