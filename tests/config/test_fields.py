"""What each field may be: words, ranges, and what goes together; and that one table says so to all."""

import dataclasses
import inspect
import math

import pytest
from other_values import FIELDS, WORDS

from posegen.config import FIELDS as TABLE
from posegen.config import RUN_FIELDS, BuildConfig, RunOptions
from posegen.errors import ConfigError


def refuse(message, **fields):
    """Make sure that a configuration with these fields is refused, and return what is said."""
    with pytest.raises(ConfigError, match=message) as error:
        BuildConfig(**fields)
    return str(error.value)


def test_the_table_has_every_field_once_and_no_other():
    assert sorted(field.name for field in TABLE) == sorted(FIELDS)
    assert [field.name for field in RUN_FIELDS] == [field.name for field in dataclasses.fields(RunOptions)]
    called = [name for field in (*TABLE, *RUN_FIELDS) for name in field.names]
    assert len(set(called)) == len(called)
    assert all(field.help for field in (*TABLE, *RUN_FIELDS))


def test_every_field_is_explained_where_it_is_defined():
    lines = inspect.cleandoc(BuildConfig.__doc__).splitlines()
    explained = {name for line in lines if line[:1].strip() for name in line.split(", ")}
    assert set(FIELDS) <= explained


def test_every_choice_is_taken_and_another_word_is_refused_with_all_choices():
    for field, words in WORDS.items():
        for word in words:
            assert getattr(BuildConfig(**{field: word}), field) == word
        said = refuse(field, **{field: "nonsense"})
        for part in ("'nonsense'", *words):
            assert part in said


def test_a_word_that_is_nearly_a_choice_is_refused_with_that():
    refuse(r"grid must be bilinear, area or point, not 'bilinar' \(did you mean 'bilinear'\?\)", grid="bilinar")


def test_labels_are_named_once_each():
    for labels in (("mask", "mask"), ("heatmap", "paf", "heatmap"), ["heatmap"]):
        refuse("labels must be a tuple of names, none of them twice", labels=labels)


WRONG = [
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
    ("min_keypoints", 1.5),
    ("min_keypoints", None),
    ("jpeg_quality", 95.5),
    ("shard_size", 10.5),
    ("seed", 0.5),
    ("limit", 2.5),
    ("min_keypoints", math.inf),
    ("min_area", math.inf),
    ("limit", math.inf),
    ("copies", 1001),
    ("box_padding", 0),
    ("keep_empty", 1),
    ("plain_copy", "yes"),
    ("category", "dog"),
    ("skeleton", "coco-17"),
]


def test_a_value_that_a_field_cannot_have_is_refused_and_the_field_named():
    for field, value in WRONG:
        refuse(field, **{field: value})


def test_the_ends_of_a_range_belong_to_it():
    for field, values in (
        ("sigma_px", (1e-3, 1e4)),
        ("half_width_px", (1e-3, 1e4)),
        ("min_keypoints", (1, 1000)),
        ("min_area", (0, 1e9)),
        ("jpeg_quality", (1, 100)),
        ("shard_size", (1, 1 << 20)),
        ("seed", (0, (1 << 63) - 1)),
        ("limit", (1, 10**9, None)),
    ):
        for value in values:
            assert getattr(BuildConfig(**{field: value}), field) == value


def test_an_input_size_is_a_height_and_a_width():
    for size in ((), (368,), (368, 368, 3), "368x368", (368, None), (368.0, 368.0), 368):
        refuse("input_size", input_size=size)


def test_a_stride_is_a_number_that_divides_the_input_size():
    for stride in (7, 0, -8, math.nan, math.inf, 400, "eight", None, 0.5, 0.25):
        refuse("stride", stride=stride)


def test_strides_have_to_be_different_and_leave_whole_cells():
    for stride in ((), (8, 8.0), (8, 7), (8, "4"), [4, 8]):
        refuse("stride", stride=stride)


def test_sigma_is_given_in_pixels_or_in_cells():
    for pixels, cells in ((None, None), (8, 2)):
        refuse("sigma must be given in pixels", sigma_px=pixels, sigma_cells=cells)


def test_megvii_has_one_kernel():
    for change in ({"sigma_scale": "area"}, {"sigma_keypoints": "oks"}):
        with pytest.raises(ConfigError, match="megvii blurs with one kernel"):
            BuildConfig.preset("megvii", **change)


def test_options_are_for_labels_that_are_rendered_and_have_values_that_can_be_stored():
    refuse("label_options has some for 'offset', which is none of", label_options={"offset": {"corners": True}})
    for options in ("mask.a=1", {"mask": 3}, {"mask": {"a": None}}, {"mask": {"a": math.nan}}, {"mask": {1: 2}}):
        refuse("label_options", label_options=options)


def test_copies_of_an_image_have_to_vary_and_an_empty_image_has_nobody_to_crop():
    refuse("copies of an image would all be the same", copies=2)
    refuse("plain_copy is for views: say with augment how they vary", plain_copy=True)
    refuse("copies of an image would all be the same", copies=2, plain_copy=True)
    refuse("keep_empty goes with the unit image", unit="person", keep_empty=True)
