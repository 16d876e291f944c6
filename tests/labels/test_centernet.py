"""CenterNet's arrays against a loop over people, keypoints and cells, and by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from label_oracle import make_scene

from posegen.config import BuildConfig
from posegen.errors import ContractError
from posegen.labels import LabelContext, contract, create_label
from posegen.labels.centernet_people import find_radius
from posegen.labels.grid import make_grid
from posegen.labels.reference import centernet, render_centernet_loop
from posegen.loader.decode import decode
from posegen.skeleton import COCO_17, Skeleton

SIZE, CELLS = (64, 96), (16, 24)
SKELETON = Skeleton(name="test", keypoints=tuple("abcde"))
PARTS = (
    "hm", "hm_hp", "wh", "reg", "ind", "reg_mask", "hps", "hps_mask", "hp_offset", "hp_ind", "hp_mask",
)  # fmt: skip


def render(scene, skeleton=SKELETON, size=SIZE, cells=CELLS):
    labels = create_label("centernet", LabelContext(grid=make_grid("point", size, cells), skeleton=skeleton))
    return {label.spec.name.removeprefix("centernet_"): label.render(scene) for label in labels}


def scatter(seed, people, ignored=0):
    """People whose boxes lie in, across and outside of the input, and who are all drawn in part."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.2, 1.2, (people, 5, 2)) * SIZE[::-1]
    points[rng.random((people, 5)) < 0.4] //= 1
    drawn = rng.random((people, 5)) < 0.7
    drawn[:, 0] |= ~drawn.any(axis=1)
    points = points.astype(np.float32).astype(np.float64)
    points[~drawn] = np.nan
    boxes = np.column_stack(
        [rng.uniform(-0.4, 1.1, (people + ignored, 2)) * SIZE[::-1], rng.uniform(0, 60, (people + ignored, 2))]
    )
    boxes = boxes.astype(np.float32).astype(np.float64)
    scene = make_scene(points, drawn, SIZE)
    return dataclasses.replace(scene, boxes=boxes[:people], ignored_boxes=boxes[people:] if ignored else None), boxes


def test_they_are_those_of_a_loop_over_people_keypoints_and_cells():
    shown = people = 0
    for seed in range(30):
        scene, boxes = scatter(seed, people=seed % 6)
        expected = render_centernet_loop(scene.points, scene.drawn, boxes, input_size=SIZE, cells=CELLS)
        found = render(scene)
        assert set(expected) == set(PARTS) == set(found) - {"left_out"}
        for part in PARTS:
            assert (found[part].shape, found[part].dtype) == (expected[part].shape, expected[part].dtype), part
            np.testing.assert_allclose(found[part], expected[part], rtol=0, atol=1e-6, err_msg=part)
        shown += int(expected["reg_mask"].sum())
        people += len(boxes)
    assert 40 < shown < people


def test_one_person_is_what_the_definition_gives_by_hand():
    points = np.array([[[50.0, 21.0], [95.9, 63.9], [96.0, 10.0], [-0.1, 10.0], [0.0, 0.0]]])
    scene = dataclasses.replace(
        make_scene(points, np.ones((1, 5), bool), SIZE), boxes=np.array([[10.0, -8.0, 62.0, 40.0]])
    )
    found = render(scene)
    # In cells from 2.5 to 18, and from 0 (clipped from -2) to 8: the middle is 10.25, 4.
    np.testing.assert_array_equal(found["wh"][0], [15.5, 8])
    np.testing.assert_array_equal(found["reg"][0], [0.25, 0])
    assert found["ind"][0] == 4 * 24 + 10
    np.testing.assert_array_equal(found["hps_mask"][0], [1, 1, 1, 1, 0, 0, 0, 0, 1, 1])
    np.testing.assert_allclose(found["hps"][0, :4], [2.5, 1.25, 13.975, 11.975], atol=2e-6)
    np.testing.assert_array_equal(found["hps"][0, 8:], [-10, -4])
    assert found["hp_ind"][:5].tolist() == [5 * 24 + 12, 15 * 24 + 23, 0, 0, 0]
    np.testing.assert_allclose(found["hp_offset"][:2], [[0.5, 0.25], [0.975, 0.975]], atol=2e-6)
    # CornerNet's radius of 8 x 16 cells: the least of 0.98, 0.86 and 1.05; of 60 x 40 of 4.43, 3.9 and 4.7.
    assert find_radius(8, 16) == 0
    assert (found["hm"] > 0).sum() == 1
    assert find_radius(60, 40) == 3
    assert found["left_out"].tolist() == [0]


def test_gaussians_end_at_their_radius():
    scene = dataclasses.replace(
        make_scene(np.full((1, 5, 2), (200.0, 240.0)), np.ones((1, 5), bool), (512, 512)),
        boxes=np.array([[80.0, 40.0, 160.0, 240.0]]),
    )
    found = render(scene, size=(512, 512), cells=(128, 128))
    heat = found["hm_hp"][0]
    # 40 x 60 cells: a radius of 3, a sigma of 7 / 6 cells.
    assert heat[60, 50] == 1
    assert heat[63, 53] == pytest.approx(math.exp(-18 / (2 * 49 / 36)), abs=1e-8)
    assert heat[64].max() == heat[:, 54].max() == 0
    assert (heat > 0).sum() == 49


