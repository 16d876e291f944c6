"""`posegen build`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from posegen.annotations.audit import Audit
from posegen.cli.options import PATH, choose_preset, field_options, preset_option, run_option
from posegen.cli.progress import show_samples
from posegen.config import DEFAULT_PRESET, BuildConfig, read_options, read_words, write_options
from posegen.errors import ConfigError
from posegen.shards.manifest import Manifest


@click.command("build", short_help="Build a dataset from COCO keypoint annotations.")
@run_option("coco", "COCO root, or one annotation file; may be repeated.  [required]", multiple=True)
@run_option("out", "Where to write the dataset.  [required]")
@run_option("split", multiple=True)
@run_option("images", multiple=True)
@preset_option
@click.option("--config", "config_file", type=PATH, metavar="FILE.toml", help="Options from a file.")
@field_options
@run_option("workers")
@run_option("max_failures")
@run_option("description")
@click.option("--overwrite", is_flag=True, help="Replace what was built there with other options.")
@click.option("--dump-config", is_flag=True, help="Print the file for --config that would do the same, and stop.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(config_file: Path | None, overwrite: bool, dump_config: bool, quiet: bool, **words: Any) -> None:
    """Build a dataset from COCO keypoint annotations.

    Images, and labels rendered for them, go to shards in DIR; the manifest is written last. What is left out is counted
    and named. Interrupted, the same command goes on where it stopped. Workers change no byte of the result.

    \b
      posegen build --coco /data/coco --out /data/pose
      posegen build --coco /data/coco --split val2017 --out /data/pose-val --label-dtype uint8
      posegen build --coco /data/coco --out /data/people --preset udp
      posegen build --coco /data/coco --coco /data/feet --out /data/pose --skeleton body-25
    """  # noqa: D301 (click wants the character \b)
    from posegen.build.pipeline import build

    options = read_words(words)
    if config_file is not None:
        options = options.over(read_options(config_file))
    options, note = choose_preset(options)
    config, run = BuildConfig.from_options(options), options.run
    if dump_config:
        preset = options.preset or DEFAULT_PRESET
        click.echo(write_options(config, preset=preset, skeleton=options.skeleton, run=run), nl=False)
        return
    if run.coco is None:
        raise ConfigError("--coco PATH is missing: a COCO root, or one annotation file")
    if run.out is None:
        raise ConfigError("--out DIR is missing: where to write the dataset")
    with show_samples(quiet=quiet) as bar:
        if note:
            bar.tell(f"note: {note}")
        manifest = build(
            run.coco,
            run.out,
            config,
            split=run.split,
            images=run.images,
            workers=run.workers,
            max_failures="0" if run.max_failures is None else run.max_failures,
            overwrite=overwrite,
            preset=options.preset,
            description=run.description or "",
            progress=bar.show,
            notify=bar.tell,
        )
    if not quiet:
        click.echo(_summary(manifest, run.out))


def _summary(manifest: Manifest, out: Path) -> str:
    shards = len(manifest.shards)
    held = f"{manifest.samples} samples with {manifest.people} people in {shards} shard{'' if shards == 1 else 's'}"
    lines = [f"{held}, {manifest.bytes / 1e6:.1f} MB: {out}"]
    lines += Audit.from_dict(manifest.audit).describe_left_out()
    if manifest.failures:
        lines.append(f"{manifest.failures} samples could not be built: {out / 'failures.jsonl'}")
    return "\n".join(lines)
