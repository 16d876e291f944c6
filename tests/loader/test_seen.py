"""What becomes of a sample's columns in a view of it."""

from __future__ import annotations

import numpy as np

from posegen.config import BuildConfig
from posegen.images.augment import View
from posegen.loader.seen import ViewMapper
from posegen.skeleton import COCO_17


def test_what_is_unknown_changes_sides_where_a_view_is_mirrored() -> None:
    config = BuildConfig.preset("coco", labels=("heatmap", "heatmap_mask"), skeleton=COCO_17)
    unknown = np.zeros((1, 17), np.uint8)
    unknown[0, COCO_17.keypoints.index("left_eye")] = 2
    told = {
        "keypoints": [np.zeros((1, 17, 3), np.float32)] * 2, "bbox": [np.full((1, 4), np.nan, np.float32)] * 2,
        "affine": [np.eye(3)[:2]] * 2, "width": [20] * 2, "height": [30] * 2, "unknown": [unknown] * 2,
        "file_name": ["a.jpg", "b.jpg"],
    }  # fmt: skip
    mapper = ViewMapper(config, COCO_17, [], views=lambda epoch, number: View(flip=number == 1))
    assert "unknown" in mapper.needed
    seen, columns = mapper.see(0, [0, 1], told, [None, None])
    for i, eye in enumerate(("left_eye", "right_eye")):
        for found in (columns["unknown"][i], seen[i].scene.unknown):
            assert found is not None
            assert [(COCO_17.keypoints[k], int(found[0, k])) for k in np.flatnonzero(found[0])] == [(eye, 2)]
    assert columns["file_name"] == ["a.jpg", "b.jpg"]
    del told["unknown"]
    seen, columns = mapper.see(0, [0, 1], told, [None, None])
    assert ("unknown" in columns, seen[1].scene.unknown) == (False, None)
