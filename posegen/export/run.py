"""Writing a dataset in another form: a file a shard, and what they have in common last."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Literal, get_args

from posegen.build.progress import Progress
from posegen.errors import ConfigError, nearest
from posegen.export import parquet, webdataset
from posegen.export.samples import describe, read_samples
from posegen.files import TEMPORARY_SUFFIX, write_atomically
from posegen.loader import PoseDataset
from posegen.storage import Location

Format = Literal["webdataset", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

DESCRIPTION_NAME = "posegen.json"
_WRITERS = {"webdataset": webdataset, "parquet": parquet}


def export(
    dataset: Location, out: str | os.PathLike[str], *, form: Format, progress: Progress | None = None
) -> list[Path]:
    """Write a dataset as tar archives that WebDataset reads, or as Parquet; a file a shard.

    Pictures are those of the input: as they are stored where they fill it, or else with their padding, as PNG. Labels
    are as stored, value = stored x scale; shapes and scales are in `posegen.json`, which is written last.

    Parameters
    ----------
    dataset
        Its directory or URL.
    out
        A directory that does not exist, or is empty.
    form
        `webdataset`: of each sample `NUMBER.jpg` or `.png`, `NUMBER.LABEL.npy`, and `NUMBER.json`, what else there is
        of it. `parquet`: a row for each sample, with arrays as flat lists.
    progress
        Called after every sample.

    Returns
    -------
    The files, in the order of the shards.

    Raises
    ------
    ConfigError
        If there is no such format, or `out` holds something.
    MissingExtraError
        If the format's library is not installed.
    ShardError
        If there is no such dataset, or it is damaged.
    OSError
        If a file cannot be written.
    """
    if form not in FORMATS:
        raise ConfigError(f"format must be {' or '.join(FORMATS)}, not {form!r}{nearest(str(form), FORMATS)}")
    directory = Path(out)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError(f"{directory}: is not empty; choose a new directory")
    writer = _WRITERS[form]
    writer.load()
    data = PoseDataset(dataset, raw=True)
    directory.mkdir(parents=True, exist_ok=True)
    description, written = describe(data), []
    data.pool.expect(range(len(data)))
    done = 0
    for shard, record in enumerate(data.manifest.shards):
        path = directory / f"{Path(record.file).stem}{writer.SUFFIX}"
        temporary = directory / f".{path.name}{TEMPORARY_SUFFIX}"
        try:
            writer.write(temporary, read_samples(data, shard), description)
            temporary.replace(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
        written.append(path)
        done += record.samples
        if progress is not None:
            progress(done, len(data))
    data.close()
    listed = description | {"format": form, "files": [path.name for path in written]}
    write_atomically(directory / DESCRIPTION_NAME, (json.dumps(listed, indent=2, ensure_ascii=False) + "\n").encode())
    return written
