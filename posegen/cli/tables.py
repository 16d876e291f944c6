"""Text in columns and in lines, as commands print it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

_WIDTH = 100


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
    """Fill lines with items."""
    lines = [" "]
    for item in items:
        if len(lines[-1]) + len(item) > _WIDTH and lines[-1].strip():
            lines.append(" ")
        lines[-1] += f" {item}"
    return lines


def fill(text: str) -> Iterator[str]:
    """Fill lines with paragraphs and with items that begin with -; what is indented by 4 and more stays as it is."""
    joined = re.sub(r"(?<=\S)\n {0,3}(?=[^\s-]|-\S)", " ", text)
    for line in joined.splitlines():
        if not line or line.startswith("    "):
            yield line
            continue
        indent = "  " if line.startswith("- ") else ""
        yield from textwrap.wrap(line, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def count_samples(samples: int, people: int) -> str:
    """Write how many samples there are, and how many people on them."""
    return f"{samples} sample{'' if samples == 1 else 's'} with {people} {'person' if people == 1 else 'people'}"
