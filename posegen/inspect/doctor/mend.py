"""Writing corrected annotations: what is certain is changed, and every change is listed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from posegen.annotations import find_annotations
from posegen.annotations.coco.document import load_document
from posegen.annotations.coco.ids import read_id
from posegen.errors import ConfigError
from posegen.files import refuse_target, write_atomically
from posegen.inspect.doctor.suspicion import Mend, Suspicion

LIST = "mended"
"""The key of the corrected file under which its changes are listed."""


def write_mended(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    suspicions: Iterable[Suspicion],
    *,
    split: str | None = None,
) -> list[str]:
    """Write the annotations again with what is certainly wrong put right.

    Sides that are certainly swapped are swapped back, people who are certainly there twice are kept once, keypoints at
    0,0 are no longer labelled; the rest stays as it is. Counts of keypoints follow.

    Parameters
    ----------
    path, split
        Of the annotations that were examined.
    out
        The file to write; a JSON file that is there is replaced, but not the one that is read.
    suspicions
        What was found; those without `mend` are left alone.

    Returns
    -------
    Every change in a sentence. The file has them, too, as a list under the key `mended`.

    Raises
    ------
    ConfigError
        If nothing can be written at `out`.
    AnnotationError
        If the annotations are no COCO file.
    """
    source, target = find_annotations(path, split=split, need_images=False).path, Path(out)
    if isinstance(source, Path) and target.exists() and target.samefile(source):
        raise ConfigError(f"{target}: is the file that is corrected; write the correction to another one")
    refuse_target(target, b"{")
    document = load_document(source)
    entries = {read_id(entry.get("id")): entry for entry in document["annotations"] if isinstance(entry, dict)}
    names = _find_names(document)
    changes, removed = [], set()
    for suspicion in suspicions:
        entry = entries.get(suspicion.annotation_id)
        if suspicion.mend is None or entry is None:
            continue
        if suspicion.mend.what == "remove":
            removed.add(id(entry))
            changes.append(f"annotation {suspicion.annotation_id}: removed, as it {suspicion.says}")
        elif _change(entry, suspicion.mend):
            listed = ", ".join(names[k] if k < len(names) else str(k) for k in suspicion.mend.keypoints)
            done = "swapped left and right of" if suspicion.mend.what == "swap" else "no longer labelled:"
            changes.append(f"annotation {suspicion.annotation_id}: {done} {listed}")
    document["annotations"] = [entry for entry in document["annotations"] if id(entry) not in removed]
    document[LIST] = changes
    try:
        write_atomically(target, json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written: {error.strerror or error}") from error
    return changes


def _change(entry: dict[str, Any], mend: Mend) -> bool:
    """Change an entry's keypoints in place; returns whether they are in the form in which that can be done."""
    values = entry.get("keypoints")
    if not isinstance(values, list) or not values:
        return False
    nested = isinstance(values[0], list)
    triplets = values if nested else [values[start : start + 3] for start in range(0, len(values), 3)]
    if max(mend.keypoints) >= len(triplets):
        return False
    if mend.what == "swap":
        for left, right in zip(mend.keypoints[0::2], mend.keypoints[1::2], strict=True):
            triplets[left], triplets[right] = triplets[right], triplets[left]
    else:
        for k in mend.keypoints:
            triplets[k] = [0, 0, 0]
    entry["keypoints"] = triplets if nested else [value for triplet in triplets for value in triplet]
    if "num_keypoints" in entry:
        entry["num_keypoints"] = sum(float(triplet[2]) > 0 for triplet in triplets)
    return True


def _find_names(document: dict[str, Any]) -> list[str]:
    """Find the keypoints' names, of the first category that has any."""
    for category in document["categories"]:
        if isinstance(category, dict) and isinstance(category.get("keypoints"), list):
            return list(map(str, category["keypoints"]))
    return []
