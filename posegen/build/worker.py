"""What happens to one shard inside a worker: pictures and points in, a shard out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Sample
from posegen.build.failures import Failure
from posegen.build.ignored import find_ignored
from posegen.build.persons import find_box
from posegen.build.plan import ShardTask
from posegen.build.scene import find_spread
from posegen.config import BuildConfig
from posegen.errors import BuildError, ImageError, PosegenError
from posegen.geometry import Affine, crop, fit
from posegen.images import codec, files, warp
from posegen.images.augment import View
from posegen.labels import Label, Scene, render_scenes
from posegen.shards import BuiltSample, ShardRecord, ShardWriter, StoredLabel
from posegen.shards.quantize import choose_storage

_Item = TypeVar("_Item")

_MOST_TOGETHER = 16
_BATCH_BYTES = 1 << 23
"""Of the labels that are drawn together: more at once is not faster, and takes memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardResult:
    """What became of a task: the shard's record, if a sample was left to write, and the failures."""

    record: ShardRecord | None
    failures: tuple[Failure, ...]


def build_shard(task: ShardTask, report: Callable[[int], None]) -> ShardResult:
    """Build one shard; `report` is called with 0 when its first sample's turn comes, and with 1 after each.

    Raises
    ------
    OSError
        If the shard cannot be written.
    """
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    config = task.config
    labels = config.create_labels(task.skeleton)
    stored = [
        StoredLabel(spec=label.spec, storage=choose_storage(config.label_dtype, label.spec), layout=config.layout)
        for label in labels
    ]
    failures: list[Failure] = []
    pictures = _Pictures(task)
    writer = ShardWriter(len(task.samples), stored, config=config, skeleton=task.skeleton, task_digest=task.digest)
    try:
        report(0)
        for batch in cut_batches(task.samples, labels):
            built, scenes = [], []
            for i, sample in enumerate(batch, start=1):
                try:
                    one, scene = _build_sample(sample, task, pictures)
                    built.append(one)
                    scenes.append(scene)
                except ImageError as error:
                    failures.append(_describe(sample, task, str(error)))
                except (MemoryError, cv2.error) as error:
                    why = f"{sample.file_name}: there is not enough memory for it, or OpenCV refuses it: {error}"
                    failures.append(_describe(sample, task, why))
                if i < len(batch):
                    report(1)
            if built:
                drawn = ((s.spec.name, _draw(label, s, scenes, built)) for label, s in zip(labels, stored, strict=True))
                writer.append(built, dict(drawn))
            report(1)
        if len(failures) == len(task.samples):
            return ShardResult(record=None, failures=tuple(failures))
        return ShardResult(record=writer.finish(task.directory / task.file_name), failures=tuple(failures))
    finally:
        writer.close()


