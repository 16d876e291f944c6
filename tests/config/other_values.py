"""For every field of a configuration a value that is not its default, and the words it may be."""

from __future__ import annotations

import dataclasses

from posegen.config import BuildConfig, SourceRules
from posegen.images.augment import Augmentation
from posegen.skeleton import COCO_17

WORDS = {
    "unit": ("image", "person"),
    "crop": ("msra", "udp"),
    "grid": ("bilinear", "area", "point"),
    "heatmap": ("gaussian", "msra", "msra-unbiased", "udp", "megvii", "higherhrnet"),
    "paf": ("pixels", "cells"),
    "sigma_scale": ("fixed", "area"),
    "sigma_keypoints": ("equal", "oks"),
    "fit": ("letterbox", "stretch", "cover"),
    "visibility": ("labelled", "visible"),
    "origin": ("labelled", "unlabelled"),
    "exif": ("auto", "stored", "shown"),
    "label_dtype": ("float16", "float32", "uint8"),
    "layout": ("chw", "hwc"),
    "compression": ("zstd", "gzip", "lzf", "none"),
    "image_encoding": ("jpeg", "png", "raw"),
}

OTHER = {
    "skeleton": COCO_17,
    "sources": (SourceRules(name="a", category=("dog",), rename={"nose": "snout"}, limit=3), SourceRules(name="b")),
    "category": ("person", "dog"),
    "heatmap": "udp",
    "paf": "cells",
    "sigma_scale": "area",
    "sigma_keypoints": "oks",
    "unit": "person",
    "crop": "udp",
    "box_padding": 1.1,
    "labels": ("heatmap", "mask"),
    "label_options": {"mask": {"a": 1, "b": 0.5, "c": "x", "d": True}},
    "input_size": (256, 368),
    "stride": 4,
    "grid": "area",
    "sigma_px": 7.0,
    "sigma_cells": 2.5,
    "half_width_px": 6.5,
    "fit": "cover",
    "visibility": "visible",
    "origin": "unlabelled",
    "exif": "shown",
    "min_keypoints": 3,
    "min_area": 1024.0,
    "keep_empty": True,
    "label_dtype": "uint8",
    "layout": "hwc",
    "compression": "none",
    "image_encoding": "png",
    "jpeg_quality": 80,
    "picture_size": (736, 736),
    "copies": 3,
    "augment": Augmentation(flip=0.5),
    "plain_copy": True,
    "shard_size": 7,
    "seed": 1,
    "limit": 10,
}

# What cannot be changed alone.
BESIDE = {
    "sigma_cells": {"sigma_px": None},
    "copies": {"augment": Augmentation(flip=0.25)},
    "plain_copy": {"augment": Augmentation(flip=0.75)},
}

FIELDS = [field.name for field in dataclasses.fields(BuildConfig)]

CHANGED = {name: dataclasses.replace(BuildConfig(), **{name: OTHER[name]}, **BESIDE.get(name, {})) for name in FIELDS}
"""The default with one field changed, by the field."""
