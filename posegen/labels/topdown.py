"""The heatmaps that networks' own pipelines draw on cells: one Gaussian a keypoint, of a person or of many.

Legend: N people, K keypoints, h x w cells; mu is where a keypoint lies in cells.

Definition
----------
Of the kinds below, without a background. For a keypoint k in input pixels, with the stride s = W / w along x and H / h
along y, and int() that cuts off fractions; people merge by maximum:

- `msra`: exp(-|p - mu|^2 / (2 sigma^2)) around the cell mu = int(k / s + 0.5), on the patch of cells that lie within 3
  sigma of mu along both axes.
- `msra-unbiased`: the same around mu = k / s itself, on all cells.
- `udp`: s = (W - 1) / (w - 1), around mu = k / s, on the patch around int(mu + 0.5).
- `megvii`: 1 at the cell int(k / s), blurred as OpenCV's `GaussianBlur` does, and scaled to peak at 1. Of the kernels
  it is the one to which OpenCV's rule gives the sigma nearest to the label's; 11 x 11 for 2 cells.
- `higherhrnet`: as `msra` around the cell mu = int(k / s), if that lies in the map, on the patch within 3 sigma + 1.

Place of a cell
---------------
Cell i of w lies at input pixel x = i s; y alike. For `udp` that is i (W - 1) / (w - 1). For `megvii` and
`higherhrnet` a peak at cell i says that the keypoint is in [i s, (i + 1) s): x = (i + 0.5) s, after a quarter of a cell
towards the higher neighbour.

Decoded
-------
The highest cell of a channel, and a step from it; blurred is with the kernel that `megvii` is drawn with, nothing
beyond the map.

- `msra`: a quarter of a cell towards the higher neighbour.
- `msra-unbiased`: of the blurred map's logarithm the Taylor series' maximum, with second differences over two cells.
- `udp`: the same with second differences of neighbours, borders repeated.
- `megvii`: the highest cell of the blurred map, and half a cell and a quarter towards the higher neighbour.
- `higherhrnet`: half a cell and a quarter towards the higher neighbour.

Of many people the cells above 0.1 that are highest of their 3 x 3, of equal ones the first, and the same step.

Source
------
- `msra`: Xiao et al., Simple Baselines (arXiv:1804.06208), and HRNet; MMPose's `MSRAHeatmap`.
- `msra-unbiased`: DARK, Zhang et al. (arXiv:1910.06278); `MSRAHeatmap` with `unbiased`.
- `udp`: Huang et al. (arXiv:1911.07524); MMPose's `UDPHeatmap`. For its combined maps see the label `offset`.
- `megvii`: CPN, Chen et al. (arXiv:1711.07319), and MSPN; MMPose's `MegviiHeatmap`.
- `higherhrnet`: Cheng et al. (arXiv:1908.10357), `HeatmapGenerator`.

Known differences
-----------------
- Where 3 sigma is not whole, some of theirs put the peak a cell beside mu. Here it never is.
- Of `msra-unbiased`, what reaches the map of a keypoint that weighs 0, further than 3 sigma away and below 0.012, is
  drawn.
- `megvii` peaks at 255 in theirs, in the keypoint's cell. Within two cells of the border, where the blur mirrors, the
  largest value can be another cell's, and here it is that one that is 1.
- HigherHRNet's kernel lies up to half a cell beside its keypoint's where 3 sigma is not whole, as it can be with sigmas
  that grow with people; here it never does.

Flipped
-------
`udp` can be: keypoints change places. The others count cells from the left edge of the first pixel, not from its
middle: of flipped people they are drawn elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.geometry import Size
from posegen.labels.base import ArraySpec
from posegen.labels.decode import Peaks
from posegen.labels.decode.peaks import (
    Peak,
    blur,
    find_doubt,
    find_highest,
    find_local,
    find_radius,
    step_dark,
    step_quarter,
    to_points,
)
from posegen.labels.mirror import LOPSIDED, UNSAID, ChannelMirror, mirror_keypoints
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene, stack_spread

TopDownKind = Literal["msra", "msra-unbiased", "udp", "megvii", "higherhrnet"]

TOP_DOWN_KINDS: tuple[str, ...] = get_args(TopDownKind)

_DECODERS: dict[str, str] = {
    "msra": "peak and a quarter step to its larger neighbours, at i s",
    "msra-unbiased": "peak, refined as DARK does, at i s",
    "udp": "peak, refined as DARK does, at i (W - 1) / (w - 1)",
    "megvii": "blurred again, peak and a quarter step, at (i + 0.5) s",
    "higherhrnet": "peak and a quarter step, at (i + 0.5) s",
}

_INSIDE = frozenset({"megvii", "higherhrnet"})
"""The kinds of which a keypoint lies inside of its cell, which has to be in the map."""

PATCH_SIGMAS = 3
"""How far a patch reaches from its middle cell."""

ROUNDING = 1e-9
"""In cells: what the rounding of a product may not decide."""

_BLOCK = 1 << 17
"""Values drawn at once: enough to spread the cost of a NumPy call, few enough to stay in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopDownLabel:
    """Gaussians in units of cells, as the top-down networks' own pipelines draw them; people merge by maximum.

    This module's docstring defines them.

    Parameters
    ----------
    kind
        Which of them.
    input_size, cells
        (H, W) in pixels and (h, w).
    keypoints
        The names of the K channels.
    sigma_cells
        Standard deviation in cells; a scene's `spread` multiplies it, but for `megvii`.
    mirror
        Of its channels, for `udp`; the others cannot be flipped.

    Raises
    ------
    ConfigError
        If there is no such kind, or `udp` has a single row or column of cells.
    """

    kind: TopDownKind
    input_size: Size
    cells: Size
    keypoints: tuple[str, ...]
    sigma_cells: float
    mirror: ChannelMirror | str = UNSAID

    def __post_init__(self) -> None:
        if self.kind not in TOP_DOWN_KINDS:
            raise ConfigError(f"a top-down heatmap must be {', '.join(TOP_DOWN_KINDS)}, not '{self.kind}'")
        if self.kind == "udp" and min(self.cells) < 2:
            raise ConfigError(f"udp needs two cells along each axis, not {self.cells[1]}x{self.cells[0]}")

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        mirror = self.mirror if self.kind == "udp" else LOPSIDED
        return ArraySpec(name="heatmap", channels=self.keypoints, cells=self.cells, mirror=mirror)

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (K, h, w) float32 from 0 to 1."""
        return self.render_many([scene])[0]

    def render_many(self, scenes: Sequence[Scene]) -> NDArray[np.float32]:
        """Draw (S, K, h, w) float32 of S scenes: what `render` gives, sooner."""
        (h, w), alone = self.cells, all(len(scene.drawn) <= 1 for scene in scenes)
        out = np.zeros((len(scenes), *self.spec.shape), np.float32)
        person, keypoint, mu, sigma = self._find(scenes)
        image = np.repeat(np.arange(len(scenes)), [len(scene.drawn) for scene in scenes])
        channel = image[person] * len(self.keypoints) + keypoint
        if self.kind != "msra-unbiased":
            seen = np.flatnonzero(self._touch(mu, sigma))
            channel, mu, sigma = channel[seen], mu[:, seen], sigma[seen]
        reach = int(self._reach(sigma).max(initial=0))
        n, m = (h, w) if self.kind == "msra-unbiased" else (min(2 * reach + 1, h), min(2 * reach + 1, w))
        step = max(1, _BLOCK // (n * m))
        for some in (slice(start, start + step) for start in range(0, len(channel), step)):
            y, rows = self._draw_axis(0, mu[0, some], sigma[some], n)
            x, columns = self._draw_axis(1, mu[1, some], sigma[some], m)
            values = rows[:, :, None] * columns[:, None]
            index = (channel[some, None] * h + y)[:, :, None] * w + x[:, None]
            if alone:
                out.reshape(-1)[index] = values
            else:
                np.maximum.at(out.reshape(-1), index.ravel(), values.ravel())
        return out

    @property
    def decoder(self) -> str:
        """How a prediction is read."""
        return _DECODERS[self.kind]

    @property
    def doubt(self) -> str:
        """Why predictions may not be found where they were drawn; '' if they are."""
        return find_doubt(self.sigma_cells)

    def locate(self, outputs: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
        """Locate one person's keypoints (B, K, 3), x, y in input pixels and score."""
        values = outputs[self.spec.name]
        maps = self._prepare(values.reshape(-1, *self.cells))
        peak, scores = find_highest(maps)
        return np.column_stack([self._place(maps, peak), scores]).reshape(*values.shape[:2], 3)

    def find_peaks(self, values: NDArray[np.float32]) -> Peaks:
        """Find the peaks of many people in a sample."""
        maps = self._prepare(values)
        peak, scores = find_local(maps)
        return Peaks(
            channels=len(maps),
            channel=peak[0],
            cells=np.stack(peak[1:], axis=-1),
            points=self._place(maps, peak),
            scores=scores,
        )

    def _prepare(self, maps: NDArray[np.float32]) -> NDArray[np.floating]:
        return blur(maps, int(find_radius(self.sigma_cells))) if self.kind == "megvii" else maps

    def _place(self, maps: NDArray[np.floating], peak: Peak) -> NDArray[np.float64]:
        """Return where peaks lie, in input pixels (P, 2)."""
        if self.kind not in {"msra-unbiased", "udp"}:
            step = step_quarter(maps, peak) + (0.5 if self.kind in _INSIDE else 0)
        else:
            least, cells = (1e-3, 1) if self.kind == "udp" else (1e-10, 2)
            blurred = blur(maps, int(find_radius(self.sigma_cells)))
            step = step_dark(np.log(np.maximum(blurred, least)), peak, cells=cells)
        (height, width), (h, w) = self.extents
        return to_points(peak, step, (width / w, height / h), middle=False)

    @property
    def extents(self) -> tuple[Size, Size]:
        """The sizes, in pixels and in cells, whose quotients are the strides."""
        less = int(self.kind == "udp")
        (height, width), (h, w) = self.input_size, self.cells
        return (height - less, width - less), (h - less, w - less)

    def touches(self, scene: Scene) -> NDArray[np.bool_]:
        """Tell of which keypoints (N, K) are drawn and have a patch, or a cell, that touches the map."""
        person, keypoint, mu, sigma = self._find([scene])
        found = np.zeros(scene.drawn.shape, bool)
        found[person, keypoint] = self._touch(mu, sigma)
        return found

    def _find(
        self, scenes: Sequence[Scene]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
        """List the M drawn keypoints: whose and which they are, y and x in cells (2, M), sigma in cells (M,)."""
        person, keypoint = np.nonzero(np.concatenate([scene.drawn for scene in scenes]))
        points = np.concatenate([scene.points for scene in scenes])[person, keypoint, ::-1].T
        (height, width), (h, w) = self.extents
        sigma = self.sigma_cells * stack_spread(scenes)[person, keypoint]
        return person, keypoint, points / ((height / h,), (width / w,)), sigma

    def _middle(self, mu: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the cells that places in cells are said to lie in."""
        return np.trunc(mu if self.kind in _INSIDE else mu + 0.5)

    def _reach(self, sigma: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return how many cells it is from the middle of a patch, or of a blur's kernel, to its edge."""
        if self.kind == "megvii":
            return find_radius(sigma)
        return (PATCH_SIGMAS * sigma + (self.kind == "higherhrnet") + ROUNDING).astype(np.intp)

    def _touch(self, mu: NDArray[np.float64], sigma: NDArray[np.float64]) -> NDArray[np.bool_]:
        middle, reach = self._middle(mu), 0 if self.kind in _INSIDE else self._reach(sigma)
        inside = (middle + reach >= 0) & (middle - reach < ((self.cells[0],), (self.cells[1],)))
        return inside[0] & inside[1]

    def _draw_axis(
        self, axis: int, mu: NDArray[np.float64], sigma: NDArray[np.float64], n: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Draw M Gaussians along an axis, each on n cells that hold all it can reach.

        Returns
        -------
        The cells (M, n) and the values there (M, n) float32; the products of both axes' are the Gaussians.
        """
        middle, reach, count = self._middle(mu), self._reach(sigma), self.cells[axis]
        first = np.clip(middle - reach, 0, count - n).astype(np.intp)
        cells = first[:, None] + np.arange(n)
        if self.kind == "megvii":
            return cells, blur_peaks(count, int(reach[0]))[middle.astype(np.intp)[:, None], cells]
        distance = cells - (middle if self.kind in {"msra", "higherhrnet"} else mu)[:, None]
        values = np.exp(distance * distance * (-0.5 / sigma**2)[:, None])
        if self.kind != "msra-unbiased":
            values *= np.abs(cells - middle[:, None]) <= reach[:, None]
        return cells, values.astype(np.float32)


def create_heatmap(context: LabelContext) -> TopDownLabel:
    """Make the label `heatmap` of a top-down kind."""
    input_size, cells = context.grid.input_size, context.grid.cells
    return TopDownLabel(
        kind=cast("TopDownKind", context.heatmap),
        input_size=input_size,
        cells=cells,
        keypoints=context.skeleton.keypoints,
        sigma_cells=context.sigma_px * cells[1] / input_size[1],
        mirror=mirror_keypoints(context.skeleton),
    )


@lru_cache(maxsize=64)
def blur_peaks(count: int, radius: int) -> NDArray[np.float32]:
    """Blur a 1 in each of `count` cells, borders mirrored as OpenCV does, to a row (count, count) that peaks at 1."""
    import cv2  # not for those who only read

    kernel = cv2.getGaussianKernel(2 * radius + 1, 0, cv2.CV_64F)[:, 0]
    period = max(2 * count - 2, 1)
    at = np.abs(np.arange(-radius, count + radius)) % period
    at = np.minimum(at, period - at) if count > 1 else np.zeros_like(at)
    blurred = np.zeros((count, count))
    for offset, weight in enumerate(kernel):
        np.add.at(blurred, (at[offset : offset + count], np.arange(count)), weight)
    rows = (blurred / blurred.max(axis=1, keepdims=True)).astype(np.float32)
    rows.setflags(write=False)
    return rows
