"""Packs folders into archives, as the tests of archives need them."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path


def pack(folder: Path, archive: Path, prefix: str = "", method: int = zipfile.ZIP_STORED) -> Path:
    """Pack what is in a folder, each name behind a prefix, into a zip or a tar archive by its suffix."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    archive.parent.mkdir(parents=True, exist_ok=True)
    if archive.suffix == ".tar":
        with tarfile.open(archive, "w") as tar:
            for path in files:
                tar.add(path, f"{prefix}{path.relative_to(folder).as_posix()}")
    else:
        with zipfile.ZipFile(archive, "w", method) as zipped:
            for path in files:
                zipped.write(path, f"{prefix}{path.relative_to(folder).as_posix()}")
    return archive
