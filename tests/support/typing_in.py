"""Commands as a person types them."""

import shlex

import click

from benchmark.cli import bench


def parses(text):
    """Fail where `bench ...` has a verb, an option or a value that there is not; nothing runs.

    A verb alone is only named, so what it requires may miss.
    """
    words = shlex.split(text.replace("DIR", ".").strip())[1:]
    command: click.Command = bench
    context = click.Context(bench, info_name="bench")
    while words and isinstance(command, click.Group):
        _, command, words = command.resolve_command(context, words)
        context = click.Context(command, parent=context)
    if words:
        command.make_context(command.name, words, parent=context.parent)
