"""How many planted errors the doctor of annotations finds, and how much of what it suspects was planted.

Nobody can find all of them: of a person whose face is not seen, and who is swapped whole, nothing tells whether it is
seen from the front or from behind; a limb of which one side is labelled alone has nothing to lie across.

What it suspects besides counts as a false alarm, although real annotations have errors of their own: precision is at
least what is said.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from posegen.annotations import CocoPaths, find_annotations
from posegen.bench.turns import Notify
from posegen.errors import ConfigError
from posegen.inspect.doctor import KINDS, Examination, examine
from posegen.inspect.doctor.suspicion import Kind
from posegen.skeleton import find_flip_pairs
from posegen.storage import AnyPath
from posegen.synthetic import write_sample_coco

_SYNTHETIC_IMAGES = 240
_SHARE, _LEAST = 0.02, 3
_LEAST_KEYPOINTS = 8
_LEAST_SIDE = 24.0
_OF_PEOPLE = tuple(kind for kind in KINDS if kind != "pictures")


def measure_suspects(paths: CocoPaths | None, scratch: Path, rounds: int, notify: Notify) -> dict[str, Any]:
    """Plant errors in annotations and let the doctor find them.

    Parameters
    ----------
    paths
        The annotations and pictures; by default a synthetic sample.
    scratch
        A directory for what is written.
    rounds
        How often, each time other errors are planted.
    notify
        Called with what is being done.

    Returns
    -------
    `rows`, one for each of `posegen.inspect.doctor.KINDS`: `kind`, `planted`, `found` (of them), `otherwise` (of the
    rest, who are suspected of another kind: a keypoint that was put outside of the image is misused), `suspected`,
    `right` (of those, where anything was planted: a keypoint somewhere else makes a long limb, too), `recall` (`found`
    alone) and `precision` (None where there is nothing to divide by); `images`, `people`, `rounds`, and `unplanted`:
    how many are suspected of each kind when nothing is planted.

    Raises
    ------
    ConfigError
        If there are too few people to plant errors in, or the pictures lie in no directory of this disk.
    """
    if paths is None:
        root = write_sample_coco(scratch / "suspects-sample", images=_SYNTHETIC_IMAGES)
        source = find_annotations(root)
        paths = CocoPaths(annotations=source.path, images=source.images)
    if not isinstance(paths.images, Path):
        raise ConfigError(f"{paths.images}: errors are planted among pictures of a directory; unpack or fetch it")
    notify("examining what nothing is planted in")
    plain = examine(paths.annotations, images=paths.images)
    document = json.loads(paths.annotations.read_bytes())
    totals: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for seed in range(rounds):
        notify(f"round {seed + 1} of {rounds}")
        root = scratch / f"suspects-{seed}"
        planted = _plant(document, paths.images, root, np.random.default_rng(seed))
        found = examine(root / "annotations.json", images=root / "images")
        for kind in KINDS:
            totals[kind] += _count(kind, planted, found)
        shutil.rmtree(root)
    return {
        "rows": [_row(kind, totals[kind]) for kind in KINDS],
        "images": plain.images,
        "people": plain.people,
        "rounds": rounds,
        "unplanted": {kind: len(plain.of(kind)) for kind in KINDS},
    }


def _count(kind: Kind, planted: Mapping[str, set[int | None]], found: Examination) -> Counter[str]:
    """Count what was found of one kind of errors."""
    wanted, suspicions = planted[kind], found.of(kind)
    # Of two that are the same either may be named.
    named = [{s.image_id if kind == "pictures" else s.annotation_id, s.other} for s in suspicions]
    others: set[int | None] = set() if kind == "pictures" else {s.annotation_id for s in found.suspicions}
    spoilt = wanted if kind == "pictures" else set().union(*(planted[other] for other in _OF_PEOPLE))
    return Counter(
        planted=len(wanted),
        found=len(wanted & set().union(*named)),
        otherwise=len((wanted & others).difference(*named)),
        suspected=len(suspicions),
        right=sum(bool(ids & spoilt) for ids in named),
    )


def _row(kind: str, total: Mapping[str, int]) -> dict[str, Any]:
    counts = {name: total[name] for name in ("planted", "found", "otherwise", "suspected", "right")}
    recall = counts["found"] / counts["planted"] if counts["planted"] else None
    precision = counts["right"] / counts["suspected"] if counts["suspected"] else None
    return {"kind": kind, **counts, "recall": recall, "precision": precision}


def _plant(
    original: Mapping[str, Any], images: AnyPath, root: Path, random: np.random.Generator
) -> dict[str, set[int | None]]:
    """Write annotations with errors, and say which annotations, or images, have which."""
    document = copy.deepcopy(dict(original))
    (root / "images").mkdir(parents=True)
    people = [entry for entry in document["annotations"] if _can_be_spoilt(entry)]
    count = max(_LEAST, round(_SHARE * len(people)))
    if len(people) < count * (len(KINDS) - 1):
        raise ConfigError(
            f"there are {len(people)} people of {_LEAST_KEYPOINTS} keypoints and more: too few to plant errors in"
        )
    order = iter(random.permutation(len(people)).tolist())
    names = next(category["keypoints"] for category in document["categories"] if category.get("keypoints"))
    sizes = {image["id"]: (image["width"], image["height"]) for image in document["images"]}
    planted: dict[str, set[int | None]] = defaultdict(set)
    for kind in KINDS:
        for turn in range(0 if kind == "pictures" else count):
            entry = people[next(order)]
            if kind == "twice":
                entry = _repeat(entry, document, random)
            else:
                points = np.array(entry["keypoints"], float).reshape(-1, 3)
                _SPOIL[kind](points, entry, turn, names=names, size=sizes[entry["image_id"]], random=random)
                entry["keypoints"] = points.ravel().tolist()
                entry["num_keypoints"] = int((points[:, 2] > 0).sum())
            planted[kind].add(entry["id"])
    for image in document["images"]:
        if (images / image["file_name"]).is_file():
            target = root / "images" / image["file_name"]
            target.parent.mkdir(parents=True, exist_ok=True)
            picture = images / image["file_name"]
            if isinstance(picture, Path):
                target.symlink_to(picture.resolve())
            else:
                target.write_bytes(picture.read_bytes())
    with_people = sorted({entry["image_id"] for entry in people})
    chosen = {with_people[i] for i in random.permutation(len(with_people))[:count].tolist()}
    for image in [image for image in document["images"] if image["id"] in chosen]:
        planted["pictures"].add(_repeat_picture(image, original, document, root / "images"))
    (root / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
    return planted


def _can_be_spoilt(entry: Mapping[str, Any]) -> bool:
    labelled = sum(v > 0 for v in entry.get("keypoints", [])[2::3])
    box = entry.get("bbox") or [0, 0, 0, 0]
    return not entry.get("iscrowd") and labelled >= _LEAST_KEYPOINTS and min(box[2:]) >= _LEAST_SIDE


def _swap(points: Any, _entry: Any, turn: int, *, names: list[str], **_: Any) -> None:
    """Swap left and right of everybody's everything, of arms, or of legs, in turn."""
    chosen = (("",), ("elbow", "wrist"), ("",), ("knee", "ankle"))[turn % 4]
    for left, right in find_flip_pairs(names):
        if any(word in names[left] for word in chosen):
            points[[left, right]] = points[[right, left]]


