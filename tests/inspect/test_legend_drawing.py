"""What is said under a sample's panels: its signs, its view, its weights; and the rows of several strides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from shards_by_hand import DOTS, FACTOR, Drawn, Open, cut_panels, written_in

from posegen.images.augment import Augmentation
from posegen.inspect.drawing import legend
from posegen.inspect.drawing.sample import draw_sample


@pytest.fixture
def open_shard(tmp_path: Path) -> Iterator[Open]:
    with written_in(tmp_path) as write:
        yield write


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is written into legends from now on."""
    written: list[str] = []
    monkeypatch.setattr(legend, "write_text", lambda picture, text, *rest: written.append(text))
    return written


def test_the_legend_tells_the_signs_of_the_labels_that_there_are(open_shard: Open, texts: list[str]) -> None:
    people = ["visible keypoint", "occluded keypoint"]
    mask, field = "the loss does not count", "direction of a limb's field"
    for labels, signs in (
        (("heatmap",), people),
        (("mask",), [*people, mask]),
        (("paf",), [*people, field]),
        (("heatmap", "paf", "mask"), [*people, mask, field]),
        (("cif", "caf"), [*people, field]),
        (("centernet",), people),  # whose masks have no cells, and so no panel
    ):
        texts.clear()
        draw_sample(open_shard(Drawn(), labels=labels), 0, legend=True)
        assert texts == [*signs, "file: seven.jpg"]


def test_the_legend_is_under_the_panels_and_leaves_them_as_they_are(open_shard: Open) -> None:
    reader = open_shard(Drawn(image=90, people=[[(10, 10, 2), (30, 20, 1)]]), labels=("mask",))
    plain, told = draw_sample(reader, 0), draw_sample(reader, 0, legend=True)
    np.testing.assert_array_equal(told[: len(plain)][-512:], plain[-512:])
    strip = told[len(plain) :].astype(int)
    assert 30 <= len(strip) < 90
    # The mask's sign is red, and nothing else is.
    assert (strip[..., 2] - strip[..., 1]).max() > 80


def test_a_legend_on_a_narrow_picture_takes_more_lines(texts: list[str]) -> None:
    signs = legend.list_signs(crosses=True, masks=True, fields=True)
    heights = [len(legend.add_legend(np.zeros((8, width, 3), np.uint8), signs, ["a b " * 40])) for width in (2000, 300)]
    assert heights[0] < heights[1]
    for width in (1, 8, 31):
        assert legend.add_legend(np.zeros((8, width, 3), np.uint8), signs, ["word"]).shape[1] == width


def test_labelled_keypoints_of_weight_0_are_crossed_and_all_of_them_named(open_shard: Open, texts: list[str]) -> None:
    people = [[(10, 10, 2), (0, 0, 0)]]
    weights = [np.array(values, np.float32) for values in ((0, 0), (1, 0), (1, 1))]
    reader = open_shard(
        *(Drawn(image=90, people=people, labels={"weight": w}) for w in weights),
        labels=("mask", "weight"),
        skeleton=DOTS,
    )
    crossed, plain, full = (cut_panels(draw_sample(reader, i), 2)[0] for i in range(3))
    np.testing.assert_array_equal(plain, full)
    y, x, _ = np.argwhere(crossed != plain).mean(axis=0)
    assert (x, y) == pytest.approx((10.5 * FACTOR - 0.5,) * 2, abs=1)
    middle = crossed[10 * FACTOR + 8, 10 * FACTOR + 8]
    assert middle[2] - middle[1] > 100, "the cross is red"
    said = []
    for i in range(3):
        texts.clear()
        draw_sample(reader, i, legend=True)
        said.append([text for text in texts if "weight 0" in text])
    assert said == [
        ["keypoint of weight 0 (at the edge: beyond it)", "weight 0, labelled: a", "weight 0, not labelled: b"],
        ["weight 0, not labelled: b"],
        ["weight 0: no keypoint"],
    ]


def test_the_view_is_told(open_shard: Open, texts: list[str]) -> None:
    reader = open_shard(
        Drawn(view=(0.75, -12.5, 3, -4.25, 1)), Drawn(), labels=("mask",), augment=Augmentation(rotate=40), copies=2
    )
    for index, expected in enumerate(
        (
            "view: scaled by 0.75, turned by -12.5 degrees, shifted by 3, -4.25 pixels, mirrored",
            "view: scaled by 1, turned by 0 degrees, shifted by 0, 0 pixels, not mirrored",
        )
    ):
        texts.clear()
        draw_sample(reader, index, legend=True)
        assert texts[-1] == expected


def test_each_stride_has_a_row_of_panels(open_shard: Open) -> None:
    fine, coarse = np.ones((1, 8, 10), np.float32), np.ones((1, 4, 5), np.float32)
    fine[0, 2, 4] = coarse[0, 3, 0] = 0
    labels = {"mask_s4": fine, "mask_s8": coarse, "heatmap_s4": np.zeros((3, 8, 10), np.float32)}
    reader = open_shard(Drawn(image=90, labels=labels), labels=("heatmap", "mask"), stride=(4, 8))
    picture = draw_sample(reader, 0)
    assert 3 * 640 <= picture.shape[1] < 3 * 640 + 40
    assert 2 * 512 < len(picture) < 2 * 512 + 100
    last = cut_panels(picture, 3)[2]
    first = cut_panels(picture[: (len(picture) - 5) // 2], 3)[2]
    for panel, (rows, columns) in (
        (first, (slice(128, 192), slice(256, 320))),
        (last, (slice(384, 512), slice(0, 128))),
    ):
        red = (panel[..., 2] - panel[..., 1]) > 20
        assert red[rows, columns].all()
        assert red.sum() == red[rows, columns].size


def test_the_number_in_the_dataset_is_in_the_caption(open_shard: Open) -> None:
    reader = open_shard(Drawn(), labels=("mask",))
    pictures = [draw_sample(reader, 0, number=number) for number in (3, 4)]
    changed = np.argwhere((pictures[0] != pictures[1]).any(axis=2))
    assert len(changed)
    assert changed.max(axis=0)[0] < len(pictures[0]) - 512


def test_a_keypoint_of_weight_0_beyond_the_edge_is_crossed_at_the_edge(open_shard: Open) -> None:
    samples = (
        Drawn(image=90, people=[[(-30, 16, 2), (3e38, -3e38, 2)]], labels={"weight": w})
        for w in np.eye(2, dtype=np.float32)
    )
    reader = open_shard(*samples, Drawn(image=90), labels=("mask", "weight"), skeleton=DOTS)
    second, first, plain = (cut_panels(draw_sample(reader, i), 2)[0] for i in range(3))
    # Within two input pixels of the edge, and of row 16.
    for panel, rows, columns in ((first, (232, 296), (0, 32)), (second, (0, 32), (608, 640))):
        changed = np.argwhere((panel != plain).any(axis=2))
        assert len(changed) > 50
        for axis, (start, end) in enumerate((rows, columns)):
            assert start <= changed.min(axis=0)[axis]
            assert changed.max(axis=0)[axis] < end
