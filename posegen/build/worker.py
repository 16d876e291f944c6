"""What happens to one shard inside a worker: pictures and points in, a shard out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Sample
from posegen.build.batches import cut_batches
from posegen.build.failures import Failure
from posegen.build.ignored import IgnoredRegions
from posegen.build.pictures import Copier, OldPicture, PictureIdentity, identify_picture
from posegen.build.plan import ShardTask, find_key
from posegen.build.progress import Teller
from posegen.build.scene import Way, find_way, place
from posegen.build.unchanged import find_unchanged
from posegen.config import BuildConfig
from posegen.errors import BuildError, ImageError, PosegenError, ShardError
from posegen.geometry import Affine, Box
from posegen.images import codec, files, warp
from posegen.images.augment import View
from posegen.images.parallel import one_thread
from posegen.labels import Label, Scene, render_scenes
from posegen.labels.base import Drawn
from posegen.labels.direct import draw_stored
from posegen.shards import BuiltSample, ShardRecord, ShardWriter, StoredLabel
from posegen.shards.nexus import Plot
from posegen.shards.preview import preview_built
from posegen.shards.quantize import choose_storage

_Item = TypeVar("_Item")

_SILENT = 0
"""The log level of OpenCV at which it says nothing of bad pictures: their failures are told."""

_TOLD_EVERY_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardResult:
    """What became of a task.

    Attributes
    ----------
    record
        The shard's, if a sample was left to write.
    failures
        The samples that could not be built.
    unturned
        The EXIF orientations that were not applied, by the pictures' file names; not of pictures that were copied.
    identities
        By the pictures' file names what their files were when they were read; None where there was none.
    digest
        The task's.
    copied, afresh
        How many pictures were copied from a dataset, and by reason how many could not be.
    unchanged
        The labels that were copied with them.
    """

    record: ShardRecord | None
    failures: tuple[Failure, ...]
    unturned: Mapping[str, int] = field(default_factory=dict)
    identities: Mapping[str, PictureIdentity | None] = field(default_factory=dict)
    digest: str | None = None
    copied: int = 0
    afresh: Mapping[str, int] = field(default_factory=dict)
    unchanged: tuple[str, ...] = ()


@one_thread()
def build_shard(task: ShardTask, report: Callable[[int], None]) -> ShardResult:
    """Build one shard.

    Parameters
    ----------
    task
        What to build.
    report
        Called with 0 when the first sample's turn comes, and then with how many are done since the last time: after
        each where the task is careful, otherwise a few times a second, as both ends of a pipe take their time.

    Raises
    ------
    OSError
        If the shard cannot be written.
    """
    silence = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel  # of OpenCV 4, of 5
    silence(_SILENT)
    config = task.config
    labels = config.create_labels(task.skeleton)
    stored = [
        StoredLabel(spec=spec, storage=choose_storage(config.label_dtype, spec), layout=config.layout)
        for spec in (label.spec for label in labels)
    ]
    failures: list[Failure] = []
    builder = _SampleBuilder(task, failures, labels)
    unchanged = builder.unchanged
    fresh = [(label, of) for label, of in zip(labels, stored, strict=True) if of.spec.name not in unchanged.labels]
    digest = unchanged.digest
    writer = ShardWriter(len(task.samples), stored, config=config, skeleton=task.skeleton, task_digest=digest)
    told = Teller(report, 0.0 if task.careful else _TOLD_EVERY_S)
    preview: tuple[Plot, ...] = ()
    try:
        done = 0
        for batch in cut_batches(task.samples, [label for label, _ in fresh], one_by_one=task.careful):
            if task.hopeless is not None and len(failures) == done >= task.hopeless:
                return ShardResult(record=None, failures=tuple(failures))
            done += len(batch)
            built, scenes = builder.build(batch, told.count)
            if built:
                drawn = {of.spec.name: _draw(label, of, scenes, built) for label, of in fresh}
                preview = preview or preview_built(config, stored, built[0], drawn | unchanged.show(builder.rows[0]))
                writer.append(built, drawn)
                drawn.clear()
            told.count(1)
        if len(failures) == len(task.samples):
            return ShardResult(record=None, failures=tuple(failures), **builder.seen)
        for name in unchanged.labels:
            writer.copy(name, unchanged.pack(name, builder.rows))
        record = writer.finish(task.directory / task.file_name, preview)
        return ShardResult(
            record=record, failures=tuple(failures), unturned=builder.unturned, digest=digest, **builder.seen
        )
    finally:
        told.close()
        writer.close()
        builder.close()


class _Shown(NamedTuple):
    """A sample's picture: encoded, in which box of its frame, and how it came there."""

    image: bytes
    box: Box
    way: Way


