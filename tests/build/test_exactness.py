"""What a build stores, held against the annotations by means that posegen does not use."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import h5py
import hdf5plugin  # noqa: F401 (registers the zstd filter)
import numpy as np
import pytest
from by_hand import show_picture
from numpy.typing import NDArray
from pycocotools.coco import COCO

from posegen.labels import reference

if TYPE_CHECKING:
    from conftest import Build, Coco

VARIANTS = ("plain", "packed", "raw")


@dataclass(frozen=True)
class Stored:
    """One sample as a plain h5py reader finds it; labels are (C, h, w) float64."""

    image_id: int
    size: tuple[int, int]
    affine: NDArray[np.float64]
    annotation_ids: list[int]
    keypoints: NDArray[np.float64]
    boxes: NDArray[np.float64]
    labels: dict[str, NDArray[np.float64]]
    errors: dict[str, float]
    picture: NDArray[np.uint8]
    config: dict[str, Any]
    skeleton: dict[str, Any]

    @property
    def input_size(self) -> tuple[int, int]:
        return tuple(self.config["input_size"])

    @property
    def cells(self) -> tuple[int, int]:
        return tuple(round(n / self.config["stride"]) for n in self.input_size)

    @property
    def scale(self) -> tuple[float, float]:
        """Along y and x."""
        return self.affine[1, 1], self.affine[0, 0]

    @property
    def shift(self) -> tuple[float, float]:
        """Where the picture's upper and left edges come to lie, counted from those of the input."""
        return tuple(self.affine[i, 2] + 0.5 - 0.5 * self.affine[i, i] for i in (1, 0))


def read(dataset: Path) -> Iterator[Stored]:
    for path in sorted(dataset.glob("*.h5")):
        with h5py.File(path) as file:
            config, skeleton = json.loads(file.attrs["config"]), json.loads(file.attrs["skeleton"])
            for i, image_id in enumerate(file["sample/image_id"]):
                mine = slice(*file["person/offsets"][i : i + 2])
                labels = {}
                for name in config["labels"]:
                    values = file[name][i] * np.float64(file[name].attrs["scale"])
                    labels[name] = values.transpose(2, 0, 1) if config["layout"] == "hwc" else values
                yield Stored(
                    image_id=int(image_id),
                    size=(int(file["sample/height"][i]), int(file["sample/width"][i])),
                    affine=file["sample/affine"][i],
                    annotation_ids=file["person/annotation_id"][mine].tolist(),
                    keypoints=file["person/keypoints"][mine].astype(np.float64),
                    boxes=file["person/bbox"][mine].astype(np.float64),
                    labels=labels,
                    errors={name: float(file[name].attrs["max_abs_error"]) for name in labels},
                    picture=show_picture(file, i)[..., ::-1],
                    config=config,
                    skeleton=skeleton,
                )


@pytest.fixture(params=VARIANTS)
def samples(request: pytest.FixtureRequest, build: Build) -> list[Stored]:
    """All samples of one variant."""
    return list(read(build(request.param)))


@pytest.fixture
def api(corpus: Coco, capsys: pytest.CaptureFixture[str]) -> COCO:
    api = COCO(str(corpus.annotations))
    capsys.readouterr()
    return api


def is_drawn(annotation: dict[str, Any]) -> bool:
    return not annotation["iscrowd"] and any(v > 0 for v in annotation["keypoints"][2::3])


