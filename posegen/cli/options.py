"""The options that several commands have, and those of a build, made from `posegen.config.fields`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from posegen.config import DEFAULT_PRESET, FIELDS, PRESETS, RUN_FIELDS, BuildConfig, Options
from posegen.config.fields import Field
from posegen.config.kinds import FilePath, Flag, Number, Whole, Word
from posegen.errors import ConfigError

Command = TypeVar("Command", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

AUTO = "auto"
"""The default preset where the file has COCO's keypoints, or else the one that takes what the file has."""

_TAKES_ALL = "coco"

preset_option = click.option(
    "--preset",
    metavar=f"[{'|'.join([AUTO, *PRESETS])}]",
    help=f"What to start from; auto: {DEFAULT_PRESET}, or {_TAKES_ALL} if the file's keypoints are others."
    f"  [default: {AUTO}]",
)

_RUN = {field.name: field for field in RUN_FIELDS}


def coco_options(text: str, **settings: Any) -> Callable[[Command], Command]:
    """Add --coco, with what it is for this command, --split and --images."""

    def add(command: Command) -> Command:
        with_images = run_option("images", **settings)(command)
        return run_option("coco", text, **settings)(run_option("split", **settings)(with_images))

    return add


def run_option(name: str, text: str = "", **settings: Any) -> Callable[[Command], Command]:
    """Add an option of `RunOptions` by its name; with another text, where a command needs one."""
    field = _RUN[name]
    return _option(field, text or field.help, "" if text else field.without, settings)


def field_options(command: Command) -> Command:
    """Add all options of `BuildConfig`'s fields; they say the defaults but leave them to the preset."""
    default = BuildConfig()
    for field in reversed([field for field in FIELDS if not field.of_file]):
        command = _option(field, field.help, field.without or describe(field, getattr(default, field.name)))(command)
    return command


def describe(field: Field, value: Any) -> str:
    """Write a field's value as the command line takes it, or nothing where it would not be given."""
    return "" if value is None or value is False or value in ((), {}) else _join(field.kind.write(value))


def choose_preset(options: Options) -> tuple[Options, str]:
    """Put a preset in the place of `auto`, or of none; returns what the user should know of it, too.

    What is wrong with the file is left to be said by the build.
    """
    if options.preset not in {None, AUTO}:
        return options, ""
    chosen = dataclasses.replace(options, preset=DEFAULT_PRESET)
    run = options.run
    if run.coco is None or isinstance(run.coco, tuple) or "skeleton" in options.fields:
        return chosen, ""
    from posegen.annotations import find_annotations, fits_skeleton

    needed = BuildConfig.preset(DEFAULT_PRESET).skeleton
    try:
        path = find_annotations(run.coco, split=run.split, images=run.images, need_images=False).path
    except ConfigError:
        return chosen, ""
    if needed is None or fits_skeleton(path, needed):
        return chosen, ""
    note = f"the keypoints of {path.name} are not COCO's: --preset {_TAKES_ALL} is used, which takes what the file has"
    return dataclasses.replace(options, preset=_TAKES_ALL), note


def _join(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_join, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _option(
    field: Field, text: str, default: str, settings: dict[str, Any] | None = None
) -> Callable[[Command], Command]:
    chosen: dict[str, Any] = {"default": None, "metavar": field.metavar, "multiple": field.kind.repeated}
    if isinstance(field.kind, Flag):
        chosen["is_flag"] = True
    else:
        chosen["type"] = _click_type(field)
    chosen["help"] = f"{text}  [default: {default}]" if default else text
    return click.option(f"--{field.option}", field.name, **{**chosen, **(settings or {})})


def _click_type(field: Field) -> Any:
    if isinstance(field.kind, Word):
        return click.Choice(field.kind.words)
    if isinstance(field.kind, FilePath):
        return PATH
    return int if isinstance(field.kind, Whole) else float if isinstance(field.kind, Number) else str
