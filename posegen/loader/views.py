"""Fresh views: stored samples scaled, turned, moved and mirrored as they are read, with their labels drawn anew.

The picture is warped, keypoints and boxes are mapped, and every label is drawn of them as a build draws it: labels are
what a dataset has that was built with that very view. A mask is not drawn of segmentations, which are not stored, but
is what the warped bitmap of ignored pixels shows of each cell; the boxes of what is ignored are those of the bitmap's
connected parts. What lies outside of the stored picture, as around a
person's crop, is padding in every view of it.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.errors import ConfigError, ImageError, ShardError
from posegen.geometry import Affine, Size
from posegen.images.augment import Augmentation, View
from posegen.images.stored import StoredPicture
from posegen.images.warp import warp_plane, warp_shown
from posegen.labels import Label, Scene, needs_ignored, render_into, render_scenes
from posegen.labels.base import needs_ignored_boxes, reads_shown
from posegen.loader.shown import find_boxes, find_region, find_there
from posegen.shards import StoredLabel
from posegen.shards.manifest import Manifest
from posegen.shards.scene import make_scene, see_people
from posegen.skeleton import Skeleton
from posegen.storage import AnyPath

Views = Augmentation | str | Mapping[str, Any] | Callable[[int, int], View]
"""How views are asked for: by ranges, as `posegen build --augment` has them, in a text, or in a table such as
`{"scale": (0.5, 1.1), "flip": 0.5}`; or by a function of the epoch and the sample's number."""

LabelsDrawn = Literal["here", "device"]
"""Where labels are drawn: where samples are read, or by the network's device."""

_TOGETHER = 16
"""Samples whose labels are drawn at once: more are not faster."""


@dataclass(slots=True)
class RandomViews:
    """Draws views from ranges.

    Parameters
    ----------
    ranges
        Which.
    seed
        With one, a view depends on it, the epoch and the sample's number alone; without, every process draws anew.
    """

    ranges: Augmentation
    seed: int | None
    _process: int = dataclasses.field(default=-1, init=False)
    _random: np.random.Generator | None = dataclasses.field(default=None, init=False)

    def __call__(self, epoch: int, number: int) -> View:
        """Draw the view of a sample in an epoch, both counted from 0."""
        if self.seed is not None:
            return self.ranges.draw(self.seed, (epoch, number))
        if self._random is None or self._process != os.getpid():
            self._process, self._random = os.getpid(), np.random.default_rng()
        return self.ranges.draw(int(self._random.integers(1 << 63)), (epoch, number))


def read_views(views: Views, seed: int | None) -> Callable[[int, int], View]:
    """Make what draws views of what they were asked for by; raises `ConfigError` if it is no such thing."""
    if isinstance(views, str):
        views = Augmentation.parse(views)
    elif isinstance(views, Mapping):
        known = Augmentation.__slots__
        if unknown := [name for name in views if name not in known]:
            raise ConfigError(f"views have {', '.join(known)}, but no {unknown[0]!r}")
        ranges = dict(views)
        if isinstance(ranges.get("scale"), (list, tuple)):
            ranges["scale"] = tuple(ranges["scale"])
        views = Augmentation(**ranges)
    if isinstance(views, Augmentation):
        return RandomViews(views, seed)
    if not callable(views):
        raise ConfigError(f"views are written scale=0.5-1.1,rotate=40,shift=40,flip=0.5, not {views!r}")
    return views


def read_drawn(views: Views | None, seed: int | None, where: LabelsDrawn, *, raw: bool) -> Callable[[int, int], View]:
    """Make what draws views where labels are drawn; without views samples are seen as they are stored.

    Raises
    ------
    ConfigError
        As `read_views`, and if labels cannot be drawn there.
    """
    if where not in {"here", "device"}:
        raise ConfigError(f"labels are drawn 'here' or on the 'device', not {where!r}")
    if raw and where == "device":
        raise ConfigError("labels that are drawn on the device are not stored: raw does not go with them")
    return see_as_stored if views is None else read_views(views, seed)


