"""Smoothly shaded solids with depth: the part of the picture that one person covers.

Coordinates are pixels with centres at integers, y down; depth z is in pixels towards the camera. Colours are
blue, green, red in 0..255. Edges are anti-aliased from the distance to the outline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.floating[Any]]
Colour = NDArray[np.floating[Any]]
Texture = Callable[[Pixels, Pixels, Pixels], Pixels]
"""Colours (3, n) of n surface points given by three (n,) coordinates."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Light:
    """One lamp and its ambience: `direction` is a unit vector (x right, y up, z towards the camera)."""

    direction: tuple[float, float, float] = (-0.42, 0.62, 0.66)
    ambient: float = 0.66
    diffuse: float = 0.5


class Layer:
    """A window of the picture in which solids hide each other by their depth.

    Parameters
    ----------
    x0, y0, width, height
        The window in pixels.
    light
        What shades the solids.

    Attributes
    ----------
    colour
        (3, height, width) float32, premultiplied by `alpha`.
    alpha
        (height, width) float32, covered share of each pixel.
    depth
        (height, width) float32 of the nearest surface, -inf where there is none.
    """

    def __init__(self, x0: int, y0: int, width: int, height: int, light: Light) -> None:
        self.x0, self.y0, self.width, self.height, self.light = x0, y0, width, height, light
        self.colour: Pixels = np.zeros((3, height, width), np.float32)
        self.alpha: Pixels = np.zeros((height, width), np.float32)
        self.depth: Pixels = np.full((height, width), -np.inf, np.float32)
        self._flat_colour = self.colour.reshape(3, -1)
        self._flat_alpha = self.alpha.reshape(-1)
        self._flat_depth = self.depth.reshape(-1)

    def cone(
        self,
        start: NDArray[np.float64],
        end: NDArray[np.float64],
        radii: tuple[float, float],
        colour: Colour,
        *,
        tip: Colour | None = None,
        cut: float = 1.0,
    ) -> None:
        """Draw a tapered capsule from `start` to `end`, (3,) each; beyond the share `cut` of its length in `tip`."""
        ra, rb = radii
        reach = max(ra, rb) + 1
        window = self._window(
            min(start[0], end[0]) - reach, min(start[1], end[1]) - reach,
            max(start[0], end[0]) + reach, max(start[1], end[1]) + reach,
        )  # fmt: skip
        if window is None:
            return
        index, x, y = window
        dx, dy, dz = (float(v) for v in end - start)
        gx, gy = x - np.float32(start[0]), y - np.float32(start[1])
        length_squared = max(dx * dx + dy * dy, 1e-6)
        t = np.minimum(np.maximum(gx * (dx / length_squared) + gy * (dy / length_squared), 0), 1)
        ex, ey = gx - t * dx, gy - t * dy
        r = ra + t * (rb - ra)
        d_squared = ex * ex + ey * ey
        inside = np.flatnonzero(d_squared < (r + 0.5) ** 2)
        t, ex, ey, r, d_squared = (values.take(inside) for values in (t, ex, ey, r, d_squared))
        h = np.sqrt(np.maximum(r * r - d_squared, 0))
        d = np.sqrt(d_squared)
        inverse = 1 / np.maximum(r, d)
        shade = self._shade(ex * inverse, ey * inverse, h * inverse)
        base = colour[:, None]
        if tip is not None:
            base = base + soft_step((t - cut) * length_squared**0.5) * (tip - colour)[:, None]
        self._blend(index.take(inside), np.minimum(r - d + 0.5, 1), float(start[2]) + t * dz + h, base * shade)

    def ellipsoid(
        self,
        centre: NDArray[np.float64],
        axes: NDArray[np.float64],
        radii: NDArray[np.float64],
        texture: Texture,
    ) -> None:
        """Draw an ellipsoid.

        Parameters
        ----------
        centre
            (3,) in pixels.
        axes
            (3, 3), columns are its unit axes (x right, y up, z towards the camera).
        radii
            (3,) half axes in pixels.
        texture
            Colours of points of the unit sphere along those axes.
        """
        reach = np.sqrt(((axes * radii) ** 2).sum(axis=1)) + 1
        window = self._window(centre[0] - reach[0], centre[1] - reach[1], centre[0] + reach[0], centre[1] + reach[1])
        if window is None:
            return
        index, x, y = window
        gx, gy = x - np.float32(centre[0]), np.float32(centre[1]) - y
        # A point p of the camera is M p on the unit sphere; along a ray that is c + z k, with |c + z k| = 1.
        m = (axes / radii).T.astype(np.float32)
        k = m[:, 2]
        kk = k @ k
        # Drop the part of c along k: what is left is the distance of the ray from the centre.
        across = m[:, :2] - np.outer(k, k @ m[:, :2]) / kk
        px, py = across.T
        nearest = (px @ px) * gx * gx + (2 * px @ py) * gx * gy + (py @ py) * gy * gy
        edge = np.float32(reach[:2].mean() - 1)
        inside = np.flatnonzero(nearest < (1 + 0.5 / edge) ** 2)
        gx, gy = gx.take(inside % gx.size), gy.take(inside // gx.size)
        nearest = nearest.take(inside)
        along = np.sqrt(np.maximum(1 - nearest, 0) / kk)
        z = along - (gx * (k @ m[:, 0]) + gy * (k @ m[:, 1])) / kk
        local = [across[i, 0] * gx + across[i, 1] * gy + along * k[i] for i in range(3)]
        nx, ny, nz = (m[0, j] * local[0] + m[1, j] * local[1] + m[2, j] * local[2] for j in range(3))
        inverse = 1 / np.sqrt(nx * nx + ny * ny + nz * nz)
        shade = self._shade(nx * inverse, -ny * inverse, nz * inverse)
        cover = soft_step((1 - np.sqrt(nearest)) * edge)
        self._blend(index.take(inside), cover, float(centre[2]) + z, texture(*local) * shade)

    def barrel(
        self,
        start: NDArray[np.float64],
        end: NDArray[np.float64],
        axes: NDArray[np.float64],
        profile: NDArray[np.float64],
        texture: Texture,
    ) -> None:
        """Draw a body of elliptic cross-sections, a trunk or a skirt, from `start` to `end`, (3,) each.

        Parameters
        ----------
        start, end
            The ends of its axis in pixels.
        axes
            (3, 3), columns are its left, up and forwards.
        profile
            (n, 3) rows of: share of the length, half width, half depth, both in pixels.
        texture
            Colours for the share of the length and the surface normal's parts to the left and to the front.
        """
        along = end[:2] - start[:2]
        length = max(float(np.hypot(along[0], along[1])), 1e-3)
        m = along / length
        n = np.array([-m[1], m[0]])
        side, front = axes[:, 0] * (1, -1, 1), axes[:, 2] * (1, -1, 1)
        share, widths, depths = profile.T
        lateral = np.hypot(widths * (side[:2] @ n), depths * (front[:2] @ n))
        bulge = np.hypot(widths * side[2], depths * front[2])
        # Where it points at the camera its end faces show: they reach beyond the axis by their own extent.
        caps = np.hypot(widths * (side[:2] @ m), depths * (front[:2] @ m))[[0, -1]] + 0.15 * widths[[0, -1]] + 0.5
        reach = float(max(lateral.max(), caps.max())) + 1
        window = self._window(
            min(start[0], end[0]) - reach, min(start[1], end[1]) - reach,
            max(start[0], end[0]) + reach, max(start[1], end[1]) + reach,
        )  # fmt: skip
        if window is None:
            return
        index, x, y = window
        gx, gy = x - np.float32(start[0]), y - np.float32(start[1])
        s = gx * np.float32(m[0]) + gy * np.float32(m[1])
        u = gx * np.float32(n[0]) + gy * np.float32(n[1])
        t = np.minimum(np.maximum(s / np.float32(length), 0), 1)
        half = np.maximum(_interpolate(t, share, lateral), np.float32(0.5))
        beyond = np.maximum(-s, 0) / np.float32(caps[0]) + np.maximum(s - np.float32(length), 0) / np.float32(caps[1])
        u = u / half
        radial = np.sqrt(u * u + beyond * beyond)
        cover = soft_step((1 - radial) * half)
        inside = np.flatnonzero(cover > 0)
        u, t, radial = u.take(inside), t.take(inside), radial.take(inside)
        nz = np.sqrt(np.maximum(1 - radial * radial, 0))
        outwards = np.minimum(np.maximum(u, -1), 1)
        nx, ny = outwards * np.float32(n[0]), outwards * np.float32(n[1])
        z = float(start[2]) + t * float(end[2] - start[2]) + _interpolate(t, share, bulge) * nz
        shade = self._shade(nx, ny, nz)
        left = nx * np.float32(side[0]) + ny * np.float32(side[1]) + nz * np.float32(side[2])
        ahead = nx * np.float32(front[0]) + ny * np.float32(front[1]) + nz * np.float32(front[2])
        self._blend(index.take(inside), cover.take(inside), z, texture(t, left, ahead) * shade)

    def surface_at(self, x: int, y: int) -> float:
        """Return the depth of the nearest surface at a pixel of the picture, -inf outside the window."""
        column, row = x - self.x0, y - self.y0
        if 0 <= column < self.width and 0 <= row < self.height:
            return float(self.depth[row, column])
        return -np.inf

    def _window(self, x0: float, y0: float, x1: float, y1: float) -> tuple[NDArray[np.intp], Pixels, Pixels] | None:
        left, right = max(int(np.floor(x0)), self.x0), min(int(np.ceil(x1)) + 1, self.x0 + self.width)
        top, bottom = max(int(np.floor(y0)), self.y0), min(int(np.ceil(y1)) + 1, self.y0 + self.height)
        if left >= right or top >= bottom:
            return None
        x = np.arange(left, right)[None, :]
        y = np.arange(top, bottom)[:, None]
        return (y - self.y0) * self.width + (x - self.x0), x.astype(np.float32), y.astype(np.float32)

    def _shade(self, nx: Pixels, ny_down: Pixels, nz: Pixels) -> Pixels:
        lx, ly, lz = self.light.direction
        lit = np.maximum(nx * lx - ny_down * ly + nz * lz, 0)
        shade: Pixels = (self.light.ambient + self.light.diffuse * lit) * (0.74 + 0.26 * nz)
        return shade

    def _blend(self, index: NDArray[np.intp], cover: Pixels, z: Pixels, colour: Pixels) -> None:
        near = np.flatnonzero(z > self._flat_depth.take(index))
        index, share, z = index.take(near), cover.take(near), z.take(near)
        keep = 1 - share
        for plane, values in zip(self._flat_colour, colour, strict=True):
            plane[index] = plane.take(index) * keep + values.take(near) * share
        self._flat_alpha[index] = self._flat_alpha.take(index) * keep + share
        solid = np.flatnonzero(share > 0.5)
        self._flat_depth[index.take(solid)] = z.take(solid)


def soft_step(distance_px: Pixels) -> Pixels:
    """Return the covered share of pixels from how far inside they are: 0.5 on the outline."""
    share: Pixels = np.minimum(np.maximum(distance_px + np.float32(0.5), 0), 1)
    return share


def _interpolate(t: Pixels, x: NDArray[np.float64], y: NDArray[np.float64]) -> Pixels:
    return np.interp(t, x, y).astype(np.float32)
