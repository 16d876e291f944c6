"""Labels that are drawn as they are stored, against what is drawn as float32."""

import numpy as np
import pytest
from people import scatter

from posegen.geometry import Affine
from posegen.labels import Label, LabelContext, Scene, create_label, render_scenes
from posegen.labels.base import StridedLabel
from posegen.labels.direct import draw_stored
from posegen.labels.grid import make_grid
from posegen.labels.mask import MaskLabel
from posegen.skeleton import OPENPOSE_18

SIZE, CELLS = (64, 96), (8, 12)


def create(name: str, **changes: str) -> Label:
    grid = make_grid(changes.pop("grid", "bilinear"), SIZE, CELLS)
    context = LabelContext(grid=grid, skeleton=OPENPOSE_18, sigma_px=6.0, half_width_px=6.0, **changes)
    return create_label(name, context)[0]


def draw_scene(seed: int, people: int, *, unknown: bool = False) -> Scene:
    """People who cover one another; every other one stands on the corners of the cells, so that limbs are level."""
    points, drawn = scatter(seed, people, 18, SIZE)
    points[::2] -= points[::2] % 8
    told = np.where(drawn, 0, 1).astype(np.uint8) if unknown else None
    return Scene(points=points, drawn=drawn, image_size=SIZE, affine=Affine(1.0, 0.0, 0.0, 0.0, 1.0, 0.0), unknown=told)


LABELS = [
    ("heatmap", "bilinear", {}),
    ("heatmap", "point", {}),
    ("paf", "bilinear", {}),
    ("paf", "bilinear", {"paf": "cells"}),
]


@pytest.mark.parametrize(("name", "grid", "changes"), LABELS)
def test_halves_are_those_of_what_is_drawn_as_float32(name, grid, changes):
    label = create(name, grid=grid, **changes)
    for counts in ((0,), (1,), (3, 0, 8, 1), (2, 40), (300,)):
        scenes = [draw_scene(seed, people, unknown=seed % 2 == 1) for seed, people in enumerate(counts)]
        values = np.asarray(render_scenes(label, scenes))
        expected = np.where(values == 0, np.float32(0), values).astype(np.float16)
        for drawn in (label, StridedLabel(label=label, stride=8.0)):
            found = draw_stored(drawn, "float16", scenes)
            assert found is not None
            assert found.dtype == np.float16
            assert found.tobytes() == expected.tobytes()


def test_bytes_are_255ths_of_what_is_drawn_as_float32():
    for name in ("heatmap_mask", "paf_mask"):
        label = create(name)
        scenes = [draw_scene(seed, people, unknown=True) for seed, people in enumerate((0, 3, 8))]
        scenes.append(draw_scene(3, 2))
        found = draw_stored(label, "uint8", scenes)
        assert found is not None
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, np.rint(render_scenes(label, scenes) * np.float32(255)))
        assert label.spec.coarse


def test_what_is_drawn_as_float32_alone_is_not_drawn_otherwise():
    scenes = [draw_scene(0, 2)]
    for label, dtype in ((create("heatmap"), "float32"), (create("heatmap"), "uint8"), (create("paf_mask"), "float16")):
        assert draw_stored(label, dtype, scenes) is None
    assert draw_stored(MaskLabel(input_size=SIZE, cells=CELLS), "float16", scenes) is None
