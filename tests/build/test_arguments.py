"""What is passed to a build, its parts, a repair and an audit reaches what it is meant for."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builds import ANNOTATIONS, CONFIG, files_of, shards, write_source
from executors import Deadly, InProcess

import posegen
from posegen.annotations import Sample, Shape
from posegen.build import parts, pipeline, relabel, repair
from posegen.build.ignored import find_ignored_boxes
from posegen.build.pipeline import audit
from posegen.config import BuildConfig
from posegen.errors import BuildError, ConfigError
from posegen.geometry import Affine
from posegen.images.augment import Augmentation
from posegen.shards import Manifest

NAMES = "person_keypoints_train2017.json", "person_keypoints_other.json"


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A root with two splits, of which `other` has fewer samples, and where the pictures of both are."""
    root = write_source(tmp_path_factory.mktemp("split") / "coco")
    document = json.loads((root / ANNOTATIONS).read_text())
    document["images"] = document["images"][:8]
    kept = {image["id"] for image in document["images"]}
    document["annotations"] = [one for one in document["annotations"] if one["image_id"] in kept]
    (root / "annotations" / NAMES[1]).write_text(json.dumps(document))
    return root, Path(shutil.move(root / "train2017", root.parent / "pictures"))


def test_a_split_and_images_are_those_that_are_named(split: tuple[Path, Path], tmp_path: Path) -> None:
    coco, images = split
    where: dict[str, Any] = {"split": "other", "images": images}
    executor, out, whole = InProcess(), tmp_path / "out", tmp_path / "whole"
    built = posegen.build(coco, whole, CONFIG, **where, executor=executor)
    assert (built.source["annotations"], built.source["images"], built.samples) == (NAMES[1], "pictures", 7)
    told: list[tuple[int, int]] = []
    for part in ("1/2", "2/2"):
        report = parts.build_part(
            coco, out, CONFIG, part=part, **where, executor=executor, progress=lambda *of: told.append(of)
        )
        assert (report.shards, report.of, report.manifest) == (1, 2, None)
    assert told == [(0, 4), (4, 4), (0, 3), (3, 3)]
    told.clear()
    words = {"preset": "mine", "description": "seven"}
    made = parts.finish_parts(coco, out, CONFIG, **where, **words, progress=lambda *of: told.append(of))
    assert (made.preset, made.description, made.shards) == ("mine", "seven", built.shards)
    assert (told, shards(out)) == ([(4, 7), (7, 7)], shards(whole))
    last = parts.build_part(coco, out, CONFIG, part="1/1", **where, executor=executor, finish=True, **words)
    assert last.manifest == made == Manifest.read(out)
    plain = parts.finish_parts(coco, out, CONFIG, **where)
    assert (plain.preset, plain.description) == (None, "")
    name = made.shards[1].file
    (out / name).write_bytes(b"")
    told.clear()
    done = repair.repair(out, coco, **where, executor=executor, progress=lambda *of: told.append(of))
    assert (done, told, shards(out)) == ([name], [(0, 3), (3, 3)], shards(whole))
    assert audit(coco, CONFIG, **where).images == 8
    assert audit(coco, CONFIG, images=images).images == 20
    assert audit(coco, split="other").notes == [f"there is no directory {coco / 'other'}, so no picture was looked for"]
    for refused in (
        lambda: posegen.build(coco, out, CONFIG, images=images, split="none"),
        lambda: parts.build_part(coco, out, CONFIG, part="1/1", images=images, split="none"),
        lambda: parts.finish_parts(coco, out, CONFIG, images=images, split="none"),
        lambda: audit(coco, CONFIG, images=images, split="none"),
    ):
        with pytest.raises(ConfigError, match="none"):
            refused()


