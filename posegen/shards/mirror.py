"""How labels mirror, as shards say it; for shards of before they did, as the labels do that they were built with."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence

from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.files import canonical_json
from posegen.labels import ArraySpec, ChannelMirror
from posegen.labels.mirror import UNSAID
from posegen.shards.record import parse_json
from posegen.shards.schema import StoredLabel
from posegen.skeleton import Skeleton


def write_mirror(mirror: ChannelMirror | str) -> str:
    """Write a mirror as JSON: an object of `order` and `negated`, or a text that says why there is none."""
    return canonical_json(dataclasses.asdict(mirror) if isinstance(mirror, ChannelMirror) else mirror)


def read_mirror(text: object) -> ChannelMirror | str | None:
    """Read what `write_mirror` wrote; None where a shard does not have it.

    Raises
    ------
    ValueError, ConfigError
        If it is something else.
    """
    if text is None:
        return None
    record = parse_json(text) if isinstance(text, str) else text
    if isinstance(record, dict) and all(isinstance(places, list) for places in record.values()):
        mirror = {key: tuple(places) for key, places in record.items()}
        if mirror.keys() == {"order", "negated"}:
            return ChannelMirror(order=mirror["order"], negated=mirror["negated"])
    if not isinstance(record, str) or not record:
        raise ValueError(f"{record!r:.200} does not say how it mirrors")
    return record


def find_mirrors(
    config: BuildConfig, skeleton: Skeleton, labels: Sequence[StoredLabel]
) -> dict[str, ChannelMirror | str]:
    """Find how some labels mirror, or why they do not, by name.

    For those of which the shard does not say it, their labels are made again, which need not be possible.
    """
    unsaid = [label.spec.name for label in labels if label.spec.mirror is None]
    made = _ask_labels(config, skeleton, unsaid) if unsaid else {}
    found: dict[str, ChannelMirror | str] = {}
    for label in labels:
        spec = made.get(label.spec.name, label.spec)
        same = dataclasses.replace(spec, mirror=None) == dataclasses.replace(label.spec, mirror=None)
        found[label.spec.name] = (spec.mirror if same else None) or UNSAID
    return found


def _ask_labels(config: BuildConfig, skeleton: Skeleton, names: Sequence[str]) -> dict[str, ArraySpec]:
    """Make the labels again that some arrays are of, as far as their packages are here, and ask for their arrays."""
    found: dict[str, ArraySpec] = {}
    for label in config.labels:
        if any(name == label or name.startswith(f"{label}_") for name in names):
            options = {name: of for name, of in config.label_options.items() if name == label}
            with contextlib.suppress(ConfigError):
                made = dataclasses.replace(config, labels=(label,), label_options=options).create_labels(skeleton)
                found |= {one.spec.name: one.spec for one in made}
    return found
