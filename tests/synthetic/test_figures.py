"""People as they are posed, dressed and painted, one at a time."""

from __future__ import annotations

import cv2
import numpy as np

from posegen.synthetic.body import POSES, place
from posegen.synthetic.figure import PIECE_BITS, Figure


def make_figure(pose: str, yaw: float, seed: int = 0) -> Figure:
    body = place(POSES[pose], yaw=yaw, tilt=0, scale_px=300, foot=(150, 330))
    return Figure(np.random.default_rng(seed), body, light=0)


def paint(figure: Figure, ground: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Paint a person on an even ground: the picture, and the owner mask with the person as number 5."""
    picture, owner = np.full((400, 300, 3), ground, np.uint8), np.full((400, 300), -1, np.int32)
    figure.paint(picture, owner, 5)
    return picture, owner


def seen_of(pose: str, yaw: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the (17, 3) positions of a person's joints and which of them show."""
    figure = make_figure(pose, yaw)
    return figure.body.keypoints, figure.find_visible(paint(figure)[1], 5)


def test_a_person_facing_the_camera_has_its_left_on_the_right_of_the_picture() -> None:
    points, seen = seen_of("stand", 0)
    assert (points[1::2, 0] > points[2::2, 0]).all()
    assert seen.all()


def test_the_back_of_the_head_hides_the_face() -> None:
    points, seen = seen_of("stand", 180)
    assert (points[1::2, 0] < points[2::2, 0]).all()
    assert seen[:5].tolist() == [False, False, False, True, True]
    assert seen[5:].all()


def test_a_body_in_profile_hides_its_far_side() -> None:
    _, seen = seen_of("stroll", 90)
    names = ("left_eye", "left_ear", "left_shoulder", "left_hip")
    assert [bool(seen[i]) for i in (1, 3, 5, 11)] == [False] * len(names)
    assert [bool(seen[i]) for i in (2, 4, 6, 12)] == [True] * len(names)


def test_a_raised_wrist_is_drawn_where_it_is_annotated() -> None:
    figure = make_figure("out", 0)
    points, owner = figure.body.keypoints, paint(figure)[1]
    for wrist, elbow in ((9, 7), (10, 8)):
        # Across the forearm the arm is as thick on either side of the joint.
        forearm = points[wrist, :2] - points[elbow, :2]
        across = np.array([-forearm[1], forearm[0]]) / np.hypot(*forearm)
        reach = np.arange(-12, 12.01, 0.25)
        x, y = np.round(points[wrist, :2] + reach[:, None] * across).astype(int).T
        inside = reach[owner[y, x] >= 0]
        assert np.ptp(inside) > 8
        assert abs(inside.mean()) < 0.6


def test_the_left_sleeve_is_lighter_than_the_right_one() -> None:
    for yaw in (0.0, 180.0):
        figure = make_figure("out", yaw)
        points, picture = figure.body.keypoints, paint(figure)[0]
        brightness = []
        for shoulder, elbow in ((5, 7), (6, 8)):
            x, y = np.round(0.65 * points[shoulder, :2] + 0.35 * points[elbow, :2]).astype(int)
            brightness.append(picture[y, x].mean())
        assert brightness[0] > 1.15 * brightness[1]


def test_the_owner_mask_is_where_the_ground_does_not_show() -> None:
    for seed, pose in enumerate(POSES):
        if pose.startswith("sit"):
            continue
        figure = make_figure(pose, 47 * seed, seed)
        (dark, owner), (bright, _) = paint(figure, 40), paint(figure, 220)
        # The shadow is ground, too; it lies below the soles.
        above = slice(0, 318)
        shows = np.abs(bright[above].astype(int) - dark[above]).max(axis=2) / 180
        mine = owner[above] >> PIECE_BITS == 5
        assert set(np.unique(owner >> PIECE_BITS)) == {-1, 5}
        # Soft edges reach two pixels beyond the mask at most.
        assert (shows[mine] < 0.8).all()
        assert np.quantile(shows[mine], 0.95) == 0
        assert (shows[cv2.dilate(mine.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0] == 1).all()
        assert ((shows < 0.5) & ~mine).sum() < 0.03 * mine.sum()


def test_who_is_painted_later_hides_who_is_behind() -> None:
    behind, before = make_figure("akimbo", 0), make_figure("star", 180, seed=1)
    picture, owner = paint(behind)
    alone = owner >> PIECE_BITS == 5
    before.paint(picture, owner, 2)
    covers = paint(before)[1] >= 0
    np.testing.assert_array_equal(owner >> PIECE_BITS == 2, covers)
    np.testing.assert_array_equal(owner >> PIECE_BITS == 5, alone & ~covers)
    x, y = np.round(behind.body.keypoints[:, :2]).astype(int).T
    seen = behind.find_visible(owner, 5)
    np.testing.assert_array_equal(seen, ~covers[y, x])
    assert 0 < seen.sum() < 17
