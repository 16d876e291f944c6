"""`posegen build`."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from tqdm import tqdm

from posegen.annotations.audit import Audit
from posegen.config import CHOICES, PRESETS, BuildConfig, load_options
from posegen.errors import ConfigError
from posegen.images.augment import Augmentation
from posegen.shards.manifest import Manifest
from posegen.skeleton import SKELETONS, Skeleton, load_skeleton

_DEFAULT = BuildConfig.preset("tf-pose")
_Command = TypeVar("_Command", bound=Callable[..., Any])
_EXISTING = click.Path(path_type=Path)


def _default(field: str) -> str:
    value = getattr(_DEFAULT, field)
    if field == "input_size":
        return f"{value[1]}x{value[0]}"
    if isinstance(value, Skeleton):
        return value.name
    return ",".join(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)


def _option(name: str, kind: Any, text: str, **settings: Any) -> Callable[[_Command], _Command]:
    """Make an option for a field of `BuildConfig`; it says the default but leaves it to the preset."""
    field = settings.pop("field", name.removeprefix("--").replace("-", "_"))
    shown = getattr(_DEFAULT, field)
    note = "" if shown is None or shown is False or shown in ((), {}) else f"  [default: {_default(field)}]"
    return click.option(name, field, type=kind, default=None, help=text + note, **settings)


@click.command("build", short_help="Build a dataset from COCO keypoint annotations.")
@click.option("--coco", type=_EXISTING, required=True, metavar="PATH", help="COCO root, or one annotation file.")
@click.option("--out", type=_EXISTING, metavar="DIR", help="Where to write the dataset.  [required]")
@click.option("--split", metavar="NAME", help="Split of the COCO root.  [default: train2017, or the only one]")
@click.option("--images", type=_EXISTING, metavar="DIR", help="Image directory, if it is not where COCO has it.")
@click.option("--preset", type=click.Choice(list(PRESETS)), help="What to start from.  [default: tf-pose]")
@click.option("--config", "config_file", type=_EXISTING, metavar="FILE.toml", help="Options from a file.")
@_option(
    "--category", str, "Category to use; may be repeated.  [default: all with keypoints]", multiple=True, metavar="NAME"
)
@_option("--skeleton", str, "Built-in skeleton, or a file.", metavar="NAME|FILE.toml")
@_option("--labels", str, "Which labels to render, or none.", metavar="NAME,NAME,...")
@_option(
    "--label-option",
    str,
    "An option of one label; may be repeated.",
    field="label_options",
    multiple=True,
    metavar="LABEL.OPTION=VALUE",
)
@_option("--input-size", str, "Size of the network's input in pixels.", metavar="WxH")
@_option("--stride", str, "Input pixels a label cell; of several each label has an array.", metavar="NUMBER,...")
@_option("--grid", click.Choice(CHOICES["grid"]), "How full-resolution maps become cells.")
@_option("--heatmap", click.Choice(CHOICES["heatmap"]), "How heatmaps are drawn.")
@_option("--sigma", float, "Gaussians' standard deviation in input pixels.", field="sigma_px", metavar="PIXELS")
@_option("--sigma-cells", float, "The same in cells, instead.", metavar="CELLS")
@_option("--sigma-scale", click.Choice(CHOICES["sigma_scale"]), "Everybody's sigma, or by the person's area.")
@_option("--sigma-keypoints", click.Choice(CHOICES["sigma_keypoints"]), "Every keypoint's, or by its OKS sigma.")
@_option("--paf", click.Choice(CHOICES["paf"]), "Where part affinity fields are drawn.")
@_option("--half-width", float, "How far a field reaches from its limb.", field="half_width_px", metavar="PIXELS")
@_option("--unit", click.Choice(CHOICES["unit"]), "What a sample is: an image, or one person cropped out of it.")
@_option("--crop", click.Choice(CHOICES["crop"]), "How a person's box is mapped into the input.")
@_option("--box-padding", float, "Enlarge a person's box by so much.", metavar="FACTOR")
@_option("--fit", click.Choice(CHOICES["fit"]), "How a picture is mapped into the input.")
@_option("--visibility", click.Choice(CHOICES["visibility"]), "Which keypoints to draw.")
@_option("--min-keypoints", int, "Draw only people with so many labelled keypoints.", metavar="N")
@_option("--min-area", float, "Draw only people of such an area in image pixels.", metavar="PIXELS")
@click.option("--keep-empty", is_flag=True, default=None, help="Keep images on which nobody is drawn.")
@_option("--label-dtype", click.Choice(CHOICES["label_dtype"]), "How label values are stored.")
@_option("--layout", click.Choice(CHOICES["layout"]), "Axis order of stored labels.")
@_option("--compression", click.Choice(CHOICES["compression"]), "Compressor of the labels; gzip reads anywhere.")
@_option("--image-encoding", click.Choice(CHOICES["image_encoding"]), "How pictures are stored.")
@_option("--jpeg-quality", int, "For JPEG.", metavar="1-100")
@_option("--copies", int, "Views of each image, each a sample.", metavar="N")
@_option("--augment", str, "Draw views from these ranges.", metavar="scale=0.5-1.1,rotate=40,shift=40,flip=0.5")
@click.option("--plain-copy", is_flag=True, default=None, help="Let the first view be the plain picture.")
@_option("--shard-size", int, "Samples a shard.", metavar="N")
@_option("--seed", int, "What the order of the samples is drawn from.", metavar="N")
@_option("--limit", int, "Build only the first N samples in that order.", metavar="N")
@click.option("--workers", type=int, metavar="N", help="Processes.  [default: the CPUs there are for this one]")
@click.option("--max-failures", default="0", show_default=True, metavar="N|P%", help="Samples that may fail.")
@click.option("--overwrite", is_flag=True, help="Replace what was built there with other options.")
@click.option("--audit-only", is_flag=True, help="Check the annotations, say what is odd about them, and stop.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors, and what --audit-only asks for.")
def command(  # noqa: PLR0917 (one argument an option)
    coco: Path,
    out: Path | None,
    split: str | None,
    images: Path | None,
    preset: str | None,
    config_file: Path | None,
    workers: int | None,
    max_failures: str,
    overwrite: bool,
    audit_only: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Build a dataset from COCO keypoint annotations.

    Images, and labels rendered for them, go to shards in DIR; the manifest is written last. What is left out is counted
    and named. Interrupted, the same command goes on where it stopped. Workers change no byte of the result.

    \b
      posegen build --coco /data/coco --out /data/pose
      posegen build --coco /data/coco --split val2017 --out /data/pose-val --label-dtype uint8
      posegen build --coco /data/coco --out /data/people --preset udp
    """  # noqa: D301 (click wants the character \b)
    from posegen.build.pipeline import audit, build

    config = _configure(preset, config_file, {k: v for k, v in options.items() if v is not None and v != ()})
    if audit_only:
        found = audit(coco, config, split=split, images=images)
        click.echo("\n".join([*found.describe_left_out(), *found.describe_noticed()] or ["nothing to remark"]))
        return
    if out is None:
        raise ConfigError("--out DIR is missing: where to write the dataset")
    with tqdm(unit=" samples", dynamic_ncols=True, disable=True if quiet else None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        def tell(line: str) -> None:
            if not quiet:
                tqdm.write(line, file=sys.stderr)

        manifest = build(
            coco,
            out,
            config,
            split=split,
            images=images,
            workers=workers,
            max_failures=max_failures,
            overwrite=overwrite,
            progress=show,
            notify=tell,
        )
    if not quiet:
        click.echo(_summary(manifest, out))


def _configure(preset: str | None, path: Path | None, options: dict[str, Any]) -> BuildConfig:
    """Lay the options of the call over those of the file, and both over the preset."""
    from_file = load_options(path) if path else {}
    base = BuildConfig.preset(preset or str(from_file.pop("preset", "tf-pose")))
    from_file.pop("preset", None)
    if path and isinstance(from_file.get("skeleton"), str) and from_file["skeleton"] not in SKELETONS:
        from_file["skeleton"] = str(path.parent / from_file["skeleton"])
    for layer in (from_file, options):
        _choose_sigma(layer)
    chosen = from_file | options
    if "stride" in chosen:
        chosen["stride"] = _strides(chosen["stride"])
    if "input_size" in chosen:
        chosen["input_size"] = _size(chosen["input_size"])
    if "skeleton" in chosen:
        chosen["skeleton"] = load_skeleton(str(chosen["skeleton"]))
    if "category" in chosen:
        names = chosen["category"]
        chosen["category"] = tuple(names) if isinstance(names, (list, tuple)) else (names,)
    if "labels" in chosen:
        words = chosen["labels"]
        chosen["labels"] = tuple(words if isinstance(words, list) else [] if words == "none" else str(words).split(","))
    if isinstance(chosen.get("augment"), str):
        chosen["augment"] = Augmentation.parse(chosen["augment"])
    if "label_options" in options:
        chosen["label_options"] = _label_options(from_file.get("label_options", {}), options["label_options"])
    return dataclasses.replace(base, **chosen)


def _size(text: Any) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})[xX](\d{1,6})", str(text))
    if match is None:
        raise ConfigError(f"input size must be WIDTHxHEIGHT, as in 368x368, not {text!r}")
    return int(match[2]), int(match[1])


