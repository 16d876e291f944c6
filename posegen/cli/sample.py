"""`posegen sample`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("sample", short_help="Write a synthetic COCO dataset to try things on.")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--images", type=int, default=64, show_default=True, metavar="N", help="How many images.")
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="What they are drawn from.")
def command(directory: Path, images: int, seed: int) -> None:
    """Write a synthetic COCO dataset: drawn people whose joints are known.

    It has what real annotations have: occluded and missing joints, crowds, people without keypoints, images without
    people. The same seed gives the same bytes.
    """
    from posegen.synthetic import write_sample_coco

    write_sample_coco(directory, images=images, seed=seed)
    click.echo(f"{images} images: {directory}")
