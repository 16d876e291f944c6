"""How many samples' labels are drawn together: at most sixteen, and at most 8 MiB of them, whatever that saves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from posegen.build.worker import cut_batches
from posegen.labels import ArraySpec, Scene


@dataclass(frozen=True)
class Sized:
    """A label of some channels and cells."""

    channels: int
    cells: tuple[int, int]

    @property
    def spec(self) -> ArraySpec:
        return ArraySpec(name="sized", channels=tuple(f"c{i}" for i in range(self.channels)), cells=self.cells)

    def render(self, scene: Scene) -> NDArray[np.float32]:
        return np.zeros(self.spec.shape, np.float32)


def sizes(count: int, *labels: Sized) -> list[int]:
    return [len(batch) for batch in cut_batches(range(count), labels)]


def test_the_bounds_are_sixteen_samples_and_two_to_the_23_bytes() -> None:
    # 2^21 values of four bytes are 2^23 bytes.
    assert sizes(40, Sized(1, (4, 4))) == [16, 16, 8]
    assert sizes(40, Sized(1, (512, 256))) == [16, 16, 8], "16 of 2^17 values are just as many as may be"
    assert sizes(40, Sized(1, (512, 257))) == [15, 15, 10]
    assert sizes(9, Sized(2, (512, 512))) == [4, 4, 1]
    assert sizes(9, Sized(1, (512, 512)), Sized(1, (512, 512))) == [4, 4, 1], "of all labels together"
    assert sizes(3, Sized(8, (512, 512))) == [1, 1, 1]
    assert sizes(3, Sized(9, (1024, 1024))) == [1, 1, 1], "one that is larger is drawn alone"


@given(count=st.integers(0, 70), channels=st.integers(1, 60), rows=st.integers(1, 200), columns=st.integers(1, 200))
def test_every_sample_is_in_one_batch_and_in_its_place(count: int, channels: int, rows: int, columns: int) -> None:
    batches = list(cut_batches(range(count), [Sized(channels, (rows, columns))]))
    assert [number for batch in batches for number in batch] == list(range(count))
    for batch in batches:
        assert 1 <= len(batch) <= 16
        assert len(batch) == 1 or len(batch) * channels * rows * columns * 4 <= 8 * 1024**2