def _choose_sigma(options: dict[str, Any]) -> None:
    """Let a sigma in one unit replace that in the other of what the options are laid over."""
    given = [field for field in ("sigma_px", "sigma_cells") if field in options]
    if len(given) == 1:
        options["sigma_cells" if given == ["sigma_px"] else "sigma_px"] = None


def _strides(value: Any) -> Any:
    """Read a number or several, as in 4,8; what is neither is left for `BuildConfig` to refuse."""
    words = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    try:
        found = tuple(float(word) for word in words)
    except (TypeError, ValueError):
        raise ConfigError(f"stride must be a number or several, as in 4,8, not {value!r}") from None
    return found[0] if len(found) == 1 else found


def _label_options(from_file: Any, words: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Lay options LABEL.OPTION=VALUE over those of a file."""
    if not isinstance(from_file, dict):
        raise ConfigError(f"label-options must be a table with one table a label, not {from_file!r}")
    found = {label: dict(of) for label, of in from_file.items()}
    for word in words:
        match = re.fullmatch(r"(\w+)\.(\w+)=(.+)", word)
        if match is None:
            raise ConfigError(f"a label's option is LABEL.OPTION=VALUE, as in offset.radius_px=12, not '{word}'")
        found.setdefault(match[1], {})[match[2]] = _parse_value(match[3])
    return found


def _parse_value(text: str) -> bool | float | str:
    if text in {"true", "false"}:
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _summary(manifest: Manifest, out: Path) -> str:
    shards = len(manifest.shards)
    held = f"{manifest.samples} samples with {manifest.people} people in {shards} shard{'' if shards == 1 else 's'}"
    lines = [f"{held}, {manifest.bytes / 1e6:.1f} MB: {out}"]
    lines += Audit.from_dict(manifest.audit).describe_left_out()
    if manifest.failures:
        lines.append(f"{manifest.failures} samples could not be built: {out / 'failures.jsonl'}")
    return "\n".join(lines)
