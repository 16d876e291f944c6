"""The kinematic person: joint angles in human ranges, and where the joints then are.

A person stands in its own frame: x to its left, y up, z forwards, in units of its height. `place` turns it, seen
by a camera with x to the right, y up and z towards the camera, so that a person at yaw 0 faces the camera and has
its left on the picture's right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.skeleton import COCO_17

Vector = NDArray[np.float64]

SIDES = (("left", 1.0), ("right", -1.0))

HEAD_RADII = np.array([0.063, 0.08, 0.071])
"""Half axes of the head to the side, up and forwards, in units of body height."""

FACE = {
    "nose": (0.0, -0.16, 1.04),
    "left_eye": (0.37, 0.06, 0.927),
    "right_eye": (-0.37, 0.06, 0.927),
    "left_ear": (1.0, -0.05, -0.08),
    "right_ear": (-1.0, -0.05, -0.08),
}
"""The keypoints of the head, in units of its half axes: to its left, up, forwards."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """Angles in degrees: upper arm raised forwards and sideways, elbow bent.

    `towards` is where the forearm goes when the elbow bends: outwards, up, forwards.
    """

    flex: float = 4.0
    spread: float = 9.0
    bend: float = 14.0
    towards: tuple[float, float, float] = (-0.2, 0.0, 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Leg:
    """Angles in degrees: thigh raised forwards, thigh raised sideways, knee bent."""

    flex: float = 0.0
    spread: float = 4.0
    knee: float = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Pose:
    """Joint angles in degrees; pairs are (left, right). `lift` is the height of a jump in body heights."""

    lean: float = 1.0
    sway: float = 0.0
    twist: float = 0.0
    nod: float = 0.0
    turn: float = 0.0
    arms: tuple[Arm, Arm] = (Arm(), Arm())
    legs: tuple[Leg, Leg] = (Leg(), Leg())
    lift: float = 0.0
    seated: bool = False

    @property
    def upright(self) -> bool:
        """Whether both legs are nearly straight and under the body."""
        return self.lift == 0 and self.lean < 12 and all(abs(leg.flex) < 20 and leg.spread < 15 for leg in self.legs)


_AKIMBO = Arm(flex=-12, spread=46, bend=98, towards=(-1.0, -0.25, 0.35))
_CHEER = Arm(spread=150, bend=22, towards=(-1.0, 0.3, 0.2))
_CROSSED = Arm(flex=28, spread=14, bend=98, towards=(-1.0, 0.3, 0.5))
_HOLD = Arm(flex=22, spread=8, bend=96, towards=(-0.35, 0.0, 1.0))
_LAP = Arm(flex=32, spread=10, bend=38)
_OUT = Arm(spread=84, bend=10, towards=(0.0, 0.6, 0.6))
_PHONE = Arm(flex=38, spread=24, bend=138, towards=(-0.25, 0.9, 0.4))
_POINT = Arm(flex=86, spread=14, bend=8)
_WAVE = Arm(flex=8, spread=104, bend=78, towards=(-0.15, 1.0, 0.2))

POSES: dict[str, Pose] = {
    "stand": Pose(),
    "relaxed": Pose(sway=3, legs=(Leg(spread=7), Leg(flex=10, spread=6, knee=16))),
    "akimbo": Pose(arms=(_AKIMBO, _AKIMBO), legs=(Leg(spread=9), Leg(spread=9))),
    "wave": Pose(arms=(_WAVE, Arm()), legs=(Leg(spread=6), Leg(spread=6))),
    "cheer": Pose(nod=-8, arms=(_CHEER, _CHEER), legs=(Leg(spread=10), Leg(spread=10))),
    "star": Pose(
        arms=(Arm(spread=128, bend=8), Arm(spread=128, bend=8)),
        legs=(Leg(spread=25), Leg(spread=25)),
        lift=0.1,
    ),
    "out": Pose(arms=(_OUT, _OUT), legs=(Leg(spread=12), Leg(spread=12))),
    "crossed": Pose(arms=(_CROSSED, _CROSSED), legs=(Leg(spread=8), Leg(spread=8))),
    "reading": Pose(nod=20, arms=(_HOLD, _HOLD)),
    "phone": Pose(turn=8, arms=(_PHONE, Arm(flex=10, bend=30)), legs=(Leg(spread=6), Leg(flex=8, knee=12))),
    "point": Pose(arms=(_POINT, _AKIMBO), legs=(Leg(flex=14, knee=8), Leg(flex=-8, knee=6))),
    "walk": Pose(
        lean=4, twist=6, arms=(Arm(flex=-26, bend=16), Arm(flex=26, bend=30)),
        legs=(Leg(flex=27, spread=1, knee=8), Leg(flex=-18, spread=1, knee=22)),
    ),
    "stroll": Pose(
        lean=3, arms=(Arm(flex=-14, bend=14), Arm(flex=16, bend=22)),
        legs=(Leg(flex=15, spread=2, knee=8), Leg(flex=-12, spread=2, knee=14)),
    ),
    "run": Pose(
        lean=14, twist=10, arms=(Arm(flex=-48, spread=14, bend=88), Arm(flex=38, spread=12, bend=96)),
        legs=(Leg(flex=58, spread=2, knee=58), Leg(flex=-24, spread=2, knee=62)), lift=0.03,
    ),
    "kick": Pose(
        lean=-6, arms=(Arm(flex=-20, spread=40, bend=20), Arm(flex=30, spread=50, bend=25)),
        legs=(Leg(flex=58, spread=4, knee=14), Leg(flex=-4, spread=5, knee=10)),
    ),
    "lunge": Pose(
        lean=8, arms=(_LAP, _AKIMBO), legs=(Leg(flex=68, spread=4, knee=74), Leg(flex=-26, spread=4, knee=24))
    ),
    "squat": Pose(
        lean=26, nod=-14, arms=(Arm(flex=76, spread=12, bend=12), Arm(flex=76, spread=12, bend=12)),
        legs=(Leg(flex=88, spread=20, knee=112), Leg(flex=88, spread=20, knee=112)),
    ),
    "bend": Pose(
        lean=62, arms=(Arm(flex=62, spread=6, bend=12), Arm(flex=70, spread=6, bend=8)),
        legs=(Leg(flex=6, spread=7, knee=16), Leg(flex=4, spread=7, knee=10)),
    ),
    "sit": Pose(
        lean=4, arms=(_LAP, _LAP), legs=(Leg(flex=82, spread=10, knee=84), Leg(flex=82, spread=10, knee=80)),
        seated=True,
    ),
    "sit-wave": Pose(
        lean=-4, arms=(_LAP, _WAVE), legs=(Leg(flex=80, spread=8, knee=66), Leg(flex=82, spread=12, knee=86)),
        seated=True,
    ),
}  # fmt: skip
"""The poses that people are drawn from, before their angles are shaken."""

_WEIGHTS = {"stand": 1.5, "relaxed": 1.5, "walk": 2.0, "stroll": 1.5, "sit": 1.5, "run": 1.5}


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """Proportions, relative to the average adult."""

    head: float = 1.0
    shoulders: float = 1.0
    hips: float = 1.0
    girth: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A posed person as the camera sees it.

    Attributes
    ----------
    points
        Named (3,) float64 positions: x right and y down in pixels, z towards the camera in pixels.
    torso, head
        (3, 3) float64, columns: its left, up, forwards; camera axes (x right, y up, z towards the camera).
    scale_px
        Pixels a body height.
    build
        Its proportions.
    ground_y
        Image row of the ground below it, in pixels.
    """

    points: dict[str, Vector]
    torso: Vector
    head: Vector
    scale_px: float
    build: Build
    ground_y: float

    @property
    def keypoints(self) -> NDArray[np.float64]:
        """(17, 3) float64 positions in the order of COCO: x, y, z in pixels."""
        return np.array([self.points[name] for name in COCO_17.keypoints])

    def extent(self) -> tuple[float, float, float, float]:
        """Return x0, y0, x1, y1 of a box that holds everything drawn, in pixels."""
        all_points = np.array(list(self.points.values()))[:, :2]
        low, high = all_points.min(axis=0), all_points.max(axis=0)
        margin = 0.16 * self.scale_px * self.build.head + 3
        return low[0] - margin, low[1] - margin, high[0] + margin, high[1] + margin


