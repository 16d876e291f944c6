"""`posegen verify`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posegen.cli.options import PATH, coco_options, json_option, run_option
from posegen.cli.progress import show_samples
from posegen.config import read_words
from posegen.errors import ConfigError, ShardError
from posegen.shards import find_dataset
from posegen.shards.manifest import MANIFEST_NAME, Manifest
from posegen.storage.find import spell

if TYPE_CHECKING:
    from posegen.inspect.verify import Problem

_SHOWN_PROBLEMS = 50


@click.command("verify", short_help="Check a dataset against its manifest, and repair it.")
@click.argument("directory", type=PATH, metavar="DIR")
@click.option("--deep", is_flag=True, help="Render every label again from the stored keypoints and compare.")
@click.option("--repair", "mend", is_flag=True, help="First build bad shards again; needs --coco.")
@coco_options("COCO root or annotation file that DIR was built from; repeated, if it was from several.", multiple=True)
@run_option("workers")
@json_option
def command(  # noqa: PLR0917 (one argument an option)
    directory: Path,
    deep: bool,
    mend: bool,
    coco: tuple[Path, ...],
    split: tuple[str, ...],
    images: tuple[Path, ...],
    workers: int | None,
    as_json: bool,
) -> None:
    """Check a dataset: every shard against the manifest, every chunk against its checksum.

    With --coco it is checked that DIR was built from these annotations, by their sha256. With --deep every label is
    rendered again from the stored keypoints, and compared; those that need segmentations, as masks do, where the
    annotations are named. With --repair those shards are built again whose bytes are not the recorded ones, and no
    others.

    \b
      posegen verify /data/pose --deep
      posegen verify /data/pose --repair --coco /data/coco
    """  # noqa: D301 (click wants the character \b)
    from posegen.build.repair import repair
    from posegen.inspect.verify import verify

    if mend and not coco:
        raise ConfigError("--repair needs what the dataset was built from: --coco PATH")
    if not coco and (split or images):
        raise ConfigError("--split and --images go with --coco PATH")
    run = read_words({"coco": coco, "split": split, "images": images}).run
    repaired: list[str] = []
    with show_samples() as bar:
        if mend and run.coco is not None:
            repaired = repair(
                directory,
                run.coco,
                split=run.split,
                images=run.images,
                workers=workers,
                progress=bar.show,
                notify=bar.tell,
            )
        problems = verify(directory, deep=deep, coco=run.coco, split=run.split, workers=workers, progress=bar.show)
    if as_json:
        listed = [{"file": problem.file, "what": problem.what} for problem in problems]
        click.echo(json.dumps({"path": spell(directory), "repaired": repaired, "problems": listed}, indent=2))
    else:
        click.echo("\n".join(_report(directory, problems, repaired, partly=deep and not coco)))
    if problems:
        files = _number(len({problem.file for problem in problems}), "file")
        advice = "; --repair --coco PATH builds shards again whose bytes are not the recorded ones"
        if mend or all(problem.file == MANIFEST_NAME for problem in problems):  # of which nothing can be built again
            advice = ""
        raise ShardError(f"{spell(directory)}: {_number(len(problems), 'problem')} in {files}{advice}")


def _report(directory: Path, problems: Sequence[Problem], repaired: Sequence[str], *, partly: bool) -> Iterator[str]:
    if repaired:
        yield f"{_number(len(repaired), 'shard')} built again: {', '.join(repaired)}"
    yield from map(str, problems[:_SHOWN_PROBLEMS])
    if len(problems) > _SHOWN_PROBLEMS:
        yield f"... and {len(problems) - _SHOWN_PROBLEMS} more; --json lists all"
    if not problems:
        manifest = Manifest.read(find_dataset(directory))
        yield f"{_number(len(manifest.shards), 'shard')}, {_number(manifest.samples, 'sample')}: all as recorded"
        if partly and (names := manifest.config.find_ignoring(manifest.skeleton)):
            yield (
                f"held only against what can be, as segmentations, which they need, are not there: {', '.join(names)}; "
                "to have all rendered again, add --coco PATH"
            )


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
