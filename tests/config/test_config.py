"""The description of a dataset: presets, validation, the digest, and the file of options."""

import dataclasses
import json
import math
import subprocess
import sys

import pytest

from posegen.config import CHOICES, PRESETS, BuildConfig, load_options
from posegen.errors import ConfigError
from posegen.images.augment import Augmentation
from posegen.skeleton import COCO_17, OPENPOSE_18, Skeleton

# For every field a value that is not its default.
OTHER = {
    "skeleton": COCO_17,
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
    "min_keypoints": 3,
    "min_area": 1024.0,
    "keep_empty": True,
    "label_dtype": "uint8",
    "layout": "hwc",
    "compression": "none",
    "image_encoding": "png",
    "jpeg_quality": 80,
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


def test_the_default_is_tf_pose_as_its_definition_has_it():
    config = BuildConfig.preset("tf-pose")
    assert config == BuildConfig()
    assert config.skeleton == OPENPOSE_18
    assert (config.input_size, config.stride, config.cells) == ((368, 368), 8, (46, 46))
    assert (config.grid, config.sigma_px, config.half_width_px) == ("bilinear", 8, 8)
    assert (config.visibility, config.labels) == ("labelled", ("heatmap", "paf", "mask"))


def test_coco_is_tf_pose_with_the_keypoints_of_the_file():
    assert BuildConfig.preset("coco") == dataclasses.replace(BuildConfig.preset("tf-pose"), skeleton=None)


def test_openpose_is_as_its_definition_has_it():
    config = BuildConfig.preset("openpose")
    assert config == dataclasses.replace(BuildConfig(), grid="point", sigma_px=7.0, paf="cells")
    assert config.half_width_px / config.stride == 1


@pytest.mark.parametrize("kind", ["msra", "msra-unbiased", "udp", "megvii"])
def test_the_top_down_presets_are_as_their_definition_has_them(kind):
    config = BuildConfig.preset(kind)
    assert (config.unit, config.heatmap, config.skeleton) == ("person", kind, None)
    assert (config.input_size, config.strides, config.cells) == ((256, 192), (4,), (64, 48))
    assert (config.sigma_px, config.sigma_cells, config.box_padding) == (None, 2, 1.25)
    assert config.crop == ("udp" if kind == "udp" else "msra")
    assert config.labels == ("heatmap", "weight")
    heatmap, weight = config.create_labels(COCO_17)
    assert heatmap.spec.shape == (17, 64, 48)
    assert weight.spec.shape == (17,)


def test_several_strides_give_each_label_an_array_for_each():
    config = BuildConfig(stride=(4, 8, 5.75))
    found = {label.spec.name: label.spec.shape for label in config.create_labels(OPENPOSE_18)}
    assert list(found) == [f"{name}_s{s}" for name in ("heatmap", "paf", "mask") for s in ("4", "8", "5_75")]
    assert found["heatmap_s5_75"] == (19, 64, 64)
    assert found["paf_s4"] == (38, 92, 92)


def test_a_sigma_in_cells_is_as_wide_as_the_stride_makes_it():
    fine, coarse = BuildConfig(stride=(4, 8), sigma_px=None, sigma_cells=2, labels=("heatmap",)).create_labels(COCO_17)
    assert (fine.label.sigma_px, coarse.label.sigma_px) == (8, 16)


@pytest.mark.parametrize("sigmas", [(None, None), (8, 2)])
def test_sigma_is_given_in_pixels_or_in_cells(sigmas):
    with pytest.raises(ConfigError, match="sigma must be given in pixels"):
        BuildConfig(sigma_px=sigmas[0], sigma_cells=sigmas[1])


@pytest.mark.parametrize("stride", [(), (8, 8.0), (8, 7), (8, "4"), [4, 8], 0.5, math.nan])
def test_strides_have_to_be_different_and_leave_whole_cells(stride):
    with pytest.raises(ConfigError, match="stride"):
        BuildConfig(stride=stride)


def test_one_stride_of_several_is_a_stride():
    assert BuildConfig(stride=(8,)) == BuildConfig()


@pytest.mark.parametrize("change", [{"sigma_scale": "area"}, {"sigma_keypoints": "oks"}])
def test_megvii_has_one_kernel(change):
    with pytest.raises(ConfigError, match="megvii blurs with one kernel"):
        dataclasses.replace(BuildConfig.preset("megvii"), **change)


def test_sigmas_by_keypoint_need_a_skeleton_that_has_them():
    with pytest.raises(ConfigError, match="the skeleton 'bare' has no sigmas"):
        BuildConfig(sigma_keypoints="oks").create_labels(Skeleton(name="bare", keypoints=("a", "b")))


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_goes_by_its_name(name):
    assert BuildConfig.preset(name) == dataclasses.replace(BuildConfig(), **PRESETS[name])


def test_an_unknown_preset_is_refused_with_the_nearest_and_all():
    with pytest.raises(ConfigError) as error:
        BuildConfig.preset("tfpose")
    for part in ("'tfpose'", "did you mean 'tf-pose'?", *PRESETS):
        assert part in str(error.value)


@pytest.mark.parametrize("name", FIELDS)
def test_the_digest_changes_with_every_field(name):
    assert OTHER[name] != getattr(BuildConfig(), name)
    changed = dataclasses.replace(BuildConfig(), **{name: OTHER[name]}, **BESIDE.get(name, {}))
    assert changed.digest != BuildConfig().digest


def test_no_two_changes_have_the_same_digest():
    digests = {
        dataclasses.replace(BuildConfig(), **{name: OTHER[name]}, **BESIDE.get(name, {})).digest for name in FIELDS
    }
    assert len(digests) == len(FIELDS)


@pytest.mark.parametrize("part", ["name", "keypoints", "limbs", "flip_pairs", "parents"])
def test_the_digest_changes_with_every_part_of_the_skeleton(part):
    other = {
        "name": "other",
        "keypoints": ("a", "b", "d"),
        "limbs": ((0, 2),),
        "flip_pairs": ((1, 2),),
        "parents": (("a",), ("b",), ("a", "b")),
    }
    fields = {
        "name": "one",
        "keypoints": ("a", "b", "c"),
        "limbs": ((0, 1),),
        "flip_pairs": ((0, 1),),
        "parents": (("a",), ("b",), ("c",)),
    }
    skeletons = Skeleton(**fields), Skeleton(**{**fields, part: other[part]})
    digests = {BuildConfig(skeleton=skeleton).digest for skeleton in skeletons}
    assert len(digests) == 2


def test_the_digest_is_the_same_in_another_process():
    code = "from posegen.config import BuildConfig; print(BuildConfig().digest)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == BuildConfig().digest
    assert len(BuildConfig().digest) == 64


@pytest.mark.parametrize("field", ["stride", "sigma_px", "half_width_px", "min_area"])
def test_equal_configurations_have_equal_digests(field):
    whole, point = (dataclasses.replace(BuildConfig(), **{field: value}) for value in (4, 4.0))
    assert whole == point
    assert whole.digest == point.digest


@pytest.mark.parametrize(
    "config",
    [
        BuildConfig(),
        BuildConfig(**OTHER | {"keep_empty": False, "sigma_cells": None}),
        *map(BuildConfig.preset, PRESETS),
    ],
    ids=["default", "other", *PRESETS],
)
def test_a_configuration_is_read_back_from_json(config):
    record = json.loads(json.dumps(config.to_dict()))
    assert record == config.to_dict()  # what a build compares when it goes on
    again = BuildConfig.from_dict(record)
    assert again == config
    assert again.digest == config.digest


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_is_written_down(name):
    assert name in BuildConfig().to_dict()


@pytest.mark.parametrize(
    "change",
    [
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
    ],
    ids=str,
)
def test_a_stored_configuration_of_the_wrong_form_is_refused(change):
    with pytest.raises(ConfigError):
        BuildConfig.from_dict({**BuildConfig().to_dict(), **change})


def test_a_stored_configuration_without_labels_is_refused():
    record = BuildConfig().to_dict()
    del record["labels"]
    with pytest.raises(ConfigError, match="stored configuration cannot be read"):
        BuildConfig.from_dict(record)


@pytest.mark.parametrize("field", CHOICES)
def test_a_word_that_is_no_choice_is_refused_with_all_choices(field):
    with pytest.raises(ConfigError) as error:
        BuildConfig(**{field: "nonsense"})
    for part in (field, "'nonsense'", *CHOICES[field]):
        assert part in str(error.value)


@pytest.mark.parametrize(("field", "word"), [(field, word) for field, words in CHOICES.items() for word in words])
def test_every_choice_is_taken(field, word):
    assert getattr(BuildConfig(**{field: word}), field) == word


@pytest.mark.parametrize("labels", [("mask", "mask"), ("heatmap", "paf", "heatmap")], ids=str)
def test_labels_are_named_once_each(labels):
    with pytest.raises(ConfigError, match="labels must be a tuple of names, none of them twice"):
        BuildConfig(labels=labels)


RANGES = [
    ("input_size", (0, 368)),
    ("input_size", (368, 16385)),
    ("input_size", (-368, 368)),
    ("sigma_px", 0),
    ("sigma_px", -1),
    ("sigma_px", 1e5),
    ("sigma_px", math.nan),
    ("sigma_px", math.inf),
    ("sigma_px", "8"),
    ("half_width_px", 0),
    ("half_width_px", -1),
    ("half_width_px", 1e5),
    ("half_width_px", math.nan),
    ("half_width_px", None),
    ("min_keypoints", 0),
    ("min_keypoints", -1),
    ("min_keypoints", True),
    ("min_area", -0.5),
    ("min_area", math.nan),
    ("min_area", "big"),
    ("jpeg_quality", 0),
    ("jpeg_quality", 101),
    ("shard_size", 0),
    ("shard_size", (1 << 20) + 1),
    ("seed", -1),
    ("seed", 1 << 63),
    ("limit", 0),
    ("limit", -3),
    ("limit", "all"),
]
NOT_WHOLE = [
    ("min_keypoints", 1.5),
    ("jpeg_quality", 95.5),
    ("shard_size", 10.5),
    ("seed", 0.5),
    ("limit", 2.5),
]
NOT_FINITE = [("min_keypoints", math.inf), ("min_area", math.inf), ("limit", math.inf)]


@pytest.mark.parametrize(("field", "value"), [*RANGES, *NOT_WHOLE, *NOT_FINITE])
def test_a_value_out_of_its_range_is_refused_and_named(field, value):
    with pytest.raises(ConfigError, match=field):
        BuildConfig(**{field: value})


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("sigma_px", (1e-3, 1e4)),
        ("half_width_px", (1e-3, 1e4)),
        ("min_keypoints", (1, 1000)),
        ("min_area", (0, 1e9)),
        ("jpeg_quality", (1, 100)),
        ("shard_size", (1, 1 << 20)),
        ("seed", (0, (1 << 63) - 1)),
        ("limit", (1, 10**9, None)),
    ],
)
def test_the_ends_of_a_range_belong_to_it(field, values):
    for value in values:
        assert getattr(BuildConfig(**{field: value}), field) == value


