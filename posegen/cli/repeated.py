"""Options that are given twice: click would take the last, and leave the others out without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from posegen.errors import ConfigError


def refuse_repeated(command: click.Command, arguments: Sequence[str]) -> None:
    """Raise `ConfigError` if a command's arguments give a value twice to an option that takes one."""
    if isinstance(command, click.Group):
        inner = command.commands.get(arguments[0]) if arguments else None
        if inner is not None:
            refuse_repeated(inner, arguments[1:])
        return
    try:
        _, _, given = command.make_parser(click.Context(command)).parse_args(list(arguments))
    except click.UsageError:
        return  # which click says itself
    for parameter, times in Counter(given).items():
        if times > 1 and isinstance(parameter, click.Option) and not (parameter.multiple or parameter.is_flag):
            raise ConfigError(
                f"{parameter.opts[0]} is given {times} times, but takes one value: the others would have no effect"
            )
