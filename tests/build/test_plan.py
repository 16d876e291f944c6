from __future__ import annotations

import dataclasses
import itertools
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from posegen.annotations import Annotations, Sample, Shape
from posegen.annotations.audit import Audit
from posegen.build.plan import BuildPlan, ShardTask, make_plan
from posegen.config import BuildConfig
from posegen.skeleton import COCO_17, OPENPOSE_18

IMAGES, OUT = Path("/images"), Path("/out")


def make_sample(image_id: int, **changes: Any) -> Sample:
    random = np.random.default_rng(image_id)
    keypoints = np.concatenate([random.uniform(0, 50, (2, 17, 2)), random.integers(0, 3, (2, 17, 1))], axis=2)
    entries: dict[str, Any] = {
        "image_id": image_id,
        "file_name": f"{image_id}.jpg",
        "width": 60,
        "height": 50,
        "keypoints": keypoints,
        "bboxes": random.uniform(0, 20, (2, 4)),
        "annotation_ids": np.array([2 * image_id, 2 * image_id + 1]),
        "ignored": (Shape(segmentation=[[1.0, 2.0, 9.0, 2.0, 9.0, 9.5]], bbox=(1.0, 2.0, 8.0, 7.5)),),
        "drawn": (Shape(segmentation=None, bbox=(1.0, 2.0, 3.0, 4.0)), Shape(segmentation=None, bbox=None)),
    }
    return Sample(**(entries | changes))


def make_coco(samples: Sequence[Sample], **changes: Any) -> Annotations:
    entries = {
        "path": Path("train.json"),
        "images": IMAGES,
        "names": COCO_17.keypoints,
        "skeleton": OPENPOSE_18,
        "samples": tuple(samples),
        "audit": Audit(),
    }
    return Annotations(**(entries | changes))


def plan_of(ids: Sequence[int], **config: Any) -> BuildPlan:
    return make_plan(make_coco([make_sample(i) for i in ids]), BuildConfig(**config))


def order(plan: BuildPlan) -> list[int]:
    return [sample.image_id for shard in plan.shards for sample in shard]


class TestOrder:
    def test_it_depends_on_the_seed(self) -> None:
        assert len({tuple(order(plan_of(range(50), seed=seed))) for seed in range(20)}) == 20

    def test_it_is_no_order_of_the_file(self) -> None:
        found = order(plan_of(range(200)))
        assert found != sorted(found)
        # Of a fair shuffle about half of all neighbours go up.
        assert 70 < sum(a < b for a, b in itertools.pairwise(found)) < 130

    def test_it_does_not_depend_on_the_order_of_the_file(self) -> None:
        assert order(plan_of(range(50))) == order(plan_of(list(reversed(range(50)))))

    def test_it_does_not_depend_on_anything_but_ids(self) -> None:
        changed = [make_sample(i, file_name=f"other {i}", width=99, ignored=(), drawn=()) for i in range(50)]
        assert order(make_plan(make_coco(changed), BuildConfig())) == order(plan_of(range(50)))

    def test_it_does_not_depend_on_the_rest_of_the_configuration(self) -> None:
        other = plan_of(range(50), shard_size=7, sigma_px=3.0, label_dtype="uint8")
        assert order(other) == order(plan_of(range(50)))

    @given(
        ids=st.sets(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=40),
        seed=st.integers(0, (1 << 63) - 1),
        data=st.data(),
    )
    def test_other_images_do_not_change_the_order_of_two(self, ids: set[int], seed: int, data: st.DataObject) -> None:
        samples = [dataclasses.replace(make_sample(0), image_id=i) for i in ids]
        kept = data.draw(st.sets(st.sampled_from(sorted(ids))))
        everything = order(make_plan(make_coco(samples), BuildConfig(seed=seed)))
        some = order(make_plan(make_coco([s for s in samples if s.image_id in kept]), BuildConfig(seed=seed)))
        assert some == [i for i in everything if i in kept]


