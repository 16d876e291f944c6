"""`posegen score`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posegen.cli.options import PATH, json_option, run_option
from posegen.cli.progress import show_samples
from posegen.cli.tables import align
from posegen.config import read_words
from posegen.errors import ConfigError, ShardError

if TYPE_CHECKING:
    from posegen.inspect.score import Score

_SHOWN_IDS = 8


@click.command("score", short_help="Decode a dataset's labels and score them against the annotations.")
@click.argument("directory", type=PATH, metavar="DIR")
@run_option(
    "coco", "COCO root or annotation file that DIR was built from; repeated, if it was from several.", multiple=True
)
@run_option("split", multiple=True)
@click.option("--results", type=PATH, metavar="FILE.json", help="Score these COCO results instead of the labels.")
@click.option("--save", type=PATH, metavar="PNG", help="Draw the worst samples, annotated left and decoded right.")
@json_option
def command(  # noqa: PLR0917 (one argument an option)
    directory: Path,
    coco: tuple[Path, ...],
    split: tuple[str, ...],
    results: Path | None,
    save: Path | None,
    as_json: bool,
) -> None:
    """Decode the labels of a dataset as if a network had predicted them, and score them as COCO does.

    It proves labels: what is lost here no network gets back. It is no bound for a network. Exit status 1 if keypoints
    come back with a bias, above five standard errors and 0.05 input pixels, or most of them elsewhere; left and right
    changed places; or fields do not point along their limbs.

    \b
      posegen score /data/pose --coco /data/coco
      posegen score /data/pose --coco /data/coco --save worst.png
      posegen score /data/both --coco /data/coco --coco /data/feet
    """  # noqa: D301 (click wants the character \b)
    from posegen.inspect.score import save_score, score

    run = read_words({"coco": coco, "split": split}).run
    if run.coco is None:
        raise ConfigError("score needs what the dataset was built from: --coco PATH")
    with show_samples() as bar:
        found = score(directory, run.coco, split=run.split, results=results, progress=bar.show)
    if save is not None:
        save_score(directory, found, save)
    if as_json:
        click.echo(json.dumps({"path": str(directory), **found.to_dict()}, indent=2))
    else:
        click.echo("\n".join(_report(directory, found)))
        if save is not None:
            click.echo(f"\nlook at: {save}")
    if found.problems and results is None:
        raise ShardError(f"{directory}: labels are not what was annotated: {found.problems[0]}")


def _report(directory: Path, found: Score) -> Iterator[str]:
    what = "labels, decoded" if found.of == "labels" else found.of
    yield f"{directory}: {what}, against {found.people} annotated people in {found.samples} samples"
    yield ""
    yield "  " + "  ".join(f"{name} {value:.3f}" for name, value in found.coco.items() if value >= 0)
    yield "  this proves labels; it is no bound for a network" if found.of == "labels" else ""
    yield ""
    yield "errors in input pixels, of keypoints found within two cells"
    header = ("keypoint", "count", "rms", "bias x", "bias y", "standard error", "missed", "farther")
    yield from align(
        header,
        [
            (
                row.name, str(row.count), f"{row.rms:.2f}", f"{row.bias[0]:+.3f}", f"{row.bias[1]:+.3f}",
                "{:.3f}, {:.3f}".format(*row.standard_error), str(row.missed), str(row.far),
            )
            for row in found.rows
        ],
    )  # fmt: skip
    yield ""
    if found.pairs:
        yield f"left and right changed places: {found.swapped} of {found.pairs} pairs"
    if found.limbs:
        least = min(found.limbs, key=lambda name: found.limbs[name][0] if found.limbs[name][1] else 2)
        yield f"fields point along their limbs: {found.limbs[least][0]:.2f} of 1 at the least, {least}"
    lost = sum(map(len, found.lost.values()))
    yield f"{lost} of {found.people} people lost (no match at an OKS of 0.5){':' if lost else ''}"
    for cause, ids in found.lost.items():
        shown = ", ".join(map(str, ids[:_SHOWN_IDS]))
        more = f" and {len(ids) - _SHOWN_IDS} more; --json lists all" if len(ids) > _SHOWN_IDS else ""
        yield f"  {len(ids)} {cause}: annotation{'' if len(ids) == 1 else 's'} {shown}{more}"
    yield ""
    yield from (f"wrong: {problem}" for problem in found.problems)
    if not found.problems:
        yield "no bias: keypoints come back where they were annotated" if found.of == "labels" else "no bias"
