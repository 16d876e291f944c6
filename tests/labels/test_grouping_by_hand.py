"""How people are put together of tags and of centres, and how peaks are refined, on numbers told by hand."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from posegen.labels.decode import Peaks, peaks
from posegen.labels.decode.slots import SlotDecoder
from posegen.labels.decode.tags import group_tags


def make_peaks(channels: int, found: list[tuple[int, float]]) -> Peaks:
    """Peaks of a channel with a score, the n-th of them at n, 2 n."""
    number = np.arange(len(found), dtype=np.float64)
    return Peaks(
        channels=channels, channel=np.array([k for k, _ in found], np.intp), cells=np.zeros((len(found), 2), np.intp),
        points=np.column_stack([number, 2 * number]), scores=np.array([score for _, score in found], np.float64),
    )  # fmt: skip


def group(channels: int, found: list[tuple[int, float]], tags: list[float]) -> list[dict[int, int]]:
    """For each person by keypoint the number of the peak."""
    people, scores = group_tags(make_peaks(channels, found), np.array(tags, np.float64).reshape(-1, 1), channels)
    assert people.shape == (len(scores), channels, 3)
    np.testing.assert_allclose(scores, people[..., 2].sum(axis=1) / channels)
    return [{k: int(x) for k, (x, y, score) in enumerate(person) if score} for person in people]


def test_what_is_nearer_than_one_by_its_tag_is_one_person() -> None:
    for tag, together in ((0.99, True), (1.01, False), (-0.99, True), (1.0, False)):
        found = group(2, [(0, 0.5), (1, 0.5)], [0, tag])
        assert found == ([{0: 0, 1: 1}] if together else [{0: 0}, {1: 1}])
    # A third is held against the mean of the first two.
    assert group(3, [(0, 0.5), (1, 0.5), (2, 0.5)], [0, 0.8, 1.3]) == [{0: 0, 1: 1, 2: 2}]
    assert group(3, [(0, 0.5), (1, 0.5), (2, 0.5)], [0, 0.8, 1.5]) == [{0: 0, 1: 1}, {2: 2}]
    # Of two peaks as near to somebody, rounded, the higher one is theirs.
    assert group(2, [(0, 0.5), (1, 0.3), (1, 0.6)], [0, 0.1, 0.4]) == [{0: 0, 1: 2}, {1: 1}]
    # Who is nearer by more than that, has it whatever the scores.
    assert group(2, [(0, 0.5), (1, 0.3), (1, 0.6)], [0, 0.1, 0.6]) == [{0: 0, 1: 1}, {1: 2}]
    assert group(2, [], []) == []


def test_people_are_begun_from_the_head_and_the_hips() -> None:
    found = [(k, 0.5) for k in range(19)]
    order = [next(iter(person)) for person in group(19, found, [10.0 * k for k in range(19)])]
    assert order == [0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13, 14, 15, 16, 17, 18]
    few = [next(iter(person)) for person in group(16, found[:16], [10.0 * k for k in range(16)])]
    assert few == [*range(16)]
    most = [next(iter(person)) for person in group(17, found[:17], [10.0 * k for k in range(17)])]
    assert most == order[:17]


def test_of_a_channel_thirty_peaks_are_read_and_thirty_people_are_found() -> None:
    scores = np.linspace(0.9, 0.2, 33)
    shuffled = np.random.default_rng(0).permutation(33)
    found = [(0, float(scores[n])) for n in shuffled]
    people = group(2, found, [10.0 * n for n in shuffled])
    assert [int(shuffled[person[0]]) for person in people] == [*range(30)]
    # Those of the second keypoint that fit to nobody among thirty begin people of whom there is no more.
    more = group(2, [*found, (1, 0.5), (1, 0.4)], [*(10.0 * n for n in shuffled), 0.1, 315.0])
    assert len(more) == 30
    assert [person.get(1) for person in more] == [33, *[None] * 29]


def test_centres_with_boxes_and_ways_are_people() -> None:
    decoder = SlotDecoder(keypoints=2, cells=(12, 16))
    out = {name: np.zeros((count, 12, 16), np.float32) for name, count in
           (("hm", 1), ("wh", 2), ("reg", 2), ("hps", 4), ("hm_hp", 2), ("hp_offset", 2))}  # fmt: skip

    def find() -> tuple[list[list[list[float]]], list[float]]:
        people, scores = decoder.find(out)
        return people.round(4).tolist(), scores.round(4).tolist()

    out["hm"][0, 5, 6], out["hm"][0, 1, 1], out["hm"][0, 9, 9] = 0.8, 0.1, 0.11
    out["wh"][:, 5, 6], out["reg"][:, 5, 6], out["hps"][:, 5, 6] = (10, 6), (0.5, 0.25), (2, 1, -3, 2)
    # The second is so low that it just counts; nothing is known of its keypoints.
    assert find() == ([[[8, 6, 0.8], [3, 7, 0.8]], [[0, 0, 0], [0, 0, 0]]], [0.8, 0.11])
    # Three tenths of the longer side of the box are 3 cells.
    for at, offset, moves in (((6, 10), 0.5, True), ((6, 10), 1.05, False), ((8, 10), 0, True), ((6, 11), 0.0, True)):
        out["hm_hp"][:], out["hp_offset"][:] = 0, 0
        out["hm_hp"][0][at], out["hp_offset"][:, at[0], at[1]] = 0.6, (offset, 0)
        ((first, second), _), _ = find()
        assert second == [3, 7, 0.8]
        assert first == ([round(at[1] + offset, 4), at[0], 0.8] if moves else [8, 6, 0.8]), (at, offset)
    # The box is from 1.5 to 11.5 and from 2.25 to 8.25: what lies outside of it is not the keypoint's.
    for at, offset, moves in (((8, 9), 0.25, True), ((8, 9), 0.26, False)):
        out["hm_hp"][:], out["hp_offset"][:] = 0, 0
        out["hm_hp"][0][at], out["hp_offset"][:, at[0], at[1]] = 0.6, (0, offset)
        ((first, _), _), _ = find()
        assert (first != [8, 6, 0.8]) is moves
    # Of two peaks the nearer one.
    out["hm_hp"][:], out["hp_offset"][:] = 0, 0
    out["hm_hp"][0, 6, 10], out["hm_hp"][0, 7, 8] = 0.9, 0.2
    assert find()[0][0][0] == [8, 7, 0.8]


def test_of_centres_the_hundred_highest_are_read() -> None:
    decoder = SlotDecoder(keypoints=1, cells=(24, 40))
    heat = np.zeros((1, 24, 40), np.float32)
    heat[0, ::2, ::2] = np.random.default_rng(0).permutation(np.linspace(0.2, 0.9, 240)).reshape(12, 20)
    out = {"hm": heat, "hm_hp": np.zeros((1, 24, 40), np.float32)}
    out |= {name: np.ones((2, 24, 40), np.float32) for name in ("wh", "reg", "hps", "hp_offset")}
    _, scores = decoder.find(out)
    np.testing.assert_allclose(scores, np.sort(heat.ravel())[::-1][:100])


def test_what_was_drawn_as_tables_is_painted_to_its_cells() -> None:
    decoder = SlotDecoder(keypoints=1, cells=(3, 4))
    table = np.array([[1.0, 2], [3, 4], [0, 0], [0, 0]])
    out = {"wh": table, "ind": np.array([5, 0, 0, 0]), "hp_ind": np.array([11, 0, 0, 0]), "hp_offset": table}
    for name, cell in (("wh", (1, 1)), ("hp_offset", (2, 3))):
        found = decoder._paint(name, out)
        assert found.shape == (2, 3, 4)
        assert found[:, cell[0], cell[1]].tolist() == [1, 2]
        assert found[:, 0, 0].tolist() == [3, 4]
        assert np.count_nonzero(found) == 4
    # Who takes a cell first, has it.
    out["ind"][:] = 5
    assert decoder._paint("wh", out)[:, 1, 1].tolist() == [1, 2]


def test_a_quarter_step_is_taken_to_the_higher_of_two_neighbours() -> None:
    maps = np.zeros((2, 5, 6))
    maps[0, 2, 2], maps[0, 2, 3], maps[0, 1, 2] = 1, 0.5, 0.25
    maps[1, 0, 0], maps[1, 0, 1], maps[1, 1, 0] = 1, 0.5, 0.5
    corner = np.zeros((1, 5, 6))
    corner[0, 4, 5] = 1
    at = np.array([0, 1]), np.array([2, 0]), np.array([2, 0])
    assert peaks.step_quarter(maps, at).tolist() == [[0.25, -0.25], [0, 0]]
    (highest, value) = peaks.find_highest(corner)
    assert ([int(of[0]) for of in highest], value.tolist()) == ([0, 4, 5], [1])
    assert peaks.step_quarter(corner, highest).tolist() == [[0, 0]]
    for difference, step in ((0.9e-6, 0), (1.1e-6, 0.25)):
        even = np.zeros((1, 3, 3))
        even[0, 1] = 0.5, 1, 0.5 + difference
        assert peaks.step_quarter(even, (np.array([0]), np.array([1]), np.array([1]))).tolist() == [[step, 0]]
    # One cell off the border there are two neighbours.
    near = np.zeros((1, 5, 6))
    near[0, 3, 4], near[0, 4, 4], near[0, 3, 5] = 1, 0.5, 0.5
    assert peaks.step_quarter(near, (np.array([0]), np.array([3]), np.array([4]))).tolist() == [[0.25, 0.25]]


def test_a_parabola_ends_in_its_cell_and_at_the_border_up_to_one_cell_outside() -> None:
    def step(middle: float, at: int, count: int = 7, sigma: float = 1.0) -> float:
        row = np.exp(-((np.arange(count) - middle) ** 2) / (2 * sigma**2))
        maps = np.repeat(row[None, None], 3, axis=1)
        found = peaks.step_parabola(maps, (np.array([0]), np.array([1]), np.array([at])))
        assert found[0, 1] == 0
        turned = peaks.step_parabola(maps.transpose(0, 2, 1), (np.array([0]), np.array([at]), np.array([1])))
        assert turned[0].tolist() == found[0, ::-1].tolist()
        return float(found[0, 0])

    assert step(3.3, 3) == pytest.approx(0.3)
    assert step(3.8, 3) == 0.5
    assert step(2.2, 3) == -0.5
    assert step(-0.7, 0) == pytest.approx(-0.7)
    assert step(-1.2, 0) == -1
    assert step(0.4, 0) == pytest.approx(0.4)
    assert step(6.6, 6) == pytest.approx(0.6)
    assert step(7.2, 6) == 1
    assert step(0.4, 0, count=2) == 0
    assert step(1.0, 1, count=3) == pytest.approx(0)
    assert step(0.6, 1, count=3) == pytest.approx(-0.4)
    # Where all is even, or rises to both sides, there is no vertex.
    flat = np.full((1, 3, 5), 0.5)
    assert peaks.step_parabola(flat, (np.array([0]), np.array([1]), np.array([2]))).tolist() == [[0, 0]]
    low = np.full((1, 3, 3), 1e-9)
    low[0, 1, 1] = 1e-6  # below what logarithms are taken of
    assert peaks.step_parabola(low, (np.array([0]), np.array([1]), np.array([1]))).tolist() == [[0, 0]]


def test_a_blur_is_that_of_opencv_with_nothing_beyond() -> None:
    maps = np.random.default_rng(0).random((2, 7, 9)).astype(np.float32)
    for radius in (1, 2, 5, 12):
        size = 2 * radius + 1
        found = peaks.blur(maps, radius)
        sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
        for one, blurred in zip(maps, found, strict=True):
            expected = cv2.GaussianBlur(
                np.pad(one.astype(np.float64), radius), (size, size), sigma, borderType=cv2.BORDER_CONSTANT
            )[radius:-radius, radius:-radius]
            np.testing.assert_allclose(blurred, expected, atol=1e-12)
        assert peaks.find_radius(sigma) == radius
        assert peaks.find_radius(np.array([sigma - 0.14, sigma + 0.14])).tolist() == [radius, radius]
    assert peaks.find_radius(0.1) == 1
    assert math.isclose(peaks.blur(np.ones((1, 9, 9)), 2)[0, 4, 4], 1)


def test_cells_are_places_by_their_middle_or_their_number() -> None:
    peak = np.array([0]), np.array([3]), np.array([5])
    step = np.array([[0.25, -0.5]])
    assert peaks.to_points(peak, step, (4.0, 2.0), middle=False).tolist() == [[21, 5]]
    assert peaks.to_points(peak, step, (4.0, 2.0), middle=True).tolist() == [[5.75 * 4 - 0.5, 3 * 2 - 0.5]]
