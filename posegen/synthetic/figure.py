"""A dressed person: clothes, hair and skin, drawn over a posed body.

The left sleeve, trouser leg and half of the shirt are a shade lighter than the right ones, on every person, so
that left and right can be told from the picture also in profile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.skeleton import COCO_17
from posegen.synthetic.body import FACE, HEAD_RADII, SIDES, Body, Build
from posegen.synthetic.paint import colour
from posegen.synthetic.raster import Colour, Layer, Light, Pixels, Texture, soft_step

_TONES = {"left": (1.1, 12.0), "right": (0.8, 0.0)}

# Below this body height hands, noses and ears are smaller than a pixel.
_DETAIL_PX = 60

# How far the surface may lie in front of a visible joint, in body heights: the thickness of what is around it.
_THICKNESS = {
    "nose": 0.022, "eye": 0.014, "ear": 0.03, "shoulder": 0.072, "elbow": 0.044, "wrist": 0.036,
    "hip": 0.102, "knee": 0.056, "ankle": 0.046,
}  # fmt: skip


_SKINS = ("ffdfc4", "f3c6a5", "e8b48c", "d49a6e", "b67a4f", "96603c", "74462a", "573420")
_HAIRS = ("1f1a17", "2e2019", "4a2f1d", "6b4226", "8d5a2b", "c08a45", "e0bd74", "a5442a", "8c8880", "d8d5cf")
_SHIRTS = (
    "d9483b", "e8813a", "f2b632", "5fa552", "2f8f83", "3b7dc4", "2f4f8f", "7a5aa8", "c65f92", "f1ede4",
    "33363f", "8fb8d8", "e8a0a0", "a7c49a", "6b4f3f", "b93a54",
)  # fmt: skip
_TROUSERS = (
    "2c3e5c",
    "3f5878",
    "23262e",
    "5b5147",
    "8a7a5e",
    "c9b791",
    "6e7682",
    "4d3b33",
    "7f9aa8",
    "57633f",
)
_SHOES = ("2a2622", "f0eee8", "b23b32", "6d4a2f", "3c5a8c", "d8a03a")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outfit:
    """What a person wears: colours are (3,) float32 blue, green, red; lengths are shares of the limb."""

    skin: Colour
    hair: Colour
    shirt: Colour
    accent: Colour
    trousers: Colour
    shoes: Colour
    sleeve: float
    trouser: float
    pattern: str
    style: str
    skirt: bool
    backpack: bool


def sample_outfit(rng: np.random.Generator, *, upright: bool) -> Outfit:
    """Draw clothes, hair and skin; a skirt only for people with straight legs."""
    shirt, accent = (colour(_SHIRTS[int(i)]) for i in rng.choice(len(_SHIRTS), 2, replace=False))
    style = ("short", "short", "short", "long", "long", "bun", "cap", "bald")[int(rng.integers(8))]
    return Outfit(
        skin=colour(_SKINS[int(rng.integers(len(_SKINS)))]),
        hair=colour(_HAIRS[int(rng.integers(len(_HAIRS)))]),
        shirt=shirt,
        accent=accent,
        trousers=colour(_TROUSERS[int(rng.integers(len(_TROUSERS)))]),
        shoes=colour(_SHOES[int(rng.integers(len(_SHOES)))]),
        sleeve=float(rng.choice([0.55, 0.6, 1.95, 2.0])),
        trouser=float(rng.choice([0.75, 1.9, 1.95, 2.0])),
        pattern=("plain", "plain", "stripes", "jacket", "emblem", "emblem", "yoke")[int(rng.integers(7))],
        style=style,
        skirt=bool(style in {"long", "bun"} and upright and rng.random() < 0.45),
        backpack=bool(rng.random() < 0.14),
    )


def sample_build(rng: np.random.Generator, *, child: bool) -> Build:
    """Draw proportions."""
    head = rng.uniform(1.28, 1.42) if child else rng.uniform(0.98, 1.12)
    return Build(
        head=float(head),
        shoulders=float(rng.uniform(0.88, 1.05)),
        hips=float(rng.uniform(0.92, 1.1)),
        girth=float(rng.uniform(0.92, 1.16)),
    )


def draw_person(body: Body, outfit: Outfit, light: Light, size: tuple[int, int]) -> Layer | None:
    """Draw a person.

    Parameters
    ----------
    body, outfit, light
        Who, in what, lit how.
    size
        (height, width) of the picture in pixels.

    Returns
    -------
    The layer, cut to the picture; None if the person is outside of it.
    """
    x0, y0, x1, y1 = body.extent()
    left, top = max(int(np.floor(x0)), 0), max(int(np.floor(y0)), 0)
    right, bottom = min(int(np.ceil(x1)) + 1, size[1]), min(int(np.ceil(y1)) + 1, size[0])
    if left >= right or top >= bottom:
        return None
    layer = Layer(left, top, right - left, bottom - top, light)
    parts = [*_trunk(layer, body, outfit), *_limbs(layer, body, outfit), *_head(layer, body, outfit)]
    # Back to front, so that a soft edge blends with what is behind it.
    for _, draw in sorted(parts, key=lambda part: part[0]):
        draw()
    return layer


def seen_joints(body: Body, layer: Layer) -> NDArray[np.bool_]:
    """Tell which joints the own body does not hide: (17,) bool, by the depth of the surface over the joint."""
    seen = []
    for name, (x, y, z) in zip(COCO_17.keypoints, body.keypoints, strict=True):
        allowed = body.scale_px * _THICKNESS[name.split("_")[-1]] * body.build.girth + 1.5
        surface = layer.surface_at(round(float(x)), round(float(y)))
        seen.append(np.isfinite(surface) and surface - z <= allowed)
    return np.array(seen)


_Part = tuple[float, Callable[[], None]]


def _radius(body: Body, share: float) -> float:
    return max(body.scale_px * share * body.build.girth, 0.95)


def _tone(base: Colour, side: str) -> Colour:
    gain, offset = _TONES[side]
    toned: Colour = np.minimum(base * np.float32(gain) + np.float32(offset), np.float32(255))
    return toned


def _cone(
    layer: Layer,
    ends: tuple[NDArray[np.float64], NDArray[np.float64]],
    radii: tuple[float, float],
    base: Colour,
    *,
    tip: Colour | None = None,
    cut: float = 1.0,
    nearer: float = 0.0,
) -> _Part:
    start, end = ends
    return float(start[2] + end[2]) / 2 + nearer, lambda: layer.cone(start, end, radii, base, tip=tip, cut=cut)


def _limbs(layer: Layer, body: Body, outfit: Outfit) -> list[_Part]:
    p = body.points
    parts: list[_Part] = []
    for side, _ in SIDES:
        shirt, trousers = _tone(outfit.shirt, side), _tone(outfit.trousers, side)
        if outfit.pattern == "yoke":
            shirt = _tone(outfit.accent, side)
        joints = [p[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "toe")]
        shoulder, elbow, wrist, hand, hip, knee, ankle, toe = joints
        r = [_radius(body, share) for share in (0.036, 0.027, 0.019, 0.021, 0.053, 0.037, 0.024, 0.02)]
        heel = ankle + 0.1 * (ankle - toe) + np.array([0.0, 0.012 * body.scale_px, 0.0])
        palm, trouser = wrist + 0.4 * (hand - wrist), 0.6 if outfit.skirt else outfit.trouser
        parts += [
            _cone(layer, (shoulder, elbow), (r[0], r[1]), shirt, tip=outfit.skin, cut=outfit.sleeve),
            _cone(
                layer, (elbow, wrist), (r[1], r[2]), shirt if outfit.sleeve > 1 else outfit.skin,
                tip=outfit.skin, cut=outfit.sleeve - 1 if outfit.sleeve > 1 else 0.0,
            ),
            _cone(layer, (hip, knee), (r[4], r[5]), trousers, tip=outfit.skin, cut=trouser),
            _cone(
                layer, (knee, ankle), (r[5], r[6]), trousers if trouser > 1 else outfit.skin,
                tip=outfit.skin, cut=max(trouser - 1, 0.0),
            ),
            _cone(layer, (heel, toe), (1.15 * r[6], r[7]), outfit.shoes),
        ]  # fmt: skip
        if body.scale_px < _DETAIL_PX:
            continue
        parts.append(_cone(layer, (palm, hand), (r[3], 0.8 * r[3]), outfit.skin))
        if side == "left":
            strap = (wrist + 0.16 * (elbow - wrist), wrist + 0.1 * (elbow - wrist))
            parts.append(_cone(layer, strap, (1.18 * r[2], 1.18 * r[2]), colour("2b2b30"), nearer=0.1))
    return parts


def _trunk(layer: Layer, body: Body, outfit: Outfit) -> list[_Part]:
    p, scale, build = body.points, body.scale_px, body.build
    up = (p["neck"] - p["pelvis"]) / 0.315
    low, high = p["pelvis"] - 0.05 * up, p["neck"] + 0.008 * up
    # Share of the length, half width and half depth in body heights.
    profile = np.array(
        [
            [0.0, 0.045, 0.03],
            [0.16, 0.1, 0.07],
            [0.3, 0.092, 0.066],
            [0.5, 0.078, 0.058],
            [0.76, 0.1, 0.068],
            [0.88, 0.108, 0.06],
            [0.95, 0.094, 0.047],
            [1.0, 0.04, 0.03],
        ]
    )
    hips, shoulders = build.hips * build.girth, build.shoulders * (0.5 + 0.5 * build.girth)
    widths = np.interp(profile[:, 0], [0.2, 0.7], [hips, shoulders])
    profile = profile * np.stack([np.ones(8), scale * widths, np.full(8, scale * build.girth)], axis=1)
    parts: list[_Part] = [
        (
            float(low[2] + high[2]) / 2,
            lambda: layer.barrel(low, high, body.torso, profile, _shirt(outfit, scale)),
        ),
        _cone(layer, (p["neck"] - 0.02 * up, p["head"]), (_radius(body, 0.03),) * 2, 0.93 * outfit.skin),
    ]
    if outfit.skirt:
        knees = (p["left_knee"] + p["right_knee"]) / 2
        waist, hem = p["pelvis"] + 0.05 * up, p["pelvis"] + 0.78 * (knees - p["pelvis"])
        spread = float(np.hypot(*(p["left_knee"] - p["right_knee"])[:2])) / 2
        flare = np.array([[0.0, 0.092, 0.072], [0.3, 0.116, 0.092], [1.0, 0.135, 0.118]])
        flare = flare * [1, scale * build.girth, scale * build.girth]
        flare[-1, 1:] = np.maximum(flare[-1, 1:], 0.8 * spread + 0.05 * scale)
        axes = body.torso
        parts.append((float(hem[2] + waist[2]) / 2, lambda: layer.barrel(waist, hem, axes, flare, _skirt(outfit))))
    if outfit.backpack:
        back = body.torso[:, 2] * (1, -1, 1) * (0.085 * scale)
        ends = (p["pelvis"] + 0.1 * up - back, p["pelvis"] + 0.25 * up - back)
        parts.append(_cone(layer, ends, (0.07 * scale, 0.06 * scale), outfit.accent))
    return parts


def _shirt(outfit: Outfit, scale: float) -> Texture:
    sharp = np.float32(0.3 * scale)
    right_leg, left_leg = (_tone(outfit.trousers, side)[:, None] for side in ("right", "left"))

    def texture(t: Pixels, left: Pixels, ahead: Pixels) -> Pixels:
        half = soft_step(left * sharp * 0.3)
        rgb: Pixels = np.repeat(outfit.shirt[:, None], len(t), axis=1)
        if outfit.pattern == "stripes":
            rgb = _mix(rgb, outfit.accent, np.clip(np.sin(t * 44) * 3 + 0.5, 0, 1))
        elif outfit.pattern == "yoke":
            rgb = _mix(rgb, outfit.accent, soft_step((t - 0.72) * sharp))
        elif outfit.pattern == "emblem":
            disc = 0.3 - np.hypot(left, (t - 0.72) * 3)
            rgb = _mix(rgb, outfit.accent, soft_step(disc * sharp * 0.35) * (ahead > 0))
        elif outfit.pattern == "jacket":
            rgb = _mix(rgb, outfit.accent, soft_step((0.26 - np.abs(left)) * sharp * 0.3) * (ahead > 0))
        neckline = soft_step((0.3 * (t - 0.86) / 0.14 - np.abs(left)) * sharp * 0.3) * (ahead > 0) * (t > 0.86)
        rgb = _mix(rgb, outfit.skin, neckline)
        rgb = rgb * (0.94 + 0.12 * half) + 6 * half
        share = soft_step((0.3 - t) * sharp)
        rgb = rgb + share * (right_leg + half * (left_leg - right_leg) - rgb)
        return _mix(rgb, 0.45 * outfit.trousers, soft_step((0.012 - np.abs(t - 0.3)) * sharp))

    return texture


def _skirt(outfit: Outfit) -> Texture:
    def texture(t: Pixels, left: Pixels, _: Pixels) -> Pixels:
        folds = 0.94 + 0.07 * np.sin(np.arcsin(np.clip(left, -1, 1)) * 14) * t
        half = soft_step(left * np.float32(6))
        rgb: Pixels = (0.9 * outfit.trousers + 24)[:, None] * (folds * (0.86 + 0.24 * half))
        return rgb

    return texture


def _head(layer: Layer, body: Body, outfit: Outfit) -> list[_Part]:
    p, axes, scale = body.points, body.head, body.scale_px * body.build.head
    radii = np.maximum(HEAD_RADII * scale, 1.2)
    forwards = axes * np.array([[1.0], [-1.0], [1.0]])  # columns in picture axes, y down
    centre = p["head"]

    def at(left: float, up: float, front: float) -> NDArray[np.float64]:
        return np.asarray(centre + forwards @ (radii * (left, up, front)))

    def plain(base: Colour) -> Texture:
        return lambda u, _v, _w: np.repeat(base[:, None], len(u), axis=1)

    def ball(where: NDArray[np.float64], size: tuple[float, float, float], base: Colour) -> _Part:
        return float(where[2]), lambda: layer.ellipsoid(where, axes, radii * size, plain(base))

    parts: list[_Part] = [
        (float(centre[2]), lambda: layer.ellipsoid(centre, axes, radii, _face(outfit, float(radii[0]))))
    ]
    if body.scale_px >= _DETAIL_PX:
        nose = ball(at(*FACE["nose"]), (0.14, 0.17, 0.15), np.minimum(outfit.skin * np.float32(1.06), 255))
        parts.append(nose)
        parts += [ball(at(*FACE[f"{side}_ear"]), (0.17, 0.27, 0.2), 0.94 * outfit.skin) for side, _ in SIDES]
    if outfit.style in {"short", "long", "bun"}:
        parts.append(ball(at(0, 0.3, -0.26), (1.06, 0.92, 0.98), outfit.hair))
    if outfit.style == "long":
        parts.append(ball(at(0, -0.42, -0.48), (1.05, 1.2, 0.66), outfit.hair))
    if outfit.style == "bun":
        parts.append(ball(at(0, 0.95, -0.62), (0.45, 0.36, 0.45), outfit.hair))
    if outfit.style == "cap":
        parts.append(ball(at(0, 0.42, -0.08), (1.08, 0.74, 1.07), outfit.accent))
        parts.append(ball(at(0, 0.42, 0.92), (0.8, 0.1, 0.75), 0.8 * outfit.accent))
    return parts


def _face(outfit: Outfit, radius_px: float) -> Texture:
    sharp = np.float32(0.9 * radius_px)

    def texture(u: Pixels, v: Pixels, w: Pixels) -> Pixels:
        rgb: Pixels = np.repeat(outfit.skin[:, None], len(u), axis=1)
        front = w > 0
        side = np.abs(u)
        cheeks = np.clip(1 - np.hypot(side - 0.5, v + 0.28) * 3.2, 0, 1) * front * 0.3
        rgb = _mix(rgb, outfit.skin * colour("f08a80") / 255 + 16, cheeks)
        eye_u, _, _ = FACE["left_eye"]
        eye_v = FACE["left_eye"][1]
        offset = np.hypot(side - eye_u, (v - eye_v) * 0.9)
        rgb = _mix(rgb, colour("f0ede6"), soft_step((0.168 - offset) * sharp) * front)
        rgb = _mix(rgb, colour("2a1d18"), soft_step((0.112 - offset) * sharp) * front)
        brow = np.minimum(0.035 - np.abs(v - 0.33 + 0.25 * (side - eye_u) ** 2), 0.2 - np.abs(side - eye_u))
        rgb = _mix(rgb, 0.7 * outfit.hair, soft_step(brow * sharp) * front)
        smile = np.minimum(0.045 - np.abs(v + 0.56 - 0.7 * u * u), 0.3 - side)
        rgb = _mix(rgb, outfit.skin * colour("b0524e") / 255, soft_step(smile * sharp) * front)
        if outfit.style != "bald":
            rgb = _mix(rgb, outfit.hair, soft_step((v - 1.25 * w + 0.5 + 0.12 * np.abs(u)) * sharp * 0.6))
        return rgb

    return texture


def _mix(base: Pixels, other: Colour, share: Pixels) -> Pixels:
    return base + share * (other[:, None] - base)
