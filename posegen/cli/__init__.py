"""The command line: one file a command, each of which parses, makes one library call and prints.

A command's module is imported when it is called, so that `inspect` does not wait for what `build` needs.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import re
import shlex
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import click

from posegen import __version__
from posegen.errors import BuildError, ConfigError, PosegenError, UnfinishedError

_COMMANDS = {
    "audit": "Check COCO annotations, and say what is odd about them.",
    "bench": "Measure the labels and the build on this machine.",
    "build": "Build a dataset from COCO keypoint annotations.",
    "diff": "Compare two datasets sample by sample.",
    "export": "Write a dataset for WebDataset, or as Parquet.",
    "fetch": "Copy a dataset from a bucket or a server to this disk.",
    "inspect": "Show what a dataset or a shard holds.",
    "labels": "List the labels, or explain one.",
    "presets": "List the presets, show one, or print one as a file for --config.",
    "report": "Write a page about a dataset or annotations, or about two side by side.",
    "sample": "Write a synthetic COCO dataset to try things on.",
    "score": "Decode a dataset's labels and score them against the annotations.",
    "skeleton": "List the built-in skeletons, show one or a file's.",
    "verify": "Check a dataset against its manifest, and repair it.",
}

_SIGNALLED = 128
_SAID = {signal.SIGINT: "Interrupted.", signal.SIGTERM: "Terminated."}
if hasattr(signal, "SIGHUP"):
    _SAID[signal.SIGHUP] = "Hung up."
_PATIENCE_S = 10.0
_SHOWN_PARTS = 10


class _Signalled(KeyboardInterrupt):
    """A signal that ends a command as Ctrl-C does, but for the exit status."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = signal.Signals(number)


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            _refuse_repeated(command, rest)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _signals_raised():
                return super().invoke(ctx)
        except UnfinishedError as error:
            raise _Failure(BuildError(f"{error}\n{_say_how_to_finish(error)}")) from error
        except PosegenError as error:
            raise _Failure(error) from error
        except ImportError as error:
            if not (hint := _explain_missing(error)):
                raise
            raise _Failure(ConfigError(hint)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # click ends in silence when nobody reads on
                raise
            raise click.ClickException(f"{error.filename or ctx.info_name}: {error.strerror or error}") from error
        except KeyboardInterrupt as interrupt:
            number = interrupt.number if isinstance(interrupt, _Signalled) else signal.SIGINT
            with contextlib.suppress(OSError):  # the terminal may have gone
                click.echo(_SAID[number], err=True)
                if sys.argv[1:2] == ["build"]:
                    click.echo(f"To go on: {shlex.join([*_program(), *sys.argv[1:]])}", err=True)
            ctx.exit(_SIGNALLED + number)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Render the labels of COCO keypoint datasets once, before training.

    posegen reads COCO annotations, renders heatmaps, part affinity fields and masks in worker processes, and writes
    image/label pairs to sharded HDF5.

    \b
    Exit status: 0 done, 1 the work failed, 2 the call was wrong, 130 interrupted, 143 terminated.
    """  # noqa: D301 (click wants the character \b)


def _refuse_repeated(command: click.Command, arguments: Sequence[str]) -> None:
    """Raise `ConfigError` if an option that takes one value is given two: click would take the last without a word."""
    if isinstance(command, click.Group):
        inner = command.commands.get(arguments[0]) if arguments else None
        if inner is not None:
            _refuse_repeated(inner, arguments[1:])
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


def _explain_missing(error: ImportError) -> str:
    """Say what to do where OpenCV is installed, but not what it needs of the system; nothing of other errors."""
    library = re.search(r"lib[\w.+-]+\.so[\w.]*", str(error))
    if library is None:
        return ""
    return (
        f"the system has no {library[0]}, which a package needs ({error}); for OpenCV put opencv-python-headless in "
        "its place, which needs none: pip uninstall opencv-python && pip install --force-reinstall "
        "opencv-python-headless; or install the library, as in apt-get install libgl1 libglib2.0-0"
    )


@contextlib.contextmanager
def _signals_raised() -> Iterator[None]:
    """Raise `_Signalled` for the signals that end a command; the same again while it tidies up changes nothing.

    What is ignored, as SIGHUP under nohup, stays so.
    """
    first: float | None = None

    def end(number: int, _frame: FrameType | None) -> None:
        nonlocal first
        now = time.monotonic()
        # One that was swallowed on its way, as in a destructor, is raised again when the user tries again.
        if first is None or now - first > _PATIENCE_S:
            first = now
            raise _Signalled(number)

    handlers = {number: signal.getsignal(number) for number in _SAID}
    handlers = {number: handler for number, handler in handlers.items() if handler not in {None, signal.SIG_IGN}}
    for number in handlers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            # A process that ends because of one is not to be broken off by another.
            signal.signal(number, handler if first is None else signal.SIG_IGN)


def _say_how_to_finish(error: UnfinishedError) -> str:
    """Name the commands that build what is missing of a dataset."""
    words = [*_program(), *(word for word in sys.argv[1:] if word != "--finish")]
    if not error.parts:
        return f"build it here, or in parts with --part: {shlex.join(words)}"
    lines = [f"  {shlex.join([*words, '--part', f'{part}/{error.of}'])}" for part in error.parts[:_SHOWN_PARTS]]
    if rest := error.parts[_SHOWN_PARTS:]:
        lines.append(f"  ... and the parts {','.join(map(str, rest))}")
    return "\n".join(["build what is missing, in any order, and finish again", *lines])


def _program() -> list[str]:
    """Say how this program was called, in words that can be pasted."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return [sys.executable, "-m", __package__.partition(".")[0]]
    found = shutil.which(called.name)
    return [called.name if found is not None and Path(found).samefile(called) else sys.argv[0]]
