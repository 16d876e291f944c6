"""`posegen skeleton`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from posegen.cli.tables import align, wrap
from posegen.errors import ConfigError
from posegen.skeleton import SKELETONS, Skeleton, load_skeleton, write_skeleton


@click.group("skeleton", short_help="List the built-in skeletons, show one or a file's.")
def command() -> None:
    """List the built-in skeletons, or show one, that of a skeleton file, or that of a COCO file."""


@command.command("list")
def list_skeletons() -> None:
    """List the built-in skeletons."""
    rows = [
        (s.name, str(len(s.keypoints)), str(len(s.limbs)), str(len(s.flip_pairs)), "yes" if s.sigmas else "-")
        for s in SKELETONS.values()
    ]
    click.echo("\n".join(align(("name", "keypoints", "limbs", "flip pairs", "sigmas"), rows)))


@command.command("show")
@click.argument("skeleton", metavar="NAME|FILE")
@click.option("--category", multiple=True, metavar="NAME", help="Of which categories of a COCO file.")
@click.option("--toml", is_flag=True, help="Print it as a skeleton file, to start one of your own from.")
@click.option("--save", type=click.Path(path_type=Path), metavar="PNG", help="Draw it to a file.")
def show(skeleton: str, category: tuple[str, ...], toml: bool, save: Path | None) -> None:
    """Show a skeleton: keypoints, what they are derived from, limbs, flip pairs.

    It is a built-in one, or that of a skeleton file, of a COCO file's categories, or of a dataset_info of MMPose's.

    \b
      posegen skeleton show coco-17 --save coco.png
      posegen skeleton show annotations/train.json --toml > mine.toml
    """  # noqa: D301 (click wants the character \b)
    if skeleton not in SKELETONS and is_coco(Path(skeleton)):
        from posegen.annotations import read_skeleton

        found = read_skeleton(Path(skeleton), category)
    elif category:
        raise ConfigError(f"--category goes with a COCO file, which {skeleton} is not")
    else:
        found = load_skeleton(skeleton)
    if save is not None:
        from posegen.inspect.drawing.skeleton import save_skeleton

        save_skeleton(found, save)
    click.echo(write_skeleton(found) if toml else _format(found), nl=not toml)
    if save is not None:
        click.echo(save, err=toml)


def is_coco(path: Path) -> bool:
    """Tell whether a path is of a JSON file, by its name or its first character."""
    if path.suffix.lower() == ".json":
        return path.exists()
    try:
        with path.open("rb") as file:
            return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"
    except OSError:
        return False


def _format(skeleton: Skeleton) -> str:
    names = skeleton.keypoints
    mirror = {a: b for pair in skeleton.flip_pairs for a, b in (pair, pair[::-1])}
    rows: list[Sequence[str]] = [
        (
            str(k),
            name,
            "-" if parents == (name,) else ", ".join(parents),
            names[mirror[k]] if k in mirror else "-",
            f"{skeleton.sigmas[k]:g}" if skeleton.sigmas else "-",
        )
        for k, (name, parents) in enumerate(zip(names, skeleton.parents, strict=True))
    ]
    lines = [
        f"{skeleton.name}: {len(names)} keypoints, {len(skeleton.limbs)} limbs, {len(skeleton.flip_pairs)} flip pairs",
        "",
        *align(("", "keypoint", "mean of", "mirrored", "sigma"), rows),
    ]
    if skeleton.limbs:
        lines += ["", "limbs", *wrap(skeleton.limb_names)]
    if skeleton.aliases:
        lines += ["", "also called", *wrap(f"{name}={alias}" for alias, name in skeleton.aliases)]
    return "\n".join(lines)
