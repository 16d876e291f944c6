"""Labels of a dataset that is there, copied as they are packed where other options draw them just the same.

Another sigma changes heatmaps; fields and masks stay what they are. That they do takes three things to know. A shard's
`task_digest` is a hash of all it was built from but the pictures: if a task has the same one under the shard's options,
both have the same samples, to the last number. Options that are not of labels alone must agree. And a label of ours
that equals the one of before, as Python compares them, draws the same people alike. Those of other packages are drawn:
neither how they compare nor their version vouches for them, as whoever works on one changes its code alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.build.plan import ShardTask
from posegen.config import BuildConfig
from posegen.errors import ConfigError, ShardError
from posegen.labels import Label, needs_ignored
from posegen.labels.registry import BUILT_IN
from posegen.shards import ShardReader, StoredLabel, library_versions
from posegen.shards.codecs import CODECS
from posegen.shards.hdf5 import Chunk

_OF_LABELS = frozenset({"labels", "label_options", "grid", "heatmap", "paf", "half_width_px"})
_OF_SIGMA = frozenset({"sigma_px", "sigma_cells", "stride"})
"""The options that a label is made with; the others determine samples and scenes, or how labels are stored."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unchanged:
    """What a task need not draw, as another shard has it, which has the task's samples in their order.

    Attributes
    ----------
    digest
        The task's own.
    labels
        Those labels, and of each the chunks of all samples.
    ignored
        The shard, if what is ignored is read from there, too, because no label is left that has to know it exactly.
    """

    digest: str
    labels: dict[str, tuple[StoredLabel, list[Chunk]]] = field(default_factory=dict)
    ignored: ShardReader | None = None

    def pack(self, name: str, rows: Sequence[int]) -> list[bytes]:
        """Return a label of some of the samples, as it is packed."""
        _, chunks = self.labels[name]
        return [bytes(chunks[row].body) for row in rows]

    def show(self, row: int) -> dict[str, NDArray[Any]]:
        """Return the labels of one sample by name, (1, *label.shape) as they are stored."""
        found = {}
        for name, (label, chunks) in self.labels.items():
            found[name] = np.empty((1, *label.shape), label.storage.dtype)
            chunks[row].unpack(found[name])
        return found


def find_unchanged(task: ShardTask, labels: Sequence[Label], reader: ShardReader | None) -> Unchanged:
    """Find what of a shard a task, whose labels are given, would draw and pack to the same bytes."""
    if reader is None or len(reader) != len(task.samples) or not _agree(task.config, reader.config):
        return Unchanged(digest=task.digest)
    names = _find_equal(labels, reader.config, task)
    if not names or library_versions(reader.config.labels) != reader.versions:
        return Unchanged(digest=task.digest)
    digest, before = task.hash_with([task.config, reader.config])
    if before != reader.task_digest:
        return Unchanged(digest=digest)
    there = {label.spec.name: label for label in reader.labels}
    found = {name: (there[name], chunks) for name in names if (chunks := _read(reader, there[name])) is not None}
    drawn = [label for label in labels if label.spec.name not in found]
    # A label of another package may read what is ignored and not say so, and a fresh build would show it that.
    exact = any(needs_ignored(label) or _is_foreign(label, task.config) for label in drawn)
    return Unchanged(digest=digest, labels=found, ignored=None if exact or not found else reader)


def _agree(config: BuildConfig, before: BuildConfig) -> bool:
    """Tell whether two configurations have the same samples and scenes, and store labels alike."""
    # Where sigma is not everybody's, how people spread is found from it: see `posegen.shards.scene.find_spread`.
    fixed = (config.sigma_scale, config.sigma_keypoints) == ("fixed", "equal")
    free = _OF_LABELS | _OF_SIGMA if fixed else _OF_LABELS
    return all(getattr(config, name) == getattr(before, name) for name in BuildConfig.__slots__ if name not in free)


def _read(reader: ShardReader, label: StoredLabel) -> list[Chunk] | None:
    """Read the chunks of a label; None if they are damaged, or not packed as they would be here."""
    codec = CODECS[reader.config.compression]
    deflate = codec.find_deflate() if codec.find_deflate else None
    values = np.empty(label.shape, label.storage.dtype)
    with contextlib.suppress(ShardError):
        chunks = reader.chunks(label, range(len(reader)))
        if deflate is not None and all(chunk.inflate is codec.inflate for chunk in chunks):
            longest = max(chunks, key=lambda chunk: len(chunk.body))
            longest.unpack(values)  # what packs may be of another version
            return chunks if deflate(values) == longest.body else None
    return None


def _find_equal(labels: Sequence[Label], before: BuildConfig, task: ShardTask) -> list[str]:
    """Find which labels are those that a configuration of before makes; of people's rows none is looked for."""
    try:
        there = {label.spec.name: label for label in before.create_labels(task.skeleton)}
    except ConfigError:  # one of a package that is not here
        return []
    ours = (label for label in labels if not label.spec.by_person and not _is_foreign(label, task.config))
    return [label.spec.name for label in ours if there.get(label.spec.name) == label]


def _is_foreign(label: Label, config: BuildConfig) -> bool:
    """Tell whether another package brings a label: its array is called as it is asked for, or that and `_` and more."""
    name = f"{label.spec.name}_"
    return any(name.startswith(f"{of}_") for of in config.labels if of not in BUILT_IN)
