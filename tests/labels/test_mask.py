"""The loss mask against pycocotools' pixels, resized by OpenCV, padded, and averaged over cells."""

import math

import cv2
import numpy as np
import pytest
from each import each
from label_oracle import make_region, shares_of_pixels
from pycocotools import mask as coco_mask

from posegen.errors import ConfigError
from posegen.geometry import Affine, fit
from posegen.labels import MaskLabel, Scene

MODES = ("letterbox", "stretch", "cover")
INPUT = (96, 128)


def make_scene(image_size, affine, pixels=None):
    """A scene of which the `pixels` (height, width) of the picture are ignored."""
    region = None
    if pixels is not None and pixels.any():
        region = make_region(pixels)
    return Scene(
        points=np.zeros((0, 1, 2)),
        drawn=np.zeros((0, 1), bool),
        image_size=image_size,
        affine=affine,
        ignored=region,
    )


def render(image_size, mode, cells, pixels=None, *, input_size=INPUT):
    label = MaskLabel(input_size=input_size, cells=cells)
    return label.render(make_scene(image_size, fit(image_size, input_size, mode), pixels))[0]


def placement(image_size, mode, input_size=INPUT):
    """For y and x: to how many pixels the picture is resized, and at which pixel of the input it begins."""
    scales = [n / m for n, m in zip(input_size, image_size, strict=True)]
    if mode != "stretch":
        scales = [(min if mode == "letterbox" else max)(scales)] * 2
    resized = [round(m * scale) for m, scale in zip(image_size, scales, strict=True)]
    return [(r, (n - r) // 2) for r, n in zip(resized, input_size, strict=True)]


def place(picture, mode):
    """Shrink a (height, width) float picture with OpenCV and put it into the input, which is 0 elsewhere."""
    (rows, y), (columns, x) = placement(picture.shape, mode)
    assert rows <= picture.shape[0]
    assert columns <= picture.shape[1]
    resized = cv2.resize(picture.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    frame = np.zeros(INPUT)
    frame[max(y, 0) : y + rows, max(x, 0) : x + columns] = resized[max(-y, 0) :, max(-x, 0) :][: INPUT[0], : INPUT[1]]
    return frame


def average(frame, cells):
    rows, columns = (shares_of_pixels(n, m) for n, m in zip(frame.shape, cells, strict=True))
    return rows @ frame @ columns.T


def measure(picture, mode, cells):
    """The area of the picture's pixels in the cells, whatever their sizes; exact, for lengths are whole units."""
    axes = []
    for pixels, (resized, start), n, m in zip(picture.shape, placement(picture.shape, mode), INPUT, cells, strict=True):
        # The unit is 1 / (pixels * m) of an input pixel.
        pixel = np.arange(pixels)[None] * (resized * m) + start * pixels * m
        cell = np.arange(m)[:, None] * (n * pixels)
        common = np.minimum(pixel + resized * m, cell + n * pixels) - np.maximum(pixel, cell)
        axes.append(np.maximum(common, 0) / (n * pixels))
    return axes[0] @ picture @ axes[1].T


def draw_polygons(rng, size):
    """Some triangles and quadrangles, also over the border, as pycocotools rasterises them."""
    height, width = size
    polygons = [(rng.uniform(-0.1, 1.1, (corners, 2)) * (width, height)).ravel().tolist() for corners in (3, 4, 4)]
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, height, width)))


@each(
    mode=MODES,
    cells=[(12, 16), (24, 64), (96, 128), (1, 1)],
    image_size=[(480, 640), (427, 640), (640, 427), (333, 500), (200, 199), (96, 128), (97, 129), (1000, 131)],
)
def test_the_mask_is_the_picture_resized_padded_and_averaged(image_size, cells, mode):
    pixels = draw_polygons(np.random.default_rng(image_size[0] + cells[0]), image_size)
    assert pixels.any()
    expected = average(place(1.0 - pixels, mode), cells)
    np.testing.assert_allclose(render(image_size, mode, cells, pixels), expected, rtol=0, atol=2e-6)