def test_workers_and_executors_are_chosen_between(
    split: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coco, images = split
    posegen.build(coco, tmp_path / "whole", CONFIG, images=images, executor=InProcess())
    asked: list[Any] = []

    class StopError(Exception):
        pass

    def choose(*of: Any) -> Any:
        asked.append(of)
        raise StopError

    mine = InProcess()
    for module, call in (
        (pipeline, partial(posegen.build, coco, tmp_path / "out", CONFIG)),
        (parts, partial(parts.build_part, coco, tmp_path / "out", CONFIG, part="1/1")),
        (repair, partial(repair.repair, tmp_path / "whole", coco)),
    ):
        monkeypatch.setattr(module, "choose_executor", choose)
        for given in ({}, {"workers": 3}, {"executor": mine}):
            with pytest.raises(StopError):
                call(**given)
        assert asked == [(None, None), (None, 3), (mine, None)]
        asked.clear()


def test_that_a_worker_died_is_told_each_time(split: tuple[Path, Path], tmp_path: Path) -> None:
    coco, images = split
    deaths, told = iter([0, None, None, None, 2]), list[str]()
    executor = Deadly(lambda _: next(deaths, None), "was killed by SIGSEGV")
    posegen.build(coco, tmp_path / "out", CONFIG, images=images, executor=executor, notify=told.append)
    assert [line for line in told if "worker" in line] == [
        f"a worker was killed by SIGSEGV while building shard-0000{i}-of-00004.h5; trying again" for i in (0, 0)
    ]
    (shard, *_) = (tmp_path / "out").glob("shard-00002*.h5")
    shard.unlink()
    with pytest.raises(BuildError) as caught:
        repair.repair(tmp_path / "out", coco, images=images, executor=Deadly(lambda _: 0, "is gone"), split="train2017")
    assert str(caught.value) == (
        f"{tmp_path / 'out'}: 1 of 1 bad shards cannot be built as they were\n  {shard.name}: its worker is gone\n"
        "repair with what the dataset was built from, or build it anew: posegen build --overwrite"
    )


def test_missing_pictures_are_told_before_the_first_is_built(tmp_path: Path) -> None:
    coco, out = write_source(tmp_path / "coco"), tmp_path / "out"
    gone = files_of(coco)[:2]
    for path in gone:
        path.unlink()
    said = [f"  image {int(path.stem)}: {path}: cannot be read: No such file or directory" for path in gone]
    for options in ({}, {"max_failures": 1}, {"max_failures": "6.2%"}):
        with pytest.raises(BuildError) as caught:
            posegen.build(coco, tmp_path / "out", CONFIG, executor=InProcess(), **options)
        assert str(caught.value).splitlines() == [
            "2 of 16 samples could not be built; there is no dataset",
            *said,
            f"all are in {out}/failures.jsonl; mend the files and run again, or allow them with --max-failures",
        ]
    assert posegen.build(coco, tmp_path / "out", CONFIG, executor=InProcess(), max_failures=2).samples == 14


def test_which_options_determine_the_bytes_of_pictures() -> None:
    common = ["unit", "input_size", "picture_size", "exif", "image_encoding", "copies", "augment", "plain_copy"]
    for options, more in (
        ({}, ["fit", "jpeg_quality"]), ({"image_encoding": "png"}, ["fit"]), ({"image_encoding": "raw"}, ["fit"]),
        ({"unit": "person"}, ["crop", "box_padding", "jpeg_quality"]),
        ({"augment": Augmentation(flip=0.5)}, ["fit", "jpeg_quality", "seed"]),
    ):  # fmt: skip
        assert relabel._find_options(BuildConfig(**options)) == common + more
    assert relabel._LIBRARIES == ("posegen", "numpy", "opencv")


def test_the_boxes_of_who_is_ignored_are_mapped_to_the_input() -> None:
    def find(*ignored: Shape) -> Any:
        sample = Sample(
            image_id=1, file_name="a.jpg", width=20, height=10, keypoints=np.zeros((0, 17, 3)),
            bboxes=np.zeros((0, 4)), annotation_ids=np.zeros(0, np.int64), ignored=ignored, drawn=(),
        )  # fmt: skip
        return find_ignored_boxes(sample, Affine(2, 0, 0.5, 0, 2, 0.5))

    square = [3.0, 2.0, 7.0, 2.0, 7.0, 8.0, 3.0, 8.0]
    nothing, empty = (
        Shape(segmentation=None, bbox=None),
        Shape(segmentation={"size": [10, 20], "counts": [200]}, bbox=None),
    )
    boxed, drawn = Shape(segmentation=[square], bbox=(1, 2, 3, 4)), Shape(segmentation=[square], bbox=None)
    assert find() is find(nothing) is find(empty) is find(nothing, empty) is None
    found = find(nothing, boxed, empty, drawn)
    assert found.dtype == np.float32
    # Twice as large, with the corner of the first pixel in its place.
    assert found.tolist() == [[2, 4, 6, 8], [6, 4, 8, 12]]