def _stretch(points: Any, entry: Any, _turn: int, *, random: np.random.Generator, **_: Any) -> None:
    """Put one labelled keypoint somewhere else: two thirds of the box's diagonal away."""
    which = random.choice(np.flatnonzero(points[:, 2] > 0))
    angle = random.uniform(0, 2 * np.pi)
    reach = 0.67 * float(np.hypot(*entry["bbox"][2:]))
    points[which, :2] += np.rint([reach * np.cos(angle), reach * np.sin(angle)])


def _shift(points: Any, entry: Any, _turn: int, *, size: tuple[int, int], **_: Any) -> None:
    """Move all keypoints by the width of the box, to the side where there is more room."""
    x, _y, width, _height = entry["bbox"]
    points[points[:, 2] > 0, 0] += width if x + width / 2 < size[0] / 2 else -width


def _misuse(points: Any, _entry: Any, turn: int, *, size: tuple[int, int], **_: Any) -> None:
    """Label a keypoint at 0,0, or as visible outside of the image."""
    which = np.flatnonzero(points[:, 2] > 0)[turn % 3]
    points[which] = (0, 0, 2) if turn % 2 else (size[0] + 5, size[1] / 2, 2)


_SPOIL: Mapping[str, Any] = {"sides": _swap, "limbs": _stretch, "outside": _shift, "visibility": _misuse}


def _repeat(entry: Mapping[str, Any], document: dict[str, Any], random: np.random.Generator) -> dict[str, Any]:
    """Annotate a person again, as another hand would."""
    again = copy.deepcopy(dict(entry))
    again["id"] = 1 + max(other["id"] for other in document["annotations"])
    points = np.array(again["keypoints"], float).reshape(-1, 3)
    away = 0.01 * float(np.sqrt(np.prod(again["bbox"][2:])))
    labelled = points[:, 2] > 0
    points[labelled, :2] += random.normal(0, away, (int(labelled.sum()), 2)).round(1)
    again["keypoints"] = points.ravel().tolist()
    document["annotations"].append(again)
    return again


def _repeat_picture(
    image: Mapping[str, Any], original: Mapping[str, Any], document: dict[str, Any], images: Path
) -> int:
    """Add a picture again, smaller, brighter, and compressed more, with its people as they were."""
    picture = cv2.imread(str(images / image["file_name"]))
    if picture is None:
        raise ConfigError(f"{images / image['file_name']}: cannot be read; planting errors needs the pictures")
    scale = 0.8
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    number = 1 + max(other["id"] for other in document["images"])
    name = f"again-{number}.jpg"
    cv2.imwrite(str(images / name), cv2.convertScaleAbs(small, alpha=0.95, beta=12), [cv2.IMWRITE_JPEG_QUALITY, 60])
    height, width = small.shape[:2]
    document["images"].append({"id": number, "file_name": name, "width": width, "height": height})
    start = 1 + max(other["id"] for other in document["annotations"])
    own = [entry for entry in original["annotations"] if entry["image_id"] == image["id"]]
    for place, entry in enumerate(own):
        again = copy.deepcopy(entry) | {"id": start + place, "image_id": number, "segmentation": []}
        points = np.array(again.get("keypoints", []), float).reshape(-1, 3)
        points[:, :2] *= scale
        again["keypoints"] = points.ravel().tolist()
        again["bbox"] = (np.array(again["bbox"]) * scale).round(2).tolist()
        document["annotations"].append(again)
    return number
