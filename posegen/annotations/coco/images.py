"""The image entries of an annotation file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from posegen.annotations.coco.checks import Problems, as_whole, brief, is_id, is_size, is_text
from posegen.annotations.coco.ids import Ids
from posegen.annotations.coco.names import Names
from posegen.annotations.coco.segmentation import read_regions
from posegen.annotations.sample import Shape
from posegen.config.choices import Exif
from posegen.errors import ImageError
from posegen.geometry import Size
from posegen.storage import AnyPath

MOST_PIXELS = 1 << 28


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An image entry that could be read; width and height in pixels, and the shapes that it says to be ignored."""

    file_name: str
    width: int
    height: int
    ignored: tuple[Shape, ...] = ()


class ImageReader:
    """Turns image entries into images, and finds their files.

    Attributes
    ----------
    names
        What finds the files; it has those that are missing.
    notes
        What the user should know about how they were read.
    undecided
        The (height, width) as shown, by id, of images that state no size and whose pictures lie on their side.
    """

    def __init__(self, directory: AnyPath | None, problems: Problems, ids: Ids, exif: Exif) -> None:
        self.directory = directory
        self.problems = problems
        self.ids = ids
        self.exif = exif
        self.names = Names(directory)
        self.notes: list[str] = []
        self.undecided: dict[int, Size] = {}
        self._measured = 0
        self._turned: list[str] = []

    def read(self, entries: list[Any]) -> dict[int, Image]:
        """Read the image entries, by id; what is wrong with one is added to the problems.

        An entry may leave its image's size to the picture: null, or numbers below 1, for both sides. It is the size as
        stored, that is without the EXIF orientation, unless that is to be applied.
        """
        images: dict[int, Image] = {}
        for position, entry in enumerate(entries):
            if not isinstance(entry, dict) or not is_id(entry.get("id")):
                found = f"not {brief(entry.get('id') if isinstance(entry, dict) else entry)}"
                self.problems.add(f"images[{position}]: expected an object with a whole number 'id', {found}")
                continue
            where = f"image {self.ids.show(entry['id'])}"
            if entry["id"] in images:
                self.problems.add(f"{where}: the id occurs more than once")
                continue
            # Its annotations are not to blame as well.
            images[entry["id"]] = Image("", 1, 1)
            try:
                images[entry["id"]] = self._read(entry)
            except ValueError as error:
                self.problems.add(f"{where}: {error}")
        self.notes += self.ids.notes
        self.notes += self.names.describe()
        self._note_sizes(len(images))
        return images

    def _read(self, entry: Mapping[str, Any]) -> Image:
        name = entry.get("file_name")
        if not is_text(name) or not name or "\0" in name:
            raise ValueError(f"'file_name' must be a name, not {brief(name)}")
        name = self.names.find(name)
        ignored = read_regions(entry)
        if _is_unstated(entry.get("width")) and _is_unstated(entry.get("height")):
            self._measured += 1
            height, width = _find_size(self.directory, name, shown=self.exif == "shown")
            if self.exif == "auto":
                shown = _find_size(self.directory, name, shown=True)
                if shown != (height, width):
                    self.undecided[entry["id"]] = shown
        else:
            height, width = _state(entry)
            if self.exif == "shown" and name not in self.names.missing:
                height, width = self._turn(name, (height, width))
        return Image(name, width, height, ignored)

    def _turn(self, name: str, size: Size) -> Size:
        """Return the size of a picture as it is shown, if the entry states it as stored."""
        from posegen.images.files import read_size, read_turn

        if self.directory is None or not self.directory.is_dir():
            return size
        try:
            if not read_turn(self.directory, name):
                return size
            shown = read_size(self.directory, name, shown=True)
        except ImageError:
            return size  # the build says what is wrong with it
        self._turned.append(name)
        return shown if shown == size[::-1] else size

    def _note_sizes(self, count: int) -> None:
        if self._measured:
            self.notes.append(f"{self._measured} of {count} images state no size; it was read from their pictures")
        if self._turned:
            self.notes.append(
                f"{len(self._turned)} of {count} pictures are turned by their EXIF orientation, such as "
                f"{self._turned[0]}; they are read as they are shown, and so must be their annotations"
            )


def _is_unstated(side: Any) -> bool:
    """Tell whether a side is none: null, not a number, or a number below 1, as some tools write it."""
    return side is None or side == "" or (isinstance(side, (int, float)) and not side >= 1)


def _find_size(directory: AnyPath | None, name: str, *, shown: bool) -> Size:
    from posegen.images.files import read_size

    if directory is None:
        raise ValueError("it has no 'width' and 'height', and there is no image directory to read them from")
    try:
        return _limit(*read_size(directory, name, shown=shown))
    except ImageError as error:
        raise ValueError(f"it has no 'width' and 'height', and its picture does not tell: {error}") from error


def _state(entry: Mapping[str, Any]) -> Size:
    width, height = entry.get("width"), entry.get("height")
    if isinstance(width, str) or isinstance(height, str):
        width, height = as_whole(width) or width, as_whole(height) or height
    if not is_size(width) or not is_size(height):
        raise ValueError(
            f"'width' and 'height' must be whole numbers from 1 on, not {brief(width)} and {brief(height)}"
        )
    return _limit(int(height), int(width))


def _limit(height: int, width: int) -> Size:
    if width * height > MOST_PIXELS:
        raise ValueError(f"{width}x{height} pixels are more than the {MOST_PIXELS} that are decoded")
    return height, width
