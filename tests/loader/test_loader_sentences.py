"""Sentences about reading and decoding that are seldom said, word by word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posegen import BuildConfig, PoseDataset
from posegen.errors import ConfigError
from posegen.loader.decode import decode, require_seed
from posegen.loader.views import read_drawn
from posegen.skeleton import COCO_17

PLAIN = np.array([[[1.0, 0, 0], [0, 1, 0]]])


def said_by(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        call(*arguments, **options)
    return str(caught.value)


def test_what_cannot_be_decoded_is_told_with_what_can() -> None:
    config = BuildConfig(labels=("heatmap", "mask"), skeleton=None)
    maps = {"mask": np.zeros((1, 1, 46, 46), np.float32)}
    assert said_by(decode, maps, PLAIN, config) == (
        "decoding needs the dataset's skeleton, as in PoseDataset.skeleton: its preset takes the file's"
    )
    assert said_by(decode, maps, PLAIN, config, COCO_17) == (
        "mask does not tell where people are; it takes labels that can be decoded, such as heatmap and paf, cif and "
        "caf, centernet, by the names of the dataset's: heatmap, mask"
    )
    of_person = BuildConfig.preset("udp", labels=("heatmap", "weight"))
    assert said_by(decode, {"weight": np.zeros((1, 17), np.float32)}, PLAIN, of_person, COCO_17) == (
        "weight does not tell where a person's keypoints lie; it takes labels that can be decoded, such as heatmap, "
        "offset or simcc, by the names of the dataset's: heatmap, weight"
    )
    assert said_by(decode, {"heatmap": np.zeros((1, 5, 64, 48), np.float32)}, PLAIN, of_person, COCO_17) == (
        "heatmap: expected (B, channel, y, x) = (1, 17, 64, 48), found (1, 5, 64, 48)"
    )


def test_a_seed_is_asked_for() -> None:
    require_seed(0)
    assert said_by(require_seed, None) == (
        "how samples were flipped or seen cannot be told without a seed; give PoseDataset one, or posegen.decode each "
        "batch's affine"
    )


def test_how_views_do_not_go_with_other_ways_to_read_is_told(dataset: Path) -> None:
    def read() -> Any:
        return PoseDataset(dataset, views="flip=0.5", flip=True, seed=1)[0]

    assert said_by(read) == "views and flip do not go together: ask for mirrored views by flip=0.5 among the views"
    assert said_by(read_drawn, None, 0, "device", raw=True) == (
        "labels that are drawn on the device are not stored: raw does not go with them"
    )
    assert said_by(read_drawn, None, 0, "there", raw=False) == "labels are drawn 'here' or on the 'device', not 'there'"
    assert read_drawn(None, None, "device", raw=False)(0, 0) == read_drawn(None, None, "here", raw=True)(3, 4)
