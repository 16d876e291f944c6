"""Pictures of what a shard holds, for people to look at: a sample's labels over its picture, contact sheets.

A picture is enlarged by a whole factor f, so that input pixel x becomes f pixels whose middle is at f (x + 0.5) - 0.5.
Points go through that map with sub-pixel accuracy. A cell of a mask or a part affinity field becomes one block of one
colour, just where the picture's pixels are that it stands for; heatmaps are interpolated between the cells' middles.
Colours are in OpenCV's order B, G, R.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.inspect.drawing.canvas import (
    INK,
    PAPER,
    SHIFT,
    Canvas,
    Picture,
    hues,
    join_tiles,
    to_fixed,
)
from posegen.inspect.drawing.legend import add_legend, draw_cross, draw_keypoint, list_signs
from posegen.inspect.drawing.panels import draw_heat, draw_label
from posegen.inspect.drawing.text import frame
from posegen.labels.base import without_stride
from posegen.shards import ShardReader
from posegen.skeleton import Skeleton

PANEL_SIDE, TILE_SIDE = 640, 320
"""The longer side of a panel, and of a contact sheet's tile, has at least so many pixels."""

_DRAWN = ("heatmap", "paf", "mask")
"""The labels that are drawn each in its own way."""


def draw_sample(reader: ShardReader, index: int, *, number: int | None = None, legend: bool = False) -> Picture:
    """Draw a sample's labels over its picture, each in a panel of its own.

    From left to right: the picture with boxes and skeletons, visible keypoints (v = 2) filled, occluded ones (v = 1)
    hollow, those of weight 0 crossed, at the edge if they are beyond it; the maximum of the keypoints' heatmaps, with a
    dot at every drawn keypoint; the strongest of the limbs' part affinity fields, its direction as hue and arrow; the
    mask, hatched in red where the loss does not count; of masks with several channels the least of them, and which
    channels are hidden most; of any other label the largest magnitude over its channels. A label that the shard does
    not have has no panel. Of several strides each has a row.

    Parameters
    ----------
    reader, index
        The shard, and which of its samples, from 0.
    number
        Which sample of its dataset it is, for the caption.
    legend
        Whether to say under the panels what the signs mean, of which file and view it is, and which weights are 0.

    Returns
    -------
    (rows, columns, 3) uint8 B, G, R.

    Raises
    ------
    ConfigError
        If the shard has no such sample.
    ShardError, ImageError
        If its labels, or its picture, are damaged.
    """
    canvas, sample = open_canvas(reader, index, PANEL_SIDE)
    weights = _read_weights(reader, index)
    people, keypoints = draw_people(canvas, reader.skeleton, sample), sample["keypoints"]
    crossed = keypoints[(keypoints[..., 2] > 0) & (weights == 0)] if weights is not None else keypoints[:0, 0]
    reach, size = canvas.side / 70, np.array(people.shape[1::-1])
    # Most have the weight 0 because they are out of sight: a cross at the edge tells on which side.
    for point in np.clip(canvas.enlarge_points(crossed[:, :2]), reach, size - 1 - reach):
        draw_cross(people, point, reach)
    caption = _caption(reader, sample, number)
    if not legend:
        caption += f" · {sample['file_name']}"
    picture = _join_rows(frame(people, caption), _draw_labels(canvas, reader, sample, index))
    if not legend:
        return picture
    names = {without_stride(label.spec.name) for label in reader.labels if label.spec.cells}
    masks = any(name == "mask" or name.endswith("_mask") for name in names)
    signs = list_signs(crosses=len(crossed) > 0, masks=masks, fields=not names.isdisjoint({"paf", "caf"}))
    remarks = [f"file: {sample['file_name']}", *_tell_view(sample), *_tell_weights(reader, sample, weights)]
    return add_legend(picture, signs, remarks)


