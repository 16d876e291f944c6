"""`posegen labels`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from posegen.cli.options import json_option
from posegen.cli.tables import align, fill

if TYPE_CHECKING:
    from posegen.labels.describe import ArrayDescription, LabelDescription

_PRESET = "tf-pose"


@click.command("labels", short_help="List the labels, or explain one.")
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--preset", default=_PRESET, metavar="NAME", help=f"Whose arrays are shown.  [default: {_PRESET}]")
@json_option
def command(name: str | None, preset: str, as_json: bool) -> None:
    """List the labels, ours and other packages', or explain one: what it is, its options, where its cells lie.

    \b
      posegen labels
      posegen labels offset
      posegen labels heatmap --preset udp
    """  # noqa: D301 (click wants the character \b)
    from posegen.config import BuildConfig
    from posegen.labels.describe import describe_label, describe_labels
    from posegen.skeleton import COCO_17

    config = BuildConfig.preset(preset)
    contexts = config.label_contexts(config.skeleton or COCO_17)
    found = describe_labels(contexts) if name is None else (describe_label(name, contexts),)
    if as_json:
        listed = [dataclasses.asdict(label) for label in found]
        click.echo(json.dumps(listed if name is None else listed[0], indent=2))
    else:
        click.echo("\n".join(_list(found, preset) if name is None else _define(found[0], preset)))


def _list(labels: Sequence[LabelDescription], preset: str) -> Iterator[str]:
    rows = []
    for label in labels:
        kind = label.arrays[0].kind if label.arrays else ""
        arrays = [array for array in label.arrays if array.kind == kind]
        for i, array in enumerate(arrays):
            name, package, title = (label.name, label.package, _title(label)) if not i else ("", "", "")
            rows.append((name, array.name, _size(array), "yes" if array.flips else "no", package, title))
        if not arrays:
            rows.append((label.name, "-", "-", "-", label.package, _title(label)))
    yield from align(("label", "array", "shape", "flips", "of", "what it is"), rows)
    yield ""
    people = ", N: people" if any(array.by_person for label in labels for array in label.arrays) else ""
    yield f"shape: channels x rows x columns with the preset {preset}{people}. flips: whether reading can mirror it"
    for label in labels:
        if label.problem:
            yield from fill(label.problem)
    yield "posegen labels NAME explains one"


def _define(label: LabelDescription, preset: str) -> Iterator[str]:
    yield f"{label.name}, a label of {label.package}"
    for title, text in label.sections:
        yield ""
        if title:
            yield from (title, "-" * len(title))
        yield from fill(text)
    if label.options:
        yield from ("", "Options", "-------")
        for option in label.options:
            yield f"{option.name} = {_plain(option.default)}"
            yield from (f"    {line}" for line in fill(option.text))
        yield ""
        yield f"as in --label-option {label.name}.{label.options[0].name}={_plain(label.options[0].default)}"
    yield from ("", f"Arrays with the preset {preset}", "-" * len(f"Arrays with the preset {preset}"))
    rows = [
        (
            array.name,
            array.kind or "-",
            _size(array),
            _range(array),
            "yes" if array.needs_ignored else "no",
            "yes" if array.flips else f"no: {array.why_not}",
        )
        for array in label.arrays
    ]
    if rows:
        yield from align(("array", "kind", "shape", "values", "needs segmentations", "flips"), rows)
    else:
        yield "none: the skeleton has nothing to draw them from"


def _title(label: LabelDescription) -> str:
    return "cannot be used, see below" if label.problem else label.summary.partition(":")[0].rstrip(".")


def _size(array: ArrayDescription) -> str:
    return "x".join([*(["N"] if array.by_person else []), *map(str, array.shape)])


def _range(array: ArrayDescription) -> str:
    whole, unknown = (", whole" if array.dtype != "float32" else ""), (", or unknown" if array.unknown else "")
    return f"{array.low:g} to {array.high:g}{whole}{unknown}"


def _plain(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)