class TestShards:
    @given(count=st.integers(0, 60), size=st.integers(1, 70))
    def test_every_sample_is_in_one_shard_and_all_but_the_last_are_full(self, count: int, size: int) -> None:
        plan = plan_of(range(count), shard_size=size)
        sizes = [len(shard) for shard in plan.shards]
        assert sorted(order(plan)) == list(range(count))
        assert plan.samples == count
        assert all(n == size for n in sizes[:-1])
        assert all(1 <= n <= size for n in sizes)

    def test_the_limit_keeps_the_first_in_order_and_counts_the_rest(self) -> None:
        plan = plan_of(range(30), limit=12, shard_size=5)
        assert order(plan) == order(plan_of(range(30)))[:12]
        assert plan.annotations.audit.left_out == {"beyond the limit": 18}

    def test_a_limit_that_is_not_reached_counts_nothing(self) -> None:
        for limit in [30, 31, None]:
            plan = plan_of(range(30), limit=limit)
            assert plan.samples == 30
            assert not plan.annotations.audit.left_out

    def test_files_are_named_by_their_number_and_how_many_there_are(self) -> None:
        plan = plan_of(range(7), shard_size=3)
        names = [plan.task(i, directory=OUT).file_name for i in range(3)]
        assert names == [f"shard-0000{i}-of-00003.h5" for i in range(3)]


def task_of(samples: Sequence[Sample], config: BuildConfig | None = None, **coco: Any) -> ShardTask:
    plan = make_plan(make_coco(samples, **coco), config or BuildConfig())
    return plan.task(0, directory=OUT)


def nudge(array: np.ndarray, index: tuple[int, ...]) -> np.ndarray:
    changed = array.copy()
    changed[index] = np.nextafter(changed[index], np.inf) if array.dtype.kind == "f" else changed[index] + 1
    return changed


POLYGON = Shape(segmentation=[[1.0, 2.0, 9.0, 2.0, 9.0, 9.75]], bbox=(1.0, 2.0, 8.0, 7.5))

CHANGES: dict[str, Callable[[Sample], dict[str, Any]]] = {
    "image id": lambda s: {"image_id": 4},
    "file name": lambda s: {"file_name": "b.jpg"},
    "width": lambda s: {"width": 61},
    "height": lambda s: {"height": 51},
    "turned": lambda s: {"width": 50, "height": 60},
    "keypoint": lambda s: {"keypoints": nudge(s.keypoints, (1, 16, 0))},
    "visibility": lambda s: {"keypoints": nudge(s.keypoints, (0, 3, 2))},
    "people swapped": lambda s: {"keypoints": s.keypoints[::-1]},
    "box": lambda s: {"bboxes": nudge(s.bboxes, (1, 3))},
    "box missing": lambda s: {"bboxes": np.full((2, 4), np.nan)},
    "annotation id": lambda s: {"annotation_ids": nudge(s.annotation_ids, (0,))},
    "polygon of an ignored person": lambda s: {"ignored": (POLYGON,)},
    "one ignored person more": lambda s: {"ignored": s.ignored * 2},
    "nobody ignored": lambda s: {"ignored": ()},
    "ignored becomes drawn": lambda s: {"ignored": (), "drawn": (*s.ignored, *s.drawn)},
    "shapes of drawn people swapped": lambda s: {"drawn": s.drawn[::-1]},
}


class TestDigest:
    def test_equal_tasks_have_equal_digests(self) -> None:
        assert task_of([make_sample(3)]).digest == task_of([make_sample(3)]).digest

    def test_any_change_of_a_sample_changes_it(self) -> None:
        for change in CHANGES.values():
            sample = make_sample(3)
            changed = dataclasses.replace(sample, **change(sample))
            assert task_of([changed]).digest != task_of([sample]).digest

    def test_any_change_of_the_configuration_changes_it(self) -> None:
        for change in [
            {"sigma_px": 7.5},
            {"stride": 4},
            {"label_dtype": "uint8"},
            {"jpeg_quality": 94},
            {"compression": "gzip"},
            {"labels": ("paf", "heatmap", "mask")},
            {"input_size": (184, 368)},
            {"seed": 1},
            {"skeleton": None},
        ]:
            sample = make_sample(3)
            changed = dataclasses.replace(BuildConfig(), **change)
            assert task_of([sample], changed).digest != task_of([sample]).digest

    def test_names_and_the_skeleton_count(self) -> None:
        sample = make_sample(3)
        renamed = ("NOSE", *COCO_17.keypoints[1:])
        found = {
            task_of([sample]).digest,
            task_of([sample], names=renamed).digest,
            task_of([sample], skeleton=COCO_17).digest,
            task_of([sample], skeleton=dataclasses.replace(OPENPOSE_18, flip_pairs=())).digest,
        }
        assert len(found) == 4

    def test_another_sample_in_the_shard_counts(self) -> None:
        both = task_of([make_sample(3), make_sample(4)])
        assert both.digest not in {task_of([make_sample(3)]).digest, task_of([make_sample(4)]).digest}

    def test_paths_do_not_count(self) -> None:
        samples = [make_sample(i) for i in range(3)]
        here = task_of(samples)
        moved = make_coco(samples, path=Path("/other.json"), images=Path("/other"))
        there = make_plan(moved, BuildConfig()).task(0, directory=Path("/elsewhere"))
        assert here.digest == there.digest

    def test_samples_of_other_shards_do_not_count(self) -> None:
        first = order(plan_of(range(9), shard_size=3))[:3]
        alone = plan_of(first, shard_size=3).task(0, directory=OUT)
        among = plan_of(range(9), shard_size=3).task(0, directory=OUT)
        assert alone.digest == among.digest


