"""A report as a browser shows it: every section, nothing over anything else, no error, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import DESK, PHONE, browse, wait_for

from posegen.inspect.report import write_report

if TYPE_CHECKING:
    from conftest import Coco

OVERLAPS = """
const shown = (e) => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0; };
const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1.5
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1.5;
const found = [];
for (const query of ["section", "section > *", "figure", "figure > *", "svg text", "li", "nav a", ".controls > *"]) {
  const elements = [...document.querySelectorAll(query)].filter(shown);
  const parents = new Map();
  for (const e of elements) {
    const parent = query === "svg text" ? e.ownerSVGElement : e.parentElement;
    parents.set(parent, [...(parents.get(parent) || []), e]);
  }
  for (const group of parents.values()) {
    group.forEach((a, i) => group.slice(i + 1).forEach((b) => {
      if (over(a.getBoundingClientRect(), b.getBoundingClientRect())) {
        found.push(`${query}: ${a.textContent.slice(0, 40)} | ${b.textContent.slice(0, 40)}`);
      }
    }));
  }
}
return found;
"""
HIDDEN = """
return [...document.querySelectorAll("section")].filter((s) => {
  const r = s.getBoundingClientRect();
  return r.height < 60 || r.width < 200 || s.innerText.trim().length < 20;
}).map((s) => s.id);
"""
STICKING_OUT = """
const wide = document.documentElement.clientWidth;
return [...document.querySelectorAll("main *")].filter((e) => !e.closest(".scroll, .sr")
  && e.getBoundingClientRect().right > wide + 1).map((e) => `${e.tagName} ${e.textContent.slice(0, 40)}`);
"""


BROKEN_NAMES = """
const lines = (e) => {
  const range = document.createRange();
  range.selectNodeContents(e);
  return range.getClientRects().length;
};
return [...document.querySelectorAll("dl.facts dt")].filter((e) => lines(e) > 1).map((e) => e.textContent);
"""


@contextmanager
def open_page(page: Path, size: tuple[int, int], *, dark: bool = False) -> Iterator[Any]:
    with browse(page.as_uri(), size, dark=dark) as driver:
        wait_for(lambda: shown(driver))
        yield driver


def shown(driver: Any) -> str:
    return str(driver.execute_script("return document.querySelector('.viewer').dataset.shown || ''"))


@pytest.fixture(scope="module")
def pages(dataset: Path, corpus: Coco, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("pages")
    return {
        "a dataset": write_report([dataset], out / "one.html", samples=3),
        "two": write_report([dataset, corpus.annotations], out / "two.html", samples=2),
    }


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("what", ["a dataset", "two"])
def test_all_is_seen_and_nothing_lies_over_anything(pages: dict[str, Path], what: str, size: tuple[int, int]) -> None:
    with open_page(pages[what], size) as driver:
        assert driver.execute_script(HIDDEN) == []
        assert driver.execute_script(OVERLAPS) == []
        assert driver.execute_script(STICKING_OUT) == []
        assert driver.execute_script(BROKEN_NAMES) == []
        assert driver.execute_script("return document.documentElement.scrollWidth") <= size[0]
        assert len(driver.find_elements("css selector", "nav a")) == len(
            driver.find_elements("css selector", "section")
        )
        assert driver.get_log("browser") == []


def test_light_is_light_and_dark_is_dark(pages: dict[str, Path]) -> None:
    for dark in (False, True):
        with open_page(pages["a dataset"], DESK, dark=dark) as driver:
            script = "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
            paper, ink = (sum(map(int, c[4:-1].split(","))) / 3 for c in driver.execute_script(script))
            assert (paper < 60 and ink > 180) if dark else (paper > 220 and ink < 80)


def test_samples_are_stepped_through_channel_by_channel(pages: dict[str, Path]) -> None:
    from selenium.webdriver.support.select import Select

    # How bright the canvas is where the heat of a channel lies cannot be known here; that it changes can.
    paint = "return document.querySelector('canvas').toDataURL()"
    with open_page(pages["a dataset"], DESK) as driver:
        seen = [driver.execute_script(paint)]
        assert shown(driver) == "0//"
        driver.find_element("css selector", "[data-step='1']").click()
        wait_for(lambda: shown(driver) == "1//")
        seen.append(driver.execute_script(paint))
        driver.find_element("css selector", "[data-step='-1']").click()
        wait_for(lambda: shown(driver) == "0//")
        assert driver.execute_script(paint) == seen[0]
        Select(driver.find_element("css selector", "[data-role='label']")).select_by_value("heatmap")
        wait_for(lambda: shown(driver) == "0/heatmap/-1")
        channel = Select(driver.find_element("css selector", "[data-role='channel']"))
        assert len(channel.options) == 1 + 19
        for k in ("0", "18"):
            seen.append(driver.execute_script(paint))
            channel.select_by_value(k)
            wait_for(lambda k=k: shown(driver) == f"0/heatmap/{k}")
        seen.append(driver.execute_script(paint))
        driver.find_element("css selector", "[data-role='people']").click()
        wait_for(lambda: driver.execute_script(paint) != seen[-1])
        assert len(set(seen)) == len(seen)
        assert driver.get_log("browser") == []


def test_it_can_be_printed(pages: dict[str, Path]) -> None:
    with open_page(pages["a dataset"], DESK) as driver:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        assert not driver.find_element("css selector", "nav").is_displayed()
        assert driver.execute_script(OVERLAPS) == []
        assert len(driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]) > 10_000
