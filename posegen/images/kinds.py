"""What kind of file it is, from its first bytes: for messages about those that cannot be read."""

from __future__ import annotations

_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "BigTIFF"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"DDS ", "DirectDraw Surface"),
    (b"\0\0\x01\0", "icon (ICO)"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "zip archive"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"(\xb5/\xfd", "Zstandard"),
    (b"Rar!", "RAR"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"\x80\x04\x95", "pickle"),
    (b"\x93NUMPY", "NumPy"),
    (b"SQLite format 3", "SQLite"),
    (b"PAR1", "Parquet"),
    (b"version https://git-lfs", "Git LFS pointer; git lfs pull brings the file itself"),
    (b"/annex/objects/", "git-annex pointer; git annex get brings the file itself"),
    (b"<svg", "SVG"),
    (b"<?xml", "XML"),
    (b"<!doctype html", "HTML page"),
    (b"<html", "HTML page"),
)
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"mif1": "HEIF"}
PACKED = frozenset({"zip archive", "gzip", "bzip2", "xz", "7-Zip", "Zstandard", "RAR", "tar archive"})
"""The kinds that have files in them."""


def name_kind(data: bytes) -> str | None:
    """Name the kind of file that starts with these bytes, of which 512 are enough; None if it is not known."""
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "MPEG-4 video")
    if data[:4] == b"RIFF":
        return {b"WEBP": "WebP", b"AVI ": "AVI video"}.get(data[8:12])
    if data[257:262] == b"ustar":
        return "tar archive"
    text = data[:64].lstrip().lower()
    return next((kind for start, kind in _STARTS if data.startswith(start) or text.startswith(start)), None)
