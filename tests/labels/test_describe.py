"""What is said of labels: all that there is, from their own docstrings, factories and arrays."""

import dataclasses

import pytest
from conftest import KEYPOINTS

from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.labels.describe import describe_label, describe_labels
from posegen.skeleton import COCO_17, OPENPOSE_18

CONTEXTS = BuildConfig().label_contexts(OPENPOSE_18)

LABEL = '''"""Rings, one around each keypoint.

Definition
----------
1 on the ring:

    a drawing that stays
      as it is

Options
-------
width
    Of the ring,
    in cells.
"""

from dataclasses import dataclass

import numpy as np

from posegen.labels import ArraySpec


@dataclass(frozen=True)
class Ring:
    cells: tuple

    @property
    def spec(self):
        return ArraySpec(name="ring", channels=("a", "b"), cells=self.cells, low=-2.0)

    def render(self, scene):
        return np.zeros((2, *self.cells), np.float32)


def create(context):
    context.read_options(width=2, closed=True)
    return (Ring(context.grid.cells),)
'''


def test_every_label_of_ours_says_what_it_is_where_its_cells_lie_and_where_it_comes_from():
    for label in describe_labels(CONTEXTS):
        titles = [title for title, _ in label.sections]
        assert {"", "Definition", "Place of a cell", "Source", "Known differences", "Flipped"} <= set(titles), (
            label.name
        )
        assert (label.package, label.problem) == ("posegen", "")
        assert label.summary == " ".join(label.sections[0][1].split("\n\n")[0].split())
        assert label.summary.endswith(".")


def test_every_option_of_ours_is_explained_with_the_default_that_is_used():
    found = {label.name: {of.name: of.default for of in label.options} for label in describe_labels(CONTEXTS)}
    assert {name: options for name, options in found.items() if options} == {
        "offset": {"radius_factor": 3.5 / 64, "corners": False},
        "center": {
            "root": "mean", "sigma_factor": 2.0, "radius_cells": 4.0, "min_diagonal": 0.0, "background_weight": 0.1,
        },
        "heatmap": {"normalize": "none", "sigmas": "", "kernels": ""},
        "weight": {"of": "auto", "by_keypoint": False},
        "keypoint_indices": {"cell": "auto"},
        "cif": {"pose": "none", "selfhidden": True, "valid_area": False},
        "caf": {"pose": "none", "selfhidden": True, "valid_area": False},
        "simcc": {
            "smoothing": "gaussian", "split_ratio": 2.0, "sigma_x": 6.0, "sigma_y": 0.0, "normalize": True,
            "label_smooth": 0.0,
        },
    }  # fmt: skip
    for label in describe_labels(CONTEXTS):
        assert all(option.text.endswith(".") for option in label.options)


def test_arrays_have_the_shape_range_and_mirror_that_are_built():
    found = {
        array.name: array for label in describe_labels(CONTEXTS) for array in label.arrays if "cells" not in array.kind
    }
    assert {name: array.shape for name, array in found.items() if name != "heatmap"} == {
        "paf": (38, 46, 46), "mask": (1, 46, 46), "offset": (54, 46, 46), "center": (1, 46, 46),
        "center_offset": (36, 46, 46), "center_weight": (18, 46, 46), "limb": (19, 46, 46), "weight": (18,),
        "heatmap_mask": (18, 46, 46), "paf_mask": (38, 46, 46), "center_heatmap_weights": (1, 46, 46),
        "simcc_x": (18, 736), "simcc_y": (18, 736), "regression": (18, 2), "visibility": (18,),
        "visibility_weight": (18,), "keypoint_indices": (18, 2), "cif": (18, 5, 46, 46), "caf": (19, 9, 46, 46),
        "centernet_hm": (1, 46, 46), "centernet_hm_hp": (18, 46, 46), "centernet_wh": (32, 2), "centernet_reg": (32, 2),
        "centernet_ind": (32,), "centernet_reg_mask": (32,), "centernet_hps": (32, 36), "centernet_hps_mask": (32, 36),
        "centernet_hp_offset": (576, 2), "centernet_hp_ind": (576,), "centernet_hp_mask": (576,),
        "centernet_left_out": (1,),
    }  # fmt: skip
    assert [name for name, array in found.items() if array.needs_ignored] == [
        "mask", "heatmap_mask", "paf_mask", "centernet_hm", "centernet_wh", "centernet_reg", "centernet_ind",
        "centernet_left_out", "cif", "caf",
    ]  # fmt: skip
    assert (found["center_offset"].low, found["center_offset"].high) == (-46, 46)
    assert found["paf"].flips
    assert found["paf"].why_not == ""


def test_a_heatmap_is_described_with_every_kind_it_can_have():
    label = describe_label("heatmap", CONTEXTS)
    assert {array.kind: (array.shape[0], array.flips) for array in label.arrays} == {
        "heatmap=gaussian": (19, True), "heatmap=msra": (18, False), "heatmap=msra-unbiased": (18, False),
        "heatmap=udp": (18, True), "heatmap=megvii": (18, False), "heatmap=higherhrnet": (18, False),
    }  # fmt: skip
    text = " ".join(text for _, text in label.sections)
    for word in ("arXiv:1611.08050", "`msra`", "(W - 1) / (w - 1)", "(i + 0.5) s - 0.5", "arXiv:1910.06278"):
        assert word in text
    first, *_ = describe_label("heatmap", BuildConfig.preset("udp").label_contexts(COCO_17)).arrays
    assert (first.kind, first.shape, first.flips) == ("heatmap=udp", (17, 64, 48), True)
    (only,) = describe_label("weight", CONTEXTS).arrays
    assert only.kind == ""


