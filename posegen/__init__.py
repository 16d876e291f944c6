"""Renders the labels of COCO keypoint datasets offline and writes image/label pairs to sharded HDF5.

>>> import posegen
>>> manifest = posegen.build("coco/", "out/", posegen.BuildConfig.preset("tf-pose"), workers=8)

Importing the package is cheap: its parts load when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posegen.build.pipeline import build
    from posegen.build.repair import repair
    from posegen.config import BuildConfig, Source
    from posegen.errors import PosegenError
    from posegen.inspect.diff import compare
    from posegen.inspect.score import Score, score
    from posegen.inspect.verify import verify
    from posegen.labels import render_heatmap, render_paf, render_top_down
    from posegen.loader import PoseDataset
    from posegen.loader.decode import People, decode
    from posegen.loader.results import write_coco_results
    from posegen.shards import ShardReader
    from posegen.shards.manifest import Manifest
    from posegen.skeleton import COCO_17, OPENPOSE_18, SKELETONS, Skeleton, load_skeleton
    from posegen.synthetic import write_sample_coco

__version__ = "0.4.1"

__all__ = [
    "COCO_17",
    "OPENPOSE_18",
    "SKELETONS",
    "BuildConfig",
    "Manifest",
    "People",
    "PoseDataset",
    "PosegenError",
    "Score",
    "ShardReader",
    "Skeleton",
    "Source",
    "build",
    "compare",
    "decode",
    "load_skeleton",
    "render_heatmap",
    "render_paf",
    "render_top_down",
    "repair",
    "score",
    "verify",
    "write_coco_results",
    "write_sample_coco",
]

_HOMES = {
    "COCO_17": "skeleton",
    "OPENPOSE_18": "skeleton",
    "SKELETONS": "skeleton",
    "BuildConfig": "config",
    "Manifest": "shards",
    "People": "loader.decode",
    "PoseDataset": "loader",
    "PosegenError": "errors",
    "Score": "inspect.score",
    "ShardReader": "shards",
    "Skeleton": "skeleton",
    "Source": "config",
    "build": "build",
    "decode": "loader.decode",
    "load_skeleton": "skeleton",
    "compare": "inspect.diff",
    "render_heatmap": "labels",
    "render_paf": "labels",
    "render_top_down": "labels",
    "repair": "build.repair",
    "score": "inspect.score",
    "verify": "inspect.verify",
    "write_coco_results": "loader.results",
    "write_sample_coco": "synthetic",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'posegen' has no attribute '{name}'")
    home = importlib.import_module(f"posegen.{_HOMES[name]}")
    # A room that is called as its function is called now stands here itself.
    return home if name == _HOMES[name] else getattr(home, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