def see_as_stored(epoch: int, number: int) -> View:  # noqa: ARG001 (what draws views is given these)
    """See a sample as it is stored, whichever it is."""
    return View()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """One sample in its view.

    Attributes
    ----------
    view
        The map of input pixels.
    scene
        What its labels are drawn from.
    columns
        By field what the sample has besides picture and labels.
    there
        (H, W) uint8: how much of each pixel of the stored input is picture and not ignored, from 0 to 255; None where
        all of the stored picture is, or no label asks.
    """

    view: Affine
    scene: Scene
    columns: Mapping[str, Any]
    there: NDArray[np.uint8] | None


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
        self._config, self._skeleton, self._views, self._raw = config, skeleton, views, raw
        created = {label.spec.name: label for label in config.create_labels(skeleton)} if labels else {}
        for stored in labels:
            label = created.get(stored.spec.name)
            if label is None or dataclasses.replace(label.spec, mirror=stored.spec.mirror) != stored.spec:
                raise ConfigError(
                    f"'{stored.spec.name}' cannot be drawn for views: it is another label than when the dataset was "
                    "built; leave it out of the fields, or build the dataset again"
                )
        self._labels: list[tuple[StoredLabel, Label]] = [(stored, created[stored.spec.name]) for stored in labels]
        asking = [label for _, label in self._labels if needs_ignored(label)]
        self.asking = asking[0].spec.name if asking else None
        """A label that has to know what is ignored; None if there is none."""

        of_region = [label for label in asking if not needs_ignored_boxes(label)]
        self.needs_picture = any(map(reads_shown, of_region))
        """Whether a label is made of what the picture covers."""

        self._needs_region = not all(map(reads_shown, of_region))
        self._needs_boxes = len(of_region) < len(asking)

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that views are made of."""
        unknown = ("unknown",) if self._config.reads_unknown else ()
        return ("keypoints", "bbox", "affine", "width", "height", *unknown)

    def find_view(self, epoch: int, number: int) -> View:
        """Find how a sample is seen."""
        return self._views(epoch, number)

    def see(self, epoch: int, number: int, told: Mapping[str, Any], ignored: NDArray[np.bool_] | None) -> Seen:
        """Map what is stored of a sample; `told` has the `needed` columns, and may have others, which stay."""
        view = self.find_view(epoch, number)
        size, image_size = self._config.input_size, (int(told["height"]), int(told["width"]))
        stored = Affine.from_matrix(told["affine"])
        mapped = view.affine(size)
        keypoints, bboxes = see_people(told["keypoints"], told["bbox"], view, self._skeleton, size)
        affine, unknown = stored.then(mapped), told.get("unknown")
        if view.flip and unknown is not None:
            unknown = unknown[:, list(self._skeleton.mirrored)]
        scene = make_scene(
            self._config,
            self._skeleton,
            keypoints,
            bboxes,
            affine=affine,
            image_size=image_size,
            ignored=find_region(ignored, stored, image_size) if self._needs_region and ignored is not None else None,
            unknown=unknown,
            ignored_boxes=find_boxes(ignored, mapped) if self._needs_boxes and ignored is not None else None,
        )
        there = find_there(image_size, stored, size, ignored) if self.needs_picture else None
        columns = {**told, "keypoints": keypoints, "bbox": bboxes, "affine": affine.matrix}
        if unknown is not None:
            columns["unknown"] = unknown
        return Seen(view=mapped, scene=scene, columns=columns, there=there)

    def map_affine(self, epoch: int, number: int, stored: NDArray[np.float64]) -> Affine:
        """Follow the map of a sample's image (2, 3) to the input, as it is stored, by that of its view."""
        return Affine.from_matrix(stored).then(self.find_view(epoch, number).affine(self._config.input_size))

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
                scenes = [self._show(*one) for one in zip(seen[part], pictures[part], images, strict=True)]
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

    def _show(self, seen: Seen, picture: StoredPicture, image: NDArray[np.uint8] | None) -> Scene:
        """Warp a picture into `image`, if it is wanted, and return the scene with what is shown, if a label asks."""
        shown = np.empty(self._config.input_size, np.uint8) if self.needs_picture else None
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
    if drawer.asking is not None and manifest.format_version == 1:
        raise ConfigError(
            f"{path}: views have no '{drawer.asking}': shards of format 1 do not say what is ignored in a "
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
    box, frame, there = picture.box, picture.frame, seen.there
    affine = Affine(1.0, 0.0, box.x, 0.0, 1.0, box.y)
    if frame != input_size:
        affine = affine.then(Affine.resize(frame, input_size))
        if there is not None:
            there = np.asarray(cv2.resize(there, frame[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
    affine = affine.then(seen.view)
    if image is None:
        if shown is not None:
            warp_plane(np.full(box.size, 255, np.uint8) if there is None else box.cut(there), affine, shown)
        return
    pixels = picture.decode()
    if there is not None:
        cv2.insertChannel(box.cut(there), pixels, 3)
    warp_shown(pixels, affine, image, shown)
