"""`posegen build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from posegen.annotations.audit import Audit, counted
from posegen.cli.options import PATH, choose_preset, field_options, preset_option, run_option
from posegen.cli.progress import Bar, show_samples
from posegen.cli.tables import count_samples
from posegen.config import DEFAULT_PRESET, BuildConfig, Options, read_options, read_words, write_options
from posegen.errors import ConfigError
from posegen.shards.manifest import Manifest
from posegen.storage.find import spell

if TYPE_CHECKING:
    from posegen.build.parts import PartReport


@click.command("build", short_help="Build a dataset from COCO keypoint annotations.")
@run_option(
    "coco", "COCO root, or one annotation file, or archive, or URL; may be repeated.  [required]", multiple=True
)
@run_option("out", "Where to write the dataset; a URL, too.  [required]")
@run_option("split", multiple=True)
@run_option("images", multiple=True)
@preset_option
@click.option("--config", "config_file", type=PATH, metavar="FILE.toml", help="Options from a file.")
@field_options
@run_option("workers")
@run_option("backend")
@run_option("scheduler")
@run_option("max_failures")
@run_option("pictures_from")
@run_option("description")
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace what was built there with other options, when its successor is whole; what stays the same is copied.",
)
@click.option("--part", metavar="K/N", help="Build every N-th shard alone, from the K-th on, on any machine.")
@click.option("--finish", is_flag=True, help="Make a dataset of parts that are all built.")
@click.option("--dump-config", is_flag=True, help="Print the file for --config that would do the same, and stop.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    *,
    config_file: Path | None,
    overwrite: bool,
    part: str | None,
    finish: bool,
    dump_config: bool,
    quiet: bool,
    **words: Any,
) -> None:
    """Build a dataset from COCO keypoint annotations.

    Images, and labels rendered for them, go to shards in DIR; the manifest is written last. What is left out is counted
    and named. Interrupted, the same command goes on where it stopped. Workers change no byte of the result.

    Parts are built by commands that know nothing of each other, on any machine that sees DIR, in any order and again.
    The last one to end finishes the dataset; --finish does so, too, or names what is missing.

    \b
      posegen build --coco /data/coco --out /data/pose
      posegen build --coco /data/coco --split val2017 --out /data/pose-val --label-dtype uint8
      posegen build --coco /data/coco --out /data/people --preset udp
      posegen build --coco /data/coco --out /data/pose --part 3/16
      posegen build --coco /data/coco --out /data/pose --finish
      posegen build --coco /data/coco --coco /data/feet --out /data/pose --skeleton body-25
    """  # noqa: D301 (click wants the character \b)
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
    if part is not None and finish:
        raise ConfigError("--part and --finish are two commands: the last part to end finishes the dataset by itself")
    with show_samples(quiet=quiet) as bar:
        if note:
            bar.tell(f"note: {note}")
        say = _work(config, options, part, finish, bar, overwrite=overwrite)
    if not quiet:
        click.echo(say)


def _work(config: BuildConfig, options: Options, part: str | None, finish: bool, bar: Bar, *, overwrite: bool) -> str:
    """Build a dataset or a part, or finish parts; returns what to say of it."""
    from posegen.build.executors import create_executor
    from posegen.build.parts import build_part, finish_parts
    from posegen.build.pipeline import build

    run, out = options.run, spell(str(options.run.out))
    record: dict[str, Any] = {"preset": options.preset, "description": run.description or ""}
    common: dict[str, Any] = {
        "coco": run.coco,
        "out": run.out,
        "config": config,
        "split": run.split,
        "images": run.images,
        "max_failures": "0" if run.max_failures is None else run.max_failures,
        "overwrite": overwrite,
        "progress": bar.show,
    }
    if finish:
        return _summary(finish_parts(**common, **record), out)
    building: dict[str, Any] = {"workers": run.workers}
    if run.backend not in {None, "local"} or run.scheduler is not None:
        building = {
            "executor": create_executor(run.backend, workers=run.workers, scheduler=run.scheduler, notify=bar.tell)
        }
    building |= {"pictures_from": run.pictures_from, "notify": bar.tell}
    if part is not None:
        return _tell_part(build_part(part=part, finish=True, **common, **building, **record), out)
    return _summary(build(**common, **building, **record), out)


def _tell_part(report: PartReport, out: str) -> str:
    lines = [f"part {report.part}: {counted(report.samples, 'sample')} in {counted(report.shards, 'shard')}"]
    if report.failures:
        lines[0] += f"; {report.failures} could not be built"
    if report.manifest is not None:
        return "\n".join([*lines, "all parts are built, and make a dataset", _summary(report.manifest, out)])
    lines.append(
        f"{report.built} of {report.of} shards are built"
        + ("; the same command with --finish in place of --part makes a dataset of them" * (report.built == report.of))
    )
    return "\n".join(lines)


def _summary(manifest: Manifest, out: str) -> str:
    held = f"{count_samples(manifest.samples, manifest.people)} in {counted(len(manifest.shards), 'shard')}"
    lines = [f"{held}, {manifest.bytes / 1e6:.1f} MB: {out}"]
    lines += Audit.from_dict(manifest.audit).describe_left_out()
    if manifest.failures:
        lines.append(f"{counted(manifest.failures, 'sample')} could not be built: {out}/failures.jsonl")
    return "\n".join(lines)
