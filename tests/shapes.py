"""A package that brings a label of every shape there can be, and what its values are by hand."""

from __future__ import annotations

CODE = '''
from dataclasses import dataclass

import numpy as np

from posegen.labels import ArraySpec, ChannelMirror, mirror_keypoints

BINS = 7


@dataclass(frozen=True)
class Bins:
    """In which seventh of the input's height each keypoint is drawn for how many: (K, 7)."""

    keypoints: tuple
    height: int
    mirror: object

    @property
    def spec(self):
        return ArraySpec(
            name="shapes_bins", channels=self.keypoints, cells=(), high=99.0, inner=(BINS,), axes=("keypoint", "bin"),
            mirror=self.mirror,
        )

    def render(self, scene):
        found = np.zeros((len(self.keypoints), BINS), np.float32)
        for points, drawn in zip(scene.points, scene.drawn):
            for k in np.flatnonzero(drawn):
                found[k, int(np.clip(points[k, 1] * BINS / self.height, 0, BINS - 1))] += 1
        return found


@dataclass(frozen=True)
class Field:
    """The way to the nearest drawn keypoint of a kind, x and y in shares of the input; nobody knows it of none."""

    keypoints: tuple
    input_size: tuple
    cells: tuple
    mirror: object

    @property
    def spec(self):
        return ArraySpec(
            name="shapes_field", channels=self.keypoints, cells=self.cells, low=-9.0, high=9.0, inner=(2,),
            axes=("keypoint", "part", "y", "x"), mirror=self.mirror, unknown=True,
        )

    def render(self, scene):
        (height, width), (rows, columns) = self.input_size, self.cells
        found = np.full(self.spec.shape, np.nan, np.float32)
        ys, xs = (np.arange(rows) + 0.5) * height / rows - 0.5, (np.arange(columns) + 0.5) * width / columns - 0.5
        for k in range(len(self.keypoints)):
            points = scene.points[scene.drawn[:, k], k]
            points = points[np.lexsort(points.T)]
            if len(points):
                ways = np.stack([
                    np.broadcast_to(points[:, 0, None, None] - xs, (len(points), rows, columns)),
                    np.broadcast_to(points[:, 1, None, None] - ys[:, None], (len(points), rows, columns)),
                ], axis=1)
                nearest = np.square(ways).sum(axis=1).argmin(axis=0)
                way = np.take_along_axis(ways, nearest[None, None], axis=0)[0]
                found[k] = np.clip(way / np.array([width, height])[:, None, None], -9, 9)
        return found


@dataclass(frozen=True)
class Places:
    """Of each person the pixel of each keypoint, y * 1000 + x, and 1 if it is drawn: whole numbers (N, K, 2)."""

    keypoints: tuple

    @property
    def spec(self):
        return ArraySpec(
            name="shapes_places", channels=self.keypoints, cells=(), high=1e9, inner=(2,), axes=("keypoint", "value"),
            dtype="int64", by_person=True, mirror="it counts pixels from the left",
        )

    def render(self, scene):
        found = np.zeros((*scene.drawn.shape, 2), np.int64)
        x, y = np.moveaxis(np.where(scene.drawn[..., None], scene.points, 0).clip(0, 900).astype(int), -1, 0)
        found[..., 0] = y * 1000 + x
        found[..., 1] = scene.drawn
        found[~scene.drawn] = 0
        return found


@dataclass(frozen=True)
class Sides:
    """Of each person where its keypoints lie along x, from -1 to 1, where 0 is the middle: (N, K)."""

    keypoints: tuple
    width: int
    mirror: object

    @property
    def spec(self):
        return ArraySpec(
            name="shapes_sides", channels=self.keypoints, cells=(), low=-5.0, high=5.0, by_person=True,
            mirror=self.mirror,
        )

    def render(self, scene):
        middle = (self.width - 1) / 2
        x = np.where(scene.drawn, scene.points[..., 0], middle)
        return ((x - middle) / middle).clip(-5, 5).astype(np.float32)


@dataclass(frozen=True)
class Counts:
    """How many drawn keypoints lie in each cell: whole numbers (1, h, w)."""

    input_size: tuple
    cells: tuple

    @property
    def spec(self):
        mirror = ChannelMirror(order=(0,))
        return ArraySpec(
            name="shapes_counts", channels=("count",), cells=self.cells, high=255.0, dtype="uint8", mirror=mirror
        )

    def render(self, scene):
        found = np.zeros((1, *self.cells), np.uint8)
        x, y = scene.points[scene.drawn].T
        column, row = (
            np.floor((v + 0.5) * n / size).astype(int)
            for v, n, size in ((x, self.cells[1], self.input_size[1]), (y, self.cells[0], self.input_size[0]))
        )
        inside = (column >= 0) & (column < self.cells[1]) & (row >= 0) & (row < self.cells[0])
        np.add.at(found[0], (row[inside], column[inside]), 1)
        return found


def create(context):
    context.read_options()
    (height, width), cells, names = context.grid.input_size, context.grid.cells, context.skeleton.keypoints
    keep = mirror_keypoints(context.skeleton)
    two = mirror_keypoints(context.skeleton, channels=2, negated=(0,))
    turned = ChannelMirror(order=keep.order, negated=tuple(range(len(names))))
    return (
        Bins(names, height, keep), Field(names, (height, width), cells, two), Places(names),
        Sides(names, width, turned), Counts((height, width), cells),
    )
'''
NAMES = ("shapes_bins", "shapes_field", "shapes_places", "shapes_sides", "shapes_counts")
BY_PERSON = ("shapes_places", "shapes_sides")