class _SampleBuilder:
    """Builds the samples of a task; people of one image follow each other, so it keeps the last image.

    Parameters
    ----------
    task
        Whose samples.
    failures
        Those that cannot be built are added here.
    labels
        Of the task.
    """

    def __init__(self, task: ShardTask, failures: list[Failure], labels: Sequence[Label]) -> None:
        self._task = task
        self._failures = failures
        self._turn = 0
        self.rows: list[int] = []
        self.unturned: dict[str, int] = {}
        self._name: str | None = None
        self._picture = np.zeros((0, 0, 3), np.uint8)
        self._copier = None if task.pictures is None else Copier(task.pictures)
        self.unchanged = find_unchanged(task, labels, None if self._copier is None else self._copier.open_first())
        self._regions = IgnoredRegions(wanted=self.unchanged.ignored is None)
        self._identities: dict[str, PictureIdentity | None] = {}

    @property
    def seen(self) -> dict[str, Any]:
        """What the pictures' files were, how many were copied and how many could not be, as `ShardResult` has it."""
        copier, seen = self._copier, {"identities": self._identities, "unchanged": tuple(self.unchanged.labels)}
        return seen if copier is None else seen | {"copied": copier.copied, "afresh": dict(copier.afresh)}

    def close(self) -> None:
        """Close what pictures were copied from."""
        if self._copier is not None:
            self._copier.close()

    def build(self, batch: Sequence[Sample], report: Callable[[int], None]) -> tuple[list[BuiltSample], list[Scene]]:
        """Build what is stored of some samples but their labels, and the scenes that these are drawn from.

        First all pictures, then all else: a picture leaves the processor's cache nothing of the latter. `report` is
        called with 1 when the turn of another picture comes.
        """
        shown: list[tuple[int, Sample, _Shown]] = []
        for number, sample in enumerate(batch):
            if number:
                report(1)
            if (picture := self._try(self._show, sample)) is not None:
                shown.append((self._turn + number, sample, picture))
        self._turn += len(batch)
        built = [(row, one) for row, of, what in shown if (one := self._try(self._place, of, what, row)) is not None]
        self.rows += [row for row, _ in built]
        return [sample for _, (sample, _) in built], [scene for _, (_, scene) in built]

    def _try(self, step: Callable[..., _Item], sample: Sample, *rest: Any) -> _Item | None:
        """Return what a step gives of a sample; None if it fails, which is noted."""
        try:
            return step(sample, *rest)
        except (ImageError, MemoryError, cv2.error) as error:
            reason = str(error)
            if not isinstance(error, ImageError):
                reason = f"{sample.file_name}: there is not enough memory for it, or OpenCV refuses it: {error}"
            key = find_key(sample, self._task.config)
            self._failures.append(Failure(key=key, file=sample.file_name, reason=reason))
            return None

    def _show(self, sample: Sample) -> _Shown:
        """Copy or encode a sample's picture; raises `ImageError` if there is none, or the sample is quarantined."""
        config = self._task.config
        if (reason := self._task.quarantined.get(find_key(sample, config))) is not None:
            raise ImageError(reason)
        way = find_way(sample, config)
        if self._copier is not None:
            old = self._copier.find(find_key(sample, config), self._identify(sample.file_name))
            if (copied := self._copy(old, sample, way)) is not None:
                return _Shown(*copied, way)
        return _Shown(*_show(self._open(sample), way, config), way)

    def _place(self, sample: Sample, picture: _Shown, row: int) -> tuple[BuiltSample, Scene]:
        """Map what is annotated of a sample that has a picture, `row` among the task's, into the input."""
        image, box, way = picture
        scene, keypoints, bboxes, unknown = place(sample, self._task, self._regions, way)
        built = BuiltSample(
            image_id=sample.image_id,
            file_name=sample.stated_name,
            width=sample.width,
            height=sample.height,
            affine=scene.affine.matrix,
            image=image,
            box=box,
            ignored=self._find_ignored(sample, row, scene.affine),
            keypoints=keypoints,
            bboxes=bboxes,
            annotation_ids=sample.annotation_ids,
            copy=sample.copy,
            view=(way.view or View()).values,
            unknown=unknown,
            source=sample.source,
        )
        return built, scene

    def _find_ignored(self, sample: Sample, row: int, affine: Affine) -> NDArray[np.bool_] | None:
        """Find which pixels (H, W) of the input are ignored; None if none is."""
        regions = self._regions
        if (reader := self.unchanged.ignored) is not None:
            try:
                return reader.ignored(row)
            except ShardError:
                regions = IgnoredRegions()
        return regions.map(sample, affine, self._task.config.input_size)

    def _identify(self, name: str) -> PictureIdentity | None:
        """Look what a picture's file is before it is read: if it changes meanwhile, the next run notices."""
        if name not in self._identities:
            self._identities[name] = identify_picture(self._task.images, name)
        return self._identities[name]

    def _copy(self, old: OldPicture | None, sample: Sample, way: Way) -> tuple[bytes, Box] | None:
        """Copy a picture of a dataset, if it is to be had and would be encoded to the same bytes."""
        if old is None or self._copier is None:
            return None
        seen = None if self._task.config.augment is None else np.array((way.view or View()).values)
        return self._copier.copy(old, sample, way.affine.matrix, seen)

    def _open(self, sample: Sample) -> NDArray[np.uint8]:
        """Return a sample's picture (height, width, 3) uint8; raises `ImageError` if it has none."""
        size = sample.height, sample.width
        if sample.file_name != self._name or size != self._picture.shape[:2]:
            data, identity = files.read_identified(self._task.images, sample.file_name)
            self._identities.setdefault(sample.file_name, identity)
            exif = self._task.config.exif
            self._picture = codec.decode(data, size, sample.file_name, shown=exif == "shown")
            if (orientation := codec.find_unturned(data, size)) and exif != "shown":
                self.unturned[sample.file_name] = orientation
            self._name = sample.file_name
        return self._picture


