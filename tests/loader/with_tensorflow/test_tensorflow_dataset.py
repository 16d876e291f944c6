"""A dataset as a `tf.data.Dataset`."""

import numpy as np
import pytest
import tensorflow as tf

from posegen import PoseDataset
from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.loader.fields import describe_fields
from posegen.loader.shuffle import shuffle_shards
from posegen.loader.tensorflow import tf_dataset
from posegen.loader.tensorflow.dataset import _stack
from posegen.shards import COLUMNS, Column, schema

EVERYTHING = [
    "image", "heatmap", "paf", "mask", "image_id", "width", "height", "file_name", "affine", "keypoints", "bbox",
    "annotation_id",
]  # fmt: skip
PEOPLE = ("keypoints", "bbox", "annotation_id")


@pytest.mark.parametrize("variant", ["plain", "packed", "raw"])
def test_batches_are_samples_with_people_padded(build, variant):
    plain = PoseDataset(build(variant))
    fields = [name for name in EVERYTHING if name in plain.fields]
    batches = list(tf_dataset(build(variant), batch_size=3, fields=fields, shuffle=False).as_numpy_iterator())
    samples = [{name: array[i] for name, array in b.items()} for b in batches for i in range(len(b["image"]))]
    assert len(samples) == len(plain)
    for found, expected in zip(samples, plain, strict=True):
        assert found.keys() == {*fields, "people"}
        count = found["people"]
        assert count == len(expected["keypoints"])
        for name in fields:
            value = found[name].decode() if name == "file_name" else found[name]
            if name in PEOPLE:
                assert not value[count:].any()
                value = value[:count]
            np.testing.assert_array_equal(value, expected[name])


def test_a_column_that_the_table_has_of_people_is_padded(monkeypatch):
    area = Column(name="area", dtype="float32", of="person", take=lambda sample: sample.bboxes[:, 2])
    monkeypatch.setattr(schema, "COLUMNS", (*COLUMNS, area))
    fields = describe_fields(BuildConfig(), 17, [], raw=False)
    padded = frozenset(name for name, field in fields.items() if field.is_padded)
    lists = {"area": [np.array([1, 2], np.float32), np.array([4], np.float32)], "file_name": ["a", "é"]}
    batch = _stack(lists, padded)
    assert (batch["area"].dtype, batch["area"].tolist()) == (np.float32, [[1, 2], [4, 0]])
    assert batch["people"].tolist() == [2, 1]
    assert [name.decode() for name in batch["file_name"]] == ["a", "é"]


def test_the_default_is_pictures_and_labels(dataset):
    assert list(tf_dataset(dataset, batch_size=1).element_spec) == ["image", "heatmap", "paf", "mask", "image_id"]


@pytest.mark.parametrize(("drop", "batch", "length"), [(False, None, 3), (True, 3, 2)])
def test_shapes_and_length_are_known_before_anything_is_read(dataset, drop, batch, length):
    data = tf_dataset(dataset, batch_size=3, fields=EVERYTHING, drop_remainder=drop)
    shapes = {name: tuple(spec.shape) for name, spec in data.element_spec.items()}
    assert shapes["image"] == (batch, 368, 368, 3)
    assert shapes["heatmap"] == (batch, 19, 46, 46)
    assert shapes["mask"] == (batch, 1, 46, 46)
    assert shapes["affine"] == (batch, 2, 3)
    assert shapes["keypoints"] == (batch, None, 18, 3)
    assert shapes["file_name"] == shapes["people"] == (batch,)
    assert len(data) == len(list(data)) == length


def read_ids(data):
    return [number for batch in data.as_numpy_iterator() for number in batch["image_id"].tolist()]


