"""What the tests of building share: annotations of sixteen samples, and what became of them."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from conftest import Coco, encode

from posegen.config import BuildConfig

CONFIG = BuildConfig(shard_size=4, input_size=(128, 128))
ANNOTATIONS = Path("annotations/person_keypoints_train2017.json")


def write_source(root: Path) -> Path:
    """Write twenty images, of which every fifth has nobody: sixteen samples, four shards."""
    coco = Coco(root, seed=3)
    for i in range(20):
        width, height = 150 + 3 * i, 170 - 4 * i
        noise = coco.random.integers(0, 256, (height, width, 3)).astype("uint8")
        number = 100 + 7 * i
        name = f"{number:012d}.{'png' if i % 3 == 0 else 'jpg'}"
        image = coco.image(width, height, name, data=encode(noise, Path(name).suffix))
        for _ in range(0 if i % 5 == 4 else 1 + i % 3):
            coco.person(image)
    return coco.write()


def shards(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.h5"))}


def files_of(coco: Path) -> list[Path]:
    """The images that become samples: those with a labelled person."""
    document = json.loads((coco / ANNOTATIONS).read_text())
    drawn = {a["image_id"] for a in document["annotations"] if a["num_keypoints"] and not a["iscrowd"]}
    return [coco / "train2017" / i["file_name"] for i in document["images"] if i["id"] in drawn]


def change_annotations(coco: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads((coco / ANNOTATIONS).read_text())
    change(document)
    (coco / ANNOTATIONS).write_text(json.dumps(document))


def build_command(coco: Path, out: Path, program: Sequence[str] = (sys.executable, "-m", "posegen")) -> list[str]:
    options = ["--shard-size", "4", "--input-size", "128x128", "--workers", "2"]
    return [*program, "build", "--coco", str(coco), "--out", str(out), *options]


def run_limited(command: Sequence[str], limit: str) -> subprocess.CompletedProcess[str]:
    """Run a command under a limit of the shell's, which needs no rights."""
    shell = ["bash", "-c", f"ulimit {limit}; exec {shlex.join(command)}"]
    return subprocess.run(shell, capture_output=True, text=True, timeout=120, check=False)
