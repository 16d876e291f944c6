"""One picture with people, and what an annotator would say about it.

People stand on the ground of a place seen in perspective and are painted back to front; a map of owners remembers
whose pixel each is. Visibility and segmentation are read off that map and off the depth of each body, so they are
what the picture shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.synthetic.backdrop import BACKDROPS, paint_backdrop
from posegen.synthetic.body import Body, place, sample_pose
from posegen.synthetic.figure import draw_person, sample_build, sample_outfit, seen_joints
from posegen.synthetic.paint import SUBPIXEL_BITS
from posegen.synthetic.props import draw_obstacle, draw_stool
from posegen.synthetic.raster import Layer, Light

SIZES = ((640, 480), (480, 640), (640, 427), (500, 375), (427, 640), (612, 612), (640, 360), (375, 500))
"""Width and height of the pictures, in pixels."""

_NOBODY = 255
_LEFT_OUT = {"face": 0.7, "limb": 0.25}


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a picture is to show.

    Parameters
    ----------
    people
        How many people with keypoints; None draws the number.
    tiny
        How many people far away, without keypoints.
    crowd
        How many people in a region that is annotated as one crowd.
    cut
        Whether somebody is so near that the picture's border cuts them.
    """

    people: int | None = None
    tiny: int = 0
    crowd: int = 0
    cut: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A person, or a crowd, in a picture of H x W pixels.

    Attributes
    ----------
    mask
        (H, W) bool, the pixels that show it.
    keypoints
        (17, 3) int64 x, y, v in the order of COCO.
    crowd
        Whether it is many people in one region.
    """

    mask: NDArray[np.bool_]
    keypoints: NDArray[np.int64]
    crowd: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """A picture, (H, W, 3) uint8 in blue, green, red, and the figures in it, nearest last."""

    picture: NDArray[np.uint8]
    figures: list[Figure]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Actor:
    role: str
    owner: int
    body: Body
    seen: NDArray[np.bool_]


@dataclass(kw_only=True, slots=True)
class _Stage:
    canvas: NDArray[np.float32]
    owner: NDArray[np.uint8]
    horizon: int
    camera_height: float
    tilt: float
    light: Light
    cast: list[_Actor] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        return self.owner.shape[0], self.owner.shape[1]

    def ground(self, scale_px: float) -> float:
        """Row of the ground below a person of that height: what is as high as the camera is at the horizon."""
        return self.horizon + self.camera_height * scale_px


def draw_scene(rng: np.random.Generator, plan: Plan) -> Scene:
    """Draw a picture after a plan; the same generator state gives the same picture."""
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    horizon = int(rng.uniform(0.28, 0.4) * height)
    kinds = ("park", "beach") if plan.tiny or plan.crowd else tuple(BACKDROPS)
    kind = kinds[int(rng.integers(len(kinds)))]
    side = float(rng.choice([-1.0, 1.0])) * rng.uniform(0.25, 0.55)
    lamp = np.array([side, 0.62, 0.66]) / np.linalg.norm([side, 0.62, 0.66])
    stage = _Stage(
        canvas=paint_backdrop(rng, kind, (height, width), horizon),
        owner=np.full((height, width), _NOBODY, np.uint8),
        horizon=horizon,
        camera_height=float(rng.uniform(0.58, 0.72)),
        tilt=float(rng.uniform(2, 9)),
        light=Light(
            direction=(float(lamp[0]), float(lamp[1]), float(lamp[2])),
            ambient=float(rng.uniform(0.6, 0.7)),
            diffuse=float(rng.uniform(0.42, 0.56)),
        ),
    )
    smallest = max(40.0, 1.05 * BACKDROPS[kind].floor * height / stage.camera_height)
    cast = _casting(rng, plan, stage, smallest)
    blocked = int(rng.integers(len(cast))) if len(cast) > 1 and rng.random() < 0.22 else None
    for i, (role, scale, x) in enumerate(cast):
        _enter(rng, stage, role, scale, x)
        if i == blocked:
            _put_obstacle(rng, stage, scale, x)
    figures = _figures(rng, stage)
    return Scene(picture=_develop(rng, stage.canvas), figures=figures)


def _casting(rng: np.random.Generator, plan: Plan, stage: _Stage, smallest: float) -> list[tuple[str, float, float]]:
    """Choose role, height in pixels and column of everybody, far to near."""
    height, width = stage.size
    people = int(rng.choice([1, 2, 2, 3, 3, 4, 4, 5, 6])) if plan.people is None else plan.people
    largest = (0.97 * height - stage.horizon) / stage.camera_height
    # The first person is what the picture is about, the others are anywhere.
    scales = [rng.uniform(0.6, 1.0) * largest if people < 4 else rng.uniform(0.45, 0.75) * largest]
    if plan.cut:
        scales[0] = rng.uniform(1.15, 1.45) * largest
    scales += [float(np.exp(rng.uniform(np.log(smallest), np.log(0.85 * largest)))) for _ in range(people - 1)]
    cast: list[tuple[str, float, float]] = []
    for scale in scales[:people]:
        cast.append(("person", scale, _free_column(rng, cast, scale, width)))
    cast += [("tiny", rng.uniform(17, 30), rng.uniform(0.03, 0.97) * width) for _ in range(plan.tiny)]
    middle = rng.uniform(0.25, 0.75) * width
    cast += [("crowd", rng.uniform(34, 52), middle + rng.normal(0, 0.1) * width) for _ in range(plan.crowd)]
    return sorted(cast, key=lambda entry: entry[1])


def _free_column(rng: np.random.Generator, cast: list[tuple[str, float, float]], scale: float, width: int) -> float:
    """Choose where to stand: mostly where there is room, sometimes close to others or at the border."""
    border = 0.2 if not cast else -0.01
    candidates = rng.uniform(border * width, (1 - border) * width, int(rng.integers(2, 9)))

    def crowding(column: float) -> float:
        return sum(max(0.0, 1 - abs(column - x) / (0.22 * (scale + other))) for _, other, x in cast)

    return float(min(candidates, key=crowding))


def _enter(rng: np.random.Generator, stage: _Stage, role: str, scale: float, x: float) -> None:
    pose = sample_pose(rng)
    child = bool(rng.random() < 0.14)
    yaw = float(rng.choice([0.0, 0.0, 0.0, 38.0, -38.0, 88.0, -88.0, 180.0, 145.0, -145.0]) + rng.normal(0, 13))
    stature = scale * (rng.uniform(0.6, 0.75) if child else rng.uniform(0.93, 1.05))
    outfit, build = sample_outfit(rng, upright=pose.upright), sample_build(rng, child=child)
    ground = stage.ground(scale)
    body = place(pose, build, yaw=yaw, tilt=stage.tilt, scale_px=stature, foot=(x, ground))
    _shadow(stage, body)
    if pose.seated:
        for corners in draw_stool(stage.canvas, body.points["pelvis"], ground, stature):
            cv2.fillConvexPoly(stage.owner, corners, _NOBODY, cv2.LINE_8, SUBPIXEL_BITS)
    layer = draw_person(body, outfit, stage.light, stage.size)
    if layer is None:
        return
    crowd = [actor.owner for actor in stage.cast if actor.role == role == "crowd"]
    owner = crowd[0] if crowd else len(stage.cast)
    stage.cast.append(_Actor(role=role, owner=owner, body=body, seen=seen_joints(body, layer)))
    _composite(stage, layer, owner)


def _composite(stage: _Stage, layer: Layer, owner: int) -> None:
    window = np.s_[layer.y0 : layer.y0 + layer.height, layer.x0 : layer.x0 + layer.width]
    below = 1 - layer.alpha
    # Merged planes: multiplying by a broadcast (h, w, 1) costs numpy one loop a pixel.
    stage.canvas[window] = stage.canvas[window] * cv2.merge((below, below, below)) + cv2.merge(tuple(layer.colour))
    stage.owner[window][layer.alpha > 0.5] = owner


def _shadow(stage: _Stage, body: Body) -> None:
    """Darken the ground below a person."""
    height, width = stage.size
    ankles = np.array([body.points["left_ankle"][0], body.points["right_ankle"][0]])
    cx, cy = float(ankles.mean()) - 0.08 * stage.light.direction[0] * body.scale_px, body.ground_y
    rx, ry = 0.5 * float(np.ptp(ankles)) + 0.14 * body.scale_px, 0.035 * body.scale_px + 1
    x0, x1 = max(int(cx - 2 * rx), 0), min(int(cx + 2 * rx) + 1, width)
    y0, y1 = max(int(cy - 2 * ry), 0), min(int(cy + 2 * ry) + 1, height)
    if x0 >= x1 or y0 >= y1:
        return
    x = (np.arange(x0, x1, dtype=np.float32) - cx) / rx
    y = (np.arange(y0, y1, dtype=np.float32) - cy) / ry
    # A product of two bells: soft, and cheap as two rows of exponentials.
    stage.canvas[y0:y1, x0:x1] *= 1 - 0.48 * (np.exp(-1.6 * y * y)[:, None] * np.exp(-1.6 * x * x))[..., None]


def _put_obstacle(rng: np.random.Generator, stage: _Stage, scale: float, x: float) -> None:
    """Put something in front of the person who stands at x, so that legs are hidden."""
    scale *= 1.03
    x += rng.normal(0, 0.16) * scale
    drawn = draw_obstacle(rng, stage.size, x, stage.ground(scale), scale)
    cover = drawn[..., 3] > 0
    stage.canvas[cover] = drawn[cover][:, :3]
    stage.owner[cover] = _NOBODY


def _figures(rng: np.random.Generator, stage: _Stage) -> list[Figure]:
    """Read off what the picture shows of everybody; an annotator overlooks who is less than a few pixels."""
    figures: list[Figure] = []
    crowds: list[Figure] = []
    for owner in sorted({actor.owner for actor in stage.cast}):
        actor = next(actor for actor in stage.cast if actor.owner == owner)
        keypoints = np.zeros((17, 3), np.int64)
        if actor.role == "person":
            keypoints = _annotate(rng, stage, actor)
        mask = stage.owner == owner
        if np.count_nonzero(mask) >= 24:
            kind = crowds if actor.role == "crowd" else figures
            kind.append(Figure(mask=mask, keypoints=keypoints, crowd=actor.role == "crowd"))
    return figures + crowds


def _annotate(rng: np.random.Generator, stage: _Stage, actor: _Actor) -> NDArray[np.int64]:
    """Say where the joints are: v 2 if visible, 1 if hidden; 0, 0, 0 outside and for some of the hidden ones."""
    height, width = stage.size
    keypoints = np.zeros((17, 3), np.int64)
    keypoints[:, :2] = np.round(actor.body.keypoints[:, :2])
    x, y = keypoints[:, 0], keypoints[:, 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    visible = actor.seen & inside
    visible[inside] &= stage.owner[y[inside], x[inside]] == actor.owner
    left_out = rng.random(17) < np.where(np.arange(17) < 5, _LEFT_OUT["face"], _LEFT_OUT["limb"])
    keypoints[:, 2] = np.where(visible, 2, 1)
    keypoints[~inside | (left_out & ~visible)] = 0
    if not visible.any():
        keypoints[:] = 0
    return keypoints


def _develop(rng: np.random.Generator, canvas: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Add uneven light and grain, and round to bytes."""
    height, width = canvas.shape[:2]
    coarse = rng.normal(0, 3.5, (max(height // 48, 2), max(width // 48, 2))).astype(np.float32)
    uneven = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    uniform = rng.integers(0, 256, (2, height, width), np.uint8).astype(np.float32)
    uneven += (uniform[0] - uniform[1]) * np.float32(0.025)
    return np.asarray(cv2.add(canvas, cv2.merge((uneven, uneven, uneven)), dtype=cv2.CV_8U), np.uint8)
