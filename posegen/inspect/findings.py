"""The largest differences of the arrays of two datasets, gathered sample by sample."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from posegen.shards.key import SampleKey
from posegen.shards.schema import list_columns

PEOPLE, PICTURE, VISIBILITY = "people", "picture", "visibility"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayDifference:
    """How much an array differs, over all samples that both datasets have.

    Attributes
    ----------
    array
        A label's name; or `people` (how many only one dataset has), `keypoints` (x, y in pixels), `visibility`, `bbox`,
        `image` (width and height), `affine`, `picture` (decoded, 0 to 255), and whatever else the table of columns,
        `posegen.shards.schema.COLUMNS`, says is compared.
    largest
        The largest difference; infinite where one of two values is not a number.
    samples
        In how many samples it is above 0.
    sample
        That of the largest difference, of equals the first; None if there is none.
    where
        What differs most there: channel, row and column; or person and keypoint.
    """

    array: str
    largest: float
    samples: int
    sample: SampleKey | None = None
    where: str = ""


def list_others() -> tuple[str, ...]:
    """List what is compared beside the labels, in the order in which it is told."""
    names: dict[str, None] = {PEOPLE: None}
    for column in sorted(list_columns(), key=lambda column: column.of):  # people first
        if column.compared_as:
            names[column.compared_as] = None
            if column.kind == "points":
                names[VISIBILITY] = None
    return (*names, PICTURE)


class Findings:
    """The largest differences so far, by array."""

    def __init__(self) -> None:
        self.largest: dict[str, tuple[float, SampleKey, str]] = {}
        self.samples: Counter[str] = Counter()

    def add(self, array: str, key: SampleKey, difference: float, where: str) -> None:
        """Take note of one sample's difference."""
        self.samples[array] += difference > 0
        self._keep(array, (difference, key, where))

    def merge(self, other: Findings) -> None:
        """Take over what was found elsewhere."""
        self.samples.update(other.samples)
        for array, found in other.largest.items():
            self._keep(array, found)

    def describe(self) -> tuple[ArrayDifference, ...]:
        """Say what was found: labels by name, then the rest."""
        others = list_others()
        labels = sorted(self.largest.keys() - set(others))
        return tuple(self._summarise(array) for array in (*labels, *others) if array in self.largest)

    def _keep(self, array: str, found: tuple[float, SampleKey, str]) -> None:
        known = self.largest.get(array)
        if known is None or (-found[0], found[1]) < (-known[0], known[1]):
            self.largest[array] = found

    def _summarise(self, array: str) -> ArrayDifference:
        largest, key, where = self.largest[array]
        if not largest:
            return ArrayDifference(array=array, largest=0.0, samples=0)
        return ArrayDifference(array=array, largest=largest, samples=self.samples[array], sample=key, where=where)
