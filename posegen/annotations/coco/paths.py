"""Where a COCO dataset lies: the annotation file, the splits of a root, the directory of the images."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from posegen.annotations.coco.held import open_held
from posegen.annotations.coco.names import leaves
from posegen.annotations.coco.packed import find_folder, find_packed, list_archives
from posegen.errors import ConfigError
from posegen.storage import AnyPath, Location, Place, find_place, list_folder
from posegen.storage.archives import ArchivePath

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

    annotations: AnyPath
    images: AnyPath


def find_coco(
    path: Location,
    *,
    split: str | None = None,
    images: Location | None = None,
    need_images: bool = True,
) -> CocoPaths:
    """Find the annotation file and the image directory.

    The image directory is where COCO has it, or else the one beside the annotation file that holds the first pictures
    which the file names. A zip or tar archive, as it was downloaded, stands for what it would be unpacked to; so do
    those that are found where a directory would be.

    Parameters
    ----------
    path
        A COCO root, with `annotations/person_keypoints_<split>.json` beside `<split>/` or `images/<split>/`, or one
        annotation file. An archive, a file in an archive, or a URL of any of these, too.
    split
        Which split of a root; by default `train2017`, or else the only one there is.
    images
        The image directory, archive or URL, if it is not where COCO has it.
    need_images
        Whether it is an error that there are none; otherwise `images` is where they should be.

    Raises
    ------
    ConfigError
        If something does not exist or cannot be opened, several splits are there and none was named, or several
        directories hold the pictures.
    """
    place, pictures = find_place(path), None if images is None else find_place(images)
    try:
        return _find(place, split, pictures, need_images=need_images)
    except OSError as error:
        if isinstance(place, Path) and not isinstance(pictures, Place):
            raise
        raise ConfigError(f"{error.filename or place}: {error.strerror or error}") from error


def _find(path: AnyPath, split: str | None, images: AnyPath | None, *, need_images: bool) -> CocoPaths:
    is_root = path.is_dir()
    if not is_root and not path.exists():
        raise ConfigError(f"{path}: no such file or directory; expected a COCO root or an annotation file")
    if is_root:
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
        names = _peek(annotations) if isinstance(images, ArchivePath) else []
        found = find_folder(images, lambda folder: _holds(folder, names), (split,)) if names else images
        return CocoPaths(annotations=annotations, images=found or images)
    # What is in an archive has its images in another one beside that.
    outside = annotations.file.parent if isinstance(annotations, ArchivePath) else None
    beside = root if is_root or annotations.parent.name in _FOLDERS else annotations.parent
    usual = [root / split, root / "images" / split, annotations.parent / split, annotations.parent / "images"]
    if outside is not None:
        above = [outside, *([outside.parent] if outside.name in _FOLDERS else [])]
        usual += [folder / inner for folder in above for inner in (split, f"images/{split}")]
    found = _find_images(annotations, usual, beside if outside is None else outside, split)
    if found is None and need_images:
        raise ConfigError(f"no directory of images for {annotations}: expected {usual[0]}; name it with --images DIR")
    return CocoPaths(annotations=annotations, images=found or usual[0])


def _find_images(annotations: AnyPath, usual: Sequence[AnyPath], beside: AnyPath, split: str) -> AnyPath | None:
    """Find the directory that holds the pictures an annotation file names, or else the first usual one there is."""
    existing = [directory for directory in usual if directory.is_dir()]
    existing += [archive for directory in usual for archive in find_packed(directory)]
    names = _peek(annotations)

    def find(directory: AnyPath) -> AnyPath | None:
        return find_folder(directory, lambda folder: _holds(folder, names), (split,))

    for directory in existing:
        if (found := find(directory)) is not None:
            return found
    others = [annotations.parent, beside]
    if not existing:
        others += _list_inside(annotations.parent, beside, beside / "images")
    held = [found for directory in dict.fromkeys(others) if (found := find(directory)) is not None]
    if not held and not existing:
        # Archives are looked into last: to list one takes long.
        held = [found for archive in dict.fromkeys(list_archives(beside)) if (found := find(archive)) is not None]
    if len(held) > 1:
        raise ConfigError(
            f"several directories have the images of {annotations}: {', '.join(map(str, held))}; name one with "
            "--images DIR"
        )
    return next(iter([*held, *existing]), None)


def _peek(annotations: AnyPath) -> list[str]:
    """Read the first few file names of an annotation file without parsing it; none if it cannot be read."""
    try:
        with open_held(annotations) as file:
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


def _list_inside(*parents: AnyPath) -> list[AnyPath]:
    """List the directories in directories, without the hidden ones."""
    inside = (d for parent in parents if parent.is_dir() for d in list_folder(parent))
    return [d for d in inside if d.is_dir() and not d.name.startswith(".")]


def _holds(directory: AnyPath, names: Sequence[str]) -> bool:
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


def _find_split(root: AnyPath, split: str | None) -> tuple[AnyPath, str]:
    """Find the annotation file of a split, in the folder that a root has for them or in an archive that has one."""
    folder, found = _list_splits(root)
    if not found:
        for archive in (*list_archives(root, "annotations"), *list_archives(root / "annotations", "annotations")):
            folder, found = _list_splits(archive)
            if found:
                break
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


def _list_splits(root: AnyPath) -> tuple[AnyPath, list[str]]:
    """List the splits that a root or an archive has annotation files of, and the folder where these are."""
    folder: AnyPath = root / "annotations"
    return folder, sorted(m[1] for p in folder.glob("*.json") if (m := _ANNOTATION_FILE.fullmatch(p.name)))


def _list_others(root: AnyPath) -> str:
    """Say which annotation files a directory has that is no COCO root, or that it has packed ones."""
    found: list[AnyPath] = []
    packed: list[AnyPath] = []
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
        listed = ", ".join(_name(path, root) for path in found[:_SHOWN])
        return f"; it has {listed}{more}: one annotation file may be named itself, as in {found[0]}"
    return f"; it has {_name(packed[0], root)}: unpack that first" if packed else ""


def _name(path: AnyPath, root: AnyPath) -> str:
    """Write how a file in a root is named from there on."""
    return path.as_posix().removeprefix(f"{root.as_posix()}/")
