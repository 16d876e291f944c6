"""How much of each pixel of an input is picture, and what is handed out where labels are drawn elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import Coco
from executors import InProcess
from numpy.typing import NDArray

import posegen
from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.geometry import Affine, fit
from posegen.images.augment import View
from posegen.loader import PoseDataset
from posegen.loader.ahead import follow
from posegen.loader.shown import fill_shown, find_boxes, find_there

FINE = 16


def measure(image: tuple[int, int], affine: Affine, size: tuple[int, int]) -> NDArray[np.float64]:
    """Count of FINE x FINE places in each pixel of an input those that an image covers: shares of 1."""
    ys, xs = ((np.arange(n * FINE) + 0.5) / FINE - 0.5 for n in size)
    x, y = np.meshgrid(xs, ys)
    at = affine.inverse().apply(np.stack([x, y], axis=-1))
    inside = ((at > -0.5) & (at < np.array(image[::-1]) - 0.5)).all(axis=-1)
    return inside.reshape(size[0], FINE, size[1], FINE).mean(axis=(1, 3))


def test_of_a_picture_that_lies_upright_the_exact_share_of_each_pixel_is_known() -> None:
    # Inside, across each edge, and smaller than a pixel.
    for scale_x, scale_y, x, y in ((0.5, 0.75, 2.0625, 1.5), (1.5, 1.25, -3.5, -2.125), (0.0625, 0.0625, 3.0, 2.0)):
        affine = Affine(scale_x, 0, x, 0, scale_y, y)
        for image in ((6, 8), (4, 10)):
            corners = affine.apply(np.array([[-0.5, -0.5], [image[1] - 0.5, image[0] - 0.5]]))
            expected = measure(image, affine, (9, 12)) * 255
            found = find_there(image, affine, (9, 12), None)
            assert found is not None
            assert found.dtype == np.uint8
            assert np.abs(found - expected).max() <= 255 / 8
            low, high = corners.clip(-0.5, [[11.5, 8.5]])
            np.testing.assert_allclose(found.sum() / 255, np.prod(high - low), atol=0.1)


def test_of_a_picture_that_is_turned_shares_are_near() -> None:
    for degrees, image in product((10, 45, 80, 200), ((8, 12), (20, 5))):
        turn = np.radians(degrees)
        scale = 0.8
        cos, sin = scale * np.cos(turn), scale * np.sin(turn)
        middle = np.array([(image[1] - 1) / 2, (image[0] - 1) / 2])
        linear = np.array([[cos, -sin], [sin, cos]])
        x0, y0 = np.array([9.25, 8.5]) - linear @ middle
        affine = Affine(cos, -sin, x0, sin, cos, y0)
        found = find_there(image, affine, (18, 20), None)
        assert found is not None
        expected = measure(image, affine, (18, 20)) * 255
        off = found - expected
        assert np.abs(off).max() < 40
        assert abs(off.mean()) < 1
        assert (found[expected == 255] > 215).all()
        assert (found[expected == 0] < 40).all()
        assert {0, 255} <= {*found.ravel().tolist()}


def test_what_is_ignored_shows_nothing_and_all_of_a_whole_picture_counts() -> None:
    ignored = np.zeros((6, 8), bool)
    ignored[2:4, 5] = True
    whole, beside = fit((12, 16), (6, 8), "letterbox"), Affine(0.5, 0, 2, 0, 0.25, 1)
    assert find_there((12, 16), whole, (6, 8), None) is None
    np.testing.assert_array_equal(find_there((12, 16), whole, (6, 8), ignored), np.where(ignored, 0, 255))
    for affine in (whole, beside):
        for of in (None, ignored):
            out = np.full((6, 8), 77, np.uint8)
            fill_shown((12, 16), affine, of, out)
            there = find_there((12, 16), affine, (6, 8), of)
            np.testing.assert_array_equal(out, 255 if there is None else there)
    # Fitted to the width, a picture leaves rows above and below it: what is stored of these is none of it.
    low = np.full((8, 8), 77, np.uint8)
    fill_shown((6, 12), fit((6, 12), (8, 8), "letterbox"), None, low)
    np.testing.assert_array_equal(low, np.repeat([0, 0, 255, 255, 255, 255, 0, 0], 8).reshape(8, 8))


def test_boxes_of_what_is_ignored_are_those_of_its_connected_parts() -> None:
    ignored = np.zeros((10, 12), bool)
    ignored[1:3, 2:7] = True
    ignored[3, 7] = True  # corner to corner is connected
    ignored[6:9, 0] = True
    found = find_boxes(ignored, Affine(2, 0, 0.5, 0, 2, 0.5))
    assert found is not None
    assert found.dtype == np.float32
    assert sorted(found.tolist()) == [[0, 12, 2, 6], [4, 2, 12, 6]]
    assert find_boxes(np.zeros((3, 3), bool), Affine(1, 0, 0, 0, 1, 0)) is None


VIEWS = {0: View(), 1: View(scale=0.5, rotation=30, shift=(4, -2)), 2: View(flip=True)}


def find_view(epoch: int, number: int) -> View:
    return VIEWS[(epoch + number) % 3]


@pytest.mark.parametrize("unit", ["image", "person"])
def test_where_labels_are_drawn_elsewhere_samples_are_as_stored_with_views_and_what_counts(
    dataset: Path, corpus: Coco, tmp_path: Path, unit: str
) -> None:
    path = dataset
    if unit == "person":
        path = tmp_path / "people"
        config = BuildConfig(unit="person", input_size=(64, 48), stride=4, labels=("heatmap", "mask"))
        posegen.build(corpus.root, path, config, executor=InProcess())
    stored, drawn = PoseDataset(path), PoseDataset(path, views=find_view)
    data = PoseDataset(path, views=find_view, labels="device")
    labels = [*stored.scales]
    assert set(data.fields) == {*stored.fields, "shown", "views"} - {*labels}
    assert [label.spec.name for label in data.undrawn or ()] == labels
    for epoch in (0, 1):
        data.epoch = drawn.epoch = epoch
        found, whole = data[:], stored[:]
        for name in stored.fields:
            if name not in labels:
                for one, other in zip(found[name], whole[name], strict=True):
                    np.testing.assert_array_equal(one, other, name)
        np.testing.assert_array_equal(found["views"], [find_view(epoch, i).values for i in range(len(data))])
        np.testing.assert_array_equal(
            data.reader.read_affines(range(len(data)), epoch), drawn[:]["affine"]
        )  # fmt: skip
    size = whole["image"].shape[1:3]
    assert found["shown"].dtype == np.uint8
    assert found["shown"].shape == whole["image"].shape[:3]
    for i, shown in enumerate(found["shown"]):
        affine, image = Affine.from_matrix(whole["affine"][i]), (int(whole["height"][i]), int(whole["width"][i]))
        (left, top), (right, bottom) = affine.apply(np.array([[-0.5, -0.5], [image[1] - 0.5, image[0] - 0.5]]))
        rows, columns = np.arange(size[0])[:, None], np.arange(size[1])
        beside = (columns + 0.5 <= left) | (columns - 0.5 >= right) | (rows + 0.5 <= top) | (rows - 0.5 >= bottom)
        assert not shown[beside].any()
    # Where a mask is 0, something of what it is made of is; and where it is 1, all is seen.
    mask, step = whole["mask"][:, 0], size[0] // whole["mask"].shape[2]
    cells = found["shown"].reshape(len(mask), mask.shape[1], step, mask.shape[2], step) / 255
    assert np.abs(cells.mean(axis=(2, 4)) - mask).mean() < 0.03
    alone = PoseDataset(path, views=find_view, labels="device", fields=["heatmap", "image_id"])
    assert list(alone[0]) == ["image_id", "keypoints", "bbox", "views"]


def test_where_labels_are_drawn_elsewhere_is_one_of_two_places_and_nothing_is_raw(dataset: Path) -> None:
    for options, why in (
        ({"labels": "there"}, "labels are drawn 'here' or on the 'device', not 'there'"),
        ({"labels": "device", "raw": True}, "labels that are drawn on the device are not stored: raw does not go"),
    ):
        with pytest.raises(ConfigError, match=why):
            PoseDataset(dataset, **options)  # type: ignore[arg-type]
    np.testing.assert_array_equal(PoseDataset(dataset, labels="device")[:]["views"], [[1, 0, 0, 0, 0]] * 8)


def test_shards_that_lie_elsewhere_are_told_what_comes_next(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []
    tell: Callable[[str], Callable[[Any], None]] = lambda word: lambda what: said.append((word, what))  # noqa: E731
    here, there = PoseDataset(dataset), PoseDataset(dataset)
    for data in (here, there):
        monkeypatch.setattr(data.pool, "expect", tell("expect"))
        monkeypatch.setattr(data.pool, "reach", tell("reach"))
    there.path = SimpleNamespace()  # type: ignore[assignment] # of a bucket, say
    silent = ([here], [7, 0]), ([there, there], [7, 0]), ([object()], [7, 0]), ([there], [8, 0]), ([there], [])
    for sources, indices in silent:
        assert list(follow(sources, indices)) == indices
        assert said == [("expect", [])] * (indices == [])
        said.clear()
    for source in (there, SimpleNamespace(data=there)):
        numbers = follow([source], [7, 0])
        assert next(numbers) == 7
        assert said == [("expect", [7, 0]), ("reach", 7)]
        assert list(numbers) == [0]
        assert said[2:] == [("reach", 0)]
        said.clear()
