"""One picture with people, and what an annotator would say about it.

People stand on the ground of a place seen in perspective and are painted far to near; an owner mask remembers whose
pixel each is, or -1. Visibility and segmentation are read off that mask, so they are what the picture shows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.synthetic.backdrop import FLOORS, Picture, block, disc, paint_backdrop, pick
from posegen.synthetic.body import place, sample_pose
from posegen.synthetic.figure import PIECE_BITS, Figure

# Width and height of the pictures, in pixels.
_SIZES = ((640, 480), (480, 640), (640, 427), (500, 375), (427, 640), (612, 612), (640, 360), (375, 500))

# How often an annotator says nothing about a hidden joint, of the face and of the limbs.
_LEFT_OUT = np.array([0.7] * 5 + [0.25] * 12)


class Plan(NamedTuple):
    """How many people with keypoints (None draws it), far away, and in a crowd; whether the border cuts the nearest."""

    people: int | None = None
    tiny: int = 0
    crowd: int = 0
    cut: bool = False

    def cast(self, rng: np.random.Generator, span: tuple[float, float], width: int) -> list[tuple[str, float, float]]:
        """Choose role, height in pixels (people with keypoints within `span`) and column of everybody, far to near."""
        people = int(rng.choice([1, 2, 3, 4, 4, 5, 5, 6, 6])) if self.people is None else self.people
        # The first person is what the picture is about, the others are anywhere.
        share = rng.uniform(*((1.15, 1.45) if self.cut else (0.6, 1.0) if people < 4 else (0.45, 0.75)))
        scales = [share * span[1], *np.exp(rng.uniform(np.log(span[0]), np.log(0.85 * span[1]), 8))]
        cast: list[tuple[str, float, float]] = []
        for scale in scales[:people]:
            # Mostly where there is room, sometimes close to others or at the border.
            border = -0.01 if cast else 0.2
            columns = rng.uniform(border * width, (1 - border) * width, int(rng.integers(1, 8)))
            crowding = [sum(max(0, 1 - abs(at - x) / (scale + s) / 0.22) for _, s, x in cast) for at in columns]
            cast.append(("person", float(scale), float(columns[int(np.argmin(crowding))])))
        cast += [("tiny", rng.uniform(17, 30), rng.uniform(0.03, 0.97) * width) for _ in range(self.tiny)]
        middle = rng.uniform(0.25, 0.75)
        cast += [("crowd", rng.uniform(34, 52), rng.normal(middle, 0.1) * width) for _ in range(self.crowd)]
        return sorted(cast, key=lambda entry: entry[1])


class Person(NamedTuple):
    """A person, or a crowd: the (H, W) bool mask of its pixels, (17, 3) int64 keypoints x, y, v."""

    mask: NDArray[np.bool_]
    keypoints: NDArray[np.int64]
    crowd: bool


def draw_scene(rng: np.random.Generator, plan: Plan) -> tuple[Picture, list[Person]]:
    """Draw a (H, W, 3) picture, blue, green, red, and say who is seen in it, far to near, a crowd last."""
    width, height = _SIZES[int(rng.integers(len(_SIZES)))]
    kind = str(rng.choice(["park", "beach"] if plan.tiny or plan.crowd else list(FLOORS)))
    horizon, camera, light = int(rng.uniform(0.28, 0.4) * height), rng.uniform(0.58, 0.72), rng.uniform(-1, 1)
    picture, owner = paint_backdrop(rng, kind, (height, width), horizon), np.full((height, width), -1, np.int32)
    span = max(40.0, 1.05 * FLOORS[kind] * height / camera), (0.97 * height - horizon) / camera
    cast = plan.cast(rng, span, width)
    blocked = int(rng.integers(len(cast))) if len(cast) > 1 and rng.random() < 0.22 else None
    figures = []
    for _, scale, x in cast:
        yaw, turn = rng.choice([0, 0, 0, 38, -38, 88, -88, 180, 145, -145]) + rng.normal(0, 13), rng.normal(0, 14)
        size, girth, head, tilt = rng.uniform((0.93 * scale, 0.9, 0.98, 2), (1.05 * scale, 1.15, 1.12, 9))
        if rng.random() < 0.14:  # a child
            size, head = 0.68 * size, 1.27 * head
        pose, foot = sample_pose(rng), (x, horizon + camera * scale)  # what is as high as the camera is at the horizon
        body = place(pose, yaw=yaw, turn=turn, tilt=tilt, scale_px=size, foot=foot, head=head, girth=girth)
        figures.append(Figure(rng, body, light=light))
        shadow = 0.75 * picture[min(int(foot[1]), height - 1)].mean(axis=0)
        disc(picture, (*foot, 0.2 * size, 0.032 * size), shadow)
    for number, (figure, (_, scale, x)) in enumerate(zip(figures, cast, strict=True)):
        figure.paint(picture, owner, number)
        if number == blocked:
            aside, w, h = rng.uniform((-0.2, 0.1, 0.3), (0.2, 0.5, 0.55)) * scale
            at = x + aside, horizon + (camera + 0.02) * scale, w, h
            block(picture, owner, at, pick(rng, "c39a5f c8413a 3d4c63 e0b33c"))
    coarse = rng.normal(0, 3.5, (height // 48, width // 48)).astype(np.float32)
    grain = rng.integers(-4, 5, owner.shape, np.int8)
    uneven = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) + grain
    developed = cv2.add(picture, cv2.merge((uneven, uneven, uneven)), dtype=cv2.CV_8U)
    return np.asarray(developed, np.uint8), _annotate(rng, owner, [role for role, *_ in cast], figures)


def _annotate(rng: np.random.Generator, owner: NDArray[Any], roles: list[str], figures: list[Figure]) -> list[Person]:
    """Say who is seen, and which joints: v 2 if visible, 1 if hidden; 0, 0, 0 outside and for some of the hidden."""
    numbers, people = owner >> PIECE_BITS, []
    for number, (role, figure) in enumerate(zip(roles, figures, strict=True)):
        visible, points = figure.find_visible(owner, number), np.round(figure.body.keypoints[:, :2])
        outside = ((points < 0) | (points >= owner.shape[::-1])).any(axis=1)
        keypoints = np.column_stack([points, np.where(visible, 2, 1)]).astype(np.int64)
        keypoints[outside | (~visible & (rng.random(17) < _LEFT_OUT)) | (role != "person") | (not visible.any())] = 0
        if role != "crowd":
            people.append(Person(numbers == number, keypoints, crowd=False))
    crowd = np.isin(numbers, [number for number, role in enumerate(roles) if role == "crowd"])
    people.append(Person(crowd, np.zeros((17, 3), np.int64), crowd=True))
    # An annotator overlooks who is less than a few pixels.
    return [person for person in people if np.count_nonzero(person.mask) >= 24]
