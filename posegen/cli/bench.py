"""`posegen bench`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from posegen.cli.options import coco_options, json_option, run_option
from posegen.cli.progress import show_steps
from posegen.cli.tables import align

_TITLES = {
    "heatmap": "heatmap: drawing it, against the references",
    "paf": "paf: drawing part affinity fields, against the references",
    "labels": "labels: all of a sample's labels, against decoding its JPEG",
    "presets": "presets: their heatmaps, against patches drawn one by one as MMPose does",
    "scaling": "scaling: {width}x{height} pixels, by people (rows), keypoints and cells of a bilinear grid (columns)",
    "build": "build: {samples} samples in {shards} shards, against OpenCV alone, one worker, and what copies pictures",
    "growth": "growth: many images against few, {workers} workers",
    "plan": "plan: {annotations} annotations of {images} images, {megabytes:.0f} MB, from the file to the tasks",
    "read": "read: {samples} samples in {shards} shards, by {workers} workers in batches of {batch}",
    "endurance": "endurance: {epochs} epochs of {samples} samples in fresh views, by {workers} at once",
    "scale": "scale: steps that need no picture, of few samples and of many, in shards of 1,000",
    "suspects": "suspects: errors planted among {people} people on {images} images, {rounds} rounds",
}


@click.command("bench", short_help="Measure the labels and the build on this machine.")
@click.argument("sections", nargs=-1, metavar="[SECTION]...")
@coco_options("COCO root or annotation file.  [default: synthetic sample]")
@click.option(
    "--repeats",
    type=int,
    metavar="N",
    help="Rounds.  [default: 15 for labels, 5 scaling, read, 3 build, plan, 1 growth]",
)
@run_option("workers", "Processes that build or read.", default=2, show_default=True)
@click.option("--seconds", type=float, default=10.0, show_default=True, metavar="S", help="A build lasts, about.")
@click.option("--plan-images", type=int, default=118287, show_default=True, metavar="N", help="To be planned.")
@json_option
def command(  # noqa: PLR0917 (one argument an option)
    sections: tuple[str, ...],
    coco: Path | None,
    split: str | None,
    images: Path | None,
    repeats: int | None,
    workers: int,
    seconds: float,
    plan_images: int,
    as_json: bool,
) -> None:
    """Measure the labels and the build on this machine.

    Each figure stands beside what it is compared with. The two are taken in turn, so that their ratio holds when the
    machine's speed drifts; figures are medians, with the least and the most in parentheses.

    \b
    Sections: heatmap, paf, labels, presets, scaling, build; and, only when they are named, growth, which builds
    55,000 images, plan, which writes annotations of --plan-images, read and endurance, which need PyTorch, suspects,
    which plants errors in annotations for audit to find, and scale, which plans, opens, shuffles, resumes and finishes
    10 million samples, as far as that needs no picture.

    \b
      posegen bench
      posegen bench heatmap paf --coco /data/coco
    """  # noqa: D301 (click wants the character \b)
    from posegen.bench import DEFAULT_SECTIONS, run

    with show_steps() as notify:
        found = run(
            coco,
            split=split,
            images=images,
            sections=sections or DEFAULT_SECTIONS,
            repeats=repeats,
            workers=workers,
            build_seconds=seconds,
            plan_images=plan_images,
            notify=notify,
        )
    click.echo(json.dumps(found, indent=2) if as_json else _format(found))


def _format(found: Mapping[str, Any]) -> str:
    machine, source = found["machine"], found["source"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        f"{machine['processor']}, {machine['cpus']} CPUs, {machine['system']}; {versions}",
        f"{source['name']}: {source['samples']} samples, {source['people']} people, {source['keypoints']} keypoints",
    ]
    for name, section in found["sections"].items():
        values = dict(section)
        if name == "scaling":
            values["height"], values["width"] = section["input_size"]
        if name == "plan":
            values["megabytes"] = section["file_bytes"] / 1e6
        lines += ["", _TITLES[name].format(**values)]
        tables = {
            "scaling": _scaling,
            "growth": _growth,
            "scale": _scale,
            "suspects": _suspects,
            "endurance": _endurance,
        }
        lines += tables.get(name, _comparisons)(section)
        if name == "labels":
            steps = [(step, _spread(taken, ".3f")) for step, taken in section["parts"].items()]
            lines += ["", *align(("step", "ms/image"), steps)]
        if name == "plan":
            rows = [
                (run, _spread(cpu, ".1f"), _megabytes(section["peak_bytes"][run]))
                for run, cpu in section["cpu_s"].items()
            ]
            lines += ["", *align(("", "CPU s", "peak MB"), rows)]
        if name == "build":
            lines += ["", *_costs(section)]
        if name == "read":
            sizes = [(reader, f"{size / 1e3:.1f}") for reader, size in section["bytes_sample"].items()]
            lines += ["", *align(("on disk", "kB/sample"), sizes)]
    return "\n".join(lines)


def _comparisons(section: Mapping[str, Any]) -> list[str]:
    unit = section["comparisons"][0]["unit"]
    rows = [("", unit, "compared with", unit, "ratio", "max. difference", "over", "rounds")]
    for c in section["comparisons"]:
        shown = ",.0f" if unit == "samples/s" else ".3f"
        difference = c["max_abs_difference"]
        covered = ", ".join(f"{count} {what}" for what, count in c["per_round"].items())
        rows.append(
            (
                c["measured"]["name"],
                _spread(c["measured"], shown),
                c["compared_with"]["name"],
                _spread(c["compared_with"], shown),
                _ratio(c["ratio"]),
                "-" if difference is None else f"{difference:.1e}",
                covered,
                str(c["rounds"]),
            )
        )
    return align(rows[0], rows[1:])


def _costs(section: Mapping[str, Any]) -> list[str]:
    from posegen.bench.throughput import RUNS

    rows = []
    for run, seconds in section["seconds"].items():
        rows.append((RUNS[run], _spread(seconds, ".1f"), _spread(section["cpu_ms_sample"][run], ".2f")))
    table = align(("", "seconds", "CPU ms/sample"), rows)
    return [*table, f"  of a build, starting the workers took {_spread(section['starting_s'], '.1f')} s"]


def _scaling(section: Mapping[str, Any]) -> list[str]:
    """Lay people down the page, keypoints and cells across it."""
    tables: list[tuple[str, list[dict[str, Any]], Callable[[Mapping[str, Any]], str]]] = [
        ("{}, ms/image", section["rows"], lambda row: f"{row['ms_image']['median']:.3f}"),
        ("{}, us/keypoint", section["rows"], lambda row: f"{row['us_keypoint']:.1f}"),
        ("{}, most memory at once / full-resolution label, MB", section["memory"], _memory),
    ]
    lines = []
    for label in dict.fromkeys(row["label"] for row in section["rows"]):
        for title, all_rows, show in tables:
            cells: dict[int, dict[str, str]] = {}
            for row in all_rows:
                if row["label"] == label:
                    grid = "" if row.get("grid", "bilinear") == "bilinear" else f" {row['grid']}"
                    column = f"{row['keypoints']} on {row['cells']}x{row['cells']}{grid}"
                    cells.setdefault(row["people"], {})[column] = show(row)
            columns = list(next(iter(cells.values())))
            lines += ["", f"  {title.format(label)}"]
            lines += align(["people", *columns], [[str(n), *(c[k] for k in columns)] for n, c in cells.items()])
    return lines[1:]


def _memory(row: Mapping[str, Any]) -> str:
    return f"{row['peak_bytes'] / 1e6:.1f} / {row['full_resolution_bytes'] / 1e6:.1f}"


def _growth(section: Mapping[str, Any]) -> list[str]:
    rows = [("images", "seconds", "ms/sample", "planning", "run again, s", "parent's peak MB", "worker's peak MB")]
    for row in section["rows"]:
        share = {key: 100 * value for key, value in row["planning_share"].items()}
        rows.append(
            (
                str(row["images"]),
                _spread(row["seconds"], ".1f"),
                _spread(row["ms_sample"], ".3f"),
                f"{_spread(share, '.1f')} %",
                _spread(row["again_s"], ".1f"),
                _megabytes(row["parent_peak_bytes"]),
                _megabytes(row["worker_peak_bytes"]),
            )
        )
    return [*align(rows[0], rows[1:]), f"  time a sample: {_ratio(section['ratio'])}"]


def _suspects(section: Mapping[str, Any]) -> list[str]:
    rows = []
    for row in section["rows"]:
        shares = ("-" if row[key] is None else f"{row[key]:.0%}" for key in ("recall", "precision"))
        counts = (str(row[key]) for key in ("planted", "found", "otherwise", "suspected", "right"))
        rows.append((row["kind"], *counts, *shares, str(section["unplanted"][row["kind"]])))
    header = ("", "planted", "found", "otherwise", "suspected", "right", "recall", "precision", "without planting")
    return align(header, rows)


def _scale(section: Mapping[str, Any]) -> list[str]:
    few, many = (f"{count:,}" for count in (section["samples"][0], section["samples"][-1]))
    rows = [("", f"s, {few}", f"s, {many}", "growth a sample", "MB", "MB", "growth a sample")]
    for row in section["rows"]:
        first, last = row["runs"][0], row["runs"][-1]
        seconds, memory = ([f"{run[key] / of:.{digits}f}" for run in (first, last)]
                           for key, of, digits in (("seconds", 1, 2), ("bytes", 1e6, 0)))  # fmt: skip
        rows.append((row["step"], *seconds, f"{row['time_growth']:.2f} x", *memory, f"{row['memory_growth']:.2f} x"))
    return align(rows[0], rows[1:])


def _endurance(section: Mapping[str, Any]) -> list[str]:
    rows = []
    for row in section["rows"]:
        for mark in row["marks"]:
            held = _megabytes(mark["bytes"] or None), str(mark["files"]), str(mark["processes"])
            rows.append((row["loader"], f"{mark['samples']:,}", f"{mark['samples'] / mark['seconds']:.0f}", *held))
    return align(("by", "samples", "samples/s", "MB held", "open files", "processes"), rows)


def _megabytes(count: int | None) -> str:
    return "-" if count is None else f"{count / 1e6:.0f}"


def _ratio(ratio: Mapping[str, Any]) -> str:
    if ratio["kind"] == "share":
        return f"{_spread({key: 100 * ratio[key] for key in ('median', 'min', 'max')}, '.1f')} %"
    return f"{_spread(ratio, '.3g')} x"


def _spread(spread: Mapping[str, float], shown: str) -> str:
    return f"{spread['median']:{shown}} ({spread['min']:{shown}}..{spread['max']:{shown}})"
