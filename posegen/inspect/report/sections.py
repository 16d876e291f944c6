"""The sections of a report, each of one subject or of two side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.inspect.report import charts
from posegen.inspect.report.gallery import Sheet
from posegen.inspect.report.heat import Heat
from posegen.inspect.report.markup import count, element, facts, figure, listing, share, size, table, text, tint
from posegen.inspect.report.subject import Subject

_BEYOND = 2.0
"""Limbs that are so many times as long as usual are marked."""
_SHOWN = 8
_VISIBILITY = (("visible", "mark-a"), ("occluded", "mark-a faint"), ("not labelled", "nothing"))
_MASK = (
    ("counts", "mark-a"),
    ("outside the picture", "nothing"),
    ("people and crowds nobody labelled", "mark-b"),
    ("else, such as at their edges", "mark-b faint"),
)
_DOUBLINGS = 2.0 ** np.arange(2, 11)

Section = tuple[str, str, str]
"""What its address is, its title, its markup."""


def write_sections(subjects: Sequence[Subject], sheets: Sequence[Sequence[Sheet]]) -> Iterator[Section]:
    """Write the sections that there is something to say in."""
    yield "counts", "What is there", _pair(subjects, _counts)
    yield "people", "People and images", _distributions(subjects)
    yield "keypoints", "Keypoints", _pair(subjects, _keypoints)
    yield "bodies", "Bodies", _pair(subjects, _bodies)
    if any(subject.labels.samples for subject in subjects):
        yield "labels", "Labels", _pair(subjects, _labels)
    if any(sheets):
        shown = dict(zip(map(id, subjects), sheets, strict=True))
        yield "strange", "The strangest", _pair(subjects, lambda subject: _sheets(shown[id(subject)]))
    if any(subject.description for subject in subjects):
        yield "storage", "Storage", _pair(subjects, _storage)
        yield "provenance", "Configuration and provenance", _pair(subjects, _provenance)


def _pair(subjects: Sequence[Subject], write: Callable[[Subject], str]) -> str:
    """Lay what is said of each subject side by side."""
    parts = []
    for which, subject in enumerate(subjects):
        head = element("p", element("i", class_=f"mark-{'ab'[which]}"), text(subject.title), class_="subject")
        inside = write(subject) or element("p", "nothing to show", class_="soft")
        parts.append(element("div", head if len(subjects) > 1 else "", inside, class_="side"))
    return element("div", *parts, class_=f"sides of-{len(subjects)}")


def _counts(subject: Subject) -> str:
    people, found, d = subject.people, subject.measures, subject.description
    figures = [
        (count(people.samples), "samples" if d else "images with people"),
        (count(len(people)), "people"),
        (f"{len(people) / max(people.samples, 1):.2f}", "people a sample" if d else "people an image"),
        (share(float(people.labelled.mean()) if len(people) else 0, 1), "of keypoints labelled"),
        (share(float((found.visibility[:, 2]).sum()), float(found.visibility[:, 1:].sum())), "of them visible"),
    ]
    if d:
        figures.append((size(d["bytes"]), f"in {d['shards']} shard{'s' * (d['shards'] != 1)}"))
    tiles = element("dl", *(element("div", element("dd", text(v)), element("dt", text(k))) for v, k in figures))
    said = [tiles, *([element("p", text(d["description"]))] if d.get("description") else [])]
    if subject.audit is not None:
        lines = [*subject.audit.describe_left_out(), *subject.audit.describe_noticed()]
        said.append(figure("Left out, and noticed", listing(lines or ["nothing to remark"])))
    if d.get("failures"):
        said.append(element("p", text(f"{d['failures']} samples could not be built"), class_="warn"))
    if subject.notes:
        said.append(listing(subject.notes))
    return "".join(said)


def _distributions(subjects: Sequence[Subject]) -> str:
    """Draw what both subjects have over the same axes."""

    def draw(values: Callable[[Subject], NDArray[Any]], edges: Any, ticks: Sequence[float], unit: str) -> str:
        series = [(subject.title, np.asarray(values(subject), np.float64)) for subject in subjects]
        return charts.histogram(series, np.asarray(edges, np.float64), ticks, unit)

    most = int(np.clip(max((int(s.measures.counts.max(initial=1)) for s in subjects), default=1), 4, 24))
    step = max(1, most // 6)
    ratios = np.exp(np.linspace(np.log(0.125), np.log(4), 31))
    parts = [
        figure(
            "People a sample",
            draw(lambda s: s.measures.counts, np.arange(most + 2) - 0.5, range(0, most + 1, step), "people"),
            caption=f"{most} and more in the last" if most == 24 else "",
        ),
        figure(
            "Crowding",
            draw(lambda s: s.measures.crowding, np.linspace(0, 1, 21), (0, 0.25, 0.5, 0.75, 1), "crowd index"),
            caption="others' keypoints in a person's box over its own, from 0 to 1, as CrowdPose counts them",
        ),
        figure(
            "Size",
            draw(lambda s: s.measures.sizes, np.exp2(np.linspace(2, 10, 33)), _DOUBLINGS[::2].tolist(), "px"),
            caption="the square root of the box's area, in pixels of the " + _frame(subjects),
        ),
        figure(
            "Aspect",
            draw(lambda s: s.measures.aspects, ratios, (0.125, 0.25, 0.5, 1, 2, 4), "width by height"),
            caption="of the box; left of 1 stand the upright",
        ),
    ]
    for subject in subjects:
        frames, places = subject.people.frames, subject.measures.places
        aspect = float(np.clip(np.median(frames[:, 0] / frames[:, 1]), 0.4, 2.5)) if len(frames) else 1.0
        title = "Where people stand" + (f": {subject.title}" if len(subjects) > 1 else "")
        chart = charts.field(np.sqrt(places / max(places.max(), 1)), aspect, title)
        parts.append(figure(title, chart, caption="the middles of their boxes in the frame"))
    keys = [(subject.title, f"mark-{'ab'[which]}") for which, subject in enumerate(subjects)]
    return (charts.legend(keys) if len(subjects) > 1 else "") + element("div", *parts, class_="grid")


def _frame(subjects: Sequence[Subject]) -> str:
    kinds = {"input" if subject.description else "image" for subject in subjects}
    return " or the ".join(sorted(kinds, reverse=True))


def _keypoints(subject: Subject) -> str:
    people, found = subject.people, subject.measures
    names = people.skeleton.keypoints
    bars = charts.stacked_rows(names, found.visibility[:, ::-1].astype(np.float64), _VISIBILITY)
    strongest = [
        f"{names[a]} and {names[b]}: {found.together[a, b]:.2f}"
        for a, b in sorted(zip(*np.triu_indices(len(names), 1), strict=True), key=lambda p: -found.together[p])[:_SHOWN]
        if found.together[a, b] > 0.3
    ]
    return element(
        "div",
        figure("Visibility", charts.legend(_VISIBILITY), bars, caption="the share on the right is that of the visible"),
        figure(
            "Which vanish together",
            charts.matrix(names, found.together, "which keypoints vanish together"),
            listing(strongest),
            caption="the correlation of two keypoints' being not labelled; rows and columns in the same order",
        ),
        class_="grid",
    )


def _bodies(subject: Subject) -> str:
    people, found, parts = subject.people, subject.measures, []
    if found.pose is not None:
        caption = (
            f"of {count(found.pose.people)} people of whom most is labelled, moved and scaled to fit; ellipses are "
        )
        caption += "one standard deviation; the person's left side in the second colour"
        parts.append(figure("Mean pose and spread", charts.pose(found.pose, people.skeleton), caption=caption))
    ratios = found.limbs.ratios
    if ratios.size and np.isfinite(ratios).any():
        beyond = int((np.nan_to_num(ratios) > _BEYOND).sum())
        caption = "relative to what is usual for a body of this size: the middle half, the middle 90 %, and a mark for "
        caption += f"each more than {_BEYOND:g} times as long, of which there are {count(beyond)}"
        drawn = charts.boxes(people.skeleton.limb_names, ratios, 0.2, 5, _BEYOND)
        parts.append(figure("Lengths of limbs", drawn, caption=caption))
    return element("div", *parts, class_="grid") if parts else ""


def _labels(subject: Subject) -> str:
    found, parts = subject.labels, []
    around = "in the input" if subject.description.get("config", {}).get("unit") == "person" else "around each person"
    for heat in found.heats.values():
        said = f"the mean {around}, of {count(heat.count)}; each channel to its own largest value"
        warnings = [
            element("p", text(f"{a} is hotter at {b} than at its own keypoint: is the channel swapped?"), class_="warn")
            for a, b in heat.find_swapped()
        ]
        parts.append(figure(f"Mean of {heat.name} by channel", *warnings, _channels(heat), caption=said))
    if found.masked:
        values = np.array([[found.masked[kind] for kind, _ in _MASK]], np.float64)
        lines = [f"{share(found.masked[kind], values.sum())} {kind}" for kind, _ in _MASK]
        bar = charts.stacked_rows(["mask"], values, _MASK)
        parts.append(figure("What the mask hides", charts.legend(_MASK), bar, listing(lines)))
    note = element("p", text(f"from the labels of {count(found.samples)} samples, taken evenly"), class_="soft")
    return note + "".join(parts) if parts else ""


def _channels(heat: Heat) -> str:
    tiles = [
        element(
            "li",
            f'<img src="{tint(values / max(values.max(), 1e-9))}" alt="mean of {text(name)}">',
            element("span", text(name)),
        )
        for name, values in zip(heat.channels, heat.maps, strict=True)
    ]
    return element("ul", *tiles, class_="channels")


def _sheets(sheets: Sequence[Sheet]) -> str:
    return "".join(
        figure(
            sheet.title,
            element("ul", *(sheet.tiles[i] for i, _ in sheet.chosen if i in sheet.tiles), class_="sheet"),
            caption=sheet.caption,
        )
        for sheet in sheets
    )


def _storage(subject: Subject) -> str:
    d = subject.description
    if not d:
        return ""
    arrays = sorted(d["arrays"].items(), key=lambda item: -item[1]["stored"])
    large = [(name, array) for name, array in arrays if array["stored"] >= 0.002 * d["bytes"]]
    samples = max(d["samples"], 1)
    said = [f"{size(a['stored'])}, {share(a['stored'], d['bytes'])}" for _, a in large]
    bars = charts.rows([name for name, _ in large], [a["stored"] for _, a in large], said)
    cells = [
        (
            name,
            "x".join(map(str, a["shape"])),
            a["dtype"],
            a["compressor"] or "-",
            size(a["stored"]),
            size(a["stored"] / samples),
            f"{a['ratio']:.1f}",
        )
        for name, a in arrays
    ]
    header = ("array", "shape", "dtype", "compressor", "stored", "a sample", "ratio")
    return figure("What costs how much", bars) + element(
        "details", element("summary", "All arrays"), table(header, cells)
    )


def _provenance(subject: Subject) -> str:
    d = subject.description
    if not d:
        return ""
    config = {key: value for key, value in d["config"].items() if key != "skeleton" and value not in (None, [])}
    rows = [(key, ", ".join(map(str, v)) if isinstance(v, list) else str(v)) for key, v in config.items()]
    preset = f", over the preset {d['preset']}" if d.get("preset") else ""
    parts = [figure(f"Configuration{preset}", facts(rows))]
    for key, title in (("source", "Built from"), ("versions", "Built by")):
        if d.get(key):
            parts.append(figure(title, facts(d[key].items())))
    return "".join(parts)