def cut_batches(samples: Sequence[_Item], labels: Sequence[Label]) -> Iterator[Sequence[_Item]]:
    """Cut samples, or their scenes, into the batches whose labels are drawn together."""
    size = sum(math.prod(label.spec.shape) for label in labels) * np.dtype(np.float32).itemsize
    step = max(1, min(_MOST_TOGETHER, _BATCH_BYTES // max(size, 1)))
    for start in range(0, len(samples), step):
        yield samples[start : start + step]


def place(sample: Sample, task: ShardTask) -> tuple[Scene, NDArray[np.float32]]:
    """Map a sample's people into the input.

    Returns
    -------
    The scene to draw labels from, and the (N, K, 3) float32 x, y, v that are stored. The scene has the stored values,
    so that labels can be drawn again from a shard.
    """
    config = task.config
    size = sample.height, sample.width
    if config.unit == "person":
        affine = crop(find_box(sample), config.input_size, padding=config.box_padding, corners=config.crop == "udp")
    else:
        affine = fit(size, config.input_size, config.fit)
    derived = task.skeleton.derive(sample.keypoints, task.names)
    view = find_view(sample, config)
    if view is not None:
        affine = affine.then(view.affine(config.input_size))
        if view.flip:
            derived = derived[:, task.skeleton.mirrored]
    labelled = derived[..., 2] > 0
    keypoints = np.zeros(derived.shape, np.float32)
    keypoints[..., :2] = affine.apply(derived[..., :2])
    keypoints[..., 2] = derived[..., 2]
    keypoints[~labelled] = 0
    scene = Scene(
        points=keypoints[..., :2].astype(np.float64),
        drawn=labelled if config.visibility == "labelled" else derived[..., 2] == 2,
        image_size=size,
        affine=affine,
        ignored=find_ignored(sample) if task.needs_ignored else None,
        spread=find_spread(config, task.skeleton, keypoints, _map_boxes(sample.bboxes, affine)),
    )
    return scene, keypoints


def find_view(sample: Sample, config: BuildConfig) -> View | None:
    """Find how a sample is seen; None if it is as it fits."""
    return config.draw_view(sample.image_id, sample.annotation_ids.tolist(), sample.copy)


class _Pictures:
    """Reads the pictures of a task's samples, and keeps the last: people of one image follow each other."""

    def __init__(self, task: ShardTask) -> None:
        self._images = task.images
        self._name: str | None = None
        self._picture = np.zeros((0, 0, 3), np.uint8)

    def open(self, sample: Sample) -> NDArray[np.uint8]:
        """Return a sample's picture (height, width, 3) uint8; raises `ImageError` if it has none."""
        size = sample.height, sample.width
        if sample.file_name != self._name or size != self._picture.shape[:2]:
            data = files.read_file(self._images, sample.file_name)
            self._picture = codec.decode(data, size, sample.file_name)
            self._name = sample.file_name
        return self._picture


def _describe(sample: Sample, task: ShardTask, reason: str) -> Failure:
    person = int(sample.annotation_ids[0]) if task.config.unit == "person" else None
    copy = sample.copy if task.config.copies > 1 else None
    return Failure(image_id=sample.image_id, annotation_id=person, copy=copy, file=sample.file_name, reason=reason)


def _build_sample(sample: Sample, task: ShardTask, pictures: _Pictures) -> tuple[BuiltSample, Scene]:
    """Build what is stored of a sample but its labels, and the scene that these are drawn from."""
    if (reason := task.quarantined.get(sample.image_id)) is not None:
        raise ImageError(reason)
    config = task.config
    picture = pictures.open(sample)
    scene, keypoints = place(sample, task)
    view = find_view(sample, config)
    show = warp.warp_linear if config.unit == "person" else warp.warp_fitted if view is None else warp.warp_view
    picture = show(picture, scene.affine, config.input_size)
    built = BuiltSample(
        image_id=sample.image_id,
        file_name=sample.file_name,
        width=sample.width,
        height=sample.height,
        affine=scene.affine.matrix,
        image=codec.encode(picture, config.image_encoding, config.jpeg_quality),
        keypoints=keypoints,
        bboxes=_map_boxes(sample.bboxes, scene.affine),
        annotation_ids=sample.annotation_ids,
        copy=sample.copy,
        view=(view or View()).values,
    )
    return built, scene


def _draw(label: Label, stored: StoredLabel, scenes: Sequence[Scene], samples: Sequence[BuiltSample]) -> NDArray[Any]:
    """Render a label as it is stored; what another package's label raises is said to be its fault."""
    try:
        return stored.arrange(render_scenes(label, scenes))
    except PosegenError:
        raise
    except Exception as error:
        where = " or ".join(str(sample.image_id) for sample in samples)
        raise BuildError(
            f"label '{stored.spec.name}' cannot be drawn for image {where}: {type(error).__name__}: {error}"
        ) from error


def _map_boxes(boxes: NDArray[np.float64], affine: Affine) -> NDArray[np.float32]:
    """Map (n, 4) boxes x, y, width, height; COCO counts them from the picture's edge, not from a pixel's centre.

    Of a box that is turned the upright box around it is taken.
    """
    if affine.is_upright:
        scale = np.array([affine.xx, affine.yy])
        corner = affine.apply(boxes[:, :2] - 0.5) + 0.5
        return np.column_stack([corner, boxes[:, 2:] * scale]).astype(np.float32)
    corners = boxes[:, None, :2] + boxes[:, None, 2:] * np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) - 0.5
    mapped = affine.apply(corners) + 0.5
    return np.column_stack([mapped.min(axis=1), np.ptp(mapped, axis=1)]).astype(np.float32)
