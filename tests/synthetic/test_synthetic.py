from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from posegen.errors import ConfigError
from posegen.synthetic import write_sample_coco

# pycocotools 2.0.x hands numpy an object without the `copy` keyword whenever it decodes a mask.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

LABELS = Path("annotations/person_keypoints_train2017.json")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_coco(tmp_path_factory.mktemp("sample"), images=16, seed=3)


@pytest.fixture(scope="module")
def labels(sample: Path) -> dict[str, Any]:
    return json.loads((sample / LABELS).read_text())


@pytest.fixture
def coco(sample: Path, capsys: pytest.CaptureFixture[str]) -> COCO:
    api = COCO(str(sample / LABELS))
    capsys.readouterr()
    return api


def contents(directory: Path) -> dict[str, bytes]:
    files = (p for p in directory.rglob("*") if p.is_file())
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in files}


def joints(annotation: dict[str, Any]) -> np.ndarray:
    return np.array(annotation["keypoints"]).reshape(17, 3)


def people_of(labels: dict[str, Any], image: dict[str, Any]) -> list[dict[str, Any]]:
    return [a for a in labels["annotations"] if a["image_id"] == image["id"]]


def test_pycocotools_finds_every_image_and_person(coco: COCO, labels: dict[str, Any]) -> None:
    assert len(coco.getImgIds()) == 16
    assert coco.getCatIds(catNms=["person"]) == [1]
    assert len(coco.getAnnIds(catIds=[1])) == len(labels["annotations"]) > 30
    assert all(coco.annToMask(a).any() for a in coco.loadAnns(coco.getAnnIds()))


def test_the_category_is_that_of_coco(labels: dict[str, Any]) -> None:
    (person,) = labels["categories"]
    assert person["keypoints"][:3] + person["keypoints"][-2:] == [
        "nose", "left_eye", "right_eye", "left_ankle", "right_ankle",
    ]  # fmt: skip
    assert person["skeleton"][0] == [16, 14]
    assert min(map(min, person["skeleton"])) == 1
    assert max(map(max, person["skeleton"])) == 17


def test_identifiers_are_unique_and_increase_with_gaps(labels: dict[str, Any]) -> None:
    for records in (labels["images"], labels["annotations"]):
        steps = np.diff([record["id"] for record in records])
        assert (steps > 0).all()
        assert (steps > 1).any()


def test_the_same_seed_gives_the_same_bytes(sample: Path, tmp_path: Path) -> None:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        again = write_sample_coco(tmp_path / "again", images=16, seed=3)
    finally:
        cv2.setNumThreads(threads)
    assert contents(again) == contents(sample)


def test_another_seed_gives_other_people_and_pictures(sample: Path, tmp_path: Path) -> None:
    other = contents(write_sample_coco(tmp_path / "other", images=3, seed=4))
    mine = contents(sample)
    assert not [name for name in other if name in mine and other[name] == mine[name]]


def test_asking_for_fewer_images_gives_the_first_ones(sample: Path, labels: dict[str, Any], tmp_path: Path) -> None:
    few = write_sample_coco(tmp_path / "few", images=6, seed=3)
    table = json.loads((few / LABELS).read_text())
    pictures = {k: v for k, v in contents(few).items() if k.startswith("train2017")}
    assert table["images"] == labels["images"][:6]
    assert table["annotations"] == labels["annotations"][: len(table["annotations"])]
    assert len(pictures) == 6
    assert pictures.items() <= contents(sample).items()


def test_pictures_decode_to_the_sizes_stated(sample: Path, labels: dict[str, Any]) -> None:
    sizes = set()
    for image in labels["images"]:
        picture = cv2.imread(str(sample / "train2017" / image["file_name"]), cv2.IMREAD_COLOR)
        assert picture.shape == (image["height"], image["width"], 3)
        sizes.add(picture.shape)
    assert len(sizes) > 3
    assert len(list((sample / "train2017").iterdir())) == 16


def test_one_jpeg_has_a_single_channel(sample: Path) -> None:
    read = [cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in (sample / "train2017").glob("*.jpg")]
    assert [picture.ndim for picture in read].count(2) == 1


