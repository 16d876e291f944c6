"""What a build says before and instead of building: of annotations, of pictures, of executors, of nothing to build."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Coco, encode
from executors import InProcess

import posegen
from posegen.annotations import read_annotations
from posegen.build.executors import create_executor
from posegen.build.ignored import IgnoredRegions
from posegen.build.pipeline import audit
from posegen.build.plan import make_plan
from posegen.build.scene import place
from posegen.config import BuildConfig
from posegen.errors import BuildError, ConfigError
from posegen.images.augment import Augmentation
from posegen.images.exif import ORIENTATIONS
from posegen.skeleton import Skeleton

SMALL = BuildConfig(input_size=(64, 64), labels=("heatmap",))


def turned(coco: Coco, orientation: int) -> bytes:
    """A JPEG of 60 x 40 that says to be shown otherwise."""
    data = encode(coco.picture(60, 40), ".jpg")
    tag = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0]) + b"\0\0\0\0"
    segment = b"Exif\0\0" + tag
    return data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:]


def test_without_a_directory_of_images_that_is_noted(coco: Coco, tmp_path: Path) -> None:
    coco.images.rename(tmp_path / "elsewhere")
    coco.write()
    assert audit(coco.annotations, SMALL).notes == [
        f"there is no directory {coco.images}, so no picture was looked for"
    ]
    coco.document["categories"][0]["keypoints"] = [f"k{i}" for i in range(17)]
    coco.write()
    flipped = BuildConfig.preset("coco", labels=("heatmap",), augment=Augmentation(flip=0.5))
    with pytest.raises(ConfigError, match="do not tell which a mirror swaps"):
        audit(coco.annotations, flipped)


def test_that_a_mirror_swaps_nothing_is_noted_of_a_skeleton_of_several_keypoints(coco: Coco) -> None:
    coco.write()
    for names, pairs, noted in ((("nose", "left_eye"), (), True), (("left_eye", "right_eye"), ((0, 1),), False),
                                (("nose",), (), False)):  # fmt: skip
        skeleton = Skeleton(name="few", keypoints=names, flip_pairs=pairs)
        config = BuildConfig(
            input_size=(64, 64), labels=("heatmap",), skeleton=skeleton, augment=Augmentation(flip=0.5)
        )
        note = "views are flipped, and skeleton 'few' has no flip pairs: none of its keypoints change places"
        assert (note in make_plan(read_annotations(coco.root, config), config).annotations.audit.notes) is noted


def test_pictures_are_looked_for_and_decoded_if_that_is_asked(coco: Coco) -> None:
    coco.write()
    assert audit(coco.root, SMALL).notes == ["all 2 pictures are there"]
    told: list[tuple[int, int]] = []
    found = audit(coco.root, SMALL, pictures=True, progress=lambda *of: told.append(of))
    assert found.notes == ["all 2 pictures are there, and those of all 2 samples can be decoded"]
    assert told == [(1, 2), (2, 2)]
    first, second = sorted(coco.images.iterdir())
    first.write_bytes(b"no picture")
    assert audit(coco.root, SMALL).notes == ["all 2 pictures are there"]
    found = audit(coco.root, SMALL, pictures=True)
    assert [*found.bad_pictures] == [first.name]
    assert first.name in found.bad_pictures[first.name]
    assert found.notes == []
    second.unlink()
    told.clear()
    found = audit(coco.root, SMALL, pictures=True, progress=lambda *of: told.append(of))
    assert {*found.bad_pictures} == {first.name, second.name}
    assert found.bad_pictures[second.name] == f"{second}: no such file"
    assert told == [(1, 2), (2, 2)]


def test_orientations_that_are_not_applied_are_counted(coco: Coco) -> None:
    for i, orientation in enumerate((3, 2, 3, 1)):
        image = coco.image(60, 40, f"turned-{i}.jpg", data=turned(coco, orientation))
        coco.person(image)
    coco.write()
    stored = "not applied, as COCO counts pixels as they are stored"
    assert audit(coco.root, SMALL, pictures=True).notes == [
        f"EXIF orientation 3 ({ORIENTATIONS[3]}) {stored}: 2 pictures, such as turned-0.jpg; --exif shown applies it",
        f"EXIF orientation 2 ({ORIENTATIONS[2]}) {stored}: 1 picture, such as turned-1.jpg; --exif shown applies it",
        "all 6 pictures are there, and those of all 6 samples can be decoded",
    ]
    shown = BuildConfig(input_size=(64, 64), labels=("heatmap",), exif="shown")
    assert not any("not applied" in note for note in audit(coco.root, shown, pictures=True).notes)


def test_nothing_to_build_is_counted(coco: Coco) -> None:
    for entry in coco.document["annotations"]:
        entry |= {"keypoints": [0] * 51, "num_keypoints": 0}
    for images, why in (
        (None, "2 images (2 left out: nobody is labelled on it); 3 annotations not drawn: no keypoint is labelled"),
        ([], "0 images (none)"),
    ):
        if images is not None:
            coco.document |= {"images": images, "annotations": [{**coco.document["annotations"][0]}][:0]}
            coco.document["categories"] = coco.document["categories"][:1]
        coco.write()
        with pytest.raises(BuildError) as caught:
            posegen.build(coco.root, coco.root / "out", SMALL, executor=InProcess())
        assert str(caught.value) == f"{coco.annotations}: there is nothing to build: {why}"


def test_executors_are_made_by_their_names() -> None:
    assert create_executor(None, workers=3).workers == create_executor("local", workers=3).workers == 3
    for options, why in (
        ({"backend": "slurm"}, "backend must be one of local, dask, not 'slurm'"),
        (
            {"backend": "local", "scheduler": "tcp://a:1"},
            "scheduler tcp://a:1 is one of Dask's: it goes with the backend dask",
        ),
    ):
        with pytest.raises(ConfigError) as caught:
            create_executor(**options)
        assert str(caught.value) == why


def test_a_sample_is_placed_alike_with_and_without_regions_of_the_one_before(corpus: Coco) -> None:
    config = BuildConfig(input_size=(64, 64), labels=("mask",))
    plan = make_plan(read_annotations(corpus.root, config), config)
    task, regions, ignored = plan.task(0, directory=corpus.root), IgnoredRegions(), 0
    for sample in task.samples:
        (alone, *_), (scene, *_) = place(sample, task), place(sample, task, regions)
        assert (alone.ignored is None) == (scene.ignored is None)
        if alone.ignored is not None and scene.ignored is not None:
            size = sample.height, sample.width
            np.testing.assert_array_equal(alone.ignored.paint(size), scene.ignored.paint(size))
            ignored += 1
            assert regions.find(sample) is scene.ignored, "it is found once for all people of an image"
    assert ignored > 0
