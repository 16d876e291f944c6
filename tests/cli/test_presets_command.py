"""`posegen presets`: the list, one preset, and the file that starts one of your own."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from posegen.build.pipeline import build
from posegen.config import PRESETS, BuildConfig
from posegen.errors import ConfigError
from posegen.files import load_toml
from posegen.loader import PoseDataset
from posegen.skeleton import COCO_17, OPENPOSE_18

if TYPE_CHECKING:
    from conftest import Coco, Run


def _find_decoder(name: str) -> str:
    """What the label that a preset draws heatmaps by says of its decoding."""
    config = BuildConfig.preset(name)
    first = config.create_labels(config.skeleton or COCO_17)[0]
    return getattr(first, "label", first).decoder


def test_the_list_has_size_stride_sigma_labels_flips_and_decoder(run: Run) -> None:
    outcome = run("presets")
    assert (outcome.status, outcome.err) == (0, "")
    header, *rows = (re.split(r" {2,}", line.strip()) for line in outcome.out.splitlines()[: len(PRESETS) + 1])
    assert header == ["name", "sample", "input", "stride", "sigma", "labels", "flips", "a prediction is"]
    assert [row[0] for row in rows] == list(PRESETS)
    found = {row[0]: row[1:] for row in rows}
    bottom_up = ["heatmap,paf,mask", "yes", "peak and parabola of logarithms, at (i + 0.5) s - 0.5"]
    assert found["tf-pose"] == ["image", "368x368", "8", "8 px", *bottom_up]
    assert found["coco"] == found["tf-pose"]
    assert found["openpose"] == ["image", "368x368", "8", "7 px", "heatmap,paf,mask…", "-", bottom_up[2]]
    assert found["udp"][:6] == ["person", "192x256", "4", "2 cells", "heatmap,weight", "yes"]
    assert found["udp"][6].endswith("DARK does, at i (W - 1) / (w - 1)")
    for name, decoder in (
        ("msra", "peak and a quarter step to its larger neighbours, at i s"),
        ("msra-unbiased", "peak, refined as DARK does, at i s"),
        ("megvii", "blurred again, peak and a quarter step, at (i + 0.5) s"),
    ):
        assert found[name] == ["person", "192x256", "4", "2 cells", "heatmap,weight", "-", decoder]
    assert max(map(len, outcome.out.splitlines())) <= 140


def test_what_is_said_to_flip_flips_when_it_is_read_and_nothing_else(run: Run, coco: Coco, tmp_path: Path) -> None:
    coco.write()
    listed = json.loads(run("presets", "--json").out)
    for summary in listed:
        name, out = summary["name"], tmp_path / "built" / summary["name"]
        config = BuildConfig.preset(name, limit=1)
        if name == "openpose-25":  # these people have no feet
            config = dataclasses.replace(config, skeleton=OPENPOSE_18)
        build(coco.root, out, config, workers=1)
        config = BuildConfig.preset(name)
        labels = [label.spec.name for label in config.create_labels(config.skeleton or COCO_17)]
        flipped = [label for label in labels if label not in summary["unflippable"]]
        assert len(PoseDataset(out, fields=["image", *flipped], flip=True)[0]) == 1 + len(flipped)
        for label in summary["unflippable"]:
            with pytest.raises(ConfigError, match=f"'{label}' cannot be flipped"):
                PoseDataset(out, fields=["image", label], flip=True)
    assert {summary["name"] for summary in listed if summary["unflippable"]} == {
        "openpose", "openpose-25", "msra", "msra-unbiased", "megvii", "simcc", "rtmpose", "higherhrnet",
        "centernet", "openpifpaf",
    }  # fmt: skip


def test_one_is_shown_in_full(run: Run) -> None:
    for name, preset in PRESETS.items():
        outcome = run("presets", name)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.startswith(f"{name}: {preset.about}\n")
        assert preset.networks in outcome.out
        assert _find_decoder(name) in outcome.out
        chosen = {line.split()[0] for line in outcome.out.splitlines() if re.match(r"  --[\w-]+ +.*\S +yes  ", line)}
        assert len(chosen) == len(preset.changes), name
    shown = run("presets", "udp").out
    assert re.search(r"^  --input-size +192x256 +yes +Size of the network's input in pixels\.$", shown, re.MULTILINE)
    assert re.search(r"^  --seed +0 +What the order", shown, re.MULTILINE)
    assert re.search(r"^  cells +48x64$", shown, re.MULTILINE)
    assert re.search(r"^  reading flips +all labels$", shown, re.MULTILINE)
    assert re.search(r"^  reading flips +all labels but heatmap \(\w", run("presets", "msra").out, re.MULTILINE)


def test_the_file_it_prints_is_read_back_equal_and_has_every_option(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for name in PRESETS:
        outcome = run("presets", name, "--toml")
        assert (outcome.status, outcome.err) == (0, "")
        path.write_text(outcome.out)
        assert BuildConfig.from_file(path) == BuildConfig.preset(name)
        assert {"preset", "input-size", "stride", "grid", "label-dtype", "seed", "keep-empty"} <= set(load_toml(path))


def test_json_has_all_that_is_shown(run: Run) -> None:
    listed: list[dict[str, Any]] = json.loads(run("presets", "--json").out)
    assert [summary["name"] for summary in listed] == list(PRESETS)
    for summary in listed:
        assert json.loads(run("presets", summary["name"], "--json").out) == summary
        preset = PRESETS[summary["name"]]
        assert (summary["about"], summary["networks"], summary["decoder"]) == (
            preset.about,
            preset.networks,
            _find_decoder(summary["name"]),
        )
        assert BuildConfig.from_dict(summary["config"]) == BuildConfig.preset(summary["name"])
    assert listed[0]["cells"] == [46, 46]


def test_a_mistake_is_a_wrong_call(run: Run) -> None:
    for arguments, said in (
        (["upd"], "there is no preset 'upd' (did you mean 'udp'?); presets are tf-pose, coco, openpose,"),
        (["upd", "--toml"], "there is no preset 'upd' (did you mean 'udp'?)"),
        (["--toml"], "--toml prints one preset, as in posegen presets udp --toml"),
        (["udp", "--toml", "--json"], "it does not go with --json"),
    ):
        outcome = run("presets", *arguments)
        assert (outcome.status, outcome.out) == (2, "")
        assert said in outcome.err
