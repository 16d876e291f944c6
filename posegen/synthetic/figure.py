"""A dressed person: convex pieces over a posed body, painted far to near.

Left sleeves and trouser legs are a shade lighter than right ones, and the left wrist has a watch, on every person, so
that left and right can be told from the picture also in profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.synthetic.backdrop import Floats, Picture, block, pick, polygon
from posegen.synthetic.body import FACE, SIDES, Body

PIECE_BITS = 7
"""A pixel of the owner mask holds a person's number, above so many bits for that of the piece on top."""

_SHIRTS = "d9483b e8813a f2b632 5fa552 2f8f83 3b7dc4 2f4f8f 7a5aa8 c65f92 f1ede4 33363f 8fb8d8 e8a0a0 a7c49a 6b4f3f"
_PALETTE = {
    "skin": "ffdfc4 f3c6a5 e8b48c d49a6e b67a4f 96603c 74462a 573420", "shirt": _SHIRTS, "accent": _SHIRTS,
    "hair": "1f1a17 2e2019 4a2f1d 6b4226 8d5a2b c08a45 e0bd74 a5442a 8c8880 d8d5cf",
    "trousers": "2c3e5c 3f5878 23262e 5b5147 8a7a5e c9b791 6e7682 4d3b33 7f9aa8",
    "shoes": "2a2622 f0eee8 b23b32 3c5a8c", "white": "f0ede6", "black": "2a1d18", "lips": "9c4f4a", "wood": "c39a68",
}  # fmt: skip

# Balls on the head: centre and size in units of its half axes, colour.
_CROWN = ((0, 0.3, -0.26), (1.06, 0.92, 0.98), "hair"), ((0, 0.78, 0.3), (0.8, 0.32, 0.62), "hair")
_LONG, _BUN = ((0, -0.42, -0.48), (1.05, 1.2, 0.66), "hair"), ((0, 0.95, -0.62), (0.45, 0.36, 0.45), "hair")
_CAP = ((0, 0.5, -0.08), (1.08, 0.74, 1.07), "accent"), ((0, 0.5, 0.92), (0.8, 0.1, 0.75), "accent")
_HAIRCUTS = (_CROWN, _CROWN, (*_CROWN, _LONG), (*_CROWN, _BUN), _CAP, ())
_FACE = (
    (FACE["nose"], (0.14, 0.17, 0.15), "skin"), ((0, -0.56, 0.84), (0.3, 0.06, 0.05), "lips"),
    (FACE["left_ear"], (0.17, 0.27, 0.2), "skin"), (FACE["right_ear"], (0.17, 0.27, 0.2), "skin"),
    (FACE["left_eye"], (0.19, 0.2, 0.1), "white"), (FACE["right_eye"], (0.19, 0.2, 0.1), "white"),
    ((0.37, 0.06, 0.95), (0.12, 0.14, 0.1), "black"), ((-0.37, 0.06, 0.95), (0.12, 0.14, 0.1), "black"),
    ((0.4, 0.36, 0.86), (0.2, 0.05, 0.06), "black"), ((-0.4, 0.36, 0.86), (0.2, 0.05, 0.06), "black"),
)  # fmt: skip

# Ends, radii in body heights, cloth, and how many limbs of the same cloth come before.
_LIMBS = (
    ("shoulder", "elbow", 0.036, 0.027, "shirt", 0), ("elbow", "wrist", 0.027, 0.019, "shirt", 1),
    ("hip", "knee", 0.053, 0.037, "trousers", 0), ("knee", "ankle", 0.037, 0.024, "trousers", 1),
)  # fmt: skip

# The trunk from below the pelvis to the neck: share of its length, half width and half depth in body heights.
_SHARES = (0, 0.16, 0.3, 0.5, 0.76, 0.88, 0.95, 1)
_WIDTHS = (0.045, 0.1, 0.092, 0.078, 0.1, 0.108, 0.094, 0.04)
_DEPTHS = (0.03, 0.07, 0.066, 0.058, 0.068, 0.06, 0.047, 0.03)

# How far a piece's axis may lie in front of a joint that it does not hide, in body heights.
_THICKNESS = np.array([0.02, 0.012, 0.012, 0.02, 0.02] + [0.045] * 12)

