"""A sheet of what is most suspicious, for people to look at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.inspect.doctor.suspicion import Suspicion
from posegen.inspect.drawing.canvas import INK, Picture, join_tiles, write_png
from posegen.inspect.drawing.text import frame
from posegen.inspect.report.gallery import draw_tile
from posegen.inspect.report.subject import open_annotations

_TILES = 24
_COLUMNS = 6
_SIDE = 320


def save_suspects(
    path: str | os.PathLike[str],
    suspicions: Sequence[Suspicion],
    picture: Path,
    *,
    config: BuildConfig | None = None,
    split: str | None = None,
    images: str | os.PathLike[str] | None = None,
) -> None:
    """Draw the surest suspicions to a PNG file.

    Parameters
    ----------
    path, config, split, images
        Of the annotations that were examined.
    suspicions
        What was found, the surest first.
    picture
        Where to write.

    Raises
    ------
    ConfigError
        If nothing is suspicious, there are no pictures, or nothing can be written.
    """
    subject = open_annotations(Path(path), config, split=split, images=images)
    if not suspicions:
        raise ConfigError("there is nothing suspicious to draw")
    if subject.notes:
        raise ConfigError(f"nothing can be drawn: {subject.notes[0]}")
    people = subject.people
    rows = {int(number): row for row, number in enumerate(people.ids)}
    samples = {int(number): sample for sample, number in enumerate(people.image_ids)}
    wanted: dict[int, list[int]] = {}
    for place, suspicion in enumerate(suspicions[:_TILES]):
        wanted.setdefault(samples[suspicion.image_id], []).append(place)
    tiles: dict[int, Picture] = {}
    for sample, shown in subject.pictures(list(wanted)):
        for place in wanted[sample]:
            suspicion = suspicions[place]
            whole = suspicion.annotation_id is None
            here = np.flatnonzero(people.owner == sample) if whole else np.array([rows[suspicion.annotation_id or 0]])
            tile = draw_tile(subject, shown, here, whole=whole, size=(_SIDE, _SIDE))
            name = f"image {suspicion.image_id}" + ("" if whole else f" annotation {suspicion.annotation_id}")
            tiles[place] = frame(frame(_pad(tile), suspicion.says), f"{suspicion.kind} {suspicion.score:.2f}: {name}")
    write_png(picture, join_tiles([tiles[place] for place in sorted(tiles)], min(_COLUMNS, len(tiles))))


def _pad(tile: Picture) -> Picture:
    """Put a tile into the middle of a square."""
    square = np.full((_SIDE, _SIDE, 3), INK, np.uint8)
    height, width = min(tile.shape[0], _SIDE), min(tile.shape[1], _SIDE)
    y, x = (_SIDE - height) // 2, (_SIDE - width) // 2
    square[y : y + height, x : x + width] = tile[:height, :width]
    return square