@pytest.mark.parametrize("size", [(), (368,), (368, 368, 3), "368x368", (368, None), (368.0, 368.0), 368], ids=str)
def test_an_input_size_is_a_height_and_a_width(size):
    with pytest.raises(ConfigError, match="input_size"):
        BuildConfig(input_size=size)


@pytest.mark.parametrize("stride", [7, 0, -8, math.nan, math.inf, 400, "eight", None], ids=str)
def test_a_stride_must_divide_the_input_size(stride):
    with pytest.raises(ConfigError, match="stride"):
        BuildConfig(stride=stride)


@pytest.mark.parametrize("stride", [0.5, 0.25])
def test_a_stride_below_one_pixel_is_refused_before_anything_is_rendered(stride):
    with pytest.raises(ConfigError):
        BuildConfig(stride=stride)


@pytest.mark.parametrize(
    ("size", "stride", "cells"), [((368, 656), 8, (46, 82)), ((50, 100), 2.5, (20, 40)), ((16, 16), 1, (16, 16))]
)
def test_cells_are_the_input_size_over_the_stride(size, stride, cells):
    assert BuildConfig(input_size=size, stride=stride).cells == cells


def test_a_configuration_cannot_be_changed_and_can_be_a_key():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BuildConfig().seed = 1
    assert {BuildConfig(): 1}[BuildConfig()] == 1


