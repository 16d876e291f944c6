"""A COCO dataset of drawn people, for demos and tests: pictures and annotations from the same model.

`body` bends a skeleton, `figure` dresses it, `backdrop` is behind it, `scene` is a picture, `coco` writes the files.
"""

from posegen.synthetic.coco import write_sample_coco

__all__ = ["write_sample_coco"]
