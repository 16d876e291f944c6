"""Which pixels a cell reads, and what it makes of them."""

import pickle

import cv2
import numpy as np
import pytest
from each import each

from posegen.errors import ConfigError
from posegen.labels.grid import count_cells, make_grid

KINDS = ("bilinear", "area", "point")
RATIOS = [
    (368, 46), (100, 37), (37, 37), (64, 63), (64, 33), (64, 32), (64, 31), (65, 22), (50, 20), (50, 1), (7, 2), (1, 1),
    (3, 2), (2, 1), (9, 3), (45, 9), (97, 40), (656, 82), (30, 4),
]  # fmt: skip
SIZES = [((n, m), (k, c)) for (n, k), (m, c) in zip(RATIOS, RATIOS[5:] + RATIOS[:5], strict=True)]


def by_size(pair):
    return "x".join(map(str, pair))


def read_taps(grid, full):
    """The values (t, t, h, w) of a map (H, W) at the taps of all cells."""
    (h, w) = grid.cells
    rows, columns = grid.positions[:, 0, :h].astype(int), grid.positions[:, 1, :w].astype(int)
    return full[rows[:, None, :, None], columns[None, :, None, :]]


def mean_over_cells(pixels, cells):
    """The matrix (cells, pixels) that averages over cells, counted in 1 / cells of a pixel."""
    pixel, cell = np.arange(pixels)[None] * cells, np.arange(cells)[:, None] * pixels
    return np.maximum(np.minimum(pixel + cells, cell + pixels) - np.maximum(pixel, cell), 0) / pixels


def interpolate(pixels, cells):
    """The matrix (cells, pixels) of linear interpolation: cell i reads at (i + 1/2) N/n - 1/2, counted in 1 / (2 n)."""
    matrix = np.zeros((cells, pixels))
    for i in range(cells):
        low, rest = divmod((2 * i + 1) * pixels - cells, 2 * cells)
        matrix[i, low] += 1 - rest / (2 * cells)
        matrix[i, min(low + 1, pixels - 1)] += rest / (2 * cells)
    return matrix


@each("size, cells", SIZES)
def test_the_bilinear_grid_reads_two_pixels_an_axis_by_their_distance(size, cells):
    full = np.random.default_rng(size[0]).random(size, np.float32)
    grid = make_grid("bilinear", size, cells)
    expected = interpolate(size[0], cells[0]) @ full @ interpolate(size[1], cells[1]).T
    np.testing.assert_allclose(grid.reduce(read_taps(grid, full)), expected, rtol=0, atol=1e-6)


# OpenCV resizes a line of pixels by another algorithm, that is off by up to 2e-6.
@each("size, cells", [pair for pair in SIZES if min(pair[0]) > 1])
def test_the_bilinear_grid_is_what_opencv_resizes_to(size, cells):
    full = np.random.default_rng(size[0]).random(size, np.float32)
    grid = make_grid("bilinear", size, cells)
    expected = cv2.resize(full, cells[::-1], interpolation=cv2.INTER_LINEAR).reshape(cells)
    np.testing.assert_allclose(grid.reduce(read_taps(grid, full)), expected, rtol=0, atol=1e-6)


@each("size, cells", SIZES)
def test_the_area_grid_is_the_mean_over_cells(size, cells):
    full = np.random.default_rng(size[0]).random(size, np.float32)
    grid = make_grid("area", size, cells)
    expected = mean_over_cells(size[0], cells[0]) @ full @ mean_over_cells(size[1], cells[1]).T
    # A cell of 50 x 2 pixels or more is a long sum in float32.
    np.testing.assert_allclose(grid.reduce(read_taps(grid, full)), expected, rtol=0, atol=2e-6)