def test_fields_are_given_by_name_only():
    with pytest.raises(TypeError):
        BuildConfig(OPENPOSE_18)


def test_the_labels_are_created_in_the_order_they_are_named_in():
    config = BuildConfig(labels=("mask", "heatmap", "paf"))
    assert [label.spec.name for label in config.create_labels(OPENPOSE_18)] == ["mask", "heatmap", "paf"]


def test_labels_have_the_channels_of_the_skeleton_on_the_cells_of_the_configuration():
    config = BuildConfig(input_size=(128, 256), stride=4)
    specs = {label.spec.name: label.spec for label in config.create_labels(OPENPOSE_18)}
    assert specs["heatmap"].channels == (*OPENPOSE_18.keypoints, "background")
    assert specs["paf"].channels[:3] == ("neck-right_hip:x", "neck-right_hip:y", "right_hip-right_knee:x")
    assert {name: spec.shape for name, spec in specs.items()} == {
        "heatmap": (19, 32, 64),
        "paf": (38, 32, 64),
        "mask": (1, 32, 64),
    }


def test_labels_are_drawn_with_the_widths_and_the_grid_of_the_configuration():
    heatmap, paf, _ = BuildConfig(sigma_px=5, half_width_px=3, grid="point").create_labels(OPENPOSE_18)
    assert (heatmap.sigma_px, heatmap.grid.kind, heatmap.background) == (5, "point", True)
    assert (paf.half_width_px, paf.grid.kind) == (3, "point")


