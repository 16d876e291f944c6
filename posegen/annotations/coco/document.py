"""An annotation file as JSON has it, and what it is if it is none."""

from __future__ import annotations

import json
from typing import Any

from posegen.annotations.coco.held import take
from posegen.errors import AnnotationError
from posegen.images.kinds import PACKED, name_kind
from posegen.storage import AnyPath

_SHOWN = 8
_BEFORE = 20


def load_document(path: AnyPath) -> dict[str, Any]:
    """Load an annotation file: an object with the lists images, annotations and, even if it has none, categories.

    Raises
    ------
    AnnotationError
        If the file cannot be read, or is not that.
    """
    return parse_document(path, decode_document(path, read_document(path)))


def read_document(path: AnyPath) -> bytes:
    """Read the bytes of an annotation file; raises `AnnotationError` if that cannot be."""
    try:
        return take(path)
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read: {error.strerror or error}") from error


def decode_document(path: AnyPath, data: bytes) -> str:
    """Decode the text of an annotation file; raises `AnnotationError` if it is none."""
    try:
        return data.decode(json.detect_encoding(data), "surrogatepass")
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path}: {_explain_bytes(error)}") from error


def parse_document(path: AnyPath, text: str) -> dict[str, Any]:
    """Parse the text of an annotation file; returns and raises what `load_document` does."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise AnnotationError(f"{path}: {_explain_text(error)}") from error
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f"{path}: is not JSON that can be read: {error}") from error
    if not isinstance(document, dict):
        raise AnnotationError(f"{path}: is not COCO: expected an object with images, annotations, categories; found a "
                              f"{type(document).__name__}")  # fmt: skip
    found_keys = ", ".join(sorted(map(str, document))[:_SHOWN])
    document.setdefault("categories", [])
    for key in ("images", "annotations", "categories"):
        if not isinstance(document.get(key), list):
            found = f"a {type(document[key]).__name__}" if key in document else "nothing"
            has = f" (the file has {found_keys})" if found_keys else ""
            raise AnnotationError(f"{path}: is not COCO: expected a list '{key}', found {found}{has}")
    return document


def _explain_bytes(error: UnicodeDecodeError) -> str:
    kind = name_kind(error.object[:512])
    if kind is not None:
        return f"is not JSON: it is of the kind {kind}" + ("; unpack it first" if kind in PACKED else "")
    line = error.object.count(b"\n", 0, error.start) + 1
    before = error.object[max(error.start - _BEFORE, 0) : error.start].decode(errors="ignore")
    return (
        f"is not JSON in UTF-8: byte 0x{error.object[error.start]:02x} in line {line}, at {error.start}, behind "
        f"{before!r}, is none of it; save the file as UTF-8"
    )


def _explain_text(error: json.JSONDecodeError) -> str:
    where = f"{error.msg} at line {error.lineno}, column {error.colno}"
    kind = name_kind(error.doc[:512].encode(errors="ignore"))
    if kind is not None:
        return f"is not whole JSON: {where}; it is of the kind {kind}"
    return f"is not whole JSON: {where}; was the download cut short?"
