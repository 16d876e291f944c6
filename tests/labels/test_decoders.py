"""Labels that are drawn and decoded again: the places come back, and how is what the field's decoders do."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.config import PRESETS, BuildConfig
from posegen.geometry import Affine
from posegen.labels import Scene
from posegen.labels.decode.peaks import find_local
from posegen.loader.decode import decode
from posegen.skeleton import COCO_17, Skeleton

PLAIN = np.array([[1.0, 0, 0], [0, 1, 0]])
OF_A_PERSON = [name for name in PRESETS if BuildConfig.preset(name).unit == "person"]
TOP_DOWN = [name for name in OF_A_PERSON if "heatmap" in BuildConfig.preset(name).labels]


def make_scene(points: Any, drawn: Any = None) -> Scene:
    points = np.asarray(points, np.float64)
    drawn = np.ones(points.shape[:2], bool) if drawn is None else drawn
    return Scene(points=points, drawn=drawn, image_size=(400, 400), affine=Affine(1, 0, 0, 0, 1, 0))


def draw(config: BuildConfig, skeleton: Skeleton, scenes: list[Scene]) -> dict[str, NDArray[np.float32]]:
    drawn = {label.spec: [label.render(scene) for scene in scenes] for label in config.create_labels(skeleton)}
    return {spec.name: values if spec.by_person else np.stack(values) for spec, values in drawn.items()}


def spread_people(rng: np.random.Generator, config: BuildConfig, skeleton: Skeleton) -> list[NDArray[np.float64]]:
    """Draw scenes (N, K, 2) whose keypoints lie anywhere between the cells; of images with two people side by side."""
    height, width = config.input_size
    count = len(skeleton.keypoints)
    if config.unit == "person":
        return [rng.uniform((30, 30), (width - 30, height - 30), (1, count, 2)) for _ in range(60)]
    # Keypoints of a kind far from each other, and limbs that cross no other of their kind.
    halves = [rng.uniform((20, 20), (150, height - 20), (60, count, 2)) + np.array([shift, 0]) for shift in (0, 190)]
    return list(np.stack(halves, axis=1))


def test_every_preset_comes_back_where_it_was_drawn_without_bias():
    rng = np.random.default_rng(0)
    # In input pixels, the standard deviation of what rounding to cells leaves: s / sqrt(12) along an axis.
    spread = {"msra": 4 / 12**0.5, "megvii": 4 / 12**0.5, "simcc": 0.5 / 12**0.5, "rtmpose": 0.5 / 12**0.5,
              "higherhrnet": 2 / 12**0.5}  # fmt: skip
    for name in PRESETS:
        if name in {"centernet", "openpifpaf"}:  # whose keypoints may be in one cell: they have tests of their own
            continue
        config = BuildConfig.preset(name)
        drawn = ("heatmap",) if name in TOP_DOWN else ("simcc",) if name in OF_A_PERSON else ("heatmap", "paf")
        drawn = {"higherhrnet": ("heatmap", "keypoint_indices")}.get(name, drawn)
        config = dataclasses.replace(config, labels=drawn)
        skeleton = config.skeleton or COCO_17
        scenes = spread_people(rng, config, skeleton)
        found = decode(draw(config, skeleton, [*map(make_scene, scenes)]), np.tile(PLAIN, (60, 1, 1)), config, skeleton)
        errors = []
        for truth, people in zip(scenes, found, strict=True):
            assert len(people.keypoints) == len(truth), name
            order = np.argsort(people.keypoints[:, :, 0].mean(axis=1))
            errors.append((people.keypoints[order, :, :2] - truth).reshape(-1, 2))
        error = np.concatenate(errors)
        expected = spread.get(name, 0.0)
        assert np.abs(error.std(axis=0) - expected).max() < 0.05, name
        assert np.abs(error.mean(axis=0)).max() < 5 * expected / len(error) ** 0.5 + 0.01, name


def test_a_decoder_that_reads_another_kind_of_heatmap_is_off_by_its_place():
    config, other = BuildConfig.preset("msra-unbiased", labels=("heatmap",)), BuildConfig.preset("megvii")
    points = np.full((1, 17, 2), 100.0)
    maps = draw(config, COCO_17, [make_scene(points)])
    (right,) = decode(maps, PLAIN[None], config, COCO_17)
    (wrong,) = decode(maps, PLAIN[None], other, COCO_17)
    assert np.abs(right.keypoints[..., :2] - 100).max() < 0.01
    np.testing.assert_allclose(wrong.keypoints[..., :2], 102)  # half a cell


def decode_slowly(kind: str, heat: NDArray[np.float32]) -> tuple[float, float]:
    """Decode one map as the papers' codes do, with OpenCV's blur: x, y in cells, before the stride."""
    h, w = heat.shape
    edged = np.zeros((h + 10, w + 10))
    edged[5:-5, 5:-5] = heat
    blurred = cv2.GaussianBlur(edged, (11, 11), 0)[5:-5, 5:-5]
    source = blurred if kind == "megvii" else heat
    y, x = (int(i) for i in np.unravel_index(source.argmax(), source.shape))
    if kind in {"msra", "megvii"}:
        half = 0.5 if kind == "megvii" else 0.0
        fx = 0.25 * np.sign(source[y, x + 1] - source[y, x - 1]) if 0 < x < w - 1 else 0
        fy = 0.25 * np.sign(source[y + 1, x] - source[y - 1, x]) if 0 < y < h - 1 else 0
        return x + fx + half, y + fy + half
    if kind == "msra-unbiased":
        if not (1 < x < w - 2 and 1 < y < h - 2):
            return x, y
        g = np.log(np.maximum(blurred, 1e-10))
        dx, dy = (g[y, x + 1] - g[y, x - 1]) / 2, (g[y + 1, x] - g[y - 1, x]) / 2
        dxx, dyy = (g[y, x + 2] - 2 * g[y, x] + g[y, x - 2]) / 4, (g[y + 2, x] - 2 * g[y, x] + g[y - 2, x]) / 4
        dxy = (g[y + 1, x + 1] - g[y - 1, x + 1] - g[y + 1, x - 1] + g[y - 1, x - 1]) / 4
    else:
        g = np.pad(np.log(np.clip(blurred, 1e-3, 50)), 1, mode="edge")
        y, x = y + 1, x + 1
        dx, dy = (g[y, x + 1] - g[y, x - 1]) / 2, (g[y + 1, x] - g[y - 1, x]) / 2
        dxx, dyy = g[y, x + 1] - 2 * g[y, x] + g[y, x - 1], g[y + 1, x] - 2 * g[y, x] + g[y - 1, x]
        cross = g[y, x + 1] + g[y + 1, x] - 2 * g[y, x] + g[y, x - 1] + g[y - 1, x]
        dxy = (g[y + 1, x + 1] - cross + g[y - 1, x - 1]) / 2
        y, x = y - 1, x - 1
    step = -np.linalg.inv([[dxx, dxy], [dxy, dyy]]) @ [dx, dy]
    return x + step[0], y + step[1]


def test_the_top_down_decoders_give_what_the_papers_codes_give():
    rng = np.random.default_rng(1)
    points = rng.uniform((-3, -3), (195, 259), (40, 1, 17, 2))
    for kind in TOP_DOWN:
        config = BuildConfig.preset(kind, labels=("heatmap",))
        # As a network's: uneven, lower than 1, with noise. The blurred noise keeps the peaks round.
        drawn = draw(BuildConfig.preset("msra-unbiased", labels=("heatmap",)), COCO_17, [*map(make_scene, points)])
        maps = drawn["heatmap"] * rng.uniform(0.3, 1, (40, 17, 1, 1)) + rng.uniform(0, 0.01, (40, 17, 64, 48))
        found = decode({"heatmap": maps}, np.tile(PLAIN, (40, 1, 1)), config, COCO_17)
        stride = np.array([191 / 47, 255 / 63]) if kind == "udp" else 4.0
        for people, sample in zip(found, maps.astype(np.float32), strict=True):
            expected = [decode_slowly(kind, heat) for heat in sample]
            # Beyond the border UDP's own steps leave the map, where the Hessian is no peak's; ours stay.
            close = np.isclose(people.keypoints[0, :, :2] / stride, expected, atol=1e-4).all(axis=1)
            inside = [all(3 < c < n - 4 for c, n in zip(place, (48, 64), strict=True)) for place in expected]
            assert (close | ~np.array(inside)).all(), kind
            assert close.mean() > 0.7


def test_of_equal_neighbours_the_first_is_the_peak_and_low_ones_are_none():
    maps = np.zeros((2, 5, 6), np.float32)
    maps[0, 2, 2:4] = maps[0, 3, 2] = 0.5
    maps[0, 0, 0] = 0.1
    maps[1, 4, 5], maps[1, 3, 4], maps[1, 0, 0] = 0.3, 0.29, 0.2
    (channel, row, column), scores = find_local(maps)
    assert [*zip(channel, row, column, scores.round(3), strict=True)] == [
        (0, 2, 2, 0.5), (1, 0, 0, 0.2), (1, 4, 5, 0.3)
    ]  # fmt: skip


def test_a_keypoint_in_a_borders_cell_is_found_where_it_lies():
    config = BuildConfig.preset("coco", labels=("heatmap",), unit="person")
    points = np.full((1, 17, 2), 184.0)
    points[0, :4] = (1.0, 184), (366.2, 184), (184, -2), (184, 368)
    (people,) = decode(draw(config, COCO_17, [make_scene(points)]), PLAIN[None], config, COCO_17)
    assert np.abs(people.keypoints[..., :2] - points).max() < 0.15


def test_crossing_people_are_told_apart_and_no_person_has_a_keypoint_twice():
    config = BuildConfig.preset("coco", labels=("heatmap", "paf"))
    rng = np.random.default_rng(2)
    people = rng.uniform(-60, 60, (2, 17, 2)) + np.array([[[150, 150]], [[210, 220]]])
    (found,) = decode(draw(config, COCO_17, [make_scene(people)]), PLAIN[None], config, COCO_17)
    assert len(found.keypoints) >= 2
    for person in found.keypoints:
        of = np.hypot(*np.moveaxis(person[None, :, :2] - people, -1, 0)).argmin(axis=0)[person[:, 2] > 0]
        assert len(of) >= 3
        assert max(np.mean(of == 0), np.mean(of == 1)) > 0.8


def test_who_has_fewer_than_three_joined_keypoints_is_not_found():
    config = BuildConfig.preset("coco", labels=("heatmap", "paf"))
    paf = config.create_labels(COCO_17)[1]
    points, drawn = np.random.default_rng(3).uniform(40, 330, (1, 17, 2)), np.zeros((4, 17), bool)
    drawn[0, [5, 7]] = True  # a limb
    drawn[1, [5, 7, 9]] = True  # two that hang together
    drawn[2, [0, 9, 16]] = True  # no limb
    drawn[3, [5, 7, 14, 16]] = True  # two apart
    assert paf.joinable(drawn).tolist() == [False, True, False, False]
    for alone in drawn:
        (found,) = decode(draw(config, COCO_17, [make_scene(points, alone[None])]), PLAIN[None], config, COCO_17)
        assert len(found.keypoints) == paf.joinable(alone[None]).sum()


def test_ways_from_centres_and_combined_maps_come_back():
    rng = np.random.default_rng(4)
    for corners in (False, True):
        config = BuildConfig.preset("udp", labels=("offset",), label_options={"offset": {"corners": corners}})
        points = rng.uniform(20, 170, (9, 1, 17, 2))
        found = decode(
            draw(config, COCO_17, [*map(make_scene, points)])["offset"], np.tile(PLAIN, (9, 1, 1)), config, COCO_17
        )
        np.testing.assert_allclose([people.keypoints[..., :2] for people in found], points, atol=1e-3)
    config = BuildConfig.preset("coco", labels=("center",))
    points = rng.uniform(-40, 40, (3, 17, 2)) + np.array([[[80, 80]], [[280, 90]], [[180, 280]]])
    drawn = rng.random((3, 17)) < 0.8
    (people,) = decode(draw(config, COCO_17, [make_scene(points, drawn)]), PLAIN[None], config, COCO_17)
    order = np.argsort([np.hypot(*(p[p[:, 2] > 0, :2].mean(axis=0) - (80, 80))) for p in people.keypoints])
    assert ((people.keypoints[order][:, :, 2] > 0) == drawn).all()
    np.testing.assert_allclose(people.keypoints[order][drawn][:, :2], points[drawn], atol=1e-3)


def test_a_sigma_of_seven_tenths_of_a_cell_is_enough_to_be_refined_and_half_of_that_is_not():
    rng = np.random.default_rng(6)
    points = rng.uniform(30, 330, (30, 1, 17, 2))
    for grid in ("bilinear", "point", "area"):
        errors = []
        for cells in (0.7, 0.35):
            config = BuildConfig(
                labels=("heatmap",),
                unit="person",
                skeleton=COCO_17,
                sigma_px=8 * cells,
                label_dtype="float32",
                grid=grid,
            )
            maps = draw(config, COCO_17, [*map(make_scene, points)])
            found = decode(maps, np.tile(PLAIN, (30, 1, 1)), config)
            errors.append(np.abs(np.array([people.keypoints[..., :2] for people in found]) - points).max())
            assert bool(config.create_labels(COCO_17)[0].doubt) is (cells < 0.7)
        # In input pixels, of eight a cell.
        assert errors[0] < 0.05, (grid, errors)
        assert errors[1] > 0.2, (grid, errors)
