"""`posegen export`."""

from __future__ import annotations

from pathlib import Path

import click

from posegen.cli.options import PATH
from posegen.cli.progress import show_samples


@click.command("export", short_help="Write a dataset for WebDataset, or as Parquet.")
@click.argument("dataset", metavar="DATASET")
@click.option("--format", "form", type=click.Choice(("webdataset", "parquet")), required=True, help="What to write.")
@click.option("--out", type=PATH, required=True, metavar="DIR", help="Where to: a new directory.")
def command(dataset: str, form: str, out: Path) -> None:
    """Write a dataset in another form, for a library that reads no HDF5.

    Labels are written as they are stored; shapes and scales stand in posegen.json.

    \b
      posegen export /data/pose --format webdataset --out /data/pose-tar
      posegen export s3://bucket/pose --format parquet --out /data/pose-parquet
    """  # noqa: D301 (click wants the character \b)
    from posegen.export import export

    with show_samples() as bar:
        files = export(dataset, out, form="webdataset" if form == "webdataset" else "parquet", progress=bar.show)
    click.echo(f"{len(files)} {form} file{'' if len(files) == 1 else 's'}: {out}")
