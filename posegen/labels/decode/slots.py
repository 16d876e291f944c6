"""People from CenterNet's maps: centres with boxes, and keypoints that move to the nearest peak of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size
from posegen.labels.decode.peaks import LEAST_SCORE, find_local

_MOST = 100
"""Peaks of a channel that are read, the highest."""

_NEAR = 0.3
"""Of a box's longer side."""

_DRAWN_AXES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotDecoder:
    """Finds people as `multi_pose_decode` of CenterNet (arXiv:1904.07850) does, above a least score.

    Parameters
    ----------
    keypoints
        K.
    cells
        (h, w).
    """

    keypoints: int
    cells: Size

    def find(self, outputs: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find n people: (n, K, 3) x, y in cells, score, 0 where there is none; and (n,) scores.

        Parameters
        ----------
        outputs
            Maps of a sample, by `hm` (1, h, w), `wh`, `reg` and `hp_offset` (2, h, w), `hps` (2K, h, w) and `hm_hp` (K,
            h, w); the tables that were drawn, with `ind` and `hp_ind`, will do as well.
        """
        maps = {name: self._paint(name, outputs) for name in ("wh", "reg", "hps", "hp_offset")}
        (_, row, column), scores = _highest(outputs["hm"][:1])
        here = np.stack([column, row], axis=-1).astype(np.float64)
        ways = maps["hps"][:, row, column].T.reshape(len(row), self.keypoints, 2)
        points = here[:, None] + ways
        centre, size = here + maps["reg"][:, row, column].T, maps["wh"][:, row, column].T
        for k in range(self.keypoints):
            points[:, k] = self._snap(points[:, k], outputs["hm_hp"][k : k + 1], maps["hp_offset"], centre, size)
        people = np.concatenate([points, np.broadcast_to(scores[:, None, None], (*ways.shape[:2], 1))], axis=-1)
        people[(ways == 0).all(axis=-1)] = 0
        return people, scores

    def _snap(
        self,
        points: NDArray[np.float64],
        heat: NDArray[np.float32],
        offset: NDArray[np.float64],
        centre: NDArray[np.float64],
        size: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Move one keypoint of n people (n, 2) to the nearest peak of its heatmap (1, h, w), in the box and not far."""
        (_, row, column), _ = _highest(heat)
        if not len(row):
            return points
        peaks = np.stack([column, row], axis=-1) + offset[:, row, column].T
        distance = np.linalg.norm(points[:, None] - peaks, axis=-1)
        nearest = distance.argmin(axis=1)
        found = peaks[nearest]
        good = (np.abs(found - centre) <= size / 2).all(axis=1)
        good &= distance[np.arange(len(points)), nearest] <= _NEAR * size.max(axis=1)
        return np.where(good[:, None], found, points)

    def _paint(self, name: str, outputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Return a map (C, h, w); of a table (M, C) that was drawn, as its numbers of cells say."""
        values = np.asarray(outputs[name], np.float64)
        if values.ndim > _DRAWN_AXES:
            return values
        cell = np.asarray(outputs["hp_ind" if name == "hp_offset" else "ind"]).astype(np.intp)
        found = np.zeros((values.shape[1], self.cells[0] * self.cells[1]))
        # What is in no slot has the number 0; slots that are taken come first.
        for at, row in zip(cell[::-1], values[::-1], strict=True):
            if row.any():
                found[:, at] = row
        return found.reshape(-1, *self.cells)


def _highest(maps: NDArray[np.float32]) -> tuple[tuple[NDArray[np.intp], ...], NDArray[np.float64]]:
    """Find the peaks of one map (1, h, w), the highest of them, and their scores."""
    peak, scores = find_local(maps, LEAST_SCORE)
    order = np.argsort(-scores, kind="stable")[:_MOST]
    return tuple(index[order] for index in peak), scores[order]
