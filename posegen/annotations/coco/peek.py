"""What keypoints an annotation file names, without parsing all of it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from itertools import chain

from posegen.annotations.coco.held import hold, open_held
from posegen.errors import AnnotationError
from posegen.skeleton import Skeleton
from posegen.storage import AnyPath

_NAMES = re.compile(rb'"keypoints"\s*:\s*(?=\[\s*")')
_NUMBERS = re.compile(rb'"keypoints"\s*:\s*\[[\[\s]*-?\d')
_LONGEST = 1 << 20
_TAIL = 1 << 18


def fits_skeleton(path: AnyPath, skeleton: Skeleton) -> bool:
    """Tell whether a skeleton can be derived from what an annotation file names; True where that cannot be told.

    A file that names no keypoints but has some does not fit: unless it says so, nobody knows whose they are.
    """
    needed = set(chain(*skeleton.parents))
    try:
        # Most files have their categories last: then hundreds of megabytes before them need not be read here.
        if any(needed <= set(names) for names in _find_names(_read_tail(path))):
            return True
        data = hold(path)
    except OSError:
        return True
    encoding = json.detect_encoding(data)
    if not encoding.startswith("utf-8"):
        data = data.decode(encoding, "replace").encode()
    lists = list(_find_names(data))
    return any(needed <= set(_call(skeleton, names)) for names in lists) if lists else _NUMBERS.search(data) is None


def _call(skeleton: Skeleton, names: list[str]) -> Sequence[str]:
    try:
        return skeleton.call(names)
    except AnnotationError:
        return names


def _read_tail(path: AnyPath) -> bytes:
    with open_held(path) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        return file.read()


def _find_names(data: bytes) -> Iterator[list[str]]:
    """Yield the lists of names that categories have."""
    for match in _NAMES.finditer(data):
        text = data[match.end() : match.end() + _LONGEST].decode(errors="ignore")
        try:
            names, _ = json.JSONDecoder().raw_decode(text)
        except ValueError:
            continue
        if all(isinstance(name, str) for name in names) and names and not names[0].replace(".", "").isdigit():
            yield names