def draw_sheet(reader: ShardReader, indices: Sequence[int], columns: int = 4) -> Picture:
    """Draw a contact sheet: each sample's picture, skeletons and, faintly, heatmap, with its index, ids and file name.

    Parameters
    ----------
    reader, indices
        The shard, and which of its samples, from 0, in the order of the tiles.
    columns
        Tiles a row.

    Returns
    -------
    (rows, columns, 3) uint8 B, G, R.

    Raises
    ------
    ConfigError
        If there are no indices or no columns, or the shard has no such sample.
    ShardError, ImageError
        If a heatmap, or a picture, is damaged.
    """
    if not indices or columns < 1:
        raise ConfigError(f"a contact sheet needs at least one sample and one column, not {len(indices)} and {columns}")
    return arrange_sheet([draw_tile(reader, index, number=index) for index in indices], columns)


def arrange_sheet(tiles: Sequence[Picture], columns: int = 4) -> Picture:
    """Put tiles (rows, columns, 3) side by side, at most so many a row."""
    return join_tiles(tiles, min(columns, len(tiles)))


def draw_tile(reader: ShardReader, index: int, *, number: int) -> Picture:
    """Draw what a contact sheet shows of a sample; `number` is its index to whoever looks at it.

    Raises what `draw_sheet` raises.
    """
    heatmap = next((label for label in reader.labels if without_stride(label.spec.name) == "heatmap"), None)
    canvas, sample = open_canvas(reader, index, TILE_SIDE)
    if heatmap is not None:
        heat = reader.label(heatmap, index)[: len(reader.skeleton.keypoints)]
        canvas = Canvas(draw_heat(canvas, heat, strength=0.5, brightness=1.0), canvas.factor)
    people = draw_people(canvas, reader.skeleton, sample)
    return frame(frame(people, sample["file_name"]), _caption(reader, sample, number))


def open_canvas(reader: ShardReader, index: int, side: int) -> tuple[Canvas, dict[str, Any]]:
    """Read a sample's picture, enlarged to `side` pixels or more, and what is known of it besides."""
    if not 0 <= index < len(reader):
        held = f"samples 0 to {len(reader) - 1}" if len(reader) else "no samples"
        raise ConfigError(f"{reader.path}: has {held}, no sample {index}")
    height, width = reader.config.input_size
    picture = np.ascontiguousarray(reader.picture(index).show((height, width))[..., ::-1])
    factor = math.ceil(side / max(height, width))
    large = cv2.resize(picture, (factor * width, factor * height), interpolation=cv2.INTER_CUBIC)
    return Canvas(np.asarray(large, np.uint8), factor), reader.sample(index)


def _caption(reader: ShardReader, sample: dict[str, Any], number: int | None) -> str:
    parts = [] if number is None else [f"sample {number}"]
    parts.append(f"image {sample['image_id']}{' of ' + sample['source'] if 'source' in sample else ''}")
    if reader.config.copies > 1:
        parts.append(f"copy {sample['copy']}")
    if reader.config.unit == "person":
        return " · ".join([*parts, f"person {', '.join(map(str, sample['annotation_id']))}"])
    people = len(sample["keypoints"])
    return " · ".join([*parts, f"{people} {'person' if people == 1 else 'people'}"])


def _read_weights(reader: ShardReader, index: int) -> NDArray[np.float32] | None:
    """Read the weights (K,) of a sample's keypoints, if there are any."""
    for label in reader.labels:
        if label.spec.name == "weight" and label.spec.shape == (len(reader.skeleton.keypoints),):
            return np.asarray(reader.label(label, index), np.float32)
    return None


def _tell_view(sample: dict[str, Any]) -> list[str]:
    """Say how a view differs from the plain picture."""
    if "view" not in sample:
        return []
    scale, degrees, right, down, mirrored = sample["view"].tolist()
    said = f"view: scaled by {scale:.3g}, turned by {degrees:.3g} degrees, shifted by {right:.3g}, {down:.3g} pixels"
    return [said + (", mirrored" if mirrored else ", not mirrored")]


