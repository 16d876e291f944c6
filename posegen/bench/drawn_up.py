"""Annotation files of any size without pictures: as many people an image, fields and digits as COCO's own have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from posegen.skeleton import COCO_17

_BODIES = 4096
"""People that differ; those of an image are others, the images have them again and again."""

_PEOPLE = (1, 1, 1, 1, 2, 2, 3, 7)
"""On eight images that follow each other: 2.25 an image, as COCO's train2017 has 2.2."""

_LABELLED, _CROWDS = 0.57, 0.008
"""Shares of COCO's people who have keypoints, and of its annotations that are of crowds."""

_SIZE = (640, 480)


def write_annotations(path: Path, images: int, seed: int = 0) -> int:
    """Write a COCO keypoint file of as many images, a person's body after the other.

    Parameters
    ----------
    path
        Of the file.
    images
        How many.
    seed
        Of the people.

    Returns
    -------
    How many annotations it has.
    """
    random = np.random.default_rng(seed)
    bodies = [json.dumps(_draw_body(random))[1:] for _ in range(_BODIES)]
    annotation_id = 0

    def people() -> Iterator[str]:
        nonlocal annotation_id
        for image_id in range(1, images + 1):
            for _ in range(_PEOPLE[image_id % len(_PEOPLE)]):
                annotation_id += 1
                body = bodies[annotation_id % _BODIES]
                yield f'{{"image_id": {image_id}, "category_id": 1, "id": {annotation_id}, {body}'

    category = {
        "supercategory": "person",
        "id": 1,
        "name": "person",
        "keypoints": list(COCO_17.keypoints),
        "skeleton": [[a + 1, b + 1] for a, b in COCO_17.limbs],
    }
    with path.open("w", encoding="utf-8") as file:
        file.write('{"images": [')
        _write_list(file, map(_describe_image, range(1, images + 1)))
        file.write('], "annotations": [')
        _write_list(file, people())
        file.write(f'], "categories": [{json.dumps(category)}]}}')
    return annotation_id


def _write_list(file: Any, entries: Iterator[str]) -> None:
    """Write what stands between the brackets of a list."""
    comma = ""
    for entry in entries:
        file.write(comma + entry)
        comma = ", "


def _describe_image(image_id: int) -> str:
    name, (width, height) = f"{image_id:012d}.jpg", _SIZE
    return json.dumps(
        {
            "license": 4,
            "file_name": name,
            "coco_url": f"http://images.cocodataset.org/train2017/{name}",
            "height": height,
            "width": width,
            "date_captured": "2013-11-14 11:18:45",
            "flickr_url": f"http://farm9.staticflickr.com/8186/{name}",
            "id": image_id,
        }
    )


def _draw_body(random: np.random.Generator) -> dict[str, Any]:
    """Draw up what an annotation says of a person: an outline of about 25 corners, a box, and perhaps keypoints."""
    width, height = _SIZE
    wide, high = random.uniform(20, 200), random.uniform(20, 300)
    x, y = random.uniform(0, width - wide), random.uniform(0, height - high)
    area = round(float(wide * high) * 0.6, 4)
    bbox = [round(float(number), 2) for number in (x, y, wide, high)]
    if random.random() < _CROWDS:
        counts = random.multinomial(width * height, np.ones(401) / 401).tolist()
        segmentation: Any = {"counts": counts, "size": [height, width]}
        return {
            "segmentation": segmentation,
            "num_keypoints": 0,
            "area": area,
            "iscrowd": 1,
            "keypoints": [0] * 51,
            "bbox": bbox,
        }
    angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(12, 40)))
    outline = np.stack([x + wide * (1 + np.cos(angles)) / 2, y + high * (1 + np.sin(angles)) / 2], axis=1)
    keypoints = np.zeros((17, 3), np.int64)
    if random.random() < _LABELLED:
        labelled = random.random(17) < 0.65
        labelled[0] = True
        keypoints[labelled, 0] = random.integers(int(x), int(x + wide), labelled.sum())
        keypoints[labelled, 1] = random.integers(int(y), int(y + high), labelled.sum())
        keypoints[labelled, 2] = random.integers(1, 3, labelled.sum())
    return {
        "segmentation": [outline.round(2).ravel().tolist()],
        "num_keypoints": int((keypoints[:, 2] > 0).sum()),
        "area": area,
        "iscrowd": 0,
        "keypoints": keypoints.ravel().tolist(),
        "bbox": bbox,
    }
