"""Pictures of what a shard holds, for people to look at: a sample's labels over its picture, contact sheets.

A picture is enlarged by a whole factor f, so that input pixel x becomes f pixels whose middle is at f (x + 0.5) - 0.5.
Points go through that map with sub-pixel accuracy. A cell of a mask or a part affinity field becomes one block of one
colour, just where the picture's pixels are that it stands for; heatmaps are interpolated between the cells' middles.
Colours are in OpenCV's order B, G, R.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.files import write_atomically
from posegen.images import codec
from posegen.labels.base import ArraySpec, without_stride
from posegen.shards import ShardReader
from posegen.skeleton import Skeleton

Picture = NDArray[np.uint8]
"""(rows, columns, 3) B, G, R."""

PANEL_SIDE, TILE_SIDE = 640, 320
"""The longer side of a panel, and of a contact sheet's tile, has at least so many pixels."""

_DRAWN = ("heatmap", "paf", "mask")
"""The labels that are drawn each in its own way."""

_Colour = tuple[int, int, int]
_INK, _PAPER, _RED = (30, 26, 22), (255, 255, 255), (48, 32, 235)
_BOLDNESS, _SHIFT = 450, 6
"""The weight of the font, from 100 to 900; points are given to OpenCV in units of 2^-6 pixels."""


def draw_sample(reader: ShardReader, index: int) -> Picture:
    """Draw a sample's labels over its picture, each in a panel of its own.

    From left to right: the picture with boxes and skeletons, visible keypoints (v = 2) filled, occluded ones (v = 1)
    hollow; the maximum of the keypoints' heatmaps, with a dot at every drawn keypoint; the strongest of the limbs' part
    affinity fields, its direction as hue and arrow; the mask, hatched in red where the loss does not count; of any
    other label the largest magnitude over its channels. A label that the shard does not have has no panel.

    Parameters
    ----------
    reader, index
        The shard, and which of its samples, from 0.

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
    view, sample = _open(reader, index, PANEL_SIDE)
    labels: dict[str, NDArray[np.float32]] = {}
    specs: dict[str, ArraySpec] = {}
    for label in reader.labels:
        # Of several grids the first is shown.
        name = without_stride(label.spec.name)
        if name not in labels:
            labels[name], specs[name] = reader.label(label, index), label.spec
    people = _draw_people(view, reader.skeleton, sample)
    panels = [_frame(people, f"{_caption(reader, sample)} · {sample['file_name']}")]
    if "heatmap" in labels:
        heat = labels["heatmap"][: len(reader.skeleton.keypoints)]
        blended = _draw_heat(view, heat, strength=0.9, brightness=0.55)
        drawn = sample["keypoints"][..., 2] >= (2 if reader.config.visibility == "visible" else 1)
        for point in view.enlarge_points(sample["keypoints"][drawn][:, :2]):
            _draw_disc(blended, point, view.side / 240, _INK)
            _draw_disc(blended, point, view.side / 360, _PAPER)
        panels.append(_frame(blended, "heatmap · maximum over keypoints"))
    if "paf" in labels:
        fields = _draw_fields(view, labels["paf"])
        panels.append(_frame(fields, "part affinity fields · strongest limb", wheel=True))
    if "mask" in labels:
        mask = labels["mask"][0]
        panels.append(_frame(_draw_mask(view, mask), f"mask · the loss counts on {mask.mean():.1%}"))
    for name, spec in specs.items():
        if spec.cells and name not in _DRAWN:
            largest = max(-spec.low, spec.high)
            heat = np.abs(labels[name])
            heat /= largest
            blended = _draw_heat(view, heat, strength=0.9, brightness=0.55)
            panels.append(_frame(blended, f"{spec.name} · maximum over channels, of {largest:g}"))
    return _join(panels, len(panels))


def draw_sheet(reader: ShardReader, indices: Sequence[int], columns: int = 4) -> Picture:
    """Draw a contact sheet: each sample's picture, skeletons and, faintly, heatmap, with its image id.

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
    heatmap = next((label for label in reader.labels if without_stride(label.spec.name) == "heatmap"), None)
    tiles = []
    for index in indices:
        view, sample = _open(reader, index, TILE_SIDE)
        if heatmap is not None:
            heat = reader.label(heatmap, index)[: len(reader.skeleton.keypoints)]
            view = _View(_draw_heat(view, heat, strength=0.5, brightness=1.0), view.factor)
        people = _draw_people(view, reader.skeleton, sample)
        tiles.append(_frame(people, _caption(reader, sample)))
    return _join(tiles, min(columns, len(tiles)))