def test_one_picture_is_a_png(sample: Path) -> None:
    starts = {p.suffix: p.read_bytes()[:4] for p in (sample / "train2017").iterdir()}
    assert starts[".png"] == b"\x89PNG"
    assert starts[".jpg"][:2] == b"\xff\xd8"


def test_some_images_show_nobody(labels: dict[str, Any]) -> None:
    assert sum(not people_of(labels, image) for image in labels["images"]) == 1


def test_one_image_has_a_crowd_with_run_lengths_among_annotated_people(labels: dict[str, Any]) -> None:
    (crowd,) = [a for a in labels["annotations"] if a["iscrowd"]]
    image = next(i for i in labels["images"] if i["id"] == crowd["image_id"])
    assert crowd["segmentation"]["size"] == [image["height"], image["width"]]
    assert sum(crowd["segmentation"]["counts"]) == image["height"] * image["width"]
    assert crowd["keypoints"] == [0] * 51
    assert any(a["num_keypoints"] > 5 for a in people_of(labels, image))


def test_one_annotated_person_has_compressed_run_lengths(labels: dict[str, Any]) -> None:
    compressed = [
        a
        for a in labels["annotations"]
        if isinstance(a["segmentation"], dict) and isinstance(a["segmentation"]["counts"], str)
    ]
    assert [a["iscrowd"] for a in compressed] == [0]
    assert compressed[0]["num_keypoints"] > 0


def test_far_away_people_have_a_polygon_and_no_keypoints(labels: dict[str, Any]) -> None:
    far = [a for a in labels["annotations"] if a["num_keypoints"] == 0 and not a["iscrowd"]]
    assert len(far) >= 4
    assert all(a["keypoints"] == [0] * 51 and isinstance(a["segmentation"], list) for a in far)
    assert np.median([a["bbox"][3] for a in far]) < 40


def test_one_image_shows_a_group_of_eight_at_most(labels: dict[str, Any]) -> None:
    groups = Counter(a["image_id"] for a in labels["annotations"] if a["num_keypoints"])
    assert 6 <= max(groups.values()) <= 8


def test_people_are_small_and_large(labels: dict[str, Any]) -> None:
    heights = [a["bbox"][3] for a in labels["annotations"] if a["num_keypoints"]]
    assert min(heights) < 110
    assert max(heights) > 350


def test_num_keypoints_counts_the_labelled_ones(labels: dict[str, Any]) -> None:
    for a in labels["annotations"]:
        assert a["num_keypoints"] == sum(v > 0 for v in a["keypoints"][2::3])


def test_all_three_visibilities_occur_and_unlabelled_is_zero(labels: dict[str, Any]) -> None:
    points = np.concatenate([joints(a) for a in labels["annotations"] if a["num_keypoints"]])
    assert set(points[:, 2]) == {0, 1, 2}
    assert not points[points[:, 2] == 0].any()


def test_labelled_joints_are_inside_the_picture(labels: dict[str, Any]) -> None:
    sizes = {i["id"]: (i["width"], i["height"]) for i in labels["images"]}
    for a in labels["annotations"]:
        labelled = joints(a)[joints(a)[:, 2] > 0, :2]
        assert (labelled >= 0).all()
        assert (labelled < sizes[a["image_id"]]).all()


def test_visible_joints_lie_on_their_own_person(coco: COCO) -> None:
    on_it = []
    for a in coco.loadAnns(coco.getAnnIds()):
        near = cv2.dilate(coco.annToMask(a), np.ones((3, 3), np.uint8))
        x, y, _ = joints(a)[joints(a)[:, 2] == 2].T
        on_it += near[y, x].tolist()
    assert len(on_it) > 250
    assert np.mean(on_it) >= 0.99