def test_a_skeleton_without_limbs_has_no_part_affinity_fields():
    skeleton = Skeleton(name="points", keypoints=("a", "b"))
    assert [label.spec.name for label in BuildConfig().create_labels(skeleton)] == ["heatmap", "mask"]


def test_a_file_of_options_has_the_fields_with_either_separator(tmp_path):
    path = tmp_path / "options.toml"
    path.write_text(
        'preset = "coco"\ninput-size = "656x368"\nsigma_px = 7.5\nhalf-width-px = 4\nlabels = ["heatmap"]\n'
        'skeleton = "body.toml"\nkeep-empty = true\n'
    )
    assert load_options(path) == {
        "preset": "coco",
        "input_size": "656x368",
        "sigma_px": 7.5,
        "half_width_px": 4,
        "labels": ["heatmap"],
        "skeleton": "body.toml",
        "keep_empty": True,
    }


@pytest.mark.parametrize("separator", "-_")
@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_an_option_of_a_file(name, separator, tmp_path):
    path = tmp_path / "options.toml"
    path.write_text(f'{name.replace("_", separator)} = "anything"\n')
    assert load_options(path) == {name: "anything"}


def test_an_empty_file_has_no_options(tmp_path):
    path = tmp_path / "options.toml"
    path.write_text("# nothing\n")
    assert load_options(path) == {}


@pytest.mark.parametrize(
    ("key", "nearest"), [("sigma-pixels", "sigma-px"), ("input-sise", "input-size"), ("preest", "preset")]
)
def test_an_unknown_option_is_refused_with_the_nearest(key, nearest, tmp_path):
    path = tmp_path / "options.toml"
    path.write_text(f"{key} = 1\n")
    with pytest.raises(ConfigError) as error:
        load_options(path)
    for part in (str(path), f"'{key}'", f"did you mean '{nearest}'?"):
        assert part in str(error.value)


def test_an_option_like_no_other_is_refused_without_a_hint(tmp_path):
    path = tmp_path / "options.toml"
    path.write_text("zzz = 1\n")
    with pytest.raises(ConfigError, match=r"'zzz' is no build option$"):
        load_options(path)


@pytest.mark.parametrize("text", ["stride = ", "[stride", "stride = 8\nstride = 8"])
def test_a_file_that_is_not_toml_is_refused(text, tmp_path):
    path = tmp_path / "options.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"options\.toml: is not TOML"):
        load_options(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.toml: cannot be read"):
        load_options(tmp_path / "nothing.toml")
