"""Sections `heatmap`, `paf` and `labels`: what it takes to draw the labels of real people."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.bench.drawing import Draw, draw_all, draw_batches, find_difference
from posegen.bench.source import Source
from posegen.bench.turns import Notify, Spread, compare, take_in_turn
from posegen.build.batches import cut_batches
from posegen.build.scene import place
from posegen.errors import ConfigError
from posegen.images import codec, files
from posegen.images.parallel import one_thread
from posegen.labels import Label, Scene, reference, render_scenes
from posegen.labels.online.arrays import render_heatmap

_LOOP_IMAGES = 2
_LOOP_ROUNDS = 3
_JPEG = b"\xff\xd8"


def measure_heatmap(source: Source, rounds: int, notify: Notify) -> dict[str, Any]:
    """Measure the heatmap against `posegen.labels.reference`."""
    config = source.task.config

    def draw_by(function: Callable[..., NDArray[np.float32]]) -> Draw:
        sizes = partial(function, input_size=config.input_size, cells=config.cells, sigma_px=config.sigma_px)
        return lambda scene: sizes(scene.points, scene.drawn)

    def draw_one(scene: Scene) -> NDArray[np.float32]:
        stride = config.input_size[0] / config.cells[0]
        sigma = config.sigma_px or math.nan
        return render_heatmap(scene.points, scene.drawn, input_size=config.input_size, stride=stride, sigma=sigma)

    vectorized, loop = draw_by(reference.render_heatmap_vectorized), draw_by(reference.render_heatmap_loop)
    found = _against_reference(source, "heatmap", vectorized, loop, rounds=rounds, notify=notify)
    scenes = [place(sample, source.task)[0] for sample in source.samples]
    names = "render_heatmap, image by image", "vectorised reference"
    with one_thread():
        draws = {
            name: partial(draw_all, draw, scenes) for name, draw in zip(names, (draw_one, vectorized), strict=True)
        }
        seconds = take_in_turn(draws, rounds=rounds, notify=notify)
    one, other = ((name, [1e3 * s / len(scenes) for s in seconds[name]]) for name in names)
    difference = max(float(np.abs(draw_one(scene) - vectorized(scene)).max(initial=0)) for scene in scenes)
    found["comparisons"].append(
        compare(
            "heatmap",
            "ms/image",
            one,
            other,
            kind="times",
            inverse=True,
            max_abs_difference=difference,
            images=len(scenes),
        )
    )
    return found


def measure_paf(source: Source, rounds: int, notify: Notify) -> dict[str, Any]:
    """Measure the part affinity fields against `posegen.labels.reference`."""
    config, limbs = source.task.config, source.task.skeleton.limbs

    def draw_by(function: Callable[..., NDArray[np.float32]]) -> Draw:
        sizes = partial(function, input_size=config.input_size, cells=config.cells, half_width_px=config.half_width_px)
        return lambda scene: sizes(scene.points, scene.drawn, limbs)

    vectorized, loop = draw_by(reference.render_paf_vectorized), draw_by(reference.render_paf_loop)
    return _against_reference(source, "paf", vectorized, loop, rounds=rounds, notify=notify)


def measure_labels(source: Source, rounds: int, notify: Notify) -> dict[str, Any]:
    """Measure all that a build does to get a sample's labels, but for storing them, against decoding its JPEG.

    Raises
    ------
    ConfigError
        If no picture is a JPEG.
    """
    task = source.task
    read = [(sample, files.read_file(task.images, sample.file_name)) for sample in task.samples]
    jpegs = [(sample, data) for sample, data in read if data.startswith(_JPEG)]
    if not jpegs:
        raise ConfigError(
            f"{task.images}: no picture of a sample is a JPEG; this section measures against decoding them"
        )
    labels = task.config.create_labels(task.skeleton)
    scenes = [place(sample, task)[0] for sample, _ in jpegs]

    def render_all() -> None:
        for batch in cut_batches([sample for sample, _ in jpegs], labels):
            placed = [place(sample, task)[0] for sample in batch]
            for label in labels:
                render_scenes(label, placed)

    def decode_all() -> None:
        for sample, data in jpegs:
            codec.decode(data, (sample.height, sample.width), sample.file_name)

    def place_all() -> None:
        for sample, _ in jpegs:
            place(sample, task)

    steps: dict[str, Callable[[], None]] = {"place and find ignored": place_all}
    steps |= {label.spec.name: partial(draw_batches, label, scenes) for label in labels}
    with one_thread():
        alternatives = {"labels": render_all, "decode": decode_all, **steps}
        seconds = take_in_turn(alternatives, rounds=rounds, notify=notify)
    taken = {name: [1e3 * s / len(jpegs) for s in values] for name, values in seconds.items()}
    return {
        "comparisons": [
            compare(
                "labels",
                "ms/image",
                (" + ".join(label.spec.name for label in labels), taken["labels"]),
                ("decode JPEG", taken["decode"]),
                kind="share",
                images=len(jpegs),
            )
        ],
        "parts": {name: Spread.of(taken[name]).to_dict() for name in steps},
    }


def _against_reference(
    source: Source, name: str, vectorized: Draw, loop: Draw, *, rounds: int, notify: Notify
) -> dict[str, Any]:
    label = _find(source.task.config.create_labels(source.task.skeleton), name)
    scenes = [place(sample, source.task)[0] for sample in source.samples]
    runs = [
        ("vectorised reference", vectorized, scenes, rounds),
        # It takes a second an image.
        ("pixel loop", loop, scenes[:_LOOP_IMAGES], min(rounds, _LOOP_ROUNDS)),
    ]
    comparisons = []
    with one_thread():
        for other, draw, some, turns in runs:
            alternatives = {name: partial(draw_batches, label, some), other: partial(draw_all, draw, some)}
            notify(f"difference from the {other}")
            # This is the warm-up, too.
            difference = find_difference(label, draw, some)
            seconds = take_in_turn(alternatives, rounds=turns, warm_up=0, notify=notify)
            mine, others = ([1e3 * s / len(some) for s in seconds[key]] for key in (name, other))
            comparisons.append(
                compare(
                    name,
                    "ms/image",
                    ("posegen", mine),
                    (other, others),
                    kind="times",
                    inverse=True,
                    max_abs_difference=difference,
                    images=len(some),
                )
            )
    return {"comparisons": comparisons}


def _find(labels: Sequence[Label], name: str) -> Label:
    return next(label for label in labels if label.spec.name == name)