def test_limbs_are_drawn_around_the_line_between_their_joints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    coco = COCO(str(write_sample_coco(tmp_path / "many", images=48, seed=3) / LABELS))
    capsys.readouterr()
    shifts: tuple[list[float], list[float]] = ([], [])
    for a in coco.loadAnns(coco.getAnnIds()):
        mask, points = np.pad(coco.annToMask(a), 200), joints(a)
        for upper, lower in ((7, 9), (8, 10), (13, 15), (14, 16)):
            limb = (points[lower] - points[upper])[:2]
            length = np.hypot(*limb)
            if (points[[upper, lower], 2] < 2).any() or length < 20:
                continue
            across = np.array([-limb[1], limb[0]]) / length
            steps = np.arange(-0.45, 0.46, 0.01) * length
            at = np.round((points[upper] + points[lower])[:2] / 2 + steps[:, None] * across).astype(int) + 200
            inside = steps[mask[at[:, 1], at[:, 0]] > 0]
            # A limb in front of the body has no outline of its own.
            if 0 < np.ptp(inside) < 0.42 * length:
                for axis, share in enumerate(across):
                    if abs(share) > 0.6:
                        shifts[axis].append((inside.min() + inside.max()) / 2 / share)
    assert min(map(len, shifts)) > 10
    assert np.abs([np.median(shift) for shift in shifts]).max() < 0.5


def test_visible_joints_of_one_person_are_not_covered_by_another(coco: COCO) -> None:
    covered = []
    for image in coco.getImgIds():
        people = coco.loadAnns(coco.getAnnIds(imgIds=[image]))
        masks = [cv2.erode(coco.annToMask(a), np.ones((5, 5), np.uint8)) for a in people]
        for i, a in enumerate(people):
            x, y, _ = joints(a)[joints(a)[:, 2] == 2].T
            covered += [masks[j][y, x] for j in range(len(people)) if j != i]
    # Polygons have no holes: a person seen through a bent arm counts as covered.
    assert np.concatenate(covered).mean() < 0.01


def test_boxes_enclose_segmentations(coco: COCO) -> None:
    for a in coco.loadAnns(coco.getAnnIds()):
        rows, columns = np.nonzero(coco.annToMask(a))
        x, y, w, h = a["bbox"]
        assert x - 0.51 <= columns.min()
        assert columns.max() + 1 <= x + w + 0.51
        assert y - 0.51 <= rows.min()
        assert rows.max() + 1 <= y + h + 0.51


def test_areas_agree_with_the_masks_of_pycocotools(coco: COCO) -> None:
    for a in coco.loadAnns(coco.getAnnIds()):
        assert a["area"] == pytest.approx(coco.annToMask(a).sum(), rel=0.04, abs=20)


def test_a_single_image_shows_an_annotated_person(tmp_path: Path) -> None:
    for seed in range(5):
        directory = write_sample_coco(tmp_path / str(seed), images=1, seed=seed)
        table = json.loads((directory / LABELS).read_text())
        assert max(a["num_keypoints"] for a in table["annotations"]) >= 8
        assert [p.name for p in (directory / "train2017").iterdir()] == ["000000000001.jpg"]


@pytest.mark.parametrize(
    ("wrong", "named"), [({"images": 0}, "1 image"), ({"seed": -1}, "seed"), ({"split": "a/b"}, "split")]
)
def test_wrong_arguments_are_named(tmp_path: Path, wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        write_sample_coco(tmp_path / "new", **wrong)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["train2017/mine.jpg", LABELS.as_posix()])
def test_a_dataset_that_is_there_is_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match="choose another directory"):
        write_sample_coco(tmp_path, images=1)
    assert contents(tmp_path) == {name: b"mine"}


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="found a file"):
        write_sample_coco(tmp_path / "file", images=1)


def test_another_split_fits_beside_the_first(tmp_path: Path) -> None:
    write_sample_coco(tmp_path, images=1)
    write_sample_coco(tmp_path, images=1, seed=1, split="val2017")
    assert sorted(contents(tmp_path)) == [
        "annotations/person_keypoints_train2017.json", "annotations/person_keypoints_val2017.json",
        "train2017/000000000001.jpg", "val2017/000000000001.jpg",
    ]  # fmt: skip


def test_an_interrupted_run_leaves_no_annotation_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_sample_coco(tmp_path, images=1)
    assert [p.name for p in (tmp_path / "train2017").iterdir()] == ["000000000001.jpg"]
    assert not list((tmp_path / "annotations").iterdir())