_LIT = 0.6  # width of the lit part of a piece
_CIRCLE = np.stack([np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)], axis=1)


class Piece(NamedTuple):
    """The hull of some ellipses: mean depth, (2, 3) ends of its axis, (n, 2) outlines of it and of its lit part."""

    depth: float
    ends: Floats
    outline: NDArray[Any]
    lit: NDArray[Any]
    colour: Floats


class Figure:
    """A `body` dressed as `rng` says: `pieces` far to near. Light is from above and from -1, left, to 1, right."""

    def __init__(self, rng: np.random.Generator, body: Body, *, light: float) -> None:
        self.body, self.pieces = body, list[Piece]()
        self._light = np.array([0.24 * light, -0.14, 0.0])
        self._colours = {name: pick(rng, codes) for name, codes in _PALETTE.items()}
        for cloth in ("shirt", "trousers"):
            left, right = 1.1 * self._colours[cloth] + 12, 0.8 * self._colours[cloth]
            self._colours |= {f"left {cloth}": left, f"right {cloth}": right}
        self._add_trunk(str(rng.choice(["plain", "plain", "plain", "stripes", "jacket", "badge"])))
        lengths = {"shirt": rng.choice([0.55, 0.6, 1.95, 2.0]), "trousers": rng.choice([0.75, 1.9, 1.95, 2.0])}
        for side in SIDES:
            self._add_limbs(side, lengths)
        balls = ((0, 0, 0), (1, 1, 1), "skin"), *_HAIRCUTS[int(rng.integers(len(_HAIRCUTS)))]
        # A face of less than a few pixels has no features; an ellipsoid's outline is the ellipse with its covariance.
        for at, size, colour in (*balls, *_FACE) if body.scale_px >= 60 else balls:
            spread, outline = (body.head * size)[:2], np.zeros((2, 3))
            outline[:, :2] = np.linalg.cholesky(spread @ spread.T + 1e-6 * np.eye(2)).T
            self._add([(body.points["head"] + body.head @ at, *outline)], self._colours[colour])
        self.pieces.sort(key=lambda piece: piece.depth)

    def paint(self, picture: Picture, owner: NDArray[np.int32], number: int) -> None:
        """Paint it and its seat into a (H, W, 3) picture, its number and pieces into the (H, W) owner mask."""
        if "seat" in self.body.points:
            (x, top, _), (_, foot, _) = self.body.points["seat"], self.body.points["ground"]
            block(picture, owner, (x, foot, 0.26 * self.body.scale_px, foot - top), self._colours["wood"])
        for i, piece in enumerate(self.pieces):
            polygon(picture, piece.outline, 0.84 * piece.colour)
            polygon(picture, piece.lit, 1.05 * piece.colour)
            polygon(owner, piece.outline, np.array([(number << PIECE_BITS) + i]), cv2.LINE_8)

    def find_visible(self, owner: NDArray[np.int32], number: int) -> NDArray[np.bool_]:
        """Tell which joints show: (17,) bool, if the piece on top of the joint is its own and not far before it."""
        seen = np.zeros(17, bool)
        for k, joint in enumerate(self.body.keypoints):
            x, y = round(joint[0]), round(joint[1])
            if 0 <= x < owner.shape[1] and 0 <= y < owner.shape[0] and owner[y, x] >> PIECE_BITS == number:
                start, end = self.pieces[owner[y, x] & ((1 << PIECE_BITS) - 1)].ends
                along = (end - start)[:2]
                share = np.clip((joint - start)[:2] @ along / max(along @ along, 1e-6), 0, 1)
                seen[k] = start[2] + share * (end - start)[2] - joint[2] <= self.body.scale_px * _THICKNESS[k]
        return seen

    def _add(self, rings: list[tuple[Floats, Floats, Floats]], colour: Floats, nearer: float = 0) -> None:
        """Add the hull of ellipses: a centre and two conjugate half axes each, (3,) in pixels."""
        shape = np.array(rings)
        ends, lit = shape[[0, -1], 0], shape * [[1], [_LIT], [_LIT]]
        lit[:, 0] += self._light * np.linalg.norm(shape[:, 1:], axis=1)
        # Light nearly reaches both ends, so that limbs that meet have hardly a seam.
        axis = (ends[1] - ends[0])[:2] / max(float(np.hypot(*(ends[1] - ends[0])[:2])), 1e-6)
        reach = 0.85 * (1 - _LIT) * np.linalg.norm(shape[[0, -1], 1:, :2] @ axis, axis=1)
        lit[[0, -1], 0, :2] += np.outer(reach * (-1, 1), axis)
        points = np.stack([shape, lit])[..., :2]
        points = (points[:, :, :1] + _CIRCLE @ points[:, :, 1:]).reshape(2, -1, 2).astype(np.float32)
        depth = float(ends[:, 2].mean()) + nearer * self.body.scale_px
        self.pieces.append(Piece(depth, ends, cv2.convexHull(points[0]), cv2.convexHull(points[1]), colour))

    def _add_capsule(self, a: Floats, b: Floats, radii: tuple[float, float], colour: Floats, nearer: float = 0) -> None:
        thick = np.maximum(self.body.scale_px * self.body.girth * np.array(radii), 0.8)[:, None, None] * np.eye(3)[:2]
        self._add([(a, *thick[0]), (b, *thick[1])], colour, nearer)

    def _add_slab(
        self, shares: Sequence[float], rgb: Floats, near: float = 0, left: float = 0, front: float = 0
    ) -> None:
        """Add a slice of the trunk, or a part of it to its left or front, in units of its half axes."""
        wide = 0.52 if left else 0.26 if front else 1
        p, girth, rings = self.body.points, self.body.girth * self.body.torso, []
        for t in shares:
            side, ahead = np.interp(t, _SHARES, _WIDTHS) * girth[:, 0], np.interp(t, _SHARES, _DEPTHS) * girth[:, 2]
            centre = p["pelvis"] + (1.184 * t - 0.159) * (p["neck"] - p["pelvis"]) + left * side + front * ahead
            rings.append((centre, wide * side, (1 - front) * ahead))
        self._add(rings, rgb, near)

    def _add_trunk(self, pattern: str) -> None:
        c, (turned, _, facing) = self._colours, self.body.torso[2] / self.body.scale_px
        for side, sign in SIDES.items():
            self._add_slab((0, 0.16, 0.3, 0.42), c[f"{side} trousers"], left=0.5 * sign)
        # What goes all around is before both halves of what does not.
        before = 0.052 * abs(turned)
        self._add_slab((0.36, 0.5, 0.76, 0.88, 0.95, 1), c["shirt"], before)
        self._add_slab((0.34, 0.37), 0.45 * c["trousers"], before + 0.01)
        for t in (0.46, 0.6, 0.74, 0.88) if pattern == "stripes" else ():
            self._add_slab((t, t + 0.05), c["accent"], before + 0.01)
        if pattern in {"jacket", "badge"} and facing > 0.2:
            self._add_slab((0.38, 0.7, 0.9) if pattern == "jacket" else (0.66, 0.82), c["accent"], 0.03, front=0.6)
        self._add_capsule(self.body.points["neck"], self.body.points["head"], (0.03, 0.03), 0.9 * c["skin"])

    def _add_limbs(self, side: str, lengths: dict[str, float]) -> None:
        c, points = self._colours, self.body.points.items()
        p = {name.removeprefix(f"{side}_"): point for name, point in points if name.startswith(side)}
        for start, end, first, last, cloth, before in _LIMBS:
            share = min(lengths[cloth] - before, 1.0)
            if share < 1:
                self._add_capsule(p[start], p[end], (first, last), c["skin"])
            if share > 0:
                hem, radius = p[start] + share * (p[end] - p[start]), first + share * (last - first)
                self._add_capsule(p[start], hem, (first, radius + 0.003 * (share < 1)), c[f"{side} {cloth}"], 0.002)
        heel = p["ankle"] + 0.1 * (p["ankle"] - p["toe"]) + (0, 0.012 * self.body.scale_px, 0)
        self._add_capsule(heel, p["toe"], (0.028, 0.02), c["shoes"])
        self._add_capsule(0.6 * p["wrist"] + 0.4 * p["hand"], p["hand"], (0.021, 0.017), c["skin"])
        if side == "left":
            above, below = (share * p["elbow"] + (1 - share) * p["wrist"] for share in (0.16, 0.1))
            self._add_capsule(above, below, (0.023, 0.022), c["black"], 0.01)
