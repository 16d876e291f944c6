"""The digest of a configuration, and what is stored of it."""

import dataclasses
import json
import subprocess
import sys

import pytest
from other_values import BESIDE, CHANGED, FIELDS, OTHER

from posegen.config import PRESETS, BuildConfig, SourceRules
from posegen.errors import ConfigError
from posegen.images.augment import Augmentation
from posegen.skeleton import Skeleton

PINNED = {
    "tf-pose": "037dee6c6d45009e",
    "coco": "d079320a1156c76c",
    "openpose": "5c28cded3d35cafb",
    "openpose-25": "a7e0f0522d9cf77c",
    "msra": "bf76062f31344fcb",
    "msra-unbiased": "4a48dabfc1a31975",
    "udp": "60b6854c35efcd52",
    "simcc": "c4777e669491df05",
    "rtmpose": "c366f71d41a6a9e9",
    "megvii": "ce44d8dfef714662",
    "higherhrnet": "086165e44286343e",
    "centernet": "870f837d97be60cb",
    "openpifpaf": "cabcc490cf82f3b0",
    "openpose with one mask": "a25770d619dcd419",
    "augmented": "597d8881a751c9b3",
}


def test_the_digest_changes_with_every_field_and_no_two_changes_have_the_same():
    assert all(OTHER[name] != getattr(BuildConfig(), name) for name in FIELDS)
    assert len({config.digest for config in CHANGED.values()} | {BuildConfig().digest}) == len(FIELDS) + 1


def test_the_digest_changes_with_every_part_of_the_skeleton():
    fields = {
        "name": "one",
        "keypoints": ("a", "b", "c"),
        "limbs": ((0, 1),),
        "flip_pairs": ((0, 1),),
        "parents": (("a",), ("b",), ("c",)),
    }
    other = {
        "name": "other",
        "keypoints": ("a", "b", "d"),
        "limbs": ((0, 2),),
        "flip_pairs": ((1, 2),),
        "parents": (("a",), ("b",), ("a", "b")),
    }
    skeletons = [Skeleton(**fields), *(Skeleton(**{**fields, part: other[part]}) for part in fields)]
    assert len({BuildConfig(skeleton=skeleton).digest for skeleton in skeletons}) == len(fields) + 1


def test_digests_are_those_that_datasets_have_been_built_with():
    augmented = BuildConfig(augment=Augmentation(scale=(0.5, 1.1), rotate=40, flip=0.5), copies=2, limit=5)
    found = {name: config.digest[:16] for name, config in (
        *((name, BuildConfig.preset(name)) for name in PRESETS),
        ("openpose with one mask", BuildConfig.preset("openpose", labels=("heatmap", "paf", "mask"))),
        ("augmented", augmented),
    )}  # fmt: skip
    assert found == PINNED


def test_the_digest_is_the_same_in_another_process():
    code = "from posegen.config import BuildConfig; print(BuildConfig().digest)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == BuildConfig().digest
    assert len(BuildConfig().digest) == 64


def test_equal_configurations_have_equal_digests():
    for field in ("stride", "sigma_px", "half_width_px", "min_area"):
        whole, point = (dataclasses.replace(BuildConfig(), **{field: value}) for value in (4, 4.0))
        assert whole == point
        assert whole.digest == point.digest


def test_a_configuration_is_read_back_from_json():
    everything = BuildConfig(**OTHER | {"keep_empty": False, "sigma_cells": None, "picture_size": (512, 736)})
    for config in (BuildConfig(), everything, *CHANGED.values(), *map(BuildConfig.preset, PRESETS)):
        record = json.loads(json.dumps(config.to_dict()))
        assert record == config.to_dict()  # what a build compares when it goes on
        again = BuildConfig.from_dict(record)
        assert again == config
        assert again.digest == config.digest


def test_each_field_is_written_down_in_the_order_of_the_fields():
    every = BuildConfig(origin="unlabelled", exif="shown", picture_size=(736, 736), sources=(SourceRules(name="a"),))
    assert list(every.to_dict()) == FIELDS


def test_fields_that_came_later_are_written_down_only_where_they_are_asked_for():
    later = ["sources", "origin", "exif", "picture_size"]
    assert list(BuildConfig().to_dict()) == [name for name in FIELDS if name not in later]
    assert CHANGED["picture_size"].to_dict()["picture_size"] == [736, 736]


def test_there_is_another_value_for_every_field():
    assert set(BESIDE) < set(OTHER) == set(FIELDS)


def test_a_stored_configuration_of_the_wrong_form_is_refused():
    for change in (
        {"colour": "red"},
        {"labels": None},
        {"labels": 3},
        {"input_size": None},
        {"input_size": []},
        {"input_size": "x"},
        {"stride": None},
        {"stride": "eight"},
        {"stride": 7},
        {"skeleton": {}},
        {"skeleton": [1]},
        {"seed": "one"},
        {"grid": ["area"]},
    ):
        with pytest.raises(ConfigError):
            BuildConfig.from_dict({**BuildConfig().to_dict(), **change})


def test_a_stored_configuration_without_labels_is_refused():
    record = BuildConfig().to_dict()
    del record["labels"]
    with pytest.raises(ConfigError, match="stored configuration cannot be read"):
        BuildConfig.from_dict(record)