def test_people_without_keypoints_have_a_centre_and_the_mask_0():
    scene, boxes = scatter(3, people=2, ignored=3)
    nothing = np.zeros((3, 5), bool)
    shown = np.all((np.minimum(boxes[:, :2] + boxes[:, 2:], (92, 60)) > np.maximum(boxes[:, :2], 0)), axis=1)
    some = np.concatenate([[True, True], shown[2:]])
    drawn = np.concatenate([scene.drawn, nothing])[some]
    points = np.concatenate([scene.points, np.full((3, 5, 2), np.nan)])[some]
    assert shown[2:].any()
    expected = render_centernet_loop(points, drawn, boxes[some], input_size=SIZE, cells=CELLS)
    found = render(scene)
    for part in PARTS:
        np.testing.assert_allclose(found[part], expected[part], rtol=0, atol=1e-6, err_msg=part)
    assert found["reg_mask"].sum() == shown[:2].sum()


def test_of_more_than_32_people_the_largest_have_slots_and_the_rest_is_counted():
    rng = np.random.default_rng(0)
    points = rng.uniform(10, 50, (40, 5, 2))
    sides = rng.permutation(np.linspace(4, 40, 40))
    scene = dataclasses.replace(
        make_scene(points, np.ones((40, 5), bool), SIZE),
        boxes=np.column_stack([np.full((40, 2), 12.0), sides, sides]),
        ignored_boxes=np.array([[10.0, 10.0, 20.0, 20.0], [200.0, 200.0, 20.0, 20.0]]),
    )
    found = render(scene)
    kept = np.sort(np.argsort(-sides)[:32])
    np.testing.assert_allclose(found["wh"][:, 0], sides[kept] / 4, rtol=1e-6)
    assert found["left_out"].tolist() == [8 + 1]
    assert found["reg_mask"].all()
    few = render(scene.take(slice(31)))
    assert (few["left_out"].tolist(), few["reg_mask"].tolist(), few["wh"][31].tolist()) == ([0], [1] * 31 + [0], [5, 5])


def test_who_has_no_box_has_that_of_the_drawn_keypoints():
    points = np.array([[[20.0, 12.0], [60.0, 52.0], [90.0, 60.0], [30.0, 30.0], [25.0, 20.0]]])
    drawn = np.array([[True, True, False, True, True]])
    scene = make_scene(points, drawn, SIZE)
    for boxes in (None, np.full((1, 4), np.nan)):
        np.testing.assert_array_equal(render(dataclasses.replace(scene, boxes=boxes))["wh"][0], [10, 10])


def test_rows_may_come_in_another_order_and_nothing_else():
    context = next(contract.make_contexts({}))
    scene = [*contract.make_scenes(context.grid.input_size, 3)][2]
    wh = next(label for label in create_label("centernet", context) if label.spec.name == "centernet_wh")
    contract.check_order(wh, scene)
    assert not np.array_equal(wh.render(scene), wh.render(scene.take(slice(None, None, -1))))

    class First:
        people_rows = 32
        spec = wh.spec

        @staticmethod
        def render(scene):
            return np.full((32, 2), scene.boxes[0, 0], np.float32)

    with pytest.raises(ContractError, match="other rows when people come in another order"):
        contract.check_order(First(), scene)


def test_a_prediction_without_faults_comes_back():
    config = BuildConfig.preset("centernet")
    rng = np.random.default_rng(0)
    points = np.stack([rng.uniform((30, 30), (230, 480), (17, 2)), rng.uniform((270, 30), (480, 480), (17, 2))])
    low, high = points.min(axis=1) - 5, points.max(axis=1) + 5
    scene = dataclasses.replace(
        make_scene(points, np.ones((2, 17), bool), (512, 512)), boxes=np.concatenate([low, high - low], axis=1)
    )
    drawn = {label.spec.name: label.render(scene)[None] for label in config.create_labels(COCO_17)}
    plain = np.array([[[1.0, 0, 0], [0, 1, 0]]])
    (found,) = decode(drawn, plain, config, COCO_17)
    order = np.argsort(found.keypoints[:, :, 0].mean(axis=1))
    error = np.abs(found.keypoints[order, :, :2] - points)
    # Two keypoints that lie in one cell share its offset.
    assert (np.sort(error.ravel())[:-2] < 1e-3).all()
    assert error.max() < 4
    # As a network predicts it: ways are off, but the keypoints' own peaks are not.
    maps = {name: drawn[f"centernet_{name}"] for name in ("hm", "hm_hp")}
    for name, index in (("wh", "ind"), ("reg", "ind"), ("hps", "ind"), ("hp_offset", "hp_ind")):
        values, at = drawn[f"centernet_{name}"][0], drawn[f"centernet_{index}"][0]
        maps[name] = np.zeros((1, values.shape[1], 128 * 128), np.float32)
        some = drawn[f"centernet_{'hp_mask' if name == 'hp_offset' else 'reg_mask'}"][0] > 0
        maps[name][0][:, at[some]] = values[some].T + (1.5 if name == "hps" else 0)
        maps[name] = maps[name].reshape(1, -1, 128, 128)
    (again,) = decode({f"centernet_{name}": of for name, of in maps.items()}, plain, config, COCO_17)
    order = np.argsort(again.keypoints[:, :, 0].mean(axis=1))
    error = np.abs(again.keypoints[order, :, :2] - points)
    assert np.median(error) < 1e-3
    assert error.max() < 7


def test_the_radius_is_the_largest_by_which_corners_may_move_and_boxes_overlap_by_seven_tenths():
    for height, width in [(h, w) for h in range(1, 150, 7) for w in range(1, 150, 4)]:
        area = height * width

        def overlaps(r, height=height, width=width, area=area):
            moved, inside = (height - r) * (width - r), max(height - 2 * r, 0) * max(width - 2 * r, 0)
            # Both corners along, both inwards, both outwards.
            shares = moved / (2 * area - moved), inside / area, area / ((height + 2 * r) * (width + 2 * r))
            return min(shares) >= 0.7

        expected = next(r for r in range(area) if not overlaps(r + 1))
        assert find_radius(height, width) == centernet._find_radius(height, width) == expected, (height, width)
