"""Pictures without their padding: the box that is kept holds all there is, and is put back where it was."""

from __future__ import annotations

import math

import numpy as np
import pytest
from each import each
from hypothesis import given
from hypothesis import strategies as st

from posegen.errors import ImageError
from posegen.geometry import Affine, Box, fit
from posegen.images import codec, warp
from posegen.images.augment import View
from posegen.images.stored import StoredPicture
from posegen.images.warp import PADDING

FRAME = 48, 64
SIDES = st.integers(1, 90)
VIEWS = st.builds(
    View,
    scale=st.floats(0.05, 5),
    rotation=st.floats(-180, 180),
    shift=st.tuples(st.floats(-90, 90), st.floats(-90, 90)),
    flip=st.booleans(),
)


def outside(picture: np.ndarray, box: Box) -> np.ndarray:
    """Return the pixels around a box."""
    around = np.ones(picture.shape[:2], bool)
    around[box.y : box.y + box.height, box.x : box.x + box.width] = False
    return picture[around]


@given(SIDES, SIDES, st.sampled_from(["letterbox", "stretch", "cover"]))
def test_of_a_fitted_picture_the_box_holds_all_of_it_and_nothing_else(height: int, width: int, mode: str) -> None:
    affine, black = fit((height, width), FRAME, mode), np.zeros((height, width, 3), np.uint8)
    box = warp.find_covered((height, width), affine, FRAME, warp.warp_fitted)
    shown = warp.warp_fitted(black, affine, FRAME)
    assert (outside(shown, box) == PADDING).all()
    assert not box.cut(shown).any()
    assert warp.is_fitted((height, width), affine)


@given(SIDES, SIDES, VIEWS, st.sampled_from(["letterbox", "stretch", "cover"]))
def test_what_a_picture_covers_is_what_its_box_cuts_out_of_the_frame(
    height: int, width: int, view: View, mode: str
) -> None:
    picture = np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)
    fitted = fit((height, width), FRAME, mode)
    for show, affine in (
        (warp.warp_fitted, fitted),
        (warp.warp_view, fitted.then(view.affine(FRAME))),
        (warp.warp_linear, fitted.then(view.affine(FRAME))),
    ):
        pixels, box = warp.warp_covered(picture, affine, FRAME, show)
        assert box == warp.find_covered((height, width), affine, FRAME, show)
        assert pixels.flags.c_contiguous
        np.testing.assert_array_equal(pixels, box.cut(show(picture, affine, FRAME)))


@given(SIDES, SIDES, VIEWS, st.sampled_from([warp.warp_linear, warp.warp_view]))
def test_of_a_mapped_picture_nothing_lies_outside_of_the_box(
    height: int, width: int, view: View, show: warp.Warp
) -> None:
    affine = fit((height, width), FRAME, "letterbox").then(view.affine(FRAME))
    box = warp.find_covered((height, width), affine, FRAME, show)
    assert 0 <= box.x < box.x + box.width <= FRAME[1]
    assert 0 <= box.y < box.y + box.height <= FRAME[0]
    shown = show(np.zeros((height, width, 3), np.uint8), affine, FRAME)
    assert (outside(shown, box) == PADDING).all()


def test_the_box_of_a_mapped_picture_is_hardly_larger_than_what_is_there() -> None:
    for angle in range(0, 180, 15):
        view = View(scale=0.4, rotation=angle, shift=(3.3, -2.1))
        affine = fit((40, 30), FRAME, "letterbox").then(view.affine(FRAME))
        shown = warp.warp_view(np.zeros((40, 30, 3), np.uint8), affine, FRAME)
        rows, columns = np.nonzero((shown != PADDING).any(axis=2))
        x, y, width, height = warp.find_covered((40, 30), affine, FRAME, warp.warp_view)
        for kept, there in ((x, columns.min()), (y, rows.min()), (columns.max() + 1, x + width)):
            assert 0 <= there - kept <= 3, angle
        assert 0 <= y + height - rows.max() - 1 <= 3


def test_of_a_picture_that_is_not_visible_one_gray_pixel_is_kept() -> None:
    affine = View(shift=(500, 0)).affine(FRAME)
    box = warp.find_covered(FRAME, affine, FRAME, warp.warp_view)
    assert box == (0, 0, 1, 1)
    shown = warp.warp_view(np.zeros((*FRAME, 3), np.uint8), affine, FRAME)
    assert (box.cut(shown) == PADDING).all()


@each("turned, whole", [(fit((40, 60), (48, 64), "letterbox"), True), (Affine(1, 0, 0.5, 0, 1, 0), False),
                        (Affine(1, 0, 0, 0, 1, 1e-3), False), (Affine(-1, 0, 59, 0, 1, 0), False),
                        (Affine(0, 1, 0, -1, 0, 59), False), (Affine(1, 0, -7, 0, 1, 900), True),
                        (Affine.resize((40, 60), (41, 61)), True), (Affine.resize((40, 60), (20, 30), (3, 4)), True),
                        (Affine(0.51, 0, 0, 0, 0.51, 0), False)])  # fmt: skip
