"""What options of labels can be, to the last value, and what is said of others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from posegen.errors import ConfigError
from posegen.labels import LabelContext, TopDownLabel, create_label, render_heatmap, render_paf, render_top_down
from posegen.labels.grid import count_cells, make_grid
from posegen.skeleton import COCO_17, Skeleton

THREE = Skeleton(name="three", keypoints=("a", "b", "c"), limbs=((0, 1),))
WIDE = (64, 96), (16, 24)
NARROW = (8, 8), (1, 4)


def said_by(call: Callable[[], Any]) -> str:
    try:
        call()
    except ConfigError as error:
        return str(error)
    return ""


def said_of(name: str, options: dict[str, Any], sizes: Any = WIDE, **changes: Any) -> str:
    """What is said of a label's options; nothing if it can be made."""
    context = LabelContext(**{"grid": make_grid("point", *sizes), "skeleton": COCO_17, "options": options, **changes})
    return said_by(lambda: create_label(name, context)).removeprefix(f"label '{name}': ")


def test_each_option_is_taken_to_its_last_value_and_beyond_told() -> None:
    root = "root must be mean or box, not 'hip'"
    center = "sigma_factor must be above 0 and at most 100, radius_cells from 1 to the longer side"
    weights = "min_diagonal must be 0 cells or more, background_weight from 0 to 1"
    radius = "radius_factor must be above 0 and at most 1, not "
    smooth = "label_smooth must be from 0 to 1, and goes with smoothing standard, not with "
    cell = "cell must be auto, "
    widths = "sigmas must be numbers above 0, with commas, not "
    for name, options, expected in (
        ("center", {"root": "hip"}, root), ("center", {"root": "box"}, ""), ("center", {"root": "mean"}, ""),
        ("center", {"sigma_factor": 0.0}, center), ("center", {"sigma_factor": 100.0}, ""),
        ("center", {"sigma_factor": 0.5}, ""), ("center", {"sigma_factor": 100.5}, center),
        ("center", {"radius_cells": 0.9}, center), ("center", {"radius_cells": 1.0}, ""),
        ("center", {"radius_cells": 24.0}, ""), ("center", {"radius_cells": 24.5}, center),
        ("center", {"min_diagonal": -0.1}, weights), ("center", {"min_diagonal": 0.0}, ""),
        ("center", {"min_diagonal": math.inf}, weights), ("center", {"min_diagonal": 1e6}, ""),
        ("center", {"background_weight": -0.1}, weights), ("center", {"background_weight": 0.0}, ""),
        ("center", {"background_weight": 1.0}, ""), ("center", {"background_weight": 1.1}, weights),
        ("offset", {"radius_factor": 0.0}, f"{radius}0.0"), ("offset", {"radius_factor": 1.0}, ""),
        ("offset", {"radius_factor": 1.5}, f"{radius}1.5"), ("offset", {"corners": True}, ""),
        ("simcc", {"smoothing": "none"}, "smoothing must be gaussian or standard, not 'none'"),
        ("simcc", {"smoothing": "standard", "label_smooth": 1.0}, ""),
        ("simcc", {"smoothing": "standard", "label_smooth": 0.0}, ""),
        ("simcc", {"smoothing": "standard", "label_smooth": 1.5}, f"{smooth}standard and 1.5"),
        ("simcc", {"smoothing": "standard", "label_smooth": -0.5}, f"{smooth}standard and -0.5"),
        ("simcc", {"label_smooth": 0.25}, f"{smooth}gaussian and 0.25"),
        ("keypoint_indices", {"cell": "left"}, cell), ("weight", {"of": "paf"}, "of must be auto, "),
        ("heatmap", {"normalize": "max"}, "normalize must be none or sum, not 'max'"),
        ("heatmap", {"normalize": "sum"}, ""), ("heatmap", {"sigmas": "1,24"}, ""), ("heatmap", {"sigmas": "1,,2"}, ""),
        ("heatmap", {"sigmas": "1,25"}, f"{widths}'25'"), ("heatmap", {"sigmas": "0"}, f"{widths}'0'"),
        ("heatmap", {"sigmas": "a"}, f"{widths}'a'"), ("heatmap", {"sigmas": "1;2"}, f"{widths}'1;2'"),
        ("heatmap", {"sigmas": "1", "kernels": "3"},
         "sigmas and kernels are two ways to say the same; give one of them"),
        ("heatmap", {"kernels": "3"}, "kernels go with heatmap megvii, not with gaussian; give sigmas"),
        ("cif", {"pose": "a"}, "pose must be none or coco, not 'a'"), ("cif", {"pose": "coco"}, ""),
    ):  # fmt: skip
        said = said_of(name, options)
        assert said.startswith(expected) if expected.endswith("auto, ") else said == expected, (name, options, said)
    assert said_of("cif", {"pose": "coco"}, skeleton=THREE) == (
        "pose coco goes with COCO's 17 keypoints, in their order, not with 'three'"
    )
    assert said_of("weight", {"by_keypoint": True}, skeleton=THREE) == (
        "by_keypoint: the skeleton 'three' has no weights of its keypoints"
    )
    kernels = "kernels must be odd whole numbers from 3, with commas, not "
    for word, expected in (
        ("3", ""), ("23", ""), ("3,5", ""), ("1", f"{kernels}'1'"), ("4", f"{kernels}'4'"), ("3.5", f"{kernels}'3.5'"),
        ("25", f"{kernels}'25'"), ("2", f"{kernels}'2'"),
    ):  # fmt: skip
        assert said_of("heatmap", {"kernels": word}, heatmap="megvii") == expected


