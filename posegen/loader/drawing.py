"""Fresh views: stored samples scaled, turned, moved and mirrored as they are read, with their labels drawn anew.

The picture is warped, keypoints and boxes are mapped, and every label is drawn of them as a build draws it: labels are
what a dataset has that was built with that very view. A mask is not drawn of segmentations, which are not stored, but
is what the warped bitmap of ignored pixels shows of each cell; the boxes of what is ignored are those of the bitmap's
connected parts. What lies outside of the stored picture, as around a person's crop, is padding in every view of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.errors import ConfigError, ImageError, ShardError
from posegen.geometry import Affine, Size
from posegen.images.augment import View
from posegen.images.scratch import Scratch
from posegen.images.stored import StoredPicture
from posegen.images.warp import warp_plane, warp_shown
from posegen.labels import Label, Scene, render_into, render_scenes
from posegen.loader.seen import Seen, ViewMapper
from posegen.shards import StoredLabel
from posegen.shards.manifest import Manifest
from posegen.skeleton import Skeleton
from posegen.storage import AnyPath

_TOGETHER = 16
"""Samples whose labels are drawn at once: more are not faster."""

_SHOWN = Scratch()


class ViewDrawer:
    """Draws the views of one dataset's samples.

    Parameters
    ----------
    config, skeleton
        What the dataset was built with.
    labels
        How those of its labels lie in it that are wanted.
    views
        Says of an epoch and a number how a sample is seen.
    raw
        Whether labels are made as they are stored.

    Raises
    ------
    ConfigError
        If a label cannot be made again, or is another one than when the dataset was built.
    """

    def __init__(
        self,
        config: BuildConfig,
        skeleton: Skeleton,
        labels: Sequence[StoredLabel],
        *,
        views: Callable[[int, int], View],
        raw: bool,
    ) -> None:
        self._config, self._raw = config, raw
        created = {label.spec.name: label for label in config.create_labels(skeleton)} if labels else {}
        for stored in labels:
            label = created.get(stored.spec.name)
            if label is None or dataclasses.replace(label.spec, mirror=stored.spec.mirror) != stored.spec:
                raise ConfigError(
                    f"'{stored.spec.name}' cannot be drawn for views: it is another label than when the dataset was "
                    "built; leave it out of the fields, or build the dataset again"
                )
        self._labels: list[tuple[StoredLabel, Label]] = [(stored, created[stored.spec.name]) for stored in labels]
        self.mapper = ViewMapper(config, skeleton, [label for _, label in self._labels], views=views)
        """Maps samples into their views."""

    def draw(
        self, seen: Sequence[Seen], pictures: Sequence[StoredPicture] | None, arrays: Mapping[str, NDArray[Any]]
    ) -> None:
        """Draw pictures and labels of B samples into arrays (B, ...), those of people excepted.

        Raises
        ------
        ShardError
            If a picture is damaged.
        """
        for start in range(0, len(seen), _TOGETHER):
            part = slice(start, start + _TOGETHER)
            scenes = [one.scene for one in seen[part]]
            if pictures is not None:
                images = arrays["image"][part] if "image" in arrays else [None] * len(scenes)
                shape = len(scenes), *self._config.input_size
                planes = _SHOWN.lend(shape, np.uint8) if self.mapper.needs_picture else [None] * len(scenes)
                scenes = [self._show(*one) for one in zip(seen[part], pictures[part], images, planes, strict=True)]
            for stored, label in self._labels:
                if not stored.spec.by_person:
                    self._draw(stored, label, scenes, arrays[stored.spec.name][part])

    def draw_people(self, seen: Sequence[Seen]) -> dict[str, list[NDArray[Any]]]:
        """Draw the labels by person of B samples: by name B arrays (n, ...)."""
        found: dict[str, list[NDArray[Any]]] = {}
        for stored, label in self._labels:
            if stored.spec.by_person:
                rows = render_scenes(label, [one.scene for one in seen]) if seen else []
                found[stored.spec.name] = [self._lay_out(stored, np.asarray(row)) for row in rows]
        return found

    def _draw(self, stored: StoredLabel, label: Label, scenes: Sequence[Scene], out: NDArray[Any]) -> None:
        """Draw a label of S scenes into `out`; right there, if that lies as a label does."""
        if not self._raw and stored.lay_out(out) is out:
            render_into(label, scenes, out)
        else:
            out[...] = self._lay_out(stored, np.asarray(render_scenes(label, scenes)))

    def _show(
        self,
        seen: Seen,
        picture: StoredPicture,
        image: NDArray[np.uint8] | None,
        shown: NDArray[np.uint8] | None,
    ) -> Scene:
        """Warp a picture into `image` and `shown`, where they are wanted; return the scene that knows the latter."""
        try:
            _warp(picture, seen, self._config.input_size, image, shown)
        except ImageError as error:
            raise ShardError(str(error)) from error
        return seen.scene if shown is None else dataclasses.replace(seen.scene, shown=shown)

    def _lay_out(self, stored: StoredLabel, drawn: NDArray[Any]) -> NDArray[Any]:
        """Bring (S, *spec.shape) into the layout of the dataset, as values or as what is stored of these."""
        if not self._raw:
            return stored.lay_out(drawn)
        return stored.arrange([drawn])[0] if stored.spec.by_person else np.asarray(stored.arrange(drawn))


def open_drawer(
    path: AnyPath, manifest: Manifest, labels: Sequence[StoredLabel], *, views: Callable[[int, int], View], raw: bool
) -> ViewDrawer:
    """Make what draws views of a dataset.

    Raises
    ------
    ConfigError
        As `ViewDrawer`, and if shards do not say what a label has to know.
    """
    drawer = ViewDrawer(manifest.config, manifest.skeleton, labels, views=views, raw=raw)
    if drawer.mapper.asking is not None and manifest.format_version == 1:
        raise ConfigError(
            f"{path}: views have no '{drawer.mapper.asking}': shards of format 1 do not say what is ignored in a "
            "picture; build the dataset again, or leave it out of the fields"
        )
    return drawer


def _warp(
    picture: StoredPicture,
    seen: Seen,
    input_size: Size,
    image: NDArray[np.uint8] | None,
    shown: NDArray[np.uint8] | None,
) -> None:
    """Warp a stored picture into `image`, and what is there of it into `shown`, where there are these."""
    box, frame, there, affine = picture.box, picture.frame, seen.there, seen.view
    if frame != input_size:
        affine = Affine.resize(frame, input_size).then(affine)
        if there is not None:
            there = np.asarray(cv2.resize(there, frame[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
    affine = affine.of_part(box.x, box.y)
    if image is None:
        if shown is not None:
            warp_plane(np.full(box.size, 255, np.uint8) if there is None else box.cut(there), affine, shown)
        return
    pixels = picture.decode()
    if there is not None:
        cv2.insertChannel(box.cut(there), pixels, 3)
    warp_shown(pixels, affine, image, shown)
