"""Text in pictures, whichever OpenCV draws it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from posegen.inspect.drawing.text import frame, measure_text, shorten, write_text


@pytest.fixture(params=["as it is", "without fonts"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV 5, where it is installed, and what OpenCV 4 can do."""
    if request.param == "without fonts":
        monkeypatch.delattr(cv2, "FontFace", raising=False)


@pytest.mark.usefixtures("either")
def test_text_is_drawn_where_it_is_measured_to_be() -> None:
    for size in (12, 20, 40):
        picture = np.zeros((100, 600, 3), np.uint8)
        write_text(picture, "heatmap, größe", (10, 60), (255, 255, 255), size)
        rows, columns = np.nonzero(picture.any(axis=2))
        assert 8 <= columns.min() <= 10 + size
        assert abs(columns.max() - 10 - measure_text("heatmap, größe", size)) <= size
        assert 60 - 1.2 * size <= rows.min() < rows.max() <= 60 + 0.5 * size


@pytest.mark.usefixtures("either")
def test_what_is_too_long_is_cut_to_its_room() -> None:
    for text, room in (("a caption that is far too long for its room", 120), ("ok", 200), ("what\nnot", 300)):
        shown = shorten(text, room, 20)
        assert measure_text(shown, 20) <= room
        assert shown.isprintable()
        assert shown.startswith(text[:2])
    assert shorten("no room", 1, 20) == ""


@pytest.mark.usefixtures("either")
def test_a_frame_has_its_caption_over_the_picture() -> None:
    picture = np.full((200, 300, 3), 7, np.uint8)
    framed = frame(picture, "image 100, größe/b c.jpg", wheel=True)
    assert (framed[-200:] == picture).all()
    bar = framed[:-200]
    assert (bar != bar[0, 0]).any()
