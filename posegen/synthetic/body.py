"""The kinematic person: joint angles in human ranges, and where the joints then are.

In its own frame, in units of its height, a person has x to its left, y up and z forwards. A picture has x to the right,
y down and z towards the camera, in pixels. At yaw 0 a person faces the camera, its left on the picture's right.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from posegen.skeleton import COCO_17
from posegen.synthetic.backdrop import Floats

SIDES = {"left": 1.0, "right": -1.0}

FACE = {
    "nose": (0.0, -0.16, 1.04), "left_eye": (0.37, 0.06, 0.927), "right_eye": (-0.37, 0.06, 0.927),
    "left_ear": (1.0, -0.05, -0.08), "right_ear": (-1.0, -0.05, -0.08),
}  # fmt: skip
"""The keypoints of the head, in units of its half axes: to its left, up, forwards."""


class Limbs(NamedTuple):
    """Degrees: upper arm forwards and sideways, elbow; thigh likewise, knee. The elbow bends outwards, up, forwards."""

    arm: float = 4.0
    spread: float = 9.0
    elbow: float = 14.0
    thigh: float = 0.0
    stance: float = 5.0
    knee: float = 2.0
    towards: tuple[float, float, float] = (-0.2, 0.0, 1.0)


class Pose(NamedTuple):
    """Limbs on the left, and on the right if they differ; degrees of the trunk; height of a jump in body heights."""

    left: Limbs = Limbs()
    right: Limbs | None = None
    lean: float = 1.0
    twist: float = 0.0
    nod: float = 0.0
    lift: float = 0.0
    seated: bool = False


_AKIMBO, _SIT = Limbs(-12, 46, 98, 0, 9, 2, (-1, -0.25, 0.35)), Limbs(32, 10, 38, 82, 10, 82)

POSES = {
    "stand": Pose(), "relaxed": Pose(Limbs(stance=7), Limbs(thigh=10, stance=6, knee=16)), "akimbo": Pose(_AKIMBO),
    "wave": Pose(Limbs(8, 104, 78, 0, 6, 2, (-0.15, 1, 0.2)), Limbs()), "sit": Pose(_SIT, lean=4, seated=True),
    "cheer": Pose(Limbs(4, 150, 22, 0, 10, 2, (-1, 0.3, 0.2)), nod=-8), "star": Pose(Limbs(4, 128, 8, 0, 25), lift=0.1),
    "out": Pose(Limbs(4, 84, 10, 0, 12, 2, (0, 0.6, 0.6))), "crossed": Pose(Limbs(28, 14, 98, 0, 8, 2, (-1, 0.3, 0.5))),
    "read": Pose(Limbs(22, 8, 96, 0, 4, 2, (-0.35, 0, 1)), nod=20), "point": Pose(Limbs(86, 14, 8, 14, 4, 8), _AKIMBO),
    "phone": Pose(Limbs(38, 24, 138, 0, 6, 2, (-0.25, 0.9, 0.4)), Limbs(10, 9, 30, 8, 4, 12)),
    "walk": Pose(Limbs(-26, 9, 16, 27, 1, 8), Limbs(26, 9, 30, -18, 1, 22), lean=4, twist=6),
    "stroll": Pose(Limbs(-14, 9, 14, 15, 2, 8), Limbs(16, 9, 22, -12, 2, 14), lean=3),
    "run": Pose(Limbs(-48, 14, 88, 58, 2, 58), Limbs(38, 12, 96, -24, 2, 62), lean=14, twist=10, lift=0.03),
    "kick": Pose(Limbs(-20, 40, 20, 58, 4, 14), Limbs(30, 50, 25, -4, 5, 10), lean=-6),
    "squat": Pose(Limbs(76, 12, 12, 88, 20, 112), lean=26, nod=-14),
    "bend": Pose(Limbs(62, 6, 12, 6, 7, 16), Limbs(70, 6, 8, 4, 7, 10), lean=62),
    "sit and wave": Pose(_SIT, Limbs(8, 104, 78, 82, 12, 86, (-0.15, 1, 0.2)), lean=-4, seated=True),
}  # fmt: skip
"""The poses that people are drawn from, before their angles are shaken."""


class Body(NamedTuple):
    """A posed person in a picture.

    `points` are named (3,) positions x, y, z in pixels: its joints, the ground, and the seat if it has one. The columns
    of `torso` and `head`, (3, 3) in pixels, point to its left, up and forwards; they are as long as a body height,
    `scale_px`, and as the half axes of the head. `girth` is how thick it is, relative to the average.
    """

    points: dict[str, Floats]
    torso: Floats
    head: Floats
    scale_px: float
    girth: float

    @property
    def keypoints(self) -> Floats:
        """(17, 3) positions x, y, z in pixels, in the order of COCO."""
        return np.array([self.points[name] for name in COCO_17.keypoints])


def sample_pose(rng: np.random.Generator) -> Pose:
    """Draw one of `POSES`, mirrored or not, its angles shaken by a few degrees."""
    pose = POSES[str(rng.choice([*POSES, "stand", "relaxed", "walk", "walk", "stroll", "run", "sit"]))]
    sign = rng.choice([1, -1])
    both = [pose.left, pose.right or pose.left][::sign]
    angles = np.array([limbs[:6] for limbs in both]) + rng.normal(0, (6, 6, 6, 3.5, 2, 3.5), (2, 6))
    angles = np.clip(angles, (-180, 5, 3, -180, 0.5, 0), (180, 180, 145, 180, 180, 125))
    left, right = (Limbs(*angles[i])._replace(towards=both[i].towards) for i in range(2))
    lean, twist, nod = rng.normal((pose.lean, sign * pose.twist, pose.nod), (2.5, 4, 5))
    return Pose(left, right, lean, twist, nod, pose.lift, pose.seated)


def place(
    pose: Pose, *, yaw: float, tilt: float, scale_px: float, foot: tuple[float, float], turn: float = 0.0,
    head: float = 1.0, girth: float = 1.0,
) -> Body:  # fmt: skip
    """Bend, turn and project a person whose feet are above `foot`, x and y of a point of the ground in pixels.

    Degrees: at yaw 90 it faces the picture's right, at 180 away; the camera looks down by `tilt`; the head is turned to
    the left by `turn`. A body height is `scale_px` pixels; `head` and `girth` are relative to the average adult.
    """
    torso = _rotate(x=pose.lean) @ _rotate(y=pose.twist)
    axes = _rotate(x=0.6 * pose.lean) @ _rotate(y=pose.twist + turn) @ _rotate(x=pose.nod)
    axes *= head * np.array([0.063, 0.08, 0.071])
    local = {"pelvis": np.zeros(3), "neck": torso @ (0.0, 0.315, -0.008)}
    local["head"] = local["neck"] + (0, 0.018, 0) + axes @ (0.0, 0.87, 0.18)
    local |= {name: local["head"] + axes @ direction for name, direction in FACE.items()}
    for (side, sign), limbs in zip(SIDES.items(), (pose.left, pose.right or pose.left), strict=True):
        upper, across = _direct(sign, limbs.arm, limbs.spread), np.array(limbs.towards) * (sign, 1.0, 1.0)
        across -= upper * (across @ upper)
        bend, shin = np.radians(limbs.elbow), limbs.thigh - limbs.knee
        lower = torso @ (np.cos(bend) * upper + np.sin(bend) * across / np.linalg.norm(across))
        shoulder, hip = torso @ (sign * 0.099, 0.28, 0.0), np.array([sign * 0.054, 0.0, 0.0])
        elbow, knee = shoulder + torso @ (0.165 * upper), hip + 0.238 * _direct(sign, limbs.thigh, limbs.stance)
        ankle = knee + 0.232 * _direct(sign, shin, 0.4 * limbs.stance)
        toe = ankle + 0.085 * _direct(sign, 84 + 0.6 * min(shin, 0.0) + 0.4 * max(shin, 0.0), 12)
        names = ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "toe")
        chain = (shoulder, elbow, elbow + 0.145 * lower, elbow + 0.19 * lower, hip, knee, ankle, toe)
        local |= {f"{side}_{name}": point for name, point in zip(names, chain, strict=True)}
    view = scale_px * np.diag([1.0, -1.0, 1.0]) @ _rotate(x=tilt) @ _rotate(y=yaw)
    soles = min(float(local[f"{side}_{part}"][1]) for side in SIDES for part in ("toe", "ankle")) - 0.03
    under = (local["left_ankle"] + local["right_ankle"]) / 2 * (1, 0, 1) + (0, soles, 0)
    origin = np.array([foot[0], foot[1] - (view @ under)[1] - scale_px * pose.lift, 0.0])
    points = {name: origin + view @ point for name, point in local.items()} | {"ground": np.array([*foot, 0.0])}
    if pose.seated:
        points["seat"] = points["pelvis"] + (0, 0.06 * scale_px, 0)
    return Body(points, view @ torso, view @ axes, scale_px, girth)


def _direct(sign: float, forwards: float, sideways: float) -> Floats:
    f, s = np.radians([forwards, sideways])
    return np.array([sign * np.sin(s), -np.cos(s) * np.cos(f), np.cos(s) * np.sin(f)])


def _rotate(*, x: float = 0.0, y: float = 0.0) -> Floats:
    return np.asarray(cv2.Rodrigues(np.radians([x, y, 0.0]))[0])
