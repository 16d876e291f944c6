"""The command line: one file a command, each of which parses, makes one library call and prints.

A command's module is imported when it is called, so that `inspect` does not wait for what `build` needs.
"""

from __future__ import annotations

import errno
import importlib
import shlex
import signal
import sys
from types import FrameType
from typing import Any

import click

from posegen import __version__
from posegen.errors import ConfigError, PosegenError

_COMMANDS = {
    "bench": "Measure the labels and the build on this machine.",
    "build": "Build a dataset from COCO keypoint annotations.",
    "inspect": "Show what a dataset or a shard holds.",
    "sample": "Write a synthetic COCO dataset to try things on.",
    "verify": "Check a dataset against its manifest, and repair it.",
}

_SIGNALLED = 128


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does, but for the exit status."""


class _Failure(click.ClickException):
    """An error of ours, shown without a traceback."""

    def __init__(self, error: PosegenError) -> None:
        super().__init__(str(error))
        self.exit_code: int = 2 if isinstance(error, ConfigError) else 1  # type: ignore[misc]


class _Commands(click.Group):
    """A group that imports its commands when they are called, and turns our errors into messages and statuses."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"posegen.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        previous = signal.signal(signal.SIGTERM, _terminate)
        try:
            return super().invoke(ctx)
        except PosegenError as error:
            raise _Failure(error) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # click ends in silence when nobody reads on
                raise
            raise click.ClickException(f"{error.filename or ctx.info_name}: {error.strerror or error}") from error
        except KeyboardInterrupt as interrupt:
            terminated = isinstance(interrupt, _Terminated)
            click.echo("Terminated." if terminated else "Interrupted.", err=True)
            if ctx.invoked_subcommand == "build":
                click.echo(f"To go on: {shlex.join(['posegen', *sys.argv[1:]])}", err=True)
            ctx.exit(_SIGNALLED + (signal.SIGTERM if terminated else signal.SIGINT))
        finally:
            signal.signal(signal.SIGTERM, previous)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Render the labels of COCO keypoint datasets once, before training.

    posegen reads COCO annotations, renders heatmaps, part affinity fields and masks in worker processes, and writes
    image/label pairs to sharded HDF5.

    \b
    Exit status: 0 done, 1 the work failed, 2 the call was wrong, 130 interrupted, 143 terminated.
    """  # noqa: D301 (click wants the character \b)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise _Terminated
