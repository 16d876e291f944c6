"""`posegen labels`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from posegen.labels import registry

if TYPE_CHECKING:
    from conftest import Install, Run

BARE = """
from dataclasses import dataclass
from posegen.labels import ArraySpec, create_label

@dataclass(frozen=True)
class Bare:
    spec = ArraySpec(name="bare", channels=("a",), cells=(3, 5))

def create(context):
    return (Bare(),)
"""


def rows(text: str) -> dict[str, list[str]]:
    """Read a table: by the array, the cells of its row."""
    found = {}
    for line in text.partition("\n\n")[0].splitlines()[1:]:
        cells = re.split(r" {2,}", line.strip())
        array = cells[0] if line.startswith("    ") else cells[1]
        found[array] = cells
    return found


def test_it_lists_all_labels_with_arrays_shapes_and_whether_they_flip(run: Run) -> None:
    outcome = run("labels")
    assert (outcome.status, outcome.err) == (0, "")
    found = rows(outcome.out)
    assert {cells[0] for cells in found.values() if len(cells) > 4} == set(registry.BUILT_IN)
    assert found["heatmap"] == ["heatmap", "heatmap", "19x46x46", "yes", "posegen", "Keypoint heatmaps"]
    assert found["center_offset"] == ["center_offset", "36x46x46", "yes"]
    assert "with the preset tf-pose" in outcome.out


def test_arrays_are_those_of_the_preset_that_is_asked_for(run: Run) -> None:
    found = rows(run("labels", "--preset", "msra").out)
    assert found["heatmap"][2:4] == ["17x64x48", "no"]
    assert found["weight"][2:4] == ["17", "yes"]
    assert "did you mean 'msra'" in run("labels", "--preset", "mrsa").err


def test_it_defines_a_label_with_its_options_source_and_the_place_of_a_cell(run: Run) -> None:
    outcome = run("labels", "offset")
    assert (outcome.status, outcome.err) == (0, "")
    words = " ".join(outcome.out.split())
    for said in (
        "1, x, y where x^2 + y^2 <= 1", "x = (i + 0.5) s - 0.5", "x = i (W - 1) / (w - 1)", "arXiv:1911.07524",
        "radius_factor = 0.0546875 The radius, as a share of the grid's longer side",
        "corners = false Where cells lie", "--label-option offset.radius_factor=0.0546875",
        "offset - 54x46x46 -1 to 1 no yes",
    ):  # fmt: skip
        assert said in words
    assert max(map(len, outcome.out.splitlines())) <= 110


def test_it_says_why_an_array_cannot_be_flipped_and_what_needs_segmentations(run: Run) -> None:
    out = run("labels", "paf").out
    assert re.search(r"^  paf +paf=pixels +38x46x46 +-1 to 1 +no +yes$", out, re.MULTILINE)
    assert re.search(
        r"^  paf +paf=cells +38x46x46 .*no: drawn of a flipped sample it would be another$", out, re.MULTILINE
    )
    assert re.search(r"^  mask +- +1x46x46 +0 to 1 +yes +yes$", run("labels", "mask").out, re.MULTILINE)


def test_programs_get_all_of_it_as_json(run: Run) -> None:
    listed = json.loads(run("labels", "--json").out)
    assert [label["name"] for label in listed] == list(registry.BUILT_IN)
    one = json.loads(run("labels", "center", "--json").out)
    assert one == next(label for label in listed if label["name"] == "center")
    assert {option["name"]: option["default"] for option in one["options"]}["radius_cells"] == 4.0
    assert dict(map(tuple, one["sections"]))["Source"].startswith("DEKR")
    assert [array["shape"] for array in one["arrays"]] == [[1, 46, 46], [36, 46, 46], [18, 46, 46], [1, 46, 46]]


def test_a_name_that_is_none_is_refused_with_the_nearest(run: Run) -> None:
    outcome = run("labels", "ofset")
    assert (outcome.status, outcome.out) == (2, "")
    assert "there is no label 'ofset' (did you mean 'offset'?)" in outcome.err


def test_other_packages_labels_are_listed_and_those_that_cannot_be_loaded_with_the_reason(
    run: Run, install: Install
) -> None:
    install("pose-bare", BARE, bare="pose_bare:create")
    install("pose-bad", "import nothing_of_that_name", bad="pose_bad:create")
    outcome = run("labels")
    assert (outcome.status, outcome.err) == (0, "")
    found = rows(outcome.out)
    assert found["bare"][:5] == ["bare", "bare", "1x3x5", "no", "pose-bare 1.0"]
    assert "cannot be used, see below" in outcome.out
    assert "label 'bad' of pose-bad 1.0 cannot be loaded from pose_bad:create: ModuleNotFoundError" in " ".join(
        outcome.out.split()
    )
    assert "pose-bare 1.0" in run("labels", "bare").out
    bad = run("labels", "bad")
    assert (bad.status, bad.out) == (2, "")
    assert "cannot be loaded" in bad.err
    assert "Traceback" not in bad.err
