"""Shards, and the NeXus files that are made of them, as H5Web shows them: labels as heatmaps, pictures in colour.

Shards are compressed by zstd, for which H5Web loads its plug-in. H5Web 16 knows no half floats, and no picture in JPEG:
of a shard that is built by default it shows the preview.
"""

from __future__ import annotations

import http.server
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from browser import DESK, browse, wait_for

from posegen.inspect.nexus import save_nexus

if TYPE_CHECKING:
    from conftest import Build, Coco, Run

PAGE = Path(__file__).parents[3] / ".venv" / "h5web" / "page"
if not (PAGE / "viewer.js").is_file():
    pytest.skip("H5Web is not built here: make test-browser builds it where there is npm", allow_module_level=True)

TABS = "return [...document.querySelectorAll('[role=tab]')].map((tab) => tab.textContent)"
DRAWN = "const c = document.querySelector('canvas'); return c ? c.width * c.height : 0"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A directory with H5Web's page in it, and its address on this machine."""
    directory = Path(shutil.copytree(PAGE, tmp_path_factory.mktemp("site") / "page"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield directory, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def look(address: str, file: str, path: str) -> list[str]:
    """Open a place of a file, and list how it can be looked at; what is shown first has to be drawn."""
    with browse(f"{address}/index.html?file={file}&path={path}", DESK) as driver:
        wait_for(lambda: driver.execute_script(DRAWN))
        tabs = [tab for tab in driver.execute_script(TABS) if tab not in {"", "Display", "Inspect"}]
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
        return tabs


def count_colours(driver: Any) -> int:
    """Count the colours on the canvas: a blank one has the few of its letters."""
    png = np.frombuffer(driver.find_element("css selector", "canvas").screenshot_as_png, np.uint8)
    return len(np.unique(cv2.imdecode(png, cv2.IMREAD_COLOR).reshape(-1, 3), axis=0))


def test_a_shard_as_it_is_built_by_default_shows_its_preview(
    site: tuple[Path, str], corpus: Coco, tmp_path: Path, run: Run
) -> None:
    out = tmp_path / "out"
    assert run("build", "--coco", corpus.root, "--out", out, "--preset", "openpose").status == 0
    shutil.copy(next(out.glob("*.h5")), site[0] / "default.h5")
    for path, tab, axes, colours in (
        ("/", "NX RGB", "picture", 1000),
        ("/preview/heatmap", "NX Heatmap", "heatmap", 20),
    ):
        with browse(f"{site[1]}/index.html?file=default.h5&path={path}", DESK) as driver:
            wait_for(lambda driver=driver: driver.execute_script(DRAWN))
            assert tab in driver.execute_script(TABS)
            said = {*driver.find_element("css selector", "body").text.split("\n")}
            assert {"x (px)", "y (px)", axes} <= said
            assert count_colours(driver) > colours
    for name in ("paf", "mask", "heatmap_mask", "paf_mask"):
        assert "NX Heatmap" in look(site[1], "default.h5", f"/preview/{name}")


def test_labels_of_a_shard_are_heatmaps(site: tuple[Path, str], corpus: Coco, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    assert run("build", "--coco", corpus.root, "--out", out, "--label-dtype", "uint8").status == 0
    shutil.copy(next(out.glob("*.h5")), site[0] / "labels.h5")
    for name in ("heatmap", "paf", "mask"):
        assert "Heatmap" in look(site[1], "labels.h5", f"/{name}")


def test_raw_pictures_of_a_shard_are_pictures(site: tuple[Path, str], build: Build) -> None:
    shutil.copy(min(build("raw").glob("*.h5")), site[0] / "raw.h5")
    assert "RGB" in look(site[1], "raw.h5", "/image/pixels")


def test_a_nexus_file_opens_at_its_pictures_and_has_labels_with_axes(site: tuple[Path, str], dataset: Path) -> None:
    save_nexus(dataset, 4, site[0] / "nexus.h5")
    assert "NX RGB" in look(site[1], "nexus.h5", "/")
    assert "NX Heatmap" in look(site[1], "nexus.h5", "/samples/heatmap")
    with browse(f"{site[1]}/index.html?file=nexus.h5&path=/samples/heatmap", DESK) as driver:
        wait_for(lambda: driver.execute_script(DRAWN))
        said = driver.find_element("css selector", "body").text
        assert "x (px)" in said
        assert "y (px)" in said
