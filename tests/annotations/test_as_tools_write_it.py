"""What annotation tools write where COCO has something else: read as it is meant, and said; or refused."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import Coco
from reading import afresh, explain, people, read

from posegen.annotations import number_text, read_skeleton
from posegen.build.ignored import find_ignored
from posegen.errors import AnnotationError


def notes(coco: Coco, **config: object) -> str:
    return "\n".join(read(coco, **config).audit.describe_noticed())


def rename(coco: Coco, write: object) -> None:
    """Write every id of the document another way."""
    for image in coco.document["images"]:
        image["id"] = write(image["id"])
    for category in coco.document["categories"]:
        category["id"] = write(category["id"])
    for person in coco.document["annotations"]:
        for key in ("id", "image_id", "category_id"):
            person[key] = write(person[key])


class TestIds:
    def test_whole_numbers_as_text_or_with_a_point_are_these_numbers(self, coco: Coco) -> None:
        expected = people(read(coco))
        for write in afresh(coco, (float, str, lambda i: f" {i}", lambda i: f"{i}.0")):
            rename(coco, write)
            found = read(coco)
            assert people(found) == expected
            assert sum("of whole numbers, written as text or with a point" in note for note in found.audit.notes) == 1

    def test_ids_of_text_become_numbers_that_depend_on_nothing_else(self, coco: Coco) -> None:
        expected = people(read(coco))
        rename(coco, lambda i: f"cam_{i}")
        found = read(coco)
        assert people(found) == {
            number_text(f"cam_{image}"): [number_text(f"cam_{i}") for i in ids]
            for image, ids in sorted(expected.items(), key=lambda item: number_text(f"cam_{item[0]}"))
        }
        assert all(0 <= image < 1 << 62 for image in people(found))
        assert "such as the id 'cam_100' in 'images'" in "\n".join(found.audit.notes)

    def test_a_category_that_the_file_does_not_have_is_named_beside_those_it_has(self, coco: Coco) -> None:
        coco.document["annotations"][2]["category_id"] = 7
        said = notes(coco)
        assert (
            "1 annotation not drawn, as the file has no such category: category_id 7 (1); its categories are 1" in said
        )

    def test_an_id_that_can_be_none_is_shown(self, coco: Coco) -> None:
        for wrong in afresh(coco, (None, 1.5, [1], True)):
            coco.document["images"][0]["id"] = wrong
            assert f"'id', not {wrong!r}" in explain(coco)


class TestFlagsAndVisibility:
    def test_a_crowd_is_told_by_what_the_flag_means(self, coco: Coco) -> None:
        everybody = people(read(coco))
        for flag, is_crowd in afresh(
            coco, [(0, False), (False, False), (0.0, False), ("0", False), ("False", False), (None, False), ("", False),
                   (1, True), (True, True), ("1", True), ("true", True)],
        ):  # fmt: skip
            coco.document["annotations"][0]["iscrowd"] = flag
            found = read(coco)
            assert (people(found) != everybody) == is_crowd, flag
            assert ("iscrowd is text; '0' and 'false' are taken for 0" in found.audit.noticed) == isinstance(flag, str)

    def test_a_visibility_below_0_is_not_labelled(self, coco: Coco) -> None:
        keypoints = coco.document["annotations"][0]["keypoints"]
        keypoints[:3], keypoints[3:6] = [-1, -1, -1], [5, 6, 2]
        found = read(coco)
        person = found.samples[0].keypoints[0]
        assert person[0].tolist() == [0, 0, 0]
        assert person[1].tolist() == [5, 6, 2]
        assert found.audit.examples["visibility below 0; taken for not labelled"] == [1000]

    def test_points_at_the_origin_are_noticed_and_left_out_if_asked(self, coco: Coco) -> None:
        coco.document["annotations"][0]["keypoints"][:3] = [0, 0, 2]
        kept, dropped = read(coco), read(coco, origin="unlabelled")
        assert kept.samples[0].keypoints[0, 0].tolist() == [0, 0, 2]
        assert dropped.samples[0].keypoints[0, 0, 2] == 0
        for found in (kept, dropped):
            assert found.audit.examples["keypoint labelled at exactly 0,0"] == [1000]

    def test_who_shows_nothing_is_ignored_and_counted(self, coco: Coco) -> None:
        coco.document["annotations"][0]["keypoints"][2::3] = [1] * 17
        found = read(coco, visibility="visible")
        assert people(found)[100] == [1003]
        assert found.audit.not_drawn == {"none of the skeleton's keypoints is labelled as visible": 1}
        assert len(found.samples[0].ignored) == 1


class TestSizesAndRegions:
    def test_a_size_below_1_is_read_from_the_picture(self, coco: Coco) -> None:
        expected = [(s.width, s.height) for s in read(coco).samples]
        for side in afresh(coco, (0, -1, None, float("nan"), "")):
            for image in coco.document["images"]:
                image |= {"width": side, "height": side}
            coco.write()
            found = read_with_images(coco)
            assert [(s.width, s.height) for s in found.samples] == expected
            assert "2 of 2 images state no size; it was read from their pictures" in found.audit.notes

    def test_a_size_in_text_is_a_number(self, coco: Coco) -> None:
        coco.document["images"][0]["width"] = str(coco.document["images"][0]["width"])
        assert read(coco).samples[0].width == int(coco.document["images"][0]["width"])

    def test_regions_that_are_to_be_ignored_are(self, coco: Coco) -> None:
        image = coco.document["images"][1]
        width, height = image["width"], image["height"]
        image |= {"ignore_regions_x": [[0, 6, 6, 0]], "ignore_regions_y": [[0, 0, 5, 5]]}
        coco.document["annotations"][2] |= {"bbox": [10, 10, 4, 4], "segmentation": []}
        sample = next(s for s in read(coco).samples if s.image_id == 107)
        region = find_ignored(sample)
        assert region is not None
        pixels = np.zeros((height, width))
        for x, top, bottom in zip(region.column, region.top, region.bottom, strict=True):
            pixels[int(top) : int(bottom), int(x)] += 1
        assert pixels[:5, :6].all()
        assert pixels[7:].sum() == pixels[:, 8:].sum() == 0


class TestKeypointsAndBoxes:
    def test_shares_of_the_size_are_refused(self, coco: Coco) -> None:
        for person in coco.document["annotations"]:
            person["keypoints"] = [value for k in range(17) for value in (k / 17, 1 - k / 17, 2)]
        assert "they seem to be shares of the image's size" in explain(coco)

    def test_pairs_are_told_from_another_number_of_keypoints(self, coco: Coco) -> None:
        for flat in afresh(coco, (True, False)):
            for person in coco.document["annotations"]:
                pairs = [[k, k + 1] for k in range(17)]
                person["keypoints"] = [v for pair in pairs for v in pair] if flat else pairs
            assert "x, y without v" in explain(coco)

    def test_keypoints_beside_the_box_are_noticed(self, coco: Coco) -> None:
        person = coco.document["annotations"][0]
        person["keypoints"] = [v for k in range(17) for v in (k, 2 * k % 30, 2)]
        person["bbox"] = [0, 0, 17, 30]
        kind = "most keypoints lie outside the person's box"
        assert 1000 not in read(coco).audit.examples.get(kind, [])
        person["bbox"] = [0, 0, 3, 3]
        assert 1000 in read(coco).audit.examples[kind]

    def test_boxes_that_are_corners_are_noticed_where_all_are(self, coco: Coco) -> None:
        for person in coco.document["annotations"]:
            image = next(i for i in coco.document["images"] if i["id"] == person["image_id"])
            width, height = image["width"], image["height"]
            person["keypoints"] = [v for k in range(17) for v in (width // 2 + k % 3, height // 2 + k % 2, 2)]
            person["bbox"] = [width // 2 - 1, height // 2 - 1, width - 1, height - 1]
        assert "boxes look as if they were x, y of two corners" in notes(coco)
        coco.document["annotations"][0]["bbox"] = [0, 0, 3, 3]
        assert "two corners" not in notes(coco)


class TestLimbs:
    def test_limbs_from_0_and_by_name_are_those_from_1(self, coco: Coco) -> None:
        category = coco.document["categories"][0]
        names, limbs = category["keypoints"], [[1, 2], [2, 17], [1, 5]]
        category["skeleton"] = limbs
        expected = read(coco, skeleton=None).skeleton.limbs
        for other in ([[a - 1, b - 1] for a, b in limbs], [[names[a - 1], names[b - 1]] for a, b in limbs]):
            category["skeleton"] = other
            assert read(coco, skeleton=None).skeleton.limbs == expected
        assert "count keypoints from 0" not in notes(coco, skeleton=None)
        category["skeleton"] = [[0, 1]]
        assert "its limbs count keypoints from 0, as [0, 1]" in notes(coco, skeleton=None)

    def test_limbs_that_cannot_be_are_left_out_with_a_note(self, coco: Coco) -> None:
        for limbs in ([[1, 18]], [[0, 17]], "none", [[1, 2, 3]], [[1, "elbow"]]):
            coco.document["categories"][0]["skeleton"] = limbs
            found = read(coco, skeleton=None)
            assert found.skeleton.limbs == ()
            assert "its limbs are left out" in found.limbs_left_out
            assert any(found.limbs_left_out in note for note in found.audit.notes)

    def test_the_skeleton_of_a_file_can_be_read_alone(self, coco: Coco) -> None:
        coco.document["categories"][0]["skeleton"] = [[1, 2]]
        coco.write()
        found = read_skeleton(coco.annotations)
        assert found.keypoints == tuple(coco.document["categories"][0]["keypoints"])
        assert found.limbs == ((0, 1),)


class TestTwoIdsOfAPicture:
    def test_their_people_are_joined_and_the_same_ones_kept_once(self, coco: Coco) -> None:
        first, second = coco.document["images"]
        second |= {"file_name": f"./{first['file_name']}", "width": first["width"], "height": first["height"]}
        (coco.document["annotations"][2])["keypoints"] = [v for k in range(17) for v in (k, k + 1, 2)]
        twin = {**coco.document["annotations"][0], "id": 2000, "image_id": 107}
        coco.document["annotations"].append(twin)
        found = read(coco)
        assert people(found) == {100: [1000, 1003, 1006]}
        assert found.audit.left_out == {"the same picture as another image, which has its people": 1}
        assert found.audit.not_drawn == {"the same person as under another id of the picture": 1}

    def test_ids_with_other_sizes_are_left_alone(self, coco: Coco) -> None:
        first, second = coco.document["images"]
        second |= {"file_name": first["file_name"], "width": first["width"] + 1}
        assert len(read(coco).samples) == 2


class TestBytes:
    def test_what_is_not_utf_8_is_named_with_its_place(self, coco: Coco) -> None:
        coco.write()
        data = coco.annotations.read_bytes().replace(b'"nose"', b'"n\xe9se"', 1)
        coco.annotations.write_bytes(data)
        with pytest.raises(
            AnnotationError, match=r"is not JSON in UTF-8: byte 0xe9 in line \d+, .*save the file as UTF-8"
        ):
            read_skeleton(coco.annotations)

    def test_a_packed_file_is_called_so(self, coco: Coco) -> None:
        coco.write()
        for start, kind in ((b"PK\x03\x04\xff\xff", "zip archive"), (b"\x1f\x8b\xff", "gzip")):
            coco.annotations.write_bytes(start)
            with pytest.raises(AnnotationError, match=f"it is of the kind {kind}; unpack it first"):
                read_skeleton(coco.annotations)


def read_with_images(coco: Coco) -> object:
    from posegen.annotations import read_annotations
    from posegen.config import BuildConfig

    return read_annotations(coco.annotations, BuildConfig(), images=coco.images)
