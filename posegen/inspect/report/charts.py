"""Charts as inline SVG: few marks, whose colours are those of the page, in light and in dark.

Each is made for a width of 360, which is about that of a phone, and grows with its place. What a mark stands for is
said in its `<title>`, which browsers show where the pointer rests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posegen.inspect.bodies import MeanPose
from posegen.inspect.report.markup import element, text, tint
from posegen.skeleton import Skeleton

_WIDTH = 360
_ROW = 15
_NAME = 112
"""Room for the names of rows."""
_PLOT = 150
_LONG_NAME = 152
"""Room for the names of limbs."""
_LETTER = 5.6
"""The width of a letter, about."""


def histogram(
    series: Sequence[tuple[str, NDArray[np.floating]]], edges: NDArray[np.floating], ticks: Sequence[float], unit: str
) -> str:
    """Draw one or two distributions as steps over the same bins, each as shares of its own total.

    Parameters
    ----------
    series
        Names and values; what is not finite is left out, what lies beyond the bins is in the outermost.
    edges
        (B + 1,) of the bins, drawn equally wide.
    ticks
        The places, among `edges`, that are written.
    unit
        What the values are.
    """
    shares = []
    for _, values in series:
        kept = np.clip(values[np.isfinite(values)], edges[0], edges[-1])
        shares.append(np.histogram(kept, edges)[0] / max(len(kept), 1))
    top = max(max((float(share.max()) for share in shares), default=0), 1e-9)
    bins, left, right, base = len(edges) - 1, 8, 352, _PLOT - 22
    step = (right - left) / bins
    parts = [_line(left, base, right, base, "axis")]
    for which, ((name, _), share) in enumerate(zip(series, shares, strict=True)):
        wide = (step - min(2, step / 4)) / len(series)
        for i, part in enumerate(share.tolist()):
            if part:
                high = max(part / top * (base - 14), 0.7)
                said = f"{name}: {edges[i]:.3g} to {edges[i + 1]:.3g} {unit}: {part:.1%}"
                x = left + i * step + which * wide
                parts.append(_bar(x, base - high, wide, high, f"mark-{'ab'[which]}", said=said))
    for tick in ticks:
        x = left + float(np.interp(tick, edges, np.arange(bins + 1))) * step
        parts += [_line(x, base, x, base + 4, "axis"), _text(x, base + 16, f"{tick:g}", "middle")]
    parts.append(_text(left, 9, f"{top:.0%}", "start"))
    return _svg(_PLOT, f"distribution, {unit}", *parts)


def stacked_rows(names: Sequence[str], parts: NDArray[np.floating], kinds: Sequence[tuple[str, str]]) -> str:
    """Draw a bar for each row, in parts.

    Parameters
    ----------
    names
        Of the R rows.
    parts
        (R, P); each row is drawn as shares of its sum.
    kinds
        For the P parts what they are, and the class that they are drawn as.
    """
    lines, width = [], _WIDTH - _NAME - 42
    totals = np.maximum(parts.sum(axis=1), 1)
    for row, name in enumerate(names):
        y, x = row * _ROW + 2, float(_NAME)
        lines.append(_name(name, y))
        for (what, mark), part in zip(kinds, (parts[row] / totals[row]).tolist(), strict=True):
            if part > 0:
                lines.append(_bar(x, y, part * width, _ROW - 4, mark, said=f"{name}: {what} {part:.1%}"))
                x += part * width
        first = float(parts[row, 0] / totals[row])
        lines.append(_text(_WIDTH, y + _ROW - 6, f"{first:.0%}", "end"))
    return _svg(len(names) * _ROW + 4, f"{kinds[0][0]} of each", *lines)


def rows(names: Sequence[str], values: Sequence[float], said: Sequence[str]) -> str:
    """Draw a bar for each row from 0 on, and beside it what is said of it."""
    room = 8 * max(map(len, said), default=0) * 0.72 + 6
    top, lines = max([*values, 1e-9]), []
    for row, (name, value, words) in enumerate(zip(names, values, said, strict=True)):
        y = row * _ROW + 2
        high = max(value / top * (_WIDTH - _NAME - room), 0.7)
        lines += [_name(name, y), _bar(_NAME, y, high, _ROW - 4, "mark-a", said=f"{name}: {words}")]
        lines.append(_text(_NAME + high + 5, y + _ROW - 6, words, "start"))
    return _svg(len(names) * _ROW + 4, "by row", *lines)


def boxes(names: Sequence[str], ratios: NDArray[np.floating], low: float, high: float, beyond: float) -> str:
    """Draw for each column of (M, R) ratios its middle half, its middle nine tenths, and a tick for each one `beyond`.

    The axis is logarithmic, from `low` to `high`, with a line at 1.
    """
    width = _WIDTH - _LONG_NAME - 8

    def place(value: float) -> float:
        return _LONG_NAME + width * (math.log(min(max(value, low), high) / low) / math.log(high / low))

    height = len(names) * _ROW + 22
    lines = [_line(place(1), 0, place(1), height - 18, "axis")]
    for row, name in enumerate(names):
        y = row * _ROW + 2
        lines.append(_name(name, y, _LONG_NAME))
        kept = ratios[:, row][np.isfinite(ratios[:, row])]
        if not len(kept):
            continue
        least, first, middle, third, most = np.quantile(kept, (0.05, 0.25, 0.5, 0.75, 0.95)).tolist()
        said = f"{name}: middle {middle:.2f}, middle half {first:.2f} to {third:.2f}, of {len(kept)}"
        centre = y + (_ROW - 4) / 2
        lines.append(_line(place(least), centre, place(most), centre, "whisker"))
        lines.append(_bar(place(first), y + 1, max(place(third) - place(first), 1), _ROW - 6, "mark-a", said=said))
        lines.append(_line(place(middle), y, place(middle), y + _ROW - 4, "middle"))
        far = sorted(set(np.round([place(value) for value in kept[kept > beyond].tolist()]).tolist()))
        lines += [_line(x, y + 2, x, y + _ROW - 6, "outlier") for x in far]
    for tick in (0.25, 0.5, 1, 2, 4):
        lines.append(_text(place(tick), height - 5, f"{tick:g}", "middle"))
    return _svg(height, "lengths of limbs", *lines)


def matrix(names: Sequence[str], values: NDArray[np.floating], said: str) -> str:
    """Draw (K, K) shares from 0 to 1 as tinted cells, with the names of the rows where there is room for them."""
    count = len(names)
    row = (_WIDTH - _NAME - 8) / max(count, 1)
    side, parts = row * count, []
    picture = tint(np.clip(values, 0, 1))
    image = f'<image href="{picture}" x="{_NAME}" y="2" width="{side:g}" height="{side:g}" preserveAspectRatio="none"/>'
    if row >= 7:
        parts = [_text(_NAME - 5, 2 + (k + 0.5) * row + 3, _short(name), "end") for k, name in enumerate(names)]
    frame = f'<rect x="{_NAME}" y="2" width="{side:g}" height="{side:g}" class="frame"/>'
    return _svg(side + 6, said, image, frame, *parts)


def field(shares: NDArray[np.floating], aspect: float, said: str) -> str:
    """Draw a map (rows, columns) of shares as tinted cells in a frame whose width is `aspect` times its height."""
    width, height = (300, 300 / aspect) if aspect >= 1 else (300 * aspect, 300)
    x = (_WIDTH - width) / 2
    image = (
        f'<image href="{tint(shares)}" x="{x:g}" y="2" width="{width:g}" height="{height:g}" '
        'preserveAspectRatio="none"/>'
    )
    frame = f'<rect x="{x:g}" y="2" width="{width:g}" height="{height:g}" class="frame"/>'
    return _svg(height + 6, said, image, frame)


def pose(mean: MeanPose, skeleton: Skeleton) -> str:
    """Draw a mean pose: its limbs, and for each keypoint an ellipse of one standard deviation."""
    known = np.asarray(np.isfinite(mean.points).all(axis=1))
    points, reach = mean.points[known], np.sqrt(np.diagonal(mean.spread[known], axis1=1, axis2=2))
    low, high = (points - reach).min(axis=0) - 0.1, (points + reach).max(axis=0) + 0.1
    height = 320.0
    scale = min(height / max(high[1] - low[1], 1e-6), (_WIDTH - 20) / max(high[0] - low[0], 1e-6))
    shift = np.array([_WIDTH / 2, height / 2]) - scale * (low + high) / 2
    at, parts = scale * np.nan_to_num(mean.points) + shift, []
    for a, b in skeleton.limbs:
        if known[a] and known[b]:
            (x1, y1), (x2, y2) = at[[a, b]].tolist()
            parts.append(_line(x1, y1, x2, y2, "limb"))
    left = {a for pair in skeleton.flip_pairs for a in pair if "left" in skeleton.keypoints[a].lower()}
    for k in np.flatnonzero(known).tolist():
        lengths, axes = np.linalg.eigh(mean.spread[k])
        long, short = scale * np.sqrt(np.maximum(lengths[::-1], 0))
        turn = math.degrees(math.atan2(axes[1, 1], axes[0, 1]))
        x, y = at[k].tolist()
        mark = "mark-b" if k in left else "mark-a"
        parts.append(
            f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{long:.1f}" ry="{short:.1f}" '
            f'transform="rotate({turn:.1f} {x:.1f} {y:.1f})" class="spread {mark}"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="{mark}">'
            f"<title>{text(skeleton.keypoints[k])}</title></circle>"
        )
    return _svg(height, "mean pose", *parts)


def legend(kinds: Sequence[tuple[str, str]]) -> str:
    """Say what marks stand for."""
    return element(
        "p", *(element("span", element("i", class_=mark), text(what)) for what, mark in kinds), class_="legend"
    )


def _svg(height: float, said: str, *parts: str) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{text(said)}">{"".join(parts)}</svg>'


def _bar(x: float, y: float, width: float, height: float, mark: str, *, said: str) -> str:
    title = f"<title>{text(said)}</title>"
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{mark}">{title}</rect>'


def _line(x1: float, y1: float, x2: float, y2: float, mark: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{mark}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text(words)}</text>'


def _name(name: str, y: float, room: float = _NAME) -> str:
    return _text(room - 6, y + _ROW - 6, _short(name, room), "end")


def _short(name: str, room: float = _NAME) -> str:
    most = int(room / _LETTER)
    return name if len(name) <= most else f"{name[: most - 1]}…"
