"""The page of a report: one file with its style, its script and all pictures in it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

from posegen import __version__
from posegen.inspect.report.markup import element, embed_json, text
from posegen.inspect.report.sections import Section
from posegen.inspect.report.subject import Subject


def write_page(
    subjects: Sequence[Subject], sections: Sequence[Section], samples: Sequence[Sequence[dict[str, Any]]]
) -> str:
    """Write the page.

    Parameters
    ----------
    subjects
        What it is about.
    sections
        Their addresses, titles and markup.
    samples
        Of each subject what `collect_samples` gave.
    """
    title = " and ".join(subject.title for subject in subjects)
    blocks = [_section(address, name, inside) for address, name, inside in sections]
    links = [(address, name) for address, name, _ in sections]
    if any(samples):
        links.insert(1, ("samples", "Samples"))
        blocks.insert(1, _section("samples", "Samples", _viewers(subjects, samples)))
    kinds = " beside ".join(subject.kind for subject in subjects)
    head = element(
        "header", element("h1", text(title)), element("p", text(f"{kinds} · posegen {__version__}"), class_="soft")
    )
    nav = element(
        "nav", *(element("a", text(name), href=f"#{address}") for address, name in links), aria_label="sections"
    )
    data = embed_json([list(found) for found in samples])
    limbs = embed_json([[list(limb) for limb in subject.people.skeleton.limbs] for subject in subjects])
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        # An address that is asked for on its own would be a request that fails.
        '<link rel="icon" href="data:,">\n'
        f"<title>{text(title)}</title>\n<style>\n{_read('page.css')}</style>\n</head>\n<body>\n"
        f"{head}\n{nav}\n<main>\n" + "\n".join(blocks) + "\n</main>\n"
        f'<script type="application/json" id="sample-data">{data}</script>\n'
        f'<script type="application/json" id="limb-data">{limbs}</script>\n'
        f"<script>\n{_read('viewer.js')}</script>\n</body>\n</html>\n"
    )


def _section(address: str, title: str, inside: str) -> str:
    return element("section", element("h2", text(title)), inside, id=address)


def _viewers(subjects: Sequence[Subject], samples: Sequence[Sequence[dict[str, Any]]]) -> str:
    """Make the places that the script fills."""
    parts = [element("noscript", element("p", "Samples are shown by the page's script, which does not run here."))]
    for which, (subject, found) in enumerate(zip(subjects, samples, strict=True)):
        if not found:
            continue
        controls = (
            '<button type="button" data-step="-1" aria-label="previous sample">←</button>'
            '<button type="button" data-step="1" aria-label="next sample">→</button>'
            '<label>show <select data-role="label"></select></label>'
            '<label>channel <select data-role="channel"></select></label>'
            '<label><input type="checkbox" data-role="people" checked> people</label>'
        )
        head = element("p", element("i", class_=f"mark-{'ab'[which]}"), text(subject.title), class_="subject")
        parts.append(
            element(
                "div",
                head if len(subjects) > 1 else "",
                element("div", controls, class_="controls"),
                '<canvas data-role="canvas" role="img" aria-label="sample"></canvas>',
                '<p data-role="title" class="soft" aria-live="polite"></p>',
                class_="viewer",
                data_which=which,
                tabindex="0",
            )
        )
    return element("div", *parts, class_=f"sides of-{len(subjects)}")


def _read(name: str) -> str:
    return resources.files("posegen.inspect.report").joinpath(name).read_text(encoding="utf-8")
