"""What the tests share: COCO datasets written by hand, and the command line run in this process.

Nothing here comes from posegen but the commands, so what tests expect does not come from what they test.
"""

from __future__ import annotations

import io
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

# Property tests draw the same examples on every run, and none is late on a busy machine.
settings.register_profile(
    "posegen", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("posegen")

KEYPOINTS = [
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
]  # fmt: skip
LIMBS = [
    [16, 14], [14, 12], [17, 15], [15, 13], [12, 13], [6, 12], [7, 13], [6, 7], [6, 8], [7, 9], [8, 10], [9, 11],
    [2, 3], [1, 2], [1, 3], [2, 4], [3, 5], [4, 6], [5, 7],
]  # fmt: skip


# A shell starts what runs in its background deaf to Ctrl-C, nohup deaf to the end of a session; so would be what the
# tests interrupt.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)


def pytest_configure(config: pytest.Config) -> None:
    # pycocotools 2.0.x hands NumPy an object without the `copy` keyword whenever it decodes a mask.
    config.addinivalue_line(
        "filterwarnings", "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    )


class Coco:
    """A COCO dataset that is written entry by entry; `document` may be changed at will before `write`."""

    def __init__(self, root: Path, split: str = "train2017", seed: int = 0) -> None:
        self.root = root
        self.annotations = root / "annotations" / f"person_keypoints_{split}.json"
        self.images = root / split
        self.random = np.random.default_rng(seed)
        category = {"id": 1, "name": "person", "supercategory": "person", "keypoints": KEYPOINTS, "skeleton": LIMBS}
        self.document: dict[str, Any] = {"images": [], "annotations": [], "categories": [category]}

    def image(self, width: int, height: int, name: str | None = None, data: bytes | None = None, **entry: Any) -> int:
        """Add an image and write its picture, by default a JPEG of smooth noise."""
        number = 100 + 7 * len(self.document["images"])
        name = name or f"{number:012d}.jpg"
        path = self.images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(self.picture(width, height), path.suffix) if data is None else data)
        self.document["images"].append({"id": number, "file_name": name, "width": width, "height": height} | entry)
        return number

    def person(self, image_id: int, keypoints: list[float] | None = None, **entry: Any) -> int:
        """Add a person to an image, by default with random keypoints and a polygon around them."""
        image = next(i for i in self.document["images"] if i["id"] == image_id)
        keypoints = self.keypoints(image["width"], image["height"]) if keypoints is None else keypoints
        number = 1000 + 3 * len(self.document["annotations"])
        x, y = self.random.uniform(0, 0.4, 2) * (image["width"], image["height"])
        w, h = self.random.uniform(0.2, 0.5, 2) * (image["width"], image["height"])
        self.document["annotations"].append(
            {
                "id": number,
                "image_id": image_id,
                "category_id": 1,
                "iscrowd": 0,
                "keypoints": keypoints,
                "num_keypoints": sum(v > 0 for v in keypoints[2::3]),
                "bbox": [round(v, 2) for v in (x, y, w, h)],
                "area": round(w * h, 2),
                "segmentation": [[round(v, 2) for v in (x, y, x + w, y, x + w, y + h, x + w / 3, y + h)]],
            }
            | entry
        )
        return number

    def keypoints(self, width: int, height: int) -> list[float]:
        """Draw 17 keypoints: two in three are labelled, the first and both shoulders always."""
        found: list[float] = []
        for k in range(17):
            v = int(self.random.integers(1, 3)) if k in {0, 5, 6} else int(self.random.integers(0, 3))
            x, y = self.random.integers(0, (width, height)).tolist()
            found += [x, y, v] if v else [0, 0, 0]
        return found

    def picture(self, width: int, height: int) -> NDArray[np.uint8]:
        """Draw smooth noise: (height, width, 3)."""
        coarse = self.random.integers(0, 256, (6, 8, 3), np.uint8)
        return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)

    def write(self) -> Path:
        """Write the annotations and return the root."""
        self.annotations.parent.mkdir(parents=True, exist_ok=True)
        self.annotations.write_text(json.dumps(self.document))
        return self.root


def encode(picture: NDArray[Any], suffix: str, *parameters: int) -> bytes:
    written, data = cv2.imencode(suffix, picture, list(parameters))
    assert written
    return data.tobytes()


