"""`posegen report`."""

from __future__ import annotations

from pathlib import Path

import click

from posegen.cli.options import PATH, run_option
from posegen.cli.progress import show_share


@click.command("report", short_help="Write a page about a dataset or annotations, or about two side by side.")
@click.argument("path", type=PATH)
@click.argument("other", type=PATH, metavar="[PATH2]", required=False)
@click.option("--out", type=PATH, required=True, metavar="FILE.html", help="Where to write the page.")
@click.option("--samples", type=int, metavar="N", help="How many samples one can step through.  [default: 24]")
@run_option("split")
@run_option("images")
def command(  # noqa: PLR0917 (one argument an option)
    path: Path, other: Path | None, out: Path, samples: int | None, split: str | None, images: Path | None
) -> None:
    """Write a page about a dataset or annotations, or about two side by side.

    PATH is a dataset's directory, a shard, a COCO root or an annotation file. The page is one file that needs no
    network: counts and what was left out, visibility, sizes, crowding, poses, limbs, the mean of every label channel,
    what the mask hides, what storage costs, configuration, the strangest people, and samples to step through.

    \b
      posegen report /data/pose --out pose.html
      posegen report /data/pose /data/pose-val --out both.html
      posegen report /data/coco/annotations/person_keypoints_val2017.json --out val.html
    """  # noqa: D301 (click wants the character \b)
    from posegen.inspect.report import DEFAULT_SAMPLES, write_report

    paths = [path] if other is None else [path, other]
    with show_share() as show:
        write_report(
            paths,
            out,
            split=split,
            images=images,
            samples=DEFAULT_SAMPLES if samples is None else samples,
            progress=show,
        )
    click.echo(out)
