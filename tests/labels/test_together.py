"""Scenes drawn together: that they are drawn right is in the contract; here, that they take little memory at once."""

import dataclasses
import tracemalloc

import numpy as np
from each import each
from label_oracle import make_scene, scatter

from posegen.labels import HeatmapLabel, MaskLabel, PafLabel, TopDownLabel, render_into
from posegen.labels.grid import make_grid

SIZE, CELLS = (192, 192), (48, 48)
GRID = make_grid("bilinear", SIZE, CELLS)
LIMBS = tuple((a, a + 1) for a in range(7))
LABELS = {
    "heatmap": HeatmapLabel(grid=GRID, keypoints=tuple("abcdefgh"), sigma_px=4.0),
    "paf": PafLabel(grid=GRID, limbs=LIMBS, limb_names=tuple("tuvwxyz"), half_width_px=4.0),
    "msra": TopDownLabel(kind="msra", input_size=SIZE, cells=CELLS, keypoints=tuple("abcdefgh"), sigma_cells=4.0),
}


def measure(label, count):
    """How many bytes are held at once to draw so many scenes, besides what is drawn."""
    points, drawn = scatter(np.random.default_rng(0), 1, 8, SIZE)
    scene = make_scene(points, drawn, SIZE)
    scenes = [dataclasses.replace(scene) for _ in range(count)]
    label.render_many(scenes[:2])
    tracemalloc.start()
    try:
        found = label.render_many(scenes)
        return tracemalloc.get_traced_memory()[1] - found.nbytes
    finally:
        tracemalloc.stop()


@each(label=LABELS)
def test_what_is_held_besides_the_labels_grows_by_less_than_these_with_each_scene(label):
    few, many = measure(label, 64), measure(label, 512)
    # Their keypoints and limbs are listed at once; planes, boxes and patches of all would take as much as the labels.
    assert (many - few) / (512 - 64) < np.prod(label.spec.shape) * 4 / 3, f"{few} bytes for 64 scenes, {many} for 512"


@each(label={**LABELS, "mask": MaskLabel(input_size=SIZE, cells=CELLS)})
def test_a_label_is_drawn_into_memory_that_was_used_before(label):
    random = np.random.default_rng(1)
    scenes = [make_scene(*scatter(random, people, 8, SIZE), SIZE) for people in (2, 0, 5)]
    out = random.normal(size=(3, *label.spec.shape)).astype(np.float32)
    render_into(label, scenes, out)
    np.testing.assert_array_equal(out, [label.render(scene) for scene in scenes])


@each(cells=[(48, 48), (24, 64), (1, 192), (50, 48), (200, 300)])
def test_a_mask_of_what_is_shown_is_the_mean_of_each_cell(cells):
    random = np.random.default_rng(2)
    shown = random.integers(0, 256, SIZE, np.uint8)
    scene = dataclasses.replace(make_scene(*scatter(random, 1, 8, SIZE), SIZE), shown=shown)
    rows, columns = (measure_overlaps(size, count) for size, count in zip(SIZE, cells, strict=True))
    expected = rows @ (shown / 255) @ columns.T
    np.testing.assert_allclose(MaskLabel(input_size=SIZE, cells=cells).render(scene)[0], expected, rtol=0, atol=1e-6)


def measure_overlaps(size, count):
    """Which share of each cell (count, size) each pixel is."""
    edges = np.arange(count + 1)[:, None] * (size / count)
    covered = np.clip(edges - np.arange(size), 0, 1)
    return (covered[1:] - covered[:-1]) / (size / count)
