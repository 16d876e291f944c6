"""Writing drawn people as a COCO dataset: pictures first, `person_keypoints_<split>.json` last and whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as mask_utils

from posegen.errors import ConfigError
from posegen.files import write_atomically
from posegen.skeleton import COCO_17
from posegen.synthetic.scene import Person, Plan, draw_scene

_CYCLE, _PNG, _GRAYSCALE, _COMPRESSED = 16, 2, 3, 5
_PLANS = {
    0: Plan(people=2), 1: Plan(people=2, crowd=13), 4: Plan(people=0), 5: Plan(people=2), 6: Plan(people=2, tiny=6),
    7: Plan(people=8), 9: Plan(people=2, cut=True), 12: Plan(people=0, tiny=5), 14: Plan(people=1, cut=True),
}  # fmt: skip
"""The pictures that differ, by their position in every sixteen."""

_INFO = {"description": "People drawn by posegen", "version": "1.0", "year": 2025}
_CC0 = {"id": 1, "name": "CC0 1.0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"}
_PERSON = {
    "id": 1, "name": "person", "supercategory": "person", "keypoints": list(COCO_17.keypoints),
    "skeleton": [[a + 1, b + 1] for a, b in COCO_17.limbs],
}  # fmt: skip


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
            reason = "expected nothing here, as the sample dataset would overwrite it, but it exists"
            raise ConfigError(f"{path}: {reason}: choose another directory or remove it")
    labels.parent.mkdir(parents=True, exist_ok=True)
    pictures.mkdir()
    records, people = list[dict[str, Any]](), list[dict[str, Any]]()
    for position in range(images):
        name, content, image, annotations = _render(seed, position)
        (pictures / name).write_bytes(content)
        records.append(image)
        people += annotations
    document = {"info": _INFO, "licenses": [_CC0], "images": records, "annotations": people, "categories": [_PERSON]}
    write_atomically(labels, json.dumps(document).encode())
    return root


def _render(seed: int, position: int) -> tuple[str, bytes, dict[str, Any], list[dict[str, Any]]]:
    """Draw the picture of a position: its file name, its bytes, its record and those of its people."""
    kind = position % _CYCLE
    picture, people = draw_scene(np.random.default_rng([seed, position]), _PLANS.get(kind, Plan()))
    # Gaps as in COCO: an image's identifier is not its position, an annotation's not its rank.
    image_id, (height, width) = 1 + 4 * position + position * position % 3, picture.shape[:2]
    name = f"{image_id:012d}{'.png' if kind == _PNG else '.jpg'}"
    image = {"id": image_id, "file_name": name, "height": height, "width": width, "license": 1}
    annotations = []
    for rank, person in enumerate(people):
        record = _describe(person, compressed=kind == _COMPRESSED and rank == len(people) - 1)
        if record["segmentation"]:
            annotations.append(record | {"image_id": image_id, "id": 100 * image_id + 3 * rank + rank % 2})
    shown = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if kind == _GRAYSCALE else picture
    options = [cv2.IMWRITE_PNG_COMPRESSION, 3] if kind == _PNG else [cv2.IMWRITE_JPEG_QUALITY, 92]
    return name, cv2.imencode(Path(name).suffix, shown, options)[1].tobytes(), image, annotations


def _describe(person: Person, *, compressed: bool) -> dict[str, Any]:
    """Describe a person as COCO does; without an outline if what is seen of it is too thin."""
    segmentation: Any
    if person.crowd or compressed:
        rle = mask_utils.encode(np.asfortranarray(person.mask, dtype=np.uint8))
        area, bbox = float(mask_utils.area(rle)), mask_utils.toBbox(rle)
        changes = np.flatnonzero(np.diff(person.mask.ravel(order="F"), prepend=False))
        counts = rle["counts"].decode() if compressed else np.diff([0, *changes, person.mask.size]).tolist()
        segmentation = {"counts": counts, "size": list(person.mask.shape)}
    else:
        outlines = _trace(person.mask)
        corners = np.concatenate(outlines or [np.zeros((1, 2))])
        area = sum(cv2.contourArea(outline.astype(np.float32)) for outline in outlines)
        bbox = np.append(corners.min(axis=0), np.ptp(corners, axis=0))
        segmentation = [outline.ravel().tolist() for outline in outlines]
    return {
        "category_id": 1, "iscrowd": int(person.crowd), "segmentation": segmentation, "area": round(area, 4),
        "bbox": np.round(bbox, 2).tolist(), "keypoints": person.keypoints.ravel().tolist(),
        "num_keypoints": int(np.count_nonzero(person.keypoints[:, 2])),
    }  # fmt: skip


def _trace(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Trace the outer outlines of a (H, W) mask: (n, 2) corners x, y in pixels, pixel edges at integers."""
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    fold = 4 if max(w, h) < 120 else 2
    enlarged = mask[y : y + h, x : x + w].astype(np.uint8).repeat(fold, axis=0).repeat(fold, axis=1)
    # A contour runs through centres: mark the corners of the (enlarged) pixels instead of the pixels.
    corners = cv2.dilate(np.pad(enlarged, (0, 1)), np.ones((2, 2), np.uint8), anchor=(1, 1))
    contours, _ = cv2.findContours(corners, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    smooth = [cv2.approxPolyDP(contour, 0.45 * fold, closed=True).reshape(-1, 2) for contour in contours]
    return [np.round(outline / fold + (x, y), 2) for outline in smooth if cv2.contourArea(outline) >= 3 * fold * fold]
