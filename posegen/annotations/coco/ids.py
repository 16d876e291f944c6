"""Ids as files write them: whole numbers, and what stands for one, as 7.0, "7" or a text of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from posegen.annotations.audit import counted
from posegen.annotations.coco.checks import as_whole, is_text

_PLACES = (
    ("images", "id"),
    ("annotations", "id"),
    ("annotations", "image_id"),
    ("annotations", "category_id"),
    ("categories", "id"),
)
_PLAIN = frozenset({int, type(None)})


def number_text(text: str) -> int:
    """Make a number of an id that is text, always the same: the first 62 bits of its hash (BLAKE2b, UTF-8)."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 2


def read_id(value: Any) -> int | None:
    """Return the whole number that an id of a file stands for, as `Ids` does; None if it can be none."""
    if type(value) is int:
        return value
    number = as_whole(value)
    return number_text(value) if number is None and is_text(value) and value.strip() else number


class Ids:
    """Puts whole numbers where a document has ids that stand for one; what can be none is left to be refused.

    Attributes
    ----------
    notes
        What was changed, by count and example.
    texts
        The ids that are text, by the numbers made of them.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.texts: dict[int, str] = {}
        self._counts = {"number": 0, "text": 0}
        self._examples: dict[str, str] = {}
        for place, key in _PLACES:
            self._settle(place, key, document[place])
        self.notes = list(self._describe())

    def show(self, value: Any) -> Any:
        """Return an id as the file has it, for a message."""
        return self.texts.get(value, value) if type(value) is int else value

    def _settle(self, place: str, key: str, entries: list[Any]) -> None:
        if _PLAIN.issuperset({type(entry.get(key)) for entry in entries if isinstance(entry, dict)}):
            return
        for entry in entries:
            if not isinstance(entry, dict) or type(entry.get(key)) in _PLAIN:
                continue
            value = entry[key]
            number = read_id(value)
            if number is not None:
                kind = "text" if as_whole(value) is None else "number"
                if kind == "text":
                    self.texts[number] = value
                self._counts[kind] += 1
                self._examples.setdefault(kind, f"the {key} {value!r} in '{place}'")
                entry[key] = number

    def _describe(self) -> Iterator[str]:
        if count := self._counts["number"]:
            yield (
                f"{counted(count, 'id')} of whole numbers, written as text or with a point, such as "
                f"{self._examples['number']}: taken for these numbers"
            )
        if count := self._counts["text"]:
            number, text = next(iter(self.texts.items()))
            yield (
                f"{counted(count, 'id')} of text, such as {self._examples['text']}: a number made from each is stored, "
                f"{number} for {text!r} (posegen.annotations.number_text)"
            )