def sample_pose(rng: np.random.Generator, name: str | None = None) -> Pose:
    """Draw one of `POSES`, or take the one named; mirrored or not, its angles shaken by a few degrees."""
    if name is None:
        weights = np.array([_WEIGHTS.get(n, 1.0) for n in POSES])
        name = list(POSES)[int(rng.choice(len(POSES), p=weights / weights.sum()))]
    pose = POSES[name]
    arms, legs, mirror = pose.arms, pose.legs, 1.0
    if rng.random() < 0.5:
        arms, legs, mirror = (arms[1], arms[0]), (legs[1], legs[0]), -1.0
    shaken_arms = [_shake_arm(rng, arm) for arm in arms]
    shaken_legs = [_shake_leg(rng, leg) for leg in legs]
    return Pose(
        lean=pose.lean + rng.normal(0, 2.5),
        sway=mirror * pose.sway + rng.normal(0, 2),
        twist=mirror * pose.twist + rng.normal(0, 4),
        nod=pose.nod + rng.normal(0, 5),
        turn=mirror * pose.turn + rng.normal(0, 14),
        arms=(shaken_arms[0], shaken_arms[1]),
        legs=(shaken_legs[0], shaken_legs[1]),
        lift=pose.lift * rng.uniform(0.4, 1.2),
        seated=pose.seated,
    )


