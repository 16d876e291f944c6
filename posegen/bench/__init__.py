"""The measurements that the README quotes: every figure beside what it is compared with, taken in turn in one run.

`turns` takes times, `source` lays out what is measured, and each of the others measures one section:

    heatmap   the heatmap against the vectorised reference and the pixel loop
    paf       the part affinity fields against theirs
    labels    all labels of a sample against decoding its JPEG
    presets   the presets' heatmaps against patches drawn one by one, as MMPose draws them
    scaling   time and memory of the labels by people, keypoints and grid
    build     a build against a plain loop of OpenCV over the same pictures, one worker, and copying its pictures
    growth    many images against few; takes minutes, and is measured only when it is named
    plan      planning a build against pycocotools' reading of the same annotations; only when it is named
    read      reading a dataset against computing labels while training; needs PyTorch, and is measured only when named
    endurance what a loader holds after many samples and after few; needs PyTorch, and only when it is named
    suspects  planted errors that `posegen audit --suspects` finds; only when it is named

A program reads these fields of what `run` returns. A *spread* is an object of `median`, `min` and `max`. A *comparison*
has `figure`, `unit`, `measured` and `compared_with` (a spread with a `name`), `ratio` (the spread of the ratios within
a round, and its `kind`: `times` or `share`), `per_round` (what a round covers: `images` or `samples`), `rounds`, and
`max_abs_difference` (between the two outputs; None where they are not of a kind).

    machine                    `processor`, `cpus`, `system`, `versions`
    source                     `name`, `samples`, `people`, `keypoints`
    sections.heatmap, .paf, .presets   `comparisons`
    sections.labels            `comparisons`, `parts` (ms an image of each step)
    sections.scaling           `input_size`, `rows`: `label`, `people`, `keypoints`, `cells`, `ms_image` (a spread),
                               `us_keypoint`; `memory`: `label`, `grid`, `people`, `keypoints`, `cells`, `peak_bytes`,
                               `output_bytes`, `full_resolution_bytes`
    sections.build             `comparisons`, `workers`, `samples`, `shards`; `seconds` and `cpu_ms_sample` (spreads
                               by `build`, `floor`, `one worker`, `sigma`, `relabel`); `starting_s`, from the plan to
                               the first sample
    sections.growth            `workers`, `rows`: `images`, `seconds`, `ms_sample`, `planning_share` and `again_s`, of a
                               run with nothing to do (spreads), `parent_peak_bytes`, `worker_peak_bytes` (None where
                               the system does not tell); `ratio`
    sections.plan              `comparisons`, `images`, `annotations`, `file_bytes`; by `plan` and `pycocotools` `cpu_s`
                               (spreads) and `peak_bytes` (None where the system does not tell)
    sections.read              `comparisons`, `bytes_sample` (on disk, by reader), `workers`, `samples`, `shards`,
                               `batch`
    sections.endurance         `samples` and `epochs`, `workers`, `batch`, `rows`: `loader`, `marks`: `samples` and
                               `seconds` so far, and what is held then: `bytes`, `files`, `processes`
    sections.suspects          what `posegen.bench.suspects.measure_suspects` returns
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posegen.bench.runner import DEFAULT_SECTIONS, SECTIONS, run

__all__ = ["DEFAULT_SECTIONS", "SECTIONS", "run"]


def __getattr__(name: str) -> Any:
    # What a build is compared with starts processes, too, and those must not wait for all that measures.
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module("posegen.bench.runner"), name)
