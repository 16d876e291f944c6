"""Files that are read as columns give what they give entry by entry, to the byte; all others are left to that."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Coco
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import read
from test_any_document import mutate

from posegen.annotations import Annotations, Sample, read_coco
from posegen.annotations.coco.document import load_document
from posegen.annotations.coco.quick import read_quickly
from posegen.annotations.coco.read import _read_entries
from posegen.build.plan import make_plan
from posegen.config import BuildConfig
from posegen.errors import AnnotationError, PosegenError
from posegen.skeleton import COCO_17

SIZE = 64, 48
OUT = Path("out")

NUMBERS = st.integers(-20, 90) | st.floats(-20, 90, allow_nan=False).map(lambda x: round(x, 2)) | st.just(-0.0)
CORNERS = st.lists(NUMBERS | st.integers(-70, 140), max_size=10)
KEYPOINTS = st.lists(
    st.tuples(NUMBERS | st.just(0), NUMBERS | st.just(0), st.sampled_from([0, 0, 0, 1, 2, 2.0])),
    min_size=17,
    max_size=17,
).map(lambda triplets: [number for triplet in triplets for number in triplet])
SEGMENTATIONS = st.one_of(
    st.none(),
    st.just([]),
    st.lists(CORNERS, max_size=3),
    st.builds(
        lambda ones: {"size": list(SIZE[::-1]), "counts": [ones, SIZE[0] * SIZE[1] - ones]}, st.integers(0, 3073)
    ),
    st.builds(lambda text: {"size": list(SIZE[::-1]), "counts": text}, st.text("0:PQ", max_size=6)),
)
PEOPLE = st.fixed_dictionaries(
    {"keypoints": KEYPOINTS | st.just([0] * 51)},
    optional={
        "area": st.none() | st.floats(0, 3000) | st.integers(0, 3000) | st.just(10**30),
        "bbox": st.none() | st.just([]) | st.lists(st.integers(0, 50) | st.floats(0, 70), min_size=4, max_size=4),
        "iscrowd": st.sampled_from([0, 0, 0, 1, True, False, None]),
        "num_keypoints": st.none() | st.integers(0, 17) | st.just(3.5),
        "segmentation": SEGMENTATIONS,
        "category_id": st.sampled_from([1, 1, 1, 2, None]),
        "track_id": st.text(),
    },
)
CONFIGS = st.builds(
    BuildConfig,
    skeleton=st.sampled_from([None, BuildConfig().skeleton]),
    keep_empty=st.booleans(),
    origin=st.sampled_from(["labelled", "unlabelled"]),
    visibility=st.sampled_from(["labelled", "visible"]),
    min_keypoints=st.integers(1, 3),
    min_area=st.sampled_from([0.0, 500.0]),
    exif=st.sampled_from(["auto", "stored"]),
    labels=st.just(("heatmap",)),
) | st.builds(BuildConfig, unit=st.just("person"), min_area=st.just(9.0), labels=st.just(("heatmap",)))


def document_of(people: list[dict[str, Any]], owners: list[int], categories: int) -> dict[str, Any]:
    names = list(COCO_17.keypoints)
    entry = {"name": "person", "keypoints": names, "skeleton": [[1, 2], [2, 3]]}
    known = [{**entry, "id": 1}, {"id": 2, "name": "dog"}][:categories]
    images = [{"id": i, "file_name": f"{i}.jpg", "width": SIZE[0], "height": SIZE[1]} for i in (7, -3, 2)]
    annotations = [
        {"id": 100 - n, "image_id": (7, -3, 2)[owner], **person}
        for n, (person, owner) in enumerate(zip(people, owners, strict=False))
    ]
    return {"images": images, "annotations": annotations, "categories": known}


def describe(sample: Sample) -> list[Any]:
    shapes = [
        [(type(s.segmentation), repr(s.segmentation), s.bbox) for s in of] for of in (sample.ignored, sample.drawn)
    ]
    arrays = [(a.tobytes(), a.shape, a.dtype) for a in (sample.keypoints, sample.bboxes, sample.annotation_ids)]
    unknown = None if sample.unknown is None else sample.unknown.tolist()
    whole = (sample.image_id, sample.file_name, sample.width, sample.height, sample.copy, unknown)
    assert [type(number) for number in (sample.image_id, sample.width, sample.height)] == [int, int, int]
    return [*whole, *shapes, *arrays]


def same(quick: Annotations, slow: Annotations, config: BuildConfig) -> None:
    assert quick.audit == slow.audit
    assert (quick.names, quick.skeleton, dict(quick.missing)) == (slow.names, slow.skeleton, dict(slow.missing))
    assert (quick.path, quick.images, quick.limbs_left_out) == (slow.path, slow.images, slow.limbs_left_out)
    assert list(map(describe, quick.samples)) == list(map(describe, slow.samples))
    plans = [make_plan(found, config) for found in (quick, slow)]
    assert quick.audit == slow.audit
    digests = [[plan.task(i, directory=OUT).digest for i in range(len(plan.shards))] for plan in plans]
    assert digests[0] == digests[1]


def read_slowly(path: Path, config: BuildConfig) -> Annotations:
    return _read_entries(path, load_document(path), config, None)


@settings(max_examples=80, deadline=None)
@given(people=st.lists(PEOPLE, max_size=5), config=CONFIGS, data=st.data())
def test_odd_values_of_the_usual_types_are_read_as_columns(
    tmp_path_factory: pytest.TempPathFactory, people: list[dict[str, Any]], config: BuildConfig, data: st.DataObject
) -> None:
    owners, categories = data.draw(st.lists(st.integers(0, 2), min_size=5, max_size=5)), data.draw(st.integers(1, 2))
    again = data.draw(st.booleans())
    document = document_of(people + people if again else people, owners[: len(people)] * 2, categories)
    path = tmp_path_factory.getbasetemp() / "odd.json"
    path.write_text(json.dumps(document, indent=1 if again else None))
    quick = read_quickly(path, path.read_bytes(), config, None)
    try:
        slow = read_slowly(path, config)
    except PosegenError:
        assert quick is None
        return
    lone = categories == 1 and any("category_id" in person and person["category_id"] == 2 for person in people)
    unnamed = categories == 2 and any(person.get("category_id") is None for person in people)
    if not lone and not unnamed:  # these name a category that the file does not have, which is told entry by entry
        assert quick is not None
    if quick is not None:
        same(quick, slow, config)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_mutated_document_is_read_alike_or_left(
    corpus: Coco, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    document = copy.deepcopy(corpus.document)
    document["images"] = document["images"][:4]
    kept = {image["id"] for image in document["images"]}
    document["annotations"] = [a for a in document["annotations"] if a["image_id"] in kept]
    for _ in range(data.draw(st.integers(0, 2))):
        mutate(document, data)
    path = tmp_path_factory.getbasetemp() / "mutated_quickly.json"
    path.write_text(json.dumps(document))
    config = BuildConfig(keep_empty=data.draw(st.booleans()))
    quick = read_quickly(path, path.read_bytes(), config, None)
    if quick is not None:
        same(quick, read_slowly(path, config), config)


def test_the_corpus_is_read_as_columns(corpus: Coco) -> None:
    config = BuildConfig()
    corpus.write()
    quick = read_quickly(corpus.annotations, corpus.annotations.read_bytes(), config, corpus.images)
    assert quick is not None
    same(quick, _read_entries(corpus.annotations, load_document(corpus.annotations), config, corpus.images), config)


def test_numbers_are_read_as_json_reads_them(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    people = []
    for _ in range(300):
        keypoints = np.concatenate([random.uniform(0, 60, (17, 2)), random.integers(0, 3, (17, 1))], axis=1)
        corners = random.uniform(0, 40, 60) * 10.0 ** random.integers(-12, 1, 60)
        people.append(
            {"keypoints": keypoints.ravel().tolist(), "segmentation": [corners.tolist()], "bbox": [1, 2, 3, 4]}
        )
    people[0]["iscrowd"] = people[1]["iscrowd"] = 1
    path = tmp_path / "numbers.json"
    path.write_text(json.dumps(document_of(people, [0] * 300, 1)))
    config = BuildConfig()
    quick = read_quickly(path, path.read_bytes(), config, None)
    assert quick is not None
    same(quick, read_slowly(path, config), config)


def test_without_msgspec_everything_is_read_entry_by_entry(corpus: Coco, monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = read(corpus)
    for name in ("msgspec", "posegen.annotations.coco.outlines", "posegen.annotations.coco.typed"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "msgspec", None)
    assert read_quickly(corpus.annotations, corpus.annotations.read_bytes(), BuildConfig(), None) is None
    same(with_it, read(corpus), BuildConfig())


def test_text_that_is_no_utf_8_is_refused_wherever_it_stands(corpus: Coco) -> None:
    corpus.write()
    data = corpus.annotations.read_bytes()
    for spoilt in (data[:-1] + b', "info": "\xff"}', data[:-1] + b', "info": "\xc3"}'):
        corpus.annotations.write_bytes(spoilt)
        with pytest.raises(AnnotationError, match="UTF-8"):
            read_coco(corpus.annotations, BuildConfig())
    corpus.annotations.write_bytes(data[:-1] + ', "info": "\u00e4\u20ac\U0001f600"}'.encode())
    assert read_quickly(corpus.annotations, corpus.annotations.read_bytes(), BuildConfig(), None) is not None
