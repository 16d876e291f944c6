"""`posegen.render_heatmap` as TensorFlow graph operations, for a number of people that varies from image to image."""

from __future__ import annotations

import tensorflow as tf

from posegen.geometry import Size
from posegen.labels.grid import GridKind
from posegen.labels.online.windows import CUT, FARTHEST, Axis, check_shapes, lay_axes


def render_heatmap_tf(
    keypoints: tf.Tensor,
    drawn: tf.Tensor,
    *,
    input_size: Size = (368, 368),
    stride: float = 8,
    sigma: float = 8.0,
    grid: GridKind = "bilinear",
    background: bool = True,
) -> tf.Tensor:
    """Draw the keypoint heatmaps of one image, equal to `posegen.render_heatmap` to 1e-5.

    Gaussians are drawn for all keypoints at once, each on the cells it reaches, and merged by
    `tf.math.unsorted_segment_max`. The number of people is a dimension of the data: there is no loop over it, and a
    function traced for the shape (None, K, 2) serves any. To be used eagerly, in a `tf.function` or in
    `tf.data.Dataset.map`.

    Parameters
    ----------
    keypoints
        (N, K, 2) x, y in input pixels, pixel centres at integers; N may be unknown, and 0. Where `drawn` is false they
        are not read.
    drawn
        (N, K) bool.
    input_size, stride, sigma, grid, background
        As in `posegen.render_heatmap`; Python values.

    Returns
    -------
    (K, h, w) or, with background, (K + 1, h, w) float32.

    Raises
    ------
    ConfigError
        If the shapes do not fit together, or the stride leaves no whole grid.
    tf.errors.InvalidArgumentError
        When it runs, if a drawn point is not finite.
    """
    rows, columns = lay_axes(input_size, stride, sigma, grid)
    points, shown = tf.cast(keypoints, tf.float64), tf.cast(drawn, tf.bool)
    check_shapes(tuple(points.shape), tuple(shown.shape), "N, K")
    count = shown.shape[1] or tf.shape(shown)[1]
    centres = tf.reshape(tf.where(shown[..., None], points, 0.0), [-1, 2])
    # A comparison with NaN is false, so this refuses NaN, too.
    far = f"a drawn point is not finite, or {FARTHEST:g} pixels away"
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(tf.abs(centres) < FARTHEST), [far])]):
        centres = tf.identity(centres)
    row, down = _spread(centres[:, 1], rows, sigma)
    column, across = _spread(centres[:, 0], columns, sigma)
    down *= tf.cast(tf.reshape(shown, [-1, 1, 1]), down.dtype)
    values = down[:, :, None, :, None] * across[:, None, :, None, :]
    values = tf.cast(tf.where(values > CUT, values, 0.0), tf.float32)
    # The maps have their taps last: (K, h, w, t, t).
    plane = tf.reshape(tf.broadcast_to(tf.range(count), tf.shape(shown)), [-1, 1, 1])
    cell = (plane * rows.cells + row[:, :, None]) * columns.cells + column[:, None, :]
    taps = [rows.positions.shape[1], columns.positions.shape[1]]
    flat = tf.reshape(values, [-1, taps[0] * taps[1]])
    maps = tf.math.unsorted_segment_max(flat, tf.reshape(cell, [-1]), count * rows.cells * columns.cells)
    # Where nobody draws, the maximum of nothing is the lowest number.
    maps = tf.reshape(tf.maximum(maps, 0.0), [count, rows.cells, columns.cells, *taps])
    reduced = _reduce(maps, rows, columns)
    if not background:
        return reduced
    return tf.concat([reduced, 1 - _reduce(tf.reduce_max(maps, axis=0, keepdims=True), rows, columns)], axis=0)


def _spread(centres: tf.Tensor, axis: Axis, sigma: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the cells (M, n) that M Gaussians can reach along an axis, and their factors (M, n, t) at the taps."""
    first = tf.clip_by_value(tf.math.ceil((centres - axis.before) / axis.stride), 0, axis.cells - axis.window)
    cells = tf.cast(first, tf.int32)[:, None] + tf.range(axis.window)
    at = tf.gather(tf.constant(axis.positions), cells)
    c = centres[:, None, None]
    # On the far side int() cuts into the Gaussian.
    end = tf.minimum(c + axis.reach, tf.constant(axis.pixels, tf.float64))
    end = tf.sign(end) * tf.floor(tf.abs(end))
    return cells, tf.where(at < end, tf.exp(-((at - c) ** 2) / (2 * sigma**2)), 0.0)


def _reduce(maps: tf.Tensor, rows: Axis, columns: Axis) -> tf.Tensor:
    """Reduce (C, h, w, t, t) values at taps to (C, h, w)."""
    if maps.shape[-1] == maps.shape[-2] == 1:
        return maps[..., 0, 0]
    return tf.einsum("chwij,hi,wj->chw", maps, rows.weights, columns.weights)