class TestTask:
    def test_it_survives_pickling(self) -> None:
        task = plan_of(range(4)).task(0, directory=OUT)
        copy = pickle.loads(pickle.dumps(task))
        assert (copy.digest, copy.config, copy.skeleton, copy.names) == (
            task.digest,
            task.config,
            task.skeleton,
            task.names,
        )
        for mine, theirs in zip(task.samples, copy.samples, strict=True):
            np.testing.assert_array_equal(mine.keypoints, theirs.keypoints)
            assert (mine.image_id, mine.file_name) == (theirs.image_id, theirs.file_name)
        assert copy.file_names == task.file_names == [sample.file_name for sample in copy.samples]

    def test_it_carries_its_own_samples_alone(self) -> None:
        plan = plan_of(range(200), shard_size=2)
        whole = len(pickle.dumps(plan))
        assert len(pickle.dumps(plan.task(5, directory=OUT))) < whole / 20


class TestPeople:
    """Samples of one person each."""

    def people(self, plan: BuildPlan) -> list[tuple[int, list[int]]]:
        return [(s.image_id, s.annotation_ids.tolist()) for shard in plan.shards for s in shard]

    def test_each_person_is_a_sample_with_its_own_data_alone(self) -> None:
        sample = make_sample(3, bboxes=np.array([[1.0, 2.0, 9.0, 9.0], [4.0, 5.0, 6.0, 7.0]]))
        (shard,) = make_plan(make_coco([sample]), BuildConfig(unit="person")).shards
        for n, person in enumerate(shard):
            np.testing.assert_array_equal(person.keypoints, sample.keypoints[[n]])
            np.testing.assert_array_equal(person.bboxes, sample.bboxes[[n]])
            assert person.annotation_ids.tolist() == [6 + n]
            assert (person.image_id, person.ignored, person.drawn) == (3, sample.ignored, sample.drawn)

    def test_people_share_the_shapes_of_their_image_whatever_the_labels(self) -> None:
        sample = make_sample(3)
        assert sample.ignored
        for labels in (("heatmap",), ("mask",), ()):
            (shard,) = make_plan(make_coco([sample]), BuildConfig(unit="person", labels=labels)).shards
            assert [person.ignored is sample.ignored and person.drawn is sample.drawn for person in shard] == [True] * 2

    def test_the_digest_changes_with_the_shapes_of_one_image(self) -> None:
        for field in ["ignored", "drawn"]:
            samples = [make_sample(i) for i in range(3)]
            changed = [*samples[:1], dataclasses.replace(samples[1], **{field: ()}), *samples[2:]]
            config = BuildConfig(unit="person")
            digests = {
                make_plan(make_coco(found), config).task(0, directory=OUT).digest for found in (samples, changed)
            }
            assert len(digests) == 2

    def test_people_of_an_image_follow_each_other_in_the_order_of_the_images(self) -> None:
        images = order(plan_of(range(30)))
        expected = [(i, [2 * i + n]) for i in images for n in (0, 1)]
        assert self.people(plan_of(range(30), unit="person")) == expected

    def test_the_limit_counts_people(self) -> None:
        plan = plan_of(range(30), unit="person", limit=7, shard_size=3)
        assert list(map(len, plan.shards)) == [3, 3, 1]
        assert self.people(plan) == self.people(plan_of(range(30), unit="person"))[:7]
        assert plan.annotations.audit.not_drawn == {"beyond the limit": 53}
        assert not plan.annotations.audit.left_out

    def test_no_two_people_have_the_same_digest(self) -> None:
        plan = plan_of(range(10), unit="person", shard_size=1)
        assert len({plan.task(i, directory=OUT).digest for i in range(20)}) == 20
