"""Which samples are flipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hdf5plugin  # noqa: F401 (registers the zstd filter)
import numpy as np
from each import each

import posegen
from posegen.loader.flip import RandomFlips, _mix


class TestRandomFlips:
    @each(flip=[1, np.True_])
    def test_what_is_equal_to_true_is_true(self, dataset: Path, flip: Any) -> None:
        data = posegen.PoseDataset(dataset, fields=["affine"], flip=flip)
        assert (data.batch(range(8))["affine"][:, 0, 0] < 0).all()

    def test_some_samples_are_flipped_and_some_are_not(self, dataset: Path) -> None:
        plain, flipped = (posegen.PoseDataset(dataset, fields=["image"], flip=flip) for flip in (False, True))
        mixed = posegen.PoseDataset(dataset, fields=["image"], flip="random", seed=0)
        seen = set()
        for epoch in range(4):
            mixed.epoch = epoch
            for i in range(8):
                mirrored = np.array_equal(mixed[i]["image"], flipped[i]["image"])
                assert mirrored or np.array_equal(mixed[i]["image"], plain[i]["image"])
                seen.add((i, mirrored))
        assert len(seen) >= 14, "over epochs nearly all are seen both ways"

    def test_with_a_seed_it_depends_on_seed_epoch_and_number_alone(self, dataset: Path) -> None:
        def affine(order: list[int], epoch: int, seed: int) -> list[float]:
            data = posegen.PoseDataset(dataset, fields=["affine"], flip="random", seed=seed)
            data.epoch = epoch
            found = {i: float(data[i]["affine"][0, 0]) for i in order}
            return [found[i] for i in range(8)]

        forwards = affine([*range(8)], 0, 5)
        assert affine([*range(7, -1, -1)], 0, 5) == forwards
        assert affine([*range(8)], 1, 5) != forwards
        assert affine([*range(8)], 0, 6) != forwards

    def test_a_seed_flips_these_samples_today_and_tomorrow(self) -> None:
        """SplitMix64 scrambles the seed, then that and the epoch, then that and the sample; its lowest bit counts."""
        flips = {
            (seed, epoch): "".join("-F"[RandomFlips(seed).is_flipped(epoch, i)] for i in range(24))
            for seed in (0, 5)
            for epoch in (0, 1)
        }
        assert flips == {
            (0, 0): "F--FF-F--FFF--F-F-F-----",
            (0, 1): "-F-F-F---FFF-F-F-F---F-F",
            (5, 0): "FFF-FFFF--FF--F-F-F--F--",
            (5, 1): "-F----F-FF---F--F-F-F--F",
        }
        # From Vigna's reference implementation.
        assert [_mix(0), _mix(1234567)] == [0xE220A8397B1DCDAF, 6457827717110365317]

    def test_half_of_many_are_flipped(self) -> None:
        coins = np.array(
            [[RandomFlips(seed).is_flipped(epoch, i) for i in range(500)] for seed in (0, 1) for epoch in (0, 1)]
        )
        assert (np.abs(coins.mean(axis=1) - 0.5) < 0.1).all()
        assert (np.abs(np.corrcoef(coins) - np.eye(4)) < 0.2).all()

    def test_without_a_seed_every_reading_is_another(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset, fields=["affine"], flip="random")
        assert {float(data[0]["affine"][0, 0]) < 0 for _ in range(64)} == {False, True}
