"""What there is to say of each label, ours and other packages': as plain data, for people and programs to read.

Nothing is said twice: the text is the docstring of the label's module, options and their defaults are those that its
factory asks for, arrays are those that it makes. In the docstring a title underlined with - begins a section, and the
section `Options` has each option's name on a line, with its text indented below.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from posegen.errors import ConfigError
from posegen.labels.base import Label, needs_ignored
from posegen.labels.registry import LabelContext, LabelOption, create_label, find_factory, list_labels

_OPTIONS = "Options"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayDescription:
    """An array that a label makes.

    Attributes
    ----------
    name
        Of the array.
    kind
        With which kind, as in `heatmap=udp`, where there are several; '' where there are not.
    shape
        (C, h, w) or (C,), with inner axes (C, ..., h, w) or (C, ...).
    axes
        Their names.
    dtype
        Of its values.
    by_person
        Whether it has a row for every person: (N, *shape).
    unknown
        Whether values may be unknown.
    low, high
        Between which its values lie.
    needs_ignored
        Whether it depends on what is ignored in the picture.
    flips
        Whether reading can mirror it.
    why_not
        The reason if it cannot, else ''.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    low: float
    high: float
    needs_ignored: bool
    flips: bool
    why_not: str
    axes: tuple[str, ...] = ()
    dtype: str = "float32"
    by_person: bool = False
    unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionDescription:
    """An option of a label: its name, default, and what it is."""

    name: str
    default: LabelOption
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDescription:
    """A label.

    Attributes
    ----------
    name, package
        What it is called, and who brings it.
    problem
        Why it cannot be used, else ''; all that follows is empty then.
    summary
        In one sentence.
    sections
        Titles and texts: the definition, where its cells lie, its source, what is known to differ from that.
    options
        That `label_options` can give it.
    arrays
        That it makes; first those of the context it was asked with, then those of other kinds.
    """

    name: str
    package: str
    problem: str = ""
    summary: str = ""
    sections: tuple[tuple[str, str], ...] = ()
    options: tuple[OptionDescription, ...] = ()
    arrays: tuple[ArrayDescription, ...] = ()


def describe_labels(contexts: Mapping[str, LabelContext]) -> tuple[LabelDescription, ...]:
    """Describe all labels that can be asked for, in the order of `list_labels`; what is wrong with one is its problem.

    Parameters
    ----------
    contexts
        As for `describe_label`.
    """
    found = []
    for name, package in list_labels().items():
        try:
            found.append(describe_label(name, contexts))
        except ConfigError as error:
            found.append(LabelDescription(name=name, package=package, problem=str(error)))
    return tuple(found)


def describe_label(name: str, contexts: Mapping[str, LabelContext]) -> LabelDescription:
    """Describe a label.

    Parameters
    ----------
    name
        Of the label.
    contexts
        Under '' what it is made from, under `field=word` the same with another kind of drawing; see
        `posegen.config.BuildConfig.label_contexts`.

    Raises
    ------
    ConfigError
        If there is no such label, or it cannot be made.
    """
    asked: dict[str, LabelOption] = {}
    made = {"": create_label(name, _watch(contexts[""], asked))}
    for kind, context in contexts.items():
        try:
            made[kind] = made[kind] if not kind else create_label(name, context)
        except ConfigError:  # not every kind goes with every grid
            continue
    kinds: dict[str, list[str]] = {_home(find_factory(name)): []}
    for kind, some in made.items():
        for one in some:
            kinds.setdefault(_home(type(one)), []).append(kind)
    texts = {text: of for module, of in kinds.items() if (text := _read_docstring(module))}
    sections = [
        section for i, (text, of) in enumerate(texts.items()) for section in _read_sections(text, of if i else ())
    ]
    helps = {key: text for title, body in sections if title == _OPTIONS for key, text in _read_options(body)}
    return LabelDescription(
        name=name,
        package=list_labels()[name],
        summary=" ".join(next(iter(texts), "").partition("\n\n")[0].split()),
        sections=tuple(section for section in sections if section[0] != _OPTIONS),
        options=tuple(
            OptionDescription(name=key, default=default, text=helps.get(key, "")) for key, default in asked.items()
        ),
        arrays=tuple(_describe_arrays(made, contexts[""])),
    )


@dataclass(frozen=True, kw_only=True)
class _WatchedContext(LabelContext):
    """A context that notes which options it is asked for."""

    asked: dict[str, LabelOption] = field(default_factory=dict)

    def read_options(self, **defaults: LabelOption) -> dict[str, LabelOption]:
        self.asked.update(defaults)
        return super().read_options(**defaults)


def _watch(context: LabelContext, asked: dict[str, LabelOption]) -> LabelContext:
    values = {of.name: getattr(context, of.name) for of in dataclasses.fields(context)}
    return _WatchedContext(**values, asked=asked)


def _home(made: object) -> str:
    return str(getattr(made, "__module__", ""))


def _read_docstring(module: str) -> str:
    return inspect.cleandoc(getattr(sys.modules.get(module), "__doc__", "") or "")


def _read_sections(text: str, kinds: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Cut a docstring into titles and texts; what comes before the first has the kinds as its title."""
    parts = re.split(r"^(\S.*)\n-{3,}$", text, flags=re.MULTILINE)
    first = f"With {', '.join(dict.fromkeys(filter(None, kinds)))}" if any(kinds) else ""
    for title, body in zip([first, *parts[1::2]], parts[::2], strict=True):
        if body.strip():
            yield title, body.strip("\n")


def _read_options(body: str) -> Iterator[tuple[str, str]]:
    for name, text in re.findall(r"^(\w+)\n((?:[ \t]+.*\n?)*)", body, flags=re.MULTILINE):
        yield name, " ".join(text.split())


def _describe_arrays(made: Mapping[str, Iterable[Label]], context: LabelContext) -> Iterator[ArrayDescription]:
    """Describe what was made of each kind; what is the same as without a kind is so once."""
    plain = [*made[""]]
    known = [(type(label), label.spec) for label in plain]
    others = [(kind, one) for kind, some in made.items() for one in some if (type(one), one.spec) not in known]
    of_fields = dict.fromkeys(kind.partition("=")[0] for kind, _ in others)
    own = ", ".join(f"{name}={getattr(context, name)}" for name in of_fields)
    for kind, label in [*((own, label) for label in plain), *others]:
        spec = label.spec
        yield ArrayDescription(
            name=spec.name,
            kind=kind,
            shape=spec.shape,
            low=spec.low,
            high=spec.high,
            needs_ignored=needs_ignored(label),
            flips=spec.flips,
            why_not="" if spec.flips else str(spec.mirror),
            axes=spec.axes,
            dtype=spec.dtype,
            by_person=spec.by_person,
            unknown=spec.unknown,
        )
