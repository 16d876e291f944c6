"""Archives as COCO is downloaded, in the place of the folders that would come of unpacking them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from posegen.errors import ConfigError
from posegen.storage import AnyPath, list_folder
from posegen.storage.archives import SUFFIXES, ArchivePath
from posegen.storage.find import open_archive

_DEEPEST = 3
"""Folders within folders of an archive that are looked through."""

_MOST_LISTED = 64
"""Archives in a folder that are looked into."""


def find_packed(folder: AnyPath) -> Iterator[AnyPath]:
    """Yield the archives that would be unpacked to a folder, which lie beside it under its name."""
    for suffix in SUFFIXES:
        file = folder.parent / f"{folder.name}{suffix}"
        if not isinstance(folder, ArchivePath) and file.is_file():
            yield from _open(file)


def list_archives(folder: AnyPath, prefix: str = "") -> Iterator[ArchivePath]:
    """Yield the archives in a folder whose names start with `prefix`; those that cannot be opened are left out."""
    if isinstance(folder, ArchivePath) or not folder.is_dir():
        return
    files = [f for f in list_folder(folder) if f.name.startswith(prefix) and f.suffix.lower() in SUFFIXES]
    for file in files[:_MOST_LISTED]:
        if file.is_file():
            yield from _open(file)


def find_folder(place: AnyPath, holds: Callable[[AnyPath], bool], likely: Sequence[str] = ()) -> AnyPath | None:
    """Find the folder of an archive that holds the pictures; of a folder that is none, only whether it is that itself.

    Parameters
    ----------
    place
        The archive, or a folder.
    holds
        Tells whether a folder holds them.
    likely
        Folders of the archive to look into first.
    """
    if not isinstance(place, ArchivePath):
        return place if holds(place) else None
    level: list[AnyPath] = [place, *(place / name for name in likely)]
    for _ in range(_DEEPEST):
        for folder in level:
            if holds(folder):
                return folder
        level = [inner for folder in level for inner in folder.iterdir() if inner.is_dir()]
    return None


def _open(file: AnyPath) -> Iterator[ArchivePath]:
    """Yield an archive; one that is none is named by who needs it, if anybody does."""
    try:
        yield open_archive(file)
    except ConfigError:
        return
