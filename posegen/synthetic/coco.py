"""Writing drawn people as a COCO dataset: pictures first, `person_keypoints_<split>.json` last and whole."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as mask_utils

from posegen.errors import ConfigError
from posegen.skeleton import COCO_17
from posegen.synthetic.scene import Figure, Plan, draw_scene


def write_sample_coco(directory: Path | str, *, images: int = 64, seed: int = 0, split: str = "train2017") -> Path:
    """Write a COCO keypoint dataset of drawn people.

    What readers of COCO meet in the wild is in it, from 8 images on: a crowd region with uncompressed RLE, a
    PNG, a grayscale JPEG, an image without people, a person with compressed RLE, people without keypoints, an
    image of eight people; and in every sixteen images one with nothing but people without keypoints.
    An image depends on `seed` and on its position only, not on `images`.

    Parameters
    ----------
    directory
        Where `annotations/` and the folder of pictures go; made if it is not there.
    images
        How many pictures, at least 1.
    seed
        Not negative; another seed draws other people.
    split
        Name of the folder of pictures and end of the name of the annotation file.

    Returns
    -------
    `directory`. It holds `<split>/*.jpg` (and .png), 8 bits, and `annotations/person_keypoints_<split>.json`, in
    which keypoints are whole pixels with pixel centres at integers, segmentations and boxes are in pixels with
    pixel edges at integers, and identifiers increase with gaps.

    Raises
    ------
    ConfigError
        If `images`, `seed` or `split` cannot be, or the dataset or its folder of pictures is already there.
    """
    if images < 1:
        raise ConfigError(f"a sample dataset needs at least 1 image, not {images}: ask for images=1 or more")
    if seed < 0:
        raise ConfigError(f"the seed of a sample dataset must be 0 or more, not {seed}: choose another seed")
    if not split or Path(split).name != split:
        raise ConfigError(f"the split must be the name of a folder, as in 'train2017', not '{split}'")
    root = Path(directory)
    labels, pictures = root / "annotations" / f"person_keypoints_{split}.json", root / split
    for path in (root, labels.parent):
        if path.exists() and not path.is_dir():
            raise ConfigError(f"{path}: expected a directory for the sample dataset, found a file: choose another one")
    for path in (labels, pictures):
        if path.exists():
            raise ConfigError(
                f"{path}: expected nothing here, as the sample dataset would overwrite it, but it exists: "
                "choose another directory or remove it"
            )
    labels.parent.mkdir(parents=True, exist_ok=True)
    pictures.mkdir()
    dataset = _frame(split)
    for position in range(images):
        name, content, image, annotations = _render(seed, position)
        (pictures / name).write_bytes(content)
        dataset["images"].append(image)
        dataset["annotations"].extend(annotations)
    temporary = labels.with_name(f"{labels.name}.tmp")
    temporary.write_text(json.dumps(dataset), encoding="utf-8")
    os.replace(temporary, labels)  # noqa: PTH105 - the same on every platform, also over an existing file
    return root


@dataclass(frozen=True, kw_only=True, slots=True)
class _Special:
    """How a picture differs from an ordinary one."""

    plan: Plan
    png: bool = False
    grayscale: bool = False
    compressed: bool = False


_CYCLE = 16
_SPECIALS = {
    0: _Special(plan=Plan(people=2)),
    1: _Special(plan=Plan(people=2, crowd=13)),
    2: _Special(plan=Plan(), png=True),
    3: _Special(plan=Plan(), grayscale=True),
    4: _Special(plan=Plan(people=0)),
    5: _Special(plan=Plan(people=2), compressed=True),
    6: _Special(plan=Plan(people=2, tiny=6)),
    7: _Special(plan=Plan(people=8)),
    9: _Special(plan=Plan(people=2, cut=True)),
    12: _Special(plan=Plan(people=0, tiny=5)),
    14: _Special(plan=Plan(people=1, cut=True)),
}
"""The pictures that differ, by their position in every sixteen."""


def _render(seed: int, position: int) -> tuple[str, bytes, dict[str, Any], list[dict[str, Any]]]:
    """Draw the picture of a position: its file name, its bytes, its record and those of its people."""
    rng = np.random.default_rng([seed, position])
    special = _SPECIALS.get(position % _CYCLE, _Special(plan=Plan()))
    scene = draw_scene(rng, special.plan)
    # Gaps as in COCO: an image's identifier is not its position, an annotation's not its rank.
    image_id = 1 + 4 * position + position * position % 3
    name = f"{image_id:012d}{'.png' if special.png else '.jpg'}"
    image = {
        "license": 1,
        "file_name": name,
        "height": scene.picture.shape[0],
        "width": scene.picture.shape[1],
        "date_captured": "2025-01-01 12:00:00",
        "id": image_id,
    }
    annotations = []
    for rank, figure in enumerate(scene.figures):
        record = _annotation(figure, compressed=special.compressed and rank == len(scene.figures) - 1)
        if record is not None:
            annotations.append(record | {"image_id": image_id, "id": 100 * image_id + 3 * rank + rank % 2})
    picture = cv2.cvtColor(scene.picture, cv2.COLOR_BGR2GRAY) if special.grayscale else scene.picture
    options = [cv2.IMWRITE_PNG_COMPRESSION, 3] if special.png else [cv2.IMWRITE_JPEG_QUALITY, 92]
    encoded = cv2.imencode(Path(name).suffix, picture, options)[1]
    return name, encoded.tobytes(), image, annotations


def _annotation(figure: Figure, *, compressed: bool) -> dict[str, Any] | None:
    """Describe a figure as COCO does; None if what is seen of it is too thin for an outline."""
    segmentation: Any
    if figure.crowd or compressed:
        rle = mask_utils.encode(np.asfortranarray(figure.mask, dtype=np.uint8))
        area = float(mask_utils.area(rle))
        bbox = [float(v) for v in mask_utils.toBbox(rle)]
        counts: Any = rle["counts"].decode("ascii") if compressed else _run_lengths(figure.mask)
        segmentation = {"counts": counts, "size": list(figure.mask.shape)}
    else:
        outlines = list(_outlines(figure.mask))
        if not outlines:
            return None
        corners = np.concatenate(outlines)
        low, high = corners.min(axis=0), corners.max(axis=0)
        area = round(sum(_enclosed(outline) for outline in outlines), 4)
        bbox = [round(float(v), 2) for v in (*low, *(high - low))]
        segmentation = [[round(float(v), 2) for v in outline.reshape(-1)] for outline in outlines]
    return {
        "segmentation": segmentation,
        "num_keypoints": int(np.count_nonzero(figure.keypoints[:, 2])),
        "area": area,
        "iscrowd": int(figure.crowd),
        "keypoints": figure.keypoints.reshape(-1).tolist(),
        "bbox": bbox,
        "category_id": 1,
    }


def _outlines(mask: NDArray[np.bool_]) -> Iterator[NDArray[np.float64]]:
    """Trace the outer outlines of a (H, W) mask: (n, 2) corners x, y in pixels, pixel edges at integers."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x0, y0 = int(columns[0]), int(rows[0])
    window = mask[y0 : rows[-1] + 1, x0 : columns[-1] + 1].astype(np.uint8)
    fold = 4 if max(window.shape) < 120 else 2
    enlarged = window.repeat(fold, axis=0).repeat(fold, axis=1)
    height, width = enlarged.shape
    grid = np.zeros((height + 1, width + 1), np.uint8)
    # A contour runs through centres: mark the corners of the (enlarged) pixels instead of the pixels.
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        grid[down : height + down, right : width + right] |= enlarged
    contours, _ = cv2.findContours(grid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        corners = cv2.approxPolyDP(contour, 0.45 * fold, closed=True)
        outline = np.round(corners.reshape(-1, 2) / fold + (x0, y0), 2)
        if len(outline) >= 3 and _enclosed(outline) >= 3:
            yield outline


def _enclosed(outline: NDArray[np.float64]) -> float:
    """Return the area of a polygon by the shoelace formula."""
    x, y = outline.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def _run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Encode a mask as COCO's uncompressed RLE: lengths of runs down the columns, the first one of zeros."""
    flat = np.concatenate([[False], mask.reshape(-1, order="F")])
    starts = np.flatnonzero(np.diff(flat))
    return [int(n) for n in np.diff(np.concatenate([[0], starts, [mask.size]]))]


def _frame(split: str) -> dict[str, Any]:
    """Return the dataset without images."""
    return {
        "info": {
            "description": f"People drawn by posegen, {split}",
            "url": "",
            "version": "1.0",
            "year": 2025,
            "contributor": "posegen",
            "date_created": "2025/01/01",
        },
        "licenses": [
            {
                "url": "https://creativecommons.org/publicdomain/zero/1.0/",
                "id": 1,
                "name": "CC0 1.0 Universal",
            }
        ],
        "images": [],
        "annotations": [],
        "categories": [
            {
                "supercategory": "person",
                "id": 1,
                "name": "person",
                "keypoints": list(COCO_17.keypoints),
                "skeleton": [[a + 1, b + 1] for a, b in COCO_17.limbs],
            }
        ],
    }
