"""Which pictures are turned because points fit them only as they are shown, and for which that is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posegen.annotations.coco.images import Image
from posegen.annotations.coco.judging import _fit_only_turned, _Points
from posegen.annotations.coco.turning import fit_only_turned, refuse_turned, turn_unstated
from posegen.errors import AnnotationError, ImageError


def test_images_without_a_size_are_turned_by_the_first_points_that_fit_only_so() -> None:
    images = {
        1: Image("a.jpg", 30, 20), 2: Image("b.jpg", 30, 20), 3: Image("c.jpg", 30, 20), 4: Image("", 30, 20),
        5: Image("e.jpg", 30, 20),
    }  # fmt: skip
    shown = 30, 20
    upright, wide = [5, 25, 1, 0, 0, 0], [25, 5, 2]
    entries: list[Any] = [
        None, {"image_id": "1"}, {"keypoints": upright}, {"image_id": 3, "keypoints": upright}, {"image_id": 1},
        {"image_id": 1, "keypoints": [5, 25]}, {"image_id": 1, "keypoints": "bad"},
        {"image_id": 4, "keypoints": upright},
        {"image_id": 2, "keypoints": wide}, {"image_id": 1, "keypoints": [5, 25, 0]},
        {"image_id": 1, "keypoints": upright},
        {"image_id": 1, "keypoints": wide}, {"image_id": 2, "keypoints": [5, 5, 2]},
        {"image_id": 5, "keypoints": upright},
    ]  # fmt: skip
    assert turn_unstated({1: shown, 2: shown, 4: shown, 5: shown}, images, entries) == ["a.jpg", "e.jpg"]
    assert {number: (image.width, image.height) for number, image in images.items()} == {
        1: (20, 30), 2: (30, 20), 3: (30, 20), 4: (30, 20), 5: (20, 30),
    }  # fmt: skip
    assert turn_unstated({}, images, entries) == []


def test_pictures_that_cannot_be_read_or_lie_as_they_are_stored_are_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How each is turned, and its (height, width) as it is stored.
    stored = {"plain.jpg": (1, (20, 30)), "b.jpg": (6, (20, 30)), "c.jpg": (6, (30, 20)), "d.jpg": (8, (20, 30))}
    opened: list[str] = []

    def read_turn(directory: Path, name: str) -> int:
        opened.append(name)
        if name not in stored:
            raise ImageError(f"{directory / name}: no such picture")
        return stored[name][0]

    monkeypatch.setattr("posegen.images.files.read_turn", read_turn)
    monkeypatch.setattr("posegen.images.files.read_size", lambda directory, name: stored[name][1])
    path = Path("a.json")

    def suspect(*names: str) -> dict[str, Image]:
        return {name: Image(name, 30, 20) for name in names}

    refuse_turned(path, None, suspect("b.jpg"))
    refuse_turned(path, tmp_path / "nothing", suspect("b.jpg"))
    assert opened == []
    refuse_turned(path, tmp_path, suspect("bad.jpg", "plain.jpg", "c.jpg"))
    refuse_turned(path, tmp_path, suspect(*(f"{i}.jpg" for i in range(1000)), "b.jpg"))
    assert (len(opened), opened[-1]) == (1003, "999.jpg")
    with pytest.raises(AnnotationError) as caught:
        refuse_turned(path, tmp_path, suspect("bad.jpg", "plain.jpg", "c.jpg", "b.jpg", "d.jpg"))
    assert str(caught.value) == (
        "a.json: the points of 2 images, such as b.jpg, leave the 30x20 pixels that are stored, but fit the 20x30 that "
        "are shown: the annotating tool turned these pictures by their EXIF orientation. --exif shown turns all "
        "pictures so; --exif stored takes the points as they are"
    )


def test_points_at_every_edge_fit_the_image_on_its_side_by_both_readers() -> None:
    image = Image("a.jpg", 30, 20)
    # One pixel beside an edge is on the image; here it is what fits, whichever way the image lies.
    edges = np.array([-1.5, -1.0, 5.0, 20.5, 21.0, 21.5, 30.5, 31.0, 31.5])
    x, y = (at.ravel() for at in np.meshgrid(edges, edges))
    people = np.stack([np.stack([x, y, np.ones_like(x)], axis=1), np.full((len(x), 3), (99.0, 99.0, 0.0))], axis=1)
    expected = (np.minimum(x, y) >= -1) & ((x > 31) | (y > 21)) & (x <= 21) & (y <= 31)
    assert [fit_only_turned(points, image) for points in people] == expected.tolist()
    found = _fit_only_turned(_Points.of(people), np.tile((20, 30), (len(people), 1)))
    np.testing.assert_array_equal(found, expected)
    assert 0 < expected.sum() < len(expected)
