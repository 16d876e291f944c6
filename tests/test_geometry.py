"""Points go where pictures go."""

import dataclasses

import cv2
import numpy as np
import pytest
from each import each

from posegen.errors import ConfigError
from posegen.geometry import Affine, crop, fit, overlap

MODES = ("letterbox", "stretch", "cover")
SOURCES = [
    (480, 640),
    (640, 480),
    (427, 640),
    (333, 500),
    (100, 100),
    (37, 911),
    (911, 37),
    (1, 1),
    (2, 3),
    (5000, 3333),
]
TARGETS = [(368, 368), (256, 192), (192, 256), (97, 33), (368, 656)]


def corners(affine, source):
    """Where the upper left and the lower right edge of a picture of `source` are mapped, as x, y, x, y."""
    edges = np.array([[-0.5, -0.5], [source[1] - 0.5, source[0] - 0.5]])
    return affine.apply(edges).ravel()


@each(target=TARGETS, source=SOURCES)
def test_stretch_maps_the_pictures_edges_to_the_inputs_edges(source, target):
    expected = [-0.5, -0.5, target[1] - 0.5, target[0] - 0.5]
    np.testing.assert_allclose(corners(fit(source, target, "stretch"), source), expected, rtol=0, atol=1e-9)


@each(mode=["letterbox", "cover"], target=TARGETS, source=SOURCES)
def test_the_picture_lies_on_whole_pixels(source, target, mode):
    edges = corners(fit(source, target, mode), source) + 0.5
    np.testing.assert_allclose(edges, np.round(edges), rtol=0, atol=1e-9)


@each(mode=["letterbox", "cover"], target=TARGETS, source=SOURCES)
def test_the_picture_is_centred_to_within_a_pixel(source, target, mode):
    left, top, right, bottom = corners(fit(source, target, mode), source)
    assert abs((left + right) / 2 - (target[1] - 1) / 2) <= 0.5 + 1e-9
    assert abs((top + bottom) / 2 - (target[0] - 1) / 2) <= 0.5 + 1e-9


@each(target=TARGETS, source=SOURCES)
def test_letterbox_shows_the_whole_picture_as_large_as_it_can_be(source, target):
    left, top, right, bottom = corners(fit(source, target, "letterbox"), source)
    assert min(left, top) >= -0.5 - 1e-9
    assert right <= target[1] - 0.5 + 1e-9
    assert bottom <= target[0] - 0.5 + 1e-9
    assert right - left == pytest.approx(target[1]) or bottom - top == pytest.approx(target[0])


@each(target=TARGETS, source=SOURCES)
def test_cover_fills_the_input_with_as_much_of_the_picture_as_there_can_be(source, target):
    left, top, right, bottom = corners(fit(source, target, "cover"), source)
    assert max(left, top) <= -0.5 + 1e-9
    assert right >= target[1] - 0.5 - 1e-9
    assert bottom >= target[0] - 0.5 - 1e-9
    assert right - left == pytest.approx(target[1]) or bottom - top == pytest.approx(target[0])


@each(mode=["letterbox", "cover"], target=TARGETS, source=[s for s in SOURCES if min(s) > 30])
def test_the_aspect_ratio_is_kept_to_within_the_rounding_to_whole_pixels(source, target, mode):
    left, top, right, bottom = corners(fit(source, target, mode), source)
    # The exact size of the side that was rounded is half a pixel away at most.
    scale = (min if mode == "letterbox" else max)(target[0] / source[0], target[1] / source[1])
    assert abs((right - left) - source[1] * scale) <= 0.5 + 1e-9
    assert abs((bottom - top) - source[0] * scale) <= 0.5 + 1e-9


def test_a_picture_never_shrinks_to_nothing():
    affine = fit((1, 10000), (100, 100), "letterbox")
    left, top, right, bottom = corners(affine, (1, 10000))
    assert (right - left, bottom - top) == (pytest.approx(100), pytest.approx(1))


def test_letterbox_of_a_wide_picture_pads_above_and_below():
    # 640 x 480 becomes 320 x 240 in 320 x 320, 40 pixels down.
    affine = fit((480, 640), (320, 320), "letterbox")
    assert affine.apply(np.array([0.0, 0.0])).tolist() == [-0.25, 39.75]
    assert affine.apply(np.array([639.0, 479.0])).tolist() == [319.25, 279.25]


