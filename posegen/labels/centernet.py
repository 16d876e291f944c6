"""CenterNet's labels: people's centres, boxes and keypoints on a grid, and a table of the people beside them.

Definition
----------
Twelve arrays, of up to 32 people in slots, in cells. With the strides W / w and H / h, K keypoints, and int() that cuts
off fractions, all in float32: a person's box is mapped and clipped to [0, w - 1] x [0, h - 1]; its middle is c, its
cell int(c). Of a person whose box has no area there is nothing.

- `centernet_hm` (1, h, w) and `centernet_hm_hp` (K, h, w): Gaussians around the cells of the centres, and of the drawn
  keypoints p with 0 <= p < (w, h); people merge by maximum. Their radius r, and with it the patch of 2 r + 1 cells, is
  the least of CornerNet's three for an overlap of 0.7, of the box's sides rounded up; sigma = (2 r + 1) / 6.
- `centernet_wh` (32, 2): the box's width and height. `centernet_reg` (32, 2): c - int(c). `centernet_ind` (32,): the
  number y w + x of the cell int(c). `centernet_reg_mask` (32,): 1 for a person of whom a keypoint is drawn.
- `centernet_hps` (32, 2 K): p - int(c), x and then y of each keypoint in the grid; `centernet_hps_mask` (32, 2 K): 1
  there. `centernet_hp_offset` (32 K, 2): p - int(p); `centernet_hp_ind` (32 K,): the number of the cell int(p);
  `centernet_hp_mask` (32 K,): 1 there.
- `centernet_left_out` (1,): how many more people have a box in the grid.

The slots are the drawn people's, in their order, of more than 32 the largest; then those of people without a drawn
keypoint and of crowds, the largest that there is room for: they have a centre, but the mask 0. Who has no box has that
of the drawn keypoints.

Decoded
-------
Of what a network predicts in their place: hm (1, h, w), hm_hp (K, h, w), wh, reg and hp_offset (2, h, w), hps (2 K, h,
w). People are the cells of hm above 0.1 that are highest of their 3 x 3, and their keypoints where hps points to. Each
keypoint moves to the nearest peak of its channel of hm_hp, at the cell + hp_offset, if that is in the box and not
further away than 0.3 of the box's longer side. Where hps is 0, 0 there is none.

Place of a cell
---------------
A place x in cells, as int(p) + hp_offset is, lies at input pixel x s; y alike.

Source
------
CenterNet, Zhou et al. (arXiv:1904.07850), `MultiPoseDataset` and `multi_pose_decode`; CornerNet, Law and Deng
(arXiv:1808.01244).

Known differences
-----------------
- CenterNet takes the first 32 annotations of an image, drawn or not, in their order.
- In pictures that are turned it draws no centres, but 0.9999 everywhere, and masks all boxes and keypoints, for boxes
  cannot be turned; here they have the upright box around the turned one.
- Of a person without a labelled keypoint it writes 0.9999 to the centre, and then draws the Gaussian over it, which is
  1 there: so it is here.
- It clips the boxes of pictures that it flips otherwise by a pixel, as it mirrors at W - 1 what counts from 0 to W.

Flipped
-------
It cannot be: cells are counted from the left edge of the first pixel, and numbers of cells become others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size
from posegen.labels.base import ArraySpec, Label
from posegen.labels.centernet_people import SLOTS, SlottedPeople, find_people
from posegen.labels.decode.slots import SlotDecoder
from posegen.labels.mirror import LOPSIDED
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene

_NUMBERS = "y w + x becomes another number, and cells are counted from the left edge of the first pixel"

Part = Literal[
    "hm", "hm_hp", "wh", "reg", "ind", "reg_mask", "hps", "hps_mask", "hp_offset", "hp_ind", "hp_mask", "left_out"
]

_PARTS: tuple[Part, ...] = Part.__args__  # type: ignore[attr-defined]

_OF_IGNORED = frozenset({"hm", "wh", "reg", "ind", "left_out"})
"""The arrays in which people without keypoints, and crowds, are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CenterNetLabel:
    """One of CenterNet's arrays; this module's docstring defines them.

    Parameters
    ----------
    part
        Which.
    input_size, cells
        (H, W) in pixels and (h, w).
    keypoints
        The names of the K keypoints.
    """

    part: Part
    input_size: Size
    cells: Size
    keypoints: tuple[str, ...]

    @property
    def needs_ignored(self) -> bool:
        """Whether people who are ignored are in it."""
        return self.part in _OF_IGNORED

    @property
    def needs_ignored_boxes(self) -> bool:
        """Whether their boxes are all it needs of them."""
        return self.needs_ignored

    @property
    def people_rows(self) -> int:
        """How many people have a place along its first axis."""
        return 0 if self.part in {"hm", "hm_hp", "left_out"} else SLOTS

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        (h, w), name = self.cells, f"centernet_{self.part}"
        if self.part in {"hm", "hm_hp"}:
            channels = ("person",) if self.part == "hm" else self.keypoints
            return ArraySpec(name=name, channels=channels, cells=self.cells, mirror=LOPSIDED)
        if self.part == "left_out":
            return ArraySpec(name=name, channels=("people",), cells=(), high=1e6, dtype="int64", mirror=_NUMBERS)
        of_keypoints = self.part.startswith("hp_")
        rows = SLOTS * len(self.keypoints) if of_keypoints else SLOTS
        inner = {"wh": 2, "reg": 2, "hps": 2 * len(self.keypoints), "hps_mask": 2 * len(self.keypoints), "hp_offset": 2}
        dtypes = {"ind": "int64", "hp_ind": "int64", "hp_mask": "int64", "reg_mask": "uint8", "hps_mask": "uint8"}
        highs = {"wh": float(max(h, w)), "hps": float(max(h, w)), "ind": float(h * w), "hp_ind": float(h * w)}
        return ArraySpec(
            name=name,
            channels=_name_rows(rows),
            cells=(),
            low=-float(max(h, w)) if self.part == "hps" else 0.0,
            high=highs.get(self.part, 1.0),
            mirror=_NUMBERS,
            inner=(inner[self.part],) if self.part in inner else (),
            axes=("slot", "value")[: 1 + (self.part in inner)],
            dtype=dtypes.get(self.part, "float32"),
        )

    @property
    def predicted(self) -> ArraySpec:
        """What a network predicts in its place: maps of two values, or of two a keypoint, a cell; or the very array."""
        if self.part not in {"wh", "reg", "hps", "hp_offset"}:
            return self.spec
        names = self.keypoints if self.part == "hps" else ("",)
        channels = tuple(f"{name}:{axis}" for name in names for axis in "xy")
        return ArraySpec(name=self.spec.name, channels=channels, cells=self.cells)

    def render(self, scene: Scene) -> NDArray[Any]:
        """Draw the array of a scene."""
        people = find_people(scene, self.input_size, self.cells)
        if self.part == "hm":
            return self._draw_centres(people)
        if self.part == "hm_hp":
            return self._draw_keypoints(people)
        if self.part == "left_out":
            return np.array([people.left_out], np.int64)
        found, spec = self._tabulate(people), self.spec
        out = np.zeros(spec.shape, spec.dtype)
        out[: len(found)] = found
        return out

    def limits(self, scene: Scene) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the least and the largest values it can have, whoever is ignored."""
        spec = self.spec
        least = np.full(spec.shape, spec.low, np.float32)
        if self.part == "hm":
            least = self.render(dataclasses.replace(scene, ignored_boxes=None))
        return least, np.full(spec.shape, spec.high, np.float32)

    def _tabulate(self, people: SlottedPeople) -> NDArray[Any]:
        """List what the array has of the people, row by row."""
        w, counts = self.cells[1], people.inside[..., None]
        if self.part == "wh":
            return people.size
        if self.part == "reg":
            return people.centre - people.cell
        if self.part == "ind":
            return np.asarray(people.cell[:, 1] * w + people.cell[:, 0])
        if self.part == "reg_mask":
            return people.counted
        if self.part in {"hps", "hps_mask"}:
            ways = np.where(counts, people.points - people.cell[:, None], 0) if self.part == "hps" else counts
            return np.broadcast_to(ways, people.points.shape).reshape(len(ways), 2 * len(self.keypoints))
        cell = np.where(counts, people.points, 0).astype(np.int64)
        if self.part == "hp_offset":
            return np.where(counts, people.points - cell, 0).reshape(-1, 2)
        return (cell[..., 1] * w + cell[..., 0] if self.part == "hp_ind" else people.inside).reshape(-1)

    def _draw_centres(self, people: SlottedPeople) -> NDArray[np.float32]:
        out = np.zeros(self.spec.shape, np.float32)
        for n in np.flatnonzero(people.shown).tolist():
            _draw(out[0], people.cell[n], int(people.radius[n]))
        return out

    def _draw_keypoints(self, people: SlottedPeople) -> NDArray[np.float32]:
        out = np.zeros(self.spec.shape, np.float32)
        for n, k in np.argwhere(people.inside).tolist():
            _draw(out[k], people.points[n, k].astype(np.int64), int(people.radius[n]))
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class CenterNetCentres(CenterNetLabel):
    """The centres' heatmap, from which people are decoded."""

    @property
    def decoder(self) -> str:
        """How a prediction is read."""
        return "people from centres, keypoints at their own peaks, at x s"

    @property
    def found_with(self) -> tuple[str, ...]:
        """The arrays that `find_people` reads."""
        return tuple(f"centernet_{part}" for part in ("hm", "wh", "reg", "hps", "hm_hp", "hp_offset"))

    @property
    def drawn_with(self) -> tuple[str, ...]:
        """The arrays that it reads besides where it is given what was drawn."""
        return "centernet_ind", "centernet_hp_ind"

    def find_people(self, outputs: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find the people of a sample: (n, K, 3) x, y in input pixels, score; and (n,) scores."""
        decoder = SlotDecoder(keypoints=len(self.keypoints), cells=self.cells)
        people, scores = decoder.find({name.removeprefix("centernet_"): of for name, of in outputs.items()})
        people[..., :2] *= np.divide(self.input_size, self.cells)[::-1]
        return people, scores


def create(context: LabelContext) -> tuple[Label, ...]:
    """Make CenterNet's arrays."""
    context.read_options()
    common: dict[str, Any] = {
        "input_size": context.grid.input_size,
        "cells": context.grid.cells,
        "keypoints": context.skeleton.keypoints,
    }
    return tuple((CenterNetCentres if part == "hm" else CenterNetLabel)(part=part, **common) for part in _PARTS)


@lru_cache(maxsize=64)
def _name_rows(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


@lru_cache(maxsize=256)
def _make_patch(radius: int) -> NDArray[np.float32]:
    """Draw a Gaussian (2 r + 1, 2 r + 1) of the sigma that CenterNet gives it."""
    squares = np.arange(-radius, radius + 1) ** 2
    sigma = (2 * radius + 1) / 6
    patch = np.exp(-(squares[:, None] + squares) / (2 * sigma * sigma)).astype(np.float32)
    patch.setflags(write=False)
    return patch


def _draw(plane: NDArray[np.float32], cell: NDArray[np.int64], radius: int) -> None:
    """Draw a Gaussian around a cell x, y of a plane (h, w)."""
    x, y = cell.tolist()
    top, left = max(y - radius, 0), max(x - radius, 0)
    window = plane[top : y + radius + 1, left : x + radius + 1]
    patch = _make_patch(radius)[radius - (y - top) :, radius - (x - left) :]
    np.maximum(window, patch[: window.shape[0], : window.shape[1]], out=window)
