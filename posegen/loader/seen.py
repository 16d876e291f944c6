"""Samples in their views: people, boxes and maps are mapped, and the scenes are made that labels are drawn from."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.geometry import Affine
from posegen.images.augment import View
from posegen.labels import Label, Scene, needs_ignored
from posegen.labels.base import needs_ignored_boxes, reads_shown
from posegen.loader.shown import find_boxes, find_region, find_there
from posegen.shards.scene import make_scene, see_people
from posegen.skeleton import Skeleton


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """One sample in its view.

    Attributes
    ----------
    view
        The map of input pixels.
    scene
        What its labels are drawn from.
    there
        (H, W) uint8: how much of each pixel of the stored input is picture and not ignored, from 0 to 255; None where
        all of the stored picture is, or no label asks.
    """

    view: Affine
    scene: Scene
    there: NDArray[np.uint8] | None


class ViewMapper:
    """Maps one dataset's samples into their views.

    Parameters
    ----------
    config, skeleton
        What the dataset was built with.
    labels
        Those that will be drawn.
    views
        Says of an epoch and a number how a sample is seen.
    """

    def __init__(
        self,
        config: BuildConfig,
        skeleton: Skeleton,
        labels: Sequence[Label],
        *,
        views: Callable[[int, int], View],
    ) -> None:
        self._config, self._skeleton, self.find_view = config, skeleton, views
        asking = [label for label in labels if needs_ignored(label)]
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

    def see(
        self,
        epoch: int,
        numbers: Sequence[int],
        told: Mapping[str, Sequence[Any]],
        ignored: Sequence[NDArray[np.bool_] | None],
    ) -> tuple[list[Seen], dict[str, list[Any]]]:
        """Map what is stored of B samples, their people all at once.

        Parameters
        ----------
        epoch, numbers
            Which samples they are.
        told
            By column B values; of the `needed` ones, and others may be there, too.
        ignored
            B bitmaps (H, W) of what is ignored of the input, or None.

        Returns
        -------
        B samples; and by column what becomes of `told`.
        """
        views = [self.find_view(epoch, number) for number in numbers]
        mapped = [view.affine(self._config.input_size) for view in views]
        columns = {name: list(values) for name, values in told.items()}
        columns["affine"] = self._follow(told["affine"], mapped)
        columns["keypoints"], columns["bbox"] = self._see_people(told, views, mapped)
        if "unknown" in told:
            order = list(self._skeleton.mirrored)
            pairs = zip(told["unknown"], views, strict=True)
            columns["unknown"] = [unknown[:, order] if view.flip else unknown for unknown, view in pairs]
        return [self._see(i, view, told, columns, ignored[i]) for i, view in enumerate(mapped)], columns

    def map_affines(self, epoch: int, numbers: Sequence[int], stored: Sequence[NDArray[np.float64]]) -> NDArray[Any]:
        """Follow the maps of B samples' images (2, 3) to the input, as they are stored, by those of their views."""
        size = self._config.input_size
        mapped = [self.find_view(epoch, number).affine(size) for number in numbers]
        return np.array(self._follow(stored, mapped), np.float64).reshape(-1, 2, 3)

    def _see(
        self,
        index: int,
        view: Affine,
        told: Mapping[str, Sequence[Any]],
        columns: Mapping[str, Sequence[Any]],
        ignored: NDArray[np.bool_] | None,
    ) -> Seen:
        """Put one sample together of what is stored and of what became of it."""
        config = self._config
        image_size = int(told["height"][index]), int(told["width"][index])
        stored = Affine.from_matrix(told["affine"][index])
        scene = make_scene(
            config,
            self._skeleton,
            columns["keypoints"][index],
            columns["bbox"][index],
            affine=Affine.from_matrix(columns["affine"][index]),
            image_size=image_size,
            ignored=find_region(ignored, stored, image_size) if self._needs_region and ignored is not None else None,
            unknown=columns["unknown"][index] if "unknown" in columns else None,
            ignored_boxes=find_boxes(ignored, view) if self._needs_boxes and ignored is not None else None,
        )
        there = find_there(image_size, stored, config.input_size, ignored) if self.needs_picture else None
        return Seen(view=view, scene=scene, there=there)

    def _see_people(
        self, told: Mapping[str, Sequence[Any]], views: Sequence[View], mapped: Sequence[Affine]
    ) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """Map the people of B samples: B arrays of keypoints and of boxes."""
        if not views:
            return [], []
        counts = [len(people) for people in told["bbox"]]
        maps = np.repeat([view.matrix for view in mapped], counts, axis=0)
        flips = np.repeat([view.flip for view in views], counts)
        keypoints, bboxes = np.concatenate(told["keypoints"]), np.concatenate(told["bbox"])
        keypoints, bboxes = see_people(keypoints, bboxes, maps, flips, self._skeleton)
        ends = [slice(*ends) for ends in itertools.pairwise(itertools.accumulate(counts, initial=0))]
        return [keypoints[some] for some in ends], [bboxes[some] for some in ends]

    @staticmethod
    def _follow(stored: Sequence[NDArray[np.float64]], mapped: Sequence[Affine]) -> list[NDArray[np.float64]]:
        """Follow B maps (2, 3) by others, as `Affine.then` does."""
        if not mapped:
            return []
        after = np.array([view.matrix for view in mapped])
        affines = after[:, :, :2] @ np.array(stored, np.float64)
        affines[:, :, 2] += after[:, :, 2]
        return list(affines)