def test_each_pass_is_an_epoch_with_the_order_of_the_shuffle(dataset):
    plain = PoseDataset(dataset, fields=["image_id"])
    data = tf_dataset(dataset, batch_size=3, fields=["image_id"], seed=2, window=2, readers=3)
    passes = [read_ids(data) for _ in range(3)]
    for epoch, found in enumerate(passes):
        order = shuffle_shards(plain.shard_sizes, seed=2, epoch=epoch, window=2)
        assert found == [plain[i]["image_id"] for i in order]
    later = tf_dataset(dataset, batch_size=3, fields=["image_id"], seed=2, window=2, first_epoch=2)
    assert read_ids(later) == passes[2]


def test_repeating_goes_through_epochs(dataset):
    data = tf_dataset(dataset, batch_size=8, fields=["image_id"])
    first, second = (read_ids(tf_dataset(dataset, batch_size=8, fields=["image_id"], first_epoch=e)) for e in (0, 1))
    assert read_ids(data.repeat(2)) == first + second


@pytest.mark.parametrize(("remainder", "lengths"), [("keep", [2, 3, 3]), ("repeat", [3, 3, 3]), ("drop", [2, 2, 2])])
def test_processes_read_parts_of_their_own(dataset, remainder, lengths):
    everything = set(read_ids(tf_dataset(dataset, batch_size=4, fields=["image_id"])))
    shares = [
        read_ids(tf_dataset(dataset, batch_size=2, fields=["image_id"], shard=(i, 3), remainder=remainder))
        for i in range(3)
    ]
    assert [len(share) for share in shares] == lengths
    assert len(set().union(*shares)) == min(len(everything), sum(lengths))


def test_flips_are_drawn_from_the_seed_and_the_epoch(dataset):
    def read(**options):
        data = tf_dataset(dataset, batch_size=8, fields=["image"], shuffle=False, **options)
        return [next(data.as_numpy_iterator())["image"] for _ in range(2)]

    plain, mirrored = read()[0], PoseDataset(dataset, flip=True)
    first, second = read(flip="random", seed=4)
    np.testing.assert_array_equal([first, second], read(flip="random", seed=4))
    assert (first != second).any()
    assert all(
        (a == b).all() or (a == mirrored[i]["image"]).all() for i, (a, b) in enumerate(zip(first, plain, strict=True))
    )
    assert (first != plain).any()


def test_labels_may_come_as_they_are_stored(build):
    batch = next(tf_dataset(build("packed"), batch_size=2, raw=True, shuffle=False).as_numpy_iterator())
    stored = PoseDataset(build("packed"), raw=True)[:2]
    assert batch["paf"].dtype == np.int8
    np.testing.assert_array_equal(batch["paf"], stored["paf"])


def test_a_shard_that_is_gone_is_named(build):
    dataset = build(run="without a shard for TensorFlow")
    (missing,) = dataset.glob("shard-00002*.h5")
    data = tf_dataset(dataset, batch_size=8)
    missing.unlink()
    with pytest.raises(tf.errors.OpError, match=missing.name):
        list(data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be"),
        ({"prefetch": 0}, "prefetch must be"),
        ({"window": 0}, "window must be"),
        ({"shard": (2, 2)}, "rank must be from 0 to 1"),
        ({"fields": ["heat"]}, "has no 'heat'"),
    ],
)
def test_options_that_cannot_be_are_refused(dataset, options, message):
    with pytest.raises(ConfigError, match=message):
        tf_dataset(dataset, **({"batch_size": 2} | options))


def test_views_are_fresh_in_each_epoch(dataset):
    options = {"fields": ["image", "heatmap", "mask", "affine"], "views": "scale=0.5-1.1,rotate=40,flip=0.5", "seed": 4}
    data = tf_dataset(dataset, batch_size=3, shuffle=False, first_epoch=2, **options)
    expected = PoseDataset(dataset, **options)
    for expected.epoch in (2, 3):
        samples = [
            {k: v[i] for k, v in batch.items()}
            for batch in data.as_numpy_iterator()
            for i in range(len(batch["image"]))
        ]
        for found, sample in zip(samples, expected, strict=True):
            for name, value in sample.items():
                np.testing.assert_array_equal(found[name], value)
