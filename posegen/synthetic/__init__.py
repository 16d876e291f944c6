"""A COCO dataset of drawn people, for demos and tests: pictures and annotations from the same model.

`body` bends a kinematic skeleton, `raster` and `figure` draw it; `paint`, `props` and `backdrop` draw the place;
`scene` puts people into it and reads off what is visible; `coco` writes the files.
"""

from posegen.synthetic.coco import write_sample_coco

__all__ = ["write_sample_coco"]