def test_cover_of_a_wide_picture_cuts_left_and_right():
    # 640 x 480 becomes 480 x 360 in 360 x 360, 60 pixels to the left.
    affine = fit((480, 640), (360, 360), "cover")
    np.testing.assert_allclose(affine.apply(np.array([3.5, 1.5])), [-60 + 2.5, 1.0], rtol=0, atol=1e-9)


@each(mode=MODES, size=[(368, 368), (37, 911)])
def test_a_picture_of_the_inputs_size_stays_where_it_is(mode, size):
    assert fit(size, size, mode) == Affine(1, 0, 0, 0, 1, 0)


def test_an_unknown_fit_is_refused_and_named():
    with pytest.raises(ConfigError, match="letterbox, stretch or cover, not 'crop'"):
        fit((10, 10), (10, 10), "crop")


@each("source, target", [((100, 200), (50, 80)), ((33, 17), (66, 51))], offset=[(0, 0), (7, -3)])
def test_resizing_scales_the_edges_of_pixels_and_not_their_centres(source, target, offset):
    sx, sy = target[1] / source[1], target[0] / source[0]
    points = np.random.default_rng(0).uniform(-50, 250, (20, 2))
    expected = np.column_stack(
        [(points[:, 0] + 0.5) * sx - 0.5 + offset[0], (points[:, 1] + 0.5) * sy - 0.5 + offset[1]]
    )
    found = Affine.resize(source, target, offset).apply(points)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@each(target=[(368, 368), (97, 133)], mode=MODES, source=[(480, 640), (427, 300), (120, 90), (60, 200)])
def test_a_dot_in_a_picture_stays_on_its_point(source, target, mode):
    affine = fit(source, target, mode)
    left, top, right, bottom = (round(v + 0.5) for v in corners(affine, source))
    rows, columns = np.mgrid[: source[0], : source[1]]
    for at in ((0.5, 0.5), (0.41, 0.63), (0.66, 0.37)):
        x, y = at[0] * source[1], at[1] * source[0]
        dot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 3.0**2)).astype(np.float32)
        shrunk = [min(source[0], bottom - top), min(source[1], right - left)]
        resized = cv2.resize(dot, shrunk[::-1], interpolation=cv2.INTER_AREA)
        resized = cv2.resize(resized, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
        ys, xs = np.mgrid[top:bottom, left:right]
        centroid = [(resized * axis).sum() / resized.sum() for axis in (xs, ys)]
        np.testing.assert_allclose(affine.apply(np.array([x, y])), centroid, rtol=0, atol=0.05)


@each(source=[(480, 640), (60, 200)])
def test_opencv_warps_a_picture_by_the_matrix_as_points_are_mapped(source):
    affine = fit(source, (97, 133), "letterbox")
    rows, columns = np.mgrid[: source[0], : source[1]]
    x, y = 0.4 * source[1], 0.6 * source[0]
    dot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 5.0**2)).astype(np.float32)
    warped = cv2.warpAffine(dot, affine.matrix, (133, 97))
    ys, xs = np.mgrid[:97, :133]
    centroid = [(warped * axis).sum() / warped.sum() for axis in (xs, ys)]
    np.testing.assert_allclose(affine.apply(np.array([x, y])), centroid, rtol=0, atol=0.05)


def test_the_inverse_brings_points_back():
    rng = np.random.default_rng(3)
    for _ in range(20):
        affine = Affine(*rng.uniform(-3, 3, 6).tolist())
        points = rng.uniform(-100, 100, (5, 4, 2))
        np.testing.assert_allclose(affine.inverse().apply(affine.apply(points)), points, rtol=0, atol=1e-6)
        np.testing.assert_allclose(affine.apply(affine.inverse().apply(points)), points, rtol=0, atol=1e-6)


@each(numbers=[(1, 2, 0, 2, 4, 0), (0, 0, 5, 0, 0, 5), (np.nan, 0, 0, 0, 1, 0), (np.inf, 0, 0, 0, 1, 0)])
def test_a_map_without_inverse_says_so(numbers):
    with pytest.raises(ConfigError, match="determinant"):
        Affine(*map(float, numbers)).inverse()