def _tell_weights(reader: ShardReader, sample: dict[str, Any], weights: NDArray[np.float32] | None) -> list[str]:
    """Name the keypoints of weight 0, those first that are labelled all the same."""
    if weights is None:
        return []
    labelled = (sample["keypoints"][..., 2] > 0).any(axis=0)
    said = []
    for chosen, why in ((labelled, "labelled"), (~labelled, "not labelled")):
        names = [reader.skeleton.keypoints[k] for k in np.flatnonzero(chosen & (weights == 0))]
        if names:
            said.append(f"weight 0, {why}: {', '.join(names)}")
    return said or ["weight 0: no keypoint"]


def _draw_labels(canvas: Canvas, reader: ShardReader, sample: dict[str, Any], index: int) -> list[list[Picture]]:
    """Draw the panels of all labels that have cells, in a row for each stride."""
    rows: dict[str, list[tuple[int, Picture]]] = {}
    for label in reader.labels:
        spec, name = label.spec, without_stride(label.spec.name)
        values = reader.label(label, index)
        if spec.cells and values.size:
            # Within a row the labels that everybody knows come first.
            place = _DRAWN.index(name) if name in _DRAWN else len(_DRAWN)
            panel = draw_label(canvas, reader, sample, spec, values)
            rows.setdefault(spec.name[len(name) :], []).append((place, panel))
    return [[panel for _, panel in sorted(row, key=lambda placed: placed[0])] for row in rows.values()]


def _join_rows(first: Picture, rows: list[list[Picture]]) -> Picture:
    """Lay rows of panels under each other, to the right of a first one."""
    columns = 1 + max(map(len, rows), default=0)
    blank, tiles = np.full_like(first, INK), [first]
    for row in rows:
        # Below the first panel nothing is to be shown again.
        tiles += [*([blank] if len(tiles) > 1 else []), *row, *[blank] * (columns - 1 - len(row))]
    return join_tiles(tiles, columns)


def draw_people(canvas: Canvas, skeleton: Skeleton, sample: dict[str, Any]) -> Picture:
    """Draw a sample's people, the small ones last, and under them their boxes."""
    picture = _draw_boxes(canvas, sample["bbox"])
    colours = hues(np.linspace(0, math.tau, len(skeleton.limbs), endpoint=False)).tolist()
    people = [(canvas.enlarge_points(person[:, :2]), person[:, 2]) for person in sample["keypoints"]]
    sized = [(np.ptp(points[v > 0], axis=0).max() if v.any() else 0.0, points, v) for points, v in people]
    for size, points, v in sorted(sized, key=lambda person: -person[0]):
        weight = canvas.side / 150 * min(1, 0.15 + 2.5 * size / canvas.side)
        thickness, radius, rim = max(1, round(weight)), 1.1 * weight + 0.6, min(1.0, 0.4 * weight + 0.2)
        for width, palette in ((thickness + 2, [INK] * len(colours)), (thickness, colours)):
            for limb, colour in zip(skeleton.limbs, palette, strict=True):
                if v[list(limb)].all():
                    start, end = to_fixed(points[list(limb)]).tolist()
                    cv2.line(picture, start, end, colour, width, cv2.LINE_AA, SHIFT)
        for k in np.flatnonzero(v):
            draw_keypoint(picture, points[k], radius, rim, visible=v[k] >= 2)
    return picture


def _draw_boxes(canvas: Canvas, boxes: NDArray[np.float32]) -> Picture:
    """Draw boxes (n, 4) thin and half transparent."""
    picture = canvas.picture.copy()
    for x, y, width, height in boxes[np.isfinite(boxes).all(axis=1)].tolist():
        # A box counts from the picture's edge, half a pixel before the middle of the first pixel.
        corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]]) - 0.5
        ring = to_fixed(canvas.enlarge_points(corners))
        cv2.polylines(picture, [ring], True, PAPER, max(1, canvas.side // 640), cv2.LINE_AA, SHIFT)
    return np.asarray(cv2.addWeighted(picture, 0.6, canvas.picture, 0.4, 0), np.uint8)