def test_a_fit_is_told_from_other_maps(turned: Affine, whole: bool) -> None:
    assert warp.is_fitted((40, 60), turned) is whole


def store(pixels: np.ndarray, box: Box, encoding: str = "png") -> StoredPicture:
    """Store a frame's picture (R, G, B) as a build does."""
    shown = pixels if encoding == "raw" else box.cut(pixels)
    data = codec.encode(np.ascontiguousarray(shown[..., ::-1]), encoding, 90)
    return StoredPicture(data, box, pixels.shape[:2], encoding == "raw", "the picture")


def frame_of(box: Box, seed: int = 0, size: tuple[int, int] = FRAME) -> np.ndarray:
    """Make a frame that is gray but for noise in a box."""
    pixels = np.full((*size, 3), PADDING, np.uint8)
    box.cut(pixels)[...] = np.random.default_rng(seed).integers(0, 256, (*box.size, 3))
    return pixels


BOXES = [Box(0, 0, 64, 48), Box(0, 6, 64, 36), Box(9, 0, 40, 48), Box(3, 4, 5, 6), Box(0, 0, 1, 1), Box(63, 47, 1, 1)]


@each(encoding=["png", "jpeg", "raw"], box=BOXES)
def test_it_is_put_back_where_it_was(encoding: str, box: Box) -> None:
    pixels = frame_of(box)
    if encoding == "jpeg":
        pixels[...] = PADDING
        box.cut(pixels)[...] = 200, 60, 30
    stored, out = store(pixels, box, encoding), np.full((*FRAME, 3), 7, np.uint8)
    stored.fill(out)
    np.testing.assert_allclose(out.astype(int), pixels, atol=3 if encoding == "jpeg" else 0)
    np.testing.assert_array_equal(stored.show(FRAME), out)
    np.testing.assert_array_equal(stored.decode()[..., :3], box.cut(out))
    assert (outside(out, box) == PADDING).all()


def test_a_row_of_a_batch_is_filled_and_no_other() -> None:
    batch = np.full((3, *FRAME, 3), 7, np.uint8)
    for box in BOXES:
        store(frame_of(box), box).fill(batch[1])
        assert (batch[[0, 2]] == 7).all()
        np.testing.assert_array_equal(batch[1], frame_of(box))


def test_a_larger_frame_is_shrunk_to_the_mean_of_its_pixels() -> None:
    for factor in (2, 3):
        box, size = Box(factor, 0, 20 * factor, 48 * factor), (48 * factor, 64 * factor)
        pixels = frame_of(box, size=size)
        expected = pixels.reshape(48, factor, 64, factor, 3).astype(float).mean(axis=(1, 3))
        for encoding in ("png", "raw"):
            stored = store(pixels, box, encoding)
            assert np.abs(stored.show(FRAME) - expected).max() <= 0.51
            np.testing.assert_array_equal(stored.decode()[..., :3], box.cut(pixels))


def test_what_is_no_picture_of_the_box_is_refused_by_name() -> None:
    stored = store(frame_of(BOXES[1]), BOXES[1])
    for data, box in ((stored.data, Box(0, 6, 64, 35)), (stored.data[:-20], stored.box), (b"", stored.box)):
        wrong = StoredPicture(data, box, FRAME, False, "sample 7")
        for call in (wrong.decode, lambda wrong=wrong: wrong.show(FRAME)):
            with pytest.raises(ImageError, match=rf"sample 7: is not an image of {box.width}x{box.height} pixels"):
                call()


def test_the_map_of_a_view_is_the_map_of_its_box() -> None:
    # What is cut out of a frame lies at the frame's pixels: nothing is moved by a part of one.
    affine = fit((30, 40), FRAME, "letterbox").then(View(scale=0.7, rotation=30).affine(FRAME))
    dot = np.zeros((30, 40, 3), np.uint8)
    dot[14:17, 19:22] = 255
    box = warp.find_covered((30, 40), affine, FRAME, warp.warp_view)
    stored = store(warp.warp_view(dot, affine, FRAME)[..., ::-1], box)
    weight = stored.show(FRAME)[..., 0].astype(float)
    weight[weight <= PADDING] = 0
    rows, columns = np.mgrid[: FRAME[0], : FRAME[1]]
    middle = (weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()
    assert math.dist(middle, affine.apply(np.array([20.0, 15.0]))) < 0.35


def test_views_that_are_read_find_the_box_of_an_interpolated_picture():
    random = np.random.default_rng(3)
    for i in range(3000):
        numbers = random.normal(size=(2, 3)) * [1, 1, 60]
        affine = Affine.from_matrix(np.rint(numbers) if i % 3 == 0 else numbers)
        height, width = random.integers(1, 90, 2).tolist()
        found = warp._find_touched((height, width), affine, FRAME)
        assert found == warp.find_covered((height, width), affine, FRAME, warp.warp_linear)
