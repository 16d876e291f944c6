"""The masks with a channel for each keypoint and limb, against their definition: person by person, cell by cell."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from label_oracle import KINDS, LIMBS, People, expect_cell_paf, expect_heatmap, expect_paf, expect_top_down, make_region

from posegen.geometry import fit
from posegen.labels import LabelContext, Scene, create_label, render_scenes
from posegen.labels.base import find_limits
from posegen.labels.drawn_cells import recall_drawn
from posegen.labels.grid import make_grid
from posegen.labels.mask import MaskLabel
from posegen.skeleton import Skeleton

SKELETON = Skeleton(name="test", keypoints=("a", "b", "c"), limbs=LIMBS)
SIZES = (((64, 96), (8, 12)), ((50, 60), (18, 23)), ((368, 368), (46, 46)), ((33, 32), (33, 32)))
HALF_WIDTH = 4.0


def make_context(kind, size, cells, **changes):
    grid = make_grid(kind, size, cells)
    return LabelContext(grid=grid, skeleton=SKELETON, sigma_px=4.0, half_width_px=HALF_WIDTH, **changes)


def scatter(seed, size, *, people=4, nobody_labels=False, region=True):
    """People around the input, small and large, of whom some keypoints are unknown; perhaps none has the last."""
    rng = np.random.default_rng(seed)
    middles, sizes = rng.uniform(-0.2, 1.2, (people, 1, 2)), rng.choice([0.05, 0.3, 1.0], (people, 1, 1))
    points = (middles + sizes * rng.uniform(-0.5, 0.5, (people, 3, 2))) * size[::-1]
    points[rng.random((people, 3)) < 0.3] //= 1
    drawn = rng.random((people, 3)) < 0.6
    unknown = np.where(drawn, 0, rng.random((people, 3)) < 0.6).astype(np.uint8)
    if nobody_labels:
        drawn[:, -1], unknown[:, -1] = False, 2
    points[~drawn] = np.nan
    pixels = np.pad((rng.random((20, 30)) < 0.5).astype(np.uint8), ((10, 0), (5, 0)))
    return Scene(
        points=points,
        drawn=drawn,
        image_size=(70, 40),
        affine=fit((70, 40), size, "letterbox"),
        ignored=make_region(pixels) if region else None,
        unknown=unknown,
    )


def find_box(points, stride):
    """From which row and column on, and how many: OpenPose's box of one person's drawn points (n, 2)."""

    def whole(value):
        return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)

    if not len(points):
        return 0, 0, 0, 0
    x, y = (points / stride).T
    width, height = float(np.ptp(x)), float(np.ptp(y))
    if width < height / 2:
        width = height / 2
    elif height < width / 2:
        height = width / 2
    column, row = (x.min() + x.max()) / 2 - 0.8 * width, (y.min() + y.max()) / 2 - 0.8 * height
    return whole(row), whole(column), whole(1.6 * height), whole(1.6 * width)


def expect(scene, size, cells, units, drawn, *, background):
    """The mask of each unit (U, h, w), and then of the background: cell after cell."""
    (h, w), count = cells, len(units)
    mask = MaskLabel(input_size=size, cells=cells).render(scene)[0].astype(np.float64)
    found = np.repeat(mask[None], count + background, axis=0)
    stride = np.divide(size, cells)[::-1]
    nobody_labels = (scene.unknown == 2).any(axis=0)
    for person in range(len(scene.drawn)):
        row, column, rows, columns = find_box(scene.points[person][scene.drawn[person]], stride)
        for y in range(max(row, 0), min(row + rows, h)):
            for x in range(max(column, 0), min(column + columns, w)):
                for u, unit in enumerate(units):
                    if any(scene.unknown[person, k] == 1 for k in unit):
                        found[u, y, x] = 0
                if background and ((scene.unknown[person] == 1).any() or nobody_labels.any()):
                    found[count, y, x] = 0
    for u, unit in enumerate(units):
        if nobody_labels[list(unit)].any():
            found[u] = 0
        found[u][drawn[u]] = 1
    return found


def people_of(scene, size, cells):
    return People(size=size, cells=cells, points=scene.points, drawn=scene.drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_heatmap_masks_are_as_they_are_defined(kind):
    hidden = 0
    for size, cells in SIZES:
        (label,) = create_label("heatmap_mask", make_context(kind, size, cells))
        for seed in range(8):
            scene = scatter(seed, size, nobody_labels=seed % 3 == 0, region=seed % 2 == 0)
            values = expect_heatmap(kind, people_of(scene, size, cells), 4.0)[:3]
            expected = expect(scene, size, cells, [(0,), (1,), (2,)], values > 1e-9, background=True)
            np.testing.assert_allclose(label.render(scene), expected, rtol=0, atol=1e-6)
            hidden += (expected == 0).sum()
    assert hidden


@pytest.mark.parametrize("on", ["pixels", "cells"])
def test_paf_masks_are_as_they_are_defined(on):
    for size, cells in SIZES:
        kind = "point" if on == "cells" else "bilinear"
        (label,) = create_label("paf_mask", make_context(kind, size, cells, paf=on))
        for seed in range(8):
            scene = scatter(seed, size, nobody_labels=seed % 3 == 0, region=seed % 2 == 0)
            people = people_of(scene, size, cells)
            of_cells = HALF_WIDTH * cells[1] / size[1]
            values = (
                expect_cell_paf(people, LIMBS, of_cells)
                if on == "cells"
                else expect_paf(kind, people, LIMBS, HALF_WIDTH)
            )
            shown = np.hypot(values[0::2], values[1::2]) > 1e-9
            expected = expect(scene, size, cells, LIMBS, shown, background=False).repeat(2, axis=0)
            np.testing.assert_allclose(label.render(scene), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("heatmap", ["msra", "msra-unbiased", "udp", "megvii"])
def test_masks_of_top_down_heatmaps_have_no_background(heatmap):
    size, cells = (64, 96), (16, 24)
    (label,) = create_label("heatmap_mask", make_context("point", size, cells, heatmap=heatmap))
    for seed in range(6):
        scene = scatter(seed, size, people=1, nobody_labels=seed == 3)
        values, _ = expect_top_down(heatmap, people_of(scene, size, cells), 1.0)
        shown = values.astype(np.float32) > 0
        expected = expect(scene, size, cells, [(0,), (1,), (2,)], shown, background=False)
        found = label.render(scene)
        # Where a Gaussian is as small as float32 can tell, either may be.
        clear = (values == 0) | (values > 1e-30)
        np.testing.assert_allclose(found[clear], expected[clear], rtol=0, atol=1e-6)
    scenes = [scatter(seed, size, people=1, nobody_labels=seed == 3) for seed in range(6)]
    np.testing.assert_array_equal(render_scenes(label, scenes), [label.render(scene) for scene in scenes])


def test_a_picture_without_people_is_masked_as_ever():
    size, cells = (64, 96), (8, 12)
    scene = scatter(0, size).take(slice(0))
    (label,) = create_label("heatmap_mask", make_context("bilinear", size, cells))
    mask = MaskLabel(input_size=size, cells=cells).render(scene)
    np.testing.assert_array_equal(label.render(scene), np.repeat(mask, 4, axis=0))


def test_someone_elses_keypoint_in_the_box_counts():
    size, cells = (128, 128), (16, 16)
    points = np.array([[[64.0, 24], [40, 100], [np.nan, np.nan]], [[100.0, 90], [60, 30], [70, 70]]])
    scene = Scene(
        points=points,
        drawn=np.array([[True, True, False], [False, False, True]]),
        image_size=size,
        affine=fit(size, size, "stretch"),
        unknown=np.array([[0, 0, 1], [0, 0, 0]], np.uint8),
    )
    (label,) = create_label("heatmap_mask", make_context("bilinear", size, cells))
    of_a, of_b, of_c, background = label.render(scene)
    assert (of_a == 1).all()
    assert (of_b == 1).all()
    # The box is 76 pixels high and, 24 wide, is made 38 wide: 1.6 times these, around (52, 62).
    assert of_c[7, 3] == 0 == background[7, 3]
    assert (of_c[:, :2] == 1).all()
    assert (of_c[:, 12:] == 1).all()
    # The other one's keypoint at (70, 70) is there for the network to find.
    assert of_c[8, 8] == 1
    assert background[8, 8] == 0


def test_limits_hold_whatever_is_ignored():
    size, cells = (64, 96), (8, 12)
    for name in ("heatmap_mask", "paf_mask"):
        (label,) = create_label(name, make_context("bilinear", size, cells))
        scene = scatter(3, size)
        least, largest = find_limits(label, scene)
        found = label.render(scene)
        assert (least <= found + 1e-6).all()
        assert (found <= largest + 1e-6).all()
        assert (least == 1).any()
        assert (largest == 0).any()


def test_what_other_labels_have_drawn_before_changes_no_mask():
    size, cells = (64, 96), (16, 24)
    scenes = [scatter(seed, size, nobody_labels=seed == 2) for seed in range(6)]
    crowd = scatter(6, size, people=400)
    batches = [scenes, [scenes[0], scenes[2]], scenes[:1], [crowd], [*scenes[:5], crowd]]
    for name, of, kind, on in (
        ("heatmap_mask", "heatmap", "bilinear", "pixels"),
        ("heatmap_mask", "heatmap", "area", "pixels"),
        ("paf_mask", "paf", "bilinear", "pixels"),
        ("paf_mask", "paf", "point", "cells"),
    ):
        (mask,), (label,) = (create_label(word, make_context(kind, size, cells, paf=on)) for word in (name, of))
        copies = [[dataclasses.replace(scene) for scene in batch] for batch in batches]
        expected = [render_scenes(mask, batch) for batch in copies]
        for batch in batches:
            render_scenes(label, batch)
        for batch, alone in zip(batches, expected, strict=True):
            np.testing.assert_array_equal(render_scenes(mask, batch), alone)


def test_what_is_drawn_is_kept_where_it_is_asked_for_and_not_too_much_of_it():
    size, cells = (64, 96), (16, 24)
    scene, crowd = scatter(0, size), scatter(1, size, people=400)
    known = dataclasses.replace(scene, unknown=None)
    for name in ("heatmap", "paf"):
        (label,) = create_label(name, make_context("bilinear", size, cells))
        other = dataclasses.replace(label, grid=make_grid("area", size, cells))
        for one in (scene, known, crowd):
            drawn = label.render(one)
        drawn = label.render(scene)
        places = np.unique(np.concatenate(recall_drawn(label, [scene])))
        values = drawn[:3] if name == "heatmap" else np.abs(drawn[0::2]) + np.abs(drawn[1::2])
        count = 1 if name == "heatmap" else 2
        unit, cell = np.divmod(places, count * values[0].size)
        np.testing.assert_array_equal(np.flatnonzero(values), unit * values[0].size + cell)
        assert recall_drawn(other, [scene]) is None
        assert recall_drawn(label, [scene, scene]) is None
        assert recall_drawn(label, [known]) is None
        assert recall_drawn(label, [crowd]) is None


def test_of_a_crowd_it_is_known_where_each_keypoint_is_drawn():
    size, cells = (64, 96), (16, 24)
    scene = scatter(5, size, people=1000)
    # So many in one channel are merged bit by bit, each of them close to the left.
    scene = dataclasses.replace(scene, points=np.where(np.isnan(scene.points), np.nan, scene.points * (0.4, 1)))
    assert (scene.drawn.sum(axis=0) > 512).all()
    (label,) = create_label("heatmap", make_context("bilinear", size, cells))
    for scenes in ([scene], [scatter(6, size), scene]):
        drawn = np.asarray(render_scenes(label, scenes))
        places = np.unique(np.concatenate(recall_drawn(label, scenes)))
        drawn[:, 3] = 0  # the background
        np.testing.assert_array_equal(np.flatnonzero(drawn), places)
        assert not drawn[:, :3].all()


def test_of_many_scenes_it_is_known_in_which_each_keypoint_and_limb_is_drawn():
    size, cells = (64, 96), (16, 24)
    # So many that they are drawn in several steps.
    scenes = [scatter(seed, size) for seed in range(40)]
    for name, kind in itertools.product(("heatmap", "paf"), ("bilinear", "area", "point")):
        (label,) = create_label(name, make_context(kind, size, cells))
        again = [dataclasses.replace(scene) for scene in scenes]
        drawn = np.asarray(render_scenes(label, again))
        kept, found = (
            np.unique(np.concatenate([*places]))
            for places in (recall_drawn(label, again), label.find_drawn([dataclasses.replace(s) for s in scenes]))
        )
        np.testing.assert_array_equal(kept, found)
        values = drawn[:, :3] if name == "heatmap" else np.abs(drawn[:, 0::2]) + np.abs(drawn[:, 1::2])
        step = 1 if name == "heatmap" else 2
        scene, unit, cell = np.nonzero(values.reshape(*values.shape[:2], -1))
        np.testing.assert_array_equal(kept, (scene * drawn.shape[1] + unit * step) * cells[0] * cells[1] + cell)
