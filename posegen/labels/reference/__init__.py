"""The specification as slow code: what the labels are, written to be read and compared with, never to be fast.

`maps` draws heatmaps and part affinity fields, `simcc` curves over bins, `indices` lists cells, `centernet` draws its
maps and tables, `composite` composite fields. What ends in `_loop` visits one pixel, or one keypoint, after the other;
what ends in `_vectorized` is one NumPy expression a keypoint or limb, as training pipelines usually have it, and what
the renderers' speed is measured against.

Legend: N people, K keypoints, E limbs, H x W input, h x w grid. Points are (x, y) in input pixels, sizes are
(height, width).
"""

from posegen.labels.reference.centernet import render_centernet_loop
from posegen.labels.reference.composite import render_caf_loop, render_cif_loop
from posegen.labels.reference.indices import list_keypoint_indices_loop
from posegen.labels.reference.maps import (
    THRESHOLD,
    render_heatmap_loop,
    render_heatmap_vectorized,
    render_paf_loop,
    render_paf_vectorized,
)
from posegen.labels.reference.simcc import render_simcc_loop

__all__ = [
    "THRESHOLD",
    "list_keypoint_indices_loop",
    "render_caf_loop",
    "render_centernet_loop",
    "render_cif_loop",
    "render_heatmap_loop",
    "render_heatmap_vectorized",
    "render_paf_loop",
    "render_paf_vectorized",
    "render_simcc_loop",
]
