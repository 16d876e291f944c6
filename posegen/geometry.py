"""Where things are: the only coordinate convention, and the maps from image to input.

Points are (x, y), pixel centres sit at integers: the left edge of the picture is at x = -0.5. Sizes and shapes are
(height, width).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError

Size = tuple[int, int]
"""(height, width)."""

FitMode = Literal["letterbox", "stretch", "cover"]

_CORNERS = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
"""Of a box, in its widths and heights."""


class Box(NamedTuple):
    """Where in a frame there is a picture, in whole pixels, at least one: columns from `x` on, rows from `y` on."""

    x: int
    y: int
    width: int
    height: int

    @property
    def size(self) -> Size:
        """(height, width)."""
        return self.height, self.width

    def cut(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return that part of a frame's pixels (H, W, 3)."""
        return pixels[self.y : self.y + self.height, self.x : self.x + self.width]


@dataclass(frozen=True, slots=True)
class Affine:
    """The map x' = xx x + xy y + x0, y' = yx x + yy y + y0 of points."""

    xx: float
    xy: float
    x0: float
    yx: float
    yy: float
    y0: float

    @classmethod
    def resize(cls, source: Size, target: Size, offset: tuple[int, int] = (0, 0)) -> Affine:
        """Map the pixels of a picture of size `source` to its copy resized to `target` and moved by (x, y) `offset`.

        Resizing by s moves X to s (X + 0.5) - 0.5: it is the pixels' edges that are scaled, not their centres.
        """
        sy, sx = target[0] / source[0], target[1] / source[1]
        return cls(sx, 0.0, 0.5 * sx - 0.5 + offset[0], 0.0, sy, 0.5 * sy - 0.5 + offset[1])

    @classmethod
    def from_matrix(cls, matrix: NDArray[np.floating]) -> Affine:
        """Take a (2, 3) matrix."""
        return cls(*np.asarray(matrix, np.float64).ravel().tolist())

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The (2, 3) float64 matrix, as OpenCV's `warpAffine` takes it."""
        return np.array([[self.xx, self.xy, self.x0], [self.yx, self.yy, self.y0]])

    def apply(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map points (..., 2)."""
        matrix = self.matrix
        return np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]

    def then(self, after: Affine) -> Affine:
        """Return the map that does this and then another one."""
        matrix = after.matrix[:, :2] @ self.matrix
        matrix[:, 2] += after.matrix[:, 2]
        return Affine.from_matrix(matrix)

    def of_part(self, x: float, y: float) -> Affine:
        """Return the map of those points that are counted from x, y on."""
        x0, y0 = self.x0 + self.xx * x + self.xy * y, self.y0 + self.yx * x + self.yy * y
        return Affine(self.xx, self.xy, x0, self.yx, self.yy, y0)

    @property
    def is_upright(self) -> bool:
        """Whether it neither turns nor shears nor mirrors."""
        return not self.xy and not self.yx and self.xx > 0 and self.yy > 0

    def inverse(self) -> Affine:
        """Return the map back. Raises `ConfigError` if there is none."""
        det = self.xx * self.yy - self.xy * self.yx
        if det == 0 or not np.isfinite(det):
            raise ConfigError(f"an affine map with determinant {det} cannot be inverted")
        xx, xy, yx, yy = self.yy / det, -self.xy / det, -self.yx / det, self.xx / det
        return Affine(xx, xy, -xx * self.x0 - xy * self.y0, yx, yy, -yx * self.x0 - yy * self.y0)


def fit(source: Size, target: Size, mode: FitMode) -> Affine:
    """Map a picture of size `source` into a frame of size `target`.

    `letterbox` keeps the aspect ratio and centres the picture on padding, `cover` keeps it and cuts what does not fit,
    `stretch` does not keep it. The picture is resized to whole pixels and moved by whole pixels, so that the map of the
    points is exactly what a resize does to the picture; the aspect ratio is kept to within that rounding.

    Raises
    ------
    ConfigError
        If `mode` is none of the three.
    """
    (h, w), (height, width) = source, target
    if mode == "stretch":
        return Affine.resize(source, target)
    if mode not in {"letterbox", "cover"}:
        raise ConfigError(f"fit must be letterbox, stretch or cover, not '{mode}'")
    choose = min if mode == "letterbox" else max
    scale = choose(height / h, width / w)
    resized = (max(1, round(h * scale)), max(1, round(w * scale)))
    return Affine.resize(source, resized, ((width - resized[1]) // 2, (height - resized[0]) // 2))


def crop(box: Sequence[float], target: Size, *, padding: float = 1.25, corners: bool = False) -> Affine:
    """Map the surroundings of a person into a frame of size `target`, as top-down networks see them.

    The box is enlarged by `padding` about its centre (cx, cy), and its short side grown to the frame's aspect ratio; of
    the (sw, sh) that come of it X' = (X - cx + sw / 2) W / sw, Y likewise, as MSRA's simple baselines do
    (arXiv:1804.06208). With `corners` it is (W - 1) / sw instead: the frame's outermost pixels lie on the box's edges
    (unbiased data processing, arXiv:1911.07524).

    Parameters
    ----------
    box
        x, y, width, height in image pixels; width and height not both 0.
    target
        (H, W) in input pixels.

    Raises
    ------
    ConfigError
        If the box is empty.
    """
    (x, y, width, height), (rows, columns) = box, target
    if not max(width, height) > 0 or min(width, height) < 0:
        raise ConfigError(f"a box of {width:g}x{height:g} pixels cannot be cropped")
    sw = max(width, height * columns / rows) * padding
    sh = sw * rows / columns
    scale_x, scale_y = (columns - corners) / sw, (rows - corners) / sh
    return Affine(scale_x, 0.0, (sw / 2 - x - width / 2) * scale_x, 0.0, scale_y, (sh / 2 - y - height / 2) * scale_y)


def map_each(points: NDArray[np.floating], maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map points (n, m, 2) by maps (n, 2, 3), m points each: what `Affine.apply` gives of them."""
    return np.asarray(points, np.float64) @ maps[:, :, :2].swapaxes(1, 2) + maps[:, None, :, 2]


def map_boxes(boxes: NDArray[np.floating], affine: Affine) -> NDArray[np.float64]:
    """Map (n, 4) boxes x, y, width, height; COCO counts them from the picture's edge, not from a pixel's centre.

    Of a box that is turned the upright box around it is taken.
    """
    if affine.is_upright:  # as `map_each_box` does, in a quarter of its time: of every sample of a build
        return _map_upright(boxes, np.array([affine.xx, affine.yy]), np.array([affine.x0, affine.y0]))
    return map_each_box(boxes, np.broadcast_to(affine.matrix, (len(boxes), 2, 3)))


def map_each_box(boxes: NDArray[np.floating], maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map (n, 4) boxes as `map_boxes` does, each by a map of its own (n, 2, 3)."""
    corners = boxes[:, None, :2] + boxes[:, None, 2:] * _CORNERS - 0.5
    mapped = map_each(corners, maps) + 0.5
    low = mapped.min(axis=1)
    found = np.concatenate([low, mapped.max(axis=1) - low], axis=1)
    scale = maps[:, [0, 1], [0, 1]]
    upright = ~maps[:, [0, 1], [1, 0]].any(axis=1) & (scale > 0).all(axis=1)
    if upright.any():
        found[upright] = _map_upright(boxes[upright], scale[upright], maps[upright, :, 2])
    return found


def _map_upright(
    boxes: NDArray[np.floating], scale: NDArray[np.float64], offset: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Map (n, 4) boxes by maps that only scale and move; their sides are no differences, which would be rounded."""
    corner = (boxes[:, :2] - 0.5) * scale + offset + 0.5
    return np.concatenate([corner, boxes[:, 2:] * scale], axis=1)


def overlap(pixels: int, scale: float, offset: float, cells: int, stride: float) -> NDArray[np.float64]:
    """Measure which share of each cell each source pixel covers, along one axis.

    Source pixel j, which covers j - 0.5 to j + 0.5, is mapped by X' = scale X + offset; cell i covers
    i * stride - 0.5 to (i + 1) * stride - 0.5.

    Returns
    -------
    (cells, pixels) float64. A row adds up to the share of the cell that lies in the picture.
    """
    edges = scale * (np.arange(pixels + 1) - 0.5) + offset
    starts = np.arange(cells)[:, None] * stride - 0.5
    covered = np.clip(edges, starts, starts + stride)
    return np.diff(covered, axis=1) / stride
