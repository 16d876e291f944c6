"""Making a report: read, measure, draw, and write one page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posegen.errors import ConfigError
from posegen.files import refuse_target, write_atomically
from posegen.inspect.people import Progress
from posegen.inspect.report.gallery import choose_strange, fill_sheets
from posegen.inspect.report.heat import measure_labels
from posegen.inspect.report.page import write_page
from posegen.inspect.report.samples import choose_samples, collect_samples
from posegen.inspect.report.sections import write_sections
from posegen.inspect.report.subject import Subject, open_subject

DEFAULT_SAMPLES = 24
"""So many samples can be stepped through where nobody says how many."""

_READ_LABELS = 300
"""Of so many samples labels are read; means change little beyond."""
_MOST_SAMPLES = 1000
_PAGE_START = b"<!DOCTYPE html>"


def write_report(
    paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    split: str | None = None,
    images: str | os.PathLike[str] | None = None,
    samples: int = DEFAULT_SAMPLES,
    progress: Progress | None = None,
) -> Path:
    """Write a page about a dataset, a shard or annotations, or about two of them side by side.

    The page needs no other file and no network. People are counted and measured all, from the columns that hold them;
    labels and pictures are read of some samples.

    Parameters
    ----------
    paths
        One or two: a dataset's directory, a shard, a COCO root, or an annotation file.
    out
        Where to write the page; a file that is there is replaced.
    split, images
        Of annotations, as for `posegen.build`.
    samples
        How many samples of each the page lets one step through, taken evenly.
    progress
        Called with how many steps are done, of how many.

    Returns
    -------
    `out`.

    Raises
    ------
    ConfigError
        If there is nothing at a path, or nothing can be written at `out`.
    AnnotationError, ShardError
        If something is damaged.
    """
    target = Path(out)
    if not 1 <= len(paths) <= 2:
        raise ConfigError(f"a report is of one dataset, or of two side by side, not of {len(paths)}")
    if not 0 <= samples <= _MOST_SAMPLES:
        raise ConfigError(f"samples must be from 0 to {_MOST_SAMPLES}, not {samples}: the page holds them all")
    refuse_target(target, _PAGE_START)
    steps = _Steps(progress, len(paths))
    subjects, sheets, shown = [], [], []
    for path in paths:
        subject = open_subject(Path(path), split=split, images=images, progress=steps.part(0.4))
        if not len(subject.people):
            raise ConfigError(f"{path}: has no people with a labelled keypoint, of which a report could tell")
        _measure_labels(subject, steps.part(0.2))
        strange = choose_strange(subject)
        fill_sheets(subject, strange, steps.part(0.2))
        shown.append(collect_samples(subject, choose_samples(subject, samples), steps.part(0.2)))
        subjects.append(subject)
        sheets.append(strange)
    if len({subject.title for subject in subjects}) < len(subjects):
        for subject, path in zip(subjects, paths, strict=True):
            subject.title = os.fspath(path)
    page = write_page(subjects, list(write_sections(subjects, sheets)), shown)
    try:
        write_atomically(target, page.encode())
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written: {error.strerror or error}") from error
    return target


def _measure_labels(subject: Subject, progress: Progress) -> None:
    if subject.shards is None:
        progress(1, 1)
        return
    total = subject.people.samples
    indices = np.unique(np.linspace(0, total - 1, min(_READ_LABELS, total)).round().astype(int))
    subject.labels = measure_labels(subject.shards, subject.people, indices.tolist(), progress)


class _Steps:
    """Joins the progress of parts to one, in thousandths."""

    def __init__(self, progress: Progress | None, subjects: int) -> None:
        self._progress = progress
        self._subjects = subjects
        self._before = 0.0

    def part(self, weight: float) -> Progress:
        """Begin a part that is such a share of the work for one subject."""
        start = self._before
        self._before += weight / self._subjects

        def show(done: int, total: int) -> None:
            if self._progress is not None:
                self._progress(round(1000 * (start + weight / self._subjects * done / max(total, 1))), 1000)

        return show