def _shake_arm(rng: np.random.Generator, arm: Arm) -> Arm:
    flex, spread, bend = rng.normal(0, 6, 3)
    return Arm(
        flex=arm.flex + flex,
        spread=max(arm.spread + spread, 5.0),
        bend=float(np.clip(arm.bend + bend, 3, 145)),
        towards=arm.towards,
    )


def _shake_leg(rng: np.random.Generator, leg: Leg) -> Leg:
    flex, spread, knee = rng.normal(0, 3.5, 3)
    return Leg(
        flex=leg.flex + flex,
        spread=max(leg.spread + 0.6 * spread, 0.5),
        knee=float(np.clip(leg.knee + knee, 0, 125)),
    )


def place(
    pose: Pose,
    build: Build,
    *,
    yaw: float,
    tilt: float,
    scale_px: float,
    foot: tuple[float, float],
) -> Body:
    """Bend, turn and project a person.

    Parameters
    ----------
    pose, build
        Joint angles and proportions.
    yaw
        Degrees: 0 faces the camera, 90 faces the picture's right, 180 faces away.
    tilt
        Degrees by which the camera looks down.
    scale_px
        Pixels a body height.
    foot
        (x, y) in pixels of the point of the ground below the pelvis.

    Returns
    -------
    The person's points in pixels and the axes of its torso and head.
    """
    local, torso, head = _bend(pose, build)
    view = _rotate_x(np.radians(tilt)) @ _rotate_y(np.radians(yaw))
    seen = {name: view @ point for name, point in local.items()}
    feet = [f"{side}_{part}" for side, _ in SIDES for part in ("toe", "ankle")]
    soles = min(float(local[name][1]) for name in feet) - 0.03
    under = (local["left_ankle"] + local["right_ankle"]) / 2
    ground = float((view @ np.array([under[0], soles, under[2]]))[1])
    points = {
        name: np.array([foot[0] + scale_px * p[0], foot[1] - scale_px * (p[1] - ground + pose.lift), scale_px * p[2]])
        for name, p in seen.items()
    }
    return Body(points=points, torso=view @ torso, head=view @ head, scale_px=scale_px, build=build, ground_y=foot[1])


def _bend(pose: Pose, build: Build) -> tuple[dict[str, Vector], Vector, Vector]:
    lean, sway, twist, nod, turn = np.radians([pose.lean, pose.sway, pose.twist, pose.nod, pose.turn])
    torso = _rotate_x(lean) @ _rotate_z(sway) @ _rotate_y(twist)
    head = _rotate_x(0.6 * lean) @ _rotate_y(twist + turn) @ _rotate_x(nod)
    points: dict[str, Vector] = {"pelvis": np.zeros(3), "neck": torso @ np.array([0.0, 0.315, -0.008])}
    radii = HEAD_RADII * build.head
    points["head"] = points["neck"] + head @ np.array([0.0, 0.018 + 0.87 * radii[1], 0.18 * radii[2]])
    for name, direction in FACE.items():
        points[name] = points["head"] + head @ (radii * np.array(direction))
    for (side, sign), arm, leg in zip(SIDES, pose.arms, pose.legs, strict=True):
        shoulder = torso @ np.array([sign * 0.099 * build.shoulders, 0.28, 0.0])
        upper = _direction(sign, arm.flex, arm.spread)
        across = np.array(arm.towards) * (sign, 1.0, 1.0)
        across = across - upper * (across @ upper)
        across = across / np.linalg.norm(across)
        bend = np.radians(arm.bend)
        lower = np.cos(bend) * upper + np.sin(bend) * across
        elbow = shoulder + torso @ (0.165 * upper)
        wrist = elbow + torso @ (0.145 * lower)
        points |= {
            f"{side}_shoulder": shoulder, f"{side}_elbow": elbow, f"{side}_wrist": wrist,
            f"{side}_hand": wrist + torso @ (0.045 * lower),
        }  # fmt: skip
        hip = _rotate_z(0.5 * sway) @ np.array([sign * 0.054 * build.hips, 0.0, 0.0])
        knee = hip + 0.238 * _direction(sign, leg.flex, leg.spread)
        shin = leg.flex - leg.knee
        ankle = knee + 0.232 * _direction(sign, shin, 0.4 * leg.spread)
        toe = ankle + 0.085 * _direction(sign, 84 + 0.6 * min(shin, 0.0) + 0.4 * max(shin, 0.0), 12)
        points |= {f"{side}_hip": hip, f"{side}_knee": knee, f"{side}_ankle": ankle, f"{side}_toe": toe}
    return points, torso, head


def _direction(sign: float, flex: float, spread: float) -> Vector:
    f, s = np.radians([flex, spread])
    return np.array([sign * np.sin(s), -np.cos(s) * np.cos(f), np.cos(s) * np.sin(f)])


def _rotate_x(angle: float) -> Vector:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def _rotate_y(angle: float) -> Vector:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def _rotate_z(angle: float) -> Vector:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
