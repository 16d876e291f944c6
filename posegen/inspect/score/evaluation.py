"""COCO's own evaluation of what was found (pycocotools' COCOeval), and who was not."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

from posegen.inspect.score.truth import Key, Name, Truth
from posegen.loader.decode import People
from posegen.loader.results import list_results
from posegen.skeleton import Skeleton

_NAMES = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")


def evaluate(
    truth: Truth, found: Mapping[Key, People], skeleton: Skeleton
) -> tuple[dict[str, float], dict[Key, list[Name]]]:
    """Score people as COCO does, all categories as one.

    Parameters
    ----------
    found
        By image and copy.

    Returns
    -------
    The ten figures by name, -1 where there was nobody to score by; and by image and copy the annotations that nobody
    matches at an object keypoint similarity of 0.5.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    keys = list(found)
    annotations: list[dict[str, Any]] = []
    for i, (image, _) in enumerate(keys):
        # An image of several copies is annotated once for each; the evaluation wants numbers of their own, from 1.
        for entry in truth.images.get(image, []):
            annotations.append({**entry, "image_id": i, "id": len(annotations) + 1, "own": entry["id"]})
    entries = list_results([found[key] for key in keys], range(len(keys)), skeleton, truth.names)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": i} for i in range(len(keys))],
            "annotations": annotations,
            "categories": [{"id": 1, "name": "all"}],
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(entries) if entries else COCO(), "keypoints")
        if not entries:
            evaluation.cocoDt.dataset = {"images": coco.dataset["images"], "annotations": [], "categories": []}
            evaluation.cocoDt.createIndex()
        evaluation.params.kpt_oks_sigmas = truth.sigmas
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    stats = {name: round(float(value), 4) for name, value in zip(_NAMES, evaluation.stats, strict=True)}
    return stats, _list_lost(evaluation.evalImgs[: len(keys)], keys, annotations)


def _list_lost(
    images: Sequence[dict[str, Any] | None], keys: Sequence[Key], annotations: Sequence[dict[str, Any]]
) -> dict[Key, list[Name]]:
    """List the annotations without a match at the first threshold, 0.5, of people of all sizes."""
    lost: dict[Key, list[Name]] = {}
    for image in images:
        if image is None:
            continue
        for number, match, ignored in zip(image["gtIds"], image["gtMatches"][0], image["gtIgnore"], strict=True):
            if not match and not ignored:
                lost.setdefault(keys[image["image_id"]], []).append(annotations[number - 1]["own"])
    return lost
