"""Which file or folder is meant: one on a disk, one in an archive, or one behind a URL."""

from __future__ import annotations

import os
import re
from pathlib import Path

from posegen.errors import ConfigError
from posegen.storage.archives import SUFFIXES, ArchivePath
from posegen.storage.place import AnyPath, Place
from posegen.storage.remote import RemotePath

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+]+):/+(.*)", re.DOTALL)
"""A URL, also as `pathlib.Path` writes it: with one slash. A drive's letter is no scheme."""

_WITH_SERVER = frozenset({"http", "https", "ftp", "sftp", "hdfs", "smb", "webhdfs"})
"""Schemes behind which the first part is a server, which has no files beside it."""


def find_place(path: str | os.PathLike[str] | Place) -> AnyPath:
    """Return what a path or a URL means.

    An archive on a disk stands for the folder that is in it, also in the middle of a path, as in
    `annotations_trainval2017.zip/annotations/person_keypoints_val2017.json`; so does a URL that ends with `.zip` or
    `.tar`. `file://` is the disk.

    Raises
    ------
    ConfigError
        If it is an archive that cannot be opened, or a URL of no known scheme.
    """
    if isinstance(path, Place):
        return path
    match = _URL.fullmatch(os.fspath(path))
    if match is None or not is_url(path):
        return _look_inside(strip_file(path))
    scheme, rest = match[1].lower(), match[2].rstrip("/")
    root = f"{scheme}://"
    if scheme in _WITH_SERVER:
        server, _, rest = rest.partition("/")
        root += f"{server}/"
    return _look_inside_url(root, rest)


def is_url(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path is a URL of another scheme than `file`, and not the name of a file on the disk."""
    match = _URL.fullmatch(os.fspath(path))
    return match is not None and match[1].lower() != "file" and not Path(path).exists()


def strip_file(path: str | os.PathLike[str]) -> Path:
    """Return a path on the disk, of which `file://` may stand before it."""
    match = _URL.fullmatch(os.fspath(path))
    return Path(path) if match is None or match[1].lower() != "file" or Path(path).exists() else Path("/" + match[2])


def spell(path: str | os.PathLike[str]) -> str:
    """Write a path, or a URL as it was before `pathlib.Path` took one of its slashes."""
    match = _URL.fullmatch(os.fspath(path))
    return f"{match[1].lower()}://{match[2]}" if match is not None and is_url(path) else os.fspath(path)


def open_archive(file: AnyPath, inner: str = "") -> ArchivePath:
    """Return a folder or file of an archive, which is looked into; raises `ConfigError` if that fails."""
    try:
        found = ArchivePath(file, inner)
        found.is_dir()
    except OSError as error:
        raise ConfigError(f"{error.filename or file}: {error.strerror or error}") from error
    return found


def _look_inside(path: Path) -> AnyPath:
    """Return a path on a disk, or what it means in an archive that it leads through."""
    if not any(suffix in path.name.lower() or suffix in str(path).lower() for suffix in SUFFIXES):
        return path
    for outer in (path, *path.parents):
        if outer.suffix.lower() in SUFFIXES and outer.is_file():
            inner = path.relative_to(outer).as_posix()
            return open_archive(outer, "" if inner == "." else inner)
    return path


def _look_inside_url(root: str, rest: str) -> AnyPath:
    parts = rest.split("/")
    for count, part in enumerate(parts, start=1):
        if part.lower().endswith(SUFFIXES):
            file = RemotePath(root, "/".join(parts[:count]))
            inner = "/".join(parts[count:])
            if count == len(parts) or file.is_file():
                return open_archive(file, inner)
    return RemotePath(root, rest)
