"""`posegen audit`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from posegen.annotations.audit import counted
from posegen.cli.options import PATH, choose_preset, field_options, json_option, preset_option, run_option
from posegen.cli.progress import show_samples
from posegen.cli.tables import align
from posegen.config import BuildConfig, read_options, read_words
from posegen.errors import ConfigError

if TYPE_CHECKING:
    from posegen.inspect.doctor import Examination

_SHOWN = 20


@click.command("audit", short_help="Check COCO annotations, and say what is odd about them.")
@click.argument("paths", type=PATH, nargs=-1, metavar="PATH...")
@run_option("split", multiple=True)
@run_option("images", multiple=True)
@click.option("--pictures", is_flag=True, help="Decode all pictures, too, which takes as long as reading them.")
@click.option("--suspects", is_flag=True, help="Look for annotations that are probably wrong, and pictures twice.")
@click.option("--against", type=PATH, metavar="OTHER", help="Annotations that must share no picture; with --suspects.")
@click.option("--sheet", type=PATH, metavar="PNG", help="Draw the most suspicious; with --suspects.")
@click.option("--fix", type=PATH, metavar="FILE.json", help="Write corrected annotations; with --suspects.")
@json_option
@preset_option
@click.option("--config", "config_file", type=PATH, metavar="FILE.toml", help="Options from a file.")
@field_options
def command(  # noqa: PLR0917 (one argument an option)
    paths: tuple[Path, ...],
    config_file: Path | None,
    pictures: bool,
    suspects: bool,
    against: Path | None,
    sheet: Path | None,
    fix: Path | None,
    as_json: bool,
    **words: Any,
) -> None:
    """Check COCO annotations, and say what is odd about them.

    PATH is a COCO root, or one annotation file; several are sources of one dataset. What a build with the same options
    would leave out is counted, what is odd is noticed, and pictures that are not there are named. Exit status 1: a
    build would fail on some.

    --suspects looks further, for what is probably wrong: left and right swapped, limbs out of proportion, keypoints far
    outside the box or the outline, people twice, pictures twice, visibility misused; the surest first. --fix corrects
    what is certain and lists every change.

    \b
      posegen audit /data/coco
      posegen audit /data/mine/train.json --images /data/mine --pictures
      posegen audit /data/coco --split train2017 --suspects --against /data/coco/annotations/val.json --sheet worst.png
    """  # noqa: D301 (click wants the character \b)
    from posegen.build.pipeline import audit

    if not suspects and (against or sheet or fix):
        raise ConfigError("--against, --sheet and --fix go with --suspects")
    if suspects and len(paths) != 1:
        raise ConfigError(f"--suspects takes one source at a time, not {len(paths)}: name one PATH")
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
    plain, lines = found.to_dict(), found.describe()
    if suspects:
        run = options.run
        own = BuildConfig.from_options(dataclasses.replace(options, preset="coco"))  # the keypoints that the file has
        where = {"split": run.split, "images": run.images}
        examination, changes = _examine(paths[0], own, against, sheet, fix, quiet=as_json, **where)
        plain["suspects"] = examination.to_dict() | {"changes": changes}
        lines += ["", *_describe(examination)]
        lines += _describe_files(examination, changes, sheet, fix)
    click.echo(json.dumps(plain, indent=2) if as_json else "\n".join(lines))
    click.get_current_context().exit(1 if found.bad_pictures else 0)


def _examine(
    path: Path,
    config: BuildConfig,
    against: Path | None,
    sheet: Path | None,
    fix: Path | None,
    *,
    quiet: bool,
    **where: Any,
) -> tuple[Examination, list[str]]:
    """Look for what is suspicious, draw it and mend it as asked; returns the changes, too."""
    from posegen.inspect.doctor import examine, save_suspects, write_mended

    with show_samples(quiet=quiet) as bar:
        examination = examine(path, config, against=against, progress=bar.show, **where)
    if sheet is not None and examination.suspicions:
        save_suspects(path, examination.suspicions, sheet, config=config, **where)
    if fix is None:
        return examination, []
    return examination, write_mended(path, fix, examination.suspicions, split=where["split"])


def _describe_files(
    examination: Examination, changes: Sequence[str], sheet: Path | None, fix: Path | None
) -> Iterator[str]:
    if sheet is not None:
        yield f"\nlook at: {sheet}" if examination.suspicions else f"\n{sheet} is not drawn: nothing is suspicious"
    if fix is not None:
        yield f"\n{fix}: {counted(len(changes), 'change')}"
        yield from (f"  {change}" for change in changes)


def _describe(examination: Examination) -> Iterator[str]:
    from posegen.inspect.doctor import KINDS

    count = len(examination.suspicions)
    yield f"suspects: {count} among {examination.people} people on {examination.images} images"
    for kind, what in KINDS.items():
        if found := examination.of(kind):
            certain = sum(suspicion.mend is not None for suspicion in found)
            yield f"  {len(found)} {what}" + (f", {certain} of them certain" if certain else "")
    yield from (f"  note: {note}" for note in examination.notes)
    rows = [
        (f"{s.score:.2f}", s.kind, s.file_name, "-" if s.annotation_id is None else str(s.annotation_id), s.says)
        for s in examination.suspicions[:_SHOWN]
    ]
    if rows:
        yield ""
        yield from align(("score", "kind", "image", "annotation", ""), rows)
    if count > _SHOWN:
        yield f"  ... and {count - _SHOWN} more; --json lists all"