def test_choices_are_listed() -> None:
    said = said_of("keypoint_indices", {"cell": "left"})
    assert said == "cell must be auto, nearest, inside or middle, not 'left'"
    said = said_of("weight", {"of": "paf"})
    assert said == "of must be auto, heatmap, simcc or regression, not 'paf'"


def test_grids_of_one_row_have_no_corners() -> None:
    for name, options, changes, expected in (
        ("heatmap", {}, {"heatmap": "udp"}, "udp needs two cells along each axis, not 4x1"),
        ("keypoint_indices", {}, {"heatmap": "udp"}, "udp needs two cells along each axis, not 4x1"),
        ("offset", {"corners": True}, {}, "corners need two cells along each axis, not 4x1"),
        ("offset", {}, {}, ""), ("heatmap", {}, {"heatmap": "msra"}, ""),
        ("keypoint_indices", {"cell": "middle"}, {}, ""),
    ):  # fmt: skip
        assert said_of(name, options, NARROW, **changes) == expected
        assert said_of(name, options, ((8, 8), (2, 2)), **changes) == ""
    top_down = {"input_size": (8, 8), "cells": (2, 2), "keypoints": ("a",), "sigma_cells": 1.0}
    assert said_by(lambda: TopDownLabel(kind="cubic", **top_down)) == (
        "a top-down heatmap must be msra, msra-unbiased, udp, megvii, higherhrnet, not 'cubic'"
    )


def test_grids_that_cannot_be_are_told() -> None:
    for (kind, size, cells), expected in (
        (("cubic", (8, 8), (2, 2)), "grid must be one of bilinear, area, point, not 'cubic'"),
        (("point", (8, 8), (0, 2)), "a label grid of 0 rows needs an input of at least as many pixels, not 8"),
        (("point", (8, 6), (8, 7)), "a label grid of 7 columns needs an input of at least as many pixels, not 6"),
        (("point", (8, 6), (8, 6)), ""), (("point", (8, 6), (1, 1)), ""),
    ):  # fmt: skip
        assert said_by(lambda args=(kind, size, cells): make_grid(*args)) == expected
    assert count_cells((8, 6), 0.5) == (16, 12)
    for stride, word in ((4, "4"), (2.5, "2.5"), (0, "0")):
        assert said_by(lambda stride=stride: count_cells((8, 6), stride)) == (
            f"a stride of {word} does not divide the input size 6x8 into whole cells"
        )


def test_what_functions_are_given_is_told_if_they_cannot_draw_it() -> None:
    points, drawn, small = np.full((1, 2, 2), 5.0), np.ones((1, 2), bool), {"input_size": (16, 8), "stride": 4}
    far = points.copy()
    far[0, 0, 0] = -1e15
    for call, expected in (
        (lambda: render_heatmap(points, drawn, sigma=0, **small), "sigma must be above 0 input pixels, not 0"),
        (lambda: render_heatmap(points, drawn, sigma=0.01, **small), ""),
        (lambda: render_top_down(points, drawn, sigma=0, **small), "sigma must be above 0 cells, not 0"),
        (lambda: render_top_down(points, drawn, sigma=0.5, **small), ""),
        (lambda: render_paf(points, drawn, [(0, 1)], half_width=0, **small),
         "half_width must be above 0 input pixels, not 0"),
        (lambda: render_paf(points, drawn, [(0, 1)], half_width=0.1, **small), ""),
        (lambda: render_paf(points, drawn, [(0, 2)], **small), "limb 0-2 must join two of the keypoints 0..1"),
        (lambda: render_paf(points, drawn, [(0, 1)], on="cell", **small),
         "part affinity fields are drawn on pixels or on cells, not on 'cell'"),
        (lambda: render_heatmap(points[0], drawn, **small),
         "points must be (N, K, 2) and drawn (N, K), not (2, 2) and (1, 2)"),
        (lambda: render_heatmap(far, drawn, **small), "a drawn point is not finite, or 1e+15 pixels away"),
        (lambda: render_heatmap(far * 0.99, drawn, **small), ""),
    ):  # fmt: skip
        assert said_by(call) == expected


def test_labels_of_functions_are_made_once_for_calls_that_are_alike_and_anew_for_others() -> None:
    points, drawn = np.full((1, 2, 2), 5.0), np.ones((1, 2), bool)
    shapes = []
    for changes in (
        {}, {"background": False}, {"input_size": (8, 16)}, {"stride": 8}, {"grid": "area"}, {"sigma": 3.0}, {}
    ):  # fmt: skip
        found = render_heatmap(points, drawn, **{"input_size": (16, 8), "stride": 4, **changes})
        shapes.append((found.shape, float(found.sum().round(4))))
    assert shapes[0] == shapes[-1]
    assert len({*shapes}) == 6
    assert [shape for shape, _ in shapes] == [
        (3, 4, 2),
        (2, 4, 2),
        (3, 2, 4),
        (3, 2, 1),
        (3, 4, 2),
        (3, 4, 2),
        (3, 4, 2),
    ]


def test_on_cells_a_limb_reaches_as_far_as_in_pixels() -> None:
    points, drawn = np.array([[[8.0, 32], [120.0, 32]]]), np.ones((1, 2), bool)
    # Cells of 8 x 4 pixels: a half-width of 16 pixels is that of two cells of the width.
    for half_width, rows in ((8.0, 2), (16.0, 4)):
        found = render_paf(points, drawn, [(0, 1)], input_size=(64, 128), stride=8, half_width=half_width, on="cells")
        assert (found[0, :, 8] > 0).sum() == rows
