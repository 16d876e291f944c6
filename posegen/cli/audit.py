"""`posegen audit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from posegen.cli.options import PATH, choose_preset, field_options, json_option, preset_option, run_option
from posegen.cli.progress import show_samples
from posegen.config import BuildConfig, read_options, read_words


@click.command("audit", short_help="Check COCO annotations, and say what is odd about them.")
@click.argument("paths", type=PATH, nargs=-1, metavar="PATH...")
@run_option("split", multiple=True)
@run_option("images", multiple=True)
@click.option("--pictures", is_flag=True, help="Decode all pictures, too, which takes as long as reading them.")
@json_option
@preset_option
@click.option("--config", "config_file", type=PATH, metavar="FILE.toml", help="Options from a file.")
@field_options
def command(paths: tuple[Path, ...], config_file: Path | None, pictures: bool, as_json: bool, **words: Any) -> None:
    """Check COCO annotations, and say what is odd about them.

    PATH is a COCO root, or one annotation file; several are sources of one dataset. What a build with the same options
    would leave out is counted, what is odd is noticed, and pictures that are not there are named. Exit status 1: a
    build would fail on some.

    \b
      posegen audit /data/coco
      posegen audit /data/mine/train.json --images /data/mine --pictures
    """  # noqa: D301 (click wants the character \b)
    from posegen.build.pipeline import audit

    options = read_words({**words, "coco": paths})
    if config_file is not None:
        options = options.over(read_options(config_file))
    options, note = choose_preset(options)
    config = BuildConfig.from_options(options)
    if options.run.coco is None:
        raise click.UsageError("Missing argument 'PATH...', or a file for --config that names coco.")
    with show_samples(quiet=as_json) as bar:
        found = audit(
            options.run.coco,
            config,
            split=options.run.split,
            images=options.run.images,
            pictures=pictures,
            progress=bar.show,
        )
    if note:
        found.notes.insert(0, note)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
    else:
        click.echo("\n".join(found.describe()))
    click.get_current_context().exit(1 if found.bad_pictures else 0)
