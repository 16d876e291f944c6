"""`posegen fetch`."""

from __future__ import annotations

from pathlib import Path

import click

from posegen.annotations.audit import counted
from posegen.cli.options import PATH
from posegen.cli.progress import show_share


@click.command("fetch", short_help="Copy a dataset from a bucket or a server to this disk.")
@click.argument("url", metavar="URL")
@click.argument("directory", type=PATH, metavar="DIR")
def command(url: str, directory: Path) -> None:
    """Copy a dataset from a bucket or a server to DIR.

    Every shard is compared with the manifest, which comes last. Interrupted, the same command goes on where it stopped.
    To read a dataset without copying it first, name its URL instead of a directory: inspect, verify, diff and
    PoseDataset fetch the shards that they read, and keep them for a while.

    \b
      posegen fetch s3://bucket/pose /data/pose
    """  # noqa: D301 (click wants the character \b)
    from posegen.shards.fetch import fetch

    with show_share() as show:
        manifest = fetch(url, directory, progress=show)
    shards, samples = counted(len(manifest.shards), "shard"), counted(manifest.samples, "sample")
    click.echo(f"{shards}, {samples}, {manifest.bytes / 1e6:.1f} MB: {directory}")
