"""Text in columns and in lines, as commands print it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def align(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Align columns: words to the left, numbers to the right, with the - that stand for none."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    starts = [{"0" if row[i][:1].isdigit() else row[i] for row in rows} for i in range(len(header))]
    right = ["0" in found and found <= {"0", "-"} for found in starts]
    return [
        "  "
        + "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in [header, *rows]
    ]


def wrap(items: Iterable[str]) -> list[str]:
    """Fill lines of 100 characters with items."""
    lines = [" "]
    for item in items:
        if len(lines[-1]) + len(item) > 100 and lines[-1].strip():
            lines.append(" ")
        lines[-1] += f" {item}"
    return lines
