"""Labels that were changed by somebody who kept all checksums right: rendered again, they are found."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from by_hand import sum_again
from conftest import Coco
from damage import accept, copy_of, said, shards_of
from executors import InProcess

from posegen.inspect import verify as verifying

verify = partial(verifying.verify, executor=InProcess())


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    """A copy of the dataset, to be damaged."""
    return copy_of(dataset, tmp_path / "copy")


class TestDeep:
    """Labels that were changed by somebody who kept all checksums right."""

    @staticmethod
    def change(dataset: Path, shard: Path, name: str, change: Callable[[Any], None]) -> None:
        with h5py.File(shard, "r+") as file:
            values = file[name][...]
            change(values)
            file[name][...] = values
        sum_again(shard)
        accept(dataset)

    def test_changed_values_are_named_with_their_sample_and_the_difference(self, copy: Path) -> None:
        shard = shards_of(copy)[1]
        for name, cell in (("heatmap", (3, 20, 20)), ("paf", (30, 7, 9))):

            def change(values: Any, cell: tuple[int, int, int] = cell) -> None:
                values[2][cell] -= 0.25

            self.change(copy, shard, name, change)
        assert verify(copy) == []
        assert said(verify(copy, deep=True)) == {
            shard.name: [
                f"{name} of sample 2 is not what was annotated: it differs by up to 0.25" for name in ("heatmap", "paf")
            ]
        }

    def test_what_is_not_a_number_is_found(self, copy: Path) -> None:
        def change(values: Any) -> None:
            values[1, 0, 0, 0] = np.nan

        self.change(copy, shards_of(copy)[0], "heatmap", change)
        assert said(verify(copy, deep=True)) == {
            # A half that is no number is read as one that no label has, 1.5 * 2^16.
            shards_of(copy)[0].name: ["heatmap of sample 1 is not what was annotated: it differs by up to 9.83e+04"]
        }

    def test_a_moved_keypoint_is_found(self, copy: Path) -> None:
        shard = shards_of(copy)[2]
        with h5py.File(shard) as file:
            labelled = np.argwhere(file["person/keypoints"][..., 2] > 0)
            person = int(labelled[0][0])

        def change(values: Any) -> None:
            values[person, :, 0] += 8

        self.change(copy, shard, "person/keypoints", change)
        assert any(what.startswith("heatmap of sample") for what in said(verify(copy, deep=True))[shard.name])

    def test_keypoints_that_cannot_be_drawn_are_a_problem(self, copy: Path) -> None:
        shard = shards_of(copy)[0]
        with h5py.File(shard) as file:
            sample = int(np.argmax(file["person/offsets"][1:] > 0))
        for value in (np.nan, np.inf, -np.inf, 1e30):

            def change(values: Any, value: float = value) -> None:
                values[0, 0, :2] = value

            self.change(copy, shard, "person/keypoints", change)
            assert f"sample {sample} has keypoints that cannot be drawn" in said(verify(copy, deep=True))[shard.name]

    def test_a_mask_that_is_lower_than_the_picture_is_found_with_the_annotations_alone(
        self, copy: Path, corpus: Coco
    ) -> None:
        def change(values: Any) -> None:
            values[1] *= 0.5

        self.change(copy, shards_of(copy)[0], "mask", change)
        assert verify(copy, deep=True) == []
        assert said(verify(copy, deep=True, coco=corpus.root)) == {
            shards_of(copy)[0].name: ["mask of sample 1 is not what was annotated: it differs by up to 0.5"]
        }

    def test_a_mask_out_of_its_range_is_found_without_annotations(self, copy: Path) -> None:
        for shard, value in zip(shards_of(copy), (1.25, -0.25), strict=False):

            def change(values: Any, value: float = value) -> None:
                rows, columns = np.unravel_index(values[1, 0].argmax(), values[1, 0].shape)
                values[1, 0, rows, columns] = value

            self.change(copy, shard, "mask", change)
        assert said(verify(copy, deep=True)) == {
            shard.name: ["mask of sample 1 is not what was annotated: it differs by up to 0.25"]
            for shard in shards_of(copy)[:2]
        }

    def test_a_mask_on_the_padding_is_found_without_annotations(self, copy: Path) -> None:
        wide = next(
            (shard, i)
            for shard in shards_of(copy)
            for i, name in enumerate(h5py.File(shard)["sample/file_name"][...])
            if name == b"wide.png"
        )

        def change(values: Any) -> None:
            assert values[wide[1], 0, 0, 0] == 0
            values[wide[1], 0, 0, 0] = 1

        self.change(copy, wide[0], "mask", change)
        assert (
            f"mask of sample {wide[1]} is not what was annotated: it differs by up to 1"
            in said(verify(copy, deep=True))[wide[0].name]
        )  # which says, too, that its preview shows another one, if it is the first of its shard

    def test_annotations_of_other_images_are_noticed(self, copy: Path, coco: Coco) -> None:
        problems = verify(copy, deep=True, coco=coco.write())
        first, *rest = problems
        assert "was built from other annotations" in first.what
        assert len(rest) == 8
        assert all("which the annotations do not have there" in problem.what for problem in rest)
