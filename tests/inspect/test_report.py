"""The page of a report, as text: what it says is what the shards hold, and nothing in it leads elsewhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin  # noqa: F401 (h5py then reads zstd)
import numpy as np
import pytest
from shards_by_hand import DOTS, Drawn, written_in

from posegen.errors import ConfigError
from posegen.inspect.report import write_report

if TYPE_CHECKING:
    from conftest import Coco, Run

VOID = {"meta", "link", "img", "input"}
SECTIONS = ["counts", "samples", "people", "keypoints", "bodies", "labels", "strange", "storage", "provenance"]


class Page(HTMLParser):
    """Reads a page strictly: every element is closed where it has to be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.data: dict[str, str] = {}
        self.here = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.here = found.get("id") or "" if tag == "script" else ""
        self.ids += [found["id"] or ""] if "id" in found else []
        self.addresses += [value or "" for key, value in attrs if key in {"src", "href", "action", "xlink:href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.data[self.here] = self.data.get(self.here, "") + data
        elif self.open and self.open[-1] != "style":
            self.words.append(data)


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return read(write_report([dataset], tmp_path_factory.mktemp("page") / "page.html", samples=3))


def test_it_is_whole_and_asks_for_nothing_else(page: Page) -> None:
    assert [i for i in page.ids if i in SECTIONS] == SECTIONS
    assert len(set(page.ids)) == len(page.ids)
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert {address[1:] for address in page.addresses if address.startswith("#")} == set(SECTIONS)


def test_its_counts_are_those_of_the_shards(page: Page, dataset: Path) -> None:
    points = []
    for shard in sorted(dataset.glob("*.h5")):
        with h5py.File(shard) as file:
            points.append(file["person/keypoints"][...])
    v = np.concatenate(points)[..., 2]
    said = " ".join(page.words)
    visible = (v == 2).mean(axis=0)
    assert f"{(v > 0).mean():.1%}" in said
    assert f"nose: visible {visible[0]:.1%}" in said
    assert f"right_elbow: not labelled {(v[:, 3] == 0).mean():.1%}" in said
    assert "left out: 1 no people on it; 1 nobody is labelled on it" in said


def test_samples_are_pictures_with_people_and_all_channels(page: Page, dataset: Path) -> None:
    import base64

    import cv2

    samples = json.loads(page.data["sample-data"])[0]
    assert len(samples) == 3
    with h5py.File(min(dataset.glob("*.h5"))) as file:
        stored = file["heatmap"][0].astype(np.float64) * file["heatmap"].attrs["scale"]
        people = file["person/keypoints"][: file["person/offsets"][1]]
    first = samples[0]
    assert np.abs(np.array(first["people"]) - people).max() <= 0.05 + 1e-6
    label = next(label for label in first["labels"] if label["name"] == "heatmap")
    data = base64.b64decode(label["sprite"].partition(",")[2])
    sprite = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert (len(label["channels"]), *label["cells"]) == stored.shape
    assert np.abs(sprite.reshape(stored.shape) / 255 - stored).max() <= 0.5 / 255 + 1e-9
    assert {label["name"] for label in first["labels"]} == {"heatmap", "paf", "mask"}


def test_two_stand_side_by_side_by_names_that_differ(dataset: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "both.html"
    outcome = run("report", dataset, dataset, "--out", out, "--samples", 1)
    assert (outcome.status, outcome.out) == (0, f"{out}\n")
    assert len(json.loads(read(out).data["sample-data"])) == 2
    assert out.read_text().count('class="sides of-2"') == len(SECTIONS) - 1  # distributions share their axes


def test_annotations_have_a_page_without_labels(corpus: Coco, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "annotations.html"
    assert run("report", corpus.annotations, "--out", out, "--samples", 2).status == 0
    page = read(out)
    assert {"labels", "storage", "provenance"}.isdisjoint(page.ids)
    assert {"strange", "bodies", "samples"} <= set(page.ids)
    assert "image" in json.loads(page.data["sample-data"])[0][0]["picture"]


def test_names_of_files_are_no_markup(make_coco: Any, tmp_path: Path) -> None:
    hostile = make_coco(tmp_path / "coco")
    category = hostile.document["categories"][0]
    category["keypoints"] = ["</script><script>alert(1)</script>", *category["keypoints"][1:]]
    hostile.person(hostile.image(80, 60))
    hostile.write()
    page = read(write_report([hostile.annotations], tmp_path / "page.html"))
    assert "</script><script>alert(1)</script>" in "".join(page.words)
    assert set(page.data) == {"sample-data", "limb-data", ""}


def heat_of(channels: list[int]) -> np.ndarray[Any, Any]:
    """Heat of keypoint a in the top left cell and of b in the bottom right, in these channels."""
    spots = np.zeros((3, 4, 5), np.float32)
    spots[channels[0], 0, 0] = spots[channels[1], 3, 4] = 1
    return spots


@pytest.mark.parametrize(("channels", "warned"), [([0, 1], False), ([1, 0], True)])
def test_a_swapped_channel_is_named(channels: list[int], warned: bool, tmp_path: Path) -> None:
    sample = Drawn(people=[[(4, 4, 2), (36, 28, 2)]], boxes=[(0, 0, 40, 32)], labels={"heatmap": heat_of(channels)})
    with written_in(tmp_path) as write:
        reader = write(sample, replace(sample, image_id=8), labels=("heatmap",), skeleton=DOTS)
        page = read(write_report([reader.path], tmp_path / "page.html"))
    assert ("a is hotter at b than at its own keypoint" in " ".join(page.words)) is warned


def test_what_the_mask_hides_adds_up(page: Page) -> None:
    said = " ".join(page.words)
    kinds = ("counts", "outside the picture", "people and crowds nobody labelled", "else, such as at their edges")
    shares = [float(re.search(rf"([\d.]+)% {kind}", said)[1]) for kind in kinds]  # type: ignore[index]
    assert abs(sum(shares) - 100) < 0.3
    assert min(shares[:3]) > 0


def test_mistakes_are_named(dataset: Path, tmp_path: Path) -> None:
    for arguments, said in (
        ({"samples": -1}, "samples must be from 0"),
        ({"out": tmp_path / "no" / "page.html"}, "create it first"),
        ({"paths": [dataset] * 3}, "not of 3"),
        ({"paths": [tmp_path / "nothing"]}, "nothing"),
        ({"out": tmp_path}, "cannot be written"),
    ):
        call: dict[str, Any] = {"paths": [dataset], "out": tmp_path / "page.html", "samples": 1} | arguments
        with pytest.raises(ConfigError, match=said):
            write_report(**call)
    assert not list(tmp_path.iterdir())
