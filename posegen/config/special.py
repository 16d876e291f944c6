"""Kinds of a single field each: label names and options, the input's size, strides, the skeleton, ranges of views."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from posegen.config.kinds import Kind, Number, Whole
from posegen.errors import ConfigError, nearest
from posegen.geometry import Size
from posegen.images.augment import Augmentation
from posegen.labels.registry import check_name
from posegen.skeleton import SKELETONS, Skeleton, load_skeleton

_RANGES = ("scale", "rotate", "shift", "flip")


class LabelNames(Kind):
    """Names of labels: a tuple; written as a list, or as text with commas, or `none`."""

    def check(self, name: str, value: Any) -> Any:
        """Refuse what is no tuple of different names that labels can have, whether there are such labels or not."""
        if not isinstance(value, tuple) or len(set(value)) != len(value):
            raise ConfigError(f"{name} must be a tuple of names, none of them twice")
        for word in value:
            check_name(word)
        return value

    def read(self, value: Any) -> Any:
        """Read a list, or text with commas and as many spaces as anyone likes."""
        if isinstance(value, (list, tuple)):
            return tuple(value)
        return () if value == "none" else tuple(word.strip() for word in str(value).split(","))

    def write(self, value: Any) -> Any:
        """Write a list."""
        return list(value)


class LabelOptions(Kind):
    """Options of labels, by label and by option; written as a table of tables, or as LABEL.OPTION=VALUE."""

    repeated = True

    def check(self, name: str, value: Any) -> Any:
        """Refuse what is no mapping of mappings to numbers, texts or truth values."""
        if not isinstance(value, Mapping) or not all(isinstance(of, Mapping) for of in value.values()):
            raise ConfigError(f"{name} must give for each label its options, not {value!r}")
        for label, of in value.items():
            for option, asked in of.items():
                finite = not isinstance(asked, float) or math.isfinite(asked)
                if not isinstance(option, str) or not isinstance(asked, (bool, int, float, str)) or not finite:
                    raise ConfigError(f"{name}: {label}.{option} cannot be {asked!r}")
        return {label: dict(of) for label, of in value.items()}

    def read(self, value: Any) -> Any:
        """Read tables as they are, and words LABEL.OPTION=VALUE, whose values are numbers and truth values if so."""
        if isinstance(value, Mapping):
            return value
        found: dict[str, dict[str, Any]] = {}
        for word in value if isinstance(value, (list, tuple)) else [value]:
            match = re.fullmatch(r"(\w+)\.(\w+)=(.+)", str(word))
            if match is None:
                raise ConfigError(
                    f"a label's option is LABEL.OPTION=VALUE, as in offset.radius_factor=0.08, not '{word}'"
                )
            found.setdefault(match[1], {})[match[2]] = _parse_value(match[3])
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSize(Kind):
    """(height, width) in pixels, or None if it may be absent; written WIDTHxHEIGHT, and called `what` in errors."""

    what: str = "input size"
    optional: bool = False

    def check(self, name: str, value: Any) -> Any:
        """Refuse what is no pair of whole numbers."""
        if value is None and self.optional:
            return None
        if not isinstance(value, tuple) or len(value) != 2:
            raise ConfigError(f"{name} must be (height, width) in pixels, not {value!r}")
        side = Whole(low=1, high=16384)
        return tuple(side.check(name, pixels) for pixels in value)

    def read(self, value: Any) -> Any:
        """Read WIDTHxHEIGHT."""
        match = re.fullmatch(r"(\d{1,6})[xX](\d{1,6})", str(value))
        if match is None:
            near = re.fullmatch(r"\s*(\d{1,6})[\WxX]+(\d{1,6})\s*", value) if isinstance(value, str) else None
            hint = f" (did you mean {near[1]}x{near[2]}?)" if near else ""
            raise ConfigError(f"{self.what} must be WIDTHxHEIGHT, as in 368x368, not {value!r}{hint}")
        return int(match[2]), int(match[1])

    def write(self, value: Any) -> Any:
        """Write WIDTHxHEIGHT."""
        return f"{value[1]}x{value[0]}"


def check_frame(frame: Size, input_size: Size) -> None:
    """Make sure that the pictures of an input can be stored in a frame. Raises `ConfigError` if not."""
    if frame[0] < input_size[0] or frame[0] * input_size[1] != frame[1] * input_size[0]:
        raise ConfigError(
            f"picture_size must have the aspect ratio of the input, {input_size[1]}x{input_size[0]}, and not be "
            f"smaller; it is {frame[1]}x{frame[0]}"
        )


class Strides(Kind):
    """A number of pixels, or a tuple of several different ones; written as a number, a list, or text with commas."""

    def check(self, name: str, value: Any) -> Any:
        """Refuse what is neither; return a float or a tuple of several."""
        several = value if isinstance(value, tuple) else (value,)
        pixels = Number(low=1, high=16384)
        found = tuple(pixels.check(name, stride) for stride in several)
        if not found or len(set(found)) != len(found):
            raise ConfigError(f"{name} must be a number or several different ones, not {value!r}")
        return found if len(found) > 1 else found[0]

    def read(self, value: Any) -> Any:
        """Read a number or several, as in 4,8."""
        words = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
        try:
            found = tuple(float(word) for word in words)
        except (TypeError, ValueError):
            raise ConfigError(f"stride must be a number or several, as in 4,8, not {value!r}") from None
        return found[0] if len(found) == 1 else found

    def write(self, value: Any) -> Any:
        """Write a number, or a list."""
        return list(value) if isinstance(value, tuple) else value


class SkeletonName(Kind):
    """A skeleton, or None; written as the name of a built-in one, or as the path of a skeleton file."""

    def check(self, name: str, value: Any) -> Any:
        """Refuse what is neither."""
        if value is not None and not isinstance(value, Skeleton):
            raise ConfigError(f"{name} must be a skeleton, as load_skeleton returns it, or None, not {value!r}")
        return value

    def read(self, value: Any) -> Any:
        """Find the skeleton of a name, or read a file."""
        return load_skeleton(str(value))

    def write(self, value: Any) -> Any:
        """Write the name of a built-in one; others have none, and raise `ConfigError`."""
        if SKELETONS.get(value.name) != value:
            raise ConfigError(
                f"the skeleton '{value.name}' is not built in: write it to a file with write_skeleton, and name that"
            )
        return value.name


class Ranges(Kind):
    """Ranges to draw views from, or None; written as a table, or as text such as `scale=0.5-1.1,rotate=40`."""

    def check(self, name: str, value: Any) -> Any:
        """Refuse what is neither."""
        if value is not None and not isinstance(value, Augmentation):
            raise ConfigError(f"{name} must be ranges to draw views from, not {value!r}")
        return value

    def read(self, value: Any) -> Any:
        """Read the text or the table; a scale is a number, or two in a list."""
        if isinstance(value, str):
            return Augmentation.parse(value)
        if not isinstance(value, Mapping):
            return value
        for key in value:
            if key not in _RANGES:
                raise ConfigError(f"augment has no '{key}'{nearest(key, _RANGES)}; it has {', '.join(_RANGES)}")
        scale = value.get("scale", 1.0)
        if isinstance(scale, str):
            return Augmentation(**{**value, "scale": Augmentation.parse(f"scale={scale}").scale})
        ends = tuple(scale) if isinstance(scale, list) else (scale, scale)
        if not all(isinstance(end, (int, float)) for end in ends):
            raise ConfigError(f"augment: scale must be a number, or two as in [0.5, 1.1], not {scale!r}")
        return Augmentation(**{**value, "scale": ends})

    def write(self, value: Any) -> Any:
        """Write the table."""
        return {"scale": list(value.scale), "rotate": value.rotate, "shift": value.shift, "flip": value.flip}


def _parse_value(text: str) -> bool | float | str:
    if text in {"true", "false"}:
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