@each(
    mode=MODES,
    cells=[(37, 41), (12, 16), (50, 100), (7, 3)],
    image_size=[(480, 640), (60, 50), (50, 300), (3, 5), (1, 1), (1, 200)],
)
def test_the_mask_is_exact_for_any_picture_and_any_stride(image_size, cells, mode):
    pixels = (np.random.default_rng(sum(image_size)).random(image_size) < 0.3).astype(np.uint8)
    expected = measure(1.0 - pixels, mode, cells)
    np.testing.assert_allclose(render(image_size, mode, cells, pixels), expected, rtol=0, atol=1e-6)


def test_a_compressed_run_length_encoding_is_masked_as_its_pixels():
    pixels = np.zeros((96, 128), np.uint8)
    pixels[8:40, 16:80] = 1
    decoded = coco_mask.decode(coco_mask.encode(np.asfortranarray(pixels)))
    found = render((96, 128), "letterbox", (12, 16), decoded)
    expected = np.ones((12, 16))
    expected[1:5, 2:10] = 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@each(mode=["stretch", "cover"], image_size=[(480, 640), (37, 41), (300, 100)])
def test_where_nothing_is_ignored_and_the_picture_fills_the_input_the_mask_is_one(image_size, mode):
    np.testing.assert_allclose(render(image_size, mode, (12, 16)), np.ones((12, 16)), rtol=0, atol=1e-6)


@each(
    "image_size, padding",
    # The picture covers rows 24 to 71 of 96, or columns 32 to 95 of 128.
    [((48, 128), np.s_[[0, 1, 2, 9, 10, 11], :]), ((96, 64), np.s_[:, [0, 1, 2, 3, 12, 13, 14, 15]])],
)
def test_padding_is_exactly_zero_and_the_picture_is_one(image_size, padding):
    mask = render(image_size, "letterbox", (12, 16))
    assert not mask[padding].any()
    mask[padding] = 1
    np.testing.assert_allclose(mask, np.ones((12, 16)), rtol=0, atol=1e-6)


def test_a_cell_that_is_half_padding_is_one_half():
    # The picture covers rows 44 to 51 of 96, and a cell has 8.
    column = render((8, 128), "letterbox", (12, 16))[:, 5]
    assert column == pytest.approx([0, 0, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0, 0], abs=1e-6)


@each(mode=MODES)
def test_a_picture_that_is_ignored_altogether_is_masked_altogether(mode):
    mask = render((111, 222), mode, (12, 16), np.ones((111, 222), np.uint8))
    np.testing.assert_allclose(mask, np.zeros((12, 16)), rtol=0, atol=1e-6)


