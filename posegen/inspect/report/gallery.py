"""Contact sheets of the strangest people and images: what is worth a look before anything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.inspect.drawing.canvas import Canvas, Picture
from posegen.inspect.drawing.sample import draw_people
from posegen.inspect.people import Progress
from posegen.inspect.report.markup import element, jpeg, text
from posegen.inspect.report.subject import Subject

_TILES = 6
_HEIGHT, _WIDTH = 240, 200
_AROUND = 1.3
_LEAST_SIDE = 48.0
_OUTSIDE = 0.1
_HALF = 0.5


@dataclass(slots=True, kw_only=True)
class Sheet:
    """A row of pictures, those of people or of whole samples, with the strangest first.

    Attributes
    ----------
    title, caption
        What is strange about them.
    chosen
        Which people, or which samples where `whole`, and what is said of each.
    whole
        Whether whole samples are shown.
    tiles
        Markup, by what was chosen.
    """

    title: str
    caption: str
    chosen: Sequence[tuple[int, str]]
    whole: bool = False
    tiles: dict[int, str] = field(default_factory=dict)


def choose_strange(subject: Subject) -> list[Sheet]:
    """Choose what is shown of a subject; what there is none of has no sheet."""
    people, found = subject.people, subject.measures
    ratios = found.limbs.ratios
    longest = np.nanmax(np.nan_to_num(ratios), axis=1, initial=0)
    names = people.skeleton.limb_names
    which = np.nan_to_num(ratios).argmax(axis=1) if ratios.size else np.zeros(len(people), np.intp)
    outside = _measure_outside(subject)
    distance = found.pose.measure_distance(people) if found.pose else np.zeros(len(people))
    sheets = [
        Sheet(
            title="Longest limbs for the body",
            caption="times as long as is usual of this limb for a body of this size",
            chosen=[(i, f"{names[which[i]]} x {longest[i]:.1f}") for i in _top(longest, above=1.5)],
        ),
        Sheet(
            title="Keypoints farthest outside the box",
            caption="in shares of the square root of the box's area",
            chosen=[(i, f"by {outside[i]:.0%}") for i in _top(outside, above=_OUTSIDE)],
        ),
        Sheet(
            title="Farthest from the mean pose",
            caption="in standard deviations of each keypoint, on average over those labelled",
            chosen=[(i, f"{distance[i]:.1f} sd") for i in _top(distance, above=0)],
        ),
        Sheet(
            title="Smallest people",
            caption="the square root of the box's area",
            chosen=[(i, f"{found.sizes[i]:.0f} px") for i in _top(-np.where(found.sizes > 0, found.sizes, np.inf))],
        ),
        Sheet(
            title="Most crowded",
            caption="the crowd index: others' keypoints in a person's box, over its own",
            chosen=[
                (i, f"{found.crowding[i]:.2f}, {found.counts[i]} people") for i in _top(found.crowding, above=0.05)
            ],
            whole=True,
        ),
    ]
    return [sheet for sheet in sheets if sheet.chosen]


def fill_sheets(subject: Subject, sheets: Sequence[Sheet], progress: Progress) -> None:
    """Draw the tiles of all sheets, opening each picture once."""
    owner = subject.people.owner
    wanted: dict[int, list[tuple[Sheet, int, str]]] = {}
    for sheet in sheets:
        for index, said in sheet.chosen:
            sample = index if sheet.whole else int(owner[index])
            wanted.setdefault(sample, []).append((sheet, index, said))
    for done, (sample, picture) in enumerate(subject.pictures(list(wanted)), start=1):
        for sheet, index, said in wanted[sample]:
            here = np.flatnonzero(owner == sample) if sheet.whole else np.array([index])
            tile = draw_tile(subject, picture, here, whole=sheet.whole)
            name = f"image {subject.people.image_ids[sample]}"
            name += "" if sheet.whole else f", annotation {subject.people.ids[index]}"
            label = element("span", element("b", text(said)), " ", text(name))
            sheet.tiles[index] = element("li", f'<img src="{jpeg(tile)}" alt="{text(f"{said}, {name}")}">', label)
        progress(done, len(wanted))


def draw_tile(
    subject: Subject,
    picture: Picture,
    people: NDArray[np.integer],
    *,
    whole: bool,
    size: tuple[int, int] = (_HEIGHT, _WIDTH),
) -> Picture:
    """Cut people out of their frame with some of what is around them, and draw their skeletons.

    Parameters
    ----------
    subject, picture
        Whose frame it is, and the frame, B, G, R.
    people
        Which people, by their indices.
    whole
        Whether to show all of the frame.
    size
        (height, width) in which the tile has to find room.
    """
    height, width = picture.shape[:2]
    if whole:
        x, y, w, h = 0.0, 0.0, float(width), float(height)
    else:
        x, y, w, h = _surround(subject, people)
    scale = min(size[0] / h, size[1] / w)
    tile_width, tile_height = round(w * scale), round(h * scale)
    # From the tile's pixels to the frame's, pixel centres at integers.
    matrix = np.array([[1 / scale, 0, x + 0.5 / scale - 0.5], [0, 1 / scale, y + 0.5 / scale - 0.5]])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    if scale < _HALF:  # warping alone would skip pixels
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.4 / scale), np.uint8)
        interpolation = cv2.INTER_LINEAR
    tile = cv2.warpAffine(
        picture, matrix, (tile_width, tile_height), flags=interpolation | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT, borderValue=(128, 128, 128),
    )  # fmt: skip
    keypoints = subject.people.keypoints[people].copy()
    keypoints[..., :2] = (keypoints[..., :2] + 0.5 - (x, y)) * scale - 0.5
    box = (subject.people.boxes[people] - (x, y, 0, 0)) * scale
    return draw_people(
        Canvas(np.asarray(tile, np.uint8), 1), subject.people.skeleton, {"keypoints": keypoints, "bbox": box}
    )


def _surround(subject: Subject, people: NDArray[np.integer]) -> tuple[float, float, float, float]:
    """Find what of the frame is shown of people: their boxes and keypoints, and a margin."""
    boxes, points = subject.people.boxes[people], subject.people.keypoints[people]
    corners = [boxes[:, :2], boxes[:, :2] + boxes[:, 2:], points[points[..., 2] > 0][:, :2]]
    corner = np.concatenate(corners)
    corner = corner[np.isfinite(corner).all(axis=1)]
    frame = subject.people.frames[subject.people.owner[people[0]]]
    # What lies far beyond the frame is not followed: everybody would be a dot.
    corner = np.clip(corner, -0.25 * frame, 1.25 * frame)
    low, high = (corner.min(axis=0), corner.max(axis=0)) if len(corner) else (np.zeros(2), frame.astype(np.float64))
    middle, side = (low + high) / 2, np.maximum((high - low) * _AROUND, _LEAST_SIDE)
    side = np.maximum(side, side[::-1] * np.array([0.5, 0.5]))
    x, y = (middle - side / 2).tolist()
    return x, y, float(side[0]), float(side[1])


def _measure_outside(subject: Subject) -> NDArray[np.float64]:
    """Measure how far each person's keypoints lie beyond its box, in shares of the root of its area."""
    people = subject.people
    x, y, w, h = np.moveaxis(people.boxes[:, None], -1, 0)
    px, py = people.keypoints[..., 0] + 0.5, people.keypoints[..., 1] + 0.5
    beyond = np.maximum.reduce([x - px, px - x - w, y - py, py - y - h, np.zeros_like(px)])
    beyond[~people.labelled] = 0
    return np.asarray(np.nan_to_num(beyond.max(axis=1, initial=0) / subject.measures.sizes))


def _top(values: NDArray[np.float64], above: float = -np.inf) -> list[int]:
    order = np.argsort(-values, kind="stable")[:_TILES]
    return [int(i) for i in order if np.isfinite(values[i]) and values[i] > above]