def run_lengths(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    """Write a mask as uncompressed RLE: runs of 0 and 1 in turn, column by column, the first of 0."""
    height, width = pixels.shape
    flat = [0, *pixels.T.ravel().tolist()]
    counts, start = [], 1
    for i in range(1, len(flat)):
        if flat[i] != flat[i - 1]:
            counts.append(i - start)
            start = i
    return {"size": [height, width], "counts": [*counts, len(flat) - start]}


def compressed(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    """Write a mask as compressed RLE, as pycocotools does."""
    encoded = coco_mask.encode(np.asfortranarray(pixels))
    return {"size": list(pixels.shape), "counts": encoded["counts"].decode()}


def disc(width: int, height: int, x: float, y: float, radius: float) -> NDArray[np.uint8]:
    rows, columns = np.ogrid[:height, :width]
    return ((columns - x) ** 2 + (rows - y) ** 2 <= radius**2).astype(np.uint8)


@pytest.fixture(scope="session")
def make_coco() -> type[Coco]:
    """Start a dataset in a directory: `make_coco(path)`."""
    return Coco


@pytest.fixture
def coco(tmp_path: Path) -> Coco:
    """A dataset of two images, 100 with the people 1000 and 1003, and 107 with the person 1006; not written yet."""
    dataset = Coco(tmp_path / "coco")
    first, second = dataset.image(60, 40), dataset.image(30, 50)
    dataset.person(first)
    dataset.person(first)
    dataset.person(second)
    return dataset


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Coco:
    """Eight samples and two images that are none, with all that real annotations have; written, not to be changed."""
    dataset = Coco(tmp_path_factory.mktemp("corpus"), seed=1)
    nobody = {"keypoints": [0] * 51, "num_keypoints": 0}

    overlapping = dataset.image(200, 150)
    dataset.person(overlapping)
    dataset.person(overlapping)
    dataset.person(
        overlapping, **nobody, segmentation=[[20, 20, 120, 25, 110, 130, 15, 90], [150.5, 90, 190, 100, 170, 140.25]]
    )

    gray = dataset.image(60, 90, "gray.jpg", data=encode(dataset.picture(60, 90)[..., 0], ".jpg"))
    corners = [0, 0, 2, 59, 0, 1, 0, 89, 2, 59, 89, 1] + [0] * 3 + [30, 40, 2, 20, 41, 1] + [0] * 30
    dataset.person(gray, corners, num_keypoints=17)

    deep = dataset.random.integers(0, 1 << 16, (120, 120, 4)).astype(np.uint16)
    crowded = dataset.image(120, 120, "deep.png", data=encode(deep, ".png"))
    dataset.person(crowded, segmentation=compressed(disc(120, 120, 50, 50, 30)))
    dataset.person(crowded, **nobody, iscrowd=1, segmentation=run_lengths(disc(120, 120, 70, 60, 40)))

    wide = dataset.image(400, 100, "wide.png")
    dataset.person(wide, segmentation=[], bbox=[150, 20, 60, 60])
    dataset.person(wide, **nobody, segmentation=[], bbox=[-30, 40, 250, 90])

    half = dataset.image(736, 736)
    dataset.person(half)
    dataset.person(half, **nobody, segmentation=compressed(disc(736, 736, 300, 400, 211)))
    dataset.person(half, **nobody, segmentation=run_lengths(disc(736, 736, 700, 20, 99)))

    double = dataset.image(184, 184)
    dataset.person(double)
    dataset.person(double, iscrowd=1, segmentation=[[3, 5, 100, 8, 60, 180]])

    dataset.image(50, 50)
    alone = dataset.image(70, 50)
    dataset.person(alone, **nobody)

    named = dataset.image(150, 210, "größe/b c.jpg")
    dataset.person(named)
    dataset.person(named)
    dataset.person(named)
    tiny = dataset.image(8, 6)
    dataset.person(tiny)
    dataset.write()
    return dataset


@dataclass(frozen=True)
class Outcome:
    """What a command did: its exit status and what it printed."""

    status: int
    out: str
    err: str


def run_command(*arguments: object) -> Outcome:
    from posegen.cli import main

    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments], prog_name="posegen")
    return Outcome(int(end.value.code or 0), out.getvalue(), err.getvalue())


Run = Callable[..., Outcome]


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a command in this process: `run("inspect", path)`; an exception that it lets out is the test's."""
    return run_command


VARIANTS = {
    "plain": "",
    "packed": "--preset coco --input-size 96x64 --fit cover --keep-empty --label-dtype uint8 --layout hwc "
    "--compression gzip --image-encoding png",
    "raw": "--input-size 128x72 --stride 4 --visibility visible --label-dtype float32 --compression none "
    "--image-encoding raw --labels paf,heatmap",
}
Build = Callable[..., Path]


@pytest.fixture(scope="session")
def build(corpus: Coco, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build a variant of the corpus, once for equal arguments: `build("packed", workers=2)`."""
    built: dict[object, Path] = {}

    def run_build(variant: str = "plain", workers: int = 1, run: int = 1) -> Path:
        key = variant, workers, run
        if key not in built:
            out = tmp_path_factory.mktemp("built") / "out"
            options = "--shard-size", 3, "--workers", workers, *VARIANTS[variant].split()
            outcome = run_command("build", "--coco", corpus.root, "--out", out, *options)
            assert outcome.status == 0, outcome.err
            built[key] = out
        return built[key]

    return run_build


@pytest.fixture(scope="session")
def dataset(build: Build) -> Path:
    """The corpus built with the default options, in shards of 3, 3 and 2 samples."""
    return build()


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a package with one module and some labels where Python finds it, as an installer would.

    `install("pose-count", code, count="pose_count:create")`
    """
    from posegen.labels import registry

    site = tmp_path / "site"
    monkeypatch.syspath_prepend(site)

    def add(package: str, code: str, version: str = "1.0", **labels: str) -> None:
        module = package.replace("-", "_")
        info = site / f"{module}-{version}.dist-info"
        info.mkdir(parents=True)
        (site / f"{module}.py").write_text(code)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        lines = [f"{name} = {value}" for name, value in labels.items()]
        (info / "entry_points.txt").write_text("\n".join(["[posegen.labels]", *lines]) + "\n")
        monkeypatch.delitem(sys.modules, module, raising=False)
        registry._entries.cache_clear()

    registry._entries.cache_clear()
    yield add
    registry._entries.cache_clear()
