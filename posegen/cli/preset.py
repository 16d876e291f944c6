"""The option --preset, and what a build starts from where none is named: what fits the annotation file."""

from __future__ import annotations

import dataclasses

import click

from posegen.config import DEFAULT_PRESET, PRESETS, Options
from posegen.errors import ConfigError

AUTO = "auto"
"""The default preset where the file has COCO's keypoints, or else the one that takes what the file has."""

_TAKES_ALL = "coco"

preset_option = click.option(
    "--preset",
    metavar=f"[{'|'.join([AUTO, *PRESETS])}]",
    help=f"What to start from; auto is {DEFAULT_PRESET} for COCO's keypoints, {_TAKES_ALL} for others.  [default: {AUTO}]",
)


def choose_preset(options: Options) -> tuple[Options, str]:
    """Put a preset in the place of `auto`, or of none; returns what the user should know of it, too.

    What is wrong with the file is left to be said by the build.
    """
    if options.preset not in {None, AUTO}:
        return options, ""
    chosen = dataclasses.replace(options, preset=DEFAULT_PRESET)
    run = options.run
    if run.coco is None or "skeleton" in options.fields:
        return chosen, ""
    from posegen.annotations import find_annotations, fits_skeleton
    from posegen.config import BuildConfig

    needed = BuildConfig.preset(DEFAULT_PRESET).skeleton
    try:
        path = find_annotations(run.coco, split=run.split, images=run.images, need_images=False).path
    except ConfigError:
        return chosen, ""
    if needed is None or fits_skeleton(path, needed):
        return chosen, ""
    note = f"the keypoints of {path.name} are not COCO's: --preset {_TAKES_ALL} is used, which takes what the file has"
    return dataclasses.replace(options, preset=_TAKES_ALL), note
