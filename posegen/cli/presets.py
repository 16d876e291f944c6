"""`posegen presets`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from posegen.cli.options import describe, json_option
from posegen.cli.tables import align
from posegen.config import FIELDS, PRESETS, BuildConfig, write_options
from posegen.errors import ConfigError
from posegen.labels.base import unwrap
from posegen.skeleton import COCO_17

_NAMED, _WIDTH = 3, 18
"""Labels that the list names of a preset at the most, and characters."""


@click.command("presets", short_help="List the presets, show one, or print one as a file for --config.")
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--toml", is_flag=True, help="Print it as a file for posegen build --config, to start your own from.")
@json_option
def command(name: str | None, toml: bool, as_json: bool) -> None:
    """List the presets, or show one: for which networks it is, how predictions come back, what it sets.

    \b
      posegen presets
      posegen presets udp
      posegen presets udp --toml > mine.toml
    """  # noqa: D301 (click wants the character \b)
    if toml and (name is None or as_json):
        raise ConfigError("--toml prints one preset, as in posegen presets udp --toml; it does not go with --json")
    if name is not None and toml:
        click.echo(write_options(BuildConfig.preset(name), preset=name, every=True), nl=False)
        return
    found = {each: _summarize(each) for each in ([*PRESETS] if name is None else [name])}
    if as_json:
        click.echo(json.dumps([*found.values()] if name is None else found[name], indent=2))
    else:
        click.echo("\n".join(_list(found) if name is None else _show(found[name])))


def _summarize(name: str) -> dict[str, Any]:
    config = BuildConfig.preset(name)
    preset, labels = PRESETS[name], config.create_labels(config.skeleton or COCO_17)
    return {
        "name": name,
        "about": preset.about,
        "networks": preset.networks,
        "decoder": next(label.decoder for label in map(unwrap, labels) if hasattr(label, "decoder")),
        "cells": list(config.cells),
        "unflippable": _find_unflippable(config),
        "config": config.to_dict(),
    }


def _find_unflippable(config: BuildConfig) -> dict[str, str]:
    """Find the labels that cannot be flipped, and why; for a skeleton that the annotations bring COCO's stands in."""
    specs = [label.spec for label in config.create_labels(config.skeleton or COCO_17)]
    return {spec.name: spec.mirror for spec in specs if isinstance(spec.mirror, str)}


def _list(found: dict[str, dict[str, Any]]) -> list[str]:
    header = ("name", "sample", "input", "stride", "sigma", "labels", "flips", "a prediction is")
    rows = []
    for name, summary in found.items():
        config = BuildConfig.preset(name)
        shown = {field.name: describe(field, getattr(config, field.name)) for field in FIELDS}
        rows.append(
            (
                *(name, shown["unit"], shown["input_size"], shown["stride"], _sigma(shown), _labels(config.labels)),
                "-" if summary["unflippable"] else "yes",
                summary["decoder"],
            )
        )
    return [
        *align(header, rows),
        "",
        "flips: whether reading can mirror samples. a prediction is: what finds the peak, and where its cell i lies,",
        "in input pixels whose centres are at integers, with s pixels a cell, an input of W pixels, w cells; y alike",
    ]


def _labels(names: Sequence[str]) -> str:
    """Name the first labels, three of them if there is room."""
    named = [",".join(names[: count + 1]) for count in range(min(len(names), _NAMED))]
    shown = [text for text in named if len(text) <= _WIDTH] or named[:1]
    return shown[-1] + ("…" if len(shown) < len(names) else "")


def _sigma(shown: dict[str, str]) -> str:
    return f"{shown['sigma_px']} px" if shown["sigma_px"] else f"{shown['sigma_cells']} cells"


def _show(summary: dict[str, Any]) -> list[str]:
    name, config = summary["name"], BuildConfig.preset(summary["name"])
    changes = PRESETS[name].changes
    rows = []
    for field in (field for field in FIELDS if not field.of_file):
        value = describe(field, getattr(config, field.name)) or ("the file's" if field.name == "skeleton" else "-")
        rows.append((f"--{field.option}", value, "yes" if field.name in changes else "", field.help))
    unflippable = "; ".join(f"{label} ({reason})" for label, reason in summary["unflippable"].items())
    return [
        f"{name}: {summary['about']}",
        "",
        f"  networks         {summary['networks']}",
        f"  a prediction is  {summary['decoder']}",
        f"  cells            {summary['cells'][1]}x{summary['cells'][0]}",
        f"  reading flips    {f'all labels but {unflippable}' if unflippable else 'all labels'}",
        "",
        *align(("option", "value", "set", "what it is"), rows),
    ]
