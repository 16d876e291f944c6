from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from each import each

from posegen.inspect.drawing.skeleton import draw_skeleton, lay_out
from posegen.skeleton import COCO_17, SKELETONS, Skeleton, read_skeleton

CASES = {
    **SKELETONS,
    "one": Skeleton(name="one", keypoints=("a",)),
    "ring": Skeleton(name="ring", keypoints=tuple("abcdef"), limbs=tuple((i, (i + 1) % 6) for i in range(6))),
    "too many": Skeleton(
        name="many", keypoints=tuple(f"p{i}" for i in range(900)), limbs=tuple((0, i) for i in range(1, 900))
    ),
    "odd names": Skeleton(name="odd", keypoints=("a\nb\t", "n" * 10_000, "größe", "\u202e目")),
    "two groups": Skeleton(name="two", keypoints=tuple("abcdef"), limbs=((0, 1), (1, 2), (3, 4))),
    "only pairs": Skeleton(name="pairs", keypoints=("left_a", "right_a"), flip_pairs=((0, 1),), limbs=((0, 1),)),
    "300": Skeleton(
        name="300", keypoints=tuple(f"p{i}" for i in range(300)), limbs=tuple((i, i + 1) for i in range(150))
    ),
}


@each(skeleton=CASES)
def test_no_two_keypoints_are_at_one_place(skeleton: Skeleton) -> None:
    points = lay_out(skeleton)
    assert points.shape == (len(skeleton.keypoints), 2)
    assert np.isfinite(points).all()
    for a, b in itertools.combinations(range(min(len(points), 140)), 2):
        assert np.hypot(*(points[a] - points[b])) > 0.3, (skeleton.keypoints[a], skeleton.keypoints[b])


@each(name=["coco-17", "openpose-18", "mpii-16", "crowdpose-14", "ap10k-17"])
def test_left_and_right_are_mirror_images_with_the_left_on_the_reader_s_right(name: str) -> None:
    skeleton = SKELETONS[name]
    points = lay_out(skeleton)
    place = dict(zip(skeleton.keypoints, points, strict=True))
    middle = (points[:, 0].min() + points[:, 0].max()) / 2
    for left in (n for n in skeleton.keypoints if n.startswith("left_")):
        x, y = place[left]
        np.testing.assert_allclose(place[left.replace("left_", "right_")], (2 * middle - x, y), atol=1e-9)
        assert x > middle


def test_a_person_stands_upright() -> None:
    y = dict(zip(COCO_17.keypoints, lay_out(COCO_17)[:, 1], strict=True))
    assert y["nose"] < y["left_shoulder"] < y["left_hip"] < y["left_knee"] < y["left_ankle"]


def test_keypoints_without_limbs_stand_below_the_others() -> None:
    points = lay_out(SKELETONS["coco-wholebody-133"])
    assert points[23:91, 1].min() > points[:23, 1].max()


@each(skeleton=CASES)
def test_every_disc_is_on_the_picture(skeleton: Skeleton) -> None:
    picture = draw_skeleton(skeleton)
    ink = (picture != 255).any(axis=2)
    assert ink.any()
    border = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
    assert not border.any()


class TestCommand:
    def test_it_lists_every_skeleton(self, run: Callable) -> None:
        done = run("skeleton", "list")
        assert done.status == 0
        assert [line.split()[0] for line in done.out.splitlines()[1:]] == list(SKELETONS)

    @each(skeleton=SKELETONS)
    def test_it_shows_every_name_mirror_and_limb(self, run: Callable, skeleton: Skeleton) -> None:
        done = run("skeleton", "show", skeleton.name)
        assert done.status == 0
        rows = [line.split() for line in done.out.splitlines()]
        for k, name in enumerate(skeleton.keypoints):
            assert [str(k), name] in [row[:2] for row in rows]
        for limb in skeleton.limb_names:
            assert limb in done.out.split()

    def test_it_shows_what_a_keypoint_is_the_mean_of(self, run: Callable) -> None:
        assert "neck            left_shoulder, right_shoulder" in run("skeleton", "show", "openpose-18").out

    def test_what_it_prints_as_toml_is_a_skeleton_file(self, run: Callable, tmp_path: Path) -> None:
        path = tmp_path / "mine.toml"
        path.write_text(run("skeleton", "show", "openpose-18", "--toml").out)
        assert read_skeleton(path) == SKELETONS["openpose-18"]

    def test_it_saves_a_drawing(self, run: Callable, tmp_path: Path) -> None:
        done = run("skeleton", "show", "hand-21", "--save", tmp_path / "hand.png")
        assert done.out.splitlines()[-1] == str(tmp_path / "hand.png")
        np.testing.assert_array_equal(cv2.imread(str(tmp_path / "hand.png")), draw_skeleton(SKELETONS["hand-21"]))

    @each("name, expected", [("coco-71", "did you mean 'coco-17'?"), ("mine.toml", "there is no skeleton 'mine.toml'")])
    def test_what_is_not_there_ends_in_a_message(self, run: Callable, name: str, expected: str) -> None:
        done = run("skeleton", "show", name)
        assert done.status == 2
        assert expected in done.err

    def test_a_wrong_file_ends_in_a_message_with_the_line(self, run: Callable, tmp_path: Path) -> None:
        path = tmp_path / "mine.toml"
        path.write_text(f"keypoints = {json.dumps(['nose', 'neck'])}\nlimbs = [['nose', 'nekc']]\n")
        done = run("skeleton", "show", path)
        assert done.status == 2
        assert done.err.strip() == f"Error: {path}, line 2: limbs: 'nekc' is not in 'keypoints' (did you mean 'neck'?)"

    def test_a_drawing_that_cannot_be_written_ends_in_a_message(self, run: Callable, tmp_path: Path) -> None:
        done = run("skeleton", "show", "hand-21", "--save", tmp_path / "no" / "hand.png")
        assert done.status in {1, 2}
        assert "hand.png" in done.err or str(tmp_path / "no") in done.err
