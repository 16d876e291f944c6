"""File names as annotation files write them, and the files that directories hold under these or nearly these names.

Directories are listed, each once: asked for each of 100,000 names, a file system over a network would take minutes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

from posegen.annotations.audit import counted
from posegen.storage import AnyPath, list_names

_SHOWN = 3


class Names:
    """Finds what the image entries of a file name, in the directory that the names are relative to.

    Attributes
    ----------
    missing
        The names for which there is no file, each with what may help, or nothing.
    """

    def __init__(self, directory: AnyPath | None) -> None:
        self.directory = directory if directory is not None and directory.is_dir() else None
        self.missing: dict[str, str] = {}
        self._listings: dict[str, frozenset[str]] = {}
        self._folded: dict[str, dict[str, list[str]]] = {}
        self._changed: dict[str, list[tuple[str, str]]] = {}

    def find(self, name: str) -> str:
        """Return the name of a file inside the directory, with slashes; the name itself if there is none.

        Raises
        ------
        ValueError
            If the name leads out of the directory by its own words.
        """
        stays = not leaves(name)
        if self.directory is None and stays:
            return name
        if stays and self._has(name):
            return name
        if self.directory is not None:
            for why, other in self._guess(name):
                if (found := other if self._has(other) else self._match(other)) is not None:
                    spelt = why if found == other else _tell(found, other)
                    self._changed.setdefault(spelt, []).append((name, found))
                    return found
        if not stays:
            raise ValueError(f"file_name {name!r} leaves the image directory{self._hint(name)}")
        self.missing[name] = self._hint(name)
        return name

    def describe(self) -> Iterator[str]:
        """Say how names are written for which a file was found all the same."""
        for why, pairs in self._changed.items():
            name, found = pairs[0]
            yield f"{counted(len(pairs), 'file name')} written {why}, such as {name!r}: {found!r} was taken"

    def _has(self, name: str) -> bool:
        folder, _, base = name.rpartition("/")
        return base in self._list(folder)

    def _list(self, folder: str) -> frozenset[str]:
        found = self._listings.get(folder)
        if found is None:
            try:
                found = frozenset() if self.directory is None else list_names(self.directory / folder)
            except (OSError, ValueError):
                found = frozenset()
            self._listings[folder] = found
        return found

    def _guess(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield what a name may mean inside the directory, and how it is written then."""
        slashed = name.replace("\\", "/")
        for written, text in (("", name), ("with \\ for /", slashed), ("with percent signs", unquote(slashed))):
            for why, other in ((written, text), *self._strip(text)):
                if not leaves(other):
                    yield why, other

    def _strip(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield an absolute name relative to the directory, if it is inside, or else without its first slash."""
        if self.directory is None or not text.startswith("/"):
            return
        for directory in (self.directory.absolute(), self.directory.resolve()):
            if text.startswith(f"{directory.as_posix()}/"):
                yield "from the root on", text[len(directory.as_posix()) + 1 :]
        yield "with a slash in front", text.lstrip("/")

    def _match(self, name: str) -> str | None:
        """Find the only file whose name is the same but for case and the form of its characters, folder by folder."""
        folder = ""
        for part in (part for part in name.split("/") if part not in {"", "."}):
            if part not in self._list(folder):
                found = self._fold(folder).get(_key(part), [])
                exact = [one for one in found if _normal(one) == _normal(part)]
                if len(exact or found) != 1:
                    return None
                part = (exact or found)[0]  # noqa: PLW2901 (how it is spelt)
            folder = f"{folder}/{part}" if folder else part
        return folder or None

    def _fold(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._folded:
            folded: dict[str, list[str]] = {}
            for name in sorted(self._list(folder)):
                folded.setdefault(_key(name), []).append(name)
            self._folded[folder] = folded
        return self._folded[folder]

    def _hint(self, name: str) -> str:
        """Say which part of a name would fit, or which file is called alike."""
        if self.directory is None:
            return ""
        parts = [part for part in re.split(r"[\\/]+", unquote(name)) if part not in {"", ".", ".."}]
        for i in range(len(parts)):
            part = "/".join(parts[i:])
            if part != name and self._has(part):
                return f"; {part!r} is in {self.directory}: name it so, or say with --images what names are relative to"
        stem = parts[-1].rpartition(".")[0] or parts[-1] if parts else ""
        alike = sorted(one for one in self._list("/".join(parts[:-1])) if one.rpartition(".")[0] == stem)
        return f"; {', '.join(map(repr, alike[:_SHOWN]))} is there" if alike else ""


def leaves(name: str) -> bool:
    """Tell whether a name leads out of the directory it is relative to, by its own words, not by links."""
    if ".." not in name and name[:1] not in {"/", "\\"} and name[1:2] != ":":
        return False
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or name.startswith(("/", "\\")) or bool(re.match(r"[A-Za-z]:[\\/]", name))


def _tell(found: str, name: str) -> str:
    """Say how a name is written for which a file with nearly that name was found."""
    return "in another form of Unicode" if _normal(found) == _normal(name) else "in another case"


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _key(name: str) -> str:
    return _normal(_normal(name).casefold())
