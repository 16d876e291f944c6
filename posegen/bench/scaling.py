"""Section `scaling`: how the labels' time and memory grow with people, keypoints and cells."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from posegen.bench.turns import Notify, Spread, take_in_turn
from posegen.geometry import Affine
from posegen.images.parallel import one_thread
from posegen.labels import HeatmapLabel, Label, PafLabel, Scene
from posegen.labels.grid import GridKind, make_grid

INPUT_SIZE = (368, 368)
PEOPLE = (1, 2, 5, 10, 20, 50)
KEYPOINTS = (17, 133)
CELLS = (46, 92, 184)

_SIGMA_PX = 8.0
_HALF_WIDTH_PX = 8.0
_FEW = 20
_FLOAT32_BYTES = 4


def measure_scaling(
    rounds: int,
    notify: Notify,
    *,
    people: Sequence[int] = PEOPLE,
    keypoints: Sequence[int] = KEYPOINTS,
    cells: Sequence[int] = CELLS,
) -> dict[str, Any]:
    """Measure heatmap and part affinity fields of drawn-up people, all of whose keypoints are labelled.

    Parameters
    ----------
    rounds
        How often each is timed; all are timed in turn.
    notify
        Told what is measured.
    people, keypoints, cells
        What to combine; cells are those along one side of the grid.
    """
    cases = [
        _Case(label, "bilinear", *numbers)
        for numbers in itertools.product(people, keypoints, cells)
        for label in ("heatmap", "paf")
    ]
    with one_thread():
        seconds = take_in_turn({case.name: case.prepare() for case in cases}, rounds=rounds, notify=notify)
        rows = [case.describe_time(seconds[case.name]) for case in cases]
        cases += [
            _Case(label, "point", *numbers)
            for numbers in itertools.product(people, keypoints, cells[:1])
            for label in ("heatmap", "paf")
        ]
        memory = []
        for case in cases:
            notify(f"memory of {case.name}")
            memory.append(case.measure_memory())
    return {"input_size": list(INPUT_SIZE), "rows": rows, "memory": memory}


def make_people(people: int, keypoints: int, seed: int) -> Scene:
    """Make up a scene of people whose keypoints are a walk of short steps through a box of the person's size.

    The sizes do not depend on how many people there are, so that the work grows as their number does.
    """
    rng = np.random.default_rng([seed, people, keypoints])
    size = np.array(INPUT_SIZE[::-1])
    box = rng.uniform(0.15, 0.8, (people, 1, 1)) * size
    corner = rng.uniform(0, 1, (people, 1, 2)) * (size - box)
    walk = rng.uniform(0, 1, (people, 1, 2)) + rng.normal(0, 0.15, (people, keypoints, 2)).cumsum(axis=1)
    # A walk that meets the side of the unit box turns back.
    points = corner + np.abs((walk + 1) % 2 - 1) * box
    drawn = np.ones((people, keypoints), bool)
    return Scene(points=points, drawn=drawn, image_size=INPUT_SIZE, affine=Affine(1, 0, 0, 0, 1, 0))


@dataclass(frozen=True, slots=True)
class _Case:
    """One cell of the table."""

    label: str
    grid: GridKind
    people: int
    keypoints: int
    cells: int

    @property
    def name(self) -> str:
        return f"{self.label}, {self.people} x {self.keypoints}, {self.cells} {self.grid}"

    @property
    def scenes(self) -> list[Scene]:
        """As many as make the time of a pass worth taking."""
        return [make_people(self.people, self.keypoints, seed) for seed in range(max(1, _FEW // self.people))]

    def create(self) -> Label:
        grid = make_grid(self.grid, INPUT_SIZE, (self.cells, self.cells))
        if self.label == "heatmap":
            names = tuple(f"keypoint_{k}" for k in range(self.keypoints))
            return HeatmapLabel(grid=grid, keypoints=names, sigma_px=_SIGMA_PX)
        limbs = tuple((k, k + 1) for k in range(self.keypoints - 1))
        names = tuple(f"{a}-{b}" for a, b in limbs)
        return PafLabel(grid=grid, limbs=limbs, limb_names=names, half_width_px=_HALF_WIDTH_PX)

    def prepare(self) -> partial[None]:
        return partial(_render, self.create(), self.scenes)

    def describe_time(self, seconds: Sequence[float]) -> dict[str, Any]:
        taken = Spread.of([1e3 * s / len(self.scenes) for s in seconds])
        drawn = self.people * self.keypoints
        return self._describe() | {"ms_image": taken.to_dict(), "us_keypoint": 1e3 * taken.median / drawn}

    def measure_memory(self) -> dict[str, Any]:
        """Measure the most that is allocated at once while one image is drawn, its label included."""
        label, scene = self.create(), self.scenes[0]
        output = label.render(scene).nbytes
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            label.render(scene)
            peak = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
        height, width = INPUT_SIZE
        full = len(label.spec.channels) * height * width * _FLOAT32_BYTES
        sizes = {"peak_bytes": peak, "output_bytes": output, "full_resolution_bytes": full}
        return self._describe() | {"grid": self.grid} | sizes

    def _describe(self) -> dict[str, Any]:
        numbers = {"people": self.people, "keypoints": self.keypoints, "cells": self.cells}
        return {"label": self.label, **numbers}


def _render(label: Label, scenes: Sequence[Scene]) -> None:
    for scene in scenes:
        label.render(scene)