def write_png(path: Path, picture: Picture) -> None:
    """Write a picture as a PNG file, whole or not at all.

    Parameters
    ----------
    path
        Where to; a file that is there is replaced.
    picture
        (rows, columns, 3) uint8 B, G, R.

    Raises
    ------
    ConfigError
        If nothing can be written there.
    ImageError
        If OpenCV cannot encode the picture.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: cannot be written: there is no directory {path.parent}; create it first")
    try:
        write_atomically(path, codec.encode(picture, "png", 100))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A picture that is `factor` times as large as the input: (H f, W f, 3)."""

    picture: Picture
    factor: int

    @property
    def side(self) -> int:
        """The longer side in pixels, which the widths of lines follow."""
        return max(self.picture.shape[:2])

    def enlarge_points(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map input pixels (..., 2) to the view's pixels."""
        return self.factor * (np.asarray(points, np.float64) + 0.5) - 0.5

    def enlarge_cells(self, cells: NDArray[Any]) -> NDArray[Any]:
        """Make a block of each of the (h, w, ...) cells: (H f, W f, ...)."""
        sizes = zip(self.picture.shape[:2], cells.shape[:2], strict=True)
        index = (((np.arange(pixels) + 0.5) * (count / pixels)).astype(np.intp) for pixels, count in sizes)
        return cells[np.ix_(*index)]


def _open(reader: ShardReader, index: int, side: int) -> tuple[_View, dict[str, Any]]:
    """Read a sample's picture, enlarged to `side` pixels or more, and what is known of it besides."""
    if not 0 <= index < len(reader):
        held = f"samples 0 to {len(reader) - 1}" if len(reader) else "no samples"
        raise ConfigError(f"{reader.path}: has {held}, no sample {index}")
    height, width = reader.config.input_size
    stored, name = reader.picture(index), f"{reader.path}: the picture of sample {index}"
    picture = codec.decode(stored, (height, width), name) if isinstance(stored, bytes) else stored[..., ::-1]
    factor = math.ceil(side / max(height, width))
    large = cv2.resize(picture, (factor * width, factor * height), interpolation=cv2.INTER_CUBIC)
    return _View(np.asarray(large, np.uint8), factor), reader.sample(index)


def _caption(reader: ShardReader, sample: dict[str, Any]) -> str:
    copy = f" · copy {sample['copy']}" if reader.config.copies > 1 else ""
    if reader.config.unit == "person":
        return f"image {sample['image_id']}{copy} · person {', '.join(map(str, sample['annotation_id']))}"
    people = len(sample["keypoints"])
    return f"image {sample['image_id']}{copy} · {people} {'person' if people == 1 else 'people'}"


def _draw_people(view: _View, skeleton: Skeleton, sample: dict[str, Any]) -> Picture:
    """Draw a sample's people, the small ones last, and under them their boxes."""
    picture = _draw_boxes(view, sample["bbox"])
    colours = _hues(np.linspace(0, math.tau, len(skeleton.limbs), endpoint=False)).tolist()
    people = [(view.enlarge_points(person[:, :2]), person[:, 2]) for person in sample["keypoints"]]
    sized = [(np.ptp(points[v > 0], axis=0).max() if v.any() else 0.0, points, v) for points, v in people]
    for size, points, v in sorted(sized, key=lambda person: -person[0]):
        weight = view.side / 150 * min(1, 0.15 + 2.5 * size / view.side)
        thickness, radius, rim = max(1, round(weight)), 1.1 * weight + 0.6, min(1.0, 0.4 * weight + 0.2)
        for width, palette in ((thickness + 2, [_INK] * len(colours)), (thickness, colours)):
            for limb, colour in zip(skeleton.limbs, palette, strict=True):
                if v[list(limb)].all():
                    start, end = _to_fixed(points[list(limb)]).tolist()
                    cv2.line(picture, start, end, colour, width, cv2.LINE_AA, _SHIFT)
        for k in np.flatnonzero(v):
            _draw_disc(picture, points[k], radius + rim, _INK)
            _draw_disc(picture, points[k], radius, _PAPER)
            if v[k] < 2:
                _draw_disc(picture, points[k], 0.55 * radius, _INK)
    return picture


def _draw_boxes(view: _View, boxes: NDArray[np.float32]) -> Picture:
    """Draw boxes (n, 4) thin and half transparent."""
    picture = view.picture.copy()
    for x, y, width, height in boxes[np.isfinite(boxes).all(axis=1)].tolist():
        # A box counts from the picture's edge, half a pixel before the middle of the first pixel.
        corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]]) - 0.5
        ring = _to_fixed(view.enlarge_points(corners))
        cv2.polylines(picture, [ring], True, _PAPER, max(1, view.side // 640), cv2.LINE_AA, _SHIFT)
    return np.asarray(cv2.addWeighted(picture, 0.6, view.picture, 0.4, 0), np.uint8)


def _draw_disc(picture: Picture, middle: NDArray[np.float64], radius: float, colour: _Colour) -> None:
    at, reach = _to_fixed(middle).tolist(), round(radius * 2**_SHIFT)
    cv2.circle(picture, at, reach, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def _to_fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Turn points into OpenCV's fixed-point numbers; those very far outside come nearer, lest the numbers overflow."""
    return np.rint(np.clip(points, -1e6, 1e6) * 2**_SHIFT).astype(np.int32)


def _draw_heat(view: _View, heat: NDArray[np.float32], *, strength: float, brightness: float) -> Picture:
    """Blend the largest of (K, h, w) values over the picture, interpolated between the middles of the cells."""
    large = cv2.resize(heat.max(axis=0), view.picture.shape[1::-1], interpolation=cv2.INTER_LINEAR).clip(0, 1)
    colours = cv2.applyColorMap(np.rint(255 * large).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return _mix(brightness * view.picture, colours, strength * np.minimum(1, 1.5 * large))


def _draw_fields(view: _View, paf: NDArray[np.float32]) -> Picture:
    """Blend the strongest of E vectors (2E, h, w) over the darkened picture, with an arrow where it is not weak."""
    vectors = paf.reshape(-1, 2, *paf.shape[1:])
    strongest = np.square(vectors).sum(axis=1).argmax(axis=0)
    x, y = np.take_along_axis(vectors, strongest[None, None], axis=0)[0]
    length = np.minimum(np.hypot(x, y), 1)
    colours, weights = view.enlarge_cells(_hues(np.arctan2(y, x))), 0.85 * view.enlarge_cells(length)
    picture = _mix(0.4 * view.picture, colours, weights)
    cell = np.array(picture.shape[1::-1]) / paf.shape[:0:-1]
    if cell.min() >= 10:  # An arrow of fewer pixels is a blot.
        at = np.nonzero(length > 0.3)
        middles = (np.column_stack(at[::-1]) + 0.5) * cell - 0.5
        reach = 0.36 * cell.min() * np.column_stack([x[at], y[at]])
        for start, end in _to_fixed(np.stack([middles - reach, middles + reach], axis=1)).tolist():
            cv2.arrowedLine(picture, start, end, _INK, 1, cv2.LINE_AA, _SHIFT, 0.35)
    return picture


def _draw_mask(view: _View, mask: NDArray[np.float32]) -> Picture:
    """Hatch the picture in red, the more the less the mask (h, w) counts."""
    ignored = view.enlarge_cells(1 - mask)
    rows, columns = np.ogrid[: ignored.shape[0], : ignored.shape[1]]
    hatched = (rows + columns) % (view.side // 50) < view.side // 150
    return _mix(view.picture, np.array(_RED, np.uint8), ignored * np.where(hatched, 0.8, 0.4))


def _hues(radians: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colour angles (...): (..., 3), red at 0, green at a third of a turn (wikipedia.org/wiki/HSL_and_HSV)."""
    distance = (np.array([1, 3, 5]) + radians[..., None] * (6 / math.tau)) % 6
    return np.rint(255 * (1 - 0.8 * np.clip(np.minimum(distance, 4 - distance), 0, 1))).astype(np.uint8)


def _mix(below: NDArray[Any], above: NDArray[np.uint8], weight: NDArray[np.floating]) -> Picture:
    """Lay colours (rows, columns, 3) over others; (rows, columns) weights from 0, only below, to 1, only above."""
    weight = weight[..., None].astype(np.float32)
    return np.rint(below * (1 - weight) + above * weight).astype(np.uint8)


def _frame(picture: Picture, caption: str, *, wheel: bool = False) -> Picture:
    """Put a bar with a caption, and if asked for a wheel of the directions' hues, over a picture."""
    height = max(20, max(picture.shape[:2]) // 22)
    bar = np.full((height, picture.shape[1], 3), _INK, np.uint8)
    room, size, font = picture.shape[1] - height * (1 + wheel), round(0.55 * height), cv2.FontFace("sans")
    text = "".join(c if c.isprintable() else "?" for c in caption)
    while text and cv2.getTextSize((0, 0), text, (0, 0), font, size, _BOLDNESS)[2] > room:
        text = text[:-2] + "…" if len(text) > 2 else ""
    cv2.putText(bar, text, (height // 3, round(0.68 * height)), _PAPER, font, size, _BOLDNESS)
    if wheel and room > 0:
        y, x = np.mgrid[:height, :height] - (height - 1) / 2
        corner, radius = bar[:, -height:], np.hypot(x, y)
        corner[...] = _mix(corner, _hues(np.arctan2(y, x)), np.clip(0.38 * height + 0.5 - radius, 0, 1))
    return np.vstack([bar, picture])


def _join(tiles: Sequence[Picture], columns: int) -> Picture:
    """Lay tiles of one size out row by row, with gaps."""
    height, width = tiles[0].shape[:2]
    gap = max(2, width // 120)
    step_y, step_x = height + gap, width + gap
    sheet = np.full((-(-len(tiles) // columns) * step_y, columns * step_x, 3), _INK, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = i // columns * step_y, i % columns * step_x
        sheet[y : y + height, x : x + width] = tile
    return np.ascontiguousarray(sheet[:-gap, :-gap])
