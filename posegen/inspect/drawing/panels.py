"""One panel of a picture for each label that has cells, drawn over the sample's own picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.inspect.drawing.canvas import INK, PAPER, SHIFT, Canvas, Picture, draw_disc, hues, mix, to_fixed
from posegen.inspect.drawing.composite import find_nearness, find_ways
from posegen.inspect.drawing.legend import hatch
from posegen.inspect.drawing.text import frame
from posegen.labels.base import ArraySpec, without_stride
from posegen.shards import ShardReader

_HALF = 0.5


def draw_label(
    canvas: Canvas, reader: ShardReader, sample: dict[str, Any], spec: ArraySpec, values: NDArray[Any]
) -> Picture:
    """Draw the panel of a label that has cells."""
    name = without_stride(spec.name)
    stride = spec.name[len(name) :].removeprefix("_s").replace("_", ".")
    title = f"{name}, stride {stride}" if stride else name
    if name == "heatmap":
        blended = draw_heat(canvas, values[: len(reader.skeleton.keypoints)], strength=0.9, brightness=0.55)
        drawn = sample["keypoints"][..., 2] >= (2 if reader.config.visibility == "visible" else 1)
        for point in canvas.enlarge_points(sample["keypoints"][drawn][:, :2]):
            draw_disc(blended, point, canvas.side / 240, INK)
            draw_disc(blended, point, canvas.side / 360, PAPER)
        return frame(blended, f"{title} · maximum over keypoints")
    if name == "paf":
        title = title.replace("paf", "part affinity fields", 1)
        return frame(_draw_fields(canvas, values), f"{title} · strongest limb", wheel=True)
    if name == "mask":
        return frame(_draw_mask(canvas, values[0]), f"{title} · the loss counts on {values[0].mean():.1%}")
    if name.endswith("_mask"):
        return _draw_channel_mask(canvas, values, spec, title)
    if name in {"cif", "caf"}:
        known = (~np.isnan(values[:, 0]).all(axis=0)).astype(np.float32)
        if name == "caf":
            drawn = Canvas(_draw_fields(canvas, find_ways(values)), canvas.factor)
            return frame(_draw_mask(drawn, known), f"{title} · strongest limb, hatched if unknown", wheel=True)
        drawn = Canvas(draw_heat(canvas, find_nearness(values), strength=0.9, brightness=0.55), canvas.factor)
        return frame(_draw_mask(drawn, known), f"{title} · how near keypoints are, hatched if unknown")
    largest = max(-spec.low, spec.high)
    # What nobody knows is drawn as nothing.
    magnitudes = np.abs(values.astype(np.float32)).reshape(-1, *spec.cells)
    heat = np.asarray(np.nan_to_num(magnitudes / np.float32(largest)), np.float32)
    blended = draw_heat(canvas, heat, strength=0.9, brightness=0.55)
    return frame(blended, f"{title} · maximum over channels, of {largest:g}")


def draw_heat(canvas: Canvas, heat: NDArray[np.float32], *, strength: float, brightness: float) -> Picture:
    """Blend the largest of (K, h, w) values over the picture, interpolated between the middles of the cells."""
    large = cv2.resize(heat.max(axis=0), canvas.picture.shape[1::-1], interpolation=cv2.INTER_LINEAR).clip(0, 1)
    colours = cv2.applyColorMap(np.rint(255 * large).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return mix(brightness * canvas.picture, colours, strength * np.minimum(1, 1.5 * large))


def _draw_fields(canvas: Canvas, paf: NDArray[np.float32]) -> Picture:
    """Blend the strongest of E vectors (2E, h, w) over the darkened picture, with an arrow where it is not weak."""
    vectors = paf.reshape(-1, 2, *paf.shape[1:])
    strongest = np.square(vectors).sum(axis=1).argmax(axis=0)
    x, y = np.take_along_axis(vectors, strongest[None, None], axis=0)[0]
    length = np.minimum(np.hypot(x, y), 1)
    colours, weights = canvas.enlarge_cells(hues(np.arctan2(y, x))), 0.85 * canvas.enlarge_cells(length)
    picture = mix(0.4 * canvas.picture, colours, weights)
    cell = np.array(picture.shape[1::-1]) / paf.shape[:0:-1]
    if cell.min() >= 10:  # An arrow of fewer pixels is a blot.
        at = np.nonzero(length > 0.3)
        middles = (np.column_stack(at[::-1]) + 0.5) * cell - 0.5
        reach = 0.36 * cell.min() * np.column_stack([x[at], y[at]])
        for start, end in to_fixed(np.stack([middles - reach, middles + reach], axis=1)).tolist():
            cv2.arrowedLine(picture, start, end, INK, 1, cv2.LINE_AA, SHIFT, 0.35)
    return picture


def _draw_channel_mask(canvas: Canvas, masks: NDArray[np.float32], spec: ArraySpec, title: str) -> Picture:
    """Hatch the picture where any of C masks (C, h, w) does not count, and name the channels that are hidden most."""
    shares = np.mean(masks < _HALF, axis=(1, 2))
    # What most channels hide is padding, or nobody's label; x and y of a limb are hidden alike.
    most = [k for k in np.argsort(-shares, kind="stable").tolist() if shares[k] > np.median(shares)]
    by_name = {spec.channels[k].partition(":")[0]: f"{shares[k]:.0%}" for k in reversed(most)}
    named = ", ".join(f"{name} {share}" for name, share in [*reversed(by_name.items())][:3]) or "all channels alike"
    return frame(_draw_mask(canvas, masks.min(axis=0)), f"{title} · {named}")


def _draw_mask(canvas: Canvas, mask: NDArray[np.float32]) -> Picture:
    """Hatch the picture in red, the more the less the mask (h, w) counts."""
    ignored = canvas.enlarge_cells(1 - mask)
    return hatch(canvas.picture, ignored, canvas.side // 50, canvas.side // 150)
