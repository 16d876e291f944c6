"""Defaults, values passed on, and the whole of what is said where samples cannot be read as asked for."""

from __future__ import annotations

import copy
import inspect
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import posegen
from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.images.augment import Augmentation, View
from posegen.loader import PoseDataset, flip
from posegen.loader.batch import Packed
from posegen.loader.decode import decode, find_decoder, find_joiner
from posegen.loader.fields import Field, list_padded, list_plain, select_fields
from posegen.loader.flip import Mirror
from posegen.loader.results import list_results, write_coco_results
from posegen.loader.shuffle import shuffle_shards, take_share
from posegen.loader.views import RandomViews, read_views
from posegen.loader.weights import weigh_samples
from posegen.skeleton import COCO_17, OPENPOSE_18


def said_by(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises((ConfigError, IndexError)) as caught:
        call(*arguments, **options)
    return str(caught.value)


def test_without_a_seed_each_process_draws_views_anew_and_then_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    views = RandomViews(Augmentation(rotate=40), None)
    first = [views(0, 0).rotation for _ in range(3)]
    assert len(set(first)) == 3
    generator = views._random
    views(0, 1)
    assert views._random is generator
    # Two processes that were forked here, where views were drawn already.
    forked = [copy.deepcopy(views) for _ in range(2)]
    monkeypatch.setattr("posegen.loader.views.os.getpid", lambda: -7)
    drawn = [[of(0, 0).rotation for _ in range(3)] for of in forked]
    assert len({*drawn[0], *drawn[1]}) == 6
    assert [of._process for of in forked] == [-7, -7]
    generator = forked[0]._random
    forked[0](0, 1)
    assert forked[0]._random is generator
    seeded = RandomViews(Augmentation(rotate=40), 0)
    assert seeded(1, 2) == Augmentation(rotate=40).draw(0, (1, 2)) == seeded(1, 2)
    assert seeded(2, 1) != seeded(1, 2)


def test_what_is_no_view_is_told_whole() -> None:
    known = "views have scale, rotate, shift, flip, but no"
    assert said_by(read_views, {"turn": 1, "rotate": 2, "move": 3}, 0) == f"{known} 'turn'"
    assert said_by(read_views, 40, 0) == "views are written scale=0.5-1.1,rotate=40,shift=40,flip=0.5, not 40"
    for scale in ((0.5, 1.1), [0.5, 1.1]):
        assert read_views({"scale": scale}, 3) == RandomViews(Augmentation(scale=(0.5, 1.1)), 3)
    assert read_views(see_nothing, 3) is see_nothing


def see_nothing(epoch: int, number: int) -> View:
    return View(shift=(epoch, number))


def test_a_dataset_is_named_by_how_it_reads_and_what_it_cannot_do_is_told_whole(dataset: Path) -> None:
    name, read = repr(str(dataset)), PoseDataset
    for options, listed in (
        ({}, ""), ({"raw": True}, ", raw=True"), ({"flip": "random", "seed": 3}, ", flip='random', seed=3"),
        ({"views": "rotate=4", "seed": 2}, ", seed=2, views='rotate=4'"), ({"flip": np.True_}, ", flip=True"),
    ):  # fmt: skip
        assert (
            repr(read(dataset, fields=["image_id"], **options)) == f"PoseDataset({name}, fields=['image_id']{listed})"
        )
    for flip_asked in (2, None, "sometimes"):
        assert said_by(read, dataset, flip=flip_asked) == (f"flip must be True, False or 'random', not {flip_asked!r}")
    data = read(dataset)
    for index in (8, -9):
        assert said_by(data.__getitem__, index) == f"there is no sample {index}: {dataset} has 8"
    listed = ", ".join(data.fields)
    assert said_by(read, dataset, fields=["flow"]) == f"{dataset}: a sample has no 'flow'; it has {listed}"
    assert said_by(read, dataset, fields="image") == f"{dataset}: fields must be a list of names, as in ['image']"
    assert inspect.signature(read).parameters["max_open"].default == 64
    assert (data.epoch, data.raw, data.flip, data.seed, data.views, data.undrawn) == (0, False, False, None, None, None)
    assert list(read(dataset, fields=list_plain).fields) == ["image", "heatmap", "paf", "mask", "image_id"]
    assert list(read(dataset, fields=["mask", "image"]).fields) == ["image", "mask"]
    undrawn = read(dataset, labels="device").fields
    assert (undrawn["shown"], undrawn["views"]) == (Field((368, 368), "uint8"), Field((5,), "float64"))
    assert (undrawn["keypoints"], undrawn["bbox"]) == (data.fields["keypoints"], data.fields["bbox"])


def test_a_dataset_of_a_relative_path_is_read_from_wherever_one_is(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(dataset.parent)
    data = PoseDataset(dataset.name, fields=["image_id"])
    monkeypatch.chdir(tmp_path)
    assert data[0]["image_id"] == PoseDataset(dataset, fields=["image_id"])[0]["image_id"]
    assert data.path == dataset


def test_views_of_chance_need_a_seed_to_be_decoded_and_others_do_not(dataset: Path) -> None:
    whole = PoseDataset(dataset)
    outputs = {name: whole.batch([3, 1])[name] for name in ("heatmap", "paf")}
    said = (
        "how samples were flipped or seen cannot be told without a seed; give PoseDataset one, or posegen.decode each "
        "batch's affine"
    )
    for options in ({"views": "rotate=4"}, {"views": {"rotate": 4}}, {"flip": "random"}):
        assert said_by(PoseDataset(dataset, **options).decode, outputs, [3, 1]) == said
        assert len(PoseDataset(dataset, **options, seed=0).decode(outputs, [3, 1])) == 2
    seen = PoseDataset(dataset, views=lambda epoch, number: View()).decode(outputs, [3, 1])
    for one, other in zip(seen, whole.decode(outputs, [3, 1]), strict=True):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)
    none = {name: of[:0] for name, of in outputs.items()}
    assert PoseDataset(dataset, views="rotate=4", seed=1).decode(none, []) == whole.decode(none, []) == []
    config = BuildConfig(labels=("mask",))
    assert said_by(decode, {}, np.zeros((0, 2, 3)), config, COCO_17) == (
        "nothing does not tell where people are; it takes labels that can be decoded, such as heatmap and paf, cif and "
        "caf, centernet, by the names of the dataset's: mask"
    )
    assert said_by(decode, {}, np.zeros((0, 2, 3)), BuildConfig(labels=()), COCO_17).endswith("dataset's: it has none")


def test_views_are_the_same_however_many_are_drawn_at_once(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(numbers: list[int]) -> dict[str, Any]:
        fields = ["image", "mask", "keypoints", "affine", "file_name"]
        return PoseDataset(dataset, views="scale=0.6-1,rotate=30,flip=0.5", seed=1, fields=fields).batch(numbers)

    numbers = [7, 0, 3, 3, 5]
    expected = read(numbers)
    for together in (1, 2, 5):
        monkeypatch.setattr("posegen.loader.drawing._TOGETHER", together)
        for name, values in read(numbers).items():
            for found, value in zip(values, expected[name], strict=True):
                np.testing.assert_array_equal(found, value, name)
    nothing = read([])
    assert (nothing["image"].shape, nothing["affine"].shape) == ((0, 368, 368, 3), (0, 2, 3))
    assert (nothing["keypoints"], nothing["file_name"]) == ([], [])


def test_why_a_label_cannot_be_flipped_is_told_in_a_line_of_so_many_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    for reason, told in (("it has\n  no  sides", "it has no sides"), ("x" * 300, "x" * 300), ("x" * 301, "x" * 300)):
        monkeypatch.setattr(flip, "find_mirrors", lambda *_, reason=reason: {"flow": reason})
        assert said_by(Mirror.of, BuildConfig(), COCO_17, []) == (
            f"'flow' cannot be flipped as it is stored: {told}; leave it out of the fields, or do not flip"
        )


def test_orders_have_defaults_and_their_limits_are_told_whole() -> None:
    sizes = [9, 8, 7, 6, 5, 4, 3, 2, 1]
    order = shuffle_shards(sizes)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(order, shuffle_shards(sizes, seed=0, epoch=0, window=4))
    for name, value, least in (("seed", -1, 0), ("epoch", -1, 0), ("window", 0, 1)):
        assert said_by(shuffle_shards, [1], **{name: value}) == (
            f"{name} must be a whole number from {least}, not {value}"
        )
    for rank in (2, -1):
        assert said_by(take_share, order, rank, 2) == f"rank must be from 0 to 1 for 2 processes, not {rank}"
    assert said_by(take_share, order, 0, 2, remainder="pad") == (
        "remainder must be one of keep, repeat, drop, not 'pad'"
    )


def test_fields_have_shapes_that_say_whether_they_are_stacked_or_padded() -> None:
    for field, stacked, padded, shape in (
        (Field((3, 4), "uint8"), True, False, (5, 3, 4)), (Field((None, 3), "float32"), False, True, (5, 0, 3)),
        (Field((), "str"), False, False, (5,)), (Field((), "int64"), True, False, (5,)),
    ):  # fmt: skip
        assert (field.is_stacked, field.is_padded, field.stack(5)) == (stacked, padded, shape)
    assert list_padded() == {"keypoints", "bbox", "annotation_id", "unknown"}
    fields = {"a": Field((), "str"), "bees": Field((), "str")}
    assert said_by(select_fields, fields, ["bee"]) == "a sample has no 'bee' (did you mean 'bees'?); it has a, bees"
    assert select_fields(fields, None) == fields
    assert select_fields(fields, []) == {}


def test_part_of_what_was_read_is_part_of_all_of_it() -> None:
    packed = Packed([4, 5, 6], ["m", None, "n"], {"id": [1, 2, 3]}, {"image": "abc"}, "xyz")
    part = packed.part(slice(1, 3))
    assert (part.numbers, part.mirrors, part.columns) == ([5, 6], [None, "n"], {"id": [2, 3]})
    assert (part.held, part.seen) == ({"image": "bc"}, "yz")


def test_results_are_rounded_and_of_the_first_category_unless_another_is_named(tmp_path: Path) -> None:
    keypoints = np.arange(51.0).reshape(1, 17, 3) + 0.00004
    person = posegen.People(keypoints=keypoints + 0.00002, scores=np.array([0.12345649]))
    (found,) = list_results([person], [7], COCO_17)
    assert found == {
        "image_id": 7, "category_id": 1, "keypoints": [k + 0.0001 for k in range(51)], "score": 0.123456,
    }  # fmt: skip
    path = tmp_path / "a.json"
    write_coco_results(path, [person], np.array([7]), COCO_17)
    assert json.loads(path.read_text()) == [found]
    write_coco_results(path, [person], [7], COCO_17, names=["nose"], category_id=3)
    nose = [0.0001, 1.0001, 2.0001]
    assert json.loads(path.read_text()) == [found | {"category_id": 3, "keypoints": nose}]
    of_18 = posegen.People(keypoints=np.ones((1, 18, 3)), scores=np.array([0.5]))
    assert list_results([of_18], [1], OPENPOSE_18)[0]["keypoints"] == [1] * 51
    assert said_by(write_coco_results, tmp_path / "b" / "a.json", [], [], COCO_17) == (
        f"{tmp_path}/b/a.json: cannot be written: No such file or directory"
    )
    assert said_by(write_coco_results, path, [person], [], COCO_17) == "there are 1 samples, but 0 image ids"


def test_weights_of_sources_that_are_not_there_are_told_whole() -> None:
    for names, said in (
        (("few", "many"), "x: has no source 'one'; its sources are few, many"),
        ((), "x: has no source 'one'; it is not of several sources"),
    ):
        sources = [SimpleNamespace(name=name, weight=2.0) for name in names]
        data: Any = SimpleNamespace(path="x", config=SimpleNamespace(sources=sources))
        assert said_by(weigh_samples, data, {"one": 1.0}) == said


def test_samples_are_read_together_up_to_so_many_bytes(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture, mask = 368 * 368 * 3, PoseDataset(dataset, raw=True, fields=["mask"])[0]["mask"].nbytes
    for fields, each in (
        (["mask", "image_id"], mask), (["image", "mask"], picture + mask), (["image_id", "keypoints"], 1),
    ):  # fmt: skip
        data = PoseDataset(dataset, fields=fields)
        fetched: list[int] = []
        fetch = data.reader._samples.fetch

        def note(numbers: Any, epoch: int, fetch: Any = fetch, fetched: list[int] = fetched) -> Any:
            fetched.append(len(numbers))
            return fetch(numbers, epoch)

        monkeypatch.setattr(data.reader._samples, "fetch", note)
        for most, together in ((3 * each, [3, 1]), (4 * each - 1, [3, 1]), (4 * each, [4]), (0, [1] * 4)):
            monkeypatch.setattr("posegen.loader.reading._HELD_BYTES", most)
            fetched.clear()
            assert len(data.batch(range(4))[fields[0]]) == 4
            assert fetched == together, (fields, most)


def test_what_decodes_is_found_by_unit_and_nothing_is_made_of_no_samples() -> None:
    coco, udp = BuildConfig(skeleton=COCO_17), BuildConfig.preset("udp", skeleton=COCO_17)
    labels, of_person = coco.create_labels(COCO_17), udp.create_labels(COCO_17)
    joiner: Any = find_joiner(labels, coco)
    assert (find_decoder(labels, coco), joiner.spec.name) == (("heatmap", "paf"), "paf")
    assert (find_decoder(of_person, udp), find_joiner(of_person, udp)) == (("heatmap",), None)
    assert decode(np.zeros((0, 17, 64, 48)), np.zeros((0, 2, 3)), udp) == []
    # A peak of 0 is no keypoint, wherever it would be.
    maps = np.zeros((1, 17, 64, 48))
    maps[0, 3, 20, 30] = 0.5
    (person,) = decode(maps, np.array([[[1.0, 0, 5], [0, 1, 7]]]), udp)
    assert person.keypoints.shape == (1, 17, 3)
    assert np.flatnonzero(person.keypoints.any(axis=2)).tolist() == [3]
    assert person.keypoints[0, 3, 2] == pytest.approx(0.5, abs=0.2)
    assert person.scores == pytest.approx(person.keypoints[0, :, 2].mean())


def test_outputs_have_the_channels_of_their_label_but_for_a_background() -> None:
    coco, udp = BuildConfig(skeleton=COCO_17), BuildConfig.preset("udp", skeleton=COCO_17)
    affine, fields = np.array([[[1.0, 0, 0], [0, 1, 0]]]), np.zeros((1, 38, 46, 46))
    for channels in (16, 17, 18, 19, 36):
        maps = {"heatmap": np.zeros((1, channels, 46, 46)), "paf": fields}
        if channels in (17, 18):
            assert len(decode(maps, affine, coco)) == 1
        else:
            assert said_by(decode, maps, affine, coco) == (
                f"heatmap: expected (B, channel, y, x) = (1, 18, 46, 46), found (1, {channels}, 46, 46)"
            )
    for channels in (16, 18, 34):
        assert said_by(decode, np.zeros((1, channels, 64, 48)), affine, udp) == (
            f"heatmap: expected (B, channel, y, x) = (1, 17, 64, 48), found (1, {channels}, 64, 48)"
        )
    of_axes = BuildConfig.preset("udp", skeleton=COCO_17, labels=("simcc",))
    for name in ("simcc_x", "simcc_y"):
        assert said_by(decode, {name: np.zeros((1, 17, 96))}, affine, of_axes) == (
            f"{name} does not tell where a person's keypoints lie; it takes labels that can be decoded, such as "
            "heatmap, offset or simcc, by the names of the dataset's: simcc_x, simcc_y"
        )