def test_a_skeleton_without_limbs_gives_a_label_of_limbs_no_arrays():
    from posegen.skeleton import Skeleton

    contexts = BuildConfig().label_contexts(Skeleton(name="points", keypoints=tuple(KEYPOINTS)))
    assert describe_label("paf", contexts).arrays == ()
    assert describe_label("paf", contexts).summary.startswith("Part affinity fields")


def test_a_foreign_label_is_described_by_what_its_package_says(install):
    install("pose-ring", LABEL, version="2.1", ring="pose_ring:create")
    label = describe_labels(CONTEXTS)[-1]
    assert (label.name, label.package, label.summary) == ("ring", "pose-ring 2.1", "Rings, one around each keypoint.")
    assert label.sections[1] == ("Definition", "1 on the ring:\n\n    a drawing that stays\n      as it is")
    assert [(o.name, o.default, o.text) for o in label.options] == [
        ("width", 2, "Of the ring, in cells."),
        ("closed", True, ""),
    ]
    (array,) = label.arrays
    assert (array.shape, array.low, array.flips) == ((2, 46, 46), -2, False)
    assert array.why_not == "the label does not say how it mirrors"


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import nothing_of_that_name", "cannot be loaded from pose_bad:create: ModuleNotFoundError"),
        ("create = lambda context: 1 / 0", "cannot be made: ZeroDivisionError"),
        ("create = 3", "must be a function, not 3"),
    ],
)
def test_a_label_that_cannot_be_used_is_listed_with_the_reason(install, code, problem):
    install("pose-bad", code, bad="pose_bad:create")
    label = describe_labels(CONTEXTS)[-1]
    assert (label.name, label.package) == ("bad", "pose-bad 1.0")
    assert problem in label.problem
    assert (label.arrays, label.sections, label.summary) == ((), (), "")
    with pytest.raises(ConfigError, match=problem):
        describe_label("bad", CONTEXTS)


def test_a_label_without_a_word_is_described_all_the_same(install):
    install("pose-ring", LABEL[LABEL.index("from dataclasses") :], ring="pose_ring:create")
    label = describe_label("ring", CONTEXTS)
    assert (label.summary, label.sections, len(label.arrays)) == ("", (), 1)


def test_a_label_that_goes_with_one_kind_alone_is_described_with_that(install):
    code = LABEL.replace(
        "    context.read_options(",
        '    if context.heatmap != "gaussian":\n        raise ValueError\n    context.read_options(',
    )
    install("pose-ring", code, ring="pose_ring:create")
    assert [array.kind for array in describe_label("ring", CONTEXTS).arrays] == [""]


def test_what_there_is_not_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"no label 'heatmpa' \(did you mean 'heatmap'\?\)"):
        describe_label("heatmpa", CONTEXTS)


def test_all_that_arrays_are_is_told():
    def tell(name, **contexts):
        arrays = describe_label(name, {key: of for key, of in CONTEXTS.items() if not key} | contexts).arrays
        return [dataclasses.astuple(array) for array in arrays]

    lopsided = "drawn of a flipped sample it would be another"
    assert tell("cif") == [
        (
            "cif",
            "",
            (18, 5, 46, 46),
            -2,
            100,
            True,
            False,
            lopsided,
            ("channel", "value", "y", "x"),
            "float32",
            False,
            True,
        )
    ]
    assert tell("keypoint_indices") == [
        ("keypoint_indices", "", (18, 2), 0, 46 * 46 - 1, False, False,
         "y w + x becomes y w + w - 1 - x, which is more than a change of places and signs", ("channel", "value"),
         "int64", True, False)
    ]  # fmt: skip
    field = ("paf", "paf=pixels", (38, 46, 46), -1, 1, False, True, "", ("channel", "y", "x"), "float32", False, False)
    other = (*field[:1], "paf=cells", *field[2:6], False, lopsided, *field[8:])
    kinds = {key: of for key, of in CONTEXTS.items() if key.startswith("paf=")}
    assert tell("paf", **kinds) == [field, other]
    assert tell("paf") == [(field[0], "", *field[2:])]


def test_sections_of_another_kind_are_told_after_its_name():
    parts = ["Definition", "Place of a cell", "Decoded", "Source", "Known differences", "Flipped"]
    titles = [title for title, _ in describe_label("heatmap", CONTEXTS).sections]
    kinds = [f"heatmap={kind}" for kind in ("msra", "msra-unbiased", "udp", "megvii", "higherhrnet")]
    assert titles == ["", *parts, f"With {', '.join(kinds)}", *parts]
    assert [title for title, _ in describe_label("caf", CONTEXTS).sections].count("") == 1
