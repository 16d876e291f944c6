"""Pictures decoded for nothing but to see whether they can be."""

from __future__ import annotations

from collections import Counter

from posegen.annotations import Annotations
from posegen.annotations.audit import counted
from posegen.build.progress import Progress
from posegen.config import BuildConfig
from posegen.errors import ImageError
from posegen.images import codec, files
from posegen.images.exif import ORIENTATIONS


def decode_all(annotations: Annotations, config: BuildConfig, progress: Progress) -> dict[str, str]:
    """Decode the pictures of all samples, in this process.

    EXIF orientations that are not applied are noted in the audit.

    Returns
    -------
    What is wrong with those that cannot be decoded, by file name; those that are missing are left out.
    """
    bad: dict[str, str] = {}
    unturned: Counter[int] = Counter()
    first: dict[int, str] = {}
    samples, shown = annotations.samples, config.exif == "shown"
    for done, sample in enumerate(samples, start=1):
        name, size = sample.file_name, (sample.height, sample.width)
        if name not in annotations.missing:
            try:
                data = files.read_file(annotations.images, name)
                codec.decode(data, size, name, shown=shown)
            except ImageError as error:
                bad[name] = str(error)
            else:
                if not shown and (orientation := codec.find_unturned(data, size)):
                    unturned[orientation] += 1
                    first.setdefault(orientation, name)
        progress(done, len(samples))
    annotations.audit.notes += [describe_unturned(value, count, first[value]) for value, count in unturned.items()]
    return bad


def describe_unturned(orientation: int, count: int, example: str) -> str:
    """Say that an EXIF orientation was not applied to some pictures."""
    return (
        f"EXIF orientation {orientation} ({ORIENTATIONS[orientation]}) not applied, as COCO counts pixels as they are "
        f"stored: {counted(count, 'picture')}, such as {example}; --exif shown applies it"
    )
