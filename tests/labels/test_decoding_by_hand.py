"""Decoders on a few numbers whose outcome can be told by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from label_oracle import make_scene

from posegen.labels import PafLabel
from posegen.labels.decode import Peaks, limbs
from posegen.labels.decode.composite import find_intensity_peaks, join_associations
from posegen.labels.grid import make_grid


def make_peaks(channels: int, *found: tuple[int, float, float, float]) -> Peaks:
    """Peaks of a channel, at x, y, with a score each."""
    return Peaks(
        channels=channels,
        channel=np.array([k for k, *_ in found], np.intp),
        cells=np.zeros((len(found), 2), np.intp),
        points=np.array([(x, y) for _, x, y, _ in found], np.float64).reshape(-1, 2),
        scores=np.array([score for *_, score in found], np.float64),
    )


def test_a_field_is_followed_along_each_limb_that_is_drawn() -> None:
    grid = make_grid("bilinear", (64, 96), (16, 24))
    label = PafLabel(grid=grid, limbs=((0, 1), (2, 1), (2, 0)), limb_names=tuple("abc"), half_width_px=12.0)
    points = np.array([[[16.0, 16], [80, 16], [16, 48]], [[20.0, 50], [70, 50], [0, 0]]])
    drawn = np.array([[True, True, True], [True, True, False]])
    values = label.render(make_scene(points[:1], drawn[:1], (64, 96)))
    found = label.follow(values, points, drawn)
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found[0], 1, atol=0.1)
    assert np.isnan(found[1, 1:]).all()
    assert found[1, 0] == 0  # no limb of the kind was drawn there
    back = label.follow(values, points[:, [1, 0, 2]], drawn)
    np.testing.assert_allclose(back[0, 0], -1, atol=0.1)
    limbless = PafLabel(grid=grid, limbs=(), limb_names=(), half_width_px=12.0)
    assert limbless.follow(values[:0], points, drawn).shape == (2, 0)


def test_a_limb_scores_its_mean_and_less_if_it_is_longer_than_half_of_the_picture() -> None:
    field = np.zeros((2, 8, 20), np.float32)
    field[0] = 0.6

    def score(start: Any, stop: Any) -> float:
        return float(limbs._score(field, np.array([[start]], float), np.array([[stop]], float))[0, 0])

    assert score((2, 2), (5, 2)) == pytest.approx(0.6)
    assert score((2, 2), (6, 2)) == pytest.approx(0.6)
    assert score((2, 2), (7, 2)) == pytest.approx(0.6 + 4 / 5 - 1)
    assert score((2, 2), (2, 2)) == score((5, 2), (2, 2)) == 0
    assert score((2, 2), (14, 2)) == 0  # 0.6 + 4 / 12 - 1
    # From 3, 4 on 0.8 of it points along.
    assert score((2, 2), (4.4, 3.8)) == pytest.approx(0.6 * 0.8)
    # Of ten samples the first and the last one are at these cells; more than eight have to be above 0.05.
    for first, last, counts in ((0.6, 0.04, True), (0.04, 0.04, False), (0.04, 0.055, True)):
        field[0, :, 2], field[0, :, 5] = first, last
        assert (score((2, 2), (5, 2)) > 0) is counts


def test_limbs_are_taken_from_the_best_on_and_nobody_has_a_keypoint_twice() -> None:
    scores = np.array([[0.5, 0.9, 0.0], [0.8, 0.85, 0.1], [0.0, 0.0, 0.0]])
    assert limbs._match(scores) == [(0, 1), (1, 0)]
    assert limbs._match(scores[:, :0]) == []
    # Two shoulders, two elbows, one wrist: what the wrist is joined to first, it keeps.
    found = make_peaks(
        3, (0, 1, 1, 0.9), (0, 9, 1, 0.8), (1, 1, 4, 0.7), (1, 9, 4, 0.6), (2, 5, 8, 0.5), (2, 6, 8, 0.05)
    )
    tables = {
        0: np.array([[0.4, 0.0], [0.0, 0.3]]),
        1: np.array([[0.2, 0.0], [0.1, 0.0]]),
        2: np.array([[0.0, 0.0], [0.5, 0.0]]),
    }
    asked = []

    def score(e: int, starts: Any, stops: Any) -> Any:
        asked.append((e, starts.tolist(), stops.tolist()))
        return tables[e]

    people, total = limbs.join_scored(score, found, [(0, 1), (1, 2), (0, 2)])
    assert asked == [(0, [0, 1], [2, 3]), (1, [2, 3], [4, 5]), (2, [0, 1], [4, 5])]
    assert people.tolist() == [[[1, 1, 0.9], [1, 4, 0.7], [5, 8, 0.5]]]
    # Three peaks and two limbs, by three keypoints; the third limb would give the first person two shoulders.
    assert total.tolist() == [pytest.approx((0.9 + 0.7 + 0.5 + 0.4 + 0.2) / 3)]
    # A limb between two that are one person already counts.
    tables[2] = np.array([[0.3, 0.0], [0.0, 0.0]])
    _, total = limbs.join_scored(score, found, [(0, 1), (1, 2), (0, 2)])
    assert total.tolist() == [pytest.approx((0.9 + 0.7 + 0.5 + 0.4 + 0.2 + 0.3) / 3)]
    few, _ = limbs.join_scored(score, found, [(0, 1)])
    assert few.shape == (0, 3, 3)


def test_who_scores_less_than_a_fifth_is_nobody() -> None:
    table = np.full((1, 1), 0.03)
    for score, count in ((0.19, 1), (0.17, 0)):
        found = make_peaks(3, (0, 1, 1, score), (1, 1, 4, score), (2, 5, 8, score))
        people, _ = limbs.join_scored(lambda *_: table, found, [(0, 1), (1, 2)])
        # 0.19 + 2 / 3 of 0.03 is 0.21, 0.17 and that 0.19.
        assert len(people) == count


def test_peaks_of_an_intensity_field_are_where_cells_point() -> None:
    values = np.full((2, 5, 6, 8), np.nan, np.float32)
    values[:, 0] = 0
    # Sixteen cells of the second channel that point to 3.25, 2.5.
    for row, column in itertools.product(range(1, 5), range(2, 6)):
        values[1, :, row, column] = 1, 3.25 - column, 2.5 - row, 0.1, 1.0
    # Eight of the first, that point to 1, 1, and one to 6, 5 that is too weak.
    for row, column in itertools.product(range(2), range(4)):
        values[0, :, row, column] = 0.5, 1 - column, 1 - row, 0.1, np.nan
    values[0, :, 5, 6] = 1, 0, 0, 0.1, 1
    found = find_intensity_peaks(values, np.array([8.0, 4.0]))
    assert (found.channels, found.channel.tolist()) == (2, [0, 1])
    np.testing.assert_allclose(found.points, [(8, 4), (3.25 * 8, 2.5 * 4)])
    np.testing.assert_allclose(found.scores, [0.25, 1])
    assert found.cells.tolist() == [[1, 1], [2, 3]]


def test_a_peak_beyond_the_grid_is_in_the_cell_of_its_edge() -> None:
    for x, y, cell in ((0.2, -0.4, [0, 0]), (-3, 2, [2, 0]), (9, 3.6, [4, 7]), (7, 8, [5, 7]), (0.6, 5, [5, 1])):
        values = np.zeros((1, 5, 6, 8), np.float32)
        for row, column in itertools.product(range(4), range(4)):
            values[0, :, row, column] = 1, x - column, y - row, 0.1, 1
        found = find_intensity_peaks(values, np.ones(2))
        assert found.cells.tolist() == [cell]
        np.testing.assert_allclose(found.points, [(x, y)], atol=1e-6)
        assert found.scores.dtype == found.points.dtype == np.float64


def test_a_vote_counts_for_places_within_its_scale_and_half_a_cell_at_least() -> None:
    def gather(apart: float, scale: float) -> list[float]:
        """Twelve votes for 2, 2 and six that far to the right: the scores."""
        values = np.zeros((1, 5, 6, 6), np.float32)
        places = [*itertools.product(range(6), range(3))]
        for n, (row, column) in enumerate(places):
            values[0, :, row, column] = 1, 2 + apart * (n >= 12) - column, 2 - row, 0.1, scale
        return find_intensity_peaks(values, np.ones(2)).scores.round(6).tolist()

    assert gather(0.4, 0.1) == [1]
    assert gather(0.6, 0.1) == [0.75, 0.375]
    assert gather(0.6, 0.7) == [1]
    assert gather(0.8, 0.7) == [0.75, 0.375]


def test_limbs_join_the_peaks_to_which_cells_point_with_both_ends() -> None:
    found = make_peaks(3, (0, 8, 8, 0.9), (0, 8, 40, 0.8), (1, 40, 8, 0.9), (1, 40, 48, 0.8), (2, 60, 8, 0.7))
    places = found.points / 8
    values = np.full((2, 9, 8, 8), np.nan, np.float32)
    values[:, 0] = 0

    def draw(e: int, start: int, stop: int, cells: Any, scales: tuple[float, float] = (0.5, 0.5)) -> None:
        for row, column in cells:
            (x1, y1), (x2, y2) = places[start] - (column, row), places[stop] - (column, row)
            values[e, :, row, column] = 1, x1, y1, x2, y2, 0.1, 0.1, *scales

    draw(0, 0, 2, [(1, 2), (1, 3), (1, 4)])
    draw(0, 1, 3, [(5, 2), (6, 3)])
    draw(1, 2, 4, [(1, 5), (1, 6)])
    people, total = join_associations(values, places, found, [(0, 1), (1, 2)])
    assert people.tolist() == [[[8, 8, 0.9], [40, 8, 0.9], [60, 8, 0.7]]]
    # The best pair of each limb has the score 1.
    np.testing.assert_allclose(total, [(0.9 + 0.9 + 0.7 + 1 + 1) / 3], atol=1e-6)


def test_a_pair_needs_a_whole_vote() -> None:
    found = make_peaks(3, (0, 1, 1, 0.9), (1, 5, 1, 0.9), (2, 3, 4, 0.9))
    for weight, count in ((1.0, 1), (0.99, 0)):
        values = np.zeros((2, 9, 6, 8), np.float32)
        values[:, 7:] = 0.5
        values[0, :5, 1, 3], values[1, :5, 2, 4] = (1, -2, 0, 2, 0), (weight, 1, -1, -1, 2)
        people, _ = join_associations(values, found.points, found, [(0, 1), (1, 2)])
        assert len(people) == count


def test_an_end_counts_by_how_near_it_is_for_its_scale() -> None:
    scored: dict[tuple[float, ...], float] = {}
    for scales, off in itertools.product(((0.5, 0.5), (2.0, 0.5), (0.5, 2.0)), ((1.5, 0), (0, 1.5))):
        # Two pairs of peaks; to the first four cells point straight, to the second some cells off at one end.
        found = make_peaks(3, (0, 1, 1, 0.9), (0, 1, 20, 0.9), (1, 5, 1, 0.9), (1, 5, 20, 0.9), (2, 5, 23, 0.9))
        values = np.full((2, 9, 24, 8), np.nan, np.float32)
        values[:, 0] = 0
        for first, column in itertools.product((1, 20), range(1, 5)):
            aside = off if first > 1 else (0, 0)
            values[0, :, first, column] = 1, 1 - column, aside[0], 5 - column, aside[1], 0.1, 0.1, *scales
        # Votes weigh by their intensity.
        values[0, 0, 20, 1:5] = 0.8
        values[1, :, 21, :2] = np.array([1, 5, -1, 5, 2, 0.1, 0.1, 0.5, 0.5])[:, None]
        values[1, 1, 21, 1], values[1, 3, 21, 1] = 4, 4
        people, total = join_associations(values, found.points, found, [(0, 1), (1, 2)])
        assert people[:, :, 1].tolist() == [[20, 20, 23]]
        scored[(*scales, *off)] = float(total[0]) * 3 - 3 * 0.9 - 1
    for (first, second, *off), score in scored.items():
        spread = max(first if off[0] else second, 1)
        assert score == pytest.approx(0.8 * math.exp(-0.5 * (1.5 / spread) ** 2), abs=1e-5)
