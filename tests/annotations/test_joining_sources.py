"""Several sources joined into one skeleton: which keypoint comes from where, what is unknown, what is counted."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from posegen.annotations import Annotations, read_annotations
from posegen.annotations.sources import rank_image
from posegen.build.plan import make_plan
from posegen.config import BuildConfig, Source, SourceRules
from posegen.errors import AnnotationError, ConfigError
from posegen.skeleton import Skeleton

if TYPE_CHECKING:
    from conftest import Coco

# An arm and a foot; the middle is derived.
SKELETON = Skeleton(
    name="parts",
    keypoints=("hand", "foot", "middle"),
    parents=(("hand",), ("foot",), ("left_hip", "right_hip")),
    limbs=((0, 2), (2, 1)),
    aliases=(("paw", "hand"),),
)
CONFIG = BuildConfig(skeleton=SKELETON, labels=("heatmap",))


def write(make_coco: type[Coco], root: Path, names: list[str], people: dict[int, list[list[float]]]) -> Path:
    """Write a dataset whose images, by id, have people with these keypoints; the ids begin anew in each."""
    coco = make_coco(root)
    coco.document["categories"][0] |= {"keypoints": names, "skeleton": []}
    for image_id, of_image in people.items():
        coco.image(40, 30, f"{image_id}.png", id=image_id)
        for keypoints in of_image:
            coco.person(image_id, keypoints)
    return coco.write()


@pytest.fixture
def hands(make_coco: type[Coco], tmp_path: Path) -> Path:
    """Hands under an alias, and one hip."""
    people = {7: [[1, 2, 2, 3, 4, 1], [5, 6, 2, 0, 0, 0]], 9: [[8, 9, 1, 10, 11, 2]]}
    return write(make_coco, tmp_path / "hands", ["paw", "left_hip"], people)


@pytest.fixture
def feet(make_coco: type[Coco], tmp_path: Path) -> Path:
    """Feet, both hips, and ears that nobody asked for; image 7 again."""
    people = {7: [[20, 21, 2, 22, 23, 2, 24, 25, 1, 1, 1, 1]], 8: [[0, 0, 0, 12, 13, 1, 0, 0, 0, 2, 2, 2]]}
    return write(make_coco, tmp_path / "feet", ["right_hip", "foot", "left_hip", "ear"], people)


def read(*sources: Path | Source, config: BuildConfig = CONFIG) -> Annotations:
    return read_annotations(list(sources), config)


def test_keypoints_are_matched_by_name_and_alias_and_the_rest_is_unknown(hands: Path, feet: Path) -> None:
    found = read(hands, feet)
    assert found.skeleton == SKELETON
    assert found.names == ("hand", "foot", "left_hip", "right_hip")
    of = {(sample.source, sample.image_id): sample for sample in found.samples}
    assert set(of) == {("hands", 7), ("hands", 9), ("feet", 7), ("feet", 8)}
    first = of["hands", 7]
    np.testing.assert_array_equal(
        first.keypoints,
        [[[1, 2, 2], [0, 0, 0], [3, 4, 1], [0, 0, 0]], [[5, 6, 2], [0, 0, 0], [0, 0, 0], [0, 0, 0]]],
    )
    # 2 is what a source does not label; what it labels and is not there is known.
    np.testing.assert_array_equal(first.unknown, [[0, 2, 0, 2], [0, 2, 0, 2]])
    other = of["feet", 7]
    np.testing.assert_array_equal(other.keypoints, [[[0, 0, 0], [22, 23, 2], [24, 25, 1], [20, 21, 2]]])
    np.testing.assert_array_equal(other.unknown, [[2, 0, 0, 0]])


def test_a_source_that_labels_all_knows_all(hands: Path, feet: Path, make_coco: type[Coco], tmp_path: Path) -> None:
    whole = write(make_coco, tmp_path / "whole", ["hand", "left_hip", "foot", "right_hip"], {1: [[1, 1, 2] * 4]})
    found = {sample.source: sample for sample in read(hands, whole, feet).samples}
    assert found["whole"].unknown is None
    assert found["hands"].unknown is not None


def test_samples_keep_the_name_of_their_file_and_find_it(hands: Path, feet: Path) -> None:
    found = read(hands, feet)
    sample = next(sample for sample in found.samples if (sample.source, sample.image_id) == ("feet", 7))
    assert sample.stated_name == "7.png"
    assert found.images / sample.file_name == feet / "train2017" / "7.png"
    assert found.images.is_dir()


def test_the_order_of_sources_changes_nothing(hands: Path, feet: Path) -> None:
    one, other = read(hands, feet), read(feet, hands)
    config = dataclasses.replace(CONFIG, sources=(SourceRules(name="feet"), SourceRules(name="hands")))
    for a, b in zip(make_plan(one, config).shards, make_plan(other, config).shards, strict=True):
        assert [(s.source, s.image_id) for s in a] == [(s.source, s.image_id) for s in b]
    assert one.audit.to_dict() == other.audit.to_dict()


def test_names_that_differ_are_renamed(make_coco: type[Coco], hands: Path, tmp_path: Path) -> None:
    swapped = write(make_coco, tmp_path / "swapped", ["foot", "hip_l", "hip_r"], {1: [[1, 1, 2, 2, 2, 2, 3, 3, 2]]})
    names = {"hip_l": "left_hip", "hip_r": "right_hip"}
    sample = next(s for s in read(hands, Source(coco=swapped, rename=names)).samples if s.source == "swapped")
    np.testing.assert_array_equal(sample.keypoints[0, :, 0], [0, 1, 2, 3])
    for rename, message in (
        ({"hip_x": "left_hip"}, "source 'swapped': .*rename: the annotations have no keypoint 'hip_x' .did you mean"),
        ({"hip_l": "foot"}, "source 'swapped': .*rename: 'hip_l' becomes 'foot', which the annotations have as well"),
    ):
        with pytest.raises(ConfigError, match=message):
            read(hands, Source(coco=swapped, rename=rename))
    with pytest.raises(ConfigError, match="source 'swapped': rename needs a skeleton"):
        read(hands, Source(coco=swapped, rename=names), config=dataclasses.replace(CONFIG, skeleton=None))


def test_names_can_change_places(make_coco: type[Coco], hands: Path, tmp_path: Path) -> None:
    text = ["foot", "left_hip", "right_hip"]
    swapped = write(make_coco, tmp_path / "swapped", text, {1: [[1, 1, 2, 2, 2, 2, 3, 3, 2]]})
    rename = {"left_hip": "right_hip", "right_hip": "left_hip"}
    sample = next(s for s in read(hands, Source(coco=swapped, rename=rename)).samples if s.source == "swapped")
    np.testing.assert_array_equal(sample.keypoints[0, :, 0], [0, 1, 3, 2])


def test_what_no_source_labels_is_refused(hands: Path) -> None:
    with pytest.raises(AnnotationError, match="needs foot, right_hip, which no source labels: hands names"):
        read(Source(coco=hands))


def test_a_source_that_labels_nothing_of_the_skeleton_is_refused(
    make_coco: type[Coco], hands: Path, feet: Path, tmp_path: Path
) -> None:
    ears = write(make_coco, tmp_path / "ears", ["ear"], {1: [[1, 1, 2]]})
    with pytest.raises(AnnotationError, match=r"source 'ears': .*labels no keypoint of the skeleton 'parts'.*ear"):
        read(hands, feet, ears)


def test_what_is_wrong_with_a_source_is_said_of_it(hands: Path, feet: Path) -> None:
    (path,) = (feet / "annotations").glob("*.json")
    document = json.loads(path.read_text())
    document["annotations"][0]["keypoints"] = [1, 2]
    path.write_text(json.dumps(document))
    with pytest.raises(AnnotationError, match=f"source 'feet': {path}"):
        read(hands, feet)


def test_the_audit_counts_by_source_and_all_together(hands: Path, feet: Path) -> None:
    (path,) = (feet / "annotations").glob("*.json")
    document = json.loads(path.read_text())
    document["annotations"][1]["keypoints"] = [0] * 12
    path.write_text(json.dumps(document))
    audit = read(hands, feet).audit
    assert (audit.images, audit.annotations) == (4, 5)
    assert (audit.sources["feet"].images, audit.sources["hands"].images) == (2, 2)
    assert audit.not_drawn == audit.sources["feet"].not_drawn == {"no keypoint is labelled": 1}
    assert not audit.sources["hands"].not_drawn
    said = "\n".join(audit.describe())
    assert "feet: 1 of 2 annotations not drawn" in said
    assert "hands: note: it does not label foot, right_hip: unknown of all its people" in said
    assert "feet: note: it does not label hand: unknown of all its people; of what it labels ear is not used" in said
    record = json.loads(json.dumps(audit.to_dict()))
    assert type(audit).from_dict(record) == audit
    record["sources"]["feet"]["sources"] = {"deeper": {}}
    assert type(audit).from_dict(record) == audit


def test_a_source_is_limited_to_its_first_images_whatever_others_there_are(
    make_coco: type[Coco], hands: Path, tmp_path: Path
) -> None:
    names = ["foot", "left_hip", "right_hip"]
    many = write(make_coco, tmp_path / "many", names, {i: [[1, 1, 2] * 3] * 2 for i in range(1, 21)})
    found = read(hands, Source(coco=many, limit=5))
    kept = {sample.image_id for sample in found.samples if sample.source == "many"}
    assert kept == set(sorted(range(1, 21), key=lambda i: rank_image(0, "many", i))[:5])
    audit = found.audit.sources["many"]
    assert audit.left_out == {"beyond the limit of its source": 15}
    assert audit.not_drawn == {"on images beyond the limit of their source": 30}
    assert read(Source(coco=hands, limit=2), many).audit.left_out == {}


def test_categories_may_differ_by_source(make_coco: type[Coco], hands: Path, feet: Path, tmp_path: Path) -> None:
    coco = make_coco(tmp_path / "zoo")
    coco.document["categories"] = [
        {"id": number, "name": name, "keypoints": ["hand", "foot"], "skeleton": []}
        for number, name in ((1, "cat"), (2, "dog"))
    ]
    image = coco.image(40, 30)
    coco.person(image, [1, 1, 2, 2, 2, 2])
    coco.person(image, [3, 3, 2, 4, 4, 2], category_id=2)
    source = Source(coco=coco.write(), category=("dog",))
    (sample,) = (sample for sample in read(hands, feet, source).samples if sample.source == "zoo")
    np.testing.assert_array_equal(sample.keypoints[0, :2, 0], [3, 4])


def test_without_a_skeleton_sources_must_have_the_same(make_coco: type[Coco], hands: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, skeleton=None)
    like = write(make_coco, tmp_path / "like", ["paw", "left_hip"], {1: [[1, 1, 2] * 2]})
    assert read(hands, like, config=config).names == ("paw", "left_hip")
    (path,) = (like / "annotations").glob("*.json")
    path.write_text(path.read_text().replace('"skeleton": []', '"skeleton": [[1, 2]]'))
    with pytest.raises(ConfigError, match=r"sources 'hands' and 'like' have different limbs.*--skeleton"):
        read(hands, like, config=config)
    other = write(make_coco, tmp_path / "other", ["paw", "ear"], {1: [[1, 1, 2] * 2]})
    with pytest.raises(ConfigError, match=r"sources 'hands' and 'other' have different keypoints .*--skeleton"):
        read(hands, other, config=config)


def test_a_picture_of_several_sources_is_noted(hands: Path, feet: Path) -> None:
    (path,) = (feet / "annotations").glob("*.json")
    again = Source(coco=path, images=hands / "train2017", name="again")
    document: dict[str, Any] = json.loads(path.read_text())
    document["images"] = document["images"][:1]
    document["annotations"] = document["annotations"][:1]
    path.write_text(json.dumps(document))
    found = read(hands, again)
    assert found.audit.notes == ["1 picture of several sources, such as 7.png: a sample for each, with what it knows"]
    assert read(hands, feet).audit.notes == []


def test_missing_pictures_are_named_with_their_source(hands: Path, feet: Path) -> None:
    (feet / "train2017" / "8.png").unlink()
    assert set(read(hands, feet).missing) == {"feet/8.png"}


def test_sources_are_refused_where_one_is_expected_and_the_other_way_round(hands: Path, feet: Path) -> None:
    config = dataclasses.replace(CONFIG, sources=(SourceRules(name="feet"), SourceRules(name="hands")))
    with pytest.raises(ConfigError, match="this is one source, expected several: feet, hands"):
        read_annotations(hands, config)
    with pytest.raises(ConfigError, match="expected the sources feet, hands, not hands"):
        read(Source(coco=hands), config=config)
    with pytest.raises(ConfigError, match="source 'feet' is read in one way"):
        read(hands, Source(coco=feet, limit=3), config=config)
    with pytest.raises(ConfigError, match="of several sources each has its own"):
        read_annotations([hands, feet], CONFIG, split="train2017")
    with pytest.raises(ConfigError, match="there is no source"):
        read_annotations([], CONFIG)
