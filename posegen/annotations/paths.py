"""Where a COCO dataset lies: the annotation file, the splits of a root, the directory of the images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from posegen.errors import ConfigError

DEFAULT_SPLIT = "train2017"

_ANNOTATION_FILE = re.compile(r"person_keypoints_(.+)\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoPaths:
    """Where a COCO dataset lies: an annotation file and the directory its file names are relative to."""

    annotations: Path
    images: Path


def find_coco(
    path: Path, *, split: str | None = None, images: Path | None = None, need_images: bool = True
) -> CocoPaths:
    """Find the annotation file and the image directory.

    Parameters
    ----------
    path
        A COCO root, with `annotations/person_keypoints_<split>.json` beside `<split>/` or `images/<split>/`, or one
        annotation file.
    split
        Which split of a root; by default `train2017`, or else the only one there is.
    images
        The image directory, if it is not where COCO has it.
    need_images
        Whether it is an error that there are none; otherwise `images` is where they should be.

    Raises
    ------
    ConfigError
        If something does not exist, or several splits are there and none was named.
    """
    if not path.exists():
        raise ConfigError(f"{path}: no such file or directory; expected a COCO root or an annotation file")
    if path.is_dir():
        annotations, split = _find_split(path, split)
        root = path
    else:
        if split is not None:
            raise ConfigError(f"a split ({split}) goes with a COCO root, but {path} is one annotation file")
        annotations, root = path, path.parent.parent
        match = _ANNOTATION_FILE.fullmatch(path.name)
        split = match[1] if match else path.stem
    if images is not None:
        if not images.is_dir():
            raise ConfigError(f"{images}: no such image directory")
        return CocoPaths(annotations=annotations, images=images)
    candidates = [
        root / split,
        root / "images" / split,
        annotations.parent / split,
        annotations.parent / "images",
    ]
    for candidate in candidates:
        if candidate.is_dir():
            return CocoPaths(annotations=annotations, images=candidate)
    if not need_images:
        return CocoPaths(annotations=annotations, images=candidates[0])
    raise ConfigError(f"no directory of images for {annotations}: expected {candidates[0]}; name it with --images DIR")


def _find_split(root: Path, split: str | None) -> tuple[Path, str]:
    folder = root / "annotations"
    found = sorted(m[1] for p in folder.glob("*.json") if (m := _ANNOTATION_FILE.fullmatch(p.name)))
    if not found:
        raise ConfigError(f"{root}: expected annotations/person_keypoints_<split>.json in it, found none")
    if split is None:
        if DEFAULT_SPLIT in found:
            split = DEFAULT_SPLIT
        elif len(found) == 1:
            split = found[0]
        else:
            raise ConfigError(f"{root} has several splits: {', '.join(found)}; choose one with --split")
    elif split not in found:
        raise ConfigError(f"{root} has no split '{split}'; it has {', '.join(found)}")
    return folder / f"person_keypoints_{split}.json", split
