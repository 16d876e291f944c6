"""`posegen diff`."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from posegen.cli.options import PATH, json_option, run_option
from posegen.cli.progress import show_samples
from posegen.cli.tables import align
from posegen.errors import PosegenError

if TYPE_CHECKING:
    from posegen.inspect.diff import DatasetDifference
    from posegen.shards import SampleKey

_SHOWN_SAMPLES = 10


class _Trouble(click.ClickException):
    """An error that is not taken for a difference."""

    exit_code = 2


@click.command("diff", short_help="Compare two datasets sample by sample.")
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@click.option("--tolerance", type=click.FloatRange(0), default=0.0, help="Labels may differ by so much.")
@run_option("workers")
@json_option
def command(a: Path, b: Path, tolerance: float, workers: int | None, as_json: bool) -> None:
    """Compare two datasets: which samples one has alone, and the largest difference of each label, and where it is.

    Samples are matched by image id (and annotation id where a sample is one person), whatever shards they are in.
    Keypoints, boxes, affine maps, decoded pictures and the configuration are compared, too.

    Exit status, as of diff: 0 no differences, 1 differences, 2 trouble.

    \b
      posegen diff /data/pose /data/pose-new
      posegen diff /data/pose-float16 /data/pose-uint8 --tolerance 0.005
    """  # noqa: D301 (click wants the character \b)
    from posegen.inspect.diff import compare

    with show_samples() as bar:
        try:
            found = compare(a, b, tolerance=tolerance, workers=workers, progress=bar.show)
        except PosegenError as error:
            raise _Trouble(str(error)) from error
    if as_json:
        record: dict[str, Any] = {"a": str(a), "b": str(b), "equal": found.equal, **dataclasses.asdict(found)}
        for array, difference in zip(record["arrays"], found.arrays, strict=True):
            array["largest"] = array["largest"] if math.isfinite(array["largest"]) else None  # JSON has no infinity
            array["sample"] = _list_numbers(difference.sample) if difference.sample else None
        record |= {which: [*map(_list_numbers, getattr(found, which))] for which in ("only_a", "only_b")}
        click.echo(json.dumps(record, indent=2))
    else:
        click.echo("\n".join(_list_differences(found)))
    if not found.equal:
        click.get_current_context().exit(1)


def _list_differences(found: DatasetDifference) -> Iterator[str]:
    if found.equal:
        within = f" (labels to within {found.tolerance:g})" if found.tolerance else ""
        stored = "".join(f", {key} {a} and {b}" for key, (a, b) in found.config.items())
        yield f"{found.samples} samples: no differences{within}{stored}"
        return
    yield f"{found.samples} samples in both, {len(found.only_a)} only in a, {len(found.only_b)} only in b"
    for which, keys in (("a", found.only_a), ("b", found.only_b)):
        if keys:
            more = f" and {len(keys) - _SHOWN_SAMPLES} more" if len(keys) > _SHOWN_SAMPLES else ""
            yield f"  only in {which}: {'; '.join(str(key) for key in keys[:_SHOWN_SAMPLES])}{more}"
    for what, differing in (("configuration", found.config), ("versions", found.versions)):
        if differing:
            yield f"{what} (a, b)"
            yield from (f"  {key}: {', '.join(_write(key, one) for one in both)}" for key, both in differing.items())
    if found.skeleton:
        yield "their skeletons differ"
    yield from found.unlike
    if found.arrays:
        rows = [
            (array.array, "0", "0", "")
            if array.sample is None
            else (
                array.array,
                f"{array.largest:.4g}",
                str(array.samples),
                f"{array.sample}: {array.where}",
            )
            for array in found.arrays
        ]
        yield from align(("array", "largest", "samples", "where"), rows)
    if found.tolerance:
        yield f"not equal, with labels to within {found.tolerance:g}: {'; '.join(found.reasons)}"


def _write(key: str, value: Any) -> str:
    return f"{value[1]}x{value[0]}" if key == "input_size" else str(value)


def _list_numbers(key: SampleKey) -> list[int | str]:
    """Return a sample's numbers, and its source, in the order of `named_by`."""
    return list(key.parts.values())