@each(stride=[1, 2, 3, 4, 8])
def test_the_area_grid_of_a_whole_stride_is_what_opencv_resizes_to(stride):
    full = np.random.default_rng(stride).random((9 * stride, 5 * stride), np.float32)
    grid = make_grid("area", full.shape, (9, 5))
    expected = cv2.resize(full, (5, 9), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(grid.reduce(read_taps(grid, full)), expected, rtol=0, atol=1e-6)


@each("size, cells", SIZES)
def test_the_point_grid_reads_the_centre_of_each_cell(size, cells):
    grid = make_grid("point", size, cells)
    assert grid.taps == 1
    for axis in range(2):
        stride = size[axis] / cells[axis]
        for i in range(cells[axis]):
            assert grid.positions[0, axis, i] == pytest.approx(i * stride + (stride - 1) / 2, abs=1e-9)


def test_the_point_grid_hands_the_values_on():
    values = np.random.default_rng(0).random((1, 1, 3, 4, 6), np.float32)
    np.testing.assert_array_equal(make_grid("point", (32, 48), (4, 6)).reduce(values), values[0, 0])


def test_the_bilinear_grid_of_stride_8_reads_four_of_64_pixels():
    grid = make_grid("bilinear", (368, 368), (46, 46))
    assert grid.taps == 2
    assert grid.even
    assert grid.positions[:, 0, :3].tolist() == [[3, 11, 19], [4, 12, 20]]
    np.testing.assert_array_equal(grid.positions[:, 0], grid.positions[:, 1])


def test_the_bilinear_grid_of_an_odd_stride_reads_the_pixel_in_the_middle():
    grid = make_grid("bilinear", (15, 9), (5, 3))
    assert grid.taps == 1
    assert grid.positions[0, 0].tolist() == [1, 4, 7, 10, 13]


@each("size, cells", SIZES, kind=KINDS)
def test_taps_lie_inside_the_input(size, cells, kind):
    grid = make_grid(kind, size, cells)
    for axis in range(2):
        assert grid.positions[:, axis].min() >= 0
        assert grid.positions[:, axis].max() <= size[axis] - 1


@each("size, cells", SIZES, kind=KINDS)
def test_the_weights_of_a_cell_add_up_to_one(size, cells, kind):
    grid = make_grid(kind, size, cells)
    assert grid.weights.dtype == np.float32
    assert grid.weights.min() >= 0
    for axis in range(2):
        sums = grid.weights[:, axis, : cells[axis]].sum(axis=0, dtype=np.float64)
        np.testing.assert_allclose(sums, np.ones(cells[axis]), rtol=0, atol=1e-6)


@each("size, cells", SIZES, kind=KINDS)
def test_a_constant_map_stays_constant(size, cells, kind):
    grid = make_grid(kind, size, cells)
    reduced = grid.reduce(np.full((grid.taps, grid.taps, 2, *cells), 0.75, np.float32))
    assert reduced.dtype == np.float32
    np.testing.assert_allclose(reduced, np.full((2, *cells), 0.75), rtol=0, atol=2e-6)


@each("size, cells", SIZES, kind=KINDS)
def test_a_window_reduces_to_the_window_of_the_whole(size, cells, kind):
    grid = make_grid(kind, size, cells)
    rng = np.random.default_rng(1)
    values = rng.random((grid.taps, grid.taps, *cells), np.float32)
    whole = grid.reduce(values)
    for _ in range(5):
        top, left = rng.integers(0, cells[0]), rng.integers(0, cells[1])
        bottom, right = rng.integers(top, cells[0]) + 1, rng.integers(left, cells[1]) + 1
        rows, columns = np.ogrid[top:bottom, left:right]
        found = grid.reduce(np.ascontiguousarray(values[..., top:bottom, left:right]), rows, columns)
        np.testing.assert_allclose(found, whole[top:bottom, left:right], rtol=0, atol=1e-6)


@each("size, cells", SIZES, kind=KINDS)
def test_a_list_of_cells_reduces_to_these_cells(size, cells, kind):
    grid = make_grid(kind, size, cells)
    rng = np.random.default_rng(2)
    values = rng.random((grid.taps, grid.taps, *cells), np.float32)
    rows, columns = rng.integers(0, cells[0], 30), rng.integers(0, cells[1], 30)
    found = grid.reduce(values[..., rows, columns], rows, columns)
    np.testing.assert_allclose(found, grid.reduce(values)[rows, columns], rtol=0, atol=1e-6)


@each("size, cells", SIZES, kind=KINDS)
def test_positions_at_some_cells_are_those_of_the_cells(size, cells, kind):
    grid = make_grid(kind, size, cells)
    rng = np.random.default_rng(3)
    wanted = np.stack([rng.integers(0, n, (4, 5)) for n in cells])
    found = grid.positions_at(wanted)
    assert found.shape == (grid.taps, 2, 4, 5)
    for axis in range(2):
        np.testing.assert_array_equal(found[:, axis], grid.positions[:, axis][:, wanted[axis]])


def intervals(size):
    """Intervals (2, n) of pixels, for y and x, that begin and end on pixels, between them, and outside the input."""
    rng = np.random.default_rng(4)
    ends = rng.integers(-3, max(size) + 3, (2, 2, 300)) + rng.choice([0.0, 0.25, 0.5, 0.999], (2, 2, 300))
    ends = np.concatenate([np.floor(ends), ends], axis=2)
    return np.sort(ends, axis=0)


def cells_that_read(grid, low, stop):
    """Which cells of each axis have a tap that counts from `low` to before `stop` (2, n): two of (cells, n)."""
    found = []
    for axis in range(2):
        taps, weights = (array[:, axis, : grid.cells[axis], None] for array in (grid.positions, grid.weights))
        found.append(((weights > 0) & (taps >= low[axis]) & (taps < stop[axis])).any(axis=0))
    return found


@each("size, cells", SIZES, kind=KINDS)
def test_every_cell_that_reads_in_an_interval_is_found(size, cells, kind):
    grid = make_grid(kind, size, cells)
    low, stop = intervals(size)
    first, end = grid.first_cell(low), grid.stop_cell(stop)
    for axis, reads in enumerate(cells_that_read(grid, low, stop)):
        cell, interval = np.nonzero(reads)
        assert len(cell)
        assert (cell >= first[axis, interval]).all()
        assert (cell < end[axis, interval]).all()


@each("size, cells", SIZES, kind=KINDS)
def test_few_cells_that_do_not_read_in_an_interval_are_found(size, cells, kind):
    grid = make_grid(kind, size, cells)
    low, stop = intervals(size)
    first, end = np.maximum(grid.first_cell(low), 0), np.minimum(grid.stop_cell(stop), np.array(cells)[:, None])
    for axis, reads in enumerate(cells_that_read(grid, low, stop)):
        # One at each end, and in intervals without a tap those between whose taps they lie.
        assert (np.maximum(end[axis] - first[axis], 0) - reads.sum(axis=0)).max() <= 2


@each("size, cells", SIZES, kind=KINDS, length=[0.0, 1.0, 3.7, 16.0, 500.0])
def test_no_interval_has_more_cells_than_are_counted(size, cells, length, kind):
    grid = make_grid(kind, size, cells)
    counts = grid.count_cells(length)
    starts = np.stack([np.linspace(-20, n, 600) for n in size])
    for axis, reads in enumerate(cells_that_read(grid, starts, np.nextafter(starts + length, np.inf))):
        most = reads.sum(axis=0).max()
        assert most <= counts[axis] <= min(most + 3, cells[axis])


def test_the_mean_over_a_cell_of_many_pixels_is_as_near_as_that_of_few():
    # A field of half-width 8 along the first row, in a cell of 8.5 x 11 pixels: no sum of as many float32.
    full = np.zeros((17, 33), np.float32)
    full[:8, :11] = 1
    found = make_grid("area", (17, 33), (2, 3)).reduce(read_taps(make_grid("area", (17, 33), (2, 3)), full))
    np.testing.assert_allclose(found, [[16 / 17, 0, 0], [0, 0, 0]], rtol=0, atol=3e-7)


def test_the_stride_is_that_of_each_axis():
    assert make_grid("point", (80, 100), (10, 40)).stride.tolist() == [[8], [2.5]]


def test_the_axes_may_have_different_numbers_of_taps():
    full = np.random.default_rng(5).random((9, 64), np.float32)
    for kind, expected in (
        ("bilinear", cv2.resize(full, (8, 3), interpolation=cv2.INTER_LINEAR)),
        ("area", full.reshape(3, 3, 8, 8).mean(axis=(1, 3))),
    ):
        grid = make_grid(kind, (9, 64), (3, 8))
        np.testing.assert_allclose(grid.reduce(read_taps(grid, full)), expected, rtol=0, atol=1e-6)


def test_equal_grids_are_made_once_and_cannot_be_written_to():
    grid = make_grid("bilinear", (64, 64), (8, 8))
    assert make_grid("bilinear", (64, 64), (8, 8)) is grid
    for array in (grid.positions, grid.weights, grid.stride, grid.span):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_a_pickled_grid_is_the_same():
    grid = make_grid("area", (50, 60), (18, 23))
    again = pickle.loads(pickle.dumps(grid))
    np.testing.assert_array_equal(again.positions, grid.positions)
    np.testing.assert_array_equal(again.weights, grid.weights)
    assert (again.kind, again.input_size, again.cells, again.even) == ("area", (50, 60), (18, 23), grid.even)


@each(
    "size, cells, message",
    [
        ((8, 8), (9, 8), "9 rows needs an input of at least as many pixels, not 8"),
        ((8, 8), (8, 9), "9 columns needs an input of at least as many pixels, not 8"),
        ((8, 8), (0, 8), "0 rows"),
        ((8, 8), (8, -1), "-1 columns"),
    ],
)
def test_a_grid_needs_a_cell_and_a_pixel_for_each(size, cells, message):
    with pytest.raises(ConfigError, match=message):
        make_grid("bilinear", size, cells)


def test_an_unknown_grid_is_refused():
    with pytest.raises(ConfigError, match="one of bilinear, area, point, not 'nearest'"):
        make_grid("nearest", (8, 8), (4, 4))


@each(
    "size, stride, cells",
    [
        ((368, 368), 8, (46, 46)),
        ((368, 656), 8.0, (46, 82)),
        ((50, 100), 2.5, (20, 40)),
        ((100, 100), 100 / 37, (37, 37)),
        ((5, 7), 1, (5, 7)),
    ],
)
def test_a_stride_that_divides_the_input_counts_its_cells(size, stride, cells):
    assert count_cells(size, stride) == cells


@each(stride=[7, 3.1, 0, -8, 400, float("nan"), float("inf")])
def test_a_stride_that_does_not_divide_the_input_is_refused(stride):
    with pytest.raises(ConfigError, match="does not divide the input size 656x368"):
        count_cells((368, 656), stride)