def _show(picture: NDArray[np.uint8], way: Way, config: BuildConfig) -> tuple[bytes, Box]:
    """Map a picture into its frame, and encode what there is of it there; `raw` keeps the padding, too."""
    size, frame, affine = picture.shape[:2], config.frame_size, way.affine
    if frame != config.input_size:
        affine = affine.then(Affine.resize(config.input_size, frame))
    show = warp.warp_linear
    if config.unit == "image":
        whole = frame == config.input_size or warp.is_fitted(size, affine)
        show = warp.warp_fitted if whole and way.view is None else warp.warp_view
    if config.image_encoding == "raw":
        pixels, box = show(picture, affine, frame), warp.find_covered(size, affine, frame, show)
    else:
        pixels, box = warp.warp_covered(picture, affine, frame, show)
    return codec.encode(pixels, config.image_encoding, config.jpeg_quality), box


def _draw(label: Label, stored: StoredLabel, scenes: Sequence[Scene], samples: Sequence[BuiltSample]) -> Drawn:
    """Render a label as it is stored; what another package's label raises is said to be its fault."""
    try:
        if (drawn := draw_stored(label, stored.storage.dtype, scenes)) is not None:
            return stored.arrange_stored(drawn)
        return stored.arrange(render_scenes(label, scenes))
    except PosegenError:
        raise
    except Exception as error:
        where = " or ".join(str(sample.image_id) for sample in samples)
        raise BuildError(
            f"label '{stored.spec.name}' cannot be drawn for image {where}: {type(error).__name__}: {error}"
        ) from error
