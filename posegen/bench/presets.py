"""Section `presets`: the presets' heatmaps, against patches drawn one by one for the same people."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.annotations.audit import Audit
from posegen.bench.drawing import draw_all, draw_batches, find_difference
from posegen.bench.patches import GENERATORS, draw_rounded
from posegen.bench.scaling import INPUT_SIZE, make_people
from posegen.bench.source import Source
from posegen.bench.turns import Notify, compare, take_in_turn
from posegen.build.persons import split_people
from posegen.build.scene import place
from posegen.config import BuildConfig
from posegen.images.parallel import one_thread
from posegen.labels import Scene, reference
from posegen.labels.simcc import SimccLabel
from posegen.skeleton import Skeleton

_CROWD = {"people": 50, "keypoints": 133}


def measure_presets(source: Source, rounds: int, notify: Notify) -> dict[str, Any]:
    """Measure `openpose` on the images, the top-down presets on the people one by one, and both on a made-up crowd."""
    people = dataclasses.replace(source.task, samples=split_people(source.samples, Audit()))
    crowd = make_people(**_CROWD, seed=0)
    many = Skeleton(name="crowd", keypoints=tuple(f"keypoint_{k}" for k in range(_CROWD["keypoints"])))
    comparisons = []
    with one_thread():
        for name in ("openpose", *GENERATORS):
            config = BuildConfig.preset(name)
            task = dataclasses.replace(people if config.unit == "person" else source.task, config=config)
            scenes = [place(sample, task)[0] for sample in task.samples]
            comparisons.append(_compare(name, config, task.skeleton, scenes, rounds=rounds, notify=notify))
        for name in ("simcc", "rtmpose"):
            config = BuildConfig.preset(name)
            task = dataclasses.replace(people, config=config)
            scenes = [place(sample, task)[0] for sample in task.samples]
            comparisons.append(_compare_curves(name, config, task.skeleton, scenes, rounds=rounds, notify=notify))
        for name in ("openpose", "msra"):
            config = dataclasses.replace(BuildConfig.preset(name), input_size=INPUT_SIZE)
            title = f"{name}, {_CROWD['people']} people of {_CROWD['keypoints']} keypoints"
            comparisons.append(_compare(title, config, many, [crowd], rounds=rounds, notify=notify))
    return {"comparisons": comparisons}


def _compare(
    name: str, config: BuildConfig, skeleton: Skeleton, scenes: Sequence[Scene], *, rounds: int, notify: Notify
) -> dict[str, Any]:
    label = next(label for label in config.create_labels(skeleton) if label.spec.name == "heatmap")
    sigma = config.sigma_cells or (config.sigma_px or 0) / config.strides[0]
    generate = GENERATORS.get(config.heatmap, draw_rounded)

    def draw(scene: Scene) -> NDArray[np.float32]:
        return generate(scene.points, scene.drawn, config.input_size, config.cells, sigma)

    notify(f"{name}: difference from patches")
    # `openpose` is sampled at the cells' middles, and has a background: it differs in kind.
    difference = find_difference(label, draw, scenes) if config.heatmap in GENERATORS else None
    seconds = take_in_turn(
        {"posegen": partial(draw_batches, label, scenes), "patches": partial(draw_all, draw, scenes)},
        rounds=rounds,
        notify=notify,
    )
    mine, others = ([1e3 * s / len(scenes) for s in seconds[key]] for key in ("posegen", "patches"))
    return compare(
        name,
        "ms/sample",
        (name, mine),
        ("a patch a keypoint", others),
        kind="times",
        inverse=True,
        max_abs_difference=difference,
        samples=len(scenes),
    )


def _compare_curves(
    name: str, config: BuildConfig, skeleton: Skeleton, scenes: Sequence[Scene], *, rounds: int, notify: Notify
) -> dict[str, Any]:
    """Compare the curves of both axes with those that are drawn one by one."""
    labels = [label for label in config.create_labels(skeleton) if isinstance(label, SimccLabel)]
    first = labels[0]
    draw = partial(
        reference.render_simcc_loop,
        input_size=config.input_size,
        split_ratio=first.split_ratio,
        sigmas=first.sigmas,
        normalize=first.normalize,
    )

    def draw_curves() -> None:
        for label in labels:
            draw_batches(label, scenes)

    def draw_loop() -> None:
        for scene in scenes:
            draw(scene.points[0], scene.drawn[0])

    notify(f"{name}: difference from curves drawn one by one")
    expected = [draw(scene.points[0], scene.drawn[0]) for scene in scenes]
    differences = [
        float(np.abs(label.render(scene) - curves[axis]).max())
        for scene, curves in zip(scenes, expected, strict=True)
        for axis, label in enumerate(labels)
    ]
    seconds = take_in_turn({"posegen": draw_curves, "curves": draw_loop}, rounds=rounds, notify=notify)
    mine, others = ([1e3 * s / len(scenes) for s in seconds[key]] for key in ("posegen", "curves"))
    return compare(
        name,
        "ms/sample",
        (name, mine),
        ("a curve a keypoint", others),
        kind="times",
        inverse=True,
        max_abs_difference=max(differences, default=0.0),
        samples=len(scenes),
    )
