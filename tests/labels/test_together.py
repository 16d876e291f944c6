"""Scenes drawn together: that they are drawn right is in the contract; here, that they take little memory at once."""

import dataclasses
import tracemalloc

import numpy as np
from each import each
from label_oracle import make_scene, scatter

from posegen.labels import HeatmapLabel, PafLabel, TopDownLabel
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
