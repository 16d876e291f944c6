"""Which samples a seed flips: those that SplitMix64 says, computed here from its definition."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from posegen.loader import PoseDataset
from posegen.loader.flip import RandomFlips

WORD = 1 << 64


def split_mix(state: int) -> int:
    """Return SplitMix64's first output from a state (Steele, Lea and Flood, 2014; constants as in Java 8)."""
    z = (state + 0x9E3779B97F4A7C15) % WORD
    z = ((z ^ (z // (1 << 30))) * 0xBF58476D1CE4E5B9) % WORD
    z = ((z ^ (z // (1 << 27))) * 0x94D049BB133111EB) % WORD
    return z ^ (z // (1 << 31))


def is_flipped(seed: int, epoch: int, number: int) -> bool:
    """Each number is mixed into what the numbers before it gave; the last bit says."""
    mixed = split_mix(seed)
    for value in (epoch, number):
        mixed = split_mix(mixed ^ value)
    return mixed % 2 == 1


def test_the_definition_gives_the_published_sequence() -> None:
    # The generator's own example: from the seed 1234567, each time on by the golden ratio's 64 bits.
    states = [(1234567 + i * 0x9E3779B97F4A7C15) % WORD for i in range(5)]
    assert [split_mix(state) for state in states] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def find_flipped(dataset: Path, seed: int, epoch: int) -> list[int]:
    plain = PoseDataset(dataset, fields=["affine"])
    random = PoseDataset(dataset, fields=["affine"], flip="random", seed=seed)
    random.epoch = epoch
    return [i for i in range(len(plain)) if not np.array_equal(plain[i]["affine"], random[i]["affine"])]


def test_a_seed_an_epoch_and_a_number_decide(dataset: Path) -> None:
    for seed in (0, 1, 7, 1 << 40):
        for epoch in (0, 1, 5):
            assert find_flipped(dataset, seed, epoch) == [n for n in range(8) if is_flipped(seed, epoch, n)]


def test_they_are_these_whatever_the_definition_becomes(dataset: Path) -> None:
    assert [find_flipped(dataset, 0, epoch) for epoch in range(3)] == [[0, 3, 4, 6], [1, 3, 5], [0, 1, 2, 4, 6]]


def test_without_a_seed_each_process_draws_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    flips, again = RandomFlips(None), RandomFlips(None)
    drawn = [[of.is_flipped(0, i) for i in range(100)] for of in (flips, again)]
    assert drawn[0] != drawn[1]
    assert [set(of) for of in drawn] == [{True, False}] * 2
    copies = [pickle.loads(pickle.dumps(flips)) for _ in range(2)]
    monkeypatch.setattr(os, "getpid", lambda: -7)
    one, other = ([copy.is_flipped(0, i) for i in range(100)] for copy in copies)
    assert one != other
    # In one process it goes on, and does not begin again.
    generator = copies[0]._random
    copies[0].is_flipped(0, 0)
    assert copies[0]._random is generator


def test_without_a_seed_half_of_them_are_flipped(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded = np.random.default_rng(3)
    monkeypatch.setattr("posegen.loader.flip.np.random.default_rng", lambda *_: seeded)
    flips = RandomFlips(None)
    assert abs(np.mean([flips.is_flipped(0, 0) for _ in range(2000)]) - 0.5) < 0.05