class TestWhatIsStored:
    def test_every_image_with_people_is_stored_once_with_all_of_them(self, samples: list[Stored], api: COCO) -> None:
        expected = {
            image_id: [a["id"] for a in api.imgToAnns[image_id] if is_drawn(a)]
            for image_id in api.getImgIds()
            if samples[0].config["keep_empty"] or any(map(is_drawn, api.imgToAnns[image_id]))
        }
        assert {s.image_id: s.annotation_ids for s in samples} == expected
        assert len(samples) == len(expected) == (10 if samples[0].config["keep_empty"] else 8)

    def test_keypoints_map_back_to_the_annotation(self, samples: list[Stored], api: COCO) -> None:
        names, compared = api.cats[1]["keypoints"], 0
        for sample in samples:
            back = np.linalg.inv(np.vstack([sample.affine, [0, 0, 1]]))
            for annotation, found in zip(api.loadAnns(sample.annotation_ids), sample.keypoints, strict=True):
                annotated = dict(zip(names, np.reshape(annotation["keypoints"], (17, 3)).astype(float), strict=True))
                left, right = annotated["left_shoulder"], annotated["right_shoulder"]
                neck = [*(left[:2] + right[:2]) / 2, min(left[2], right[2])] if left[2] and right[2] else [0, 0, 0]
                for name, (x, y, v) in zip(sample.skeleton["keypoints"], found, strict=True):
                    expected = np.array(neck) if name == "neck" else annotated[name]
                    assert v == expected[2]
                    if v:
                        np.testing.assert_allclose((back @ (x, y, 1))[:2], expected[:2], atol=1e-3)
                        compared += 1
                    else:
                        assert (x, y) == (0, 0)
        assert compared > 100

    def test_boxes_map_back_to_the_annotation(self, samples: list[Stored], api: COCO) -> None:
        for sample in samples:
            (sy, sx), (top, left) = sample.scale, sample.shift
            for annotation, (x, y, w, h) in zip(api.loadAnns(sample.annotation_ids), sample.boxes, strict=True):
                found = (x - left) / sx, (y - top) / sy, w / sx, h / sy
                np.testing.assert_allclose(found, annotation["bbox"], atol=1e-2)

    def test_the_affine_map_is_the_fit_that_was_asked_for(self, samples: list[Stored]) -> None:
        for sample in samples:
            (height, width), (h, w) = sample.input_size, sample.size
            cover = sample.config["fit"] == "cover"
            scale = (max if cover else min)(height / h, width / w)
            # The picture is resized to whole pixels and laid on whole pixels, in the middle.
            rows, columns = max(1, round(h * scale)), max(1, round(w * scale))
            np.testing.assert_allclose(sample.scale, (rows / h, columns / w), rtol=1e-12)
            np.testing.assert_allclose(sample.shift, ((height - rows) // 2, (width - columns) // 2), atol=1e-9)
            assert sample.affine[0, 1] == sample.affine[1, 0] == 0

    def test_pictures_lie_where_the_affine_map_says(self, samples: list[Stored], corpus: Coco) -> None:
        names = {image["id"]: image["file_name"] for image in corpus.document["images"]}
        for sample in samples:
            original = cv2.imread(str(corpus.images / names[sample.image_id]), cv2.IMREAD_COLOR)
            expected = lay(original, sample)
            difference = np.abs(sample.picture.astype(int) - expected)
            if sample.config["image_encoding"] != "jpeg":
                assert difference.max() == 0
            elif not names[sample.image_id].startswith("deep"):
                # JPEG blurs colours; that one picture is nothing but colourful noise.
                assert difference.mean() < 3


def lay(original: NDArray[np.uint8], sample: Stored) -> NDArray[np.uint8]:
    """Resize a picture with OpenCV to whole pixels and lay it on gray; of what does not fit the middle is seen."""
    (height, width), (top, left) = sample.input_size, (round(v) for v in sample.shift)
    rows, columns = (round(n * s) for n, s in zip(sample.size, sample.scale, strict=True))
    smaller = min(rows, sample.size[0]), min(columns, sample.size[1])
    resized = cv2.resize(original, smaller[::-1], interpolation=cv2.INTER_AREA)
    resized = cv2.resize(resized, (columns, rows), interpolation=cv2.INTER_LINEAR)
    padded = np.pad(resized, ((height, height), (width, width), (0, 0)), constant_values=128)
    return padded[height - top : 2 * height - top, width - left : 2 * width - left]


class TestLabels:
    def test_heatmaps_are_those_of_the_specification(self, samples: list[Stored]) -> None:
        self.compare(samples, "heatmap", reference.render_heatmap_vectorized, sigma_px=8.0)

    def test_part_affinity_fields_are_those_of_the_specification(self, samples: list[Stored]) -> None:
        limbs = [tuple(limb) for limb in samples[0].skeleton["limbs"]]
        assert len(limbs) == 19
        self.compare(samples, "paf", reference.render_paf_vectorized, limbs, half_width_px=8.0)

    def test_heatmaps_are_those_of_the_pixel_loop(self, build: Build) -> None:
        few = list(itertools.islice(read(build("raw")), 3))
        self.compare(few, "heatmap", reference.render_heatmap_loop, sigma_px=8.0)

    def test_part_affinity_fields_are_those_of_the_pixel_loop(self, build: Build) -> None:
        few = list(itertools.islice(read(build("raw")), 3))
        limbs = [tuple(limb) for limb in few[0].skeleton["limbs"]]
        self.compare(few, "paf", reference.render_paf_loop, limbs, half_width_px=8.0)

    @staticmethod
    def compare(samples: list[Stored], name: str, render: Any, *arguments: Any, **options: Any) -> None:
        """Draw every sample again from the keypoints that are stored with it."""
        largest = 0.0
        for sample in samples:
            drawn = sample.keypoints[..., 2] >= (2 if sample.config["visibility"] == "visible" else 1)
            expected = render(
                sample.keypoints[..., :2],
                drawn,
                *arguments,
                input_size=sample.input_size,
                cells=sample.cells,
                **options,
            )
            assert sample.labels[name].shape == expected.shape
            assert np.abs(sample.labels[name] - expected).max() <= sample.errors[name] + 1e-6
            largest = max(largest, float(np.abs(expected).max()))
        assert largest > 0.5

    def test_the_error_that_is_stated_is_small(self, samples: list[Stored]) -> None:
        bounds = {"float16": 2**-11, "float32": 0.0, "uint8": 0.004}
        for error in samples[0].errors.values():
            assert error <= bounds[samples[0].config["label_dtype"]]


def measure_overlap(pixels: int, scale: float, shift: float, cells: int, stride: float) -> NDArray[np.float64]:
    """Measure by plain intervals which share of each cell each pixel of the picture covers: (cells, pixels)."""
    shares = np.zeros((cells, pixels))
    for cell in range(cells):
        for pixel in range(pixels):
            start, stop = scale * pixel + shift, scale * (pixel + 1) + shift
            shares[cell, pixel] = max(0.0, min(stop, (cell + 1) * stride) - max(start, cell * stride)) / stride
    return shares


class TestMasks:
    @staticmethod
    def find_counting(sample: Stored, api: COCO) -> NDArray[np.uint8]:
        """Tell by pycocotools' own decoding where in the original image the loss counts."""
        counting = np.ones(sample.size, np.uint8)
        people = api.imgToAnns[sample.image_id]
        for annotation in people:
            if not is_drawn(annotation):
                counting[TestMasks.paint(annotation, sample.size, api) > 0] = 0
        for annotation in people:
            if is_drawn(annotation):
                counting[TestMasks.paint(annotation, sample.size, api) > 0] = 1
        return counting

    @staticmethod
    def paint(annotation: dict[str, Any], size: tuple[int, int], api: COCO) -> NDArray[np.uint8]:
        if annotation["segmentation"]:
            return api.annToMask(annotation)
        x, y, w, h = annotation["bbox"]
        pixels = np.zeros(size, np.uint8)
        pixels[max(y, 0) : y + h, max(x, 0) : x + w] = 1
        return pixels

    def test_a_cell_is_the_share_of_its_area_that_counts(self, build: Build, api: COCO) -> None:
        for variant in ["plain", "packed"]:
            values = []
            for sample in read(build(variant)):
                counting = self.find_counting(sample, api)
                rows, columns = (
                    measure_overlap(*axis, sample.config["stride"])
                    for axis in zip(sample.size, sample.scale, sample.shift, sample.cells, strict=True)
                )
                expected = rows @ counting @ columns.T
                assert np.abs(sample.labels["mask"][0] - expected).max() <= sample.errors["mask"] + 1e-6
                values.append(expected)
            everything = np.concatenate([v.ravel() for v in values])
            assert everything.min() < 1e-9
            assert everything.max() > 1 - 1e-9
            assert ((everything > 0.01) & (everything < 0.99)).any()

    def test_where_pixels_divide_cells_evenly_it_is_opencvs_area_resize(self, build: Build, api: COCO) -> None:
        square = [s for s in read(build("plain")) if s.size in {(736, 736), (184, 184)}]
        assert len(square) == 2
        for sample in square:
            counting = self.find_counting(sample, api).astype(np.float32)
            expected = cv2.resize(counting, (46, 46), interpolation=cv2.INTER_AREA)
            assert np.abs(sample.labels["mask"][0] - expected).max() <= sample.errors["mask"] + 1e-6
            assert expected.min() == 0


class TestSameBytes:
    @staticmethod
    def contents(dataset: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in dataset.glob("*.h5")}

    def test_more_workers_write_the_same_bytes(self, build: Build) -> None:
        for workers in [2, 4]:
            one = self.contents(build())
            assert len(one) == 3
            assert self.contents(build(workers=workers)) == one

    def test_another_run_writes_the_same_bytes(self, build: Build) -> None:
        assert self.contents(build(run=2)) == self.contents(build())

    def test_the_manifest_is_the_same_too(self, build: Build) -> None:
        assert (build() / "manifest.json").read_bytes() == (build(workers=4) / "manifest.json").read_bytes()

    def test_only_shards_and_the_manifest_are_left(self, build: Build) -> None:
        assert {p.name for p in build().iterdir()} - {".posegen"} == {*self.contents(build()), "manifest.json"}