def test_a_point_is_mapped_as_the_formula_says():
    affine = Affine(2.0, 3.0, 5.0, 7.0, 11.0, 13.0)
    assert affine.apply(np.array([1.0, 10.0])).tolist() == [2 + 30 + 5, 7 + 110 + 13]


def test_the_matrix_has_the_x_row_first_and_is_taken_back():
    affine = Affine(2.0, 3.0, 5.0, 7.0, 11.0, 13.0)
    assert affine.matrix.tolist() == [[2, 3, 5], [7, 11, 13]]
    assert Affine.from_matrix(affine.matrix) == affine
    assert Affine.from_matrix(affine.matrix.astype(np.float32)) == affine


@each(shape=[(2,), (0, 2), (4, 2), (3, 17, 2)])
def test_points_of_any_shape_keep_it(shape):
    points = np.ones(shape, np.float32)
    mapped = Affine(1, 0, 2, 0, 1, 3).apply(points)
    assert mapped.shape == shape
    assert mapped.dtype == np.float64
    np.testing.assert_array_equal(mapped, points + np.array([2, 3]))


def test_an_affine_map_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Affine(1, 0, 0, 0, 1, 0).xx = 2


@each(
    "pixels, scale, offset, cells, stride",
    [
        (20, 1.0, 0.0, 5, 4.0),
        (10, 2.0, 0.5, 5, 4.0),
        (10, 0.7, 3.0, 5, 4.0),
        (50, 1.0, -10.0, 7, 3.3),
        (3, 9.1, 1.0, 12, 2.5),
        (4, 1.0, 100.0, 5, 2.0),
    ],
)
def test_the_overlap_of_pixels_and_cells_is_the_length_they_share(pixels, scale, offset, cells, stride):
    found = overlap(pixels, scale, offset, cells, stride)
    assert found.shape == (cells, pixels)
    for i in range(cells):
        for j in range(pixels):
            low = max(i * stride - 0.5, scale * (j - 0.5) + offset)
            high = min((i + 1) * stride - 0.5, scale * (j + 0.5) + offset)
            assert found[i, j] == pytest.approx(max(high - low, 0) / stride, abs=1e-12)


@each("pixels, cells", [(368, 46), (100, 37), (7, 7), (640, 3)])
def test_cells_inside_the_picture_are_covered_once_and_every_pixel_is_used_once(pixels, cells):
    found = overlap(pixels, 1.0, 0.0, cells, pixels / cells)
    np.testing.assert_allclose(found.sum(axis=1), np.ones(cells), rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=0), np.full(pixels, cells / pixels), rtol=0, atol=1e-9)


def test_a_cell_is_covered_as_far_as_it_lies_in_the_picture():
    # The picture covers 3 to 10 of cells of 4.
    found = overlap(7, 1.0, 3.0, 4, 4.0).sum(axis=1)
    np.testing.assert_allclose(found, [0.25, 1, 0.5, 0], rtol=0, atol=1e-12)


BOXES = [(100.0, 50.0, 40.0, 160.0), (3.25, 7.5, 200.0, 30.0), (0.0, 0.0, 7.0, 0.0), (10.0, 20.0, 0.0, 3.5)]


@each(corners=[False, True], padding=[1.0, 1.25], target=[(256, 192), (384, 288), (64, 200)], box=BOXES)
def test_a_crop_enlarges_the_box_to_the_inputs_aspect_ratio(box, target, padding, corners):
    (x, y, w, h), (height, width) = box, target
    cx, cy, sw, sh = x + w / 2, y + h / 2, w * padding, h * padding
    if sw > sh * width / height:
        sh = sw * height / width
    else:
        sw = sh * width / height
    span_x, span_y = (width - 1, height - 1) if corners else (width, height)
    points = np.random.default_rng(0).uniform(-300, 300, (20, 2))
    expected = [((px - cx + sw / 2) * span_x / sw, (py - cy + sh / 2) * span_y / sh) for px, py in points]
    np.testing.assert_allclose(
        crop(box, target, padding=padding, corners=corners).apply(points), expected, rtol=1e-12, atol=1e-9
    )


@each(box=[(3.0, 4.0, 0.0, 0.0), (3.0, 4.0, -1.0, 5.0), (3.0, 4.0, float("nan"), 5.0)])
def test_an_empty_box_cannot_be_cropped(box):
    with pytest.raises(ConfigError, match="cannot be cropped"):
        crop(box, (256, 192))