@each(corner=[(0, 0), (0, 639), (479, 0), (479, 639)])
def test_a_single_ignored_pixel_in_a_corner_takes_its_area(corner):
    pixels = np.zeros((480, 640), np.uint8)
    pixels[corner] = 1
    mask = render((480, 640), "stretch", (12, 16), pixels)
    # A cell shows 40 x 40 pixels of the picture.
    expected = np.ones((12, 16))
    expected[corner[0] // 40, corner[1] // 40] -= 1 / 1600
    np.testing.assert_allclose(mask, expected, rtol=0, atol=1e-6)


def test_what_is_ignored_outside_the_cut_leaves_the_mask_alone():
    pixels = np.zeros((96, 256), np.uint8)
    pixels[:, :64] = 1
    np.testing.assert_allclose(render((96, 256), "cover", (12, 16), pixels), np.ones((12, 16)), rtol=0, atol=1e-6)


def test_values_never_leave_the_range_from_zero_to_one():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        image_size = int(rng.integers(1, 300)), int(rng.integers(1, 300))
        pixels = (rng.random(image_size) < rng.random()).astype(np.uint8)
        for mode in MODES:
            mask = render(image_size, mode, (int(rng.integers(1, 97)), int(rng.integers(1, 129))), pixels)
            assert 0 <= mask.min() <= mask.max() <= 1


def look_up(pixels, affine, size, cells):
    """The mask of any affine map, at 40 x 40 points a cell: in the picture, and not in what is ignored."""
    (a, b, c), (d, e, f) = np.linalg.inv(np.vstack([affine.matrix, [0, 0, 1]]))[:2]
    ys, xs = ((np.arange(40 * n) + 0.5) * m / (40 * n) - 0.5 for n, m in zip(cells, size, strict=True))
    columns = np.rint(a * xs + b * ys[:, None] + c).astype(int)
    rows = np.rint(d * xs + e * ys[:, None] + f).astype(int)
    outside = 1
    framed = np.pad(pixels, 1, constant_values=outside)
    found = framed[np.clip(rows + 1, 0, len(framed) - 1), np.clip(columns + 1, 0, framed.shape[1] - 1)] == 0
    return found.reshape(cells[0], 40, cells[1], 40).mean(axis=(1, 3))


def turned(degrees, scale, shift=(0.0, 0.0)):
    cos, sin = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return Affine(cos, -sin, shift[0], sin, cos, shift[1])


@each(
    "cells, bound",
    [((12, 16), 1 / 16), ((24, 32), 1 / 8), ((96, 128), 0.3)],
    degrees=[0.5, 7, 30, 45, 90, 133, -40],
)
def test_the_mask_of_a_turned_picture_is_right_to_within_the_stated_bound(degrees, cells, bound):
    pixels = np.zeros((150, 200), np.uint8)
    cv2.fillPoly(pixels, [np.array([[20, 30], [150, 10], [180, 90], [60, 130]])], 1)
    affine = turned(degrees, 0.6, (20.25, 10.5))
    scene = make_scene((150, 200), affine, pixels)
    found = MaskLabel(input_size=(96, 128), cells=cells).render(scene)[0]
    difference = np.abs(found - look_up(pixels, affine, (96, 128), cells))
    assert difference.max() <= bound
    assert difference.mean() <= 0.01


def test_a_turn_by_nothing_is_no_turn():
    pixels = np.zeros((150, 200), np.uint8)
    pixels[30:77, 12:141] = 1
    label = MaskLabel(input_size=(96, 128), cells=(12, 16))
    plain, nearly = (
        label.render(make_scene((150, 200), turned(degrees, 0.6, (3.0, 2.0)), pixels)) for degrees in (0, 1e-7)
    )
    np.testing.assert_allclose(nearly, plain, rtol=0, atol=1 / 16)


def test_the_mask_of_a_mirrored_picture_is_the_mirrored_mask():
    pixels = np.zeros((150, 200), np.uint8)
    pixels[30:77, 12:141] = 1
    upright = turned(0, 0.6, (3.3, 2.1))
    mirrored = Affine(-upright.xx, 0, 127 - upright.x0, 0, upright.yy, upright.y0)
    label = MaskLabel(input_size=(96, 128), cells=(12, 16))
    plain, found = (label.render(make_scene((150, 200), affine, pixels)) for affine in (upright, mirrored))
    np.testing.assert_allclose(found, plain[..., ::-1], rtol=0, atol=1e-6)
    assert found.flags.c_contiguous


def test_a_map_that_flattens_the_picture_is_refused():
    label = MaskLabel(input_size=(96, 128), cells=(12, 16))
    with pytest.raises(ConfigError, match="cannot be inverted"):
        label.render(make_scene((96, 128), Affine(1, 1, 0, 1, 1, 0)))


def test_the_mask_has_one_channel():
    spec = MaskLabel(input_size=(96, 128), cells=(12, 16)).spec
    assert (spec.name, spec.shape, spec.signed) == ("mask", (1, 12, 16), False)
