"""`posegen inspect`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from posegen.annotations.audit import Audit, counted
from posegen.cli.options import PATH, json_option
from posegen.cli.tables import align, count_samples, wrap
from posegen.config import PRESETS, BuildConfig
from posegen.errors import ConfigError

_SHEET_SAMPLES = 16


@click.command("inspect", short_help="Show what a dataset or a shard holds.")
@click.argument("path", type=PATH, metavar="PATH")
@json_option
@click.option(
    "--sample",
    metavar="SAMPLE",
    help="Draw one sample, goes with --save: an index, image:ID, or a file name or its end.",
)
@click.option("--save", type=PATH, metavar="PNG", help="Where to write its picture.")
@click.option("--sheet", type=PATH, metavar="PNG", help=f"Draw the first {_SHEET_SAMPLES} samples.")
@click.option("--nexus", type=PATH, metavar="FILE.h5", help="Write these as a file that H5Web shows with their axes.")
def command(  # noqa: PLR0917 (one argument an option)
    path: Path, as_json: bool, sample: str | None, save: Path | None, sheet: Path | None, nexus: Path | None
) -> None:
    """Show what a dataset directory or one shard holds.

    \b
      posegen inspect /data/pose
      posegen inspect /data/pose --sample 3 --save sample.png
      posegen inspect /data/pose --sample image:397133 --save sample.png
      posegen inspect /data/pose --nexus samples.h5
    """  # noqa: D301 (click wants the character \b)
    from posegen.inspect.summary import describe, find_samples, save_sample, save_sheet

    if (sample is None) != (save is None):
        raise ConfigError("--sample SAMPLE and --save PNG go together")
    if as_json and (sample is not None or sheet is not None or nexus is not None):
        raise ConfigError("--json describes PATH; it does not go with --sample, --sheet or --nexus, which show samples")
    if sample is not None and save is not None:
        found = find_samples(path, sample)
        save_sample(path, found[0], save)
        click.echo(save)
        if len(found) > 1:
            click.echo(f"'{sample}' is {len(found)} samples: {', '.join(map(str, found))}; drew {found[0]}", err=True)
    if sheet is not None:
        save_sheet(path, _SHEET_SAMPLES, sheet)
        click.echo(sheet)
    if nexus is not None:
        from posegen.inspect.nexus import save_nexus

        save_nexus(path, _SHEET_SAMPLES, nexus)
        click.echo(nexus)
    if sample is None and sheet is None and nexus is None:
        description = describe(path)
        click.echo(json.dumps(description, indent=2) if as_json else _format(description))


def _format(description: dict[str, Any]) -> str:
    d = description
    config, skeleton = d["config"], d["skeleton"]
    shards = f" in {d['shards']} shard{'' if d['shards'] == 1 else 's'}" if d["kind"] == "dataset" else ""
    lines = [
        f"{d['path']}: {d['kind']}, {count_samples(d['samples'], d['people'])}{shards}, {_bytes(d['bytes'])}",
        *([d["description"]] if d.get("description") else []),
        *([", ".join(_count_sources(d["sources"], config["sources"]))] if "sources" in d else []),
        *(f"{n} people left out: without a place in {name}" for name, n in d.get("left_out", {}).items() if n),
        "",
        "arrays",
        *align(
            ("name", "shape", "dtype", "chunk", "compressor", "stored", "ratio"),
            [
                (name, _shape(a["shape"]), a["dtype"], _shape(a["chunk"]), a["compressor"] or "-", _bytes(a["stored"]),
                 f"{a['ratio']:.1f}")
                for name, a in d["arrays"].items()
            ],
        ),
        *([f"  and for viewers a preview of each first sample: {', '.join(d['preview'])}"] if d["preview"] else []),
        "",
        f"keypoints labelled ({skeleton['name']})",
        *align(
            ("", "keypoint", "count", "of people"),
            [
                (str(k), name, str(count), f"{count / max(d['people'], 1):.0%}")
                for k, (name, count) in enumerate(d["keypoints"].items())
            ],
        ),
    ]  # fmt: skip
    if skeleton["limbs"]:
        names = skeleton["keypoints"]
        lines += ["", "limbs", *wrap(f"{names[a]}-{names[b]}" for a, b in skeleton["limbs"])]
    shown = {key: _value(key, value) for key, value in config.items() if key != "skeleton" and value not in (None, [])}
    lines += [
        "",
        f"configuration{_compare_preset(config, d.get('preset'))}",
        *wrap(f"{key}={value}" for key, value in shown.items()),
    ]
    if "audit" in d:
        audit = Audit.from_dict(d["audit"])
        found = [*audit.describe_left_out(), *audit.describe_noticed()]
        lines += ["", "audit of the annotations", *(f"  {line}" for line in found or ["nothing to remark"])]
    for title in ("source", "versions"):
        if title in d:
            lines += ["", title, *wrap(f"{key}={value}" for key, value in d[title].items())]
    if d.get("failures"):
        lines.append(f"\n{counted(d['failures'], 'sample')} could not be built; see failures.jsonl beside the shards")
    return "\n".join(lines)


def _count_sources(counts: dict[str, int], rules: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Say how many samples are of each source, and how much each of them weighs if not as much as others."""
    weights = {of["name"]: of["weight"] for of in rules if "weight" in of}
    for name, count in counts.items():
        yield f"{count} of {name}" + (f" of weight {weights[name]:g} each" if name in weights else "")


def _compare_preset(config: dict[str, Any], preset: str | None) -> str:
    """Say which preset it is, and what was asked for besides; nothing if it is none that is known here."""
    if preset is None or preset not in PRESETS:
        return ""
    plain = BuildConfig.preset(preset).to_dict()
    changed = [key for key in {**plain, **config} if config.get(key) != plain.get(key) and key != "skeleton"]
    return f": the preset {preset}" + (f" but for {', '.join(changed)}" if changed else "")


def _value(key: str, value: Any) -> str:
    if key == "input_size":
        return f"{value[1]}x{value[0]}"
    if key == "sources":
        return ",".join(rules["name"] for rules in value)
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _shape(shape: Sequence[int] | None) -> str:
    return "x".join(map(str, shape)) if shape else "-"


def _bytes(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
