"""Where a COCO dataset lies: the annotation file, the splits of a root, the directory of the images."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from posegen.annotations.coco.names import leaves
from posegen.errors import ConfigError

DEFAULT_SPLIT = "train2017"

_ANNOTATION_FILE = re.compile(r"person_keypoints_(.+)\.json")
_FILE_NAME = re.compile(rb'"file_name"\s*:\s*("(?:[^"\\]|\\.){1,4096}")')
_FOLDERS = frozenset({"annotations", "annotation", "json", "labels"})
"""What the folder of an annotation file is called, if images lie beside it."""
_LOOKED_FOR, _PEEKED = 20, 1 << 22
_SHOWN = 5
_PACKED = (".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2", ".7z", ".zst")


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoPaths:
    """Where a COCO dataset lies: an annotation file and the directory its file names are relative to."""

    annotations: Path
    images: Path


def find_coco(
    path: Path, *, split: str | None = None, images: Path | None = None, need_images: bool = True
) -> CocoPaths:
    """Find the annotation file and the image directory.

    The image directory is where COCO has it, or else the one beside the annotation file that holds the first pictures
    which the file names.

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
        If something does not exist, several splits are there and none was named, or several directories hold the
        pictures.
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
    beside = root if path.is_dir() or annotations.parent.name in _FOLDERS else annotations.parent
    usual = [root / split, root / "images" / split, annotations.parent / split, annotations.parent / "images"]
    found = _find_images(annotations, usual, beside)
    if found is None and need_images:
        raise ConfigError(f"no directory of images for {annotations}: expected {usual[0]}; name it with --images DIR")
    return CocoPaths(annotations=annotations, images=found or usual[0])


def _find_images(annotations: Path, usual: Sequence[Path], beside: Path) -> Path | None:
    """Find the directory that holds the pictures an annotation file names, or else the first usual one there is."""
    existing = [directory for directory in usual if directory.is_dir()]
    names = _peek(annotations)
    for directory in existing:
        if _holds(directory, names):
            return directory
    others = [annotations.parent, beside]
    if not existing:
        others += _list_inside(annotations.parent, beside, beside / "images")
    held = [directory for directory in dict.fromkeys(others) if _holds(directory, names)]
    if len(held) > 1:
        raise ConfigError(
            f"several directories have the images of {annotations}: {', '.join(map(str, held))}; name one with "
            "--images DIR"
        )
    return next(iter([*held, *existing]), None)


def _peek(annotations: Path) -> list[str]:
    """Read the first few file names of an annotation file without parsing it; none if it cannot be read."""
    try:
        with annotations.open("rb") as file:
            data = file.read(_PEEKED)
            if _FILE_NAME.search(data) is None:
                data += file.read()
    except OSError:
        return []
    names = []
    for match in _FILE_NAME.finditer(data):
        try:
            names.append(json.loads(match[1]))
        except ValueError:
            continue
        if len(names) == _LOOKED_FOR:
            break
    return names


def _list_inside(*parents: Path) -> list[Path]:
    """List the directories in directories, without the hidden ones."""
    inside = (d for parent in parents if parent.is_dir() for d in sorted(parent.iterdir()))
    return [d for d in inside if d.is_dir() and not d.name.startswith(".")]


def _holds(directory: Path, names: Sequence[str]) -> bool:
    """Tell whether a directory has any of the named files, as they are written or with slashes, never outside of it."""
    absolute = f"{directory.absolute().as_posix()}/"
    for name in names:
        slashed = name.replace("\\", "/")
        for other in (name, slashed, slashed.removeprefix(absolute).lstrip("/")):
            try:
                if not leaves(other) and (directory / other).is_file():
                    return True
            except (OSError, ValueError):
                break
    return False


def _find_split(root: Path, split: str | None) -> tuple[Path, str]:
    folder = root / "annotations"
    found = sorted(m[1] for p in folder.glob("*.json") if (m := _ANNOTATION_FILE.fullmatch(p.name)))
    if not found:
        expected = "expected annotations/person_keypoints_<split>.json in it, found none"
        raise ConfigError(f"{root}: {expected}{_list_others(root)}")
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


def _list_others(root: Path) -> str:
    """Say which annotation files a directory has that is no COCO root, or that it has packed ones."""
    found: list[Path] = []
    packed: list[Path] = []
    for folder in (root, *_list_inside(root), *_list_inside(*_list_inside(root))):
        try:
            files = sorted(path for path in folder.iterdir() if path.is_file())
        except OSError:
            continue
        found += [path for path in files if path.suffix.lower() == ".json"]
        packed += [path for path in files if path.suffix.lower() in _PACKED]
        if len(found) > _LOOKED_FOR:
            break
    if found:
        more = " and more" if len(found) > _SHOWN else ""
        listed = ", ".join(str(path.relative_to(root)) for path in found[:_SHOWN])
        return f"; it has {listed}{more}: one annotation file may be named itself, as in {found[0]}"
    return f"; it has {packed[0].relative_to(root)}: unpack that first" if packed else ""
