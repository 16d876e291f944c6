"""HTML and SVG as text: everything that comes from a file is escaped here."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_ACCENT = (146, 103, 31)
"""Of pictures that hold one number a pixel: B, G, R, as --a in page.css."""


def element(name: str, *inside: str, **attributes: object) -> str:
    """Write an element around markup; `_` in an attribute's name stands for `-`, a trailing one for nothing."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value != ""
    )
    return f"<{name}{said}>{''.join(inside)}</{name}>"


def text(value: object) -> str:
    """Write what is no markup."""
    return escape(str(value))


def listing(lines: Iterable[str]) -> str:
    """Write lines of text as a list."""
    return element("ul", *(element("li", text(line)) for line in lines))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table; the first cell of a row names it. It scrolls by itself where it is too wide."""
    head = element("tr", *(element("th", text(cell), scope="col") for cell in header))
    body = [
        element("tr", element("th", text(row[0]), scope="row"), *(element("td", text(cell)) for cell in row[1:]))
        for row in rows
    ]
    inner = element("table", element("thead", head), element("tbody", *body))
    return element("div", inner, class_="scroll", tabindex="0", role="region", aria_label=header[0] or "table")


def facts(pairs: Iterable[tuple[object, object]]) -> str:
    """Write names and their values, in as many columns as fit."""
    items = (element("div", element("dt", text(key)), element("dd", text(value))) for key, value in pairs)
    return element("dl", *items, class_="facts")


def figure(title: str, *inside: str, caption: str = "") -> str:
    """Write a figure with a title above it and perhaps a sentence below."""
    below = element("figcaption", text(caption)) if caption else ""
    return element("figure", element("h3", text(title)), *inside, below)


def count(number: float) -> str:
    """Write a whole number so that it can be read: 12,345."""
    return f"{number:,.0f}"


def share(part: float, whole: float) -> str:
    """Write a share in percent."""
    return f"{part / whole:.1%}" if whole else "-"


def size(bytes_: float) -> str:
    """Write a number of bytes."""
    for unit, unit_size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if bytes_ >= unit_size:
            return f"{bytes_ / unit_size:.1f} {unit}"
    return f"{bytes_:.0f} B"


def jpeg(picture: NDArray[np.uint8], quality: int = 80) -> str:
    """Encode a (rows, columns, 3) B, G, R picture as a `data:` address."""
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])[1]
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def png(picture: NDArray[np.uint8]) -> str:
    """Encode a picture, gray (rows, columns) or with colours, as a `data:` address."""
    data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    return "data:image/png;base64," + base64.b64encode(data.tobytes()).decode()


def tint(shares: NDArray[np.floating]) -> str:
    """Encode (rows, columns) shares from 0 to 1 as one colour, more or less opaque: it stands on light and on dark."""
    strong = np.clip(np.nan_to_num(shares), 0, 1)
    pixels = np.empty((*strong.shape, 4), np.uint8)
    pixels[..., :3] = _ACCENT
    pixels[..., 3] = np.rint(255 * strong)
    return png(pixels)


def embed_json(record: Any) -> str:
    """Write JSON that may stand in a script element: nothing in it can end that."""
    return json.dumps(record, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
