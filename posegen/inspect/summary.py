"""What a dataset or a shard holds, as plain numbers and words: what somebody asks before training on it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from posegen.annotations import number_text
from posegen.annotations.audit import Audit
from posegen.errors import ConfigError, ShardError, nearest
from posegen.labels.base import without_stride
from posegen.shards import ArrayInfo, ShardReader, ShardRecord, StoredLabel
from posegen.shards.manifest import Manifest
from posegen.shards.outline import Outline
from posegen.shards.preview import list_previewed
from posegen.shards.record import locate
from posegen.shards.source import find_directory, is_directory, open_shard
from posegen.storage import AnyPath, Location

_LEFT_OUT = "_left_out"
"""What arrays are called, after the label, that count of each sample the people without a place in its others."""

_TOLD = 4
"""How many of the names that there are an error tells."""


def describe(path: Location) -> dict[str, Any]:
    """Describe a dataset directory or one shard.

    Returns
    -------
    A dict for JSON: `path`, `kind` (`dataset` or `shard`), `samples`, `people`, `bytes`, `shards`, `keypoints` (how
    often each is labelled), `arrays` (by name: shape, dtype, chunk, compressor, stored and logical bytes, ratio; over
    all shards), `preview` (what each shard has of its first sample for viewers), `config`, `skeleton`, `versions`; of
    several sources `sources`, how many samples are of each; of labels with places for so many people `left_out`, by
    label how many had none; and for a dataset `failures`, `audit`, `source`, `preset` and `description`.

    Raises
    ------
    ConfigError
        If there is nothing at `path`.
    ShardError
        If it is neither, or damaged.
    """
    path = find_directory(path)
    shards = list_shards(path)
    extra: dict[str, Any] = {}
    records: Sequence[ShardRecord | None] = [None] * len(shards)
    outline: Outline | None = None
    if is_directory(path):
        manifest = Manifest.read(path)
        extra = {"failures": manifest.failures, "audit": _read_audit(path, manifest), "source": manifest.source}
        extra |= {"preset": manifest.preset, "description": manifest.description}
        records = manifest.shards if isinstance(path, Path) else records
    description: dict[str, Any] = {}
    for (open_one, _), record in zip(shards, records, strict=True):
        if outline and record and (found := _describe_alike(locate(Path(str(path)), record.file), record, outline)):
            _add(description, found)
            continue
        with open_one() as reader:
            _add(description, _describe_shard(reader))
            # How many samples are of which source, and how many people had no place, stands in the shards alone.
            counted = reader.config.sources or _list_left_out(reader)
            outline = outline or (Outline(reader) if record and not counted else None)
    kind = "dataset" if is_directory(path) else "shard"
    for array in description["arrays"].values():
        array["ratio"] = round(array["logical"] / array["stored"], 2) if array["stored"] else 1.0
    return {"path": str(path), "kind": kind, "shards": len(shards)} | description | extra


def save_sample(path: Location, index: int, picture: Path) -> None:
    """Draw one sample of a dataset or shard to a PNG file; raises what `open_sample` and `write_png` raise."""
    from posegen.inspect.drawing.canvas import write_png
    from posegen.inspect.drawing.sample import draw_sample

    with open_sample(path, index) as (reader, position):
        write_png(picture, draw_sample(reader, position, number=index, legend=True))


def save_sheet(path: Location, count: int, picture: Path) -> None:
    """Draw the first samples of a dataset or shard to a PNG file; raises what `open_sample` and `write_png` raise."""
    from posegen.inspect.drawing.canvas import Picture, write_png
    from posegen.inspect.drawing.sample import arrange_sheet, draw_tile

    tiles: list[Picture] = []
    for open_one, samples in list_shards(path):
        before = len(tiles)
        if before < count:
            with open_one() as reader:
                tiles += [draw_tile(reader, i, number=before + i) for i in range(min(samples, count - before))]
    write_png(picture, arrange_sheet(tiles))


def find_samples(path: Location, wanted: str) -> list[int]:
    """Find the samples of a dataset or shard that somebody means.

    Parameters
    ----------
    path
        A dataset directory or one shard.
    wanted
        An index from 0; `image:ID`, the number or text that the annotations have; or a file name, whole or the end of
        but one.

    Returns
    -------
    Their indices, one or more: an image may have several samples, its people or its views.

    Raises
    ------
    ConfigError
        If there is nothing at `path`, no such sample, or the end of a file name is that of several.
    ShardError
        If a shard is missing or damaged.
    """
    path = find_directory(path)
    if re.fullmatch(r"[+-]?[0-9]+", wanted):
        index, count = int(wanted), sum(samples for _, samples in list_shards(path))
        if not 0 <= index < count:
            raise _no_index(path, index, count)
        return [index]
    column = "image_id" if wanted.startswith("image:") else "file_name"
    held: dict[str, list[int]] = {}
    count = 0
    for open_one, samples in list_shards(path):
        with open_one() as reader:
            for value in reader.column(column, range(samples)):
                held.setdefault(str(value), []).append(count)
                count += 1
    if column == "image_id":
        return _find_image(path, wanted.removeprefix("image:"), held)
    return _find_file(path, wanted, held, count)


def _find_image(path: AnyPath, wanted: str, held: dict[str, list[int]]) -> list[int]:
    for number in (wanted, str(number_text(wanted))):
        if number in held:
            return held[number]
    raise ConfigError(f"{path}: there is no sample of image '{wanted}'{nearest(wanted, held)}; {_tell_some(held)}")


def _find_file(path: AnyPath, wanted: str, held: dict[str, list[int]], count: int) -> list[int]:
    if wanted in held:
        return held[wanted]
    ends = [name for name in held if name.endswith(wanted)] if wanted else []
    if len(ends) > 1:
        told = ", ".join(ends[:_TOLD]) + (" ..." if len(ends) > _TOLD else "")
        raise ConfigError(f"{path}: '{wanted}' is the end of {len(ends)} files' names, {told}; give more of it")
    if ends:
        return held[ends[0]]
    raise ConfigError(
        f"{path}: there is no sample of a file '{wanted}'{nearest(wanted, held)}; {_tell_some(held)}; "
        f"expected one of them or its end, image:ID, or an index 0..{count - 1}"
    )


def _tell_some(names: Collection[str]) -> str:
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return f"it holds {', '.join(list(names)[:_TOLD])}{more}"


@contextmanager
def open_sample(path: Location, index: int) -> Iterator[tuple[ShardReader, int]]:
    """Open the shard that holds a sample of a dataset or shard; yields it and the sample's position in it.

    Raises
    ------
    ConfigError
        If there is nothing at `path`, or no sample of that index.
    ShardError
        If the shard is missing or damaged.
    """
    path = find_directory(path)
    remaining = index
    for open_one, samples in list_shards(path):
        if 0 <= remaining < samples:
            with open_one() as reader:
                yield reader, remaining
            return
        remaining -= samples
    raise _no_index(path, index, index - remaining)


def _no_index(path: AnyPath, index: int, count: int) -> ConfigError:
    return ConfigError(f"{path}: there is no sample {index}; samples are 0..{count - 1}")


def list_shards(path: Location) -> list[tuple[Callable[[], ShardReader], int]]:
    """List what opens each shard of a dataset, or the only one, and how many samples it has; raises as `describe`."""
    path = find_directory(path)
    if not path.exists() and not is_directory(path):
        raise ConfigError(f"{path}: no such file or directory; expected a dataset's directory or a shard")
    if is_directory(path):
        manifest = Manifest.read(path)
        if not manifest.shards:
            from posegen.build.failures import FAILURES_NAME  # all that a build needs comes with it

            raise ShardError(f"{path}: holds no samples: all {manifest.failures} failed, as its {FAILURES_NAME} says")
        return [(partial(open_shard, path, shard), shard.samples) for shard in manifest.shards]
    if not isinstance(path, Path):
        raise ConfigError(f"{path}: is no dataset's directory; a single shard is read from this disk")
    with ShardReader(path) as reader:
        return [(partial(ShardReader, path), len(reader))]


def _read_audit(path: AnyPath, manifest: Manifest) -> dict[str, Any]:
    """Make sure that the audit can be shown."""
    try:
        audit = Audit.from_dict(manifest.audit)
        audit.describe_left_out()
        audit.describe_noticed()
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ShardError(f"{path}: the audit in its manifest is damaged: {error!r:.300}") from error
    return audit.to_dict()


def _describe_shard(reader: ShardReader) -> dict[str, Any]:
    people = reader.people()
    labelled = (people[..., 2] > 0).sum(axis=0)
    counts: dict[str, dict[str, int]] = {}
    if reader.config.sources:
        counts["sources"] = dict(sorted(Counter(reader.column("source", range(len(reader)))).items()))
    if left_out := _list_left_out(reader):
        counts["left_out"] = {
            label: sum(int(reader.label(stored, i).sum()) for i in range(len(reader)))
            for label, stored in left_out.items()
        }
    return counts | {
        "samples": len(reader),
        "people": len(people),
        "bytes": reader.size,
        "keypoints": dict(zip(reader.skeleton.keypoints, labelled.tolist(), strict=True)),
        "arrays": _describe_arrays(reader.arrays()),
        "preview": list_previewed(reader.labels) if reader.has_preview else [],
        "config": reader.config.to_dict(),
        "skeleton": reader.skeleton.to_dict(),
        "versions": reader.versions,
    }


def _list_left_out(reader: ShardReader) -> dict[str, StoredLabel]:
    """List by label the arrays that count who had no place in its others."""
    named = {label.spec.name: label for label in reader.labels}
    return {name.replace(_LEFT_OUT, ""): of for name, of in named.items() if without_stride(name).endswith(_LEFT_OUT)}


def _describe_alike(path: Path, record: ShardRecord, outline: Outline) -> dict[str, Any] | None:
    """Describe a shard by its record in the manifest and the sizes of its arrays, if it is as the first one is."""
    arrays = outline.measure(path, samples=record.samples, people=record.people, size=record.bytes)
    if arrays is None:
        return None
    counts = {"samples": record.samples, "people": record.people, "bytes": record.bytes}
    labelled = dict(zip(outline.keypoints, record.keypoints, strict=True))
    return counts | {"keypoints": labelled, "arrays": _describe_arrays(arrays)}


def _describe_arrays(arrays: Iterable[ArrayInfo]) -> dict[str, dict[str, Any]]:
    return {
        array.name: {
            "shape": list(array.shape),
            "dtype": array.dtype,
            "chunk": list(array.chunk) if array.chunk else None,
            "compressor": array.compressor,
            "stored": array.stored,
            "logical": array.logical,
        }
        for array in arrays
    }


def _add(total: dict[str, Any], shard: dict[str, Any]) -> None:
    """Add one shard's description to that of all, in place."""
    if not total:
        total.update(shard)
        return
    for key in ("config", "skeleton"):
        if key in shard and total[key] != shard[key]:
            raise ShardError(f"the shards of a dataset must have one {key}, but two differ; build it again")
    for key in ("samples", "people", "bytes"):
        total[key] += shard[key]
    for key in ("sources", "left_out"):
        for name, count in shard.get(key, {}).items():
            total[key][name] = total[key].get(name, 0) + count
    for name, count in shard["keypoints"].items():
        total["keypoints"][name] += count
    for name, array in shard["arrays"].items():
        mine = total["arrays"][name]
        mine["shape"][0] += array["shape"][0] - (1 if name.endswith("offsets") else 0)
        mine["stored"] += array["stored"]
        mine["logical"] += array["logical"]
        mine["chunk"] = mine["chunk"] and np.maximum(mine["chunk"], array["chunk"] or 0).tolist()
